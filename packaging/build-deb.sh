#!/usr/bin/env bash
# Builds the Debian package: the program, its manual pages and completions as it renders them itself,
# the units, the examples. Prints the path of the package.
#
#   packaging/build-deb.sh                  builds the binary first, by the profile `dist`
#   packaging/build-deb.sh --no-build       takes target/dist/patchproof as it is
#   packaging/build-deb.sh --binary FILE    packages this binary, stripped
#   packaging/build-deb.sh --fast           compresses in a hurry, for trials
#   packaging/build-deb.sh --version 1.2.3  another version than that of Cargo.toml
set -euo pipefail
cd "$(dirname "$0")/.."

build=1
binary=""
fast=""
version=()
while [ $# -gt 0 ]; do
  case "$1" in
    --no-build) build="" ;;
    --binary) build="" binary=$(realpath -e "$2"); shift ;;
    --fast) fast=1 ;;
    --version) version=(--deb-version "$2"); shift ;;
    *) echo "usage: packaging/build-deb.sh [--no-build | --binary FILE] [--fast] [--version VERSION]" >&2; exit 2 ;;
  esac
  shift
done

# cargo-deb comes by name and version, into target/ unless the machine has it.
cargo_deb=$(command -v cargo-deb || true)
if [ -z "$cargo_deb" ]; then
  cargo_deb=target/tools/bin/cargo-deb
  [ -x "$cargo_deb" ] ||
    cargo install --quiet cargo-deb --version 3.8.0 --locked --root target/tools >&2
fi
program=target/dist/patchproof
if [ -n "$build" ]; then
  # Of functions whose code is the same one stays, where the linker can do that: Rust's own on this target is lld.
  # What is to be relocated is listed densely, which Debian 12's loader (glibc 2.36) is the first to read.
  link=()
  if rustc -vV | grep -qx 'host: x86_64-unknown-linux-gnu'; then
    link=(-C "link-arg=-Wl,--icf=all,-z,pack-relative-relocs")
  fi
  # Without the large tables and the AVX-512 forms of TLS's cryptography: handshakes take longer, by fractions
  # of a millisecond; ours is libsecp256k1 and sha2.
  export AWS_LC_SYS_SMALL=1
  cargo rustc --profile dist --locked --bin patchproof -- "${link[@]}" >&2
elif [ -n "$binary" ]; then
  # A file of its own: what cargo has built may be the same file under two names.
  mkdir -p target/dist
  [ "$binary" -ef "$program" ] || { rm -f "$program"; cp "$binary" "$program"; }
fi

stage=target/package
rm -rf "$stage"
mkdir -p "$stage"/{man1,man5,bash,zsh,fish,examples}
"$program" man --directory "$stage/man1"
"$program" man --configuration > "$stage/man5/patchproof.env.5"
"$program" completions bash > "$stage/bash/patchproof"
"$program" completions zsh > "$stage/zsh/_patchproof"
"$program" completions fish > "$stage/fish/patchproof.fish"
"$program" config example > "$stage/examples/patchproof.env"
# Examples for what stands beside the service; documentation that goes with them.
for folder in packaging/examples packaging/grafana packaging/prometheus; do
  [ ! -d "$folder" ] || cp -r "$folder" "$stage/examples/"
done
if [ -d "$stage/examples/examples" ]; then
  mv "$stage"/examples/examples/* "$stage/examples/" && rmdir "$stage/examples/examples"
fi

"$cargo_deb" deb --profile dist --no-build --quiet --strip "${version[@]}" ${fast:+--fast} --output "target/debian/"
