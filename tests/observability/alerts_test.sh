#!/usr/bin/env bash
# Configuration and alert rules are valid, every alert is tested, and every alert is explained.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)"
rules="$root/deploy/prometheus/rules/stampede.yml"

if ! command -v promtool >/dev/null; then
    echo "SKIPPED: promtool is not installed; it is in Debian's package prometheus"
    exit 77
fi
promtool check config --syntax-only "$root/deploy/prometheus/prometheus.yml"
promtool check rules "$rules"
(cd "$root/tests/observability" && promtool test rules alerts_test.yml)

failed=0
mapfile -t alerts < <(sed -n 's/^ *- alert: //p' "$rules")
for alert in "${alerts[@]}"; do
    # In a list of names the word is written without its first part.
    grep -q "alertname: $alert\b\|alertname=\"$alert\"\|Stampede([^)]*\b${alert#Stampede}\b" \
        "$root/tests/observability/alerts_test.yml" || {
        echo "FAILED: no test of $alert"
        failed=1
    }
    grep -q "^### $alert\$" "$root/docs/operations.md" || {
        echo "FAILED: docs/operations.md does not say what $alert means"
        failed=1
    }
    grep -q "runbook: docs/operations.md#${alert,,}\$" "$rules" || {
        echo "FAILED: $alert has no link to its section"
        failed=1
    }
done
exit "$failed"
