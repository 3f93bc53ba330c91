#!/usr/bin/env bash
# What `typedsql check` says when queries, cache and schema have come apart: each difference in
# words, and the files to look at. Somebody who changed a migration has to understand from this
# alone what else to change.
#
#   drift_test.sh <typedsql>
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../../../.." && pwd -P)"
tool="$1"
work="$(mktemp -d)"
trap '"$root/tools/dev/scratch-postgres" stop "$work/pg" || true; rm -rf "$work"' EXIT
"$root/tools/dev/scratch-postgres" start "$work/pg" --owner-pid $$ >"$work/env"
# shellcheck source=/dev/null
. "$work/env"
cd "$work"

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

change_schema() {
    psql -X -q -v ON_ERROR_STOP=1 -c "$1" "$OWNER_URL"
}

prepare() {
    "$tool" prepare "$OWNER_URL" queries >said 2>&1 || fail "prepare: $(<said)"
}

# agrees <what>: check finds nothing.
agrees() {
    "$tool" check "$OWNER_URL" queries >said 2>&1 || fail "$1: $(<said)"
    echo "ok $1"
}

# differs <what> <line>...: check fails and says each of the lines, in any place.
differs() {
    local what="$1" line
    shift
    ! "$tool" check "$OWNER_URL" queries >said 2>&1 || fail "$what: nothing was found"
    for line in "$@"; do
        grep -qxF -- "$line" said || fail "$what: '$line' is not among: $(<said)"
    done
    echo "ok $what"
}

change_schema "
    CREATE TYPE mood AS ENUM ('GOOD', 'BAD');
    CREATE TABLE things (id integer NOT NULL, quantity integer NOT NULL, name text, mood mood NOT NULL);
    CREATE TABLE parts (id integer NOT NULL, thing_id integer NOT NULL)"
mkdir queries
cat >queries/find_things.sql <<'SQL'
-- @query find_things many
-- @param $1 quantity integer
SELECT id, quantity, name, mood FROM things WHERE quantity > $1
SQL
cat >queries/count_parts.sql <<'SQL'
-- @query count_parts one
-- @column parts not null
SELECT count(*) AS parts FROM parts
SQL
see="    the query is queries/find_things.sql; ./dev sql prepare writes it anew; commit it with the query"

differs "never prepared" \
    "queries/cache/find_things.json: error: missing: the query was never prepared" \
    "    it is queries/find_things.sql; ./dev sql prepare writes it anew; commit it with the query"
[[ ! -e queries/cache ]] || fail "check wrote something"

prepare
agrees "freshly prepared"
cp queries/cache/find_things.json before
prepare
cmp -s queries/cache/find_things.json before || fail "preparing twice gives two answers"
grep -q "0 cache entries written" said || fail "an entry that is right was written anew: $(<said)"

change_schema "ALTER TABLE things ALTER COLUMN quantity TYPE bigint"
differs "a column's type changed" \
    "queries/cache/find_things.json: error: different: schema and cache do not agree" \
    "    things.quantity is now bigint, was integer" \
    "    parameter \$1 quantity is now bigint, was integer" \
    "$see"
change_schema "ALTER TABLE things ALTER COLUMN quantity TYPE integer"
agrees "the type changed back"

change_schema "ALTER TABLE things ALTER COLUMN quantity DROP NOT NULL"
differs "a column lost its NOT NULL" \
    "    things.quantity can be NULL now: things.quantity may be NULL; it was not null before" "$see"
change_schema "ALTER TABLE things ALTER COLUMN quantity SET NOT NULL,
    ALTER COLUMN name SET NOT NULL"
differs "a column became NOT NULL" \
    "    things.name cannot be NULL any more: things.name is NOT NULL; it was nullable before"
change_schema "ALTER TABLE things ALTER COLUMN name DROP NOT NULL"

change_schema "ALTER TYPE mood ADD VALUE 'MIXED' BEFORE 'BAD'"
differs "an enum got a label" "    things.mood: the enum mood has the new label MIXED"
prepare
change_schema "ALTER TYPE mood RENAME VALUE 'MIXED' TO 'SOSO'"
differs "a label was renamed" "    things.mood: the enum mood has lost the label MIXED" \
    "    things.mood: the enum mood has the new label SOSO"
prepare

change_schema "ALTER TABLE things RENAME COLUMN name TO title"
differs "a column is gone" \
    "queries/find_things.sql:3:22: error: column \"name\" does not exist" \
    "    3 | SELECT id, quantity, name, mood FROM things WHERE quantity > \$1" \
    "      |                      ^"
change_schema "ALTER TABLE things RENAME COLUMN title TO name"
agrees "the column is back"

sed -i 's/name, mood FROM/name AS title, mood FROM/' queries/find_things.sql
differs "the text changed" \
    "queries/cache/find_things.json: error: stale: the query's text has changed since" \
    "    column name is gone" "    column title is new, of type text" "$see"
sed -i 's/name AS title, mood FROM/name, mood FROM/' queries/find_things.sql
agrees "the text changed back"

sed -i '1a -- More prose.' queries/find_things.sql
agrees "prose changed"

sed -i 's/@column parts not null$/@column parts not null because a count is never NULL/' \
    queries/count_parts.sql
differs "a reason was given" \
    "    column parts: the override is \"not null, not verified: a count is never NULL\" now, was \"not null, not verified\""
prepare

sed -i 's/"things.quantity"/"things.quantities"/' queries/cache/find_things.json
differs "an entry edited by hand" \
    "    column quantity comes from things.quantity now, came from things.quantities"
sed -i 's/"columns": \[/"columns": [ 7,/' queries/cache/find_things.json
differs "an entry that makes no sense" \
    "queries/cache/find_things.json: error: this is no cache entry: a column has no name"
echo "{" >queries/cache/find_things.json
differs "an entry that is no JSON" \
    "queries/cache/find_things.json: error: line 2: string or '}' expected near end of file"
prepare

mv queries/find_things.sql queries/find_them.sql
sed -i 's/@query find_things/@query find_them/' queries/find_them.sql
differs "a query was renamed" \
    "queries/cache/find_things.json: error: unused: queries has no query of this name" \
    "queries/cache/find_them.json: error: missing: the query was never prepared"
prepare
grep -q "1 cache entries written, 1 deleted" said || fail "prepare keeps an unused entry: $(<said)"
agrees "prepared after the renaming"

mkdir -p more
sed 's/ -- .*//' queries/find_them.sql >more/find_them.sql
! "$tool" check "$OWNER_URL" queries more >said 2>&1 || fail "two queries of a name are accepted"
grep -qxF "more/find_them.sql:1:11: error: there are two queries named find_them" said ||
    fail "two queries of a name: $(<said)"
echo "ok two queries of a name"

# What inherits, and what another server keeps, is not bound by NOT NULL.
cat >queries/find_parts.sql <<'SQL'
-- @query find_parts many
SELECT id FROM parts
SQL
prepare
change_schema "CREATE TABLE more_parts () INHERITS (parts)"
differs "a table got an heir" \
    "    parts.id can be NULL now: parts.id is NOT NULL, but its table is inherited from; it was not null before"

! "$tool" check "postgresql://nobody@/none?host=$work" queries >said 2>&1 || fail "no database"
grep -q "^database: error: " said || fail "no database: $(<said)"
echo "ok no database"
