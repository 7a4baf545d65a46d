#!/bin/sh
# What the library runs when the call names an image: the runner in a container of its own, in the agent's workspace.
# The variables are named, never written out, so that no value (the key!) is on a command line.
set -eu
command -v docker >/dev/null 2>&1 || {
    echo "reflect: this agent has no docker command. Leave out \`image\`, or run on an agent with Docker." >&2
    exit 2
}
if [ -n "${REFLECT_REPORT_DIR:-}" ]; then
    # Made here, so that it belongs to the agent's user and not to the daemon's.
    mkdir -p -- "$REFLECT_REPORT_DIR"
    rm -f -- "$REFLECT_REPORT_DIR/result.json"
    if [ "$REFLECT_JENKINS_COMMAND" = run ]; then rm -f -- "$REFLECT_REPORT_DIR/executions.json"; fi
fi
image=$REFLECT_IMAGE
set -- "$image" "$REFLECT_JENKINS_COMMAND"
unset REFLECT_IMAGE REFLECT_RUNNER REFLECT_JENKINS_COMMAND
names=$(env | sed -n 's/^\(REFLECT_[A-Z_]*\)=.*/\1/p')
for name in $names CI JENKINS_URL BUILD_URL BUILD_TAG JOB_NAME BUILD_NUMBER BRANCH_NAME GIT_COMMIT GIT_URL GIT_BRANCH \
    CHANGE_ID CHANGE_URL CHANGE_BRANCH CHANGE_TARGET HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy; do
    set -- --env "$name" "$@"
done
# As PID 1 the runner gets the signal of an aborted build from docker, and cancels.
exec docker run --rm --user "$(id -u):$(id -g)" --volume "$PWD:$PWD" --workdir "$PWD" "$@"
