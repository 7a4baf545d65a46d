#!/bin/sh
# Start right after the deployment, do something else, and take the verdict at the end. Should anything in between fail,
# or the job be cancelled, what was started is canceled.
set -eu
give_up() {
    trap - EXIT
    REFLECT_FROM_FILE=reflect-started/executions.json sh ci/reflect-run.sh cancel
    exit "$1"
}
REFLECT_SUITES="regression-tests checkout-suite" REFLECT_WAIT=false REFLECT_REPORT_DIR=reflect-started sh ci/reflect-run.sh
trap 'give_up $?' EXIT
trap 'give_up 143' TERM
trap 'give_up 130' INT

./other-checks.sh

trap - EXIT TERM INT
REFLECT_FROM_FILE=reflect-started/executions.json exec sh ci/reflect-run.sh wait
