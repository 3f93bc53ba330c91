# shellcheck shell=bash
# Randomized histories of sales for as long as asked (tests/history/), with the sanitizers on and on
# a PostgreSQL of their own: nothing here touches what ./dev up runs. Needs output.sh, process.sh,
# packages.sh, stack.sh.

# ./dev soak [--minutes <n>] [--seed <s>]
soak_run() {
    local argument name
    local -a given=("$@")
    while (($# > 0)); do
        argument="$1"
        [[ $argument == --minutes || $argument == --seed ]] ||
            fail "soak takes --minutes <n> and --seed <s>" "./dev soak --minutes 5"
        [[ ${2:-} =~ ^[0-9]{1,20}$ ]] || fail "$argument takes a number" "./dev soak --minutes 5"
        shift 2
    done
    packages_need "${PACKAGES_UP[@]}" "${PACKAGES_TEST[@]}"
    become_caller soak "${given[@]}"
    prepare_state
    # Whoever has read .stampede/env into their shell must not lend its database.
    for name in $(compgen -e); do
        case $name in
        DATABASE_URL | STAMPEDE_* | ORDERS_* | EDGE_* | PG*) unset "$name" ;;
        esac
    done
    step "building" "read what the compiler says above" \
        build_preset dev --target history_soak || exit 1
    # In its place, so that Ctrl+C is the program's, which then ends in order.
    # shellcheck disable=SC2154 # Set in dev.
    exec "$root/build/dev/bin/history-soak" "${given[@]}"
}
