#!/bin/sh
# Real counterparts for the tests: PostgreSQL, SIPp, baresip, curl. Installs what is missing, when root.
set -eu
missing=""
need() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
[ -x /usr/lib/postgresql/15/bin/postgres ] || missing="$missing postgresql-15"
need sipp sip-tester
need baresip baresip-core
need curl curl
[ -z "$missing" ] && exit 0
if [ "$(id -u)" -ne 0 ]; then
    echo "tests need Debian packages:$missing (apt-get install$missing)" >&2
    exit 1
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null
