# shellcheck shell=bash
# A private Postgres, a private Redis and a private ClamAV: the real programs, on data, ports and passwords of our own.

# The folder of the newest Postgres on this machine, 14 or later.
postgres_programs() {
    local folder on_path version
    on_path=$(command -v initdb) && on_path=$(dirname "$(readlink -f "$on_path")")
    while read -r folder; do
        version=$("$folder/postgres" --version 2>/dev/null | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
        if [[ -x $folder/initdb && ${version:-0} -ge 14 ]]; then
            printf '%s' "$folder"
            return 0
        fi
    done < <({ printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV; printf '%s\n' "$on_path"; })
    return 1
}

# Postgres refuses to run as root, so for root it runs as the user its package made.
as_postgres() {
    if ((EUID == 0)); then
        (cd / && exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$@")
    else
        "$@"
    fi
}

# Where Postgres may keep its data: in .dev, unless its user cannot get there (a checkout under /root, say).
choose_postgres_home() {
    PG_HOME=$DEV
    as_postgres test -x "$DEV" && return 0
    PG_HOME=/var/tmp/crewline-$(printf '%s' "$ROOT" | sha256sum | cut -c1-12)
    [[ -d $PG_HOME ]] || mkdir -m 711 "$PG_HOME"
    [[ -O $PG_HOME && ! -L $PG_HOME ]] || fail $MACHINE "$PG_HOME is not ours" "Remove it, or ask whoever owns it to."
    note "the postgres user cannot enter $ROOT, so its data goes to $PG_HOME"
}

# make_postgres FOLDER PASSWORD: an empty cluster, once.
make_postgres() {
    local folder=$1 password=$2 programs
    [[ ! -e $folder/PG_VERSION ]] || return 0
    programs=$(postgres_programs)
    rm -rf "$folder"
    mkdir -p "$(dirname "$folder")"
    mkdir -m 700 "$folder"
    ((EUID != 0)) || chown postgres: "$folder"
    (umask 077 && printf '%s\n' "$password" >"$folder.password")
    ((EUID != 0)) || chown postgres: "$folder.password"
    as_postgres "$programs/initdb" -D "$folder" --username=postgres --encoding=UTF8 --locale=C.UTF-8 \
        --auth=scram-sha-256 --pwfile="$folder.password" --no-sync >"$LOGS/initdb.log" 2>&1 ||
        fail $FAILED "initdb did not work" "$(tail -n 5 "$LOGS/initdb.log")"
    rm -f "$folder.password"
}

# start_postgres FOLDER PORT PASSWORD [SETTING...]
start_postgres() {
    local folder=$1 port=$2 password=$3 programs user=() version
    shift 3
    programs=$(postgres_programs) || fail $MACHINE "no Postgres 14 or later in /usr/lib/postgresql or on the path"
    make_postgres "$folder" "$password"
    version=$(cat "$folder/PG_VERSION")
    [[ "$("$programs/postgres" --version)" == *" $version."* ]] ||
        fail $MACHINE "the data in $folder is of Postgres $version, and this machine now has another" \
            "Install postgresql-$version, or start afresh: ./dev reset"
    end_strayed_postgres "$folder"
    ((EUID != 0)) || user=(setpriv --reuid=postgres --regid=postgres --init-groups --)
    # Durability as in production: a demonstration that cheats proves nothing.
    launch postgres env -C "$folder" "${user[@]}" "$programs/postgres" -D "$folder" -p "$port" \
        -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=300 -c shared_buffers=256MB \
        -c fsync=on -c max_wal_size=2GB -c log_min_messages=warning -c log_line_prefix='%t %d ' "${@/#/-c}"
    PGPASSWORD=$password wait_for postgres 60 postgres_answers "$port"
}

postgres_answers() {
    "$(postgres_programs)/psql" -qAtX -h 127.0.0.1 -p "$1" -U postgres -d postgres -c 'select 1'
}

# A Postgres on our data whose note was lost: ended. A lock left behind by a crash: removed.
end_strayed_postgres() {
    local lock=$1/postmaster.pid pid
    [[ -e $lock ]] || return 0
    pid=$(head -n 1 "$lock")
    if [[ $(readlink "/proc/$pid/cwd") == "$1" ]] && read_stat "$pid"; then
        note "ending a Postgres (pid $pid) that an earlier run left on our data"
        printf '%s %s\n' "$pid" "${STAT[19]}" >"$RUN/postgres.pid"
        stop postgres
    fi
    rm -f "$lock"
}

# start_redis FOLDER PORT PASSWORD: keeps nothing, because nothing that matters is ever only in Redis.
start_redis() {
    local folder=$1 port=$2 password=$3
    mkdir -p "$folder"
    (
        umask 077
        cat >"$folder/redis.conf" <<CONF
bind 127.0.0.1
port $port
dir $folder
requirepass $password
save ""
appendonly no
maxmemory-policy noeviction
CONF
    )
    launch redis redis-server "$folder/redis.conf"
    REDISCLI_AUTH=$password wait_for redis 20 redis_answers "$port"
}

redis_answers() {
    [[ $(redis-cli -h 127.0.0.1 -p "$1" ping) == PONG ]]
}

# start_catcher WHAT PORT: takes mails, or webhooks; the second shows both.
start_catcher() {
    local what=$1 port=$2 name=catcher
    [[ $what == page ]] || name=mail
    mkdir -p "$DEV/caught"
    # A package of Debian's is for Debian's Python, whichever comes first.
    launch "$name" /usr/bin/python3 "$ROOT/dev.d/catcher.py" "$what" "$DEV/caught" "$port"
    wait_for "$name" 20 port_taken "$port"
}

# start_dav FOLDER PORT USER PASSWORD: a Radicale, which lets that user in and nobody else.
start_dav() {
    local folder=$1 port=$2 user=$3 password=$4
    mkdir -p "$folder"
    (
        umask 077
        printf '%s:%s\n' "$user" "$password" >"$folder/users"
        cat >"$folder/config" <<CONF
[server]
hosts = 127.0.0.1:$port
[auth]
type = htpasswd
htpasswd_filename = $folder/users
htpasswd_encryption = plain
[storage]
filesystem_folder = $folder/kept
[logging]
level = warning
CONF
    )
    # A package of Debian's is for Debian's Python, whichever comes first.
    launch dav /usr/bin/python3 -m radicale --config "$folder/config"
    wait_for dav 20 port_taken "$port"
}

# start_clamd FOLDER PORT: with the signatures of dev.d/clamav and no others.
start_clamd() {
    local folder=$1 port=$2
    mkdir -p "$folder/tmp"
    # A copy of the program: under its own path, AppArmor lets it read next to nothing.
    cp -f "$(PATH=$PATH:/usr/sbin command -v clamd)" "$folder/clamd"
    cat - "$ROOT/dev.d/clamd.conf" >"$folder/clamd.conf" <<CONF
DatabaseDirectory $ROOT/dev.d/clamav
TemporaryDirectory $folder/tmp
TCPAddr 127.0.0.1
TCPSocket $port
Foreground yes
CONF
    launch clamd "$folder/clamd" --config-file="$folder/clamd.conf"
    wait_for clamd 60 clamd_answers "$port"
}

clamd_answers() {
    local word=''
    exec 8<>"/dev/tcp/127.0.0.1/$1" && printf 'nPING\n' >&8 && read -r -t 5 word <&8
    exec 8>&-
    [[ $word == PONG ]]
}
