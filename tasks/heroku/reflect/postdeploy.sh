#!/bin/sh
# Review apps: tests a new review app, once it answers. Heroku runs it once, after the app's first release.
#
#     app.json:  "scripts": {"postdeploy": "sh reflect/postdeploy.sh"}
set -eu
stop() { echo "reflect: $1" >&2; exit 2; }

# REFLECT_APP_HOST wins (a domain of yours). The default domain has a random part, so the app's name alone is the last resort.
host=${REFLECT_APP_HOST:-${HEROKU_APP_DEFAULT_DOMAIN_NAME:-}}
[ -n "$host" ] || host=${HEROKU_APP_NAME:+$HEROKU_APP_NAME.herokuapp.com}
[ -n "$host" ] || stop "this app's address is not known: enable dyno metadata (heroku labs:enable runtime-dyno-metadata), or set REFLECT_APP_HOST"
case $host in *://*) url=$host ;; *) url=https://$host/ ;; esac

if [ -z "${REFLECT_HOSTS:-}" ]; then
    [ -n "${REFLECT_ORIGINAL_HOST:-}" ] || stop "REFLECT_ORIGINAL_HOST is not set: the host name that the suites were recorded on, in whose place $host is tested"
    REFLECT_HOSTS=$REFLECT_ORIGINAL_HOST=$host
fi
: "${REFLECT_WAIT_FOR_URL:=$url}"
export REFLECT_HOSTS REFLECT_WAIT_FOR_URL
exec sh "$(dirname "$0")/reflect-run.sh" "$@"
