# shellcheck shell=bash
# How ./dev talks: every step says what it does and how long it took; a step that fails says why and
# what to try. Needs $state (the folder .stampede).

say() {
    printf '%s\n' "$*"
}

# fail <why> [<what to try>]
fail() {
    printf 'dev: %s\n' "$1" >&2
    [[ -z ${2:-} ]] || printf '     try: %s\n' "$2" >&2
    exit 1
}

# Milliseconds of a clock that is good for differences.
now_ms() {
    local t="${EPOCHREALTIME/[.,]/}"
    printf '%s\n' "${t%???}"
}

# seconds_since <ms of now_ms>: "1.2 s".
seconds_since() {
    local ms=$(($(now_ms) - $1))
    printf '%d.%d s\n' $((ms / 1000)) $((ms % 1000 / 100))
}

# Set while logs follow on the same terminal: a step then says nothing before its end.
step_whole_lines=""

# step <what> <what to try if it fails> <command...>: runs it with its output in a file. On failure
# shows the end of the output, and returns 1. A command may print one line of result to fd 3.
step() {
    local what="$1" hint="$2" begin status=0 log result
    shift 2
    log="$state/log/step-${what//[^a-zA-Z0-9]/-}.log"
    begin="$(now_ms)"
    [[ -n $step_whole_lines ]] || printf '==> %s ... ' "$what"
    "$@" >"$log" 2>&1 3>"$log.result" || status=$?
    [[ -z $step_whole_lines ]] || printf '==> %s ... ' "$what"
    if ((status == 0)); then
        result="$(<"$log.result")"
        printf 'done%s (%s)\n' "${result:+: $result}" "$(seconds_since "$begin")"
    else
        printf 'FAILED (%s)\n' "$(seconds_since "$begin")"
        tail -n 40 "$log" | sed 's/^/    /' >&2
        printf 'dev: %s failed; all it said is in %s\n' "$what" "$log" >&2
        [[ -z $hint ]] || printf '     try: %s\n' "$hint" >&2
    fi
    rm -f "$log.result"
    return $((status != 0))
}
