#!/bin/sh
# A CI job: promotes staging to production only when its suites pass, then tests production. Secrets: HEROKU_API_KEY, REFLECT_API_KEY.
set -eu
# A cancelled job goes no further; the running command has the same signal (or it is passed on) and cancels its suites.
child=
trap '[ -z "$child" ] || { kill -TERM "$child"; wait "$child" || true; }; exit 143' TERM INT
tested() {
    env "$@" REFLECT_ORIGINAL_HOST=www.example.com sh reflect/deployed.sh &
    child=$!
    wait "$child"
    child=
}
tested HEROKU_APP=shop-staging REFLECT_SUITES="regression-tests checkout-suite" REFLECT_REPORT_DIR=reports/staging
heroku pipelines:promote --app shop-staging --to shop-production
tested HEROKU_APP=shop-production REFLECT_SUITES=smoke-tests REFLECT_REPORT_DIR=reports/production
