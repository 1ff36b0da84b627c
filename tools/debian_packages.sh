#!/bin/sh
# Install what `make` needs from Debian, where this is Debian and we are root; elsewhere say so and go on.
#
#     tools/debian_packages.sh venv     python3 -m venv
#     tools/debian_packages.sh server   the full server with pgTAP, plpgsql_check and pg_cron
set -eu

server="postgresql-15 postgresql-plpython3-15 postgresql-15-pgtap postgresql-15-plpgsql-check postgresql-15-cron
        libtap-parser-sourcehandler-pgtap-perl util-linux"

case ${1:-} in
    # A python3 of another origin brings its own venv, so ask it instead of the package list.
    venv) if "${PYTHON:-python3}" -c 'import ensurepip' 2>/dev/null; then wanted=""; else wanted="python3-venv"; fi ;;
    server) wanted=$server ;;
    *) echo "usage: $0 venv|server" >&2; exit 2 ;;
esac

missing=""
for package in $wanted; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
    echo "Not installed here, and only root on Debian can:$missing" >&2
    exit 0
fi

echo "Installing Debian packages:$missing"
apt-get update -qq
case $missing in
    *postgresql-15*)
        # The server's package would make and start a cluster; the tests make their own, in temporary folders.
        drop_in=/etc/postgresql-common/createcluster.d/awf-no-main-cluster.conf
        trap 'rm -f "$drop_in"' EXIT
        mkdir -p "${drop_in%/*}"
        echo "create_main_cluster = false" >"$drop_in"
        ;;
esac
# shellcheck disable=SC2086  # a list
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends $missing >/dev/null
