# shellcheck shell=bash
# ./dev simulate: builds crates/simulate and lets the ledger live through busy days.

run_simulate() {
    make_place
    step "Machine" check_machine build run
    step "Build" build_simulate
    step "Simulate" play_simulate "$@"
}

build_simulate() {
    (cd "$ROOT" && cargo build --release -p simulate 9>&-) ||
        fail $FAILED "the build failed; what the compiler said is above"
    BIN=$TARGET/release
}

play_simulate() {
    local code=0
    play "$BIN/simulate" "$@" || code=$?
    ((code == 0)) || fail "$code" "the day was not lived to its end"
}
