#!/bin/sh
# Makes a guest package, the directory that `guest launch` starts, from a kernel and disks of your own.
#
#   scripts/mkpackage.sh --kernel FILE [OPTION]... OUT
#
#   --kernel FILE       bzImage or uncompressed ELF (x64), Image or Image.gz (arm64)
#   --zircon FILE       a Zircon boot image with its kernel, in the place of --kernel (scripts/mkzircon.sh checks it first)
#   --uncompressed      take the uncompressed kernel out of the compressed one: the guest starts faster
#   --ramdisk FILE      initial ramdisk
#   --dtb-overlay FILE  device tree overlay (arm64), as dtc -@ makes it
#   --block FILE[,MODE] a raw disk image; MODE is ro (the default), volatile (writes are kept in memory and lost
#                       at the end) or rw. memory:SIZE[,ro|rw] is an empty disk in memory instead, rw unless told.
#                       Given several times, the disks are vda, vdb, ... in that order
#   --cmdline TEXT      the kernel's command line
#   --cpus N            virtual CPUs
#   --memory SIZE       memory, such as 512M or 2G
#   --set KEY=VALUE     any other key of guest.cfg, with a text as its value
#   OUT                 the package directory; its last part is the package's name
#
# OUT gets data/guest.cfg and copies of the files. To take a package along in Machina's boot image:
#
#   scripts/mkpackage.sh --kernel bzImage --block root.img,volatile --cmdline 'console=ttyS0 root=/dev/vda' \
#       build/x64/packages/my_guest
#   make run PACKAGES='linux_guest my_guest'
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)

fail()
{
    echo "scripts/mkpackage.sh: $*" >&2
    exit 1
}

usage()
{
    sed -n '2,/^set -eu/{/^#/!q;s/^# \{0,1\}//;p}' "$0" >&2
    exit 2
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
mkdir "$work/data"
config='{}'

set_key()
{
    config=$(printf '%s' "$config" | jq --arg key "$1" --arg value "$2" '.[$key] = $value')
}

add_block()
{
    config=$(printf '%s' "$config" | jq --arg value "$1" '.block += [$value]')
}

# Copies a file into the package; $added is its name there.
add_file()
{
    [ -f "$2" ] || fail "$1: there is no file $2"
    [ -s "$2" ] || fail "$1: $2 is empty"
    added=data/${2##*/}
    case $added in
    data/guest.cfg) fail "$1: no file of a package may be called guest.cfg" ;;
    *,*) fail "$1: $2 has a comma in its name, which a block specification cannot express" ;;
    esac
    if [ -e "$work/$added" ]; then
        cmp -s "$2" "$work/$added" || fail "$1: the package has another file called ${2##*/} already"
    fi
    cp --reflink=auto --sparse=always "$2" "$work/$added"
    chmod 644 "$work/$added"
}

add_disk()
{
    case $1 in
    memory:*[!0-9bkMG],* | memory:*,*,*) fail "--block $1: a disk in memory is memory:SIZE,ro or memory:SIZE,rw" ;;
    memory:*,rw | memory:*,ro)
        add_block "$1"
        return
        ;;
    memory:*,*) fail "--block $1: a disk in memory is ro or rw" ;;
    memory:*)
        add_block "$1,rw"
        return
        ;;
    esac
    file=${1%,*} mode=${1##*,}
    [ "$mode" != "$1" ] || mode=ro
    case $mode in
    ro | rw | volatile) ;;
    *) fail "--block $1: the mode is ro, rw or volatile, not \"$mode\"" ;;
    esac
    add_file --block "$file"
    [ $(($(stat -c %s "$file") % 512)) = 0 ] || fail "--block: the size of $file is no multiple of 512"
    add_block "$added,$mode"
}

kernel= kernel_key=kernel uncompressed=false out=
while [ $# -gt 0 ]; do
    case $1 in
    --uncompressed)
        uncompressed=true
        shift
        continue
        ;;
    --kernel | --zircon | --ramdisk | --dtb-overlay | --block | --cmdline | --cpus | --memory | --set)
        [ $# -ge 2 ] || fail "$1 needs a value"
        ;;
    -*) usage ;;
    *)
        [ -z "$out" ] || usage
        out=$1
        shift
        continue
        ;;
    esac
    case $1 in
    --kernel | --zircon)
        [ -z "$kernel" ] || fail "$1: a second kernel; one of --kernel and --zircon is possible"
        kernel=$2 kernel_key=${1#--}
        ;;
    --ramdisk | --dtb-overlay)
        add_file "$1" "$2"
        set_key "${1#--}" "$added"
        ;;
    --block) add_disk "$2" ;;
    --cmdline) set_key cmdline "$2" ;;
    --cpus)
        case $2 in
        '' | *[!0-9]* | 0*) fail "--cpus: \"$2\" is no number of CPUs" ;;
        esac
        set_key cpus "$2"
        ;;
    --memory)
        printf '%s\n' "$2" | grep -Eq '^[1-9][0-9]*[bkMG]?$' ||
            fail "--memory: \"$2\" is no size; a number with b, k, M or G is"
        set_key memory "$2"
        ;;
    --set)
        case $2 in
        [a-z]*=*) set_key "${2%%=*}" "${2#*=}" ;;
        *) fail "--set $2: KEY=VALUE is wanted" ;;
        esac
        ;;
    esac
    shift 2
done
[ -n "$out" ] || usage
[ -n "$kernel" ] || fail '--kernel is missing: a package needs a kernel'
name=$(basename "$out")
case $name in
*[!a-z0-9_-]* | -*) fail "\"$name\" is no package name; small letters, digits, _ and - are" ;;
esac

if $uncompressed; then
    [ -f "$kernel" ] || fail "--kernel: there is no file $kernel"
    "$top/scripts/extract-vmlinux" "$kernel" "$work/vmlinux"
    kernel=$work/vmlinux
fi
add_file "--$kernel_key" "$kernel"
config=$(printf '%s' "$config" | jq --arg key "$kernel_key" --arg value "$added" '{($key): $value} + .')
# A single disk is written as a text.
printf '%s' "$config" | jq --indent 4 'if (.block | length) == 1 then .block |= .[0] else . end' \
    >"$work/data/guest.cfg"

# The package appears as a whole, and takes the place of an older one only if that is a package too.
if [ -e "$out" ] && [ ! -f "$out/data/guest.cfg" ]; then
    fail "$out exists and is no package"
fi
mkdir -p "$(dirname "$out")"
rm -rf "$out.new"
mkdir "$out.new"
mv "$work/data" "$out.new/data"
rm -rf "$out"
mv "$out.new" "$out"
