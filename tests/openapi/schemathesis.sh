#!/bin/sh
# Asks a running service thousands of questions that schemathesis makes from `/openapi.json`, good
# ones and bad ones, and fails where an answer is not as it is described there. What that needs is
# installed into target/schemathesis once; where it cannot be, it is skipped, and it says so.
set -eu
cd "$(dirname "$0")/../.."
venv=target/schemathesis
version=schemathesis==4.32.5

skip() {
    echo "SKIPPED: schemathesis: $1" >&2
    exit 0
}

python=${PYTHON:-python3}
command -v "$python" >/dev/null || skip "there is no $python"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || skip "$python is older than 3.10"
# Anew when another version is wanted, the Python is another one, or all of this was moved: what is
# installed knows its place.
wanted="$("$python" --version) $version $PWD"
if [ "$(cat "$venv/wanted" 2>/dev/null)" != "$wanted" ]; then
    rm -rf "$venv"
    mkdir -p target
    "$python" -m venv "$venv" >/dev/null 2>&1 || skip "$python has no venv or no pip"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "$version" ||
        skip "pip could not install it"
    echo "$wanted" >"$venv/wanted"
fi

# A service of its own, on data of its own: the questions change whatever can be changed.
home=$(mktemp -d)
service=
finish() {
    [ -z "$service" ] || kill "$service" 2>/dev/null || true
    rm -rf "$home"
}
trap finish EXIT
trap 'exit 1' INT TERM
root=$PWD
cp -r policies "$home/policies"
(
    cd "$home"
    unset TOLLGATE
    exec "$root/target/release/tollgate" serve --listen 127.0.0.1:0 --log warn >out 2>log
) &
service=$!
waited=0
until url=$(sed -n 's/^tollgate listening on //p' "$home/out" 2>/dev/null) && [ -n "$url" ] &&
    "$python" -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1])' "$url/readyz" \
        2>/dev/null; do
    waited=$((waited + 1))
    kill -0 "$service" 2>/dev/null && [ "$waited" -lt 600 ] || {
        cat "$home/log" >&2
        exit 1
    }
    sleep 0.2
done

cp tests/openapi/schemathesis.toml tests/openapi/hooks.py "$home/"
cd "$home"
if ! NO_COLOR=1 "$root/$venv/bin/schemathesis" --config-file schemathesis.toml run "$url/openapi.json" \
    "$@" >report 2>&1; then
    cat report
    echo "the service's log:" && tail -n 50 log
    exit 1
fi
sed -n '/Test cases:/,$p' report
kill -0 "$service" || { cat log; exit 1; }
