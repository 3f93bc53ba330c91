#!/usr/bin/env bash
# A real Prometheus scrapes both programs and the audit under load: every expression of the dashboard
# returns data, every rule evaluates, every limit is watched, and damage in the database raises the
# alert. An expression that names a metric wrongly is otherwise found out on the night it is needed.
#
#     dashboard_test.sh <folder of both programs>
set -euo pipefail

bin="$1"
if ! command -v prometheus >/dev/null || ! command -v busybox >/dev/null; then
    echo "SKIPPED: Debian's packages prometheus and busybox are not installed"
    exit 77
fi
# shellcheck source=tests/observability/programs.sh
. "$(dirname "${BASH_SOURCE[0]}")/programs.sh"

# A port that was free a moment ago; who starts something on it tries again with another.
free_port() {
    local port
    while port=$((15000 + RANDOM % 15000)); (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
        :
    done
    echo "$port"
}

# start_listener <name> <probe URL, PORT in it> <command..., PORT in it>: sets listener_port.
start_listener() {
    local name="$1" probe="$2" pid attempt try
    shift 2
    for attempt in 1 2 3 4 5; do
        listener_port="$(free_port)"
        "${@//PORT/$listener_port}" >"$work/$name.log" 2>&1 &
        pid=$!
        for ((try = 0; try < patience; try++)); do
            if ! kill -0 "$pid" 2>/dev/null; then
                break
            elif curl -sf "${probe//PORT/$listener_port}" >/dev/null; then
                started+=("$pid")
                return 0
            fi
            sleep 0.1
        done
        kill "$pid" 2>/dev/null || true
        echo "$name did not start on port $listener_port, attempt $attempt"
    done
    fail "$name did not start"
}

# What the services have, by names of their own here: the jobs are those of prometheus.yml.
write_config() {
    mkdir -p "$work/prometheus/rules"
    cp "$root"/deploy/prometheus/rules/*.yml "$work/prometheus/rules/"
    cat >"$work/prometheus/prometheus.yml" <<YAML
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [rules/*.yml]
scrape_configs:
  - {job_name: stampede-edge, static_configs: [{targets: ["$edge_ops"]}]}
  - {job_name: stampede-orders, static_configs: [{targets: ["$orders_ops"]}]}
  - {job_name: stampede-audit, metrics_path: /audit.txt, static_configs: [{targets: ["127.0.0.1:$audit_port"]}]}
YAML
    local job
    for job in stampede-edge stampede-orders stampede-audit; do
        grep -q "job_name: $job\$" "$root/deploy/prometheus/prometheus.yml" ||
            fail "prometheus.yml has no job $job"
    done
}

# ask <expression>: prints how many series it gives; fails when it cannot be evaluated.
ask() {
    curl -sS --max-time 30 -G "http://127.0.0.1:$prometheus_port/api/v1/query" \
        --data-urlencode "query=$1" >"$work/answer"
    jq -e 'select(.status == "success") | .data.result | length' "$work/answer"
}

gives_data() {
    local count
    count="$(ask "$1")" && ((count > 0))
}

# Every kind of work: placed, replayed, refused by orders and by the edge, held, confirmed, cancelled,
# expired, read, and a bad request.
work_a_while() {
    local sale="$1" sold_out="$2" held="$3" round="$4" order
    timeout 20 wrk -t1 -c16 -d2s -s "$root/tests/bench/orders.lua" "$shop" -- "$sale" "r$round" >/dev/null
    timeout 20 wrk -t1 -c4 -d1s -s "$root/tests/bench/orders.lua" "$shop" -- "$sold_out" "r$round" >/dev/null
    for customer in a b c; do
        order="$(place "$held" "$customer" "$customer-$round" | jq -r '.orderId // empty')"
        # The hold may have run out by then: a later round is quicker.
        case $customer in
        a) admin "/v1/sales/$held/orders/$order:confirm" '{}' >/dev/null || true ;;
        b) admin "/v1/sales/$held/orders/$order:cancel" '{}' >/dev/null || true ;;
        esac
    done
    curl -sS --max-time 30 "$shop/v1/sales/$held" "$shop/v1/nonsense" >/dev/null
}

# What is still without data among the lines of <file>.
missing() {
    local expression
    while IFS= read -r expression; do
        gives_data "$expression" || printf '%s\n' "$expression"
    done <"$1"
}

rules_are_healthy() {
    curl -sS "http://127.0.0.1:$prometheus_port/api/v1/rules" |
        jq -e '[.data.groups[].rules[]] | length > 20 and all(.health == "ok")'
}

alert_fires() {
    curl -sS "http://127.0.0.1:$prometheus_port/api/v1/alerts" |
        jq -e --arg name "$1" 'select(.status == "success") | .data.alerts | any(.labels.alertname == $name and .state == "firing")'
}

start_postgres
start_orders "$bin" "$DATABASE_URL"
start_edge "$bin"
start_listener audit "http://127.0.0.1:PORT/audit.txt" env DATABASE_URL="$DATABASE_URL" \
    AUDIT_INTERVAL_S=1 "$root/tools/audit/audit-metrics" serve 127.0.0.1:PORT
audit_port="$listener_port"
write_config
start_listener prometheus "http://127.0.0.1:PORT/-/ready" prometheus \
    --config.file="$work/prometheus/prometheus.yml" --storage.tsdb.path="$work/prometheus/data" \
    --web.listen-address=127.0.0.1:PORT --log.level=warn
prometheus_port="$listener_port"

jq -r '.panels[].targets[].expr, .annotations.list[].expr' \
    "$root/deploy/grafana/provisioning/dashboards/stampede.json" >"$work/all"
# Nothing fires when all is well, so this one has nothing to show: it must evaluate only.
grep -v '^ALERTS{' "$work/all" >"$work/wanted"
[[ $(wc -l <"$work/wanted") -gt 20 ]] || fail "the dashboard has hardly any expressions"
sale="$(make_sale 5000000 0 sale)"
sold_out="$(make_sale 3 0 sold-out)"
held="$(make_sale 1000 1 held)"
for ((round = 1; round <= 15; round++)); do
    work_a_while "$sale" "$sold_out" "$held" "$round"
    missing "$work/wanted" >"$work/missing"
    [[ -s $work/missing ]] || break
done
[[ ! -s $work/missing ]] || fail "without data after $round rounds of load: $(<"$work/missing")"
echo "$(wc -l <"$work/wanted") expressions of the dashboard return data, after $round rounds"

# Alerts mostly return nothing, which is their point; but each must evaluate, and Prometheus says so.
await "the evaluation of every rule" rules_are_healthy
jq -r '.panels[].targets[].expr, .annotations.list[].expr' \
    "$root/deploy/grafana/provisioning/dashboards/stampede.json" | while IFS= read -r expression; do
    ask "$expression" >/dev/null || fail "cannot be evaluated: $expression: $(<"$work/answer")"
done
echo "every rule evaluates"

# Each limit that something holds is watched, those that come later too.
for ops in "$edge_ops" "$orders_ops"; do
    curl -sS "http://$ops/metrics" >"$work/metrics"
    for name in $(curl -sS "http://$ops/limits" | jq -r '.[].name'); do
        if grep -q "^stampede_${name}[ {]" "$work/metrics"; then
            case $name in
            loops | pool_idle | pool_connecting) continue ;; # not nearer to their end when they rise
            esac
            await "anybody's watch on the limit $name of $ops" \
                gives_data "stampede:limit_used:ratio{instance=\"$ops\", limit=\"$name\"}"
        fi
    done
done
echo "every limit is watched"

for alert in StampedeAuditViolation StampedeNotDurable StampedeInternalErrors StampedeNotReady; do
    ! alert_fires "$alert" >/dev/null || fail "$alert fires though all is well"
done
psql -X -q -v ON_ERROR_STOP=1 -c \
    "UPDATE sales SET stock_total = stock_total + 1, stock_remaining = stock_remaining + 2
     WHERE sale_id = '$held'" "$OWNER_URL"
await "the alert on a sale that does not add up" alert_fires StampedeAuditViolation
await "the audit's word on which sale it is" \
    grep -q "$held VIOLATION stock does not add up: off by 1" "$work/audit.log"
echo "damage in the database raises the alert"

kill -KILL "$edge_pid"
wait "$edge_pid" 2>/dev/null || true
gone() {
    gives_data 'up{job="stampede-edge"} == 0' && alert_fires StampedeNoReplica
}
await "the alert on an edge that was killed" gone
echo ok
