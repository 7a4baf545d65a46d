#!/bin/sh
# Every night, from cron for example: several suites with variables, a longer deadline, reports by date.
set -eu
export REFLECT_SUITES="regression-tests checkout-suite search-suite"
export REFLECT_VARIABLES="RUN=nightly
MAIL=nightly@example.com"
export REFLECT_TIMEOUT=2h
REFLECT_REPORT_DIR=reports/$(date +%Y-%m-%d)
export REFLECT_REPORT_DIR
exec sh ci/reflect-run.sh
