#!/bin/sh
# Sees to it that guests can be built, and prints how: `rustup`, where rustc has the target
# wasm32-unknown-unknown, or `debian`, where the target's library is built from Debian's sources.
#
# rustup is what a developer has; a machine without a route to its server has Debian's mirror only.
# Neither way may change the toolchain that builds the host. WASM_TARGET=rustup or =debian insists
# on one way.
set -eu

target=wasm32-unknown-unknown

say() { echo "wasm target: $*" >&2; }
fail() { say "$*"; exit 1; }

has_target() { [ -d "$(rustc --print sysroot)/lib/rustlib/$target" ]; }
has_debian() {
    [ -x /usr/bin/rustc ] &&
        [ -d "$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust/library/std" ]
}

add_target() {
    command -v rustup >/dev/null || return 1
    # By its full name: a channel's short one may be taken as a wish for that channel's newest.
    toolchain=$(rustup show active-toolchain | cut -d ' ' -f 1)
    say "adding $target to $toolchain with rustup"
    rustup --quiet target add "$target" --toolchain "$toolchain" >&2 && has_target
}

install_debian() {
    command -v apt-get >/dev/null || fail "neither rustup nor apt-get can provide $target"
    root=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "installing rustc-web and rust-web-src needs root"
        root=sudo
    fi
    say "installing rustc-web and rust-web-src with apt-get"
    $root apt-get update -qq >&2
    $root apt-get install -y -qq --no-install-recommends rustc-web rust-web-src >&2
    has_debian || fail "rust-web-src did not bring the library's sources"
}

before=$(rustc --version)
case ${WASM_TARGET:-any} in
    rustup) has_target || add_target || fail "rustup could not add $target"; way=rustup ;;
    debian) has_debian || install_debian; way=debian ;;
    *)
        if has_target || { ! has_debian && add_target; }; then
            way=rustup
        else
            has_debian || install_debian
            way=debian
        fi
        ;;
esac
after=$(rustc --version)
[ "$before" = "$after" ] || fail "the toolchain was $before and is now $after: put it back"
echo "$way"
