#!/usr/bin/env bash
# A flash sale against a running Stampede, with wrk: makes a sale, ramps up, then the crowd comes all at
# once, some of it asking twice with the same key; at the end the books must balance. What
# flash-sale.js does with k6, for machines without it.
#
#   flash-sale.sh [<base URL>]        http://127.0.0.1:8080
#
#     STAMPEDE_ADMIN_TOKEN   to make the sale; after ./dev up: set -a; . .stampede/env; set +a
#     STOCK (20000)          units: choose fewer than will be asked for, so that it sells out
#     SPIKE (200)            connections of the crowd
#     SECONDS_EACH (10)      of the spike; the two steps of the ramp take half of that each
#     P99_MS (1000)          the slowest that the 99th percentile of the spike may be
#
# Exit status 0 when every threshold holds: all broken answers and 504s 0, no retry that got another
# order or a refusal, p99 of the spike within P99_MS, and every acknowledged order is a unit sold (what
# wrk had sent when a phase ended was decided unseen: at most one a connection and phase).
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)"
url="${1:-${STAMPEDE_BASE_URL:-http://127.0.0.1:8080}}"
stock="${STOCK:-20000}"
spike="${SPIKE:-200}"
seconds="${SECONDS_EACH:-10}"
p99_ms="${P99_MS:-1000}"
run="flash-$$-$RANDOM"
placed_once=0
readonly here url stock spike seconds p99_ms run

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# field <name> <line>
field() {
    sed -n "s/.* $1=\([0-9.]*\).*/\1/p" <<<"$2 "
}

make_sale() {
    curl -sS --fail-with-body -X POST "$url/v1/sales" \
        -H "Authorization: Bearer ${STAMPEDE_ADMIN_TOKEN:?is not set; after ./dev up: set -a; . .stampede/env; set +a}" \
        -H "Idempotency-Key: $run" -H 'Content-Type: application/json' \
        -d '{"sku":"load","title":"Flash sale","unitPrice":{"currencyCode":"EUR","amountMinor":"100"},
             "endTime":"2099-01-01T00:00:00Z","stockTotal":'"$stock"'}' |
        sed -n 's/.*"saleId":"\([^"]*\)".*/\1/p'
}

# phase <name> <connections> <seconds>
phase() {
    local line threads=1
    (($2 < 2)) || threads=2
    line="$(wrk -t"$threads" -c"$2" -d"$3s" --timeout 15s --latency -s "$here/flash-sale.lua" "$url" \
        -- "$sale" "$run-$1" | grep '^flash:')" || fail "wrk did not finish the phase $1"
    echo "$1 (connections=$2): ${line#flash: }"
    placed_once=$((placed_once + $(field placed "$line") - $(field replayed "$line")))
    [[ $(field other "$line") == 0 ]] || fail "$1: answers that no shop expects: $line"
    [[ $(field unknown "$line") == 0 ]] || fail "$1: 504: $line"
    [[ $(field broken "$line") == 0 ]] || fail "$1: connections broke: $line"
    [[ $(field wrong "$line") == 0 ]] || fail "$1: a retry was not answered with its order: $line"
    last="$line"
}

sale="$(make_sale)"
[[ -n $sale ]] || fail "the sale could not be made"
echo "sale $sale of $stock units at $url"
phase ramp-1 $(((spike + 7) / 8)) $(((seconds + 1) / 2))
phase ramp-2 $(((spike + 1) / 2)) $(((seconds + 1) / 2))
phase spike "$spike" "$seconds"
awk -v is="$(field p99_ms "$last")" -v may="$p99_ms" 'BEGIN { exit !(is <= may) }' ||
    fail "p99 of the spike is $(field p99_ms "$last") ms, allowed are $p99_ms ms"

# What wrk had sent when a phase ended is decided, though nobody read the answer: give it a moment.
sleep 1
remaining="$(curl -sS --fail-with-body "$url/v1/sales/$sale" |
    sed -n 's/.*"stockRemaining":\([0-9]*\).*/\1/p')"
sold=$((stock - remaining))
echo "sold $sold of $stock; answers seen of $placed_once orders"
((placed_once <= sold)) || fail "$placed_once orders were acknowledged, $sold units are sold"
((sold <= placed_once + 2 * spike + 8)) || fail "$sold units are sold, only $placed_once were acknowledged"
echo ok
