#!/usr/bin/env bash
# What the build does without a database: it generates from the cache what the style asks for, and
# refuses a query that was not prepared as it stands, or that nobody uses, with one clear line.
#
#   build_test.sh <typedsql>
set -euo pipefail

folder="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)"
root="$(cd "$folder/../../../.." && pwd -P)"
tool="$1"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cp -r "$folder/queries" "$work/queries"
cp "$root/.clang-format" "$work"
cd "$work"
mkdir out

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

generate() {
    "$tool" generate "queries/$1.sql" "queries/cache/$1.json" queries out
}

# refused <what> <query> <first line>
refused() {
    ! generate "$2" >said 2>&1 || fail "$1: accepted"
    [[ $(head -n 1 said) == "$3" ]] || fail "$1: '$(<said)' instead of '$3'"
    [[ ! -e out/$2.c && ! -e out/$2.h ]] || fail "$1: something was generated"
    echo "ok $1"
}

# Wrong in some way, then as it was.
restore() {
    cp -r "$folder/queries/." queries/
}

sed -i 's/count_rows one/count_rows optional/' queries/count_rows.sql
refused "a changed directive" count_rows \
    "queries/count_rows.sql:1:11: error: the query has changed since it was prepared: run ./dev sql prepare and commit queries/cache/count_rows.json"
restore
sed -i 's/abs(/2 * abs(/' queries/count_rows.sql
refused "a changed command" count_rows \
    "queries/count_rows.sql:1:11: error: the query has changed since it was prepared: run ./dev sql prepare and commit queries/cache/count_rows.json"
restore
rm queries/cache/count_rows.json
refused "a query never prepared" count_rows \
    "queries/count_rows.sql:1:11: error: the query was never prepared: run ./dev sql prepare and commit queries/cache/count_rows.json"
restore
sed -i 's/"sha256": "./"sha256": "g/' queries/cache/count_rows.json
refused "another query's hash" count_rows \
    "queries/count_rows.sql:1:11: error: the query has changed since it was prepared: run ./dev sql prepare and commit queries/cache/count_rows.json"
restore
sed -i 's/"integer"/"money"/' queries/cache/count_rows.json
refused "a type that the entry makes up" count_rows \
    "queries/count_rows.sql:2:19: error: \$1 rows is money in the command, and integer here"
restore
sed -i 's/integer/integr/' queries/count_rows.sql
refused "a wrong type" count_rows \
    "queries/count_rows.sql:1:11: error: the query has changed since it was prepared: run ./dev sql prepare and commit queries/cache/count_rows.json"
restore
head -c 100 "$folder/queries/cache/count_rows.json" >queries/cache/count_rows.json
refused "half an entry" count_rows \
    "queries/cache/count_rows.json: error: line 3: premature end of input"
restore

echo "what is generated has the project's format, and is not touched when it is right"
for sql in queries/*.sql; do
    name="$(basename "$sql" .sql)"
    generate "$name" || fail "$name"
done
clang-format-14 --dry-run -Werror out/*.[ch] || fail "the format of generated code"
touch -d '2001-01-01' out/count_rows.h
generate count_rows
[[ $(stat -c %Y out/count_rows.h) == "$(date -d '2001-01-01' +%s)" ]] ||
    fail "an unchanged header was written again"

echo "who uses a query"
cat >user.c <<'C'
/* find_number_exec( */
// touch_sales_send(
const char *text = "read_version_exec(";
void use(void)
{
    count_rows_exec();
    count_up_send_streamed();
    x_echo_values_exec();
    echo_nullables_executed();
    statements[0] = &echo_arrays_statement;
}
C
! "$tool" used stamp queries user.c >said 2>&1 || fail "unused queries are accepted"
[[ ! -e stamp ]] || fail "the stamp was written"
for name in find_number touch_sales read_version echo_values echo_nullables echo_arrays open_work \
    close_work; do
    grep -qxF "queries/$name.sql:1:11: error: nobody uses the query $name: call ${name}_send or ${name}_exec, or delete it" said ||
        fail "$name is not missed: $(<said)"
done
[[ $(grep -c error: said) == 8 ]] || fail "too many are missed: $(<said)"
sed 's/_test//' "$folder/generated_test.c" >user.c
"$tool" used stamp queries user.c || fail "the test uses all of them"
[[ -e stamp ]] || fail "no stamp"
! "$tool" used stamp queries nowhere.c >said 2>&1 || fail "a source that is not there"

echo "how it is called"
for arguments in "" "prepare" "check url" "generate a b c" "list a b" "used stamp" "help"; do
    status=0
    # shellcheck disable=SC2086 # Split on purpose.
    "$tool" $arguments >said 2>&1 || status=$?
    [[ $status == 2 ]] || fail "'$arguments' gives $status"
    grep -q "^usage:" said || fail "'$arguments' gives no usage"
done
echo ok
