# The holder of a session: PID 1 of an outer pair of namespaces, which keeps it as long as its
# standard input is open. open-session.ts starts it with
#   unshare --user --map-auto --map-root-user --mount --pid --net --fork --kill-child
# in the session's scratch folder, which holds
#   given                what the session is given beside its layers: its topmost layer
#   lower/0 lower/1 …    links to the layers, the topmost first (links keep the mount options short
#                        and free of characters that overlayfs would read as separators)
#   layer/root work      the overlay's upper and work folders
#   root new             the overlay's place, and the place where it is entered
#   empty                a layer for what is shown read-only
# Arguments: MACHINE HOSTNAME LAYERS TMP(memory|disk) OWNED PROCESSES MEMORY TMPFS [COUNT FROM… TO]…
#   OWNED    path below `given` that belongs to the plain user, or nothing
#   PROCESSES MEMORY TMPFS  how many processes, MiB of memory, and MiB of each tmpfs; 0 for no limit
#   FROM TO  a folder of this machine that is shown inside, read-only, or COUNT of them as one
#
# Two user namespaces, one in the other. The outer one's root is the state's owner, who may read the
# layers; it mounts them, and owns the network that a session may have. Root inside is a subordinate
# id: on this machine everything that it makes belongs to an id that nobody has. It may touch neither
# this process nor what this one has mounted or configured.
#
# It says `ready OUTER INNER`, two process numbers as the machine counts them, and then believes
# nothing from inside. `end` on standard input ends every process inside; it answers `ended` when all
# of them have. The end of input ends the session.
use strict;

my ($here) = __FILE__ =~ m{^(.*/)};
require "${here}confine.pl";
shed_inherited();
$| = 1;

our $machine;
my ( $hostname, $layers, $tmp, $owned, $max_processes, $max_memory, $max_tmpfs, @binds ) = @ARGV;

# Ids of the outer namespace: 0 is the owner, and inside everybody is one less.
my ( $root, $user ) = ( 1, 1001 );

sub give {
    my ( $path, $id ) = @_;
    die "$path: $!\n" unless lstat $path;
    chown $id, $id, $path or die "cannot give $path away: $!\n";
    return unless -d _;
    opendir my $folder, $path or die "$path: $!\n";
    for my $name ( readdir $folder ) {
        give( "$path/$name", $id ) unless $name eq "." || $name eq "..";
    }
}
give( "given", $root );
give( "given/$owned", $user ) if $owned ne "";
chown $root, $root, "layer/root" or die "cannot give the upper folder away: $!\n";

mount( "private rec", "none", "/" );
my $below = join ":", "given", map { "lower/$_" } 0 .. $layers - 1;
mount( "", "overlay", "root", "overlay",
    "userxattr,volatile,lowerdir=$below,upperdir=layer/root,workdir=work" );

# A place to mount at. No part of its path may be a link: a layer must not be able to make us mount
# over something of the machine's. Only in /run, which is empty, is one made.
sub place_for {
    my ($to) = @_;
    my $at = "root";
    for my $part ( split m{/}, substr $to, 1 ) {
        die "cannot bind to $to: it has $part in it\n" if $part eq "." || $part eq ".." || $part eq "";
        $at .= "/$part";
        if ( lstat $at ) {
            ( my $shown = $at ) =~ s{^root}{};
            die "cannot bind to $to: $shown is a link, or no folder\n" unless -d _;
        }
        elsif ( $to =~ m{^/run/} ) {
            mkdir $at, 0755 or die "cannot make $at: $!\n";
            chown $root, $root, $at or die "cannot give $at away: $!\n";
        }
        else { die "cannot bind to $to: it is not there\n" }
    }
    return $at;
}

# One of root's inside. Arguments: PLACE DATA
sub tmpfs {
    my ( $to, $data ) = @_;
    my $size = $max_tmpfs ? ",size=${max_tmpfs}m" : "";
    mount( "nosuid nodev", "tmpfs", place_for($to), "tmpfs", "uid=$root,gid=$root,$data$size" );
}

mount( "bind rec",  "/sys", place_for("/sys") );
mount( "slave rec", "none", "root/sys" );
# Groups of processes may be the owner's to change, and are nothing of a session's.
mount( "ro nosuid nodev noexec", "cgroup", "root/sys/fs/cgroup", "tmpfs", "size=4k,mode=0755" )
  if -d "root/sys/fs/cgroup";

mount( "nosuid", "dev", place_for("/dev"), "tmpfs", "uid=$root,gid=$root,mode=0755,size=1m" );
for my $device (qw(null zero full random urandom tty)) {
    open my $file, ">", "root/dev/$device" or die "root/dev/$device: $!\n";
    close $file;
    mount( "bind", "/dev/$device", "root/dev/$device" );
}
mkdir "root/dev/$_" for qw(pts shm);
tmpfs( "/dev/shm", "mode=1777" );
my %links = ( ptmx => "pts/ptmx", fd => "/proc/self/fd", map { $_->[0] => "/proc/self/fd/$_->[1]" }
      [ stdin => 0 ], [ stdout => 1 ], [ stderr => 2 ] );
symlink $links{$_}, "root/dev/$_" or die "root/dev/$_: $!\n" for keys %links;

tmpfs( "/run", "mode=0755" );
mkdir "root/run/lock" and chmod 01777, "root/run/lock" and chown $root, $root, "root/run/lock";
tmpfs( "/tmp", "mode=1777" ) if $tmp eq "memory";

# An overlay without an upper folder cannot be written to, whoever mounts it again.
my $shown = 0;
while ( my $count = shift @binds ) {
    my @from  = splice @binds, 0, $count;
    my $place = place_for( shift @binds );
    my @names;
    for my $from (@from) {
        push @names, "lower/shown" . $shown++;
        symlink $from, $names[-1] or die "$names[-1]: $!\n";
    }
    mount( "", "overlay", $place, "overlay", "userxattr,lowerdir=" . join( ":", @names, "empty" ) );
}

# From here on there are two: the child becomes PID 1 inside, once its ids are mapped.
pipe my $from_inside, my $to_outside or die "pipe: $!\n";
pipe my $go, my $let_go or die "pipe: $!\n";
$^F = 2;
my $child = fork // die "fork: $!\n";
if ( $child == 0 ) {
    open STDIN,  "<", "/dev/null" or exit 1;
    open STDOUT, ">", "/dev/null" or exit 1;
    # perl closes what is above $^F when another program is started.
    $^F = 1000;
    open my $tell, ">&", $to_outside or exit 1;
    open my $hear, "<&", $go         or exit 1;
    close $_ for $from_inside, $to_outside, $go, $let_go;
    # It counts for all processes of the user namespace that is made next together (getrlimit(2)).
    my $nproc = 6;
    if ($max_processes) {
        defined call( prlimit64 => 0, $nproc, pack( "qq", ($max_processes) x 2 ), 0 ) or exit 1;
    }
    {
        exec qw(unshare --user --keep-caps --mount --pid --ipc --uts --net --fork perl -w),
          "${here}inside.pl", $machine, fileno $tell, fileno $hear, $hostname
    }
    exit 127;
}
close $to_outside;
close $go;
sysread $from_inside, my $line, 64;
my ($inner) = ( $line // "" ) =~ /^pid ([0-9]+)$/m or die "the inside could not be started\n";
for my $map (qw(uid_map gid_map)) {
    open my $file, ">", "/proc/$inner/$map" or die "$map: $!\n";
    syswrite( $file, "0 1 65535\n" ) // die "$map: $!\n";
}
open my $file, "<", "/proc/$inner/status" or die "/proc/$inner/status: $!\n";
# Its number here: the machine's, ours, and its own, which is 1.
my ($init) = map { /^NSpid:\s+[0-9]+\s+([0-9]+)\s+1$/ ? $1 : () } <$file>;
close $file;
die "the inside has no number here\n" unless defined $init;
syswrite $let_go, "go\n";
close $let_go;
# What it says before it is ready, or why it is not.
my $said = "";
until ( $said =~ /^ready\n/ ) { sysread( $from_inside, my $part, 4096 ) or last; $said .= $part }
close $from_inside;
die "$said\n" unless $said eq "ready\n";
# Processes of the session, in a /proc of our own that shows no others.
mkdir "proc" or die "proc: $!\n";
mount( "nosuid nodev noexec", "proc", "proc", "proc" );

# Of the caller's errors nothing may come later: a session is silent.
print "ready ", pid_of_machine(), " $inner\n";

# The limit that is exceeded, or nothing.
sub exceeded {
    opendir my $proc, "proc" or return;
    my @pids = grep { /^[0-9]+$/ && $_ > 1 } readdir $proc;
    # Some that count are not seen here; the last ones are those that could not be started any more.
    my $margin = 0.02 * $max_processes;
    $margin = 16 if $margin < 16;
    return "processes" if $max_processes && @pids > $max_processes - $margin;
    return unless $max_memory;
    # Pages of each process that belong to no file, 4 KiB at least; those that processes share count for
    # each of them, so that a share of each is added up only where it may matter.
    my $pages = 0;
    for my $pid (@pids) {
        my ( undef, $resident, $shared ) = split / /, first_of("proc/$pid/statm", 200);
        $pages += ( $resident // 0 ) - ( $shared // 0 );
    }
    return if $pages * 4 < $max_memory * 1024;
    my $used = 0;
    for my $pid (@pids) {
        $used += $1 if first_of( "proc/$pid/smaps_rollup", 4096 ) =~ /^Pss:\s+([0-9]+) kB/m;
    }
    return $used > $max_memory * 1024 ? "memoryMiB" : undef;
}

sub first_of {
    my ( $path, $length ) = @_;
    open my $file, "<", $path or return "";
    sysread( $file, my $text, $length );
    return $text // "";
}

my $alive   = 1;
my $no_wait = 1;    # WNOHANG
$SIG{CHLD} = sub { };
sub gone {
    while ( ( my $pid = waitpid -1, $no_wait ) > 0 ) { $alive = 0 if $pid == $child || $pid == $init }
    return !$alive;
}
my ( $orders, $looked ) = ( "", time );
while (1) {
    my $bits = "";
    vec( $bits, 0, 1 ) = 1;
    # Woken up now and then: the inside may end between the look and the wait.
    my $count = select my $ready = $bits, undef, undef, 1;
    exit 0 if gone() && $orders !~ /end\n/;
    if ( $count <= 0 || time > $looked + 1 ) {
        $looked = time;
        if ( $alive && defined( my $limit = exceeded() ) ) {
            print "limit $limit\n";
            kill KILL => $init;
        }
    }
    next unless $count > 0;
    my $read = sysread STDIN, my $part, 4096;
    exit 0 unless $read;
    $orders .= $part;
    next unless $orders =~ s/^end\n//;
    # It may be ended because nothing works in it any more, for that very reason.
    if ( $alive && defined( my $limit = exceeded() ) ) { print "limit $limit\n" }
    kill KILL => $init;
    # Those it leaves come to us; the kernel ends all of them before it itself has ended.
    1 while waitpid( -1, 0 ) > 0;
    print "ended\n";
    # Now nobody is there; what is to be read is still mounted until the end of input.
    1 while sysread STDIN, my $rest, 4096;
    exit 0;
}
