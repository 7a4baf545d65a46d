#!/bin/sh
# What this deployment is tested with. The key is in a file on the instance that only the user of `runas` can read.
set -eu
export REFLECT_SUITES=regression-tests
export REFLECT_API_KEY_FILE="${REFLECT_API_KEY_FILE:-/etc/reflect/api-key}"
export REFLECT_DEPLOYMENT_GROUPS=staging
exec sh "$(dirname "$0")/reflect-run.sh"
