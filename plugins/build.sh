#!/bin/sh
# Builds the shipped plugins, and turns each into a component beside its manifest in policies/.
#
# A component is written only when its module is newer, so that a running service does not reload
# what has not changed.
set -eu
cd "$(dirname "$0")/.."

tollgate=${TOLLGATE:-target/release/tollgate}
[ -x "$tollgate" ] || { echo "$tollgate is missing: build it first (cargo build --release)" >&2; exit 1; }

# The workspace's default members: the crates that lie in plugins/ itself.
plugins/cargo-wasm.sh

for crate in plugins/*/Cargo.toml; do
    name=$(basename "$(dirname "$crate")")
    module=plugins/target/wasm32-unknown-unknown/release/$(echo "$name" | tr - _).wasm
    component=policies/$name.wasm
    [ ! -e "$module" ] || [ "$component" -nt "$module" ] ||
        "$tollgate" plugin build "$module" --output "$component"
done
