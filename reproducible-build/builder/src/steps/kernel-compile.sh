# Compiles the kernel that kernel-configure.sh prepared.
set -eu
cd "$PLACE/work/linux"
export KBUILD_BUILD_TIMESTAMP="@$SOURCE_DATE_EPOCH" KBUILD_BUILD_USER=quorate
export KBUILD_BUILD_HOST=quorate KBUILD_BUILD_VERSION=1
# A time that date cannot read would silently be replaced by the clock's.
date -d "$KBUILD_BUILD_TIMESTAMP" >/dev/null
make -s -j"$JOBS" O=../out ARCH=x86_64 bzImage
cp ../out/arch/x86/boot/bzImage "$PLACE/out/kernel"
cd ..
rm -rf linux out
