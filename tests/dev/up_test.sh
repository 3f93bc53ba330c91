#!/usr/bin/env bash
# ./dev up, down, status and audit with the real programs, in a place as hostile as they come: a
# long path below a folder that only its owner may enter. Run twice, after kill -9 of each part,
# with a port taken, in the foreground until SIGINT. Each is what somebody's first hour depends on.
#     up_test.sh <folder of the programs>
set -euo pipefail

source_root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)"
programs="$(realpath "$1")"
work="$(mktemp -d)"
long="$work/$(printf 'a-long-name-%.0s' {1..15})"
mkdir "$long"
cp -R "$source_root/dev" "$source_root/tools" "$source_root/migrations" "$long/"
cd "$long"

cleanup() {
    [[ -z ${taker:-} ]] || kill "$taker" 2>/dev/null || true
    if ((test_status != 0)); then
        tail -n 30 "$long"/.stampede/log/{orders,edge}.log "$long/.stampede/pg/log" || true
    fi
    ./dev down >/dev/null || true
    rm -rf "$work"
}
test_status=1
trap cleanup EXIT

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# Nobody's port, out of the thousand with this number: none is chosen twice.
free_port() {
    local port
    while :; do
        port=$((10000 + $1 * 1000 + RANDOM % 1000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    printf '%s\n' "$port"
}

unset DATABASE_URL STAMPEDE_ADMIN_TOKEN
export ORDERS_GRPC_ADDR ORDERS_OPS_ADDR EDGE_HTTP_ADDR EDGE_OPS_ADDR
ORDERS_GRPC_ADDR="127.0.0.1:$(free_port 0)"
ORDERS_OPS_ADDR="127.0.0.1:$(free_port 1)"
EDGE_HTTP_ADDR="127.0.0.1:$(free_port 2)"
EDGE_OPS_ADDR="127.0.0.1:$(free_port 3)"

recorded_pid() {
    cut -d' ' -f1 ".stampede/$1.pid"
}

up() {
    ./dev up --detach --programs "$programs" >"$work/up.out" 2>&1 || {
        cat "$work/up.out" >&2
        fail "up"
    }
}

# Who is told to come again does: the orders service may be a moment later than its port.
purchase() {
    curl -sS --noproxy '*' -o "$work/answer" -w '%{http_code}' --max-time 60 -X POST \
        --retry 60 --retry-delay 1 --retry-max-time 60 \
        -H 'Content-Type: application/json' -H "Idempotency-Key: $1" \
        -d '{"customerId":"c-1","quantity":1}' \
        "http://$EDGE_HTTP_ADDR/v1/sales/$(<.stampede/demo_sale)/orders"
}

expect_purchase() {
    local code
    code="$(purchase "$1")"
    [[ $code == 201 ]] || fail "a purchase got $code: $(<"$work/answer")"
}

echo "up, from nothing"
up
./dev status
[[ $(stat -c %a .stampede/env) == 600 ]] || fail ".stampede/env is not of mode 600"
grep -q '^STAMPEDE_ADMIN_TOKEN=.' .stampede/env || fail "no token in .stampede/env"
for part in orders edge pg/server; do
    [[ $(ps -o euid= -p "$(recorded_pid $part)") -ne 0 || $EUID -ne 0 ]] || fail "$part runs as root"
done
for part in orders edge; do
    capabilities="$(awk '/^CapEff/ {print $2}' "/proc/$(recorded_pid $part)/status")"
    [[ $capabilities =~ ^0+$ ]] || fail "$part has capabilities: $capabilities"
done
expect_purchase first

echo "twice in a row changes nothing"
before="$(cat .stampede/{orders,edge,pg/server}.pid .stampede/demo_sale)"
up
[[ $(cat .stampede/{orders,edge,pg/server}.pid .stampede/demo_sale) == "$before" ]] ||
    fail "a second up restarted something or made another sale"

echo "after kill -9 of any part"
for part in edge orders pg/server; do
    kill -9 "$(recorded_pid $part)"
    ! ./dev status >/dev/null || fail "status does not see that $part is gone"
    up
    ./dev status >/dev/null || fail "up did not bring $part back"
    expect_purchase "after-$part"
done
./dev audit
# The whole house at once.
for part in edge orders pg/server; do
    kill -9 "$(recorded_pid $part)"
done
up
expect_purchase first
./dev audit

echo "down, and down again"
./dev down
! ./dev status || fail "status says that all runs after down"
./dev down
[[ ! -d $(cat .stampede/pg/socket_folder 2>/dev/null) ]] || fail "the socket's folder was left"

echo "a taken port is refused with its owner's name"
perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1",
    LocalPort => $ARGV[0], Listen => 1, ReuseAddr => 1) or die; sleep 600' "${EDGE_OPS_ADDR#*:}" &
taker=$!
until (exec 3<>"/dev/tcp/${EDGE_OPS_ADDR%:*}/${EDGE_OPS_ADDR#*:}") 2>/dev/null; do
    kill -0 "$taker" || fail "the port cannot be taken"
    sleep 0.05
done
! ./dev up --detach --programs "$programs" >"$work/up.out" 2>&1 || fail "up with a taken port"
grep -q "EDGE_OPS_ADDR.*pid $taker" "$work/up.out" || fail "unclear: $(<"$work/up.out")"
kill "$taker"
wait "$taker" 2>/dev/null || true
taker=""

echo "in the foreground, until SIGINT"
# A shell starts what runs in the background with SIGINT ignored.
# shellcheck disable=SC2016 # Perl expands it.
setsid perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' ./dev up --programs "$programs" >"$work/up.out" 2>&1 &
foreground=$!
for _ in {1..1800}; do
    ! grep -q "Ctrl+C" "$work/up.out" || break
    sleep 0.1
done
expect_purchase in-the-foreground
kill -INT "$foreground"
wait "$foreground" || fail "up ended with $?: $(<"$work/up.out")"
! ./dev status >/dev/null || fail "something runs after SIGINT"

test_status=0
echo ok
