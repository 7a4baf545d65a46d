#!/bin/sh
# Release phase: holds a release back unless the suites pass against ANOTHER environment.
#
#     Procfile:  release: sh reflect/release.sh
#
# The release phase runs before the new dynos start, so suites that run here can never test the release itself.
# To test what was deployed use postdeploy.sh (review apps), deployed.sh (CI) or the webhook (see the README).
set -eu
stop() { echo "reflect: $1" >&2; exit 2; }
skip() { echo "reflect: skipped: $1"; exit 0; }

[ $# -gt 0 ] || set -- run
if [ "$1" = run ]; then
    [ -n "${DEPLOY_ENV:-}" ] || stop "DEPLOY_ENV is not set: heroku config:set DEPLOY_ENV=staging (or another word, with which the suites are skipped)"
    gated=0
    for name in ${REFLECT_DEPLOY_ENV:-staging}; do
        [ "$name" != "$DEPLOY_ENV" ] || gated=1
    done
    [ "$gated" = 1 ] || skip "DEPLOY_ENV is $DEPLOY_ENV, and only ${REFLECT_DEPLOY_ENV:-staging} is tested"

    # What Heroku says of a release without new code. Anything else, also nothing at all, counts as new code.
    case ${HEROKU_SLUG_DESCRIPTION:-} in
        Set\ *config\ var* | Remove\ *config\ var* | Unset\ *config\ var* | Update\ *config\ var* | *[Aa]dd-on* | Attach\ * | Detach\ * | Enable\ * | Disable\ *)
            skip "this release has no new code ($HEROKU_SLUG_DESCRIPTION)" ;;
        Rollback\ * | Rolled\ back\ *)
            skip "a rollback is not held up ($HEROKU_SLUG_DESCRIPTION)" ;;
    esac

    for own in "${HEROKU_APP_DEFAULT_DOMAIN_NAME:-}" "${HEROKU_APP_NAME:+$HEROKU_APP_NAME.herokuapp.com}"; do
        [ -n "$own" ] || continue
        case "${REFLECT_HOSTS:-}" in
            *"=$own"* | *"://$own"* | *": \"$own"* | *":\"$own"*)
                stop "REFLECT_HOSTS names this app ($own), which still runs the old release: name another environment, or use deployed.sh" ;;
        esac
    done

    # Heroku ends a release phase after one hour; the suites have to be canceled before.
    limit=${REFLECT_TIMEOUT:-30m}
    case $limit in
        *[hH]*) minutes=60 ;;
        *[mM]*) minutes=${limit%%[mM]*} ;;
        *) seconds=${limit%[sS]}
            case $seconds in '' | *[!0-9]* | ??????*) minutes= ;; *) minutes=$((${seconds##0} / 60)) ;; esac ;;
    esac
    case $minutes in
        '' | *[!0-9]*) ;; # no length of time: the runner says so
        *) [ "${#minutes}" -lt 5 ] && [ "$minutes" -le 55 ] || stop "REFLECT_TIMEOUT is $limit, but Heroku ends a release phase after one hour: at most 55m" ;;
    esac
fi
exec sh "$(dirname "$0")/reflect-run.sh" "$@"
