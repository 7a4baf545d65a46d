#!/bin/sh
# On a pull request: the same suite against its preview. PREVIEW_URL is what the deployment printed.
# Pull requests from forks get no secrets: they are skipped with a notice instead of failing.
set -eu
export REFLECT_SUITES=regression-tests
export REFLECT_HOSTS="www.example.com=$PREVIEW_URL"
export REFLECT_WAIT_FOR_URL="$PREVIEW_URL"
export REFLECT_MISSING_KEY=skip
exec sh ci/reflect-run.sh
