#!/bin/sh
# Runs the example server and client of docs/rpc.md against each other: run_test.sh SERVER CLIENT.
set -eu

server=$1
client=$2
output=$(mktemp)
"$server" >"$output" &
server_pid=$!
trap 'kill "$server_pid" 2>/dev/null || true; rm -f "$output"' EXIT

tries=0
until port=$(head -n 1 "$output") && [ -n "$port" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || { echo "the server did not start"; exit 1; }
    sleep 0.1
done

said=$("$client" "127.0.0.1:$port" "hello there")
[ "$said" = "hello there" ] || { echo "the echo was: $said"; exit 1; }

refused=$("$client" "127.0.0.1:$port" "") && { echo "an empty text was accepted"; exit 1; }
[ "$refused" = "3 INVALID_FIELD
text is not empty" ] || { echo "the refusal was: $refused"; exit 1; }

kill -TERM "$server_pid"
wait "$server_pid"
grep -q "^stopped, 0 calls cancelled$" "$output"
