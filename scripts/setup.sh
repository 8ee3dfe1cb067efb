#!/usr/bin/env bash
# Installs what is missing on Debian and says what it does. First argument: run (the server) or test (the tests as well).
set -euo pipefail
want=${1:-run}

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

command -v go >/dev/null || die "Go 1.26 is needed: https://go.dev/dl"
command -v node >/dev/null || die "Node 20 is needed: https://nodejs.org"
case "$(node --version)" in v20.*|v2[1-9].*|v[3-9][0-9].*) ;; *) die "Node 20 or newer is needed, this is $(node --version)" ;; esac

declare -A packages=(
  [postgresql-15]="ls /usr/lib/postgresql/*/bin/initdb"
  [espeak-ng]="command -v espeak-ng"
  [asterisk-core-sounds-ru-wav]="ls /usr/share/asterisk/sounds/ru*/beep.wav"
  [asterisk-core-sounds-en-wav]="ls /usr/share/asterisk/sounds/en_US_f_Allison/beep.wav"
  [asterisk-moh-opsound-wav]="ls /usr/share/asterisk/moh/*.wav"
)
if [ "$want" = test ]; then
  packages[chromium]="command -v chromium"
  packages[sip-tester]="command -v sipp"
  packages[baresip-core]="command -v baresip"
fi

# The tests' Asterisk lives in .cache, not on the machine. Without one its suites say so loudly, and fail in CI.
asterisk() { [ "$want" != test ] || "$(dirname "$0")/asterisk.sh" || [ -z "${CI:-}" ]; }

missing=()
for p in "${!packages[@]}"; do
  eval "${packages[$p]}" >/dev/null 2>&1 || missing+=("$p")
done
[ ${#missing[@]} -gt 0 ] || { say "everything is installed"; asterisk; exit; }

command -v apt-get >/dev/null || die "missing: ${missing[*]}. This machine has no apt-get: install them by hand, then \`bin/hotline doctor\`"
sudo=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || die "missing: ${missing[*]}. Run as root: apt-get install ${missing[*]}"
  sudo=(sudo)
fi
say "installing ${missing[*]}"
# Hotline runs a PostgreSQL of its own: the package need not make and start another one.
if printf '%s\n' "${missing[@]}" | grep -q '^postgresql' && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
  "${sudo[@]}" mkdir -p /etc/postgresql-common
  echo "create_main_cluster = false" | "${sudo[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
fi
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
say "done"
asterisk
