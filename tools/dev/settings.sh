# shellcheck shell=bash
# Where everything listens: settings from the caller's environment, then .env, then the contract's
# defaults; what is in force is kept in .stampede/env. Needs $root and $state, output.sh, postgres.sh.

readonly -a SETTINGS_KEPT=(
    DATABASE_URL STAMPEDE_ADMIN_TOKEN ORDERS_GRPC_ADDR ORDERS_OPS_ADDR EDGE_HTTP_ADDR EDGE_OPS_ADDR
    EDGE_ORDERS_TARGET
)

# Whether the database is our own; set by settings_load.
settings_private_database=yes

# Reads KEY=VALUE lines of .env; the environment wins.
_settings_read_dot_env() {
    local line name value
    [[ -f $root/.env ]] || return 0
    while IFS= read -r line || [[ -n $line ]]; do
        line="${line#"${line%%[![:space:]]*}"}"
        line="${line#export }"
        [[ $line =~ ^([A-Za-z_][A-Za-z0-9_]*)=(.*)$ ]] || continue
        name="${BASH_REMATCH[1]}" value="${BASH_REMATCH[2]}"
        value="${value%"${value##*[![:space:]]}"}"
        if [[ $value =~ ^\"(.*)\"$ || $value =~ ^\'(.*)\'$ ]]; then
            value="${BASH_REMATCH[1]}"
        fi
        [[ -n ${!name:-} ]] || export "$name=$value"
    done <"$root/.env"
}

# settings_kept <name>: its value in .stampede/env, empty if there is none.
settings_kept() {
    [[ -r $state/env ]] || return 0
    # shellcheck source=/dev/null
    (unset "$1" && . "$state/env" && printf '%s\n' "${!1:-}")
}

# settings_port <name>: the port of an address setting.
settings_port() {
    printf '%s\n' "${!1##*:}"
}

# settings_host <name>: where a client on this machine reaches an address setting.
settings_host() {
    local host="${!1%:*}"
    case $host in
    "" | 0.0.0.0 | "*") printf '127.0.0.1\n' ;;
    "[::]") printf '[::1]\n' ;;
    *) printf '%s\n' "$host" ;;
    esac
}

_settings_check_address() {
    local port
    port="$(settings_port "$1")"
    if [[ ${!1} != *:* || ! $port =~ ^[0-9]{1,5}$ ]] || ((10#$port < 1 || 10#$port > 65535)); then
        fail "$1=${!1} is no host:port with a port from 1 to 65535" "$1=127.0.0.1:$2"
    fi
}

# Sets and exports every setting of SETTINGS_KEPT, DATABASE_URL only if it is not our own.
settings_load() {
    local own
    _settings_read_dot_env
    export ORDERS_GRPC_ADDR="${ORDERS_GRPC_ADDR:-127.0.0.1:50051}"
    export ORDERS_OPS_ADDR="${ORDERS_OPS_ADDR:-127.0.0.1:9102}"
    export EDGE_HTTP_ADDR="${EDGE_HTTP_ADDR:-127.0.0.1:8080}"
    export EDGE_OPS_ADDR="${EDGE_OPS_ADDR:-127.0.0.1:9101}"
    _settings_check_address ORDERS_GRPC_ADDR 50051
    _settings_check_address ORDERS_OPS_ADDR 9102
    _settings_check_address EDGE_HTTP_ADDR 8080
    _settings_check_address EDGE_OPS_ADDR 9101
    export EDGE_ORDERS_TARGET="${EDGE_ORDERS_TARGET:-dns:///$(settings_host ORDERS_GRPC_ADDR):$(
        settings_port ORDERS_GRPC_ADDR)}"
    # Stays the same from one up to the next.
    STAMPEDE_ADMIN_TOKEN="${STAMPEDE_ADMIN_TOKEN:-$(settings_kept STAMPEDE_ADMIN_TOKEN)}"
    export STAMPEDE_ADMIN_TOKEN="${STAMPEDE_ADMIN_TOKEN:-$(postgres_new_password)}"
    # Whoever has read .stampede/env into their shell has not thereby asked for another database.
    own="$(settings_own_database_url)"
    if [[ -n ${DATABASE_URL:-} && $DATABASE_URL != "$own" ]]; then
        settings_private_database=no
        [[ $DATABASE_URL =~ ^postgres(ql)?:// ]] ||
            fail "DATABASE_URL must be a URL here, for the migrations are run with it too" \
                "postgresql://user:password@host:5432/database"
        export DATABASE_URL
    else
        settings_private_database=yes
        unset DATABASE_URL
    fi
}

# The URL of the private database as last written down, or nothing.
settings_own_database_url() {
    local url
    url="$(settings_kept DATABASE_URL)"
    [[ $url != *"?host=/tmp/stampede-"* ]] || printf '%s\n' "$url"
}

# Writes .stampede/env: readable by a shell, and by anything that splits lines at the first '='.
settings_save() {
    local name value
    (
        umask 077
        for name in "${SETTINGS_KEPT[@]}"; do
            value="${!name}"
            if [[ ! $value =~ ^[A-Za-z0-9_./:@%+,=?-]*$ ]]; then
                value="'${value//\'/\'\\\'\'}'"
            fi
            printf '%s=%s\n' "$name" "$value"
        done >"$state/env.new"
    ) && chmod 600 "$state/env.new" && mv "$state/env.new" "$state/env"
}
