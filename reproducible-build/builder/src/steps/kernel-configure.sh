# Unpacks the kernel, applies our patches and resolves the configuration.
set -eu
cd "$PLACE/work"
rm -rf linux out
mkdir out linux
# Times as in the archive, unless this world is to have others.
tar -xf "$PLACE/linux.tar.xz" --no-same-owner --strip-components=1 -C linux ${TAR_TIMES:-}
cd linux
for patch in "$PLACE"/patches/*; do
    patch --silent --strip=1 --fuzz=0 <"$patch"
done
make -s O=../out ARCH=x86_64 KCONFIG_ALLCONFIG="$PLACE/config" allnoconfig
cp ../out/.config "$PLACE/out/config"
