#!/bin/sh
# Builds a guest kernel.
#
#   scripts/mklinux.sh -l SOURCE -o OUT [-b BRANCH] [-d DEFCONFIG] ARCH
#
#   -l SOURCE     kernel source: a directory, a tar archive, or Debian's package linux-source-6.1 as it comes
#   -o OUT        the kernel to write: a bzImage (x64) or an Image (arm64)
#   -b BRANCH     build this branch (or tag, or commit) of SOURCE, which is a git repository
#   -d DEFCONFIG  a file, or the name of one in the kernel's arch/*/configs;
#                 without it packages/linux_guest/machina_ARCH_defconfig
#   ARCH          x64 or arm64
#
# The same source gives the same bytes: user, host, time and paths in the kernel are fixed, and a git tree with changes
# that are not committed is refused. The source stays as it is; objects are in build/linux-ARCH. Debian's source:
#
#   scripts/mklinux.sh -l "$(scripts/fetch-package x64 linux-source-6.1 build/debian)" -o build/vmlinuz x64
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)

fail()
{
    echo "scripts/mklinux.sh: $*" >&2
    exit 1
}

usage()
{
    sed -n '2,/^set -eu/{/^#/!q;s/^# \{0,1\}//;p}' "$0" >&2
    exit 2
}

source= out= branch= defconfig=
while getopts l:o:b:d: option; do
    case $option in
    l) source=$OPTARG ;;
    o) out=$OPTARG ;;
    b) branch=$OPTARG ;;
    d) defconfig=$OPTARG ;;
    *) usage ;;
    esac
done
shift $((OPTIND - 1))
[ $# = 1 ] && [ -n "$source" ] && [ -n "$out" ] || usage
arch=$1
case $arch in
x64) linux_arch=x86 triplet=x86_64-linux-gnu target=bzImage image=arch/x86/boot/bzImage ;;
arm64) linux_arch=arm64 triplet=aarch64-linux-gnu target=Image image=arch/arm64/boot/Image ;;
*) fail "ARCH is x64 or arm64, not \"$arch\"" ;;
esac
defconfig=${defconfig:-$top/packages/linux_guest/machina_${arch}_defconfig}
work=$top/build/linux-$arch

# --- the source ----------------------------------------------------------------------------------

is_git_tree()
{
    [ -d "$1" ] && git -C "$1" rev-parse --is-inside-work-tree >/dev/null 2>&1 &&
        [ "$(git -C "$1" rev-parse --show-toplevel)" = "$(cd "$1" && pwd -P)" ]
}

# Unpacks standard input, a tar archive, into $work/source; $1 tells one archive from another.
unpack_source()
{
    if [ "$(cat "$work/source.name" 2>/dev/null)" = "$1" ]; then
        cat >/dev/null
        return
    fi
    rm -rf "$work/source" "$work/objects" "$work/source.name"
    mkdir -p "$work/source"
    tar -x -C "$work/source" "$2" "$3"
    echo "$1" >"$work/source.name"
}

if [ -n "$branch" ]; then
    is_git_tree "$source" || fail "-b needs a git repository, which $source is not"
    commit=$(git -C "$source" rev-parse --verify --quiet "$branch^{commit}") || fail "$source has no branch $branch"
    git -C "$source" archive "$commit" | unpack_source "$commit" --strip-components=0 --no-same-owner
    tree=$work/source
elif is_git_tree "$source"; then
    [ -z "$(git -C "$source" status --porcelain)" ] ||
        fail "$source has changes that are not committed; commit them, so that the kernel can be built again"
    tree=$(cd "$source" && pwd)
elif [ -d "$source" ]; then
    tree=$(cd "$source" && pwd)
elif [ -f "$source" ]; then
    name="$(basename "$source") $(stat -c '%s %Y' "$source")"
    case $source in
    *.deb) dpkg-deb --fsys-tarfile "$source" | tar -xO --wildcards './usr/src/linux-source-*.tar.xz' | xz -dc ;;
    *.xz) xz -dc "$source" ;;
    *.gz) gzip -dc "$source" ;;
    *.zst) zstd -dcq "$source" ;;
    *.tar) cat "$source" ;;
    *) fail "$source is no directory, .deb, .tar, .tar.xz, .tar.gz or .tar.zst" ;;
    esac | unpack_source "$name" --strip-components=1 --no-same-owner
    tree=$work/source
else
    fail "there is no $source"
fi
if [ ! -f "$defconfig" ]; then
    found=$tree/arch/$linux_arch/configs/$defconfig
    [ -f "$found" ] || fail "there is no defconfig $defconfig, neither a file nor in the kernel's arch/$linux_arch/configs"
    defconfig=$found
fi
[ -f "$tree/Makefile" ] && [ -f "$tree/Kbuild" ] || fail "$source has no kernel source: no Makefile and Kbuild in it"

# --- the kernel ----------------------------------------------------------------------------------

"$top/scripts/setup" --with linux

export ARCH=$linux_arch CROSS_COMPILE=$triplet- LC_ALL=C TZ=UTC LOCALVERSION=
export KBUILD_BUILD_USER=machina KBUILD_BUILD_HOST=machina KBUILD_BUILD_VERSION=1
export KBUILD_BUILD_TIMESTAMP='2026-01-01 00:00:00 UTC'
export KCFLAGS="-ffile-prefix-map=$work/objects=. -ffile-prefix-map=$tree=."

run_make()
{
    make -C "$tree" O="$work/objects" "$@"
}

# An option that the kernel does not know, or whose dependencies are off, vanishes without a word.
check_config()
{
    lost=$(grep '^CONFIG_' "$defconfig" | grep -vxFf "$work/objects/.config" || true)
    [ -z "$lost" ] || fail "this kernel does not take these options of $defconfig:
$lost"
}

mkdir -p "$work/objects" "$(dirname "$out")"
cp "$defconfig" "$work/objects/.config"
run_make olddefconfig >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; fail 'the configuration failed'; }
check_config
echo "scripts/mklinux.sh: building $(run_make -s kernelversion) for $arch; the log is $work/log"
run_make -j"$(nproc)" "$target" >>"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; fail 'the build failed'; }
cp "$work/objects/$image" "$out"
echo "scripts/mklinux.sh: $out: $(stat -c %s "$out") bytes"
