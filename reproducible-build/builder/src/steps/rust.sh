# Compiles one package, and the standard library it stands on, for static musl.
set -eu
work="$PLACE/work"
std=/usr/lib/rustlib/src/rust/library
mkdir -p "$work/vendor" "$work/lib" "$HOME"

# One folder of crates: other people's by their checksums, and those Debian ships with std.
while read -r name checksum; do
    tar -xzf "$PLACE/crates/$name.crate" --no-same-owner -C "$work/vendor"
    printf '{"files":{},"package":"%s"}' "$checksum" >"$work/vendor/$name/.cargo-checksum.json"
done <"$PLACE/crates/list"
for crate in "$std"/vendor/*; do
    name=${crate##*/}
    [ -e "$work/vendor/$name" ] || ln -s "$crate" "$work/vendor/$name"
done

# std asks for an unwinder only to print backtraces. A panic here ends the process, and a stripped
# binary has no names to print: these two answers are "no frame".
cat >"$work/unwind.c" <<'C'
int _Unwind_Backtrace(void *trace, void *argument) { (void)trace; (void)argument; return 5; }
unsigned long _Unwind_GetIP(void *context) { (void)context; return 0; }
C
gcc -O2 -fPIC -c -o "$work/unwind.o" "$work/unwind.c"
ar rcsD "$work/lib/libunwind.a" "$work/unwind.o"

# gcc as the linker's driver (rustc tells by the name), with musl's start files and library and none
# of glibc's.
cat >"$work/musl-gcc" <<L
#!/bin/sh
musl=/usr/lib/x86_64-linux-musl
gcc=\$(dirname "\$(gcc -print-libgcc-file-name)")
exec gcc -nostdlib -nostartfiles -static-pie "\$musl/rcrt1.o" "\$musl/crti.o" \\
    "\$gcc/crtbeginS.o" "\$@" -L"\$musl" -L"$work/lib" -lc "\$gcc/libgcc.a" \\
    "\$gcc/crtendS.o" "\$musl/crtn.o"
L
chmod +x "$work/musl-gcc"

export CARGO_HOME="$work/cargo" CARGO_TARGET_DIR="$work/target" RUSTC_BOOTSTRAP=1
mkdir -p "$CARGO_HOME"
cat >"$CARGO_HOME/config.toml" <<C
[source.crates-io]
replace-with = "locked"
[source.locked]
directory = "$work/vendor"
[target.x86_64-unknown-linux-musl]
linker = "$work/musl-gcc"
rustflags = [
    "-Clink-self-contained=no",
    "-Crelocation-model=pie",
    # The second line of defence: the mount point is fixed already. The last that fits counts.
    "--remap-path-prefix=$work=/work",
    "--remap-path-prefix=$work/src=/src",
    "--remap-path-prefix=$work/vendor=/crates",
    "--remap-path-prefix=$std=/std",
]
[unstable]
build-std = ["std", "panic_abort"]
build-std-features = []
C

# cargo leaves out of the lockfile what these packages do not need, so it must be able to write it.
cp -r "$PLACE/src" "$work/src"
cd "$work/src/$PACKAGE"
cargo build --offline --release --jobs "$JOBS" --target x86_64-unknown-linux-musl \
    --package "$NAME" --bin "$BINARY"
cp "$work/target/x86_64-unknown-linux-musl/release/$BINARY" "$PLACE/out/binary"
chmod -R u+rwX "$work"
