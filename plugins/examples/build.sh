#!/bin/sh
# Builds examples, all or those that are named, into plugins/target/examples/NAME/: the component,
# its manifest and its cases. What it takes besides this repository is that of a plugin from
# `tollgate plugin new` in the same language.
set -eu
examples=$(cd "$(dirname "$0")" && pwd)
plugins=$(dirname "$examples")
tollgate=${TOLLGATE:-$plugins/../target/release/tollgate}
tollgate=$(realpath "$tollgate")

# Lays the example out as if `tollgate plugin new` had made it, and builds it.
build() { # NAME LANGUAGE KIND
    name=$1 language=$2 kind=$3
    place=$plugins/target/examples/$name
    mkdir -p "$place"
    cp -R "$plugins/templates/$language/common/." "$examples/$name/." "$place"
    for file in "$plugins/templates/$language/common/"*; do
        file=$place/$(basename "$file")
        sed "s|{{name}}|$name|g; s|{{kind}}|$kind|g" "$file" >"$file.new"
        cat "$file.new" >"$file"
        rm "$file.new"
    done
    if [ "$language" = c ]; then
        "$tollgate" plugin wit --c "$kind" --output "$place/bindings"
    else
        "$tollgate" plugin wit --output "$place/wit"
    fi
    TOLLGATE=$tollgate "$place/build.sh"
}

# The examples in Rust are crates of this workspace, and share what it has built.
build_rust() { # NAME
    name=$1
    place=$plugins/target/examples/$name
    mkdir -p "$place"
    cp "$examples/$name/"*.toml "$place"
    rm "$place/Cargo.toml"
    "$plugins/cargo-wasm.sh" --package "$name"
    module=$plugins/target/wasm32-unknown-unknown/release/$(echo "$name" | tr - _).wasm
    "$tollgate" plugin build "$module" --output "$place/$name.wasm"
}

[ $# -gt 0 ] || set -- weekend-burst margin model-allowlist team-share spend-rise
for name in "$@"; do
    case $name in
        weekend-burst | margin) build_rust "$name" ;;
        model-allowlist) build "$name" c tier ;;
        team-share) build "$name" javascript tier ;;
        spend-rise) build "$name" python alert ;;
        *) echo "there is no example $name" >&2; exit 1 ;;
    esac
done
