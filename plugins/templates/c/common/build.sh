#!/bin/sh
# Builds {{name}}.wasm, which goes beside {{name}}.toml.
set -eu
cd "$(dirname "$0")"
tollgate=${TOLLGATE:-tollgate}
clang=${CLANG:-clang}

command -v "$clang" >/dev/null || {
    echo "clang is missing: apt-get install clang lld wasi-libc libclang-rt-dev-wasm32" >&2
    exit 1
}
module=$(mktemp)
trap 'rm -f "$module"' EXIT
"$clang" --target=wasm32-wasi -mexec-model=reactor -O2 -Wall -Wextra -Wno-unused-parameter \
    -Wl,--strip-debug -o "$module" \
    plugin.c bindings/{{kind}}_policy.c bindings/{{kind}}_policy_component_type.o
"$tollgate" plugin build "$module" --output {{name}}.wasm
