#!/usr/bin/env bash
# The plans of the service's statements as its sessions get them: generic, on an empty table that was
# never analyzed or was, on one that grew since, on a full one with statistics and without. Each
# table must be reached by the same index with the same condition everywhere, for a session keeps a
# plan for as long as nobody analyzes the table; the script fails if it is not.
#
#   tests/bench/plans.sh [orders] [full]
#
# orders is 5000000 unless given; full prints whole plans. Makes a server of its own; five million
# orders take some minutes and 2 GB below TMPDIR.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)"
orders="${1:-5000000}"
style="${2:-short}"
readonly queries="$root/services/orders/adapters/postgres/queries"

# What each statement must do to each table: the index and its whole condition.
declare -rA demanded=(
    [lock_sale]="sales_pkey (sale_id = \$1)"
    [existing_orders]="orders_pkey ((sale_id = \$1) AND (order_id = wanted.order_id))"
    [held_units]="orders_held_by_customer ((sale_id = \$1) AND (customer_id = asked.customer_id))
sales_pkey (sale_id = \$1)"
    [insert_placed]="sales_pkey (sale_id = \$1)"
    [expire_holds]="orders_due ((sale_id = \$1) AND (expire_time <= \$0))
sales_pkey (sale_id = \$1)"
    [owned_orders]="orders_pkey ((sale_id = \$1) AND (order_id = wanted.order_id))"
    [change_orders]="orders_pkey ((sale_id = \$1) AND (order_id = wanted.order_id))"
    [change_sale]="sales_pkey (sale_id = \$1)"
    [find_restock]="sale_restocks_pkey ((sale_id = \$1) AND (idempotency_key = \$2))"
    [find_price]="sales_pkey (sale_id = \$1)"
    [list_orders]="orders_sale_id_number_key ((sale_id = \$1) AND (number > \$2))"
    [list_customer_orders]="orders_ended_by_customer ((sale_id = \$1) AND (customer_id = \$2))
orders_held_by_customer ((sale_id = \$1) AND (customer_id = \$2))"
    [read_sales]="sales_pkey (sale_id = ANY (\$1))"
    [read_order_ids]="orders_sale_id_number_key ((sale_id = \$1) AND (number > \$2))"
    [read_event_bounds]="order_events_pkey (sale_id = \$1)
sales_pkey (sale_id = \$1)"
    [read_events]="order_events_pkey ((sale_id = \$1) AND (sequence >= \$2))"
    [read_numbered_orders]="orders_sale_id_number_key ((sale_id = \$1) AND (number = wanted.number))"
    [due_sales]="orders_due (sale_id > \$1)
orders_due (sale_id > held_1.sale_id)
sales_returning (sale_id > \$1)"
    [prune_events]="order_events_pkey
order_events_pkey (sale_id = oldest_1.sale_id)
order_events_pkey (sale_id > oldest.sale_id)"
    [get_sale]="sales_pkey (sale_id = \$1)"
    [known_sales]="sales_pkey (sale_id = ANY (\$1))"
    [get_order]="orders_pkey ((sale_id = \$1) AND (order_id = \$2))
sales_pkey (sale_id = \$1)"
)

work="$(mktemp -d)"
trap '"$root/tools/dev/scratch-postgres" stop "$work/pg" || true; rm -rf "$work"' EXIT
"$root/tools/dev/scratch-postgres" start "$work/pg" --migrate --owner-pid $$ >"$work/env"
# shellcheck source=/dev/null
. "$work/env"

# What libs/postgres/settings.c demands of the service's sessions.
export PGOPTIONS="-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c jit=off"

# One parameter each, NULL: a generic plan does not look at them.
nulls() {
    grep '^-- @param' "$queries/$1.sql" | sed 's/.*/NULL/' | paste -sd ,
}

plan() {
    {
        printf 'PREPARE x AS\n'
        cat "$queries/$1.sql"
        printf ';\nEXPLAIN EXECUTE x(%s);\n' "$(nulls "$1")"
    } | psql -X -q -A -t -v ON_ERROR_STOP=1 "$DATABASE_URL"
}

# "index condition" of each index that a plan on stdin uses, whatever the kind of scan; a scan of a
# whole table or index is told as such.
access_of() {
    sed -nE \
        -e 's/.*Index (Only )?Scan using ([a-z_]+) on .*/index \2/p' \
        -e 's/.*Bitmap Index Scan on ([a-z_]+) .*/index \1/p' \
        -e 's/.*Seq Scan on ([a-z_]+).*/whole \1/p' \
        -e 's/.*Index Cond: (.*)/condition \1/p' |
        awk '$1 == "index" || $1 == "whole" { if (name != "") print name; name = $2 }
             $1 == "whole" { name = "whole " $2 }
             $1 == "condition" { sub(/^condition /, ""); print name " " $0; name = "" }
             END { if (name != "") print name }' | sort
}

admin() {
    PGOPTIONS="" psql -X -q -v ON_ERROR_STOP=1 -c "$1" "$ADMIN_URL" >/dev/null
}

wrong=0

# look <situation>
look() {
    local query
    echo "== $1"
    for query in $(printf '%s\n' "${!demanded[@]}" | sort); do
        plan "$query" >"$work/plan"
        access_of <"$work/plan" >"$work/access"
        if [[ $(<"$work/access") == "${demanded[$query]}" ]]; then
            echo "ok $query"
        else
            echo "FAILED: $query reaches its tables by" >&2
            sed 's/^/    /' "$work/access" >&2
            wrong=1
        fi
        [[ $style != full ]] || sed 's/^/    /' "$work/plan"
    done
}

admin "ALTER SYSTEM SET autovacuum = off"
admin "SELECT pg_reload_conf()"
look "empty, never analyzed"
admin "ANALYZE"
look "empty, analyzed"
admin "INSERT INTO sales (sale_id, sku, title, currency_code, unit_price_minor, start_time, end_time,
           stock_total, stock_remaining, per_customer_limit, hold_seconds)
       SELECT gen_random_uuid(), 's', 't', 'EUR', 100, now(), now() + '1 day', 10000000, 10000000, 5, 60
       FROM generate_series(1, 20)"
admin "UPDATE sales SET stock_returning = 1, stock_returned = 1, stock_remaining = 9999999
       WHERE sale_id < '33333333-3333-3333-3333-333333333333'"
admin "INSERT INTO order_events (sale_id, sequence, event_time, placed_from, placed_count,
           placed_status)
       SELECT sale_id, n, now(), n, 1, 'CONFIRMED' FROM sales, generate_series(1, 1000) AS n"
admin "INSERT INTO orders (sale_id, order_id, number, customer_id, quantity, status, expire_time)
       SELECT sale_id, gen_random_uuid(), n, 'customer-' || n / 2, 1,
              CASE WHEN n % 10 = 0 THEN 'CANCELLED' WHEN n % 3 = 0 THEN 'RESERVED'
                   ELSE 'CONFIRMED' END::order_status,
              now() + n * interval '1 ms'
       FROM sales, generate_series(1, $orders / 20) AS n"
look "$orders orders, the statistics of an empty table"
admin "VACUUM ANALYZE"
look "$orders orders, vacuumed and analyzed"
admin "DELETE FROM pg_statistic"
admin "UPDATE pg_class SET reltuples = -1, relpages = 0, relallvisible = 0
       WHERE relname ~ '^(order|sale)'"
look "$orders orders, without statistics"
exit "$wrong"
