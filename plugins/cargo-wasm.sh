#!/bin/sh
# Runs `cargo build` on crates of this workspace for wasm, whichever way this machine can; what it
# is given is passed on.
set -eu
cd "$(dirname "$0")/.."

build="cargo build --quiet --locked --release --manifest-path plugins/Cargo.toml
    --target-dir plugins/target --target wasm32-unknown-unknown"
if [ "$(plugins/wasm-target.sh)" = debian ]; then
    # Debian's rustc has the sources of the library, and rustup's toolchain the linker for wasm.
    host=$(rustc -vV | sed -n 's/^host: //p')
    linker=$(rustc --print sysroot)/lib/rustlib/$host/bin/rust-lld
    RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$linker \
        $build -Zbuild-std=std,panic_abort "$@"
else
    $build "$@"
fi
