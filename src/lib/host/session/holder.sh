#!/bin/sh
# The inside of a session: PID 1 of its namespaces. open-session.ts starts it with
#   unshare --user --map-auto --map-root-user --mount --pid --ipc --uts --net --fork --kill-child
# in the session's scratch folder, which holds
#   lower/0 lower/1 …   links to the layers, the topmost first (links keep the mount options short
#                       and free of characters that overlayfs would read as separators)
#   upper work root     the overlay's folders
#   hosts resolv.conf   shown as /etc/hosts and /etc/resolv.conf
# Arguments: HOSTNAME LOWERDIR HIDE_LISTS [MODE FROM TO]…   (MODE is ro or rw)
#
# It speaks lines on standard output: `pid N` (as the host numbers it), `made PATH` for each
# mountpoint that had to be made in the upper folder, `ready`. It then waits for lines on standard
# input: `kill` ends every process inside. End of input ends the session: when PID 1 leaves, the
# kernel ends everything else.
set -eu
umask 022

read -r pid rest </proc/self/stat
echo "pid $pid"

hostname=$1 lowerdir=$2 hide_lists=$3
shift 3
hostname "$hostname"

# This namespace has no network but loopback, and that one is down at first. Commands that may use
# the network are left in the host's. iproute2 is not on every machine; perl-base is.
perl -e '
  socket(my $socket, 2, 2, 0) or die "socket: $!\n";
  my $request = pack("a16 s x22", "lo", 0x1 | 0x40);
  ioctl($socket, 0x8914, $request) or die "cannot bring loopback up: $!\n";
'

mount -t overlay overlay -o "userxattr,volatile,lowerdir=$lowerdir,upperdir=upper,workdir=work" root

# A mountpoint is made where none is. No part of its path may be a link: a layer must not be able
# to make us mount over, or create, something of the host's.
made() { case $1 in dev/* | tmp/* | run/*) ;; *) echo "made /$1" ;; esac; }
mountpoint_for() {
  from=$1 path='' rest=${2#/}
  while :; do
    part=${rest%%/*}
    if [ "$part" != "$rest" ]; then last=no rest=${rest#*/}; else last=yes; fi
    case $part in
    '') if [ $last = yes ]; then break; else continue; fi ;;
    . | ..) echo "cannot bind to $2: it has $part in it" >&2 && exit 1 ;;
    esac
    path=${path:+$path/}$part
    if [ -L "root/$path" ]; then
      echo "cannot bind to $2: /$path is a link" >&2
      exit 1
    elif [ $last = yes ] && [ ! -d "$from" ]; then
      [ -e "root/$path" ] || { : >"root/$path" && made "$path"; }
    elif [ ! -d "root/$path" ]; then
      mkdir "root/$path" && made "$path"
    fi
    [ $last = no ] || break
  done
  target=root/$path
}
# Root inside has made these mounts, so it could make a read-only bind writable again. A folder that
# is to be read only is shown through an overlay without an upper folder, which nobody can write to.
# A file cannot be: those that are shown are copies of the session's own.
mkdir empty
shown=0
bind() {
  mountpoint_for "$2" "$3"
  if [ "$1" = ro ] && [ -d "$2" ]; then
    shown=$((shown + 1))
    ln -s "$2" "lower/shown$shown"
    mount -t overlay overlay -o "userxattr,lowerdir=lower/shown$shown:empty" "$target"
  else
    mount --bind "$2" "$target"
    if [ "$1" = ro ]; then mount -o remount,bind,ro "$target"; fi
  fi
}

mount -t proc -o nosuid,nodev,noexec proc root/proc
mount --rbind /sys root/sys
mount --make-rslave root/sys

mount -t tmpfs -o mode=0755,nosuid,size=1m dev root/dev
for device in null zero full random urandom tty; do
  : >"root/dev/$device"
  mount --bind "/dev/$device" "root/dev/$device"
done
mkdir root/dev/pts root/dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5,nosuid,noexec devpts root/dev/pts
mount -t tmpfs -o mode=1777,nosuid,nodev shm root/dev/shm
ln -s pts/ptmx root/dev/ptmx
ln -s /proc/self/fd root/dev/fd
ln -s /proc/self/fd/0 root/dev/stdin
ln -s /proc/self/fd/1 root/dev/stdout
ln -s /proc/self/fd/2 root/dev/stderr

mount -t tmpfs -o mode=0755,nosuid,nodev run root/run
mkdir -m 1777 root/run/lock
if [ "$hide_lists" = yes ]; then
  mountpoint_for . /var/lib/apt/lists
  mount -t tmpfs -o mode=0755,nosuid,nodev lists "$target"
fi

tmp=own
for argument; do if [ "$argument" = /tmp ]; then tmp=bound; fi; done
if [ $tmp = own ]; then mount -t tmpfs -o mode=1777,nosuid,nodev tmp root/tmp; fi

while [ $# -gt 0 ]; do
  bind "$1" "$2" "$3"
  shift 3
done

bind ro hosts /etc/hosts
# systemd-resolved makes resolv.conf a link into /run, which is the session's own.
if [ -L root/etc/resolv.conf ]; then
  link=$(readlink root/etc/resolv.conf)
  case $link in
  /run/*) bind ro resolv.conf "$link" ;;
  ../run/*) bind ro resolv.conf "/${link#../}" ;;
  *) echo "/etc/resolv.conf of the layers is a link to $link, not into /run" >&2 && exit 1 ;;
  esac
else
  bind ro resolv.conf /etc/resolv.conf
fi

# Leave the host's tree for good: only after it is unmounted here can root inside not get back.
# `umount` is not in every base and the host's may not run on the base's libraries, so it runs in
# the old tree, and reaches the mount through /proc, whose numbers there are the host's.
mkdir root/run/host
cd root
pivot_root . run/host
cd /
chroot run/host umount --lazy --no-canonicalize "/proc/$pid/root/run/host"
rmdir run/host

echo ready
# Orphans inside become our children; ignored, they are reaped by the kernel. Not in this shell:
# dash ends a `read` when a child of its dies. perl-base is essential, so that every layer has it.
exec perl -e '
  $SIG{CHLD} = "IGNORE";
  while (my $line = <STDIN>) { kill "KILL", -1 if $line eq "kill\n"; }
'
