#!/bin/sh
# What the library runs on a Linux or macOS agent. Everything it needs is in the environment, the command in
# REFLECT_JENKINS_COMMAND. The first line matters: without one Jenkins would trace every line into the log (sh -xe).
set -eu
if [ -n "${REFLECT_REPORT_DIR:-}" ]; then
    # Left by an earlier build in this workspace; the library must not take it for this build's.
    rm -f -- "$REFLECT_REPORT_DIR/result.json"
    if [ "$REFLECT_JENKINS_COMMAND" = run ]; then rm -f -- "$REFLECT_REPORT_DIR/executions.json"; fi
fi
set -- "$REFLECT_JENKINS_COMMAND"
# reflect-bootstrap: begin
# reflect-bootstrap: end
