#!/bin/sh
# Builds {{name}}.wasm, which goes beside {{name}}.toml.
set -eu
cd "$(dirname "$0")"
tollgate=${TOLLGATE:-tollgate}
target=wasm32-unknown-unknown

if [ -d "$(rustc --print sysroot)/lib/rustlib/$target" ]; then
    cargo build --release --target "$target"
elif [ -d "$(/usr/bin/rustc --print sysroot 2>/dev/null)/lib/rustlib/src/rust/library/std" ]; then
    # Debian's rustc-web has the library's sources, and rustup's toolchain the linker for wasm.
    host=$(rustc -vV | sed -n 's/^host: //p')
    linker=$(rustc --print sysroot)/lib/rustlib/$host/bin/rust-lld
    RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$linker \
        cargo build --release --target "$target" -Zbuild-std=std,panic_abort
else
    echo "rustc cannot build for $target yet: rustup target add $target" >&2
    echo "(without rustup: apt-get install rustc-web rust-web-src)" >&2
    exit 1
fi
"$tollgate" plugin build "${CARGO_TARGET_DIR:-target}/$target/release/{{crate}}.wasm" \
    --output {{name}}.wasm
