#!/usr/bin/env bash
# What is asked of every service of compose.yaml and of every image, without Docker; and that the check
# of the services finds what is taken away, for the same check decides in ./dev compose-test.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
readonly root work
status=0

failed() {
    echo "FAILED: $*"
    status=1
}

# As somebody has it who sets nothing.
sed -E 's/\$\{[A-Z_0-9]+:?-([^}]*)\}/\1/g' "$root/compose.yaml" >"$work/whole"
! grep -nF "\${" "$work/whole" || failed "a variable of compose.yaml has no default"

check() {
    awk -f "$root/tests/compose/services.awk" "$1" >"$work/said"
}

check "$work/whole" || { cat "$work/said" && failed "compose.yaml"; }
cat "$work/said"

# refused <service> <what is said of it>: the changed file on standard input is found out.
refused() {
    cat >"$work/changed"
    if cmp -s "$work/whole" "$work/changed"; then
        failed "nothing was changed of $1 for: $2"
    elif check "$work/changed"; then
        failed "$1 passes without: $2"
    else
        grep -q "^$1: .*$2" "$work/said" || { cat "$work/said" && failed "not said of $1: $2"; }
    fi
}

# without <service> <key>: the file with a service that lacks a key and what is below it.
without() {
    awk -v service="$1" -v key="$2" '
        /^[^ ]/ { here = 0 }
        /^  [^ #]/ { here = ($1 == service ":") }
        here && /^    [^ ]/ { gone = ($1 == key ":") }
        !here { gone = 0 }
        !gone' "$work/whole"
}

# with <service> <line>: the file with a service that has one line more.
with() {
    sed "s|^  $1:\$|&\n    $2|" "$work/whole"
}

for service in $(awk '/^services:/ { on = 1; next } /^[^ #]/ { on = 0 } on && /^  [a-z0-9]+:$/' \
    "$work/whole" | tr -d ' :'); do
    for key in image read_only cap_drop security_opt mem_limit pids_limit networks logging; do
        refused "$service" "$key" < <(without "$service" "$key")
    done
    for key in privileged cap_add network_mode user; do
        refused "$service" "$key" < <(with "$service" "$key: any")
    done
    [[ $service == postgres ]] || refused "$service" profile < <(without "$service" profiles)
done
for service in postgres orders edge prometheus audit grafana balancer; do
    for key in healthcheck restart stop_grace_period; do
        refused "$service" "$key" < <(without "$service" "$key")
    done
    refused "$service" "127.0.0.1" \
        < <(sed "/^  $service:/,/^\$/s/127\.0\.0\.1:\([0-9]\)/\1/" "$work/whole")
done
for service in edge orders; do
    refused "$service" "a drain may take" \
        < <(sed "/^  $service:/,/^\$/s/stop_grace_period: .*/stop_grace_period: 15s/" "$work/whole")
done
refused load "no profile tool" < <(sed '/^  load:/,/^$/s/\[tools\]/[tool]/' "$work/whole")

# Images: of one base and version, for nobody's root, and signals go to the program.
base="$(sed -n 's/^ARG BASE_IMAGE=//p' "$root/deploy/stampede/Dockerfile")"
version="$(sed -nE 's/^project\(stampede VERSION ([0-9.]+) .*/\1/p' "$root/CMakeLists.txt")"
grep -q "STAMPEDE_VERSION: &version $version\$" "$root/compose.yaml" ||
    failed "compose.yaml does not say version $version of CMakeLists.txt"
[[ $(grep -c "BASE_IMAGE: $base\$" "$work/whole") == 2 ]] ||
    failed "compose.yaml does not name the base $base"
for file in "$root"/deploy/*/Dockerfile; do
    name="${file#"$root/deploy/"}"
    grep -qx "ARG BASE_IMAGE=$base" "$file" || failed "$name is of another base than $base"
    [[ $(grep '^USER ' "$file" | tail -n 1) =~ ^USER\ [1-9][0-9]*:[1-9][0-9]*$ ]] ||
        failed "$name does not end as a user other than root"
    ! grep -nE '^(CMD|ENTRYPOINT) [^[]' "$file" || failed "$name has a command in a shell"
    grep -q '^ENTRYPOINT \[' "$file" || failed "$name has no ENTRYPOINT"
    ! grep -nE '^FROM [^$]' "$file" | grep -vE 'FROM (build|runtime) AS ' ||
        failed "$name is built on something else"
    grep -q '/usr/share/stampede/packages' "$file" || failed "$name does not say what is in it"
    grep -qF "org.opencontainers.image.version=\"\${STAMPEDE_VERSION}\"" "$file" ||
        failed "$name does not say its version"
done
((status != 0)) || echo ok
exit "$status"
