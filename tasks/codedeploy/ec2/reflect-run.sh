#!/bin/sh
# Runs Reflect suites in a hook of an EC2 or on-premises deployment of AWS CodeDeploy; the hook fails by their verdict.
#
# An AppSpec file gives a script no arguments and no variables: a script of the revision sets REFLECT_SUITES and the other
# inputs and ends with `exec sh "$(dirname "$0")/reflect-run.sh"`.
set -eu

# The same revision goes to every deployment group, and the hook runs on every instance.
if [ -n "${REFLECT_DEPLOYMENT_GROUPS:-}" ]; then
    case " $REFLECT_DEPLOYMENT_GROUPS " in
        *" ${DEPLOYMENT_GROUP_NAME:-} "*) ;;
        *)
            echo "reflect: nothing is tested in the deployment group '${DEPLOYMENT_GROUP_NAME:-}'; REFLECT_DEPLOYMENT_GROUPS names $REFLECT_DEPLOYMENT_GROUPS"
            exit 0
            ;;
    esac
fi

# The agent starts hooks in a folder of its own, which the user of `runas` may not write to.
export REFLECT_REPORT_DIR="${REFLECT_REPORT_DIR:-${TMPDIR:-/tmp}/reflect-${DEPLOYMENT_ID:-report}}"

# reflect-bootstrap: begin
# Gets the runner that REFLECT_RUNNER names, then becomes it (exec: so that signals reach it). The same text in every step.
set -eu
[ $# -gt 0 ] || set -- run
reflect_stop() { echo "reflect: $2" >&2; exit "$1"; }
reflect_runner=${REFLECT_RUNNER:-reflect-ci==0.1.0}
if [ "$reflect_runner" = installed ]; then
    command -v reflect-ci >/dev/null 2>&1 || reflect_stop 2 "runner is 'installed', but no reflect-ci is on the PATH: install it there (pip install reflect-ci), or leave runner at its default"
    exec reflect-ci "$@"
fi

reflect_python=
for reflect_name in python3 python3.14 python3.13 python3.12 python3.11 python3.10 python3.9 python; do
    if "$reflect_name" -c 'import sys; sys.exit(sys.version_info < (3, 9))' >/dev/null 2>&1; then reflect_python=$reflect_name; break; fi
done
[ -n "$reflect_python" ] || reflect_stop 2 "no Python 3.9 or later on the PATH: install one, or put the runner there and set runner to 'installed'"

# Not below /tmp, where another user could put a runner of theirs first.
reflect_home=${REFLECT_CACHE_DIR:-}
[ -n "$reflect_home" ] || [ -z "${HOME:-}" ] || reflect_home=${XDG_CACHE_HOME:-$HOME/.cache}/reflect-ci
if [ -z "$reflect_home" ] || ! mkdir -p "$reflect_home" 2>/dev/null || [ ! -w "$reflect_home" ]; then reflect_home=$(mktemp -d); fi

case $reflect_runner in
    -*) reflect_stop 2 "runner starts with '-': write a pip requirement, a path or URL of reflect-ci.pyz, or 'installed'" ;;
    *.pyz | *.pyz'#'*)
        reflect_file=${reflect_runner%%'#'*}
        reflect_sum=${reflect_runner#"$reflect_file"}
        reflect_sum=${reflect_sum#'#sha256='}
        case $reflect_sum in *[!0-9a-f]*) reflect_stop 2 "runner: after .pyz only #sha256= and 64 hexadecimal digits (in small letters) may stand" ;; esac
        case $reflect_file in http://* | https://*)
            [ "${#reflect_sum}" = 64 ] || reflect_stop 2 "runner is a URL without its checksum: write $reflect_file#sha256=... (sha256sum reflect-ci.pyz prints it)"
            reflect_url=$reflect_file
            reflect_file=$reflect_home/$reflect_sum.pyz
            if [ ! -f "$reflect_file" ]; then
                echo "reflect: fetching $reflect_url"
                reflect_new=$(mktemp "$reflect_home/new.XXXXXX")
                if command -v curl >/dev/null 2>&1; then
                    curl -fsSL --retry 3 -o "$reflect_new" "$reflect_url" || reflect_url=
                else
                    "$reflect_python" -I -c 'import shutil, sys, urllib.request as u; shutil.copyfileobj(u.urlopen(sys.argv[1], timeout=60), open(sys.argv[2], "wb"))' "$reflect_url" "$reflect_new" || reflect_url=
                fi
                [ -n "$reflect_url" ] || { rm -f "$reflect_new"; reflect_stop 5 "the runner could not be fetched"; }
                mv "$reflect_new" "$reflect_file"
            fi
        ;; esac
        [ -f "$reflect_file" ] || reflect_stop 2 "runner: there is no file $reflect_file"
        if [ -n "$reflect_sum" ] && ! "$reflect_python" -I -c 'import hashlib, sys; sys.exit(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest() != sys.argv[2])' "$reflect_file" "$reflect_sum"; then
            [ -z "${reflect_url:-}" ] || rm -f "$reflect_file"
            reflect_stop 2 "the runner's file is not the one that its sha256 names; it was not run"
        fi
        exec "$reflect_python" -I "$reflect_file" "$@"
        ;;
esac

# A pip requirement. Only an exact one is kept for the next job: any other may mean something else by then.
reflect_lib=$reflect_home/pip-$(printf '%s %s' "$reflect_runner" "$("$reflect_python" -V)" | cksum | cut -d ' ' -f 1)
case $reflect_runner in *==*) ;; *) reflect_lib=$(mktemp -d)/lib ;; esac
if [ ! -d "$reflect_lib" ]; then
    echo "reflect: installing $reflect_runner"
    reflect_new=$(mktemp -d "$reflect_home/new.XXXXXX")
    reflect_pip=$reflect_python
    # Debian's Python comes without pip; a virtual environment brings its own.
    if ! "$reflect_python" -I -m pip --version >/dev/null 2>&1; then
        "$reflect_python" -I -m venv "$reflect_new/venv" >/dev/null 2>&1 || reflect_stop 2 "$reflect_python has no pip: install it (on Debian python3-pip or python3-venv), or set runner to reflect-ci.pyz, which needs none"
        reflect_pip=$reflect_new/venv/bin/python
    fi
    # What a package runs while it is installed gets to see no key.
    (unset REFLECT_API_KEY; PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore "$reflect_pip" -I -m pip install --quiet --target "$reflect_new/lib" "$reflect_runner") ||
        reflect_stop 5 "pip could not install $reflect_runner; a mirror is set by PIP_INDEX_URL"
    [ -d "$reflect_lib" ] || mv "$reflect_new/lib" "$reflect_lib"
    rm -rf "$reflect_new"
fi
exec "$reflect_python" -I -c 'import sys; sys.path.insert(0, sys.argv.pop(1)); from reflect_ci.cli import entry; sys.exit(entry())' "$reflect_lib" "$@"
# reflect-bootstrap: end
