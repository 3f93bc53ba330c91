#!/usr/bin/env bash
# The schema's changes can be deployed, verified, taken back to nothing and deployed again, by a
# role that owns only the database; two deploys at once do each change once; and the service's role
# can do no more than the migrations grant. An operator relies on each of these in a bad night.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)"
work="$(mktemp -d)"
trap '"$root/tools/dev/scratch-postgres" stop "$work/pg" || true; rm -rf "$work"' EXIT
"$root/tools/dev/scratch-postgres" start "$work/pg" --owner-pid $$ >"$work/env"
# shellcheck source=/dev/null
. "$work/env"
chmod 755 "$work"

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

run_sqitch() {
    (cd "$root/migrations" && SQITCH_FULLNAME=test SQITCH_EMAIL=test@localhost \
        sqitch --quiet "$@" "db:$OWNER_URL")
}

# query <url> <sql>: the unaligned result.
query() {
    psql -X -A -t -q -v ON_ERROR_STOP=1 -c "$2" "$1"
}

# refused <url> <sql> <message>
refused() {
    local output
    if output="$(query "$1" "$2" 2>&1)"; then
        fail "not refused: $2"
    fi
    [[ $output == *"$3"* ]] || fail "refused, but with '$output' for: $2"
}

echo "deploy, verify, revert, deploy again"
run_sqitch deploy --verify
run_sqitch verify
run_sqitch revert -y --to @ROOT
left="$(query "$OWNER_URL" "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace")"
[[ -z $left ]] || fail "a revert left behind: $left"
run_sqitch deploy --verify
run_sqitch verify

echo "sales that exist already are brought along"
run_sqitch revert -y --to orders
query "$OWNER_URL" "INSERT INTO sales (sale_id, sku, title, currency_code, unit_price_minor,
    start_time, end_time, stock_total, stock_remaining, stock_returning, per_customer_limit,
    hold_seconds, version)
    VALUES ('00000000-0000-7000-8000-000000000001', 's', 't', 'EUR', 1, now(), now(), 10, 4, 0, 0, 0, 7),
           ('00000000-0000-7000-8000-000000000002', 's', 't', 'EUR', 1, now(), now(), 10, 0, 3, 0, 0, 9)"
run_sqitch deploy --verify
brought="$(query "$OWNER_URL" "SELECT string_agg(concat_ws(' ', stock_returned, sold_out_since, sequence,
    placed_count), ', ' ORDER BY sale_id) FROM sales JOIN order_events USING (sale_id)")"
[[ $brought == "0 0 7 0, 3 9 9 0" ]] || fail "sales were brought along as: $brought"
query "$OWNER_URL" "TRUNCATE sales, order_events"

echo "two at once, on a database that has not even sqitch's own tables"
query "$ADMIN_URL" "CREATE DATABASE twice OWNER stampede_owner"
OWNER_URL="${OWNER_URL/\/stampede\?/\/twice?}"
run_sqitch deploy --verify &
first=$!
run_sqitch deploy --verify &
second=$!
wait "$first" || fail "the first of two deploys at once"
wait "$second" || fail "the second of two deploys at once"
run_sqitch verify
changes="$(grep -c '^[a-z]' "$root/migrations/sqitch.plan")"
deployed="$(query "$OWNER_URL" "SELECT count(*) FROM sqitch.events WHERE event = 'deploy'")"
[[ $deployed == "$changes" ]] || fail "$deployed deploys of $changes changes"

echo "what the tables refuse"
sale="INSERT INTO sales (sale_id, sku, title, currency_code, unit_price_minor, start_time, end_time,
    stock_total, stock_remaining, per_customer_limit, hold_seconds)
    VALUES ('00000000-0000-7000-8000-000000000001', 's', 't', 'EUR', 1, now(), now(), 10, 10, 0, 0)"
query "$DATABASE_URL" "$sale"
for change in \
    "stock_remaining = -1:sales_stock_remaining_check" \
    "stock_returning = 1, stock_returned = 1:sales_stock_sum_check" \
    "stock_remaining = 9, stock_returning = 1:sales_stock_returned_check" \
    "stock_remaining = 0:sales_sold_out_since_check" \
    "sold_out_since = 1:sales_sold_out_since_check" \
    "stock_remaining = 0, sold_out_since = 2:sales_sold_out_since_check" \
    "stock_total = 0, stock_remaining = 0, sold_out_since = 1:sales_stock_total_check" \
    "end_time = start_time - interval '1 s':sales_end_time_check" \
    "currency_code = 'eur':sales_currency_code_check" \
    "title = '':sales_title_check" \
    "title = repeat('x', 201):sales_title_check" \
    "hold_seconds = 86401:sales_hold_seconds_check" \
    "per_customer_limit = 1000001:sales_per_customer_limit_check"; do
    refused "$DATABASE_URL" "UPDATE sales SET ${change%:*}" "${change##*:}"
done
order() {
    printf "INSERT INTO orders (sale_id, order_id, number, customer_id, quantity, status) VALUES
        ('00000000-0000-7000-8000-000000000001', '%s', %s, '%s', %s, 'CONFIRMED')" "$@"
}
id=00000000-0000-8000-8000-00000000000
query "$DATABASE_URL" "$(order ${id}1 1 c 1)"
refused "$DATABASE_URL" "$(order ${id}1 2 c 1)" orders_pkey
refused "$DATABASE_URL" "$(order ${id}2 1 c 1)" orders_sale_id_number_key
refused "$DATABASE_URL" "$(order ${id}2 0 c 1)" orders_number_check
refused "$DATABASE_URL" "$(order ${id}2 2 '' 1)" orders_customer_id_check
refused "$DATABASE_URL" "$(order ${id}2 2 c 1001)" orders_quantity_check
event() {
    printf "INSERT INTO order_events (sale_id, sequence, event_time, placed_from, placed_count,
        placed_status, changed_numbers) VALUES
        ('00000000-0000-7000-8000-000000000001', %s, now(), %s, %s, %s, '%s')" "$@"
}
query "$DATABASE_URL" "$(event 1 NULL 0 NULL '{}')"
refused "$DATABASE_URL" "$(event 1 NULL 0 NULL '{}')" order_events_pkey
refused "$DATABASE_URL" "$(event 0 NULL 0 NULL '{}')" order_events_sequence_check
refused "$DATABASE_URL" "$(event 2 1 1 NULL '{}')" order_events_placed_check
refused "$DATABASE_URL" "$(event 2 NULL 1 "'CONFIRMED'" '{}')" order_events_placed_check
refused "$DATABASE_URL" "$(event 2 1 0 NULL '{}')" order_events_placed_check
refused "$DATABASE_URL" "$(event 2 NULL 0 NULL '{1}')" order_events_changed_check
restock="INSERT INTO sale_restocks (sale_id, idempotency_key, quantity) VALUES
    ('00000000-0000-7000-8000-000000000001', 'k', 1)"
query "$DATABASE_URL" "$restock"
refused "$DATABASE_URL" "$restock" sale_restocks_pkey

echo "what the service's role may not do"
refused "$DATABASE_URL" "DELETE FROM orders" "permission denied"
refused "$DATABASE_URL" "TRUNCATE sales" "permission denied"
refused "$DATABASE_URL" "UPDATE order_events SET placed_count = 1" "permission denied"
refused "$DATABASE_URL" "DELETE FROM sale_restocks" "permission denied"
refused "$DATABASE_URL" "DROP TABLE orders" "must be owner"
refused "$DATABASE_URL" "CREATE TABLE mine (a integer)" "permission denied"
refused "$DATABASE_URL" "UPDATE schema_version SET version = 9" "permission denied"
refused "$DATABASE_URL" "CREATE ROLE friend" "permission denied"

echo "a hot sale's updates stay on their page"
query "$DATABASE_URL" "DO \$\$ BEGIN FOR i IN 1..200 LOOP
    UPDATE sales SET version = version + 1; END LOOP; END \$\$"
query "$ADMIN_URL" "SELECT pg_stat_force_next_flush()" >/dev/null
hot=""
for _ in {1..600}; do
    hot="$(query "$DATABASE_URL" "SELECT n_tup_hot_upd >= 0.95 * n_tup_upd AND n_tup_upd >= 200
        FROM pg_stat_user_tables WHERE relname = 'sales'")"
    [[ $hot != t ]] || break
    sleep 0.1
done
[[ $hot == t ]] || fail "updates of sales are not HOT"
echo ok
