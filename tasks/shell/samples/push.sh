#!/bin/sh
# On every push: one suite; the job fails unless every test passed. REFLECT_API_KEY comes from the CI's secret store.
set -eu
export REFLECT_SUITES=regression-tests
exec sh ci/reflect-run.sh
