#!/bin/sh
# A CI job: deploys to staging and tests the release that runs there then. Secrets: HEROKU_API_KEY, REFLECT_API_KEY.
set -eu
# git asks this helper for the token, so that it is on no command line (and is expanded only there).
# shellcheck disable=SC2016
git -c credential.helper='!f() { echo username=heroku; echo "password=$HEROKU_API_KEY"; }; f' \
    push --force https://git.heroku.com/shop-staging.git HEAD:refs/heads/main
HEROKU_APP=shop-staging \
    HEROKU_COMMIT=$(git rev-parse HEAD) \
    REFLECT_ORIGINAL_HOST=www.example.com \
    REFLECT_SUITES="regression-tests checkout-suite" \
    exec sh reflect/deployed.sh
