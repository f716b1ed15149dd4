# shellcheck shell=bash
# ./dev faults: builds the programs, lets crates/faults do its worst to them, and leaves nothing behind.

run_faults() {
    make_folders
    trap end_faults EXIT
    trap 'exit 130' INT TERM HUP
    step "Machine" check_machine build run faults
    step "Build" build_faults
    sweep_fault_runs
    # Short, and open to the postgres user: its data lie in it, and the path of a socket has a limit.
    PLACE=/var/tmp/crewline-faults-$$
    mkdir -m 711 "$PLACE"
    step "Faults" play_faults "$@"
}

build_faults() {
    (cd "$ROOT" && cargo build -p api -p workers -p faults --all-features 9>&-) ||
        fail $FAILED "the build failed; what the compiler said is above"
    BIN=$TARGET/debug
}

# In a session of its own, so that Ctrl-C reaches us first and whatever is left of it can be found.
play_faults() {
    local code=0
    TMPDIR=$PLACE setsid "$BIN/faults" --logs "$LOGS/faults" --page "$ROOT/docs/guarantees.md" "$@" </dev/null &
    PLAYER=$!
    wait "$PLAYER" || code=$?
    ((code == 0)) || fail "$code" "not everything held; what the programs logged is in .dev/log/faults"
}

# However it ends: asked, waited for, insisted.
end_faults() {
    local code=$?
    set +e
    trap '' INT TERM HUP
    if [[ -n ${PLAYER:-} ]]; then
        signal TERM "$PLAYER"
        local tick
        for ((tick = 0; tick < 300; tick++)); do
            [[ -e /proc/$PLAYER ]] || break
            sleep 0.1
        done
        end_session "$PLAYER"
    fi
    [[ -z ${PLACE:-} ]] || clear_place "$PLACE"
    exit "$code"
}

end_session() {
    local member
    for member in $(members_of_session "$1"); do
        signal KILL "$member"
    done
}

# clear_place FOLDER: ends whatever still works in it, and removes it. A Postgres leads a session of its own, so it and
# its like are known by the folder they work in.
clear_place() {
    local proc
    for proc in /proc/[0-9]*; do
        [[ $(readlink "$proc/cwd") != "$1"/* ]] || signal KILL "${proc#/proc/}"
    done
    rm -rf "${1:?}"
}

# What runs that were killed left behind. A run is named by the pid of its ./dev.
sweep_fault_runs() {
    local folder
    for folder in /var/tmp/crewline-faults-*; do
        [[ -d $folder && -O $folder && ! -e /proc/${folder##*-} ]] || continue
        clear_place "$folder"
        note "removed what a killed run left"
    done
}
