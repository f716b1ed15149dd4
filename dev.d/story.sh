# shellcheck shell=bash
# The story of a visit, told once: an order, who could do it, one who declines and one who accepts, the event in a calendar on a
# real server, and the feed that shows it.

# Sets STORY_CALENDAR and STORY_FEED. A later run finds both as they were.
tell_story() {
    local day request offer booking near far
    # shellcheck source=/dev/null
    if [[ -s $DEV/story ]] && . "$DEV/story" && curl -sSf -m 10 -o /dev/null "$STORY_FEED" 2>/dev/null; then
        note "the visit of the first run is booked"
        return 0
    fi
    day=$(date -u -d '+10 days' +%F)
    STORY_ROLE=demo-$(random_hex 4)
    near=$(technician Ada 48.20) && far=$(technician Ben 48.30) || return 1
    STORY_CALENDAR=$CREWLINE_DAV_URL/$CREWLINE_DAV_USER/$far
    keep_calendar "$far" || return 1
    request=$(call POST /v1/match-requests -H "Idempotency-Key: demo-$(random_hex 8)" -d "$(jq -nc --arg day "$day" \
        --arg role "$STORY_ROLE" '{reference: "12 Elm Street", visit: {role: $role, place: {latitude: 48.2, longitude: 16.37},
        starts_at: "\($day)T09:00:00Z", ends_at: "\($day)T11:00:00Z"}}')" | jq -er .id) || return 1
    offer=$(asked "$request" 1 "$near") || return 1
    note "12 Elm Street was ordered; ranked: $(call GET "/v1/match-requests/$request/rankings/1" |
        jq -r '[.ranked[] | "\(.score) points, \(.metres) m away"] | join("; ")')"
    call POST "/v1/offers/$offer/decline" >/dev/null || return 1
    offer=$(asked "$request" 2 "$far") || return 1
    booking=$(call POST "/v1/offers/$offer/accept" | jq -er .booking) || return 1
    note "Ada was asked first and declined; Ben was asked next and accepted"
    within_limit dav_has "$STORY_CALENDAR/$booking.ics" || return 1
    STORY_FEED=$(call POST /v1/calendar-feeds -H "Idempotency-Key: demo-$(random_hex 8)" -d "{\"party\":\"$far\"}" |
        jq -er .url) || return 1
    within_limit feed_has "$booking" || return 1
    note "the event stands in Ben's calendar, on a CalDAV server, and his feed shows it"
    (umask 077 && printf 'STORY_CALENDAR=%q\nSTORY_FEED=%q\n' "$STORY_CALENDAR" "$STORY_FEED" >"$DEV/story")
}

# technician NAME LATITUDE: prints the id of somebody who takes work in STORY_ROLE.
technician() {
    local id
    id=$(call POST /v1/parties -H "Idempotency-Key: demo-$(random_hex 8)" \
        -d "{\"name\":\"$1\",\"timezone\":\"Europe/Vienna\"}" | jq -er .id) || return 1
    call PUT "/v1/parties/$id/membership" -d "{\"roles\":[\"$STORY_ROLE\"],\"timezone\":\"Europe/Vienna\",
        \"home\":{\"latitude\":$2,\"longitude\":16.37}}" >/dev/null || return 1
    printf '%s' "$id"
}

# keep_calendar PARTY: makes a calendar for somebody, and links it.
keep_calendar() {
    local link
    dav -X MKCALENDAR "$STORY_CALENDAR/" || return 1
    link=$(call POST /v1/calendar-links -H "Idempotency-Key: demo-$(random_hex 8)" -d "$(jq -nc --arg party "$1" \
        --arg url "$STORY_CALENDAR/" --arg user "$CREWLINE_DAV_USER" --arg password "$CREWLINE_DAV_PASSWORD" \
        '{party: $party, provider: "caldav", url: $url, username: $user, password: $password}')" | jq -er .id) || return 1
    within_limit link_is_live "$link"
}

link_is_live() {
    call GET "/v1/calendar-links/$1" | jq -e '.state == "live"'
}

dav() {
    curl -sS -f -m 20 -o /dev/null -u "$CREWLINE_DAV_USER:$CREWLINE_DAV_PASSWORD" "$@"
}

dav_has() {
    dav "$1" 2>/dev/null
}

feed_has() {
    curl -sf -m 20 "$STORY_FEED" | grep -q "UID:$1"
}

# asked REQUEST ROUND PARTY: prints the offer of the round, which has to be to that party.
asked() {
    local offer
    within_limit has_offer "$1" "$2" || return 1
    offer=$(call GET "/v1/match-requests/$1" | jq -er --argjson round "$2" --arg party "$3" \
        '.offers[$round - 1] | select(.party == $party) | .id') || {
        printf 'somebody else was asked first\n' >&2
        return 1
    }
    printf '%s' "$offer"
}

has_offer() {
    call GET "/v1/match-requests/$1" | jq -e --argjson round "$2" '.offers | length >= $round'
}

# within_limit COMMAND...: until it succeeds, for as long as one file may take.
within_limit() {
    local deadline=$((SECONDS + FILE_LIMIT))
    until "$@" >/dev/null; do
        if ((SECONDS > deadline)); then
            printf 'not after %s s: %s\n' "$FILE_LIMIT" "$*" >&2
            return 1
        fi
        sleep 0.2
    done
}
