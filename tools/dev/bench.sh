# shellcheck shell=bash
# Speed, side by side, in one run on one machine: the naive flow by pgbench, our SQL batch without
# the services, libh2o without ours, and then ours. Ratios are what counts; absolute figures go stale
# with the machine. Everything runs with its default settings on a fully durable PostgreSQL of its
# own, and the audit follows every run. Needs output.sh, process.sh, packages.sh.

readonly BENCH_CONNECTIONS=1000
readonly BENCH_THREADS=1
readonly BENCH_STOCK=10000000
readonly BENCH_TOKEN=bench-admin-token-0123456789

bench_folder=""
bench_pids=()

_bench_free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        ss -Hltn "sport = :$port" | grep -q . || break
    done
    printf '%s\n' "$port"
}

_bench_stop() {
    local pid
    for pid in "${bench_pids[@]}"; do
        kill -TERM "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    bench_pids=()
    if [[ -n $bench_folder ]]; then
        "$root/tools/dev/scratch-postgres" stop "$bench_folder/postgres" >/dev/null 2>&1 || true
        rm -rf "$bench_folder"
    fi
}

# CPU seconds used so far by processes, children of the database included: orders edge postgres.
_bench_cpu() {
    local ticks
    ticks="$(getconf CLK_TCK)"
    {
        cat "/proc/$bench_orders/stat" "/proc/$bench_edge/stat"
        cat "/proc/$bench_postgres/stat"
        for stat in /proc/[0-9]*/stat; do
            cat "$stat" 2>/dev/null || true
        done | awk -v parent="$bench_postgres" '{ sub(/^.*\) /, ""); if ($2 == parent) print "child) " $0 }'
    } | awk -v ticks="$ticks" '
        { sub(/^.*\) /, ""); used = ($12 + $13) / ticks }
        NR == 1 { orders = used } NR == 2 { edge = used } NR > 2 { postgres += used }
        END { printf "%.2f %.2f %.2f\n", orders, edge, postgres }'
}

# _bench_note <figure> <value>: one round's figure; bench_median <figure>: the median of them all.
_bench_note() {
    printf '%s %s\n' "$1" "$2" >>"$bench_folder/figures"
}

_bench_median() {
    awk -v name="$1" '$1 == name { print $2 }' "$bench_folder/figures" | sort -g |
        awk '{ a[NR] = $1 } END { print NR % 2 ? a[(NR + 1) / 2] : (a[NR / 2] + a[NR / 2 + 1]) / 2 }'
}

# _bench_make_sale <stock>: prints the id.
_bench_make_sale() {
    curl -sS -X POST "$bench_url/v1/sales" -H "Authorization: Bearer $BENCH_TOKEN" \
        -H "Idempotency-Key: bench-$RANDOM-$(now_ms)" -H 'Content-Type: application/json' \
        -d '{"sku":"bench","title":"Bench","unitPrice":{"currencyCode":"EUR","amountMinor":"100"},"endTime":"2999-01-01T00:00:00Z","stockTotal":'"$1"'}' |
        jq -re .saleId
}

# _bench_wrk <name> <seconds> <connections> <wrk arguments...>: prints "rate p50_ms p99_ms errors",
# and appends to $bench_folder/cpu what the run cost.
_bench_wrk() {
    local name="$1" seconds="$2" connections="$3" before after out threads="$BENCH_THREADS"
    shift 3
    ((connections >= threads)) || threads="$connections"
    before="$(_bench_cpu)"
    out="$(wrk "-t$threads" "-c$connections" "-d${seconds}s" --latency --timeout 20s "$@")"
    after="$(_bench_cpu)"
    printf '%s\n' "$out" >>"$bench_folder/wrk.log"
    awk -v name="$name" -v before="$before" -v after="$after" -v seconds="$seconds" 'BEGIN {
        split(before, b, " "); split(after, a, " ")
        printf "%s orders=%.2f edge=%.2f postgres=%.2f seconds=%d\n", name, a[1] - b[1], a[2] - b[2], a[3] - b[3], seconds
    }' >>"$bench_folder/cpu"
    printf '%s\n' "$out" | awk '
        function ms(text) {
            if (text ~ /us$/) return text / 1000
            if (text ~ /ms$/) return text + 0
            return text * 1000
        }
        $1 == "50%" { p50 = ms($2) } $1 == "99%" { p99 = ms($2) }
        $1 == "Requests/sec:" { rate = $2 }
        $1 == "Non-2xx" { errors = $NF } $1 == "Socket" { gsub(",", ""); errors += $4 + $6 + $8 + $10 }
        END { printf "%.0f %.2f %.2f %d\n", rate, p50, p99, errors }'
}

_bench_audit() {
    DATABASE_URL="$bench_admin_url" "$root/dev" audit >>"$bench_folder/audit.log" 2>&1 ||
        fail "the audit found a violation after $1: $(tail -n 3 "$bench_folder/audit.log")"
}

_bench_naive() {
    local clients="$1" seconds="$2" sale
    sale="$(_bench_make_sale $BENCH_STOCK)"
    /usr/lib/postgresql/15/bin/pgbench -n -M prepared -c "$clients" -j "$((clients > 2 ? 2 : clients))" \
        -T "$seconds" -D "sale=$sale" -f "$root/tests/bench/naive.sql" "$bench_service_url" 2>/dev/null |
        awk '/^latency average/ { latency = $4 } /^tps/ { tps = $3 } END { printf "%.0f %.3f\n", tps, latency }'
}

_bench_build() {
    cd "$root" && cmake --preset release &&
        cmake --build --preset release --target stampede_orders stampede_edge store_bench hello idle_connections
}

_bench_start() {
    local bin="$root/build/release/bin" grpc http
    bench_folder="$(mktemp -d /tmp/stampede-bench-XXXXXX)"
    trap _bench_stop EXIT
    "$root/tools/dev/scratch-postgres" start "$bench_folder/postgres" --migrate >"$bench_folder/postgres.env" || return 1
    bench_service_url="$(sed -n 's/^DATABASE_URL=//p' "$bench_folder/postgres.env")"
    bench_admin_url="$(sed -n 's/^ADMIN_URL=//p' "$bench_folder/postgres.env")"
    bench_postgres="$(sed -n 's/^SERVER_PID=//p' "$bench_folder/postgres.env")"
    grpc="$(_bench_free_port)" http="$(_bench_free_port)" bench_edge_ops="$(_bench_free_port)"
    DATABASE_URL="$bench_service_url" STAMPEDE_ADMIN_TOKEN="$BENCH_TOKEN" ORDERS_GRPC_ADDR="127.0.0.1:$grpc" \
        ORDERS_OPS_ADDR=127.0.0.1:0 "$bin/stampede-orders" 2>"$bench_folder/orders.log" &
    bench_orders=$!
    EDGE_HTTP_ADDR="127.0.0.1:$http" EDGE_OPS_ADDR="127.0.0.1:$bench_edge_ops" EDGE_ORDERS_TARGET="127.0.0.1:$grpc" \
        "$bin/stampede-edge" 2>"$bench_folder/edge.log" &
    bench_edge=$!
    bench_pids=("$bench_edge" "$bench_orders")
    bench_url="http://127.0.0.1:$http" bench_port="$http"
    local try
    for ((try = 0; try < 200; try++)); do
        ! curl -sf "$bench_url/v1/sales" >/dev/null || return 0
        sleep 0.05
    done
    fail "the programs did not come up: $(tail -n 3 "$bench_folder/orders.log" "$bench_folder/edge.log")"
}

# _bench_load <figure> <seconds> <connections> <run> <sale>: placements at full speed in a closed loop.
_bench_load() {
    local rate p50 p99 errors
    read -r rate p50 p99 errors < <(_bench_wrk "$1" "$2" "$3" -s "$root/tests/bench/orders.lua" "$bench_url" -- "$5" "$4")
    # A refusal is a fine answer only where the sale is sold out.
    ((errors == 0)) || [[ $1 == soldout ]] || fail "$1 had $errors errors: $(tail -n 12 "$bench_folder/wrk.log")"
    _bench_note "$1_per_s" "$rate"
    _bench_note "$1_p50_ms" "$p50"
    _bench_note "$1_p99_ms" "$p99"
}

_bench_round_naive() {
    local clients rate latency best=0
    for clients in 1 5 20; do
        read -r rate latency < <(_bench_naive "$clients" "$1")
        ((clients > 1)) || _bench_note naive_latency_ms "$latency"
        ((rate <= best)) || best="$rate"
    done
    _bench_note naive_per_s "$best"
    _bench_audit "the naive flow"
}

_bench_round_sqlbatch() {
    _bench_note sqlbatch_per_s "$(DATABASE_URL="$bench_service_url" "$root/build/release/bench/store_bench" "$1" 0 500 |
        sed -n 's/.*orders_per_s=\([0-9]*\).*/\1/p')"
    _bench_audit "the SQL batch"
}

# _bench_open <figure> <seconds> <url> <sale> <run> <rate>: each request at its moment, so many a second.
_bench_open() {
    local p50 p99
    wrk "-t$BENCH_THREADS" "-c$BENCH_CONNECTIONS" "-d$2s" -s "$root/tests/bench/open.lua" "$3" -- \
        "$4" "$5" "$(($6 / BENCH_THREADS))" >"$bench_folder/open.log"
    read -r p50 p99 < <(sed -n 's/^open: .*p50_ms=\([0-9.]*\) p99_ms=\([0-9.]*\).*/\1 \2/p' "$bench_folder/open.log")
    _bench_note "$1_p50_ms" "$p50"
    _bench_note "$1_p99_ms" "$p99"
}

# Half of what the round's placements reached; and the trivial handler at that rate: what the client and
# the machine take by themselves.
_bench_round_open() {
    local seconds="$1" round="$2" half port hello
    half="$(awk '$1 == "orders_per_s" { rate = $2 } END { print int(rate / 2) }' "$bench_folder/figures")"
    _bench_open open "$seconds" "$bench_url" "$(_bench_make_sale $BENCH_STOCK)" "o$round" "$half"
    _bench_audit "half the rate"
    port="$(_bench_free_port)"
    "$root/build/release/bench/hello" "$port" "$(nproc)" echo &
    hello=$!
    sleep 0.3
    _bench_open open_hello "$seconds" "http://127.0.0.1:$port" 00000000-0000-0000-0000-000000000000 "e$round" "$half"
    kill "$hello" 2>/dev/null
    wait "$hello" 2>/dev/null || true
}

# While one sale takes all it can get: orders of a quiet sale and reads, one after the other each.
_bench_round_beside() {
    local seconds="$1" round="$2" hot quiet rate p50 p99 errors load reader
    hot="$(_bench_make_sale $BENCH_STOCK)" quiet="$(_bench_make_sale $BENCH_STOCK)"
    wrk "-t$BENCH_THREADS" "-c$BENCH_CONNECTIONS" "-d$((seconds + 1))s" --timeout 20s -s "$root/tests/bench/orders.lua" \
        "$bench_url" -- "$hot" "f$round" >/dev/null &
    load=$!
    sleep 0.3
    _bench_wrk beside_reads "$seconds" 1 "$bench_url/v1/sales/$quiet" >"$bench_folder/beside_reads" &
    reader=$!
    read -r rate p50 p99 errors < <(_bench_wrk beside_orders "$seconds" 1 -s "$root/tests/bench/orders.lua" "$bench_url" -- "$quiet" "q$round")
    _bench_note beside_orders_p99_ms "$p99"
    wait "$reader"
    read -r rate p50 p99 errors <"$bench_folder/beside_reads"
    _bench_note beside_reads_p99_ms "$p99"
    wait "$load"
    _bench_audit "a quiet sale beside a hot one"
}

_bench_round_soldout() {
    local sale
    sale="$(_bench_make_sale 1)"
    wrk -t1 -c1 -d1s -s "$root/tests/bench/orders.lua" "$bench_url" -- "$sale" "w$2" >/dev/null
    _bench_load soldout "$1" "$BENCH_CONNECTIONS" "s$2" "$sale"
    _bench_audit "refusals"
}

_bench_round_reads() {
    local rate p50 p99 errors sale
    sale="$(_bench_make_sale 1)"
    read -r rate p50 p99 errors < <(_bench_wrk reads "$1" "$BENCH_CONNECTIONS" "$bench_url/v1/sales/$sale")
    _bench_note reads_per_s "$rate"
    _bench_note reads_p99_ms "$p99"
}

_bench_round_hello() {
    local rate p50 p99 errors port hello
    port="$(_bench_free_port)"
    "$root/build/release/bench/hello" "$port" &
    hello=$!
    sleep 0.3
    read -r rate p50 p99 errors < <(_bench_wrk hello "$1" "$BENCH_CONNECTIONS" \
        -s "$root/tests/bench/orders.lua" "http://127.0.0.1:$port" -- 00000000-0000-0000-0000-000000000000 "h$2")
    kill "$hello" 2>/dev/null
    wait "$hello" 2>/dev/null || true
    _bench_note hello_per_s "$rate"
    _bench_note hello_p99_ms "$p99"
}

_bench_round() {
    local seconds="$1" round="$2"
    _bench_round_naive "$seconds"
    _bench_round_sqlbatch "$seconds"
    _bench_load orders "$seconds" "$BENCH_CONNECTIONS" "r$round" "$(_bench_make_sale $BENCH_STOCK)"
    _bench_audit "placements"
    _bench_round_open "$seconds" "$round"
    _bench_load lone "$seconds" 1 "i$round" "$(_bench_make_sale $BENCH_STOCK)"
    _bench_round_beside "$seconds" "$round"
    _bench_round_soldout "$seconds" "$round"
    _bench_round_hello "$seconds" "$round"
    _bench_round_reads "$seconds"
}

_bench_ratio() {
    awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", (b > 0 ? a / b : 0) }'
}

# _bench_row <name> <figure> [<text beside it>]
_bench_row() {
    printf '%-48s %10.0f  %s\n' "$1" "$(_bench_median "$2")" "${3:-}"
}

_bench_percentiles() {
    printf 'p50 %s ms, p99 %s ms' "$(_bench_median "$1_p50_ms")" "$(_bench_median "$1_p99_ms")"
}

_bench_report() {
    local n s o h x idle latency
    n="$(_bench_median naive_per_s)" s="$(_bench_median sqlbatch_per_s)" o="$(_bench_median orders_per_s)"
    h="$(_bench_median hello_per_s)" x="$(_bench_median soldout_per_s)" idle="$(_bench_median lone_p50_ms)"
    latency="$(_bench_median naive_latency_ms)"
    printf '\n%-48s %10s\n' "medians of $2 round(s) of $1 s, $BENCH_CONNECTIONS connections" "per second"
    _bench_row "naive FOR UPDATE flow, best of 1, 5, 20 clients" naive_per_s
    _bench_row "our SQL batch of 500, no services" sqlbatch_per_s
    _bench_row "durable orders over HTTP" orders_per_s "$(_bench_ratio "$o" "$n") x naive, $(_bench_ratio "$o" "$s") x SQL batch; $(_bench_percentiles orders)"
    _bench_row "trivial libh2o handler" hello_per_s
    _bench_row "sold-out refusals" soldout_per_s "$(_bench_ratio "$x" "$h") x trivial; $(_bench_percentiles soldout)"
    _bench_row "reads of a sale" reads_per_s "p99 $(_bench_median reads_p99_ms) ms"
    printf '%-59s  %s\n' "orders at half the rate, open loop" "$(_bench_percentiles open); the trivial handler at that rate: $(_bench_percentiles open_hello)"
    printf '%-59s  %s\n' "a lone order" "$(_bench_percentiles lone); p50 $(_bench_ratio "$idle" "$latency") x the naive transaction ($latency ms)"
    printf '%-59s  %s\n' "beside a saturated sale" "p99 of a quiet sale's orders $(_bench_median beside_orders_p99_ms) ms, of reads $(_bench_median beside_reads_p99_ms) ms"
    printf '\nCPU seconds per run (two cores, the client on them too):\n'
    sed 's/^/  /' "$bench_folder/cpu"
    mkdir -p "$root/build/bench"
    jq -Rn --arg time "$(date -u +%FT%TZ)" --arg cpu "$(<"$bench_folder/cpu")" --argjson seconds "$1" --argjson rounds "$2" '
        [inputs | split(" ") | {name: .[0], value: (.[1] | tonumber)}] | group_by(.name) |
        map({key: .[0].name, value: {median: (map(.value) | sort | if length % 2 == 1 then .[length / 2 | floor]
             else (.[length / 2 - 1] + .[length / 2]) / 2 end), rounds: map(.value)}}) | from_entries |
        {time: $time, seconds: $seconds, rounds: $rounds, cpu: ($cpu | split("\n")), figures: .}' \
        <"$bench_folder/figures" >"$root/build/bench/latest.json"
    printf 'bench: orders_per_s=%.0f naive_per_s=%.0f ratio_naive=%s sqlbatch_per_s=%.0f ratio_sqlbatch=%s hello_per_s=%.0f soldout_per_s=%.0f ratio_soldout=%s p50_ms=%s p99_ms=%s idle_p50_ms=%s\n' \
        "$o" "$n" "$(_bench_ratio "$o" "$n")" "$s" "$(_bench_ratio "$o" "$s")" "$h" "$x" "$(_bench_ratio "$x" "$h")" \
        "$(_bench_median open_p50_ms)" "$(_bench_median open_p99_ms)" "$idle"
}

# --- Memory ---------------------------------------------------------------------------------------

_bench_remaining() {
    curl -sS "$bench_url/v1/sales/$1" | jq -re .stockRemaining
}

_bench_board_refusals() {
    curl -sS "http://127.0.0.1:$bench_edge_ops/metrics" | awk '/^stampede_board_refused_total/ { n += $2 } END { print n + 0 }'
}

# One order after the other, each with a key of its own, until the edge refuses one by itself.
_bench_until_edge_refuses() {
    local sale="$1" begun before try
    begun="$(now_ms)" before="$(_bench_board_refusals)"
    for ((try = 0; try < 6000; try++)); do
        curl -sS -o /dev/null -X POST "$bench_url/v1/sales/$sale/orders" -H "Idempotency-Key: late-$try" \
            -H 'Content-Type: application/json' -d '{"customerId":"late","quantity":1}'
        if (($(_bench_board_refusals) > before)); then
            printf '%s\n' "$(($(now_ms) - begun))"
            return 0
        fi
    done
    fail "the edge has not refused by itself"
}

_bench_rss_mb() {
    awk '/^VmRSS:/ { printf "%.1f\n", $2 / 1024 }' "/proc/$1/status"
}

# Sells a sale out and holds idle connections: what the two programs take then.
_bench_memory() {
    local orders="$1" idle="$2" sale run=0 refused held edge service
    sale="$(_bench_make_sale "$orders")"
    say "==> selling $orders orders"
    while (($(_bench_remaining "$sale") > 0)); do
        wrk "-t$BENCH_THREADS" "-c$BENCH_CONNECTIONS" -d5s --timeout 20s -s "$root/tests/bench/orders.lua" "$bench_url" -- "$sale" "m$((run++))" >/dev/null
    done
    refused="$(_bench_until_edge_refuses "$sale")"
    coproc IDLE { "$root/build/release/bench/idle_connections" "$bench_port" /v1/sales "$idle"; }
    read -r held <&"${IDLE[0]}"
    edge="$(_bench_rss_mb "$bench_edge")" service="$(_bench_rss_mb "$bench_orders")"
    kill "$IDLE_PID" 2>/dev/null || true
    _bench_audit "selling out"
    printf 'memory: orders=%s idle_%s edge_rss_mb=%s orders_rss_mb=%s sum_rss_mb=%s refused_after_ms=%s\n' "$orders" "$held" "$edge" "$service" \
        "$(awk -v a="$edge" -v b="$service" 'BEGIN { printf "%.1f", a + b }')" "$refused"
}

# ./dev bench [--quick | --memory [<orders>]]
bench_run() {
    local seconds=10 rounds=3 round memory=""
    case ${1:-} in
    "") ;;
    --quick) seconds=3 rounds=1 ;;
    --memory)
        memory="${2:-5000000}"
        [[ $memory =~ ^[1-9][0-9]{0,7}$ ]] || fail "--memory takes a number of orders, not '$memory'" "./dev bench --memory 100000"
        ;;
    *) fail "bench takes --quick or --memory [<orders>]" "./dev bench --quick" ;;
    esac
    packages_need "${PACKAGES_UP[@]}" "${PACKAGES_TEST[@]}"
    become_caller bench "$@"
    prepare_state
    step "building" "read what the compiler says above" _bench_build || exit 1
    _bench_start || fail "nothing to measure with"
    : >"$bench_folder/figures"
    if [[ -n $memory ]]; then
        _bench_memory "$memory" 10000
        return
    fi
    say "==> $rounds round(s) of $seconds s each on $(nproc) cores, $(uname -m), load $(cut -d' ' -f1 /proc/loadavg)"
    psql "$bench_admin_url" -Atc "SELECT 'PostgreSQL ' || current_setting('server_version') || ' fsync=' ||
        current_setting('fsync') || ' synchronous_commit=' || current_setting('synchronous_commit') ||
        ' full_page_writes=' || current_setting('full_page_writes')"
    for ((round = 1; round <= rounds; round++)); do
        _bench_round "$seconds" "$round"
        say "==> round $round done"
    done
    _bench_report "$seconds" "$rounds"
}
