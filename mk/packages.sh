#!/bin/sh
# packages.sh [LIST]...: makes sure that the Debian packages of these lists are there: `build`, `demo`, `test` (default: build test).
# Installs what is missing when it runs as root or with a sudo that asks nothing; otherwise prints the one line to run, and exits 1 if it
# can't go on without. When nothing is missing it does not touch the network.
set -eu

build='gcc make libc6-dev liburing-dev zlib1g-dev libmd-dev'
demo='python3'
test='git python3 libjansson-dev libcmocka-dev procps'
# Without one of these, the tests that use it are skipped by name. None that starts a service: somebody's machine is no place for that.
test_wished='perl gawk sqlite3 openjdk-17-jdk-headless nodejs man-db strace gdb tmux vim less dash zsh expect emacs-nox openssh-client redis-tools dbus-daemon dbus-bin lua5.4 tcl erlang-base'

[ $# -gt 0 ] || set -- build test
needed=
wished=
for list; do
    case $list in
    build) needed="$needed $build" ;;
    demo) needed="$needed $demo" ;;
    test) needed="$needed $test" wished="$wished $test_wished" ;;
    *) echo "packages.sh: unknown list $list" >&2 && exit 1 ;;
    esac
done

command -v dpkg-query >/dev/null || exit 0 # no Debian: the compiler will say what it lacks

# absent PACKAGE...: those of them that are not installed.
absent() {
    for package; do
        dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q ' ok installed$' || echo "$package"
    done | sort -u | tr '\n' ' '
}
needed=$(absent $needed)
wished=$(absent $wished)
[ -n "$needed$wished" ] || exit 0

install='apt-get install -y --no-install-recommends'
if [ "$(id -u)" = 0 ]; then
    as_root=
elif sudo -n true 2>/dev/null; then
    as_root='sudo -n'
else
    echo "packages are missing; to install them run: sudo apt-get update && sudo $install $needed$wished" >&2
    [ -z "$needed" ]
    exit
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
quietly() { "$@" >"$log" 2>&1; }

echo "installing packages: $needed$wished" >&2
quietly $as_root apt-get update || true # an old list may do
if [ -n "$needed" ] && ! quietly $as_root $install $needed; then
    tail -n 20 "$log" >&2
    echo "could not install: $needed" >&2
    exit 1
fi
for package in $wished; do
    quietly $as_root $install $package || echo "could not install $package: tests that use it will be skipped" >&2
done
