# shellcheck shell=bash
# Words: how ./dev speaks, and how it ends when it cannot go on.

# Exit codes, as ./dev help lists them.
readonly FAILED=1 USAGE=2 MACHINE=3 TAKEN=4

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
    readonly BOLD=$'\e[1m' DIM=$'\e[2m' RED=$'\e[31m' PLAIN=$'\e[0m'
else
    readonly BOLD='' DIM='' RED='' PLAIN=''
fi

say() {
    printf '%s\n' "$*"
}

# One line of progress, indented beneath its step.
note() {
    printf '  %s\n' "$*"
}

# fail CODE LINE...: says what is wrong and what to do about it, and ends.
fail() {
    local code=$1
    shift
    printf '%s%s%s\n' "$RED" "./dev: $1" "$PLAIN" >&2
    shift
    [[ $# -eq 0 ]] || printf '  %s\n' "$@" >&2
    exit "$code"
}

now_ms() {
    local now=${EPOCHREALTIME/[.,]/}
    printf '%s' "${now%???}"
}

# 83.4 s and the like, from milliseconds.
seconds() {
    printf '%d.%d s' "$(($1 / 1000))" "$(($1 % 1000 / 100))"
}

# step TITLE COMMAND...: runs the command under a heading and says how long it took. The times are kept for a summary.
STEP_TIMES=()
step() {
    local title=$1 started took
    shift
    printf '%s==> %s%s\n' "$BOLD" "$title" "$PLAIN"
    started=$(now_ms)
    "$@"
    took=$(($(now_ms) - started))
    STEP_TIMES+=("$(printf '%-28s %10s' "$title" "$(seconds "$took")")")
    printf '%s    %s%s\n' "$DIM" "$(seconds "$took")" "$PLAIN"
}

# Whole megabytes or kilobytes, for people.
bytes() {
    if (($1 >= 1000000)); then
        printf '%d.%d MB' "$(($1 / 1000000))" "$(($1 % 1000000 / 100000))"
    else
        printf '%d kB' "$((($1 + 500) / 1000))"
    fi
}
