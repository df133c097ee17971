# Shared functions of the scripts in this folder, which source it. It sets `here`, the checkout, and
# `program`, the folder that the program is run from. The script sets `state`, the state folder; after
# `ensure_user`, `as_user` runs a command as the unprivileged user.
set -euo pipefail
# Other users have to be able to read the program. Private files are made with modes of their own.
umask 022
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
program=$here
system_user=ubuntu-ci

say() { printf '%s\n' "$*" >&2; }
die() { say "$1" && exit "${2:-78}"; }

# Shows what the script that sources this says of itself above its first command, and how it is called.
# Scripts without arguments refuse them: a mistyped one must not start anything.
no_arguments() {
  [ $# -gt 0 ] || return 0
  case $1 in
    -h | --help)
      printf 'Usage: maintenance/%s\n\n' "$(basename "$0")"
      sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
      exit
      ;;
  esac
  say "$(basename "$0") takes no arguments (--help says what it does)"
  exit 2
}

# Installs those Debian packages named in the given files that are not installed yet.
install_packages() {
  local missing=() name
  while read -r name; do
    case $name in '' | '#'*) continue ;; esac
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
  done < <(cat "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing ${missing[*]}"
  local root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "missing packages: as root, apt-get install ${missing[*]}"
    root=(sudo)
  fi
  "${root[@]}" apt-get update -qq
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# Installs the npm packages, without better-sqlite3's native library.
install_npm_packages() {
  command -v node >/dev/null || die "Node.js 20.19 or later is not installed"
  node -e 'const [a,b]=process.versions.node.split(".").map(Number);process.exit(a>20||(a===20&&b>=19)?0:1)' ||
    die "Node.js is $(node --version); 20.19 or later is needed"
  cd "$here"
  [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ] || return 0
  say "installing npm packages"
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
}

sqlite=node_modules/better-sqlite3/build
# Builds or downloads better-sqlite3's native library.
install_sqlite() {
  cd "$here"
  [ ! -e $sqlite/Release/better_sqlite3.node ] || return 0
  say "compiling better-sqlite3 (a minute or two)"
  # With Node's headers, where they are installed, node-gyp need not download them.
  local prefix
  prefix=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
  if [ -e "$prefix/include/node/node.h" ]; then export npm_config_nodedir=$prefix; fi
  # SQLite and Debian compile it with -O2; better-sqlite3's -O3 takes a third longer.
  CFLAGS="${CFLAGS:--O2}" JOBS=max npm rebuild --loglevel=error better-sqlite3
  [ -e $sqlite/Release/better_sqlite3.node ] || die "npm did not build better-sqlite3"
}

build_program() {
  cd "$here"
  if [ ! -e dist/ubuntu-ci.cjs ] || [ -n "$(find src package.json tsconfig.json tsconfig.build.json maintenance/make-bundle.js -newer dist/ubuntu-ci.cjs -print -quit)" ]; then
    npm run --silent compile
    node maintenance/make-bundle.js bundle
  fi
}

precompiled=dist/ubuntu-ci.cjs.compiled
# Precompiles the program. It is run for that, so it needs better-sqlite3's native library.
precompile() {
  cd "$here"
  [ -e $precompiled ] || node maintenance/make-bundle.js precompile
}

declare -A running=()
# Runs functions in parallel. The arguments are pairs: a prefix for the lines of output, and a function.
# When one fails, the script exits; its EXIT trap has to call end_running.
side_by_side() {
  local failed=0 pid
  while [ $# -gt 0 ]; do
    # In a process group of its own, so that its child processes can be ended, too.
    set -m
    { "$2" 2>&1 | sed -u "s/^/[$1] /" >&2; } </dev/null &
    set +m
    running[$!]=$1
    shift 2
  done
  while [ ${#running[@]} -gt 0 ]; do
    wait -n -p pid "${!running[@]}" || failed=$?
    [ $failed = 0 ] || { say "${running[$pid]} failed" && exit $failed; }
    unset "running[$pid]"
  done
}

end_running() {
  local pid
  for pid in "${!running[@]}"; do kill -- "-$pid" 2>/dev/null || :; done
  wait
}

# Gives a user 65536 subordinate ids after all ranges that are in use.
give_subids() {
  local file option
  for file in /etc/subuid /etc/subgid; do
    grep -q "^$1:" "$file" 2>/dev/null && continue
    touch "$file"
    local start
    start=$(awk -F: 'BEGIN { end = 100000 } $2 + $3 > end { end = $2 + $3 } END { print end }' "$file")
    option=--add-subuids
    [ $file = /etc/subgid ] && option=--add-subgids
    usermod "$option" "$start-$((start + 65535))" "$1"
  done
}

# Builds never run as root: root makes a system user for them, anybody else uses their own account.
ensure_user() {
  if [ "$(id -u)" = 0 ]; then
    if ! id "$system_user" >/dev/null 2>&1; then
      useradd --system --user-group --home-dir /var/lib/ubuntu-ci --shell /usr/sbin/nologin "$system_user"
    fi
    give_subids "$system_user"
    open_network_device
    user=$system_user
  else
    user=$(id -un)
    grep -q "^$user:" /etc/subuid || die "$user has no subordinate ids: as root, usermod --add-subuids 200000-265535 --add-subgids 200000-265535 $user"
  fi
}

# Opens the device that the network of sessions needs to all users, as udev does. When that fails,
# `ubuntu-ci doctor` says what to do.
open_network_device() {
  [ "$(id -u)" = 0 ] || return 0
  [ -c /dev/net/tun ] || { mkdir -p /dev/net && mknod /dev/net/tun c 10 200; } || return 0
  chmod 0666 /dev/net/tun || :
}

as_user() {
  if [ "$(id -u)" = 0 ]; then
    local home
    home=$(getent passwd "$user" | cut -d: -f6)
    [ -d "$home" ] || home=/tmp
    (cd / && exec runuser -u "$user" -- env HOME="$home" UBUNTU_CI_STATE_DIR="${state:-}" NO_COLOR="${NO_COLOR:-}" "$@")
  else
    env UBUNTU_CI_STATE_DIR="${state:-}" "$@"
  fi
}
