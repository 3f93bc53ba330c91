# shellcheck shell=bash
# Every test that needs no Docker, in five parts. Nothing here touches what ./dev up runs: tests
# take free ports and make their own servers and folders.
#
#   lint     shellcheck, clang-format, layer check
#   dev      ASan and UBSan: everything
#   tsan     ThreadSanitizer: all but what has a single thread on our side
#   release  what is installed, from where it was installed: end to end
#   fuzz     built by clang, the second compiler: each decoder's corpus and a short search
readonly -a TEST_PARTS=(lint dev tsan release fuzz)

test_passed=0
test_failed=0
test_failures=()
test_complete=""

# _test_check <what> <hint> <command...>: a step that counts as a test.
_test_check() {
    if step "$@"; then
        test_passed=$((test_passed + 1))
    else
        test_failed=$((test_failed + 1))
        test_failures+=("$1")
        return 1
    fi
}

# _test_ctest <preset> <arguments of ctest...>: runs and counts them.
_test_ctest() {
    local preset="$1" log="$state/log/ctest-$1.log" begin
    shift
    begin="$(now_ms)"
    say "==> ctest $preset"
    (cd "$root" && ctest --test-dir "build/$preset" --output-on-failure --no-tests=error \
        --parallel "$(nproc)" "$@") </dev/null 2>&1 | tee "$log" || true
    if [[ $(<"$log") =~ ([0-9]+)" tests failed out of "([0-9]+) ]]; then
        test_failed=$((test_failed + BASH_REMATCH[1]))
        test_passed=$((test_passed + BASH_REMATCH[2] - BASH_REMATCH[1]))
        ((BASH_REMATCH[1] == 0)) || test_failures+=("ctest $preset")
    else
        test_failed=$((test_failed + 1))
        test_failures+=("ctest $preset did not run")
    fi
    say "    ($(seconds_since "$begin"))"
}

_test_build() {
    _test_check "building preset $1" "cmake --build --preset $1" build_preset "$1"
}

_test_part_lint() {
    _test_check "shellcheck" "" check_shell || true
    _test_check "clang-format" "./dev fmt" check_formatted || true
    _test_check "layer check" "the files of tools/layercheck/ say what is asked" check_layers || true
}

_test_part_dev() {
    ! _test_build dev || _test_ctest dev
}

# A store or a session is one worker's own: its tests, among the longest, would show TSan nothing.
_test_part_tsan() {
    ! _test_build tsan || _test_ctest tsan --label-exclude '^(dev|fuzz)$' \
        --exclude-regex '^(integration/(libs/postgres|tools|services/orders/adapters/postgres)|history)/'
}

_test_install() {
    rm -rf "$root/build/staging"
    cmake --install "$root/build/release" --component runtime --prefix "$root/build/staging" &&
        "$root/build/staging/bin/stampede-orders" --version &&
        "$root/build/staging/bin/stampede-edge" --version
}

_test_part_release() {
    _test_build release || return 0
    if _test_check "installing to a staging folder" "" _test_install; then
        _test_check "up and down with what was installed" "" \
            "$root/tests/dev/up_test.sh" "$root/build/staging/bin" || true
    fi
    _test_ctest release --label-regex '^e2e$' --exclude-regex '^dev/up_test$'
}

_test_part_fuzz() {
    ! _test_build fuzz || _test_ctest fuzz --label-regex '^fuzz$'
}

# The last words, also when something ended the run before its time.
_test_summary() {
    local failure
    if [[ -z $test_complete ]]; then
        test_failed=$((test_failed + 1))
        test_failures+=("the run ended early")
    fi
    for failure in "${test_failures[@]}"; do
        say "FAILED: $failure"
    done
    say "$test_passed passed, $test_failed failed"
}

# ./dev test [<part>...]
test_run() {
    local part name begin
    trap _test_summary EXIT
    for part in "$@"; do
        [[ " ${TEST_PARTS[*]} " == *" $part "* ]] ||
            fail "test has no part '$part'" "one of: ${TEST_PARTS[*]}"
    done
    packages_need "${PACKAGES_UP[@]}" "${PACKAGES_TEST[@]}"
    become_caller test "$@"
    prepare_state
    # Whoever has read .stampede/env into their shell must not lend its database to the tests.
    for name in $(compgen -e); do
        case $name in
        DATABASE_URL | STAMPEDE_* | ORDERS_* | EDGE_* | PG*) unset "$name" ;;
        esac
    done
    begin="$(now_ms)"
    (($# > 0)) || set -- "${TEST_PARTS[@]}"
    for part in "$@"; do
        "_test_part_$part"
    done
    say
    say "all of it took $(seconds_since "$begin")"
    test_complete=yes
    ((test_failed == 0))
}
