#!/usr/bin/env bash
# Installs a build folder into a fresh place, moves it, and builds and runs a small embedder against it, once by
# find_package and once by pkg-config. Usage: run.sh BUILD_FOLDER
set -euo pipefail
build=$1
consumer=$(dirname "$(realpath "$0")")/consumer
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

cmake --install "$build" --prefix "$place/before" >"$place/install.log"
mv "$place/before" "$place/tree" # an install tree must not remember where it was made
tree=$place/tree

echo "== find_package"
cmake -S "$consumer" -B "$place/build" -G Ninja -DCMAKE_PREFIX_PATH="$tree" >"$place/configure.log"
cmake --build "$place/build"
"$place/build/consumer"

echo "== a device with the runtime library alone"
"$tree/bin/skerry" compile "$consumer/bell.qasm" -o "$place/bell.skerry"
"$place/build/device" "$place/bell.skerry"
test -z "$(ldd "$place/build/device" | grep -F libskerry.so)"

echo "== pkg-config"
PKG_CONFIG_PATH=$(dirname "$(find "$tree" -name skerry.pc)")
export PKG_CONFIG_PATH
read -ra flags <<<"$(pkg-config --cflags --libs skerry)"
libraries=$(pkg-config --variable=libdir skerry)
c++ "$consumer/consumer.cpp" -o "$place/consumer" "${flags[@]}" "-Wl,-rpath,$libraries"
"$place/consumer"

echo "== programs"
"$tree/bin/skerry" --version
"$tree/bin/skerry-run" --version
test -s "$(find "$tree" -name LICENSE)"
