#!/bin/sh
# Puts what the tests of e-mail need, a real SMTP server among it, into target/smtp, once. Where
# that cannot be done, it says so, and the tests are skipped, saying so as well.
set -eu
cd "$(dirname "$0")"
venv=../../../target/smtp

skip() {
    echo "SKIPPED: the tests of e-mail: $1" >&2
    exit 0
}

python=${PYTHON:-python3}
command -v "$python" >/dev/null || skip "there is no $python"

# Anew when something else is wanted, the Python is another one, or all of this was moved: what is
# installed knows its place.
wanted="$("$python" --version) $(cksum requirements.txt) $PWD"
[ "$(cat "$venv/wanted" 2>/dev/null)" = "$wanted" ] && exit 0
rm -rf "$venv"
mkdir -p "$(dirname "$venv")"
"$python" -m venv "$venv" >/dev/null 2>&1 || { rm -rf "$venv"; skip "$python has no venv or no pip"; }
"$venv/bin/pip" install --quiet --disable-pip-version-check --requirement requirements.txt ||
    { rm -rf "$venv"; skip "pip could not install what they need"; }
echo "$wanted" >"$venv/wanted"
