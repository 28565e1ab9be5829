# Compresses a ramdisk the way the kernel can unpack it.
set -eu
xz --stdout --check=crc32 --lzma2=preset=9e --threads=1 "$PLACE/ramdisk" >"$PLACE/out/ramdisk"
