#!/bin/sh
# Types and tests of the Python package, against the service in target/release. What they need is
# installed into target/python once. Where that cannot be done, they are skipped, and it says so.
set -eu
cd "$(dirname "$0")"
venv=../../../target/python

skip() {
    echo "SKIPPED: the tests of host/clients/python: $1" >&2
    exit 0
}

python=${PYTHON:-python3}
command -v "$python" >/dev/null || skip "there is no $python"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 9))' || skip "$python is older than 3.9"

# Anew when the package wants something else, the Python is another one, or all of this was moved:
# what is installed knows its place.
wanted="$("$python" --version) $(cksum pyproject.toml) $PWD"
if [ "$(cat "$venv/wanted" 2>/dev/null)" != "$wanted" ]; then
    rm -rf "$venv"
    mkdir -p "$(dirname "$venv")"
    "$python" -m venv "$venv" >/dev/null 2>&1 || skip "$python has no venv or no pip"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --editable '.[test]' ||
        skip "pip could not install what they need"
    echo "$wanted" >"$venv/wanted"
fi

"$venv/bin/mypy" --no-error-summary
"$venv/bin/pytest" "$@"
