#!/usr/bin/env bash
# What must hold of the scripts themselves: they end what they started, and nothing else. Run by ./dev test.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PLACE=$(mktemp -d)
RUN=$PLACE/run LOGS=$PLACE/log STARTED=() COMMAND=up
mkdir "$RUN" "$LOGS"
STRANGER=''
trap 'rm -rf "$PLACE"; [[ -z $STRANGER ]] || kill "$STRANGER" 2>/dev/null' EXIT

# shellcheck source=dev.d/words.sh
. "$ROOT/dev.d/words.sh"
# shellcheck source=dev.d/machine.sh
. "$ROOT/dev.d/machine.sh"
# shellcheck source=dev.d/process.sh
. "$ROOT/dev.d/process.sh"
# shellcheck source=dev.d/play.sh
. "$ROOT/dev.d/play.sh"

check() {
    local what=$1
    shift
    "$@" >/dev/null 2>&1 || fail $FAILED "does not hold: $what"
}

refuse() {
    ! "$@"
}

launch nap sleep 60
check "what was started runs" running nap
NAP=$PID
stop nap >/dev/null
check "what was stopped is gone" refuse test -e "/proc/$NAP"
check "and so is its note" refuse test -e "$RUN/nap.pid"

launch family bash -c 'sleep 60 & exec sleep 61'
check "a process with a child runs" running family
FAMILY=$PID
stop family >/dev/null
check "nothing of its session is left" test -z "$(members_of_session "$FAMILY")"

sleep 60 &
STRANGER=$!
printf '%s 1\n' "$STRANGER" >"$RUN/reused.pid"
check "a pid with another start time is not ours" refuse running reused
stop reused
check "a stranger is left alone" test -e "/proc/$STRANGER"

launch deaf bash -c 'trap "" TERM; sleep 60 & wait; wait'
sleep 0.2
check "what does not listen runs" running deaf
stop deaf 1 >/dev/null
check "what does not listen is ended anyway" refuse running deaf

PORT=$(free_port)
check "a free port is free" need_port api "$PORT" CREWLINE_API_PORT
check "a port that is none is refused" refuse eval '(need_port api 80a CREWLINE_API_PORT)'

launch player bash -c 'setsid sleep 60 & sleep 61'
PLAYER=$PID
sleep 0.2
end_session "$PLAYER"
check "nothing of a session is left" test -z "$(members_of_session "$PLAYER")"
mkdir -p "$PLACE/place/data"
(cd "$PLACE/place/data" && exec setsid sleep 62) &
WORKS_IN_PLACE=$!
disown "$WORKS_IN_PLACE"
until [[ $(readlink "/proc/$WORKS_IN_PLACE/cwd") == "$PLACE/place/data" ]]; do sleep 0.01; done
clear_place "$PLACE/place"
sleep 0.2
check "nothing works on in a place that is gone" refuse test -e "/proc/$WORKS_IN_PLACE"
check "and the place is gone" refuse test -e "$PLACE/place"

for group in build run test faults bench image; do
    check "packages.txt lists the group $group" test -n "$(packages_of "$group")"
done

check "./dev bench explains itself" "$ROOT/dev" bench --help
check "./dev bench knows what it does not know" refuse "$ROOT/dev" bench nothing
