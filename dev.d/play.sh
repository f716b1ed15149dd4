# shellcheck shell=bash
# Programs of ours that start servers of their own: they get a place to work in, and nothing of them is left behind.

# make_place: a folder that is short, because the path of a socket has a limit, and open to the postgres user.
make_place() {
    make_folders
    trap end_play EXIT
    trap 'exit 130' INT TERM HUP
    sweep_places
    PLACE=/var/tmp/crewline-play-$$
    mkdir -m 711 "$PLACE"
}

# play PROGRAM ARGS…: in a session of its own, so that Ctrl-C reaches us first and whatever is left of it can be found.
# Answers what it answers.
play() {
    local code=0
    TMPDIR=$PLACE setsid "$@" </dev/null &
    PLAYER=$!
    wait "$PLAYER" || code=$?
    return "$code"
}

# However it ends: asked, waited for, insisted.
end_play() {
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
    # Small disks that a killed program could not take down itself.
    local disk
    while read -r _ disk _; do
        [[ $disk != "$1"/* ]] || umount --lazy "$disk"
    done </proc/mounts
    rm -rf "${1:?}"
}

# What runs that were killed left behind. A place is named by the pid of its ./dev.
sweep_places() {
    local folder
    for folder in /var/tmp/crewline-play-*; do
        [[ -d $folder && -O $folder && ! -e /proc/${folder##*-} ]] || continue
        clear_place "$folder"
        note "removed what a killed run left"
    done
}
