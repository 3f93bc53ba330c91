#!/usr/bin/env bash
# Every query of bad/ is wrong in one way, and typedsql must say so at the right place: what it has
# to say stands in the file itself, in comments that begin with "--=". Whoever writes a query reads
# these errors first, so they are tested to the letter.
#
#   bad_queries_test.sh <typedsql>
#
# With TYPEDSQL_UPDATE=1 the comments are written anew, to be read before they are committed.
set -euo pipefail

folder="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)"
root="$(cd "$folder/../../../.." && pwd -P)"
tool="$1"
work="$(mktemp -d)"
trap '"$root/tools/dev/scratch-postgres" stop "$work/pg" || true; rm -rf "$work"' EXIT
"$root/tools/dev/scratch-postgres" start "$work/pg" --migrate --owner-pid $$ >"$work/env"
# shellcheck source=/dev/null
. "$work/env"

failed=0
for file in "$folder"/bad/*.sql; do
    name="$(basename "$file" .sql)"
    mkdir "$work/bad"
    grep -v '^--=' "$file" >"$work/bad/$name.sql" || true
    if (cd "$work" && "$tool" prepare "$DATABASE_URL" bad >/dev/null 2>"$work/said"); then
        echo "FAILED: $name is not refused" >&2
        failed=1
    fi
    if [[ -n $(find "$work/bad" -name '*.json') ]]; then
        echo "FAILED: $name has got a cache entry" >&2
        failed=1
    fi
    if [[ ${TYPEDSQL_UPDATE:-} == 1 ]]; then
        { cat "$work/bad/$name.sql" && sed 's/^/--= /' "$work/said"; } >"$work/new"
        cp "$work/new" "$file"
    elif ! diff -u --label "$name: what it has to say" --label "$name: what it says" \
        <(sed -n 's/^--= //p' "$file") "$work/said"; then
        failed=1
    else
        echo "ok $name"
    fi
    rm -r "$work/bad"
done
exit "$failed"
