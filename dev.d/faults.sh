# shellcheck shell=bash
# ./dev faults: builds the programs and lets crates/faults do its worst to them.

run_faults() {
    make_place
    step "Machine" check_machine build run faults
    step "Build" build_faults
    step "Faults" play_faults "$@"
}

build_faults() {
    (cd "$ROOT" && cargo build -p api -p workers -p faults --all-features 9>&-) ||
        fail $FAILED "the build failed; what the compiler said is above"
    BIN=$TARGET/debug
}

play_faults() {
    local code=0
    play "$BIN/faults" --logs "$LOGS/faults" --page "$ROOT/docs/guarantees.md" "$@" || code=$?
    ((code == 0)) || fail "$code" "not everything held; what the programs logged is in .dev/log/faults"
}
