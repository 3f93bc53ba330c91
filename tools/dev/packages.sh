# shellcheck shell=bash
# The Debian packages that the project needs, and their installation. apt is called only when one is
# missing, so that everything works without a network once they are there.

# What `./dev up` needs: to build both programs, to run PostgreSQL, to migrate and to look at it.
readonly -a PACKAGES_UP=(
    gcc libc6-dev cmake ninja-build pkg-config
    protobuf-compiler protobuf-c-compiler libprotobuf-dev libprotoc-dev libprotobuf-c-dev
    golang-github-gogo-googleapis-dev
    libgrpc-dev libh2o-evloop-dev libssl-dev zlib1g-dev libpq-dev libyajl-dev libjansson-dev
    uthash-dev libcmocka-dev libcurl4-openssl-dev
    postgresql-15 postgresql-client-15 sqitch libdbd-pg-perl
    curl ca-certificates iproute2 procps util-linux
)
# What the tests need on top: the second compiler, the linters, the clients.
readonly -a PACKAGES_TEST=(
    clang clang-format-14 clang-tidy-14 libclang-rt-14-dev shellcheck jq wrk
    haproxy python3-grpcio python3-protobuf prometheus busybox
)
readonly -a PACKAGES_WATCH=(inotify-tools)
# What ./dev compose-test needs where no Docker engine runs: the engine, compose, and what makes a
# base image without a registry.
# shellcheck disable=SC2034 # Used in compose.sh.
readonly -a PACKAGES_COMPOSE=(docker.io docker-compose debootstrap iptables iproute2)

# packages_missing <package...>: those that are not installed, a line each.
packages_missing() {
    local package status
    for package in "$@"; do
        status="$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" || status=""
        [[ $status == installed ]] || printf '%s\n' "$package"
    done
}

# Installing PostgreSQL makes and starts a cluster of the system's unless told not to; ours is
# private. The file lies there for the time of the installation only: what the owner of this machine
# does with PostgreSQL later is theirs to choose.
readonly PACKAGES_NO_CLUSTER=/etc/postgresql-common/createcluster.d/stampede-dev.conf

# Prometheus's package starts a server of the system's on every address; only the tests use it here. It
# is neither started when installed nor at the next boot; `systemctl unmask prometheus` undoes that.
readonly PACKAGES_POLICY=/usr/sbin/policy-rc.d
readonly PACKAGES_MASK=/etc/systemd/system/prometheus.service

_packages_forbid_start() {
    if [[ ! -e $PACKAGES_MASK && ! -L $PACKAGES_MASK ]]; then
        _packages_as_root mkdir -p "${PACKAGES_MASK%/*}" &&
            _packages_as_root ln -s /dev/null "$PACKAGES_MASK" || return 1
    fi
    # Where no systemd runs, it is this file that init scripts are asked about.
    [[ ! -e $PACKAGES_POLICY ]] || return 0
    printf '#!/bin/sh\n# of stampede-dev, while it installs packages\nexit 101\n' |
        _packages_as_root tee "$PACKAGES_POLICY" >/dev/null &&
        _packages_as_root chmod 755 "$PACKAGES_POLICY"
}

_packages_allow_start() {
    ! grep -qs 'of stampede-dev' "$PACKAGES_POLICY" || _packages_as_root rm -f "$PACKAGES_POLICY"
}

_packages_as_root() {
    if ((EUID == 0)); then
        "$@"
    else
        sudo -- "$@"
    fi
}

_packages_apt() {
    _packages_as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@"
}

_packages_install() {
    local status=0
    # A list that one of several sources could not refresh may still be good enough.
    _packages_apt update || echo "apt-get update failed; trying with the lists that are there"
    _packages_as_root mkdir -p "${PACKAGES_NO_CLUSTER%/*}" || return 1
    echo "create_main_cluster = false" | _packages_as_root tee "$PACKAGES_NO_CLUSTER" >/dev/null ||
        return 1
    [[ " $* " != *" prometheus "* ]] || _packages_forbid_start || return 1
    _packages_apt install --no-install-recommends "$@" || status=1
    _packages_allow_start
    _packages_as_root rm -f "$PACKAGES_NO_CLUSTER"
    return "$status"
}

# packages_need <package...>: installs what is missing of them, as a step.
packages_need() {
    local -a missing
    command -v dpkg-query >/dev/null || fail "this is no Debian: dpkg-query is missing" \
        "a machine or container with Debian 12"
    mapfile -t missing < <(packages_missing "$@")
    ((${#missing[@]} > 0)) || return 0
    if ((EUID != 0)); then
        command -v sudo >/dev/null ||
            fail "packages are missing and there is no sudo: ${missing[*]}" \
                "as root: apt-get install --no-install-recommends ${missing[*]}"
        # Asks for a password here, where the question can be seen.
        sudo -v || fail "packages are missing and sudo refuses: ${missing[*]}" \
            "as root: apt-get install --no-install-recommends ${missing[*]}"
    fi
    prepare_state
    step "installing ${#missing[@]} packages" \
        "apt-get update && apt-get install --no-install-recommends ${missing[*]}" \
        _packages_install "${missing[@]}" || exit 1
}
