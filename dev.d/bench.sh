# shellcheck shell=bash
# ./dev bench: builds the programs for speed, fetches those they are measured beside, lets crates/bench measure, and
# leaves nothing running.

bench_help() {
    cat <<'HELP'
./dev bench measures our programs, built for speed, with others beside them in the same run: the queue, media, or matching; and
the pages of the dashboard over a large ledger.

  ./dev bench queue                    everything, three rounds of each in turn; about ten minutes
  ./dev bench media                    the same of ladders of pictures and streams of films; half an hour
  ./dev bench dashboard                its pages over ten million jobs; some minutes and 12 GB of disk

  ./dev bench match                    ranking and assignment beside SciPy; two minutes, and it takes no options

It ends with 1 when a figure is below its floor. The first three understand

  --quick            one short round of each: shows that all of it works, proves little, and fails for no figure
  --json PATH        also write every figure to a file
  --write            also write the table into docs/performance.md
  --rounds N         rounds of each

the first two

  --only FIGURE      queue: throughput, intake, batch, hooks, latency, depth, recovery or wipe
                     media: single, throughput, memory, quality, film or parts; may be repeated
  --no-peers         nobody but ourselves and the yardsticks; for the queue nothing is fetched then

  --film-minutes N   media: length of the film that is made in parts on two workers, 4 unless given
  --part-s N         media: seconds of each of these parts, 60 unless given

the dashboard alone

  --jobs 1m          jobs in the ledger; 10m unless given

and the queue alone

  --slots N          slots of each of our worker processes
  --statements       also say which statements took Postgres how long
  --only depth --waiting 10m --rounds 1
                     over ten million waiting jobs; half an hour and 10 GB of disk

The peers come from their own registries into .dev/bench: BullMQ, graphile-worker and sharp (npm), graphile_worker
(cargo), Sidekiq and ffmpeg (apt), Pillow and libvips (PyPI). Photographs and a film to measure media with are made there
once. Servers keep their data in /var/tmp until the end.
HELP
}

run_bench() {
    local subject=${1:-} word arguments=() groups=(build run) peers=yes
    for word in "$@"; do
        case $word in
            -h | --help | help)
                bench_help
                return 0
                ;;
            --write) arguments+=(--page "$ROOT/docs/performance.md") ;;
            --no-peers)
                peers=''
                arguments+=("$word")
                ;;
            *) arguments+=("$word") ;;
        esac
    done
    [[ $subject == queue || $subject == media || $subject == dashboard || $subject == match ]] ||
        fail $USAGE "bench measures the queue, media, the dashboard or match, and knows nothing else" "./dev bench --help"
    if [[ $subject == match ]]; then
        make_folders
        TESTS=$DEV/test/$$
        trap end_tests EXIT
        trap 'exit 130' INT TERM HUP
        step "Machine" check_machine build run bench
        step "Servers" start_test_servers
        step "Bench" bench_match
        return
    fi
    make_place
    # What media are measured with is made by programs of that group, whoever stands beside us.
    [[ $subject == dashboard || ($subject == queue && -z $peers) ]] || groups+=(bench)
    step "Machine" check_machine "${groups[@]}"
    step "Build" build_bench
    case $subject in
        queue)
            if [[ -n $peers ]]; then
                step "Peers" fetch_peers
                arguments+=(--peers "$DEV/bench/peers")
            fi
            ;;
        media)
            step "Peers" fetch_media_peers
            step "Sources" make_media_sources
            arguments+=(--peers "$DEV/bench/media" --sources "$DEV/bench/media/sources")
            ;;
    esac
    step "Bench" play_bench "${arguments[@]}"
}

# Ranking and assignment, by a program of theirs: crates/store/examples/matching.rs. Its database is a test's.
bench_match() {
    local place=$DEV/bench/match
    mkdir -p "$place"
    find_target
    (cd "$ROOT" && cargo build --release -p store --features testing --example matching 9>&-) ||
        fail $FAILED "the build failed; what the compiler said is above"
    "$TARGET/release/examples/matching" "$place/scores.json" >"$place/ours.json" 9>&- ||
        fail $FAILED "the measuring broke off"
    /usr/bin/python3 "$ROOT/crates/bench/peers/assignment.py" "$place/scores.json" "$place/ours.json" ||
        fail $FAILED "what has to hold does not; the line above says what"
}

# One call, so that everything is built with the same features and nothing twice.
build_bench() {
    find_target
    [[ -x $TARGET/release/bench ]] || note "the first build for speed takes a quarter of an hour; later ones take seconds"
    (cd "$ROOT" && cargo build --release -p api -p workers -p bench --features api/embedded-s3 9>&-) ||
        fail $FAILED "the build failed; what the compiler said is above"
    BIN=$TARGET/release
}

# Into a folder of ours that git does not see. A peer that cannot be had is left out of the table, and said aloud.
fetch_peers() {
    local from=$ROOT/crates/bench/peers to=$DEV/bench/peers
    mkdir -p "$to/node"
    cp "$from/sidekiq.rb" "$to/"
    cp "$from"/node/*.mjs "$to/node/"
    if ! cmp -s "$from/node/package.json" "$to/node/package.json" || [[ ! -d $to/node/node_modules ]]; then
        note "npm fetches BullMQ and graphile-worker (what it says goes to .dev/log/npm.log)"
        cp "$from/node/package.json" "$to/node/"
        if ! (cd "$to/node" && npm install --no-audit --no-fund --no-package-lock 9>&-) >"$LOGS/npm.log" 2>&1; then
            rm -f "$to/node/package.json"
            note "npm did not get them; they are left out"
        fi
    fi
    note "cargo builds graphile_worker (some minutes the first time; what it says goes to .dev/log/graphile-rs.log)"
    if cargo build --release --locked --manifest-path "$from/graphile-rs/Cargo.toml" \
        --target-dir "$DEV/bench/target" >"$LOGS/graphile-rs.log" 2>&1 9>&-; then
        cp "$DEV/bench/target/release/graphile-rs" "$to/"
    else
        note "cargo could not build it; it is left out"
    fi
}

play_bench() {
    local code=0
    play "$BIN/bench" "${@:1:1}" --logs "$LOGS/bench" "${@:2}" || code=$?
    case $code in
        0) ;;
        5) fail $FAILED "a figure is below its floor; the table above says which" ;;
        *) fail "$code" "the measuring broke off; what the programs logged is in .dev/log/bench" ;;
    esac
}
