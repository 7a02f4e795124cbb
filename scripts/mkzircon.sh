#!/bin/sh
# Makes a guest package, the directory that `guest launch` starts, from a Zircon boot image (ZBI): a Zircon, a Fuchsia, a
# Machina.
#
#   scripts/mkzircon.sh ZBI [--cmdline TEXT] [OPTION]... [OUT]
#
#   ZBI             a complete boot image: its first item is the kernel
#   --cmdline TEXT  more of the kernel's command line, behind what the image has
#   OPTION          any other of scripts/mkpackage.sh: --cpus N, --memory SIZE, --block FILE,MODE, --set KEY=VALUE
#   OUT             the package directory; its last part is the package's name. Without it the package is
#                   build/ARCH/packages/NAME, with the architecture of the kernel and the name of the ZBI
#
# The image is checked first, every length and every checksum, and copied as it is; what a kernel has to be told of its
# machine is added when the guest starts. To take the package along in Machina's boot image and start it:
#
#   scripts/mkzircon.sh fuchsia.zbi --cmdline TERM=uart
#   make run PACKAGES='linux_guest fuchsia'
#   machina$ guest launch fuchsia
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
mkzbi=$top/build/host/mkzbi

fail()
{
    echo "scripts/mkzircon.sh: $*" >&2
    exit 1
}

usage()
{
    sed -n '2,/^set -eu/{/^#/!q;s/^# \{0,1\}//;p}' "$0" >&2
    exit 2
}

# $options collects words for mkpackage.sh, quoted for eval.
options=
add_option()
{
    options="$options '$(printf '%s' "$1" | sed "s/'/'\\\\''/g")'"
}

zbi= out=
while [ $# -gt 0 ]; do
    case $1 in
    --kernel | --zircon | --ramdisk | --dtb-overlay) fail "$1: a Zircon boot image brings all that itself" ;;
    --cmdline | --block | --cpus | --memory | --set)
        [ $# -ge 2 ] || fail "$1 needs a value"
        add_option "$1"
        add_option "$2"
        shift 2
        continue
        ;;
    -*) usage ;;
    esac
    if [ -z "$zbi" ]; then
        zbi=$1
    elif [ -z "$out" ]; then
        out=$1
    else
        usage
    fi
    shift
done
[ -n "$zbi" ] || usage
[ -f "$zbi" ] || fail "there is no file $zbi"
[ -s "$zbi" ] || fail "$zbi is empty"

[ -x "$mkzbi" ] || make -s -C "$top" build/host/mkzbi || fail "mkzbi, which checks the image, cannot be built"
problem=$("$mkzbi" verify "$zbi" 2>&1 >/dev/null) || fail "${problem#mkzbi: }"
case $("$mkzbi" list "$zbi" | head -n 1) in
*KERNEL_X64*) arch=x64 ;;
*KERNEL_ARM64*) arch=arm64 ;;
*) fail "$zbi: the first item is not a kernel for x64 or arm64; a complete boot image is needed, not data alone" ;;
esac
if [ -z "$out" ]; then
    name=$(basename "$zbi" .zbi | tr 'A-Z' 'a-z' | tr -c 'a-z0-9_\n-' _)
    out=$top/build/$arch/packages/$name
fi

eval "set -- $options"
"$top/scripts/mkpackage.sh" --zircon "$zbi" "$@" "$out"
echo "scripts/mkzircon.sh: $out: a package for $arch"
