#!/usr/bin/env bash
# The rehearsal of docs/operations.md: a server with a sale in flight is backed up by pg_dump and by
# pg_basebackup, lost, and restored from each. What comes back is sound, holds every order that was
# acknowledged before the backup began, and takes orders again; what was acknowledged after it is gone,
# and comes back under the same id when the shop asks again with its key.
#
#     restore_test.sh <folder of both programs>
set -euo pipefail

bin="$1"
# shellcheck source=tests/observability/programs.sh
. "$(dirname "${BASH_SOURCE[0]}")/programs.sh"
readonly pg_bin=/usr/lib/postgresql/15/bin
readonly stock=100000

# Places one order after the other until told to stop: "<number> <order id>" of each acknowledged.
sell() {
    local number order
    for ((number = 1; ; number++)); do
        [[ ! -e $work/stop ]] || return 0
        order="$(place "$sale" "customer-$number" "key-$number" | jq -r '.orderId // empty')"
        [[ -z $order ]] || echo "$number $order" >>"$work/acknowledged"
    done
}

acknowledged() {
    local count=0
    [[ ! -e $work/acknowledged ]] || count="$(wc -l <"$work/acknowledged")"
    echo "$count"
}

has_sold() {
    (($(acknowledged) >= $1))
}

sell_more() {
    await "the sale of $1 more" has_sold $(($(acknowledged) + $1))
}

stop_programs() {
    kill -TERM "$edge_pid" "$orders_pid"
    wait "$edge_pid" "$orders_pid" || fail "the programs did not end well"
}

expect_clean_audit() {
    DATABASE_URL="$DATABASE_URL" "$root/dev" audit >"$work/audit" || fail "$1: $(<"$work/audit")"
    grep -q "^$sale ok " "$work/audit" || fail "$1 lacks the sale: $(<"$work/audit")"
    grep "^$sale" "$work/audit"
}

# order_of <number>: the HTTP status that its customer gets, and the answer in $work/answer.
order_of() {
    local id
    id="$(sed -n "$1s/.* //p" "$work/acknowledged")"
    curl -sS "${ask_again[@]}" -o "$work/answer" -w '%{http_code}' \
        "$shop/v1/sales/$sale/orders/$id?customerId=customer-$(sed -n "$1s/ .*//p" "$work/acknowledged")"
}

# place_again <number>: with its key; must be the order that it was.
place_again() {
    local number id again
    read -r number id < <(sed -n "$1p" "$work/acknowledged")
    again="$(place "$sale" "customer-$number" "key-$number" | jq -r '.orderId // empty')"
    [[ $again == "$id" ]] || fail "order $number was $id and is $again now"
}

# check_restored <what> <acknowledged before the backup> <acknowledged after it>
check_restored() {
    local line lost=0 total
    expect_clean_audit "$1"
    start_orders "$bin" "$DATABASE_URL"
    start_edge "$bin"
    total="$(acknowledged)"
    for ((line = 1; line <= $2; line++)); do
        [[ $(order_of "$line") == 200 ]] || fail "$1: acknowledged order $line is gone: $(<"$work/answer")"
    done
    for ((line = $3 + 1; line <= total; line++)); do
        [[ $(order_of "$line") == 404 ]] || fail "$1: order $line is newer than the backup and there"
        lost=$((lost + 1))
    done
    ((lost > 0)) || fail "$1: nothing was sold after the backup: this rehearsal shows nothing"
    place_again 1
    place_again "$total"
    expect_clean_audit "$1, after more orders"
    echo "$1: $2 orders from before the backup are there, $lost from after it are gone"
    stop_programs
}

start_postgres
start_orders "$bin" "$DATABASE_URL"
start_edge "$bin"
sale="$(make_sale "$stock" 3600 restore)"
sell &
seller=$!
started+=("$seller")

sell_more 20
before_dump="$(acknowledged)"
PGPASSFILE=/dev/null pg_dump --format=custom --file="$work/stampede.dump" "$OWNER_URL"
after_dump=$(($(acknowledged) + 1)) # one may have been committed and not yet noted
sell_more 20
before_copy="$(acknowledged)"
# The server's folder as it is, and the log that was written meanwhile.
mkdir -p "$work/pg-copy"
"$pg_bin/pg_basebackup" --pgdata="$work/pg-copy/data" --checkpoint=fast --wal-method=stream \
    --dbname="$ADMIN_URL"
after_copy=$(($(acknowledged) + 1))
"$pg_bin/pg_verifybackup" --quiet "$work/pg-copy/data"
sell_more 20
touch "$work/stop"
wait "$seller"
stop_programs
cp -p "$work/pg/passwords" "$work/pg-copy/passwords"
((EUID != 0)) || chown -R postgres: "$work/pg-copy/data"
"$root/tools/dev/scratch-postgres" kill "$work/pg"
echo "the server is lost; $(acknowledged) orders were acknowledged"

# From the dump, into an empty database of a new cluster that has both roles.
"$root/tools/dev/scratch-postgres" start "$work/pg-dump" --owner-pid $$ >"$work/env"
# shellcheck source=/dev/null
. "$work/env"
pg_restore --exit-on-error --single-transaction --no-owner --dbname="$OWNER_URL" "$work/stampede.dump"
psql -X -q -c "SET client_min_messages = error; ANALYZE" "$OWNER_URL"
check_restored "pg_dump" "$before_dump" "$after_dump"

# From the copy: a server that starts where the copy ended.
"$root/tools/dev/scratch-postgres" start "$work/pg-copy" --owner-pid $$ >"$work/env"
# shellcheck source=/dev/null
. "$work/env"
check_restored "pg_basebackup" "$before_copy" "$after_copy"
echo ok
