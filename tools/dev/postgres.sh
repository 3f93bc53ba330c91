# shellcheck shell=bash
# A private PostgreSQL: made, started and stopped without the system's service scripts. Both
# ./dev up and the tests' scratch servers are made here, so they differ in nothing but their folder.
#
# A server's folder <dir> holds: data/ (PostgreSQL's), log, socket_folder (a line naming the short
# folder of its socket: a socket path over 107 bytes is fatal), passwords (mode 600: superuser,
# owner, service, a line each), server.pid (see process.sh). Needs process.sh.
#
# PostgreSQL refuses to run as root, so root runs it as the user postgres. Where that user cannot
# reach <dir>, because the checkout lies below a folder that only root may enter, it is given the
# one capability that gets it there, and only then.

readonly POSTGRES_VERSION=15
readonly POSTGRES_BIN="/usr/lib/postgresql/$POSTGRES_VERSION/bin"
readonly POSTGRES_USER=postgres
readonly POSTGRES_START_SECONDS=60
readonly POSTGRES_STOP_SECONDS=20

# The command prefix that runs things as the server's user; set by postgres_find_prefix.
postgres_as=()

# postgres_find_prefix <dir>: finds the least that lets the server's user work in <dir>.
postgres_find_prefix() {
    local dir="$1" capability
    postgres_as=()
    ((EUID == 0)) || return 0
    local -a user=(setpriv "--reuid=$POSTGRES_USER" "--regid=$POSTGRES_USER" --init-groups)
    # Containers often grant dac_override but not the lesser dac_read_search.
    for capability in none dac_read_search dac_override; do
        postgres_as=("${user[@]}")
        if [[ $capability == none ]]; then
            postgres_as+=(--bounding-set=-all --inh-caps=-all)
        else
            postgres_as+=("--bounding-set=-all,+$capability" "--inh-caps=-all,+$capability"
                "--ambient-caps=+$capability")
        fi
        # shellcheck disable=SC2016 # Expanded by the inner shell.
        if "${postgres_as[@]}" sh -c 'cd "$1" && ls >/dev/null' sh "$dir" 2>/dev/null; then
            return 0
        fi
    done
    echo "the user $POSTGRES_USER cannot reach $dir, with no capability that this root has" >&2
    return 1
}

# A password of 192 random bits that needs no escaping in a URL.
postgres_new_password() {
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

# postgres_url <dir> superuser|owner|service [<port>]: where a client of that role connects.
# Without a port by the Unix socket, with one by TCP on 127.0.0.1.
postgres_url() {
    local dir="$1" role="$2" port="${3:-}" superuser owner service user password
    { read -r superuser && read -r owner && read -r service; } <"$dir/passwords"
    case $role in
    superuser) user=postgres password=$superuser ;;
    owner) user=stampede_owner password=$owner ;;
    service) user=stampede password=$service ;;
    esac
    if [[ -n $port ]]; then
        printf 'postgresql://%s:%s@127.0.0.1:%s/stampede\n' "$user" "$password" "$port"
    else
        printf 'postgresql://%s:%s@/stampede?host=%s\n' "$user" "$password" \
            "$(<"$dir/socket_folder")"
    fi
}

# What differs from PostgreSQL's defaults, durability spelled out although it is the default.
_postgres_settings() {
    cat <<'SETTINGS'

# Durable everywhere, tests and benchmarks included.
fsync = on
full_page_writes = on
synchronous_commit = on
# A socket only; scratch servers that need TCP say so on their command line.
listen_addresses = ''
unix_socket_permissions = 0777
password_encryption = scram-sha-256
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %q%u@%d '
SETTINGS
}

# postgres_create <dir>: makes <dir> with an empty cluster that was never started.
postgres_create() {
    local dir="$1" superuser
    mkdir -p "$dir"
    rm -rf "$dir/data" "$dir/data.new"
    superuser="$(postgres_new_password)"
    (umask 077 && printf '%s\n%s\n%s\n' "$superuser" "$(postgres_new_password)" \
        "$(postgres_new_password)" >"$dir/passwords")
    mkdir -m 700 "$dir/data.new"
    ((EUID != 0)) || chown "$POSTGRES_USER:$POSTGRES_USER" "$dir/data.new"
    postgres_find_prefix "$dir/data.new" || return 1
    (umask 077 && printf '%s\n' "$superuser" >"$dir/password.new")
    ((EUID != 0)) || chown "$POSTGRES_USER:$POSTGRES_USER" "$dir/password.new"
    # The environment of the caller does not choose the encoding: in an empty one initdb takes
    # SQL_ASCII.
    (cd / && "${postgres_as[@]}" env -i PATH="$PATH" "$POSTGRES_BIN/initdb" \
        --pgdata="$dir/data.new" --username=postgres --pwfile="$dir/password.new" \
        --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8) </dev/null >"$dir/log" 2>&1 || {
        cat "$dir/log" >&2
        return 1
    }
    rm -f "$dir/password.new"
    _postgres_settings >>"$dir/data.new/postgresql.conf"
    # Under its final name only when complete, so that a killed run leaves nothing half-made.
    mv "$dir/data.new" "$dir/data"
}

# postgres_socket_folder <dir>: makes or finds the short folder of the server's socket.
postgres_socket_folder() {
    local dir="$1" folder=""
    if [[ -r $dir/socket_folder ]]; then
        folder="$(<"$dir/socket_folder")"
    fi
    # A folder that somebody else put there in the meantime is not ours to use.
    if [[ -z $folder || ! -d $folder || -L $folder || ! -O $folder && $EUID -ne 0 ]]; then
        folder="$(mktemp -d /tmp/stampede-XXXXXX)" || return 1
        printf '%s\n' "$folder" >"$dir/socket_folder"
    fi
    chmod 755 "$folder"
    ((EUID != 0)) || chown "$POSTGRES_USER:$POSTGRES_USER" "$folder"
}

# Whether the server of <dir> runs; also finds one that is not in server.pid.
_postgres_adopt() {
    local dir="$1" pid
    ! process_recorded_pid "$dir/server.pid" >/dev/null || return 0
    { read -r pid <"$dir/data/postmaster.pid"; } 2>/dev/null || return 1
    [[ $(readlink "/proc/$pid/cwd" 2>/dev/null) == "$(realpath "$dir/data")" ]] || return 1
    process_record "$dir/server.pid" "$pid"
}

postgres_is_running() {
    _postgres_adopt "$1"
}

# After a kill -9 the pid in the lock files may belong to another program by now, or to a zombie
# that nobody reaps, and PostgreSQL would take either for itself. Whether any process works in the
# data folder settles it.
_postgres_clear_stale_locks() {
    local dir="$1" cwd data
    data="$(realpath "$dir/data")"
    for cwd in /proc/[0-9]*/cwd; do
        [[ $(readlink "$cwd" 2>/dev/null) != "$data" ]] || return 0
    done
    rm -f "$dir/data/postmaster.pid" "$(<"$dir/socket_folder")"/.s.PGSQL.*
}

# _postgres_await_ready <dir> <port>: 0 ready, 1 ended or too slow.
_postgres_await_ready() {
    local deadline=$((SECONDS + POSTGRES_START_SECONDS)) folder
    folder="$(<"$1/socket_folder")"
    while ((SECONDS < deadline)); do
        process_recorded_pid "$1/server.pid" >/dev/null || return 1
        if [[ -S $folder/.s.PGSQL.$2 ]] &&
            "$POSTGRES_BIN/pg_isready" -q -h "$folder" -p "$2" -t 2; then
            return 0
        fi
        sleep 0.03
    done
    return 1
}

# postgres_start <dir> [<port>]: starts the server and waits until it answers. With a port it also
# listens on 127.0.0.1. Says why when it fails.
postgres_start() {
    local dir="$1" port="${2:-}" attempt lines
    ! postgres_is_running "$dir" || return 0
    postgres_find_prefix "$dir/data" && postgres_socket_folder "$dir" || return 1
    local -a options=(-D "$dir/data" -k "$(<"$dir/socket_folder")" -p 5432)
    [[ -z $port ]] || options+=(-c listen_addresses=127.0.0.1 -p "$port")
    # Backends of a server that was killed hold its shared memory for a moment longer.
    for attempt in 1 2 3 4 5 6 7 8 9 10; do
        _postgres_clear_stale_locks "$dir"
        lines="$(wc -l 2>/dev/null <"$dir/log" || echo 0)"
        (cd / && exec setsid "${postgres_as[@]}" env -i PATH="$PATH" LC_ALL=C.UTF-8 \
            "$POSTGRES_BIN/postgres" "${options[@]}") </dev/null >>"$dir/log" 2>&1 9>&- &
        if process_record "$dir/server.pid" $! && _postgres_await_ready "$dir" "${port:-5432}"; then
            return 0
        fi
        tail -n "+$((lines + 1))" "$dir/log" |
            grep -q 'pre-existing shared memory\|lock file .* already exists' || break
        sleep "0.$attempt"
    done
    postgres_stop "$dir" || true
    echo "PostgreSQL did not start; the end of $dir/log:" >&2
    tail -n 15 "$dir/log" >&2
    return 1
}

# postgres_stop <dir>: ends sessions and the server, each stage within its bound.
postgres_stop() {
    local dir="$1"
    _postgres_adopt "$dir" || return 0
    process_stop "$dir/server.pid" INT "$POSTGRES_STOP_SECONDS" ||
        process_stop "$dir/server.pid" QUIT 5 ||
        process_stop "$dir/server.pid" KILL 5
}

# postgres_remove_socket_folder <dir>: what postgres_socket_folder made.
postgres_remove_socket_folder() {
    local folder
    [[ -r $1/socket_folder ]] || return 0
    folder="$(<"$1/socket_folder")"
    [[ $folder != /tmp/stampede-* ]] || rm -rf -- "$folder"
    rm -f "$1/socket_folder"
}

# postgres_provide_roles <dir> [<port>]: the database and the two roles that use it. stampede_owner
# runs the migrations and owns what they make; stampede is what the service logs in as, and its
# rights come from the migrations. Neither may do anything to the cluster. Safe to repeat.
postgres_provide_roles() {
    local dir="$1" superuser owner service
    { read -r superuser && read -r owner && read -r service; } <"$dir/passwords"
    PGPASSWORD="$superuser" "$POSTGRES_BIN/psql" -X -q -v ON_ERROR_STOP=1 \
        -h "$(<"$dir/socket_folder")" -p "${2:-5432}" -U postgres -d postgres <<SQL
SET client_min_messages = warning;
SELECT 'CREATE ROLE stampede_owner LOGIN'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'stampede_owner') \gexec
SELECT 'CREATE ROLE stampede LOGIN'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'stampede') \gexec
ALTER ROLE stampede_owner LOGIN PASSWORD '$owner';
ALTER ROLE stampede LOGIN PASSWORD '$service';
SELECT 'CREATE DATABASE stampede OWNER stampede_owner'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'stampede') \gexec
\c stampede
ALTER SCHEMA public OWNER TO stampede_owner;
SQL
}

# postgres_with_password <url> <command...>: runs it with the password of <url> in PGPASSWORD and
# each {} at the end of an argument replaced by the URL without it: a command line is everybody's to
# read.
postgres_with_password() {
    local url="$1" argument
    local -a arguments=()
    shift
    if [[ $url =~ ^([a-z]+://[^/?@:]*):([^/?@]*)(@.*)$ ]]; then
        url="${BASH_REMATCH[1]}${BASH_REMATCH[3]}"
        local -x PGPASSWORD
        printf -v PGPASSWORD '%b' "${BASH_REMATCH[2]//%/\\x}"
    fi
    for argument in "$@"; do
        arguments+=("${argument/%\{\}/"$url"}")
    done
    "${arguments[@]}"
}

# postgres_migrate <url> <root>: brings the database's schema to that of the checkout. Two at once
# wait for each other: sqitch holds a lock of the database meanwhile.
postgres_migrate() {
    (cd "$2/migrations" && SQITCH_CONFIG="$2/migrations/sqitch.conf" \
        SQITCH_FULLNAME="$(id -un)" SQITCH_EMAIL="$(id -un)@localhost" \
        postgres_with_password "$1" sqitch --quiet deploy --verify "db:{}")
}
