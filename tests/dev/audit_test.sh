#!/usr/bin/env bash
# ./dev audit finds each kind of damage, one planted at a time, and calls a sound database sound: an
# audit that cannot fail is worth nothing.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)"
work="$(mktemp -d)"
trap '"$root/tools/dev/scratch-postgres" stop "$work/pg" || true; rm -rf "$work"' EXIT
"$root/tools/dev/scratch-postgres" start "$work/pg" --migrate --owner-pid $$ >"$work/env"
# shellcheck source=/dev/null
. "$work/env"
readonly sale=00000000-0000-7000-8000-000000000001

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# The owner's role: the service's could not do some of the damage.
change() {
    psql -X -q -v ON_ERROR_STOP=1 -c "SET client_min_messages = warning; $1" "$OWNER_URL"
}

# A sale of 10 with a limit of 2 per customer and three orders: confirmed, reserved, cancelled.
plant_sound_sale() {
    change "TRUNCATE sales, orders, order_events;
        INSERT INTO sales (sale_id, sku, title, currency_code, unit_price_minor, start_time,
            end_time, stock_total, stock_remaining, stock_returning, stock_returned,
            per_customer_limit, hold_seconds, version, orders_count)
        VALUES ('$sale', 's', 't', 'EUR', 1, now(), now(), 10, 6, 1, 4, 2, 60, 9, 3);
        INSERT INTO order_events (sale_id, sequence, event_time)
        SELECT '$sale', n, now() FROM generate_series(5, 9) AS n;
        INSERT INTO orders (sale_id, order_id, number, customer_id, quantity, status)
        VALUES ('$sale', gen_random_uuid(), 1, 'a', 2, 'CONFIRMED'),
               ('$sale', gen_random_uuid(), 2, 'b', 1, 'RESERVED'),
               ('$sale', gen_random_uuid(), 3, 'b', 2, 'CANCELLED')"
}

# expect <exit status> <words in the output>
expect() {
    local status=0
    DATABASE_URL="$DATABASE_URL" "$root/dev" audit >"$work/out" 2>&1 || status=$?
    [[ $status == "$1" ]] || fail "exit status $status, wanted $1: $(<"$work/out")"
    grep -q "$2" "$work/out" || fail "no '$2' in: $(<"$work/out")"
}

# damage <sql> <words>
damage() {
    echo "$2"
    plant_sound_sale
    change "$1"
    expect 1 "$2"
}

expect 0 "audit: 0 sales, 0 violations"
plant_sound_sale
expect 0 "$sale ok total 10 = remaining 6 + returning 1 + held 3, orders 3"
grep -q '^settings fsync=on full_page_writes=on synchronous_commit=on$' "$work/out" ||
    fail "no settings in: $(<"$work/out")"

damage "UPDATE sales SET stock_remaining = 7" "stock does not add up: off by 1"
damage "UPDATE orders SET status = 'EXPIRED' WHERE number = 2" "stock does not add up: off by -1"
damage "UPDATE orders SET number = 4 WHERE number = 3" "numbers 1 to 4 of 3 orders have gaps"
damage "DELETE FROM orders WHERE number = 3" "orders_count is 3"
damage "UPDATE orders SET customer_id = 'a' WHERE number = 2" \
    "1 customers over the limit of 2 (a holds 3)"
damage "ALTER TABLE sales DROP CONSTRAINT sales_stock_remaining_check;
    UPDATE sales SET stock_remaining = -1, stock_returning = 8, stock_returned = 8" "negative stock"
damage "ALTER TABLE sales DROP CONSTRAINT sales_stock_returned_check;
    UPDATE sales SET stock_returned = 0" "1 units return, but only 0 ever came back"
damage "ALTER TABLE sales DROP CONSTRAINT sales_sold_out_since_check;
    UPDATE sales SET sold_out_since = 3" "sold out since version 3 with 6 units left"
damage "UPDATE sales SET stock_remaining = 0, stock_total = 4, sold_out_since = 0" \
    "sold out since version 0 with 0 units left"
damage "UPDATE sales SET stock_remaining = 0, stock_total = 4, sold_out_since = 10" \
    "sold out since version 10 with 0 units left"
damage "DELETE FROM order_events WHERE sequence = 7" "4 events from 5 to 9 of version 9 have gaps"
damage "DELETE FROM order_events WHERE sequence = 9" "4 events from 5 to 8 of version 9 have gaps"
damage "INSERT INTO order_events (sale_id, sequence, event_time) VALUES ('$sale', 10, now())" \
    "6 events from 5 to 10 of version 9 have gaps"
damage "INSERT INTO order_events (sale_id, sequence, event_time)
    VALUES (gen_random_uuid(), 1, now())" "1 events of a sale that does not exist"
damage "INSERT INTO orders (sale_id, order_id, number, customer_id, quantity, status)
    VALUES (gen_random_uuid(), gen_random_uuid(), 1, 'a', 1, 'EXPIRED')" \
    "1 orders of a sale that does not exist"

echo "events that were all pruned are no violation"
plant_sound_sale
change "DELETE FROM order_events"
expect 0 "$sale ok total 10"

echo "a limit that was lowered is no violation"
plant_sound_sale
change "UPDATE sales SET per_customer_limit = 1, limit_lowered = true"
expect 0 "$sale warning 1 customers over the limit of 1, which was lowered"

echo "a database that is not there"
DATABASE_URL="postgresql:///none?host=$work" expect 1 "could not be run to its end"
echo ok
