# shellcheck shell=bash
# Format and lint. Each check is one function, so that ./dev test can count them one by one.

readonly CHECK_FORMATTER=clang-format-14

# Our C files, NUL-terminated; generated code lies in build/.
check_c_files() {
    find "$root/libs" "$root/services" "$root/tools" "$root/tests" -name '*.[ch]' -print0 | sort -z
}

# Every shell script that is no part of ./dev; those parts are checked with it.
_check_scripts() {
    find "$root/.ci" "$root/tools" "$root/tests" "$root/deploy" -type f -print0 2>/dev/null |
        xargs -0 grep -lE --null -m1 '^#!.*\b(bash|sh)$' | sort -z
}

check_shell() {
    local -a scripts
    mapfile -d '' -t scripts < <(_check_scripts)
    (cd "$root" && shellcheck --external-sources --check-sourced dev "${scripts[@]}")
}

check_formatted() {
    check_c_files | xargs -0 "$CHECK_FORMATTER" --dry-run -Werror
}

# Needs preset dev configured: compile_commands.json says which files are in a target.
check_layers() {
    build_preset dev --target layercheck &&
        "$root/build/dev/bin/layercheck" "$root" "$root/build/dev/compile_commands.json"
}

# Tests are left to the sanitizers, which run them. The whole of preset clang is built first: the
# generated headers have to be there.
check_tidy() {
    build_preset clang &&
        (cd "$root" && run-clang-tidy-14 -quiet -j "$(nproc)" -p build/clang \
            "^$root/(libs|services|tools)/")
}

# ./dev fmt
check_format() {
    (($# == 0)) || fail "fmt takes no argument" "./dev help"
    packages_need clang-format-14
    become_caller fmt
    prepare_state
    # shellcheck disable=SC2016 # Expanded by the inner shell.
    step "formatting" "" sh -c "find '$root/libs' '$root/services' '$root/tools' '$root/tests' \
        -name '*.[ch]' -print0 | xargs -0 $CHECK_FORMATTER -i" || exit 1
}

# ./dev lint
check_lint() {
    local status=0
    (($# == 0)) || fail "lint takes no argument" "./dev help"
    packages_need "${PACKAGES_UP[@]}" "${PACKAGES_TEST[@]}"
    become_caller lint
    prepare_state
    step "shellcheck" "" check_shell || status=1
    step "clang-format" "./dev fmt" check_formatted || status=1
    step "layer check" "the files of tools/layercheck/ say what is asked" check_layers || status=1
    step "clang-tidy" "" check_tidy || status=1
    return "$status"
}
