# shellcheck shell=bash
# Processes that ./dev started: a pid alone may name somebody else's process by now, so each is
# kept with its start time, and nothing is ever signalled unless both still match.

# The start time of a process in clock ticks since boot; fails if there is none.
process_start_time() {
    local stat
    { stat="$(<"/proc/$1/stat")"; } 2>/dev/null || return 1
    # The command name stands in parentheses and may hold anything, so count from the last one.
    local -a fields
    read -r -a fields <<<"${stat##*) }"
    # A zombie has ended; it only waits for its parent.
    [[ ${fields[0]} != Z ]] || return 1
    printf '%s\n' "${fields[19]}"
}

# process_record <file> <pid>: writes down a process just started.
process_record() {
    local start
    start="$(process_start_time "$2")" || return 1
    printf '%s %s\n' "$2" "$start" >"$1"
}

# process_recorded_pid <file>: prints the pid if the very process recorded is still there.
process_recorded_pid() {
    local pid start
    [[ -r $1 ]] && read -r pid start <"$1" || return 1
    [[ $(process_start_time "$pid") == "$start" ]] || return 1
    printf '%s\n' "$pid"
}

# process_await_end <file> <seconds>: waits until the recorded process is gone; 1 if it stays.
process_await_end() {
    local deadline=$((SECONDS + $2 + 1))
    while process_recorded_pid "$1" >/dev/null; do
        ((SECONDS < deadline)) || return 1
        sleep 0.05
    done
}

# process_stop <file> <signal> <seconds>: signals the recorded process and waits; 1 if it stays.
process_stop() {
    local pid
    pid="$(process_recorded_pid "$1")" || return 0
    kill -s "$2" "$pid" 2>/dev/null || true
    process_await_end "$1" "$3"
}

# process_name <pid>: what it is, for people.
process_name() {
    local name
    { name="$(tr '\0' ' ' <"/proc/$1/cmdline")"; } 2>/dev/null || name=""
    [[ -n $name ]] || { name="$(<"/proc/$1/comm")"; } 2>/dev/null || name="unknown"
    name="${name//$'\n'/ }"
    printf '%.80s\n' "${name% }"
}
