#!/usr/bin/env bash
# Clients that are not ours get along without our .proto files: python3-grpcio always, and grpcurl and
# buf where they are found (in PATH, or in the folder that FOREIGN_TOOLS names). They can be had with
#     GOBIN=<folder> go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.8.9
#     npm install --prefix <folder> @bufbuild/buf@1.47.2     (then <folder>/node_modules/.bin)
#
#     foreign_test.sh <stampede-orders>
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)"
program="$1"
PATH="${FOREIGN_TOOLS:-}${FOREIGN_TOOLS:+:}$PATH"
readonly token=a-token-of-the-foreign-tests
work="$(mktemp -d)"
orders=""

end() {
    [[ -z $orders ]] || kill -KILL "$orders" 2>/dev/null || true
    "$root/tools/dev/scratch-postgres" stop "$work/pg" || true
    rm -rf "$work"
}
trap end EXIT

fail() {
    echo "FAILED: $*" >&2
    tail -n 5 "$work/orders.log" >&2 || true
    exit 1
}

start() {
    DATABASE_URL="$DATABASE_URL" STAMPEDE_ADMIN_TOKEN="$token" ORDERS_GRPC_ADDR=127.0.0.1:0 \
        ORDERS_OPS_ADDR=127.0.0.1:0 LOG_FORMAT=json "$program" 2>"$work/orders.log" &
    orders=$!
    for ((try = 0; try < 600; try++)); do
        address="127.0.0.1:$(sed -n 's/.*"grpc_port":\([0-9]*\).*/\1/p' "$work/orders.log" | head -n 1)"
        if [[ $address != *: ]] && ready; then
            return 0
        fi
        sleep 0.1
    done
    fail "the program did not come up"
}

ready() {
    local port
    port="$(sed -n 's/.*"ops_port":\([0-9]*\).*/\1/p' "$work/orders.log" | head -n 1)"
    [[ -n $port ]] && curl -sf "http://127.0.0.1:$port/readyz" >/dev/null
}

# What two tools of others must be able to do: list, describe, call, and be told an error.
run_grpcurl() {
    local out
    out="$(grpcurl -plaintext "$address" list)"
    grep -qx stampede.orders.v1.OrderService <<<"$out" || fail "grpcurl list: $out"
    out="$(grpcurl -plaintext "$address" describe stampede.orders.v1.PlaceOrderRequest)"
    grep -q idempotency_key <<<"$out" || fail "grpcurl describe: $out"
    out="$(grpcurl -plaintext "$address" stampede.sales.v1.SaleService/ListSales)"
    grep -q '"saleId"' <<<"$out" || fail "grpcurl call: $out"
    out="$(grpcurl -plaintext -H "authorization: Bearer $token" "$address" \
        stampede.ops.v1.OpsService/GetStatus)"
    grep -q '"pool"' <<<"$out" || fail "grpcurl GetStatus: $out"
    out="$(grpcurl -plaintext "$address" grpc.health.v1.Health/Check)"
    grep -q SERVING <<<"$out" || fail "grpcurl health: $out"
    out="$(grpcurl -plaintext -d '{"sale_id":"nonsense"}' "$address" \
        stampede.sales.v1.SaleService/GetSale 2>&1 || true)"
    grep -q INVALID_FIELD <<<"$out" || fail "grpcurl error: $out"
    echo "grpcurl: ok"
}

run_buf() {
    local out
    out="$(buf curl --protocol grpc --http2-prior-knowledge "http://$address/stampede.sales.v1.SaleService/ListSales")"
    grep -q '"saleId"' <<<"$out" || fail "buf curl: $out"
    out="$(buf curl --protocol grpc --http2-prior-knowledge --header "authorization: Bearer $token" \
        "http://$address/stampede.ops.v1.OpsService/GetStatus")"
    grep -q '"pool"' <<<"$out" || fail "buf curl GetStatus: $out"
    echo "buf: ok"
}

"$root/tools/dev/scratch-postgres" start "$work/pg" --migrate --owner-pid $$ >"$work/env"
# shellcheck source=/dev/null
. "$work/env"

start
/usr/bin/python3 "$root/tests/foreign/client.py" "$address" "$token" "$orders" || fail "python3-grpcio"
wait "$orders" || fail "the drain ended with exit status $?"
echo "python3-grpcio: ok"

start
if command -v grpcurl >/dev/null; then run_grpcurl; else echo "grpcurl: not here, not tried"; fi
if command -v buf >/dev/null; then run_buf; else echo "buf: not here, not tried"; fi
kill -TERM "$orders"
wait "$orders" || fail "the drain ended with exit status $?"
