#!/usr/bin/env bash
# Puts an Asterisk for the tests into .cache/asterisk, once. It is Debian sid's (Debian 12 has none), with the libraries it was
# built for, unpacked into a folder: no root, no chroot, no mounts, nothing installed on the machine.
# Afterwards .cache/asterisk/asterisk runs it, and .cache/asterisk/modules are its modules.
set -euo pipefail
cd "$(dirname "$0")/.."
floor=22.10.1
cache=$PWD/.cache/asterisk
# The mirror this machine gets its packages from; DEBIAN_MIRROR names another.
mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | grep -v security | head -n 1 || true)}

say() { printf 'asterisk: %s\n' "$*"; }
die() { printf 'NO ASTERISK FOR THE TESTS: %s\n' "$*" >&2; exit 1; }

# version prints 22.10.1 of a line such as "Asterisk 22.10.1+dfsg-1"; empty when it does not run.
version() { "$cache/asterisk" -V 2>/dev/null | sed -nE 's/^Asterisk ([0-9.]+).*/\1/p' || true; }
enough() { [ -n "$1" ] && [ "$(printf '%s\n' "$floor" "$1" | sort -V | head -n 1)" = "$floor" ]; }

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9 # two test runs at once: the second finds the first one's
have=$(version)
if enough "$have"; then say "$have is there"; exit 0; fi

for tool in apt-get dpkg-deb; do command -v "$tool" >/dev/null || die "this machine has no $tool"; done
[ -n "$mirror" ] || die "apt knows no mirror of Debian here: set DEBIAN_MIRROR"
keys=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r "$keys" ] || die "$keys is missing: apt-get install debian-archive-keyring"

say "fetching Debian sid's Asterisk and its libraries (80 MB) into .cache/asterisk"
work=$(mktemp -d "$cache/new.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
find "$cache" -maxdepth 1 -name 'new.*' ! -path "$work" -exec rm -rf --one-file-system {} + # of an interrupted run: we hold the lock
mkdir -p "$work"/apt/{lists,archives}/partial "$work/root"
: > "$work/apt/status" # nothing counts as installed: all libraries come along
echo "deb [signed-by=$keys] $mirror sid main" > "$work/apt/sources.list"
cat > "$work/apt/apt.conf" <<CONF
Dir::State::lists "$work/apt/lists";
Dir::State::status "$work/apt/status";
Dir::Cache::archives "$work/apt/archives";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::Etc::sourcelist "$work/apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Sandbox::User "";
APT::Install-Recommends "false";
Debug::NoLocking "true";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
#clear DPkg::Pre-Install-Pkgs;
#clear Acquire::IndexTargets::deb::DEP-11;
#clear Acquire::Languages;
CONF
# Sid moves: between reading the list and fetching a file it may have been replaced, so a second try reads it again.
fetch() {
  apt-get -c "$work/apt/apt.conf" -qq update && apt-get -c "$work/apt/apt.conf" -qq install -y --download-only asterisk
}
fetch > "$work/apt/log" 2>&1 || fetch > "$work/apt/log" 2>&1 || { tail -n 5 "$work/apt/log" >&2; die "Debian sid cannot be fetched from $mirror"; }
for deb in "$work"/apt/archives/*.deb; do
  dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$work/root" --no-same-owner --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' \
    || die "cannot unpack ${deb##*/}"
done

# The folder's own loader finds the folder's own libraries; paths in the configuration are the machine's.
loader=$(find "$work"/root/usr/lib -maxdepth 2 -name 'ld-linux*.so.*' | head -n 1)
[ -n "$loader" ] || die "the packages bring no loader"
lib=$(dirname "${loader#"$work"/}")
cat > "$work/asterisk" <<RUN
#!/bin/sh
# Asterisk of the tests; made by scripts/asterisk.sh. Give it a configuration: -C DIR/asterisk.conf
here=\$(cd "\$(dirname "\$0")" && pwd)
exec "\$here/${loader#"$work"/}" --library-path "\$here/$lib" --argv0 "\$0" "\$here/root/usr/sbin/asterisk" "\$@"
RUN
chmod +x "$work/asterisk"
rm -rf --one-file-system "$cache/root"
mv "$work/root" "$cache/root"
ln -sfn "$lib/asterisk/modules" "$cache/modules"
ln -sfn root/usr/share/asterisk "$cache/share"
mv "$work/asterisk" "$cache/asterisk" # last: with it the folder counts as whole
have=$(version)
enough "$have" || die "Debian sid's Asterisk says version '${have:-none}', $floor or newer is needed"
say "$have is there"
