#!/usr/bin/env bash
# Watches the first hour of somebody with a fresh machine: a bare Debian 12 (debootstrap, minbase) in
# a folder, the checkout in it, ./dev up --detach, a purchase, the audit, ./dev down. Needs root,
# debootstrap and a network; takes some minutes; no part of ./dev test.
#
#     tests/dev/bare.sh [--sudo] [--test] [--keep] [<folder>]
#
#   --sudo  as a normal user with sudo instead of as root
#   --test  ./dev test as well
#   --keep  leaves the system in <folder> (default: a new one); used again if it is there already
#
# The mirror, its keys and apt's proxy are those of this machine. The processes live in a pid
# namespace of their own, so none outlives this script.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)"
with_sudo="" with_test="" keep="" folder=""
for argument in "$@"; do
    case $argument in
    --sudo) with_sudo=yes ;;
    --test) with_test=yes ;;
    --keep) keep=yes ;;
    -*)
        echo "unknown: $argument" >&2
        exit 1
        ;;
    *) folder="$argument" ;;
    esac
done
((EUID == 0)) || {
    echo "needs root" >&2
    exit 1
}
folder="${folder:-$(mktemp -d)}"
bare="$folder/debian"
# A long path below a folder that only its owner may enter.
home="/home/shopper/private/$(printf 'some-deep-folder-%.0s' {1..8})"

cleanup() {
    ! mountpoint -q "$bare/proc" || umount "$bare/proc"
    ! mountpoint -q "$bare/dev" || umount -R "$bare/dev"
    [[ -n $keep ]] || rm -rf --one-file-system "$folder"
}
trap cleanup EXIT

# The first archive that this machine is configured with for the release.
find_mirror() {
    local suite="$1" file
    for file in /etc/apt/sources.list.d/*.sources; do
        [[ -r $file ]] || continue
        awk -v suite="$suite" 'BEGIN { RS = ""; FS = "\n" }
            { uri = ""; hit = 0
              for (i = 1; i <= NF; i++) {
                  if ($i ~ /^URIs:/) { split($i, u, " "); uri = u[2] }
                  if ($i ~ /^Suites:/ && (" " $i " ") ~ (" " suite " ")) { hit = 1 } }
              if (hit) { print uri; exit } }' "$file"
    done
    sed -n "s/^deb  *\(\[[^]]*\] *\)\{0,1\}\([^ ]*\) *$suite .*/\2/p" /etc/apt/sources.list \
        /etc/apt/sources.list.d/*.list 2>/dev/null || true
}

if [[ ! -e $bare/etc/debian_version ]]; then
    mirror="$(find_mirror bookworm | head -n 1)"
    [[ -n $mirror ]] || {
        echo "found no archive of bookworm in this machine's sources" >&2
        exit 1
    }
    mkdir -p "$folder"
    debootstrap --variant=minbase bookworm "$bare" "$mirror" >"$folder/debootstrap.log" 2>&1 || {
        tail "$folder/debootstrap.log" >&2
        exit 1
    }
    cp -a /etc/apt/sources.list.d/debian.sources "$bare/etc/apt/sources.list.d/" 2>/dev/null &&
        rm -f "$bare/etc/apt/sources.list"
    cp -a /usr/share/keyrings/debian-archive-* "$bare/usr/share/keyrings/"
    grep -lis 'proxy' /etc/apt/apt.conf.d/* |
        xargs -r cp -t "$bare/etc/apt/apt.conf.d/" || true
fi
cp -L /etc/resolv.conf "$bare/etc/resolv.conf"
# sudo looks its own host up.
echo "127.0.0.1 localhost $(hostname)" >"$bare/etc/hosts"

# inside <command>: runs it in the bare system, with nothing of this machine's environment.
inside() {
    mountpoint -q "$bare/dev" || { mount --rbind /dev "$bare/dev" && mount --make-rslave "$bare/dev"; }
    unshare --mount --pid --fork --kill-child --root="$bare" --mount-proc \
        env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb \
        ORDERS_GRPC_ADDR="${ORDERS_GRPC_ADDR:-}" ORDERS_OPS_ADDR="${ORDERS_OPS_ADDR:-}" \
        EDGE_HTTP_ADDR="${EDGE_HTTP_ADDR:-}" EDGE_OPS_ADDR="${EDGE_OPS_ADDR:-}" \
        bash -euo pipefail -c "$1"
}

inside "id -u shopper >/dev/null 2>&1 || useradd --create-home --shell /bin/bash shopper"
rm -rf "$bare$home"
mkdir -p "$bare$home"
tar -C "$root" --exclude ./build --exclude ./.stampede --exclude ./.env -cf - . |
    tar -C "$bare$home" -xf -
chmod 700 "$bare/home/shopper" "$bare/home/shopper/private"
as="bash"
if [[ -n $with_sudo ]]; then
    inside "dpkg -s sudo >/dev/null 2>&1 || { apt-get -q update && apt-get -q -y install sudo; } >/dev/null
        echo 'shopper ALL=(ALL) NOPASSWD:ALL' >/etc/sudoers.d/shopper
        chown -R shopper:shopper /home/shopper"
    as="setpriv --reuid=shopper --regid=shopper --init-groups env HOME=/home/shopper USER=shopper bash"
else
    inside "chown -R root:root /home/shopper"
fi

# All of it in one pid namespace: what `up --detach` starts ends with it.
inside "cd '$home'; $as -euo pipefail -c '
time ./dev up --detach
. .stampede/env
curl -sS -i -X POST \"http://\$EDGE_HTTP_ADDR/v1/sales/\$(cat .stampede/demo_sale)/orders\" \
    -H \"Content-Type: application/json\" -H \"Idempotency-Key: bare\" \
    -d \"{\\\"customerId\\\":\\\"c-1\\\",\\\"quantity\\\":1}\" | tee /tmp/purchase
grep -q \"^HTTP/1.1 201\" /tmp/purchase
echo
./dev status
./dev audit
time ./dev up --detach >/dev/null
./dev down
if [ -n \"$with_test\" ]; then time ./.ci/run; fi
'
[ -z \"\$(ls /etc/postgresql/15 2>/dev/null)\" ] || { echo 'a system cluster was made'; exit 1; }
[ ! -e /etc/postgresql-common/createcluster.d/stampede-dev.conf ]
echo bare: ok"
