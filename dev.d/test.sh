# shellcheck shell=bash
# ./dev test: everything that has to hold, on a Postgres and a Redis made for this run and gone after it.

run_tests() {
    make_folders
    TESTS=$DEV/test/$$
    trap end_tests EXIT
    trap 'exit 130' INT TERM HUP
    step "Machine" check_machine build run test
    sweep_test_runs
    if (($# == 0)); then
        step "Format" in_root cargo fmt --all --check
        step "Scripts" check_scripts
        step "Lints" in_root cargo clippy --workspace --all-targets --all-features -- -D warnings
        step "Vendors" in_root dev.d/vendors.sh
    else
        note "with arguments, only the tests run"
    fi
    step "Servers" start_test_servers
    step "Tests" cargo_test "$@"
}

# in_root COMMAND...: the programs of this workspace, run in it, without our locks and our terminal's input.
in_root() {
    (cd "$ROOT" && "$@" </dev/null) || fail $FAILED "failed: $*"
}

# Every crate, unless the arguments name one.
cargo_test() {
    local scope=(--workspace)
    [[ " $* " != *" -p"* && " $* " != *" --package"* ]] || scope=()
    in_root cargo test "${scope[@]}" --all-features "$@"
}

check_scripts() {
    in_root dev.d/selfcheck.sh
    if command -v shellcheck >/dev/null; then
        in_root shellcheck -x dev dev.d/selfcheck.sh dev.d/vendors.sh .ci/run
    else
        note "no shellcheck here; the scripts were not linted"
    fi
}

start_test_servers() {
    RUN=$TESTS/run
    LOGS=$TESTS/log
    mkdir -p "$RUN" "$LOGS"
    choose_postgres_home
    local secret port
    secret=$(random_hex 16)
    port=$(free_port)
    # What is gone after the run need not outlive the machine; tests that end a Postgres start one of their own.
    start_postgres "$PG_HOME/test/$$/postgres" "$port" "$secret" fsync=off full_page_writes=off
    export CREWLINE_TEST_DATABASE_URL=postgres://postgres:$secret@127.0.0.1:$port/postgres
    port=$(free_port)
    start_redis "$TESTS/redis" "$port" "$secret"
    export CREWLINE_TEST_REDIS_URL=redis://:$secret@127.0.0.1:$port
}

# However the tests end: the servers end, their data go, and the times are told.
end_tests() {
    local code=$? line
    set +e
    trap '' INT TERM HUP
    if ((${#STARTED[@]} > 0)); then
        end_all "${STARTED[@]}"
    fi
    remove_test_run "$$"
    if ((${#STEP_TIMES[@]} > 0)); then
        say ""
        for line in "${STEP_TIMES[@]}"; do note "$line"; done
    fi
    if ((code == 0)); then say "All good."; fi
    exit "$code"
}

remove_test_run() {
    local home
    for home in "$DEV" "${PG_HOME:-$DEV}"; do
        rm -rf "${home:?}/test/$1"
        rmdir "$home/test" 2>/dev/null || true
    done
    return 0
}

# What runs that were killed left behind: their servers end, their data go. A run is named by the pid of its ./dev.
sweep_test_runs() {
    local folder name kept=$RUN
    choose_postgres_home
    for folder in "$DEV"/test/*/; do
        [[ -d $folder && ! -e /proc/$(basename "$folder") ]] || continue
        RUN=${folder}run
        for name in postgres redis; do
            [[ ! -e $RUN/$name.pid ]] || stop "$name"
        done
        remove_test_run "$(basename "$folder")"
        note "removed what a killed test run left"
    done
    RUN=$kept
}
