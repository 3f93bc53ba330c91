#!/usr/bin/env bash
# The guides are complete: every reason of the contract is in the shop's guide with its HTTP status, no
# invented one is, and what the guides link to and name is there.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)"
guide="$root/docs/shop-guide.md"
operations="$root/docs/operations.md"
status=0

failed() {
    echo "FAILED: $*"
    status=1
}

# "<reason> <http status>", a line each; an option may stand on the line after its value.
reasons() {
    tr '\n' ' ' <"$root/proto/stampede/api/v1/reason.proto" |
        grep -oE '[A-Z_]+ = [0-9]+ +\[\(reason\) = \{[^}]*http_status: [0-9]+' |
        sed -E 's/^([A-Z_]+) .*http_status: ([0-9]+)$/\1 \2/'
}

count=0
while read -r reason http; do
    count=$((count + 1))
    grep -qE "^\| \`$reason\` \| $http \| [^|]+ \| [^|]+ \|\$" "$guide" ||
        failed "the shop's guide has no row of $reason with $http, what it means and what to do"
done < <(reasons)
values="$(grep -cE '^  [A-Z_]+ = [0-9]+' "$root/proto/stampede/api/v1/reason.proto")"
((count == values - 1)) || failed "read $count reasons of $((values - 1))"
while read -r reason; do
    reasons | grep -q "^$reason " || failed "the shop's guide has $reason, the contract does not"
done < <(grep -oE '^\| .[A-Z_]+. \| [0-9]+ \|' "$guide" | grep -oE '[A-Z_]+')

# Links between pages, and to their sections.
for page in "$guide" "$operations"; do
    while IFS='#' read -r file section; do
        [[ $file != http* ]] || continue
        target="$page"
        [[ -z $file ]] || target="$root/docs/$file"
        [[ -e $target ]] || { failed "${page##*/} links to $file" && continue; }
        [[ -z $section ]] || sed -nE 's/^#+ //p' "$target" | tr '[:upper:] ' '[:lower:]-' |
            tr -cd 'a-z0-9_\n-' | grep -qx -- "$section" ||
            failed "${page##*/} links to the section $section of ${target##*/}"
    done < <(grep -oE '\]\([^) ]+\)' "$page" | sed -E 's/^\]\((.*)\)$/\1/')
done

# Settings that the guides name are those of the programs.
while read -r setting; do
    grep -q "$setting" "$root/docs/settings.md" || failed "the guides name $setting, no program has it"
done < <(grep -ohE '\b(EDGE|ORDERS)_[A-Z_]+[A-Z]\b' "$guide" "$operations" | sort -u)
((status != 0)) || echo "ok: $count reasons"
exit "$status"
