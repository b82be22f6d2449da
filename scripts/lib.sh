# shellcheck shell=bash
# What do all scripts of this folder share? Where the clone is, how to stop with a clear word, how to show a long step.
# Sourced, never run.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=$ROOT/.venv
# A plain `su` leaves the administrator's directories out of PATH, and ovs-vswitchd, ip and udhcpc live there.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

say() { printf '%s\n' "$*"; }

die() { # message [exit code]
    printf 'error: %s\n' "$1" >&2
    exit "${2:-1}"
}

# Print the comment block at the top of the calling script: its help.
usage() {
    sed -n '2,/^[^#]/{s/^# \{0,1\}//p;}' "$0"
}

need_root() {
    [ "$(id -u)" = 0 ] || die "$(basename "$0") must be run as root (network namespaces and Open vSwitch): sudo $0" 2
}

# step TEXT COMMAND...: run a long command, show that it lives, keep its output for the case that it fails.
step() {
    local text=$1 log started pid code=0
    shift
    log=$(mktemp)
    started=$SECONDS
    "$@" >"$log" 2>&1 </dev/null &
    pid=$!
    # Background jobs of a script ignore Ctrl-C (bash(1), SIGNALS): end it ourselves.
    # shellcheck disable=SC2064
    trap "kill $pid 2>/dev/null; rm -f '$log'; exit 130" INT TERM
    printf '  %s ' "$text"
    local ticks=0
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.2
        ticks=$((ticks + 1))
        [ $((ticks % 10)) != 0 ] || printf '.'
    done
    wait "$pid" || code=$?
    trap - INT TERM
    if [ "$code" = 0 ]; then
        printf ' %s s\n' $((SECONDS - started))
        rm -f "$log"
        return 0
    fi
    printf ' failed (exit code %s)\n' "$code"
    tail -n 40 "$log" >&2
    rm -f "$log"
    return "$code"
}

# Run the interpreter of the clone's environment with the clone's packages, whatever the current directory is.
clone_python() {
    PYTHONPATH=$ROOT exec "$VENV/bin/python" "$@"
}
