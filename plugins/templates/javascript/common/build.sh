#!/bin/sh
# Builds {{name}}.wasm, which goes beside {{name}}.toml.
set -eu
cd "$(dirname "$0")"
componentize=${COMPONENTIZE_QJS:-node_modules/.bin/componentize-qjs}

[ -x "$componentize" ] || npm install --no-audit --no-fund
"$componentize" --wit wit --world {{kind}}-policy --js plugin.js --stub-wasi --sync \
    --output {{name}}.wasm
