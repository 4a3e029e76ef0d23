#!/bin/sh
# Sees to it that plugins in other languages than Rust can be built, as far as this machine has
# what it takes to get their tools, and prints those that can, one a line: `c`, `javascript`,
# `python`. The tools of the last two go to plugins/target/languages/.
#
# What cannot be had is said on standard error, and is no failure: the tests skip it. LANGUAGES=""
# wants none of them, LANGUAGES="c python" only these.
set -eu
cd "$(dirname "$0")"
place=target/languages
templates=templates
wanted=" ${LANGUAGES-c javascript python} "

say() { echo "languages: $*" >&2; }
wants() { case $wanted in *" $1 "*) ;; *) say "$1 is not wanted"; return 1 ;; esac; }

have_c() {
    builds() {
        echo 'int answer(void) { return 42; }' >"$place/probe.c"
        clang --target=wasm32-wasi -mexec-model=reactor -o "$place/probe.wasm" "$place/probe.c"
    }
    command -v clang >/dev/null && builds 2>/dev/null && return
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        say "c needs clang, lld, wasi-libc and libclang-rt-dev-wasm32"
        return 1
    fi
    say "installing clang, lld, wasi-libc and libclang-rt-dev-wasm32 with apt-get"
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends \
        clang lld wasi-libc libclang-rt-dev-wasm32; } >"$place/c.log" 2>&1 && builds && return
    say "c cannot be built here: see plugins/$place/c.log"
    return 1
}

have_javascript() {
    [ -x "$place/javascript/node_modules/.bin/componentize-qjs" ] && return
    command -v npm >/dev/null || { say "javascript needs npm"; return 1; }
    mkdir -p "$place/javascript"
    sed 's/{{name}}/languages/' "$templates/javascript/common/package.json" \
        >"$place/javascript/package.json"
    say "installing componentize-qjs with npm"
    (cd "$place/javascript" && npm install --no-audit --no-fund) >"$place/javascript.log" 2>&1 &&
        return
    say "javascript cannot be built here: see plugins/$place/javascript.log"
    return 1
}

have_python() {
    # It does not run any more where all of this was moved.
    "$place/python/bin/componentize-py" --version >/dev/null 2>&1 && return
    command -v python3 >/dev/null || { say "python needs python3"; return 1; }
    say "installing componentize-py with pip"
    { python3 -m venv --clear "$place/python" && "$place/python/bin/pip" install --quiet \
        --requirement "$templates/python/common/requirements.txt"; } \
        >"$place/python.log" 2>&1 && return
    say "python cannot be built here: see plugins/$place/python.log"
    rm -rf "$place/python"
    return 1
}

mkdir -p "$place"
for language in c javascript python; do
    if wants "$language" && "have_$language"; then echo "$language"; fi
done
