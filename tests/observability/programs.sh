# shellcheck shell=bash
# Both programs and a scratch PostgreSQL for the tests of this folder. Sourced; sets work, and what is
# started ends with the test.
readonly token=a-token-of-the-observability-tests
readonly patience=600 # tenths of a second: sanitizers and busy machines are slow
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)"
work="$(mktemp -d)"
chmod 755 "$work"
started=()

# Sanitized programs and the server take a while to end; nothing of theirs is left behind.
end_programs() {
    local pid
    for pid in "${started[@]}"; do
        kill -TERM "$pid" 2>/dev/null || true
    done
    for pid in "${started[@]}"; do
        wait "$pid" 2>/dev/null || true
    done
    find "$work" -maxdepth 1 -name 'pg*' -type d -exec "$root/tools/dev/scratch-postgres" stop {} \; || true
    rm -rf "$work"
}
trap end_programs EXIT

fail() {
    echo "FAILED: $*" >&2
    tail -n 5 "$work"/*.log >&2 || true
    exit 1
}

# await <what> <command...>: until it succeeds.
await() {
    local what="$1" try
    shift
    for ((try = 0; try < patience; try++)); do
        if "$@" >/dev/null 2>&1; then
            return 0
        fi
        sleep 0.1
    done
    fail "$what did not come"
}

has_port() {
    grep -q "\"$2\":[1-9]" "$work/$1.log"
}

# port_of <log> <which>: of a program that writes it to its log.
port_of() {
    await "$1" has_port "$1" "$2"
    sed -n "s/.*\"$2\":\([0-9]*\).*/\1/p" "$work/$1.log" | head -n 1
}

start_postgres() {
    "$root/tools/dev/scratch-postgres" start "$work/pg" --migrate --owner-pid $$ >"$work/env"
    # shellcheck source=/dev/null
    . "$work/env"
}

# start_orders <bin> <database url>: sets grpc_port, orders_ops and orders_pid.
start_orders() {
    : >"$work/orders.log"
    DATABASE_URL="$2" STAMPEDE_ADMIN_TOKEN="$token" ORDERS_GRPC_ADDR=127.0.0.1:0 \
        ORDERS_OPS_ADDR=127.0.0.1:0 LOG_FORMAT=json "$1/stampede-orders" 2>"$work/orders.log" &
    orders_pid=$!
    started+=("$orders_pid")
    grpc_port="$(port_of orders grpc_port)"
    orders_ops="127.0.0.1:$(port_of orders ops_port)"
    await "stampede-orders" curl -sf "http://$orders_ops/readyz"
}

# start_edge <bin>: sets shop, edge_ops and edge_pid.
start_edge() {
    : >"$work/edge.log"
    EDGE_HTTP_ADDR=127.0.0.1:0 EDGE_OPS_ADDR=127.0.0.1:0 EDGE_ORDERS_TARGET="127.0.0.1:$grpc_port" \
        LOG_FORMAT=json "$1/stampede-edge" 2>"$work/edge.log" &
    edge_pid=$!
    started+=("$edge_pid")
    shop="http://127.0.0.1:$(port_of edge http_port)"
    edge_ops="127.0.0.1:$(port_of edge ops_port)"
    await "stampede-edge" curl -sf "http://$edge_ops/readyz"
}

# Who is told to come again does.
ask_again=(--max-time 60 --retry 60 --retry-delay 1 --retry-max-time 60)

# admin <path> <body> [<key>]: prints the answer.
admin() {
    curl -sS --fail-with-body "${ask_again[@]}" -X POST "$shop$1" -H "Authorization: Bearer $token" \
        -H 'Content-Type: application/json' ${3:+-H "Idempotency-Key: $3"} -d "$2"
}

# make_sale <stock> <hold seconds> <key>: prints its id.
make_sale() {
    admin /v1/sales '{"sku":"s","title":"t","unitPrice":{"currencyCode":"EUR","amountMinor":"100"},
        "endTime":"2099-01-01T00:00:00Z","stockTotal":'"$1"',"holdSeconds":'"$2"'}' "$3" |
        jq -r '.saleId // empty'
}

# place <sale> <customer> <key>: prints the answer, whatever it is.
place() {
    curl -sS "${ask_again[@]}" -X POST "$shop/v1/sales/$1/orders" -H "Idempotency-Key: $3" \
        -H 'Content-Type: application/json' -d '{"customerId":"'"$2"'","quantity":1}'
}
