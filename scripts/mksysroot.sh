#!/bin/sh
# Builds linux_guest's disk: an ext2 file system with toybox, dash and our init, ready to be a guest's root.
#
#   scripts/mksysroot.sh [-d TOYBOX] [-s DASH] -o OUT [-u] ARCH
#
#   -d TOYBOX  source directory of toybox; without it, Debian's package
#   -s DASH    source directory of dash; without it, Debian's package
#   -o OUT     the image to write
#   -u         OUT exists: replace its programs in place and keep everything else that is on it
#   ARCH       x64 or arm64
#
# The same inputs give the same bytes: identifiers and times in the image are fixed. Programs built from source
# are static; Debian's are dynamic, and the libraries that they need come along from Debian's libc packages.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
size_kib=20480
uuid=6d616368-696e-4100-8000-6c696e757831
epoch=1767225600 # 2026-01-01, the time of every file

fail()
{
    echo "scripts/mksysroot.sh: $*" >&2
    exit 1
}

usage()
{
    sed -n '2,/^set -eu/{/^#/!q;s/^# \{0,1\}//;p}' "$0" >&2
    exit 2
}

toybox_source= dash_source= out= update=false
while getopts d:s:o:u option; do
    case $option in
    d) toybox_source=$OPTARG ;;
    s) dash_source=$OPTARG ;;
    o) out=$OPTARG ;;
    u) update=true ;;
    *) usage ;;
    esac
done
shift $((OPTIND - 1))
[ $# = 1 ] && [ -n "$out" ] || usage
arch=$1
case $arch in
x64) debian=amd64 triplet=x86_64-linux-gnu loader=/lib64/ld-linux-x86-64.so.2 ;;
arm64) debian=arm64 triplet=aarch64-linux-gnu loader=/lib/ld-linux-aarch64.so.1 ;;
*) fail "ARCH is x64 or arm64, not \"$arch\"" ;;
esac
for source in "$toybox_source" "$dash_source"; do
    [ -z "$source" ] || [ -d "$source" ] || fail "$source is not a directory"
done
if $update && [ ! -f "$out" ]; then
    fail "-u needs an image to update, and there is no $out"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
stage=$work/stage
umask 022
mkdir -p "$stage" "$(dirname "$out")"
for directory in bin sbin lib lib64 etc dev proc sys tmp root mnt test_utils var usr; do
    mkdir "$stage/$directory"
done
ln -s ../bin ../sbin ../lib "$stage/usr/"

# --- the programs --------------------------------------------------------------------------------

# Sets $unpacked to the folder with the contents of a Debian package.
unpack()
{
    package=$("$top/scripts/fetch-package" "$debian" "$1" "$top/build/debian") || fail "no package $1"
    unpacked=$work/$1
    dpkg-deb -x "$package" "$unpacked"
}

add_program()
{
    install -m 755 "$1" "$stage/$2"
}

# Builds in a copy: the source directory stays as it is. Without the commands that need a static libcrypt, which
# cross compilers come without, and which a guest with one user has no use for.
build_toybox()
{
    cp -a "$toybox_source" "$work/toybox"
    (
        cd "$work/toybox"
        export CROSS_COMPILE="$triplet-" CC=gcc LDFLAGS=--static SOURCE_DATE_EPOCH=$epoch
        make clean && make defconfig &&
            sed -i 's/^CONFIG_\(LOGIN\|MKPASSWD\|PASSWD\|SU\|SULOGIN\)=y/# CONFIG_\1 is not set/' .config &&
            make -j"$(nproc)" toybox
    ) >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; fail "toybox does not build from $toybox_source"; }
    add_program "$work/toybox/toybox" bin/toybox
}

build_dash()
{
    cp -a "$dash_source" "$work/dash"
    [ -x "$work/dash/configure" ] || "$top/scripts/setup" --with dash
    (
        cd "$work/dash"
        export SOURCE_DATE_EPOCH=$epoch
        { [ -x configure ] || ./autogen.sh; } &&
            ./configure --host="$triplet" --enable-static CC="$triplet-gcc" && make -j"$(nproc)"
    ) >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; fail "dash does not build from $dash_source"; }
    "$triplet-strip" "$work/dash/src/dash"
    add_program "$work/dash/src/dash" bin/dash
}

# What a dynamic program names as needed is taken from the packages that were unpacked.
add_libraries()
{
    for program in "$stage"/bin/*; do
        [ -L "$program" ] || "$triplet-readelf" -d "$program"
    done | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u >"$work/needed"
    [ -s "$work/needed" ] || return 0
    for package in libc6 libcrypt1; do
        unpack "$package"
    done
    mkdir -p "$stage/lib/$triplet"
    while read -r library; do
        add_library "$library"
    done <"$work/needed"
    file=$(find "$work/libc6" -name "${loader##*/}" -type f | head -n 1)
    install -m 755 "$file" "$stage$loader"
}

add_library()
{
    [ "$1" != "${loader##*/}" ] || return 0
    file=$(find "$work" -path "$stage" -prune -o -path "*/$triplet/$1" -print | head -n 1)
    [ -n "$file" ] || fail "a program needs $1, which is in none of the packages taken along"
    install -m 644 "$(readlink -f "$file")" "$stage/lib/$triplet/$1"
}

# The commands that toybox was built with: from its build, or from Debian's package for this machine, whose program can
# tell; that of another architecture has the same.
toybox_commands()
{
    if [ -n "$toybox_source" ]; then
        # USE_NAME(NEWTOY(command, ...)), of which those with CONFIG_NAME=y are in it.
        sed -n 's/^USE_\([A-Z0-9_]*\)(\(NEWTOY\|OLDTOY\)(\([^,]*\),.*/\1 \3/p' "$work/toybox/generated/newtoys.h" |
            while read -r name command; do
                if grep -qx "CONFIG_$name=y" "$work/toybox/.config"; then
                    echo "$command"
                fi
            done
        return
    fi
    native=$("$top/scripts/fetch-package" "$(dpkg --print-architecture)" toybox "$top/build/debian")
    dpkg-deb -x "$native" "$work/native-toybox"
    "$work/native-toybox/bin/toybox" --long
}

link_toybox_commands()
{
    toybox_commands >"$work/commands"
    [ -s "$work/commands" ] || fail 'toybox does not list its commands'
    tr ' ' '\n' <"$work/commands" | sed 's|.*/||' | sort -u | while read -r command; do
        case $command in
        '' | sh | dash | toybox | init | dd) continue ;;
        esac
        [ -e "$stage/bin/$command" ] || ln -s toybox "$stage/bin/$command"
    done
}

if [ -n "$toybox_source" ]; then
    build_toybox
else
    unpack toybox
    add_program "$unpacked/bin/toybox" bin/toybox
fi
if [ -n "$dash_source" ]; then
    build_dash
else
    unpack dash
    add_program "$unpacked/bin/dash" bin/dash
fi
ln -s dash "$stage/bin/sh"
# Debian's toybox has no dd.
unpack coreutils
add_program "$unpacked/bin/dd" bin/dd
link_toybox_commands
add_libraries
"$triplet-gcc" -std=gnu17 -Os -static -s -o "$work/init" "$top/packages/linux_guest/init/init.c"
add_program "$work/init" sbin/init

cat >"$stage/etc/passwd" <<END
root:x:0:0:root:/root:/bin/sh
END
echo 'root:x:0:' >"$stage/etc/group"
echo linux_guest >"$stage/etc/hostname"
chmod 1777 "$stage/tmp"
chmod 700 "$stage/root"

# --- the image -----------------------------------------------------------------------------------

# debugfs reports errors in its output only.
run_debugfs()
{
    debugfs -w -f "$1" "$2" >"$work/debugfs.out" 2>"$work/debugfs.err" || fail "debugfs failed on $2"
    if grep -v '^debugfs ' "$work/debugfs.err" >&2; then
        fail "debugfs could not change $2"
    fi
}

make_image()
{
    find "$stage" -exec touch -h -d "@$epoch" {} +
    rm -f "$work/image"
    truncate -s "${size_kib}K" "$work/image"
    E2FSPROGS_FAKE_TIME=$epoch mke2fs -q -t ext2 -b 4096 -I 128 -m 0 -U "$uuid" -L linux_guest \
        -E "hash_seed=$uuid,root_owner=0:0,nodiscard" -d "$stage" "$work/image" >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        fail 'the file system could not be made'
    }
    # The change time of a file cannot be chosen in the staging folder.
    (cd "$stage" && find . | sed 's|^\.||; s|^$|/|' | sort) >"$work/paths"
    sed "s|.*|sif \"&\" ctime @$epoch\nsif \"&\" uid 0\nsif \"&\" gid 0|" "$work/paths" >"$work/times"
    E2FSPROGS_FAKE_TIME=$epoch run_debugfs "$work/times" "$work/image"
}

# Every file and link of the staging folder replaces the one on the image.
update_image()
{
    cp "$out" "$work/image"
    (cd "$stage" && find . -mindepth 1 -type d | sed 's|^\.||') | sort |
        while read -r path; do
            debugfs -R "stat \"$path\"" "$work/image" 2>/dev/null | grep -q '^Inode:' || echo "mkdir \"$path\""
        done >"$work/commands"
    (cd "$stage" && find . \( -type f -o -type l \) | sed 's|^\.||') | sort >"$work/paths"
    while read -r path; do
        debugfs -R "stat \"$path\"" "$work/image" 2>/dev/null | grep -q '^Inode:' && echo "rm \"$path\""
        if [ -L "$stage$path" ]; then
            echo "symlink \"$path\" \"$(readlink "$stage$path")\""
        else
            echo "write \"$stage$path\" \"$path\""
            echo "sif \"$path\" mode 0100$(stat -c %a "$stage$path")"
        fi
    done <"$work/paths" >>"$work/commands"
    run_debugfs "$work/commands" "$work/image"
}

if $update; then
    update_image
else
    make_image
fi
e2fsck -fn "$work/image" >"$work/log" 2>&1 || { cat "$work/log" >&2; fail 'the image is not consistent'; }
cp "$work/image" "$out.new"
mv "$out.new" "$out"
echo "scripts/mksysroot.sh: $out: $(stat -c %s "$out") bytes, $arch"
