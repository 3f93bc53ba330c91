# shellcheck shell=bash
# ./dev sql: the queries of docs/typed-sql.md against a PostgreSQL that is made for it from
# migrations/ and gone afterwards. Needs $root, and for sql_main
# output.sh, packages.sh and stack.sh of the same folder.

# Folders of queries are named so, and hold .sql files.
sql_folders() {
    (cd "$root" && find libs services tests tools -type d -name queries | sort)
}

# sql_run prepare|check: builds the tool of preset dev unless TYPEDSQL names one.
sql_run() {
    local command="$1" tool="${TYPEDSQL:-$root/build/dev/bin/typedsql}" scratch status=0 url
    local -a folders
    mapfile -t folders < <(sql_folders)
    if ((${#folders[@]} == 0)); then
        echo "there are no queries"
        return 0
    fi
    scratch="$(mktemp -d)" || return 1
    url="$("$root/tools/dev/scratch-postgres" start "$scratch/pg" --migrate --owner-pid $$ |
        sed -n 's/^DATABASE_URL=//p')"
    if [[ -n $url ]]; then
        (cd "$root" && "$tool" "$command" "$url" "${folders[@]}") || status=1
    else
        status=1
    fi
    "$root/tools/dev/scratch-postgres" stop "$scratch/pg" || true
    rm -rf "$scratch"
    return "$status"
}

# ./dev sql prepare | ./dev sql check
sql_main() {
    local command="${1:-}"
    [[ $# == 1 && ($command == prepare || $command == check) ]] ||
        fail "sql takes one of: prepare, check" "./dev sql check"
    packages_need "${PACKAGES_UP[@]}" "${PACKAGES_TEST[@]}"
    become_caller sql "$command"
    prepare_state
    step "building the tool" "cmake --build --preset dev --target typedsql" \
        build_preset dev --target typedsql || exit 1
    sql_run "$command"
}
