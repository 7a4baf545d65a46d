#!/bin/sh
# CI: waits until an app's web dynos run its newest release, then tests that app.
#
#     HEROKU_APP=shop-staging REFLECT_ORIGINAL_HOST=www.example.com REFLECT_SUITES=regression-tests sh reflect/deployed.sh
#
# HEROKU_API_KEY (a token that may read the app) and REFLECT_API_KEY are secrets of the CI system.
set -eu
stop() { echo "reflect: $1" >&2; exit 2; }

[ -n "${REFLECT_HOSTS:-}${REFLECT_ORIGINAL_HOST:-}" ] || stop "REFLECT_ORIGINAL_HOST is not set: the host name that the suites were recorded on, in whose place the app is tested"
found=$(python3 "$(dirname "$0")/heroku_release.py")
# The runner has no use for it.
unset HEROKU_API_KEY
version=${found%% *}
host=${found#* }
[ -n "${REFLECT_HOSTS:-}" ] || REFLECT_HOSTS=$REFLECT_ORIGINAL_HOST=$host
if [ -n "${REFLECT_RELEASE_URL:-}" ]; then
    case $REFLECT_RELEASE_URL in *'{version}'*) ;; *) stop "REFLECT_RELEASE_URL has no {version} in it" ;; esac
    REFLECT_WAIT_FOR_URL=${REFLECT_RELEASE_URL%%'{version}'*}$version${REFLECT_RELEASE_URL#*'{version}'}
fi
export REFLECT_HOSTS REFLECT_WAIT_FOR_URL="${REFLECT_WAIT_FOR_URL:-}"
exec sh "$(dirname "$0")/reflect-run.sh" "$@"
