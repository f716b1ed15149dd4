# shellcheck shell=bash
# Crewline itself: built, prepared and started on the private servers.

# Where cargo builds, whichever way it was told. Sets TARGET.
find_target() {
    TARGET=$(cd "$ROOT" && cargo metadata --no-deps --offline --format-version 1 |
        sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
}

build() {
    [[ -x $TARGET/debug/workers ]] || note "the first build takes some minutes; later ones take seconds"
    (cd "$ROOT" && cargo build -p api -p workers --features api/embedded-s3,workers/faults 9>&-) ||
        fail $FAILED "the build failed; what the compiler said is above"
    BIN=$TARGET/debug
}

# Ports: as asked for, or as what still runs was started with.
choose_ports() {
    load_ports
    local name
    for name in "${SERVICES[@]}"; do
        running "$name" || need_port "$name" "$(port_of "$name")" "$(port_variable "$name")"
    done
    for name in "${SERVICES[@]}"; do
        printf '%s=%s\n' "$(port_variable "$name")" "$(port_of "$name")"
    done >"$RUN/ports"
}

load_ports() {
    local name
    for name in "${SERVICES[@]}"; do
        running "$name" || continue
        # shellcheck source=/dev/null
        . "$RUN/ports"
        break
    done
    API_PORT=${CREWLINE_API_PORT:-8080}
    WORKERS_PORT=${CREWLINE_WORKERS_PORT:-8081}
    POSTGRES_PORT=${CREWLINE_POSTGRES_PORT:-15432}
    REDIS_PORT=${CREWLINE_REDIS_PORT:-16379}
    S3_PORT=${CREWLINE_S3_PORT:-19000}
    CLAMD_PORT=${CREWLINE_CLAMD_PORT:-13310}
    MAIL_PORT=${CREWLINE_MAIL_PORT:-11025}
    CATCHER_PORT=${CREWLINE_CATCHER_PORT:-18025}
    DAV_PORT=${CREWLINE_DAV_PORT:-15232}
}

port_variable() {
    printf 'CREWLINE_%s_PORT' "${1^^}"
}

port_of() {
    local variable=${1^^}_PORT
    printf '%s' "${!variable}"
}

# Passwords of the private servers and the master key, made once.
load_secrets() {
    if [[ ! -s $DEV/secrets ]]; then
        [[ ! -e $PG_HOME/postgres/PG_VERSION ]] ||
            fail $FAILED "the data are here, but .dev/secrets with their passwords is gone" "Start afresh: ./dev reset"
        (umask 077 && printf '%s_SECRET=%s\n' POSTGRES "$(random_hex 16)" REDIS "$(random_hex 16)" S3 "$(random_hex 16)" \
            >"$DEV/secrets")
    fi
    grep -q '^MASTER_SECRET=' "$DEV/secrets" ||
        printf 'MASTER_SECRET=%s\n' "$(head -c 32 /dev/urandom | base64)" >>"$DEV/secrets"
    grep -q '^DAV_SECRET=' "$DEV/secrets" || printf 'DAV_SECRET=%s\n' "$(random_hex 16)" >>"$DEV/secrets"
    # shellcheck source=/dev/null
    . "$DEV/secrets"
}

random_hex() {
    od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'
}

# What both binaries read, and what .dev/env hands on.
settings() {
    CREWLINE_URL=http://127.0.0.1:$API_PORT
    DATABASE_URL=postgres://postgres:$POSTGRES_SECRET@127.0.0.1:$POSTGRES_PORT/crewline
    REDIS_URL=redis://:$REDIS_SECRET@127.0.0.1:$REDIS_PORT
    S3_ENDPOINT=http://127.0.0.1:$S3_PORT
    AWS_S3_BUCKET=crewline
    AWS_ACCESS_KEY_ID=crewline
    AWS_SECRET_ACCESS_KEY=$S3_SECRET
    AWS_REGION=us-east-1
    S3_PATH_STYLE=true
    CREWLINE_CLAMD_ADDRESS=127.0.0.1:$CLAMD_PORT
    export DATABASE_URL REDIS_URL S3_ENDPOINT AWS_S3_BUCKET AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_REGION S3_PATH_STYLE
    CREWLINE_SMTP_ADDRESS=127.0.0.1:$MAIL_PORT
    CREWLINE_SMTP_TLS=none
    CREWLINE_MAIL_FROM='Crewline <demo@crewline.test>'
    CREWLINE_PUBLIC_URL=$CREWLINE_URL
    CREWLINE_WEBHOOKS_LOOPBACK=true
    export CREWLINE_CLAMD_ADDRESS CREWLINE_SMTP_ADDRESS CREWLINE_SMTP_TLS CREWLINE_MAIL_FROM CREWLINE_PUBLIC_URL
    CREWLINE_MASTER_KEY=$MASTER_SECRET
    CREWLINE_DAV_URL=http://127.0.0.1:$DAV_PORT
    CREWLINE_DAV_USER=demo
    CREWLINE_DAV_PASSWORD=$DAV_SECRET
    export CREWLINE_WEBHOOKS_LOOPBACK CREWLINE_MASTER_KEY
    export LOG_FORMAT=${LOG_FORMAT:-pretty} CREWLINE_GRACE_S=${CREWLINE_GRACE_S:-5}
}

start_servers() {
    choose_postgres_home
    load_secrets
    settings
    running postgres || start_postgres "$PG_HOME/postgres" "$POSTGRES_PORT" "$POSTGRES_SECRET"
    running redis || start_redis "$DEV/redis" "$REDIS_PORT" "$REDIS_SECRET"
    running clamd || start_clamd "$DEV/clamd" "$CLAMD_PORT"
    running mail || start_catcher mail "$MAIL_PORT"
    running catcher || start_catcher page "$CATCHER_PORT"
    running dav || start_dav "$DEV/dav" "$DAV_PORT" "$CREWLINE_DAV_USER" "$DAV_SECRET"
    restart_if_rebuilt s3 api
    if ! running s3; then
        launch s3 "$BIN/api" s3 --listen "127.0.0.1:$S3_PORT" --dir "$DEV/s3"
        wait_for s3 20 port_taken "$S3_PORT"
    fi
}

# A program that was built after the process began is started again.
restart_if_rebuilt() {
    running "$1" && [[ $BIN/$2 -nt $RUN/$1.pid ]] || return 0
    note "$1 was built anew"
    stop "$1"
}

# sql STATEMENT: on our database, as its owner.
sql() {
    PGPASSWORD=$POSTGRES_SECRET "$(postgres_programs)/psql" -qAtX -v ON_ERROR_STOP=1 \
        -h 127.0.0.1 -p "$POSTGRES_PORT" -U postgres -d "${2:-crewline}" -c "$1"
}

prepare_ledger() {
    local found
    found=$(sql "select 1 from pg_database where datname = 'crewline'" postgres)
    [[ -n $found ]] || sql 'create database crewline' postgres
    "$BIN/api" migrate >>"$LOGS/migrate.log" 2>&1 ||
        fail $FAILED "the migrations did not apply" "If the data in .dev are of another version of this code: ./dev reset" "$(tail -n 8 "$LOGS/migrate.log")"
    note "the schema is up to date"
    found=$(sql "select 1 from tenant where slug = 'demo'")
    [[ -n $found ]] || "$BIN/api" tenant create demo --name Demo >>"$LOGS/migrate.log" 2>&1 ||
        fail $FAILED "the tenant 'demo' could not be made" "$(tail -n 8 "$LOGS/migrate.log")"
}

start_crewline() {
    restart_if_rebuilt api api
    restart_if_rebuilt workers workers
    running api || launch api "$BIN/api" serve --listen "127.0.0.1:$API_PORT"
    running workers || launch workers "$BIN/workers" run --queues media,media_bulk,default \
        --listen "127.0.0.1:$WORKERS_PORT" --scratch "$DEV/scratch"
    wait_for api 60 ready "$API_PORT"
    wait_for workers 60 ready "$WORKERS_PORT"
    load_keys
    load_person
    write_env
}

ready() {
    curl -fsS -m 2 "http://127.0.0.1:$1/readyz"
}

# The keys of the last run, while they still open the door; else new ones.
load_keys() {
    load_key CREWLINE_API_KEY dev admin '/v1/jobs?limit=1'
    load_key CREWLINE_INSTALLATION_KEY installation installation '/v1/tenants?limit=1'
}

# load_key VARIABLE NAME SCOPE PATH: sets the variable to a key of the tenant demo with the scope that PATH takes.
load_key() {
    local -n key=$1
    key=$(sed -n "s/^export $1=//p" "$DEV/env" 2>/dev/null) || true
    [[ -z $key ]] || ! opens "$key" "$4" || return 0
    key=$("$BIN/api" key create --tenant demo --name "$2" --scope "$3" 2>>"$LOGS/migrate.log") ||
        fail $FAILED "the API key '$2' could not be made" "$(tail -n 8 "$LOGS/migrate.log")"
    opens "$key" "$4" || fail $FAILED "the API does not take the key it was given a moment ago" "./dev logs api"
    note "made an API key with the scope $3 for the tenant demo"
}

# opens KEY PATH: whether the key may get it.
opens() {
    CREWLINE_API_KEY=$1 call GET "$2" >/dev/null 2>&1
}

# Somebody who may do everything at the dashboard. Their password is kept for whoever may read .dev/secrets.
load_person() {
    DEMO_EMAIL=demo@crewline.test
    DEMO_PASSWORD=$(sed -n 's/^DEMO_PASSWORD=//p' "$DEV/secrets")
    [[ -z $DEMO_PASSWORD || -z $(sql "select 1 from user_account where email = '$DEMO_EMAIL'") ]] || return 0
    sed -i '/^DEMO_PASSWORD=/d' "$DEV/secrets"
    (umask 077 && : >"$RUN/person")
    "$BIN/api" user add "$DEMO_EMAIL" --name Demo >"$RUN/person" 2>>"$LOGS/migrate.log" ||
        "$BIN/api" user password "$DEMO_EMAIL" >"$RUN/person" 2>>"$LOGS/migrate.log" ||
        fail $FAILED "nobody could be let in to the dashboard" "$(tail -n 8 "$LOGS/migrate.log")"
    DEMO_PASSWORD=$(cat "$RUN/person")
    rm -f "$RUN/person"
    printf 'DEMO_PASSWORD=%s\n' "$DEMO_PASSWORD" >>"$DEV/secrets"
    "$BIN/api" user grant "$DEMO_EMAIL" --everywhere --role admin --payloads --private >>"$LOGS/migrate.log" 2>&1 ||
        fail $FAILED "nobody could be let in to the dashboard" "$(tail -n 8 "$LOGS/migrate.log")"
    note "made a user for the dashboard"
}

write_env() {
    local name
    rm -f "$DEV/env"
    (
        umask 077
        for name in CREWLINE_URL CREWLINE_API_KEY CREWLINE_INSTALLATION_KEY DATABASE_URL REDIS_URL S3_ENDPOINT AWS_S3_BUCKET AWS_ACCESS_KEY_ID \
            AWS_SECRET_ACCESS_KEY AWS_REGION S3_PATH_STYLE CREWLINE_CLAMD_ADDRESS CREWLINE_MASTER_KEY CREWLINE_DAV_URL CREWLINE_DAV_USER \
            CREWLINE_DAV_PASSWORD; do
            printf 'export %s=%s\n' "$name" "${!name}"
        done >"$DEV/env"
    )
}
