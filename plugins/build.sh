#!/bin/sh
# Builds the plugins, and turns each into a component beside its manifest in policies/.
#
# A component is written only when its module is newer, so that a running service does not reload
# what has not changed.
set -eu
cd "$(dirname "$0")/.."

tollgate=${TOLLGATE:-target/release/tollgate}
[ -x "$tollgate" ] || { echo "$tollgate is missing: build it first (cargo build --release)" >&2; exit 1; }

build="cargo build --quiet --locked --release --manifest-path plugins/Cargo.toml
    --target-dir plugins/target --target wasm32-unknown-unknown"
if [ "$(plugins/wasm-target.sh)" = debian ]; then
    # Debian's rustc has the sources of the library, and rustup's toolchain the linker for wasm.
    host=$(rustc -vV | sed -n 's/^host: //p')
    linker=$(rustc --print sysroot)/lib/rustlib/$host/bin/rust-lld
    RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$linker \
        $build -Zbuild-std=std,panic_abort
else
    $build
fi

for module in plugins/target/wasm32-unknown-unknown/release/*.wasm; do
    name=$(basename "$module" .wasm | tr _ -)
    component=policies/$name.wasm
    [ "$component" -nt "$module" ] || "$tollgate" plugin build "$module" --output "$component"
done
