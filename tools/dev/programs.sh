# shellcheck shell=bash
# The two programs: started unprivileged, watched until ready, drained in order. Needs process.sh,
# output.sh, settings.sh.
#
# Root runs them as nobody, with no capability at all. A checkout may lie below a folder that nobody
# cannot enter, so root runs copies in a folder of their own; the build can also replace its
# outputs then while they run.

readonly PROGRAMS_READY_SECONDS=60
# Above the programs' own drain bounds; past it they are killed.
readonly PROGRAMS_DRAIN_SECONDS=45
# Enough sockets for what the limits allow; the usual soft limit of 1024 is not.
readonly PROGRAMS_FILES=65536

# Where the programs come from; up --programs changes it.
programs_from="$root/build/release/bin"

programs_built() {
    printf '%s/stampede-%s\n' "$programs_from" "$1"
}

# _programs_wants <orders|edge> <name>: whether the program is given that variable of the caller's
# environment: its own settings and little else. The edge gets no token and no database.
_programs_wants() {
    case $1/$2 in
    orders/DATABASE_URL | orders/STAMPEDE_ADMIN_TOKEN | orders/ORDERS_* | edge/EDGE_* | \
        */LOG_* | */OTEL_* | */GRPC_* | */TZ | */*SAN_OPTIONS)
        return 0
        ;;
    *) return 1 ;;
    esac
}

# Makes the environment that of the program; in the subshell that becomes it. Not by env(1), on
# whose command line everybody could read the secrets.
_programs_narrow_environment() {
    local name
    for name in $(compgen -e); do
        _programs_wants "$1" "$name" || unset "$name"
    done
    export PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
}

# What a running program was started from; if it differs from what would be started now, the
# program is out of date.
_programs_fingerprint() {
    {
        sha256sum <"$(programs_built "$1")"
        (_programs_narrow_environment "$1" && export -p)
    } | sha256sum | cut -c1-32
}

programs_up_to_date() {
    process_recorded_pid "$state/$1.pid" >/dev/null &&
        [[ -r $state/$1.print && $(<"$state/$1.print") == "$(_programs_fingerprint "$1")" ]]
}

# Root's folder of copies: the first place from which nobody may execute.
_programs_folder() {
    local folder="" base
    if [[ -r $state/programs_folder ]]; then
        folder="$(<"$state/programs_folder")"
        [[ ! -d $folder || -L $folder || ! -O $folder ]] || {
            printf '%s\n' "$folder"
            return 0
        }
    fi
    for base in /tmp /var/tmp /run /dev/shm; do
        folder="$(mktemp -d "$base/stampede-XXXXXX" 2>/dev/null)" || continue
        chmod 755 "$folder"
        cp /bin/true "$folder/true"
        if "${programs_as[@]}" "$folder/true" 2>/dev/null; then
            rm -f "$folder/true"
            printf '%s\n' "$folder" | tee "$state/programs_folder"
            return 0
        fi
        rm -rf "$folder"
    done
    echo "found no folder from which an unprivileged user may run a program" >&2
    return 1
}

programs_remove_folder() {
    local folder
    [[ -r $state/programs_folder ]] || return 0
    folder="$(<"$state/programs_folder")"
    [[ $folder != */stampede-* ]] || rm -rf -- "$folder"
    rm -f "$state/programs_folder"
}

programs_as=()
if ((EUID == 0)); then
    programs_as=(setpriv --reuid=nobody --regid=nogroup --clear-groups --bounding-set=-all
        --inh-caps=-all --ambient-caps=-all --no-new-privs)
fi

# Prints the file to execute.
_programs_place() {
    local built folder
    built="$(programs_built "$1")"
    if ((EUID != 0)); then
        printf '%s\n' "$built"
        return 0
    fi
    folder="$(_programs_folder)" || return 1
    # A new file under the old name: the old one may be running.
    install -m 755 "$built" "$folder/.new" && mv "$folder/.new" "$folder/stampede-$1" || return 1
    printf '%s\n' "$folder/stampede-$1"
}

# programs_start <orders|edge> <ops address setting>: starts it and waits for /readyz.
programs_start() {
    local own="$1" file lines
    file="$(_programs_place "$own")" || return 1
    lines="$(wc -l 2>/dev/null <"$state/log/$own.log" || echo 0)"
    (
        # The program may not be able to enter the folder that we are in, nor should it read .env:
        # what that says is in the environment already.
        cd / && ulimit -S -n "$(_programs_files)" && _programs_narrow_environment "$own"
        exec setsid "${programs_as[@]}" "$file"
    ) </dev/null >>"$state/log/$own.log" 2>&1 3>&- 9>&- &
    process_record "$state/$own.pid" $! || true
    _programs_fingerprint "$own" >"$state/$own.print"
    _programs_await_ready "$own" "$2" || {
        tail -n "+$((lines + 1))" "$state/log/$own.log" | tail -n 30
        return 1
    }
}

_programs_files() {
    local hard
    hard="$(ulimit -H -n)"
    if [[ $hard == unlimited ]] || ((hard > PROGRAMS_FILES)); then
        hard=$PROGRAMS_FILES
    fi
    printf '%s\n' "$hard"
}

programs_is_ready() {
    curl --silent --fail --noproxy '*' --max-time 2 --output /dev/null \
        "http://$(settings_host "$1"):$(settings_port "$1")/readyz"
}

_programs_await_ready() {
    local deadline=$((SECONDS + PROGRAMS_READY_SECONDS))
    while ((SECONDS < deadline)); do
        if ! process_recorded_pid "$state/$1.pid" >/dev/null; then
            echo "stampede-$1 ended at once:"
            return 1
        fi
        ! programs_is_ready "$2" || return 0
        sleep 0.05
    done
    echo "stampede-$1 was not ready within $PROGRAMS_READY_SECONDS s; its log:"
    return 1
}

# programs_stop <orders|edge>: drains it; kills it when the bound has passed, and says so on fd 3.
programs_stop() {
    local pid
    if pid="$(process_recorded_pid "$state/$1.pid")"; then
        kill -0 "$pid" 2>/dev/null || {
            echo "pid $pid belongs to another user"
            return 1
        }
        if ! process_stop "$state/$1.pid" TERM "$PROGRAMS_DRAIN_SECONDS"; then
            process_stop "$state/$1.pid" KILL 5 || return 1
            echo "killed after $PROGRAMS_DRAIN_SECONDS s" >&3
        fi
    fi
    rm -f "$state/$1.pid" "$state/$1.print"
}

# programs_hurry: a second signal, which ends a draining program at once.
programs_hurry() {
    local own pid
    for own in edge orders; do
        ! pid="$(process_recorded_pid "$state/$own.pid")" || kill -s TERM "$pid" 2>/dev/null || true
    done
}

# programs_check_port <setting>: refuses a port that somebody else listens on, with their name.
programs_check_port() {
    local port host line pid own
    port="$(settings_port "$1")" host="${!1%:*}"
    while read -r line; do
        # Another address of this machine is another port.
        case $(awk '{sub(/:[0-9]+$/, "", $4); print $4}' <<<"$line") in
        "$host" | "${host%%\%*}" | 0.0.0.0 | "*" | "[::]") ;;
        *) [[ $host == 0.0.0.0 || $host == "[::]" || $host == localhost ]] || continue ;;
        esac
        pid=""
        [[ ! $line =~ pid=([0-9]+) ]] || pid="${BASH_REMATCH[1]}"
        for own in orders edge; do
            [[ -z $pid || $(process_recorded_pid "$state/$own.pid") != "$pid" ]] || continue 2
        done
        if [[ -n $pid ]]; then
            fail "port $port ($1) is taken by $(process_name "$pid") (pid $pid)" \
                "stop it, or choose another: $1=${!1%:*}:<port> ./dev up"
        fi
        fail "port $port ($1) is taken by a program of another user" \
            "sudo ss -ltnp 'sport = :$port', or choose another: $1=${!1%:*}:<port> ./dev up"
    done < <(ss -Hltnp "sport = :$port")
}
