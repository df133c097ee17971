# PID 1 inside a session: holder.pl starts it, and says what is what. Root inside may do to it
# whatever it likes; that ends the session, and no more.
# Arguments: MACHINE TELL HEAR (descriptors) HOSTNAME
use strict;

my ($here) = __FILE__ =~ m{^(.*/)};
require "${here}confine.pl";
my ( $tell, $hear, $hostname ) = @ARGV;
open my $holder, ">&=", $tell or die "$!\n";
open my $heard,  "<&=", $hear or die "$!\n";

eval {
    syswrite $holder, "pid " . pid_of_machine() . "\n";
    sysread( $heard, my $go, 16 ) or die "the holder is gone\n";
    close $heard;
    # Its ids are mapped now: it becomes root of its namespaces.
    become(0);
    defined call( sethostname => $hostname, length $hostname ) or die "sethostname: $!\n";

    # This network has loopback alone, and that is down at first. iproute2 is not on every machine.
    socket my $socket, 2, 2, 0 or die "socket: $!\n";
    my $request = pack "a16 s x22", "lo", 0x1 | 0x40;
    ioctl $socket, 0x8914, $request or die "cannot bring loopback up: $!\n";
    close $socket;

    # A mount of our own can be entered and what is around it left; those of the holder cannot.
    mount( "bind rec",             "root",   "new" );
    mount( "nosuid nodev noexec",  "proc",   "new/proc",    "proc" );
    mount( "nosuid noexec", "devpts", "new/dev/pts", "devpts", "newinstance,ptmxmode=0666,mode=0620,gid=5" );
    leave_for("new");
    open STDERR, ">&", \*STDOUT or die "$!\n";
    1;
} or do {
    syswrite $holder, $@;
    exit 1;
};
# Orphans become our children; ignored, they are reaped by the kernel.
$SIG{CHLD} = "IGNORE";
syswrite $holder, "ready\n";
close $holder;
sleep 1000 while 1;
