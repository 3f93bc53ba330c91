# shellcheck shell=bash
# The system in containers, tested from outside: compose.yaml is built, brought up, looked at by
# tests/compose, restarted under load and taken down. Needs output.sh, process.sh, packages.sh.
#
# An engine that runs is used as it is. Where none does, one is started for this command alone, with
# its images in .stampede/docker, and ended with it; what it did to the machine's network is undone.
# Where no registry can be reached the base image is made with debootstrap.
#
# The compose tool is v2 where it is there, else docker-compose; STAMPEDE_COMPOSE names another one:
# "docker compose", docker-compose, or the path of one.

readonly COMPOSE_PROJECT=stampede-test
readonly COMPOSE_UNAVAILABLE=77
readonly COMPOSE_ENGINE_START_SECONDS=120
readonly COMPOSE_ENGINE_STOP_SECONDS=60
# Generous, for machines that are busy otherwise: no test is about how long something takes.
readonly COMPOSE_HEALTHY_SECONDS=300
readonly COMPOSE_MIGRATED_SECONDS=300
# What takes longer was killed and fails the test. That compose.yaml grants enough is checked in itself.
readonly COMPOSE_STOP_SECONDS=120
readonly COMPOSE_REPORT_SECONDS=60
readonly COMPOSE_PULL_SECONDS=120
# It is ended when all is done; this is for a run that was killed.
readonly COMPOSE_LOAD_SECONDS=3600
readonly COMPOSE_LOAD_PER_SECOND=200
readonly COMPOSE_MIRROR=http://deb.debian.org
readonly COMPOSE_OWN_BASE=stampede/base:bookworm
readonly COMPOSE_SCRAPE_SECONDS=180
readonly -a COMPOSE_IMAGES=(postgres migrate orders edge test prometheus audit load balancer)
readonly -a COMPOSE_PROFILES=(--profile app --profile observability --profile tools --profile test)

compose_tool=()
compose_engine_folder=""
compose_begun_ms=0
compose_passed=0
compose_failed=0
compose_is_up=""
compose_complete=""
compose_work=""

# --- The engine ---------------------------------------------------------------------------------

_compose_unavailable() {
    say "compose-test: not run: $1"
    compose_complete=unavailable
    exit "$COMPOSE_UNAVAILABLE"
}

_compose_engine_answers() {
    command -v docker >/dev/null && timeout 10 docker info >/dev/null 2>&1
}

# What an engine changes of the machine's network, as it was: it is put back at the end.
_compose_note_network() {
    local policy
    policy="$(iptables -S FORWARD 2>/dev/null | sed -n 's/^-P FORWARD //p')"
    {
        printf 'forward=%s\n' "$(</proc/sys/net/ipv4/ip_forward)"
        printf 'policy=%s\n' "${policy:-ACCEPT}"
        [[ ! -e /sys/class/net/docker0 ]] || printf 'bridge=kept\n'
        ! iptables -S DOCKER >/dev/null 2>&1 || printf 'chains=kept\n'
    } >"$compose_engine_folder/network"
}

# Rules of an engine that has ended: all of them go by its chains or its bridges.
_compose_remove_rules() {
    local table line chain
    for table in filter nat; do
        while IFS= read -r line; do
            # shellcheck disable=SC2086 # The words of a rule.
            iptables -t "$table" -D ${line#-A }
        done < <(iptables -t "$table" -S 2>/dev/null |
            grep -E "^-A (FORWARD|PREROUTING|OUTPUT|POSTROUTING) " |
            grep -E -- '-j DOCKER|docker0|br-[0-9a-f]{12}')
        for chain in DOCKER-USER DOCKER-ISOLATION-STAGE-1 DOCKER-ISOLATION-STAGE-2 DOCKER; do
            ! iptables -t "$table" -F "$chain" 2>/dev/null || true
        done
        for chain in DOCKER-USER DOCKER-ISOLATION-STAGE-1 DOCKER-ISOLATION-STAGE-2 DOCKER; do
            iptables -t "$table" -X "$chain" 2>/dev/null || true
        done
    done
}

_compose_restore_network() {
    local noted="$1/network"
    [[ -r $noted ]] || return 0
    grep -q '^bridge=' "$noted" || ip link delete docker0 2>/dev/null || true
    grep -q '^chains=' "$noted" || _compose_remove_rules
    iptables -P FORWARD "$(sed -n 's/^policy=//p' "$noted")"
    sed -n 's/^forward=//p' "$noted" >/proc/sys/net/ipv4/ip_forward
}

# Starts an engine of our own; its sockets lie at a short path.
_compose_engine_start() {
    local deadline=$((SECONDS + COMPOSE_ENGINE_START_SECONDS)) folder
    compose_engine_folder="$(mktemp -d /tmp/stampede-docker-XXXXXX)" || return 1
    folder="$compose_engine_folder"
    printf '%s\n' "$folder" >"$state/docker_folder"
    _compose_note_network
    mkdir -p "$state/docker"
    (exec setsid dockerd --data-root "$state/docker" --exec-root "$folder/exec" \
        --pidfile "$folder/pid" --host "unix://$folder/socket") \
        </dev/null >"$state/log/docker.log" 2>&1 3>&- 4>&- 5>&- 6>&- &
    process_record "$state/docker.pid" $! || return 1
    export DOCKER_HOST="unix://$folder/socket"
    until _compose_engine_answers; do
        process_recorded_pid "$state/docker.pid" >/dev/null && ((SECONDS < deadline)) || return 1
        sleep 0.3
    done
}

# Ends the engine that was started here, now or by a run that was killed.
_compose_engine_stop() {
    local folder=""
    { read -r folder <"$state/docker_folder"; } 2>/dev/null || return 0
    process_stop "$state/docker.pid" TERM "$COMPOSE_ENGINE_STOP_SECONDS" ||
        process_stop "$state/docker.pid" KILL 5 || return 1
    _compose_restore_network "$folder"
    [[ $folder != /tmp/stampede-docker-* ]] || rm -rf -- "$folder"
    rm -f "$state/docker.pid" "$state/docker_folder"
}

# The one reason why an engine did not start, out of all that it said.
_compose_engine_reason() {
    local line
    line="$(grep -E 'level=(fatal|error)|^failed|rror' "$state/log/docker.log" 2>/dev/null | tail -n 1)"
    printf '%.200s\n' "${line:-see $state/log/docker.log}"
}

_compose_find_engine() {
    if _compose_engine_answers && _compose_find_tool; then
        say "==> the engine that runs here: $(docker version --format '{{.Server.Version}}')"
        return 0
    fi
    ((EUID == 0)) || _compose_unavailable "no Docker engine answers, and to start one takes root"
    (packages_need "${PACKAGES_COMPOSE[@]}") ||
        _compose_unavailable "no Docker engine answers, and its packages cannot be installed"
    _compose_find_tool || _compose_unavailable "there is no docker compose and no docker-compose"
    ! _compose_engine_answers || return 0
    _compose_engine_start || _compose_unavailable \
        "the Docker engine cannot start here: $(_compose_engine_reason)"
    say "==> a Docker engine for this command alone, its images in .stampede/docker ... started"
}

# Prints the version of compose_tool; fails if it is no compose that works.
_compose_tool_version() {
    local version
    version="$("${compose_tool[@]}" version --short 2>/dev/null)" || return 1
    version="${version#v}"
    [[ $version =~ ^[0-9]+\.[0-9.]+ ]] || return 1
    printf '%s\n' "$version"
}

_compose_find_tool() {
    if [[ -n ${STAMPEDE_COMPOSE:-} ]]; then
        read -r -a compose_tool <<<"$STAMPEDE_COMPOSE"
        _compose_tool_version >/dev/null ||
            fail "STAMPEDE_COMPOSE, which is '$STAMPEDE_COMPOSE', runs no compose" \
                "STAMPEDE_COMPOSE='docker compose' or STAMPEDE_COMPOSE=docker-compose, or leave it unset"
        return 0
    fi
    compose_tool=(docker compose)
    ! _compose_tool_version >/dev/null || return 0
    compose_tool=(docker-compose)
    _compose_tool_version >/dev/null
}

_compose() {
    (cd "$root" && "${compose_tool[@]}" --project-name "$COMPOSE_PROJECT" "$@") 4>&- 5>&- 6>&-
}

# --- Images -------------------------------------------------------------------------------------

# What the public slim image leaves out too: documentation, and translations but their licences.
_compose_slim_down() {
    local rootfs="$1"
    cat >"$rootfs/etc/dpkg/dpkg.cfg.d/slim" <<'RULES'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
RULES
    # Nobody needs a half-built layer after a crash.
    echo force-unsafe-io >"$rootfs/etc/dpkg/dpkg.cfg.d/unsafe-io"
    printf 'APT::Install-Recommends "false";\nAcquire::Languages "none";\n' \
        >"$rootfs/etc/apt/apt.conf.d/slim"
    cat >"$rootfs/etc/apt/sources.list" <<SOURCES
deb $COMPOSE_MIRROR/debian bookworm main
deb $COMPOSE_MIRROR/debian bookworm-updates main
deb $COMPOSE_MIRROR/debian-security bookworm-security main
SOURCES
    chroot "$rootfs" sh -c 'apt-get -q update && apt-get -q -y upgrade' || return 1
    find "$rootfs/usr/share/doc" -type f ! -name copyright -delete
    rm -rf "$rootfs"/usr/share/{man,info,locale}/* "$rootfs"/var/cache/apt/* \
        "$rootfs"/var/lib/apt/lists/* "$rootfs"/var/log/*
}

_compose_bootstrap() {
    debootstrap --variant=minbase bookworm "$1" "$COMPOSE_MIRROR/debian" || return 1
    _compose_slim_down "$1" || return 1
    tar -C "$1" --numeric-owner -c . | docker import --change 'CMD ["bash"]' \
        --change 'LABEL description="debootstrap --variant=minbase bookworm"' - "$COMPOSE_OWN_BASE"
}

_compose_make_base() {
    local folder status=0
    folder="$(mktemp -d "${TMPDIR:-/tmp}/stampede-base-XXXXXX")" || return 1
    _compose_bootstrap "$folder/root" || status=1
    rm -rf "$folder"
    return "$status"
}

# The base that the Dockerfiles name, or one made here under a name that says so.
_compose_find_base() {
    local named
    named="$(sed -n 's/^ARG BASE_IMAGE=//p' "$root/deploy/stampede/Dockerfile")"
    if [[ -n ${STAMPEDE_BASE_IMAGE:-} ]]; then
        return 0
    fi
    if docker image inspect "$named" >/dev/null 2>&1; then
        say "==> base image: $named"
    elif docker image inspect "$COMPOSE_OWN_BASE" >/dev/null 2>&1; then
        export STAMPEDE_BASE_IMAGE="$COMPOSE_OWN_BASE"
        say "==> base image: $COMPOSE_OWN_BASE, made here before"
    elif timeout "$COMPOSE_PULL_SECONDS" docker pull --quiet "$named" >"$state/log/pull.log" 2>&1; then
        say "==> base image: $named, pulled"
    else
        export STAMPEDE_BASE_IMAGE="$COMPOSE_OWN_BASE"
        step "no registry can be reached: making the base image with debootstrap" \
            "see $state/log/pull.log; or name an image in STAMPEDE_BASE_IMAGE" \
            _compose_make_base ||
            _compose_unavailable "no base image can be had: neither from a registry nor from $COMPOSE_MIRROR"
    fi
}

# Images are built from packages: without a way to them there is nothing to test here.
_compose_find_archive() {
    local base="${STAMPEDE_BASE_IMAGE:-$(sed -n 's/^ARG BASE_IMAGE=//p' "$root/deploy/stampede/Dockerfile")}"
    # shellcheck disable=SC2016 # The container's shell.
    timeout 60 docker run --rm "$base" bash -c 'exec 3<>"/dev/tcp/$0/80"' "${COMPOSE_MIRROR#http://}" \
        >"$state/log/archive.log" 2>&1 ||
        _compose_unavailable "containers of this engine cannot reach $COMPOSE_MIRROR"
}

_compose_image_sizes() {
    local name
    for name in "${COMPOSE_IMAGES[@]}"; do
        docker image inspect --format "$name {{.Size}}" "stampede/$name:$STAMPEDE_TAG"
    done | awk '{ printf "%s%s %.0f MB", (NR > 1 ? ", " : ""), $1, $2 / 1000000 } END { print "" }'
}

_compose_build() {
    local name
    for name in "${COMPOSE_IMAGES[@]}"; do
        _compose "${COMPOSE_PROFILES[@]}" build "$name" || return 1
    done
    _compose_image_sizes >&3
}

# Every image says which packages are in it, of which version it is and what it was made on.
_compose_check_images() {
    local name label status=0
    for name in "${COMPOSE_IMAGES[@]}"; do
        docker run --rm --network none --entrypoint cat "stampede/$name:$STAMPEDE_TAG" \
            /usr/share/stampede/packages >"$compose_work/packages-$name" || return 1
        grep -qE '^libc6 2\.36-' "$compose_work/packages-$name" || status=1
        label="$(docker image inspect --format '{{index .Config.Labels "org.opencontainers.image.version"}} on {{index .Config.Labels "org.opencontainers.image.base.name"}}' "stampede/$name:$STAMPEDE_TAG")"
        echo "$name $label"
        [[ $label =~ ^[0-9]+\.[0-9]+\.[0-9]+\ on\ [^\ ]+$ ]] || status=1
    done
    _compose_check_packages postgres postgresql-15 postgresql-client-15 libssl3 &&
        _compose_check_packages orders libgrpc29 libprotobuf-c1 libpq5 &&
        _compose_check_packages edge libh2o-evloop0.13 libgrpc29 libyajl2 &&
        _compose_check_packages prometheus prometheus &&
        _compose_check_packages balancer haproxy || return 1
    sed -n -E 's/^(postgresql-15|libgrpc29|libh2o-evloop0.13|libprotobuf-c1) (.*)/\1 \2/p' \
        "$compose_work"/packages-{postgres,orders,edge} | sort -u | paste -s -d, | sed 's/,/, /g' >&3
    return "$status"
}

# _compose_check_packages <image> <package...>
_compose_check_packages() {
    local image="$1" package
    shift
    for package in "$@"; do
        grep "^$package [0-9]" "$compose_work/packages-$image" && continue
        echo "$package is not named in /usr/share/stampede/packages of stampede/$image"
        return 1
    done
}

# --- Containers ---------------------------------------------------------------------------------

# _compose_containers <service>: the ids of its containers, in the order of their numbers.
_compose_containers() {
    docker ps --all --no-trunc --filter "label=com.docker.compose.project=$COMPOSE_PROJECT" \
        --filter "label=com.docker.compose.service=$1" --filter label=com.docker.compose.oneoff=False \
        --format '{{.Label "com.docker.compose.container-number"}} {{.ID}}' | sort -n | cut -d' ' -f2
}

# _compose_address <container>: where others of its network reach it.
_compose_address() {
    docker inspect --format \
        "{{(index .NetworkSettings.Networks \"${COMPOSE_PROJECT}_calls\").IPAddress}}" "$1"
}

# _compose_published <container> <port>: host:port of this machine.
_compose_published() {
    docker port "$1" "$2" | grep -m 1 '^127\.0\.0\.1:'
}

_compose_await_healthy() {
    local deadline=$((SECONDS + COMPOSE_HEALTHY_SECONDS)) container
    for container in "$@"; do
        until [[ $(docker inspect --format '{{.State.Health.Status}}' "$container") == healthy ]]; do
            ((SECONDS < deadline)) || {
                docker logs --tail 20 "$container"
                return 1
            }
            sleep 0.3
        done
    done
}

# _compose_await_exit <container> <seconds>: fails unless it ends by itself, with 0.
_compose_await_exit() {
    local status
    status="$(timeout "$2" docker wait "$1")" || status="none in $2 s"
    [[ $status == 0 ]] || {
        docker logs --tail 20 "$1"
        echo "exit status $status"
        return 1
    }
}

_compose_tester() {
    _compose --profile app --profile test run --rm --no-deps -T test "$@" </dev/null
}

# --- What is tested -----------------------------------------------------------------------------

# _compose_check <what> <command...>: a step that counts as a test.
_compose_check() {
    local what="$1"
    shift
    if step "$what" "./dev compose-test again with what is said above in mind" "$@"; then
        compose_passed=$((compose_passed + 1))
    else
        compose_failed=$((compose_failed + 1))
        return 1
    fi
}

# The default profile: PostgreSQL and nothing else.
_compose_check_default() {
    local running
    _compose up -d || return 1
    running="$(docker ps --quiet --filter "label=com.docker.compose.project=$COMPOSE_PROJECT" | wc -l)"
    [[ $running == 1 ]] || {
        echo "$running containers run instead of one"
        return 1
    }
    # shellcheck disable=SC2046 # Ids.
    _compose_await_healthy $(_compose_containers postgres)
}

_compose_check_app() {
    local migrate
    _compose --profile app up -d --no-build --scale orders=2 --scale edge=2 || return 1
    migrate="$(_compose_containers migrate)"
    _compose_await_exit "$migrate" "$COMPOSE_MIGRATED_SECONDS" || return 1
    # shellcheck disable=SC2046 # Ids.
    _compose_await_healthy $(_compose_containers orders) $(_compose_containers edge) || return 1
    echo "migration done, 2 orders and 2 edges healthy" >&3
}

# What is asked of every service of every profile, of the file as this compose tool reads it.
_compose_check_services() {
    _compose "${COMPOSE_PROFILES[@]}" config >"$compose_work/config" || return 1
    awk -f "$root/tests/compose/services.awk" "$compose_work/config" >"$compose_work/services" || {
        cat "$compose_work/services" "$compose_work/config"
        return 1
    }
    tail -n 1 "$compose_work/services" >&3
}

# What compose.yaml promises of each container that runs.
_compose_check_containers() {
    local container status=0 line
    for container in $(_compose_containers postgres) $(_compose_containers orders) \
        $(_compose_containers edge) $(_compose_containers prometheus) $(_compose_containers audit) \
        $(_compose_containers balancer); do
        line="$(docker inspect --format \
            '{{.Name}} {{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.Memory}} {{.HostConfig.CapDrop}} {{range $p, $b := .NetworkSettings.Ports}}{{range $b}}{{.HostIp}} {{end}}{{end}}' "$container")"
        echo "$line"
        [[ $line =~ ^/[^\ ]+\ [1-9][0-9]*:[0-9]+\ true\ [1-9][0-9]*\ \[ALL\]\ (127\.0\.0\.1\ )+$ ]] ||
            status=1
        # PID 1 is the program itself, so signals are its own; the auditor is a script, and so a bash.
        line="$(docker exec "$container" cat /proc/1/comm)"
        echo "PID 1 is $line"
        [[ $line =~ ^(postgres|stampede-orders|stampede-edge|prometheus|haproxy|bash)$ ]] || status=1
    done
    return "$status"
}

_compose_count_tests() {
    sed -n 's/.*\[  PASSED  \] \([0-9]*\) test(s).*/\1/p' "$1" | awk '{ n += $1 } END { print n + 0 }'
}

# _compose_suite <command...>: tests/compose, each of its tests counted.
_compose_suite() {
    local status=0 count
    "$@" >"$compose_work/suite" 2>&1 || status=$?
    cat "$compose_work/suite"
    count="$(_compose_count_tests "$compose_work/suite")"
    printf '%s\n' "$count" >"$compose_work/count"
    ((status == 0 && count > 0)) || return 1
    echo "$count tests" >&3
}

_compose_check_suite() {
    local what="$1"
    shift
    echo 0 >"$compose_work/count"
    _compose_check "$what" _compose_suite "$@" || return 1
    # The step counted as one.
    compose_passed=$((compose_passed + $(<"$compose_work/count") - 1))
}

# _compose_await_edges <count>: until the balancer has that many edges that are ready.
_compose_await_edges() {
    local deadline=$((SECONDS + COMPOSE_HEALTHY_SECONDS)) balancer
    balancer="$(_compose_containers balancer)"
    until docker exec "$balancer" probe 8404 "/edges/$1"; do
        ((SECONDS < deadline)) || {
            docker logs --tail 20 "$balancer"
            return 1
        }
        sleep 0.3
    done
}

_compose_check_balancer() {
    _compose --profile app --profile test up -d --no-build --no-deps balancer || return 1
    _compose_await_healthy "$(_compose_containers balancer)" && _compose_await_edges 2 || return 1
    echo "HAProxy in front of 2 edges" >&3
}

_compose_load_begin() {
    compose_load="$(_compose --profile app --profile test run -d --no-deps test load \
        --seconds "$COMPOSE_LOAD_SECONDS" --per-second "$COMPOSE_LOAD_PER_SECOND" \
        --connections 32 http://balancer:8080 </dev/null | tail -n 1)" || return 1
    printf '%s\n' "$compose_load" >"$compose_work/load"
    sleep 2
    [[ $(docker inspect --format '{{.State.Running}}' "$compose_load") == true ]] || {
        docker logs "$compose_load"
        return 1
    }
}

# Ends it and reads its account: any 5xx, any lost answer, any order too many or too few fails.
_compose_load_end() {
    local load
    load="$(<"$compose_work/load")"
    sleep 2
    docker kill --signal TERM "$load" || return 1
    _compose_await_exit "$load" "$COMPOSE_REPORT_SECONDS" || return 1
    docker logs "$load" 2>&1 | tee "$compose_work/account"
    docker rm "$load"
    grep '^load:' "$compose_work/account" >&3
}

_compose_start_again() {
    docker start "$1" && _compose_await_healthy "$1"
}

# _compose_roll <container> <command...>: restarts it, as an operator does who waits for readiness and
# for nothing else; the command says when the others may follow.
_compose_roll() {
    local container="$1"
    shift
    docker stop --time "$COMPOSE_STOP_SECONDS" "$container" &&
        _compose_await_exit "$container" "$COMPOSE_REPORT_SECONDS" &&
        _compose_start_again "$container" && "$@"
}

_compose_check_rolling() {
    local container begun
    begun="$(now_ms)"
    for container in $(_compose_containers orders); do
        _compose_roll "$container" true || return 1
    done
    echo "both replicas in $(seconds_since "$begun")" >&3
}

# Edges are left out by the balancer, which reads /readyz, before they end.
_compose_check_rolling_edges() {
    local container begun
    begun="$(now_ms)"
    for container in $(_compose_containers edge); do
        _compose_roll "$container" _compose_await_edges 2 || return 1
        docker logs "$container" 2>&1 | grep '"event":"drained"' | tail -n 1 |
            grep '"connections_cut":0' || return 1
    done
    echo "both edges in $(seconds_since "$begun")" >&3
}

_compose_check_drain() {
    local container
    container="$(_compose_containers orders | tail -n 1)"
    _compose_tester drain "$(_compose_address "$container"):50051" || return 1
    _compose_await_exit "$container" "$COMPOSE_STOP_SECONDS" && _compose_start_again "$container"
}

# Prometheus finds every replica of both programs by itself. Grafana's image is not ours to build.
_compose_check_prometheus() {
    local deadline=$((SECONDS + COMPOSE_SCRAPE_SECONDS)) container up=""
    _compose --profile observability up -d --no-build audit prometheus || return 1
    container="$(_compose_containers prometheus)"
    _compose_await_healthy "$container" "$(_compose_containers audit)" || return 1
    until [[ $up == *"=> 5 @"* ]]; do
        ((SECONDS < deadline)) || return 1
        sleep 1
        up="$(docker exec "$container" promtool query instant http://127.0.0.1:9090 \
            'sum(up{job=~"stampede-.*"})')" || true
        echo "$up"
    done
    echo "4 replicas and the auditor" >&3
}

# The load of profile tools, small: what it is about is that it runs and that its books balance.
_compose_check_flash_sale() {
    _compose --profile app --profile tools run --rm --no-deps -T -e STOCK=3000 -e SPIKE=64 \
        -e SECONDS_EACH=4 -e P99_MS=15000 load </dev/null >"$compose_work/flash" 2>&1 || {
        cat "$compose_work/flash"
        return 1
    }
    cat "$compose_work/flash"
    grep '^sold ' "$compose_work/flash" >&3
}

# _compose_readme_commands: what README says to type to make a sale and buy something in it.
_compose_readme_commands() {
    awk '
        /^## / { here = ($0 == "## Buy something"); next }
        !here { next }
        /^```/ { blocks++ }
        blocks != 1 { next }
        open || sub(/^\$ /, "") {
            command = command $0 "\n"
            quotes += gsub(/\047/, "&")
            open = quotes % 2 == 1 || $0 ~ /\\$/
            if (!open) {
                if (command !~ /^\. \.stampede\/env/) { printf "%s", command }
                command = ""
                quotes = 0
            }
        }' "$root/README.md"
}

# The first order of somebody who has read README and typed what it says, but for where the edge is.
_compose_check_readme() {
    local commands token
    token="$(sed -n 's/.*STAMPEDE_ADMIN_TOKEN:-\([a-z-]*\)}.*/\1/p' "$root/compose.yaml" | sort -u)"
    grep -q "export STAMPEDE_ADMIN_TOKEN=$token\b" "$root/README.md" || {
        echo "README does not say that the token is $token"
        return 1
    }
    commands="$(_compose_readme_commands)"
    printf '%s\n' "$commands"
    commands="${commands//localhost:8080/edge:8080}"
    _compose --profile app --profile tools run --rm --no-deps -T --entrypoint bash load \
        -c "$commands" </dev/null >"$compose_work/readme" 2>"$compose_work/readme-errors" || {
        cat "$compose_work/readme" "$compose_work/readme-errors"
        return 1
    }
    cat "$compose_work/readme"
    # An answer need not end its line.
    grep -q 'HTTP/1.1 201 Created' "$compose_work/readme" &&
        grep -q '"number":"1","customerId":"c-1"' "$compose_work/readme"
}

_compose_check_audit() {
    local violations sales
    docker exec --interactive "$(_compose_containers postgres)" \
        psql -X -A -t -v ON_ERROR_STOP=1 -h /run/postgresql -U postgres -d stampede -f - \
        <"$root/tools/audit/audit.sql" >"$compose_work/audit" || return 1
    cat "$compose_work/audit"
    sales="$(grep -c -v '^settings ' "$compose_work/audit")" || true
    violations="$(grep -c '^[^ ]* VIOLATION ' "$compose_work/audit")" || true
    echo "$sales sales, $violations violations, $(grep '^settings ' "$compose_work/audit")" >&3
    ((sales > 0 && violations == 0))
}

# SIGTERM to PID 1 drains: each program ends by itself, with 0.
_compose_check_stop() {
    local service container
    for service in edge orders; do
        _compose --profile app stop --timeout "$COMPOSE_STOP_SECONDS" "$service" || return 1
        for container in $(_compose_containers "$service"); do
            _compose_await_exit "$container" "$COMPOSE_REPORT_SECONDS" || return 1
        done
    done
}

# _compose_take_program <image> <name>: a program out of its image.
_compose_take_program() {
    local container status=0
    container="$(docker create "stampede/$1:$STAMPEDE_TAG")" || return 1
    docker cp "$container:/usr/local/bin/$2" "$compose_work/bin/" || status=1
    docker rm "$container" >/dev/null
    return "$status"
}

# ./dev up on the database of the default profile, in a folder of its own on ports of its own.
_compose_check_dev_up() {
    local published
    published="$(_compose_published "$(_compose_containers postgres)" 5432)" || return 1
    mkdir -p "$compose_work/bin" "$compose_work/checkout"
    cp -R "$root/dev" "$root/tools" "$root/migrations" "$compose_work/checkout/"
    _compose_take_program orders stampede-orders && _compose_take_program edge stampede-edge &&
        _compose_take_program test compose-test || return 1
    (
        unset STAMPEDE_ADMIN_TOKEN
        for name in ORDERS_GRPC_ADDR ORDERS_OPS_ADDR EDGE_HTTP_ADDR EDGE_OPS_ADDR; do
            export "$name=127.0.0.1:$(_bench_free_port)"
        done
        DATABASE_URL="postgresql://stampede_owner:$STAMPEDE_DB_OWNER_PASSWORD@$published/stampede" \
            "$compose_work/checkout/dev" up --detach --programs "$compose_work/bin"
    ) </dev/null
}

_compose_suite_on_dev_up() {
    (
        set -a
        # shellcheck source=/dev/null
        . "$compose_work/checkout/.stampede/env"
        "$compose_work/bin/compose-test" suite
    )
}

_compose_down_dev_up() {
    "$compose_work/checkout/dev" down </dev/null
}

# --- All of it ----------------------------------------------------------------------------------

_compose_down() {
    _compose "${COMPOSE_PROFILES[@]}" \
        down --volumes --remove-orphans --timeout 5 >"$state/log/compose-down.log" 2>&1
}

_compose_end() {
    local status=$?
    trap - EXIT INT TERM HUP
    # A signal may have come inside a step, whose words go to its log.
    exec >&4 2>&5
    if [[ -n $compose_is_up ]]; then
        if ((compose_failed > 0)) || [[ -z $compose_complete ]]; then
            _compose --profile app logs --no-color --tail 200 >"$state/log/compose.log" 2>&1 || true
            say "dev: the end of the containers' logs is in $state/log/compose.log"
        fi
        [[ ! -x $compose_work/checkout/dev ]] || _compose_down_dev_up >/dev/null 2>&1 || true
        _compose_down || say "dev: not everything could be taken down: $state/log/compose-down.log"
    fi
    _compose_engine_stop || say "dev: the Docker engine of this command did not end"
    [[ -z $compose_work ]] || rm -rf "$compose_work"
    [[ $compose_complete != unavailable ]] || exit "$COMPOSE_UNAVAILABLE"
    if [[ -z $compose_complete ]]; then
        compose_failed=$((compose_failed + 1))
    fi
    say "compose-test: $compose_passed passed, $compose_failed failed in $(seconds_since \
        "$compose_begun_ms")${compose_account:+; $compose_account}"
    ((status == 0 && compose_failed == 0)) || exit 1
}

# Nothing of the caller's settings and nothing of .env gets into the tests; ports are Docker's choice.
_compose_set_environment() {
    local name
    for name in $(compgen -e); do
        case $name in
        STAMPEDE_BASE_IMAGE | STAMPEDE_BUILD_JOBS | STAMPEDE_COMPOSE) ;;
        STOCK | SPIKE | SECONDS_EACH | P99_MS) unset "$name" ;;
        DATABASE_URL | STAMPEDE_* | ORDERS_* | EDGE_* | PG* | COMPOSE_*) unset "$name" ;;
        esac
    done
    for name in POSTGRES GRPC ORDERS_OPS HTTP EDGE_OPS PROMETHEUS AUDIT GRAFANA BALANCER; do
        export "STAMPEDE_${name}_PORT="
    done
    export STAMPEDE_TAG=test LOG_LEVEL=info
    export ORDERS_POOL_SIZE=5 ORDERS_DRAIN_PAUSE_MS=3000 ORDERS_DRAIN_TIMEOUT_MS=10000
    # Ten times what the balancer needs to leave an edge out.
    export EDGE_DRAIN_PAUSE_MS=6000 EDGE_DRAIN_TIMEOUT_MS=15000
    STAMPEDE_ADMIN_TOKEN="$(postgres_new_password)"
    STAMPEDE_DB_PASSWORD="$(postgres_new_password)"
    STAMPEDE_DB_OWNER_PASSWORD="$(postgres_new_password)"
    export STAMPEDE_ADMIN_TOKEN STAMPEDE_DB_PASSWORD STAMPEDE_DB_OWNER_PASSWORD
}

# Shoppers come by the balancer all the while.
_compose_checks_under_load() {
    _compose_check "a balancer" _compose_check_balancer || return 0
    _compose_check "containers keep to their bounds" _compose_check_containers || true
    _compose_check "load on both edges" _compose_load_begin || return 0
    _compose_check "rolling restart of orders" _compose_check_rolling || true
    _compose_check "drain by call" _compose_check_drain || true
    _compose_check "rolling restart of edges" _compose_check_rolling_edges || true
    if _compose_check "nobody noticed" _compose_load_end; then
        compose_account="$(grep '^load:' "$compose_work/account")"
    fi
}

_compose_checks() {
    _compose_check "each image says what is in it" _compose_check_images || true
    _compose_check "every service has its bounds" _compose_check_services || true
    _compose_check "default profile: PostgreSQL alone" _compose_check_default || return 0
    _compose_check "app profile: two orders and two edges" _compose_check_app || return 0
    _compose_check "the first order, as README has it" _compose_check_readme || true
    _compose_check_suite "the contract, over HTTP and gRPC" _compose_tester suite || true
    _compose_check "Prometheus scrapes every replica" _compose_check_prometheus || true
    _compose_checks_under_load
    _compose_check "a flash sale with wrk" _compose_check_flash_sale || true
    _compose_check "draining edges, then orders" _compose_check_stop || true
    if _compose_check "./dev up on the default profile" _compose_check_dev_up; then
        _compose_check_suite "the same contract on ./dev up" _compose_suite_on_dev_up || true
        _compose_check "./dev down" _compose_down_dev_up || true
    fi
    _compose_check "audit" _compose_check_audit || true
}

# ./dev compose-test
compose_run() {
    (($# == 0)) || fail "compose-test takes no argument" "./dev help"
    if ((EUID != 0)) && ! _compose_engine_answers && command -v sudo >/dev/null; then
        exec sudo -- env "STAMPEDE_COMPOSE=${STAMPEDE_COMPOSE:-}" \
            "STAMPEDE_BASE_IMAGE=${STAMPEDE_BASE_IMAGE:-}" \
            "STAMPEDE_BUILD_JOBS=${STAMPEDE_BUILD_JOBS:-2}" "$root/dev" compose-test
    fi
    prepare_state
    compose_begun_ms="$(now_ms)"
    exec 6>>"$state/compose.lock"
    flock -n 6 || fail "another ./dev compose-test is at work here" "wait for it"
    compose_work="$(mktemp -d /tmp/stampede-compose-XXXXXX)"
    chmod 755 "$compose_work"
    exec 4>&1 5>&2
    trap _compose_end EXIT
    trap 'exit 130' INT TERM HUP
    # Of a run that was killed.
    _compose_engine_stop
    _compose_find_engine
    say "==> compose: ${compose_tool[*]} $(_compose_tool_version)"
    _compose_set_environment
    _compose_find_base
    _compose_find_archive
    compose_is_up=yes
    _compose_down || true
    step "building ${#COMPOSE_IMAGES[@]} images" "read what the builder says above" \
        _compose_build || exit 1
    _compose_checks
    compose_complete=yes
    ((compose_failed == 0))
}
