# shellcheck shell=bash
# The running system: database, schema, programs, demo sale. Needs every other file but test.sh.

readonly DEMO_KEY=dev-demo-sale
# The same request each time, so that every `up` after the first is a replay.
readonly DEMO_SALE='{"sku":"demo-1","title":"Demo sale",'\
'"unitPrice":{"currencyCode":"EUR","amountMinor":"1999"},"endTime":"2099-12-31T23:00:00Z",'\
'"stockTotal":100000,"perCustomerLimit":10,"holdSeconds":0}'

# The lock that makes one ./dev at a time change what runs. Held on fd 9, which no long-lived child
# may inherit.
stack_lock() {
    exec 9>>"$state/lock"
    if ! flock -n 9; then
        say "==> waiting for another ./dev that is at work here"
        flock -w 900 9 || fail "another ./dev has been at work here for 15 minutes" \
            "fuser -v $state/lock tells which"
    fi
}

stack_unlock() {
    exec 9>&-
}

# build_preset <preset> [<argument of the build>...]: two builds of one preset wait for each other.
build_preset() {
    local preset="$1"
    shift
    (
        exec 7>>"$state/build-$preset.lock"
        flock 7
        cd "$root" && cmake --preset "$preset" && cmake --build --preset "$preset" "$@"
    )
}

_stack_build() {
    build_preset release --target bin/stampede-orders bin/stampede-edge
}

_stack_start_database() {
    if [[ -d $state/pg/data ]]; then
        local version
        version="$(<"$state/pg/data/PG_VERSION")"
        [[ $version == "$POSTGRES_VERSION" ]] || {
            echo "$state/pg/data was made by PostgreSQL $version, not $POSTGRES_VERSION"
            return 1
        }
    else
        postgres_create "$state/pg" || return 1
    fi
    postgres_start "$state/pg" && postgres_provide_roles "$state/pg" || return 1
    echo "pid $(process_recorded_pid "$state/pg/server.pid")" >&3
}

# _stack_await_database <url>: an external one may still be starting.
_stack_await_database() {
    local deadline=$((SECONDS + 30))
    until postgres_with_password "$1" psql -X -q -A -t -c "SELECT 1" "{}" >/dev/null; do
        ((SECONDS < deadline)) || return 1
        sleep 0.5
    done
}

# _stack_ensure_program <orders|edge> <ops address setting>
_stack_ensure_program() {
    if programs_up_to_date "$1" && programs_is_ready "$2"; then
        echo "runs already, pid $(process_recorded_pid "$state/$1.pid")" >&3
        return 0
    fi
    programs_stop "$1" || return 1
    programs_start "$1" "$2" || return 1
    echo "pid $(process_recorded_pid "$state/$1.pid")" >&3
}

stack_base_url() {
    local scheme=http
    [[ -z ${EDGE_TLS_CERT:-} ]] || scheme=https
    printf '%s://%s:%s\n' "$scheme" "$(settings_host EDGE_HTTP_ADDR)" "$(settings_port EDGE_HTTP_ADDR)"
}

# Creates the demo sale or finds it; its id goes to .stampede/demo_sale.
_stack_create_demo_sale() {
    local answer
    # The token goes by a file: a command line is everybody's to read. The first request after a
    # start may be told to come again, and has a key.
    answer="$(curl --silent --show-error --fail-with-body --insecure --noproxy '*' --max-time 30 \
        --retry 30 --retry-delay 1 --retry-max-time 30 \
        --config <(printf 'header = "Authorization: Bearer %s"\n' "$STAMPEDE_ADMIN_TOKEN") \
        --header 'Content-Type: application/json' --header "Idempotency-Key: $DEMO_KEY" \
        --data "$DEMO_SALE" "$(stack_base_url)/v1/sales")" || {
        printf '%s\n' "$answer"
        return 1
    }
    [[ $answer =~ \"saleId\"[[:space:]]*:[[:space:]]*\"([0-9a-f-]{36})\" ]] || {
        printf 'no sale in the answer: %s\n' "$answer"
        return 1
    }
    printf '%s\n' "${BASH_REMATCH[1]}" >"$state/demo_sale"
    echo "${BASH_REMATCH[1]}" >&3
}

_stack_print_summary() {
    local base sale
    base="$(stack_base_url)" sale="$(<"$state/demo_sale")"
    cat <<TEXT

Stampede is up.
  HTTP          $base
  gRPC          $(settings_host ORDERS_GRPC_ADDR):$(settings_port ORDERS_GRPC_ADDR)
  edge ops      http://$(settings_host EDGE_OPS_ADDR):$(settings_port EDGE_OPS_ADDR)/readyz  /livez  /metrics  /limits
  orders ops    http://$(settings_host ORDERS_OPS_ADDR):$(settings_port ORDERS_OPS_ADDR)/readyz  /livez  /metrics  /limits
  admin token   $STAMPEDE_ADMIN_TOKEN
  settings      . .stampede/env      (and with them: psql "\$DATABASE_URL")
  demo sale     $sale

Buy one:
  curl -i -X POST $base/v1/sales/$sale/orders \\
    -H 'Content-Type: application/json' -H 'Idempotency-Key: my-first-order' \\
    -d '{"customerId":"c-1","quantity":1}'

TEXT
}

# Everything that can be refused is refused before anything is started.
_stack_check_ports() {
    local setting
    for setting in ORDERS_GRPC_ADDR ORDERS_OPS_ADDR EDGE_HTTP_ADDR EDGE_OPS_ADDR; do
        programs_check_port "$setting"
    done
}

# Brings everything up; with the lock held. 1 if a step failed.
stack_start() {
    local migration_url
    _stack_check_ports
    if [[ $programs_from == "$root/build/release/bin" ]]; then
        step "building both programs" "./dev up again; a missing header is a missing package" \
            _stack_build || return 1
    fi
    if [[ $settings_private_database == yes ]]; then
        step "starting PostgreSQL" "see $state/pg/log; to begin with an empty database: ./dev down,
          then delete $state/pg" _stack_start_database || return 1
        migration_url="$(postgres_url "$state/pg" owner)"
        DATABASE_URL="$(postgres_url "$state/pg" service)"
        export DATABASE_URL
    else
        migration_url="$DATABASE_URL"
        step "reaching the database of DATABASE_URL" "psql \"\$DATABASE_URL\"" \
            _stack_await_database "$DATABASE_URL" || return 1
    fi
    settings_save || return 1
    step "migrating" "(cd migrations && sqitch status 'db:<url>')" \
        postgres_migrate "$migration_url" "$root" || return 1
    step "starting stampede-orders" "see $state/log/orders.log" \
        _stack_ensure_program orders ORDERS_OPS_ADDR || return 1
    step "starting stampede-edge" "see $state/log/edge.log" \
        _stack_ensure_program edge EDGE_OPS_ADDR || return 1
    step "creating the demo sale" "see $state/log/orders.log and edge.log" \
        _stack_create_demo_sale || return 1
}

_stack_stop_database() {
    postgres_stop "$state/pg" || return 1
    postgres_remove_socket_folder "$state/pg"
}

# Stops what runs, in order: who calls first, the database last. With the lock held.
stack_stop() {
    local own status=0 any=""
    for own in edge orders; do
        process_recorded_pid "$state/$own.pid" >/dev/null || {
            rm -f "$state/$own.pid" "$state/$own.print"
            continue
        }
        any=yes
        step "draining stampede-$own" "if root started it: sudo ./dev down" programs_stop "$own" ||
            status=1
    done
    if ((status == 0)); then
        programs_remove_folder
    fi
    # Only after its clients: a database that goes first turns a drain into errors.
    if [[ -d $state/pg/data ]] && postgres_is_running "$state/pg"; then
        any=yes
        step "stopping PostgreSQL" "if root started it: sudo ./dev down" _stack_stop_database ||
            status=1
    fi
    [[ -n $any ]] || say "nothing runs"
    return "$status"
}

# What ended by itself, if anything; empty while all runs.
_stack_find_ended() {
    local own
    for own in orders edge; do
        process_recorded_pid "$state/$own.pid" >/dev/null || {
            # ./dev down takes the record away with the program.
            if [[ -e $state/$own.pid ]]; then
                printf 'stampede-%s\n' "$own"
            else
                printf 'stopped\n'
            fi
            return 0
        }
    done
    [[ $settings_private_database == no ]] || postgres_is_running "$state/pg" ||
        printf 'PostgreSQL\n'
}

# Sleeps so that a signal is handled at once.
stack_nap() {
    sleep "$1" &
    wait $! || true
}

# The foreground of `up` and `watch`: follows the logs until a signal or until something ends;
# <tick> is called about once a second. Then drains and stops everything. Returns the exit status.
stack_follow() {
    local tick="$1" ended="" status=0 tail_pid
    stack_stop_asked="" step_whole_lines=yes
    trap 'stack_stop_asked=yes' INT TERM HUP
    tail -q -n 0 -F "$state/log/orders.log" "$state/log/edge.log" 2>/dev/null &
    tail_pid=$!
    while [[ -z $stack_stop_asked ]]; do
        stack_nap 0.5
        [[ -z $stack_stop_asked ]] || break
        "$tick"
        # Another ./dev may be half-way through a restart: while it is, nothing has ended.
        if flock -n "$state/lock" true; then
            ended="$(_stack_find_ended)"
            [[ -z $ended ]] || break
        fi
    done
    trap programs_hurry INT TERM HUP
    echo
    if [[ $ended == stopped ]]; then
        say "stopped by another ./dev"
    elif [[ -n $ended ]]; then
        say "dev: $ended ended by itself; its log is in $state"
        status=1
    fi
    stack_lock
    stack_stop || status=1
    kill "$tail_pid" 2>/dev/null || true
    trap - INT TERM HUP
    return "$status"
}

stack_up() {
    local detach="" asked=("$@")
    while (($# > 0)); do
        case $1 in
        --detach) detach=yes ;;
        --programs)
            programs_from="$(realpath "${2:?--programs needs a folder}")"
            shift
            ;;
        *) fail "up knows --detach and --programs, not '$1'" "./dev help" ;;
        esac
        shift
    done
    packages_need "${PACKAGES_UP[@]}"
    become_caller up "${asked[@]}"
    prepare_state
    settings_load
    stack_lock
    trap 'echo; say "dev: interrupted; stopping what was started"; stack_stop; exit 130' INT TERM HUP
    stack_start || fail "not everything is up; what is stays up" "./dev status; ./dev down"
    trap - INT TERM HUP
    stack_unlock
    _stack_print_summary
    if [[ -n $detach ]]; then
        say "Logs: ./dev logs    Stop: ./dev down"
        return 0
    fi
    say "Logs follow; Ctrl+C drains and stops everything."
    stack_follow :
}

stack_down() {
    (($# == 0)) || fail "down takes no argument" "./dev help"
    become_caller down
    prepare_state
    stack_lock
    stack_stop || fail "not everything could be stopped" "./dev status"
}

# _stack_status_line <name> <pid file> <where> [<ops address setting>]
_stack_status_line() {
    local pid readiness=""
    if ! pid="$(process_recorded_pid "$2")"; then
        printf '%-16s stopped\n' "$1"
        return 1
    fi
    if [[ -n ${4:-} ]]; then
        readiness="not ready, "
        ! programs_is_ready "$4" || readiness="ready, "
    fi
    printf '%-16s %spid %s, user %s, up %s, %s\n' "$1" "$readiness" "$pid" \
        "$(ps -o user= -p "$pid")" "$(ps -o etime= -p "$pid" | tr -d ' ')" "$3"
}

# Exit status 0 if all runs, 3 if not.
stack_status() {
    local status=0 own name
    (($# == 0)) || fail "status takes no argument" "./dev help"
    for name in "${SETTINGS_KEPT[@]}"; do
        local "$name=$(settings_kept "$name")"
    done
    if [[ -z $ORDERS_GRPC_ADDR ]]; then
        say "nothing was ever started here"
        return 3
    fi
    own="$(settings_own_database_url)"
    if [[ -n $own || -z $DATABASE_URL ]]; then
        postgres_is_running "$state/pg" 2>/dev/null || true
        _stack_status_line PostgreSQL "$state/pg/server.pid" \
            "socket in $(cat "$state/pg/socket_folder" 2>/dev/null)" || status=3
    else
        say "PostgreSQL       not ours: DATABASE_URL"
    fi
    _stack_status_line stampede-orders "$state/orders.pid" \
        "gRPC $ORDERS_GRPC_ADDR, ops $ORDERS_OPS_ADDR" ORDERS_OPS_ADDR || status=3
    _stack_status_line stampede-edge "$state/edge.pid" \
        "HTTP $EDGE_HTTP_ADDR, ops $EDGE_OPS_ADDR" EDGE_OPS_ADDR || status=3
    return "$status"
}

stack_logs() {
    local -a files=()
    local file
    for file in "$state/pg/log" "$state/log/orders.log" "$state/log/edge.log"; do
        [[ ! -r $file ]] || files+=("$file")
    done
    ((${#files[@]} > 0)) || fail "there are no logs yet" "./dev up"
    trap 'exit 0' INT TERM
    tail -n 50 -F "${files[@]}" &
    wait $!
}

# The database of whoever asks: DATABASE_URL, else that of what runs here.
stack_audit() {
    local url="${DATABASE_URL:-$(settings_kept DATABASE_URL)}" output sales violations
    (($# == 0)) || fail "audit takes no argument" "DATABASE_URL=postgresql://... ./dev audit"
    [[ -n $url ]] || fail "no database to audit" "./dev up, or DATABASE_URL=postgresql://... ./dev audit"
    output="$(mktemp)"
    # shellcheck disable=SC2064 # The name is known now.
    trap "rm -f '$output'" EXIT
    postgres_with_password "$url" psql -X -A -t -v ON_ERROR_STOP=1 \
        -f "$root/tools/audit/audit.sql" "{}" | tee "$output" ||
        fail "the audit could not be run to its end" "./dev status"
    sales="$(grep -c -v '^settings ' "$output")" || true
    violations="$(grep -c '^[^ ]* VIOLATION ' "$output")" || true
    say "audit: $sales sales, $violations violations"
    [[ $violations == 0 ]]
}
