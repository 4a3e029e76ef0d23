#!/bin/sh
# Builds {{name}}.wasm, which goes beside {{name}}.toml.
set -eu
cd "$(dirname "$0")"
componentize=${COMPONENTIZE_PY:-.venv/bin/componentize-py}

[ -x "$componentize" ] || {
    python3 -m venv .venv
    .venv/bin/pip install --quiet --requirement requirements.txt
}
"$componentize" --quiet --wit-path wit --world {{kind}}-policy componentize --stub-wasi plugin \
    --output {{name}}.wasm
