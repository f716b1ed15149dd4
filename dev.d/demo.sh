# shellcheck shell=bash
# The demonstration: three photographs and a film through the public API, then looked at from outside and in the ledger.

# From the package mate-backgrounds, licence GPL-2+. They stay where it put them; nothing of them is kept here.
readonly PHOTOS=(
    /usr/share/backgrounds/mate/nature/LadyBird.jpg
    /usr/share/backgrounds/mate/nature/Dune.jpg
    /usr/share/backgrounds/mate/abstract/Elephants_5640x3172.jpg
)
# From the package forensics-samples-files, licence CC-BY-SA-4.0: eight seconds, 720p, recorded by hand.
readonly FILM=/usr/share/forensics-samples/original-files/movie2/movie-hello.mp4
# The longest one file may take, in seconds: a debug build on a busy machine is slow.
readonly FILE_LIMIT=120

# call METHOD PATH [CURL ARGUMENT...]: a request with our key. Prints the answer; a problem goes to standard error.
call() {
    local method=$1 path=$2 answer
    shift 2
    if answer=$(curl -sS --fail-with-body -m 60 -X "$method" -H "Authorization: Bearer $CREWLINE_API_KEY" \
        -H 'Content-Type: application/json' "$@" "$CREWLINE_URL$path" 2>&1); then
        printf '%s' "$answer"
    else
        printf '%s %s: %s\n' "$method" "$path" "$answer" >&2
        return 1
    fi
}

demonstrate() {
    note "photographs of the package mate-backgrounds (GPL-2+), a film of forensics-samples-files (CC-BY-SA-4.0)"
    printf '  %-26s %9s %11s %10s %8s  %s\n' FILE SIZE 'MADE OF IT' BYTES MS ''
    local photo
    for photo in "${PHOTOS[@]}"; do
        is_there "$photo" mate-backgrounds
        send_photo "$photo" || fail $FAILED "the photograph $photo did not come through" "./dev logs api, ./dev logs workers"
    done
    note "every picture was fetched by its signed URL, and the rows in Postgres agree"
    is_there "$FILM" forensics-samples-files
    send_film "$FILM" || fail $FAILED "the film $FILM did not come through" "./dev logs api, ./dev logs workers"
    deliver || fail $FAILED "the files were not delivered" "./dev logs api, ./dev logs workers"
    note "a page shows them to whoever has its link; its playlists, its film and its archive were fetched through it"
    tell_others || fail $FAILED "nobody was told" "./dev logs workers, ./dev logs catcher"
    note "a mail has told a customer of it, and a signed webhook a program: both wait at the catcher"
    tell_story || fail $FAILED "nobody was found for a visit" "./dev logs workers, ./dev logs dav"
}

is_there() {
    [[ -r $1 ]] || fail $MACHINE "$1 is not there" "sudo apt-get install --reinstall $2"
}

# Has a mail sent to a customer, and a webhook to a program; both are caught on this machine.
tell_others() {
    local caught=$DEV/caught party before deadline=$((SECONDS + FILE_LIMIT))
    before=$(caught_files | wc -l)
    listen_to_webhooks || return 1
    party=$(call POST /v1/parties -H "Idempotency-Key: demo-$(random_hex 8)" \
        -d '{"name": "Ada Lovelace", "locale": "en", "timezone": "Europe/Vienna"}' | jq -er .id) ||
        return 1
    call POST "/v1/parties/$party/contact-points" \
        -d '{"channel": "email", "address": "ada@example.com", "verified": true}' >/dev/null || return 1
    call POST /v1/notifications -H "Idempotency-Key: demo-$(random_hex 8)" -d "$(jq -nc --arg party "$party" \
        --arg link "$DELIVERY_LINK" '{recipients: [$party], template: "delivered", category: "critical",
        channels: ["email"], variables: {name: "Ada", address: "12 Elm Street", link: $link}}')" >/dev/null || return 1
    call POST "/v1/webhook-endpoints/$(cat "$caught/endpoint")/test" >/dev/null || return 1
    while (($(caught_files | wc -l) < before + 2)); do
        if ((SECONDS > deadline)); then
            printf 'caught %s of 2 after %s s\n' "$(($(caught_files | wc -l) - before))" $FILE_LIMIT >&2
            return 1
        fi
        sleep 0.2
    done
}

caught_files() {
    find "$DEV/caught" -name '*.eml' -o -name '*.json'
}

# The endpoint of the last run, while it stands; else a new one, whose secret the catcher is told.
listen_to_webhooks() {
    local caught=$DEV/caught made
    [[ -s $caught/endpoint ]] && call GET "/v1/webhook-endpoints/$(cat "$caught/endpoint")" >/dev/null 2>&1 && return 0
    made=$(call POST /v1/webhook-endpoints -H "Idempotency-Key: demo-$(random_hex 8)" \
        -d "{\"url\":\"http://127.0.0.1:$CATCHER_PORT/hook\",\"event_types\":[\"delivery.*\",\"webhook_endpoint.*\"]}") ||
        return 1
    (umask 077 && jq -r .secret <<<"$made" >"$caught/secret" && jq -r .id <<<"$made" >"$caught/endpoint")
}

# Hands the files over, and fetches what the page's reader would: the page, the film, everything in one file. Sets
# DELIVERY_LINK.
deliver() {
    local files file made delivery deadline=$((SECONDS + FILE_LIMIT)) packed came film=$((${#PHOTOS[@]} + 1))
    files=$(for file in "${PHOTOS[@]}" "$FILM"; do uploaded_before "$file"; done | jq -Rnc '[inputs | {asset: .}]')
    made=$(call POST /v1/deliveries -H "Idempotency-Key: demo-$(random_hex 8)" \
        -d "$(jq -nc --argjson files "$files" '{title: "A first delivery", files: $files}')") || return 1
    while :; do
        delivery=$(call GET "/v1/deliveries/$(jq -r .id <<<"$made")") || return 1
        packed=$(jq -r '.archives[] | select(.variant == "mls") | .bytes' <<<"$delivery")
        [[ -n $packed ]] && break
        if ((SECONDS > deadline)); then
            printf 'not packed after %s s: %s\n' $FILE_LIMIT "$(jq -c '{id, state}' <<<"$delivery")" >&2
            return 1
        fi
        sleep 0.5
    done
    DELIVERY_LINK=$(jq -r .link <<<"$delivery")
    curl -sS --fail -m 60 -o /dev/null "$DELIVERY_LINK" || return 1
    curl -sSL --fail -m 60 "$DELIVERY_LINK/films/$film/master.m3u8" | grep -q '^#EXT-X-STREAM-INF' || return 1
    curl -sSL --fail -m 60 -o /dev/null "$DELIVERY_LINK/films/$film/film.mp4" || return 1
    came=$(curl -sSL --fail -m 60 -o /dev/null -w '%{size_download}' "$DELIVERY_LINK/archive/mls") || return 1
    if [[ $came != "$packed" ]]; then
        printf 'the archive has %s bytes, and should have %s\n' "$came" "$packed" >&2
        return 1
    fi
}

# send_photo FILE: announced, put, completed, rendered, verified; one line of the table.
send_photo() {
    local photo=$1 asset job started took reused
    asset=$(uploaded_before "$photo") || asset=$(upload "$photo" image/jpeg) || return 1
    scanned "$asset" || return 1
    started=$(now_ms)
    job=$(work media.rendition "$asset") || return 1
    took=$(($(now_ms) - started))
    reused=$(jq -r 'if .result.reused then "made before" else "" end' <<<"$job")
    verify_renditions "$asset" || return 1
    printf '  %-26s %9s %11s %10s %8s  %s\n' "$(basename "$photo")" "$(bytes "$(stat -c %s "$photo")")" \
        "$COUNT" "$(bytes "$BYTES")" "$took" "$reused"
}

# send_film FILE: announced, put, completed, transcoded; one line of the table.
send_film() {
    local film=$1 asset job started took reused
    asset=$(uploaded_before "$film") || asset=$(upload "$film" video/mp4) || return 1
    scanned "$asset" || return 1
    started=$(now_ms)
    job=$(work video.transcode "$asset") || return 1
    took=$(($(now_ms) - started))
    reused=$(jq -r 'if .result.reused then "made before" else "" end' <<<"$job")
    printf '  %-26s %9s %11s %10s %8s  %s\n' "$(basename "$film")" "$(bytes "$(stat -c %s "$film")")" \
        "$(jq -r '"\(.result.rungs | length) streams"' <<<"$job")" \
        "$(bytes "$(jq '[.result.files[].bytes] | add' <<<"$job")")" "$took" "$reused"
}

# Prints the id of the asset that an earlier run made of the file, if it is still there.
uploaded_before() {
    local asset
    asset=$(awk -v photo="$1" '$1 == photo { found = $2 } END { print found }' "$DEV/demo" 2>/dev/null)
    [[ -n $asset ]] && call GET "/v1/assets/$asset" 2>/dev/null | jq -er 'select(.state == "clean") | .id'
}

# upload FILE TYPE: prints the id of the asset that the file became.
upload() {
    local file=$1 announced asset
    announced=$(call POST /v1/uploads -d "$(jq -nc --arg name "$(basename "$file")" --arg type "$2" \
        --arg sha256 "$(sha256sum "$file" | cut -d' ' -f1)" --argjson bytes "$(stat -c %s "$file")" \
        '{filename: $name, content_type: $type, bytes: $bytes, sha256: $sha256}')") || return 1
    jq -r '.headers | to_entries[] | "\(.key): \(.value)"' <<<"$announced" |
        curl -sS --fail-with-body -m 60 -H @- -T "$file" "$(jq -r .url <<<"$announced")" >&2 || return 1
    asset=$(call POST "/v1/uploads/$(jq -r .id <<<"$announced")/complete" | jq -er .id) || return 1
    printf '%s %s\n' "$file" "$asset" >>"$DEV/demo"
    printf '%s' "$asset"
}

# Waits until the virus scanner has let the file go.
scanned() {
    local asset=$1 state deadline=$((SECONDS + FILE_LIMIT))
    while :; do
        state=$(call GET "/v1/assets/$asset" | jq -r '[.state, .finding] | map(values) | join(": ")') || return 1
        [[ $state == quarantined ]] || break
        if ((SECONDS > deadline)); then
            printf 'still in quarantine after %s s; does clamd run?\n' $FILE_LIMIT >&2
            return 1
        fi
        sleep 0.2
    done
    [[ $state == clean ]] || printf '%s is held: %s\n' "$asset" "$state" >&2
    [[ $state == clean ]]
}

# work KIND ASSET: prints the job when it is completed. Every run asks anew; the workers know what they made before.
work() {
    local kind=$1 asset=$2 job deadline=$((SECONDS + FILE_LIMIT))
    job=$(call POST /v1/jobs -H "Idempotency-Key: demo-$(random_hex 8)" -H 'Prefer: wait=20' \
        -d "{\"kind\":\"$kind\",\"args\":{\"asset\":\"$asset\"}}") || return 1
    while :; do
        case $(jq -r .state <<<"$job") in
            completed) break ;;
            cancelled | discarded)
                jq -c '{id, state, error}' <<<"$job" >&2
                return 1
                ;;
        esac
        if ((SECONDS > deadline)); then
            printf 'not done after %s s: %s\n' $FILE_LIMIT "$(jq -c '{id, state, attempt, error}' <<<"$job")" >&2
            return 1
        fi
        sleep 0.5
        job=$(call GET "/v1/jobs/$(jq -r .id <<<"$job")") || return 1
    done
    printf '%s' "$job"
}

# Fetches every rendition, and compares what came with what the API and the rows say. Sets COUNT and BYTES.
verify_renditions() {
    local asset=$1 listed promised came rows
    listed=$(call GET "/v1/assets/$asset") || return 1
    promised=$(jq -r '.renditions[].bytes' <<<"$listed")
    came=$(jq -r '.renditions[] | "url = \(.url | tojson)\noutput = /dev/null"' <<<"$listed" |
        curl -sS --fail -m 60 -w '%{size_download}\n' -K -) || return 1
    if [[ $came != "$promised" ]]; then
        printf 'the renditions of %s have %s bytes, and should have %s\n' "$asset" "${came//$'\n'/ }" "${promised//$'\n'/ }" >&2
        return 1
    fi
    COUNT=$(jq '.renditions | length' <<<"$listed")
    BYTES=$(jq '[.renditions[].bytes] | add // 0' <<<"$listed")
    # An id is a word, _ and a UUID without dashes.
    rows=$(sql "select count(*) || ' ' || coalesce(sum(bytes), 0) from rendition where asset_id = '${asset#*_}'") || return 1
    if [[ $COUNT == 0 || $rows != "$COUNT $BYTES" ]]; then
        printf 'fetched %s renditions, %s bytes; Postgres has %s\n' "$COUNT" "$BYTES" "$rows" >&2
        return 1
    fi
}

tell_addresses() {
    cat <<TEXT

${BOLD}Crewline is up${PLAIN}
  dashboard       $CREWLINE_URL/ops   sign in as $DEMO_EMAIL with $DEMO_PASSWORD
  what was made   $DELIVERY_LINK
  who was told    http://127.0.0.1:$CATCHER_PORT   mails and webhooks, as they came
  who was booked  $STORY_CALENDAR/   as $CREWLINE_DAV_USER with $CREWLINE_DAV_PASSWORD; $CREWLINE_DAV_URL/.web shows it
  and their feed  $STORY_FEED
  API reference   $CREWLINE_URL/docs
  health          $CREWLINE_URL/readyz   http://127.0.0.1:$WORKERS_PORT/readyz
  metrics         $CREWLINE_URL/metrics  http://127.0.0.1:$WORKERS_PORT/metrics
  API key         $CREWLINE_API_KEY   (tenant demo; all addresses and keys: .dev/env)

${BOLD}A photo of your own${PLAIN}, up to 16 MiB. Change the first line and paste:

photo=/path/to.jpg type=image/jpeg
. $(printf '%q' "$DEV/env")
TEXT
    cat <<'TEXT'
api() { curl -sS -H "Authorization: Bearer $CREWLINE_API_KEY" -H "Content-Type: application/json" "$@"; }
up=$(api "$CREWLINE_URL/v1/uploads" -d "{\"content_type\":\"$type\",\"bytes\":$(wc -c <"$photo")}")
echo "$up" | jq -r '.headers | to_entries[] | "\(.key): \(.value)"' | curl -sS -H @- -T "$photo" "$(echo "$up" | jq -r .url)"
asset=$(api -X POST "$CREWLINE_URL/v1/uploads/$(echo "$up" | jq -r .id)/complete" | jq -r .id)
api "$CREWLINE_URL/v1/jobs" -H "Idempotency-Key: $asset" -H "Prefer: wait=20" \
  -d "{\"kind\":\"media.rendition\",\"args\":{\"asset\":\"$asset\"}}" | jq '{id, state, error}'
api "$CREWLINE_URL/v1/assets/$asset" | jq -r '.renditions[] | "\(.width)x\(.height) \(.format) \(.url)"'

The last command prints where each rendition opens in a browser, for 15 minutes.

TEXT
}
