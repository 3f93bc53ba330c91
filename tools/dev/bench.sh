# shellcheck shell=bash
# Speed, side by side, in one run on one machine: the naive flow by pgbench, our SQL batch without
# the services, libh2o without ours, and then ours. Ratios are what counts; absolute figures go stale
# with the machine. Everything runs with its default settings on a fully durable PostgreSQL of its
# own, and the audit follows every run. Needs output.sh, process.sh, packages.sh.

readonly BENCH_CONNECTIONS=256
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

# _bench_median <figure>...
_bench_median() {
    printf '%s\n' "$@" | sort -g | awk '{ a[NR] = $1 } END { print NR % 2 ? a[(NR + 1) / 2] : (a[NR / 2] + a[NR / 2 + 1]) / 2 }'
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
        cmake --build --preset release --target stampede_orders stampede_edge store_bench hello
}

_bench_start() {
    local bin="$root/build/release/bin" grpc http
    bench_folder="$(mktemp -d /tmp/stampede-bench-XXXXXX)"
    trap _bench_stop EXIT
    "$root/tools/dev/scratch-postgres" start "$bench_folder/postgres" --migrate >"$bench_folder/postgres.env" || return 1
    bench_service_url="$(sed -n 's/^DATABASE_URL=//p' "$bench_folder/postgres.env")"
    bench_admin_url="$(sed -n 's/^ADMIN_URL=//p' "$bench_folder/postgres.env")"
    bench_postgres="$(sed -n 's/^SERVER_PID=//p' "$bench_folder/postgres.env")"
    grpc="$(_bench_free_port)" http="$(_bench_free_port)"
    DATABASE_URL="$bench_service_url" STAMPEDE_ADMIN_TOKEN="$BENCH_TOKEN" ORDERS_GRPC_ADDR="127.0.0.1:$grpc" \
        ORDERS_OPS_ADDR=127.0.0.1:0 "$bin/stampede-orders" 2>"$bench_folder/orders.log" &
    bench_orders=$!
    EDGE_HTTP_ADDR="127.0.0.1:$http" EDGE_OPS_ADDR=127.0.0.1:0 EDGE_ORDERS_TARGET="127.0.0.1:$grpc" \
        "$bin/stampede-edge" 2>"$bench_folder/edge.log" &
    bench_edge=$!
    bench_pids=("$bench_edge" "$bench_orders")
    bench_url="http://127.0.0.1:$http"
    local try
    for ((try = 0; try < 200; try++)); do
        ! curl -sf "$bench_url/v1/sales" >/dev/null || return 0
        sleep 0.05
    done
    fail "the programs did not come up: $(tail -n 3 "$bench_folder/orders.log" "$bench_folder/edge.log")"
}

# Each figure's rounds are kept in an array of its own; see bench_run.
_bench_round() {
    local seconds="$1" round="$2" sale clients rate latency best=0 p50 p99 errors port hello

    for clients in 1 5 20; do
        read -r rate latency < <(_bench_naive "$clients" "$seconds")
        ((clients > 1)) || naive_latencies+=("$latency")
        ((rate <= best)) || best="$rate"
    done
    naive+=("$best")
    _bench_audit "the naive flow"

    rate="$(DATABASE_URL="$bench_service_url" "$root/build/release/bench/store_bench" "$seconds" 0 500 |
        sed -n 's/.*orders_per_s=\([0-9]*\).*/\1/p')"
    sqlbatch+=("$rate")
    _bench_audit "the SQL batch"

    sale="$(_bench_make_sale $BENCH_STOCK)"
    read -r rate p50 p99 errors < <(_bench_wrk placements "$seconds" "$BENCH_CONNECTIONS" \
        -s "$root/tests/bench/orders.lua" "$bench_url" -- "$sale" "r$round")
    ((errors == 0)) || fail "placements had $errors errors: $(tail -n 12 "$bench_folder/wrk.log")"
    orders+=("$rate")
    _bench_audit "placements"

    local half=$((rate / 2 / BENCH_THREADS))
    sale="$(_bench_make_sale $BENCH_STOCK)"
    wrk "-t$BENCH_THREADS" "-c$BENCH_CONNECTIONS" "-d${seconds}s" -s "$root/tests/bench/open.lua" "$bench_url" -- \
        "$sale" "o$round" "$half" >"$bench_folder/open.log"
    read -r p50 p99 < <(sed -n 's/^open: .*p50_ms=\([0-9.]*\) p99_ms=\([0-9.]*\).*/\1 \2/p' "$bench_folder/open.log")
    p50s+=("$p50") p99s+=("$p99")
    _bench_audit "half the rate"

    sale="$(_bench_make_sale $BENCH_STOCK)"
    read -r rate p50 p99 errors < <(_bench_wrk lone "$seconds" 1 -s "$root/tests/bench/orders.lua" "$bench_url" -- "$sale" "i$round")
    idle_p50s+=("$p50")

    sale="$(_bench_make_sale 1)"
    wrk -t1 -c1 -d1s -s "$root/tests/bench/orders.lua" "$bench_url" -- "$sale" "w$round" >/dev/null
    read -r rate p50 p99 errors < <(_bench_wrk soldout "$seconds" "$BENCH_CONNECTIONS" \
        -s "$root/tests/bench/orders.lua" "$bench_url" -- "$sale" "s$round")
    soldout+=("$rate")
    _bench_audit "refusals"

    read -r rate p50 p99 errors < <(_bench_wrk reads "$seconds" "$BENCH_CONNECTIONS" "$bench_url/v1/sales/$sale")
    reads+=("$rate")

    port="$(_bench_free_port)"
    "$root/build/release/bench/hello" "$port" &
    hello=$!
    sleep 0.3
    read -r rate p50 p99 errors < <(_bench_wrk hello "$seconds" "$BENCH_CONNECTIONS" \
        -s "$root/tests/bench/orders.lua" "http://127.0.0.1:$port" -- "$sale" "h$round")
    kill "$hello" 2>/dev/null
    wait "$hello" 2>/dev/null || true
    hello_rates+=("$rate")
}

_bench_ratio() {
    awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", (b > 0 ? a / b : 0) }'
}

_bench_report() {
    local n s o h x p50 p99 idle latency r
    n="$(_bench_median "${naive[@]}")" s="$(_bench_median "${sqlbatch[@]}")" o="$(_bench_median "${orders[@]}")"
    h="$(_bench_median "${hello_rates[@]}")" x="$(_bench_median "${soldout[@]}")" r="$(_bench_median "${reads[@]}")"
    p50="$(_bench_median "${p50s[@]}")" p99="$(_bench_median "${p99s[@]}")" idle="$(_bench_median "${idle_p50s[@]}")"
    latency="$(_bench_median "${naive_latencies[@]}")"
    printf '\n%-46s %10s  %s\n' "medians of ${#orders[@]} round(s) of $1 s" "per second" "beside it"
    printf '%-46s %10.0f\n' "naive FOR UPDATE flow, best of 1, 5, 20 clients" "$n"
    printf '%-46s %10.0f\n' "our SQL batch of 500, no services" "$s"
    printf '%-46s %10.0f  %s x naive, %s x SQL batch\n' "durable orders over HTTP" "$o" "$(_bench_ratio "$o" "$n")" "$(_bench_ratio "$o" "$s")"
    printf '%-46s %10.0f\n' "trivial libh2o handler" "$h"
    printf '%-46s %10.0f  %s x trivial\n' "sold-out refusals" "$x" "$(_bench_ratio "$x" "$h")"
    printf '%-46s %10.0f\n' "reads of a sale" "$r"
    printf '%-46s %10s  p50 %s ms, p99 %s ms\n' "orders at half the rate, open loop" "" "$p50" "$p99"
    printf '%-46s %10s  p50 %s ms, %s x the naive transaction (%s ms)\n' "a lone order" "" "$idle" "$(_bench_ratio "$idle" "$latency")" "$latency"
    printf '\nCPU seconds per run (two cores, the client on them too):\n'
    sed 's/^/  /' "$bench_folder/cpu"
    mkdir -p "$root/build/bench"
    jq -n --arg time "$(date -u +%FT%TZ)" --arg cpu "$(<"$bench_folder/cpu")" \
        --argjson orders_per_s "$o" --argjson naive_per_s "$n" --argjson sqlbatch_per_s "$s" --argjson hello_per_s "$h" \
        --argjson soldout_per_s "$x" --argjson reads_per_s "$r" --argjson p50_ms "$p50" --argjson p99_ms "$p99" \
        --argjson idle_p50_ms "$idle" --argjson naive_latency_ms "$latency" --argjson rounds "${#orders[@]}" --argjson seconds "$1" \
        '$ARGS.named' >"$root/build/bench/latest.json"
    printf 'bench: orders_per_s=%.0f naive_per_s=%.0f ratio_naive=%s sqlbatch_per_s=%.0f ratio_sqlbatch=%s hello_per_s=%.0f soldout_per_s=%.0f ratio_soldout=%s p50_ms=%s p99_ms=%s idle_p50_ms=%s\n' \
        "$o" "$n" "$(_bench_ratio "$o" "$n")" "$s" "$(_bench_ratio "$o" "$s")" "$h" "$x" "$(_bench_ratio "$x" "$h")" "$p50" "$p99" "$idle"
}

# ./dev bench [--quick]
bench_run() {
    local seconds=10 rounds=3 round
    case ${1:-} in
    "") ;;
    --quick) seconds=3 rounds=1 ;;
    *) fail "bench takes --quick and nothing else" "./dev bench --quick" ;;
    esac
    packages_need "${PACKAGES_UP[@]}" "${PACKAGES_TEST[@]}"
    become_caller bench "$@"
    prepare_state
    step "building" "read what the compiler says above" _bench_build || exit 1
    naive=() naive_latencies=() sqlbatch=() orders=() p50s=() p99s=() idle_p50s=() soldout=() reads=() hello_rates=()
    say "==> $rounds round(s) of $seconds s each on $(nproc) cores, $(uname -m), load $(cut -d' ' -f1 /proc/loadavg)"
    _bench_start || fail "nothing to measure with"
    psql "$bench_admin_url" -Atc "SELECT 'PostgreSQL ' || current_setting('server_version') || ' fsync=' ||
        current_setting('fsync') || ' synchronous_commit=' || current_setting('synchronous_commit') ||
        ' full_page_writes=' || current_setting('full_page_writes')"
    for ((round = 1; round <= rounds; round++)); do
        _bench_round "$seconds" "$round"
        say "==> round $round done"
    done
    _bench_report "$seconds"
}
