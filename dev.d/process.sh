# shellcheck shell=bash
# Processes and ports. A process is ours while its pid and its start time are the ones written down when we started it.
# Functions used while a trap runs return a number: a bare return would give the status from before the trap.

# Reads /proc/PID/stat into STAT, from the state onwards: 0 state, 3 session, 19 start time. Fails if there is no PID.
read_stat() {
    local line
    { IFS= read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
    read -r -a STAT <<<"${line##*) }"
}

# running NAME: whether the process written down under NAME is still that process. Sets PID.
running() {
    local born
    [[ -r $RUN/$1.pid ]] || return 1
    read -r PID born <"$RUN/$1.pid" || return 1
    read_stat "$PID" && [[ ${STAT[19]} == "$born" && ${STAT[0]} != Z ]]
}

# launch NAME COMMAND...: starts it in a session of its own, so that Ctrl-C reaches us and not it, and writes it down.
launch() {
    local name=$1 pid
    shift
    rotate_log "$LOGS/$name.log"
    setsid "$@" </dev/null >>"$LOGS/$name.log" 2>&1 9>&- &
    pid=$!
    disown "$pid"
    # Until it leads its session it is still a copy of this shell, with this shell's traps.
    until read_stat "$pid" && [[ ${STAT[3]} == "$pid" ]]; do
        [[ -e /proc/$pid ]] || fail $FAILED "$name ended at once" "$(tail -n 5 "$LOGS/$name.log")"
        sleep 0.01
    done
    printf '%s %s\n' "$pid" "${STAT[19]}" >"$RUN/$name.pid"
    STARTED+=("$name")
}

# Keeps the log of the run before, and no more.
rotate_log() {
    [[ ! -s $1 ]] || mv -f "$1" "$1.1"
    : >"$1"
}

# wait_for NAME SECONDS COMMAND...: until the command succeeds. Ends with the log when the process dies or time is up.
wait_for() {
    local name=$1 limit=$2 deadline
    shift 2
    deadline=$((SECONDS + limit))
    until "$@" >/dev/null 2>&1; do
        running "$name" || gave_up "$name" "ended while starting"
        ((SECONDS < deadline)) || gave_up "$name" "was not ready after $limit s"
        [[ ! -t 1 ]] || printf '\r  %s: %d s ... ' "$name" "$((limit - deadline + SECONDS))"
        sleep 0.1
    done
    [[ ! -t 1 ]] || printf '\r\e[K'
    note "$name is ready"
}

gave_up() {
    say ""
    tail -n 20 "$LOGS/$1.log" | sed "s/^/  $1 | /" >&2
    fail $FAILED "$1 $2; its last words are above, all of them in ${LOGS#"$ROOT"/}/$1.log"
}

# signal_of NAME: how each is asked to end.
signal_of() {
    case $1 in
        postgres) printf INT ;; # "fast": ends sessions, writes everything down
        *) printf TERM ;;
    esac
}

# stop NAME: asks, waits, insists, and leaves nothing of its session behind.
stop() {
    local name=$1 limit=${2:-30} pid member
    if ! running "$name"; then
        rm -f "$RUN/$name.pid"
        return 0
    fi
    pid=$PID
    signal "$(signal_of "$name")" "$pid"
    for ((; limit > 0; limit--)); do
        gone_within_a_second "$name" && break
    done
    if running "$name"; then
        note "$name does not end when asked; ending it the hard way"
        signal KILL "$pid"
        gone_within_a_second "$name" || fail $FAILED "$name (pid $pid) cannot be stopped"
    fi
    for member in $(members_of_session "$pid"); do
        signal KILL "$member"
    done
    rm -f "$RUN/$name.pid"
    note "$name stopped"
}

gone_within_a_second() {
    local tick
    for ((tick = 0; tick < 20; tick++)); do
        running "$1" || return 0
        sleep 0.05
    done
    return 1
}

signal() {
    kill "-$1" "$2" 2>/dev/null || true
}

members_of_session() {
    local proc
    for proc in /proc/[0-9]*; do
        read_stat "${proc#/proc/}" && [[ ${STAT[3]} == "$1" && ${STAT[0]} != Z ]] && printf '%s\n' "${proc#/proc/}"
    done
    return 0
}

# The inode of the socket that listens on a port; nothing when the port is free.
listener_inode() {
    local hex
    printf -v hex '%04X' "$1"
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
        awk -v port="$hex" '$4 == "0A" && $2 ~ ":" port "$" { print $10; exit }'
}

port_taken() {
    [[ -n $(listener_inode "$1") ]]
}

# "redis-server (pid 812)" where we may know.
listener_name() {
    local inode fd pid
    inode=$(listener_inode "$1")
    fd=$(find /proc/[0-9]*/fd -lname "socket:\[$inode\]" -print -quit 2>/dev/null)
    pid=${fd#/proc/}
    pid=${pid%%/*}
    if [[ -n $pid ]]; then
        printf '%s (pid %s)' "$(cat "/proc/$pid/comm")" "$pid"
    else
        printf 'a process of another user'
    fi
}

# need_port NAME PORT VARIABLE: refuses, with the way out, when somebody else has it.
need_port() {
    [[ $2 =~ ^[0-9]+$ ]] && (($2 >= 1024 && $2 <= 65535)) ||
        fail $USAGE "$3 has to be a port from 1024 to 65535, and is '$2'"
    port_taken "$2" || return 0
    fail $TAKEN "port $2, where $1 should listen, is taken by $(listener_name "$2")" \
        "Stop that, or choose another: $3=$(free_port) ./dev $COMMAND"
}

# A port nobody listens on, below the ones the kernel hands out itself.
free_port() {
    local port
    while :; do
        port=$((20000 + SRANDOM % 12000))
        port_taken "$port" || break
    done
    printf '%s' "$port"
}
