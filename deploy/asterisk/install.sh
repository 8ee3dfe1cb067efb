#!/usr/bin/env bash
# Writes Hotline's Asterisk configuration into a folder: install.sh DIR. What differs per installation comes from the
# environment; each name below is the @NAME@ of the files beside this script. A file that is there already and differs is kept
# as NAME.old.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
die() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }
[ $# = 1 ] || die "usage: [NAME=value ...] $0 DIR   (for example /etc/asterisk); the names: grep ': \"\${' $0"
dir=$1

# Between Hotline and Asterisk (settings telephony.asterisk.* of Hotline)
: "${APP:=hotline}"                     # application name, one per Hotline node
: "${ARI_USER:=hotline}"
: "${ARI_SECRET:=}"                     # empty: a new one is made and stays in ari.conf
: "${HTTP_IP:=127.0.0.1}"               # ARI listens here; keep it on loopback or a private wire
: "${HTTP_PORT:=8088}"
# Telephony
: "${SIP_IP:=0.0.0.0}"                  # trunks reach Asterisk here, UDP and TCP
: "${SIP_PORT:=5060}"
: "${RTP_FIRST:=10000}"                 # even; two ports per call leg and two more per talk
: "${RTP_LAST:=10999}"
: "${PROVIDER:=127.0.0.1:5080}"         # your trunk: host:port calls go out to
: "${PROVIDER_MATCH:=127.0.0.1}"        # addresses its calls come from, with commas
: "${HOTLINE_SIP:=127.0.0.1:5070}"      # Hotline's own SIP address (HOTLINE_SIP_ADDR), for desk phones registered there
: "${MUSIC:=/usr/share/asterisk/moh}"   # folder of 8 kHz mono WAV files that waiting callers hear
: "${RETRIES:=60}"                      # times two seconds that a caller waits for an absent Hotline
# Folders of this machine
: "${ETC:=$(realpath -m "$dir")}"
: "${MODULES:=$(ls -d /usr/lib/*-linux-gnu/asterisk/modules /usr/lib/asterisk/modules 2>/dev/null | head -n 1)}"
: "${SHARE:=/usr/share/asterisk}"
: "${LIB:=/var/lib/asterisk}"
: "${SPOOL:=/var/spool/asterisk}"
: "${RUN:=/var/run/asterisk}"
: "${LOGS:=/var/log/asterisk}"

if [ -z "$ARI_SECRET" ]; then
  ARI_SECRET=$(sed -nE 's/^password = (.+)$/\1/p' "$dir/ari.conf" 2>/dev/null | head -n 1 || true)
  case "$ARI_SECRET" in ''|@*) ARI_SECRET=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n') ;; esac
fi
[ -n "$MODULES" ] || die "no folder of Asterisk modules found: give MODULES=..."

names=(APP ARI_USER ARI_SECRET HTTP_IP HTTP_PORT SIP_IP SIP_PORT RTP_FIRST RTP_LAST PROVIDER PROVIDER_MATCH HOTLINE_SIP MUSIC RETRIES
  ETC MODULES SHARE LIB SPOOL RUN LOGS)
script=
for n in "${names[@]}"; do
  v=${!n}
  case "$v" in '' | *[!A-Za-z0-9_./:,+@~=\ -]*) die "$n may hold letters, digits, blanks and _ . / : , + @ ~ = - only, and not be empty" ;; esac
  script+="s|@$n@|$v|g;"
done

umask 027
mkdir -p "$dir"
for f in "$here"/*.conf; do
  out=$dir/${f##*/}
  sed "$script" "$f" > "$out.new"
  if grep -nE '@[A-Z_]+@' "$out.new" >&2; then die "${f##*/}: a name above has no value"; fi
  if [ -e "$out" ] && ! cmp -s "$out" "$out.new"; then cp -p "$out" "$out.old"; fi
  mv "$out.new" "$out"
done
printf 'install.sh: %s is written; Hotline needs HOTLINE_ASTERISK_URL=http://%s:%s/ari HOTLINE_ASTERISK_APP=%s HOTLINE_ASTERISK_USER=%s and the secret in ari.conf\n' \
  "$dir" "$HTTP_IP" "$HTTP_PORT" "$APP" "$ARI_USER"
