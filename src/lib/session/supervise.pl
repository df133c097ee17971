# Runs a command inside a session, with nothing of the caller's: no descriptor but 0 to 2, each a pipe
# of ours or /dev/null, the umask, limits, signals, ids, the environment, no terminal. It ends when the
# command ends, whatever that left running inside, and as it ended.
# Arguments: MACHINE, pairs of a word and its value, `--`, the command
#   enter TYPE:PID:START       a namespace to enter, in this order, of a process that started then; after a
#                              user namespace we are its root
#   limit RESOURCE:SOFT:HARD   numbers of setrlimit(2), -1 for no limit
#   user ID                    the plain user to become
#   folder PATH
#   env NAME=VALUE             the environment, all of it; without it, the caller's
use strict;

my ($here) = __FILE__ =~ m{^(.*/)};
require "${here}confine.pl";
shed_inherited();
$SIG{$_} = "DEFAULT" for qw(HUP INT QUIT TERM PIPE USR1 USR2 ALRM CHLD);
my $set_mask = 2;
defined call( rt_sigprocmask => $set_mask, "\0" x 8, 0, 8 ) or die "rt_sigprocmask: $!\n";

my ( @limits, @namespaces, $user, $folder, %environment );
while ( defined( my $word = shift @ARGV ) ) {
    last if $word eq "--";
    my $value = shift @ARGV;
    if    ( $word eq "enter" )  { push @namespaces, $value }
    elsif ( $word eq "limit" )  { push @limits,     $value }
    elsif ( $word eq "user" )   { $user   = $value + 0 }
    elsif ( $word eq "folder" ) { $folder = $value }
    elsif ( $word eq "env" ) {
        my ( $name, $is ) = split /=/, $value, 2;
        $environment{$name} = $is;
    }
    else { die "no such word: $word\n" }
}

# A socket cannot be opened again by its name in /dev, as /dev/stderr is; a file could be, for more
# than it was given for. A pipe of ours can be, by whoever is inside.
sub needs_relay {
    my ($handle) = @_;
    my @status = stat $handle;
    return !( @status && -c _ && $status[6] == 0x103 );    # /dev/null
}

my $chunk = 1 << 20;
sub open_pipe {
    pipe my $read, my $write or die "pipe: $!\n";
    chmod 0666, $read or die "pipe: $!\n";
    # As large as anybody's may be, where that is granted: fewer turns for the same bytes.
    my $set_size = 1031;
    fcntl $write, $set_size, $chunk;
    return ( $read, $write );
}

# A wait is cut short by it; perl may come to it late, so no wait is longer than a moment.
$SIG{CHLD} = sub { };

my %relay;                                   # our end => where it goes
my %inside = ( 0 => \*STDIN, 1 => \*STDOUT, 2 => \*STDERR );
my ( $given, $feeder );
for my $fd ( 1, 2 ) {
    next unless needs_relay( $inside{$fd} );
    my ( $read, $write ) = open_pipe();
    $relay{ fileno $read } = [ $read, $inside{$fd} ];
    $inside{$fd} = $write;
}
if ( needs_relay( \*STDIN ) ) {
    ( $given, my $write ) = open_pipe();
    $inside{0} = $given;
    $feeder = fork // die "fork: $!\n";
    if ( $feeder == 0 ) {
        $SIG{CHLD} = "DEFAULT";
        %relay = ();
        close $given;
        close STDOUT;
        close STDERR;
        while ( sysread STDIN, my $part, $chunk ) { put( $write, $part ) or last }
        exit 0;
    }
    close $write;
}

pipe TOLD, TELLS or die "pipe: $!\n";
my $child = fork // die "fork: $!\n";
if ( $child == 0 ) {
    $SIG{CHLD} = "DEFAULT";
    close TOLD;
    # Whoever writes to what nobody reads any more has to find out.
    %relay = ();
    for ( [ 0, \*STDIN, "<&" ], [ 1, \*STDOUT, ">&" ], [ 2, \*STDERR, ">&" ] ) {
        my ( $fd, $handle, $mode ) = @$_;
        open $handle, $mode, $inside{$fd} or die "descriptor $fd: $!\n" if fileno $inside{$fd} != $fd;
    }
    eval { go_inside(); 1 } or do { print STDERR $@; exit 125 };
}
close TELLS;
close $inside{$_} for grep { fileno( $inside{$_} ) > 2 } keys %inside;

my $status;
my $no_wait = 1;    # WNOHANG
until ( defined $status ) {
    pass($_) for readable( 0.1, keys %relay );
    while ( ( my $pid = waitpid -1, $no_wait ) > 0 ) {
        undef $feeder if defined $feeder && $pid == $feeder;    # its number may soon be another's
        # What it told before it ended counts.
        $status = told() // $? if $pid == $child;
    }
    $status //= told();
}
# What it had written; whoever it left behind writes to nobody.
for my $fd ( keys %relay ) {
    1 while $relay{$fd} && readable( 0, $fd ) && pass($fd);
}
kill KILL => $feeder if defined $feeder;
end_like($status);

# How the command ended, as soon as that is known.
sub told {
    return unless readable( 0, fileno TOLD ) && sysread TOLD, my $how, 8;
    return unpack "q", $how;
}

# Enters the namespaces, in a process that tells how what it starts there ended. It is nobody else's from
# its first user namespace on, and none of what is inside can see or trace it: as long as it runs this
# program, its memory is the machine's (ptrace(2), dumpable). What the command has made a child of ours
# (clone(2), CLONE_PARENT) is reaped here: the session cannot end before, and not every machine's PID 1
# would do it.
sub go_inside {
    my @entered = map {
        my ( $type, $pid, $start ) = split /:/, $_;
        # Once open it is that process' and never another's that gets its number.
        chdir "/proc/$pid" or die "the session is gone: $!\n";
        start_of("stat") eq $start or die "the session is gone: its process number is another's\n";
        open my $namespace, "<", "ns/$type" or die "the session is gone: $!\n";
        [ $type, $namespace ];
    } @namespaces;
    chdir "/" or die "/: $!\n";
    # Inside it is seen for a moment: with the command alone, not with numbers of processes out here.
    $0 = "@ARGV";
    for (@entered) {
        my ( $type, $namespace ) = @$_;
        defined call( setns => fileno $namespace, 0 ) or die "cannot enter the session ($type): $!\n";
        become(0) if $type eq "user";
    }
    # Only what is started from here on is in the namespace of its processes.
    my $command = fork // die "fork: $!\n";
    if ( $command == 0 ) { become_command(); exit 125 }
    close $_ for \*STDIN, \*STDOUT, \*STDERR, values %inside;
    while ( ( my $pid = waitpid -1, 0 ) > 0 ) {
        next if $pid != $command;
        syswrite TELLS, pack "q", $?;
        close TELLS;
    }
    exit 0;
}

# When a process started, in clock ticks since the machine did (proc(5), field 22 of stat).
sub start_of {
    my ($file) = @_;
    open my $stat, "<", $file or die "the session is gone: $!\n";
    sysread $stat, my $text, 4096 or die "the session is gone: $!\n";
    return ( split / /, substr $text, 2 + rindex $text, ")" )[19];
}

sub become_command {
    # A session's processes go first where the machine runs out of memory.
    if ( open my $file, ">", "/proc/self/oom_score_adj" ) { syswrite $file, "500\n"; close $file }
    # Without the caller's terminal, and without us: signals for its group must not reach outside.
    defined call("setsid") or die "setsid: $!\n";
    for my $limit (@limits) {
        my ( $resource, $soft, $hard ) = split /:/, $limit;
        defined call( prlimit64 => 0, $resource + 0, pack( "qq", $soft, $hard ), 0 )
          or die "limit $resource: $!\n";
    }
    # In a user namespace of a session it is root so far, without root's groups.
    my $id = $user // 0;
    become( $id, groups_of($id) ) if defined $user || grep { /^user:/ } @namespaces;
    if ( defined $user ) {
        my $no_new_privileges = 38;
        defined call( prctl => $no_new_privileges, 1, 0, 0, 0 ) or die "prctl: $!\n";
    }
    chdir $folder or die "cannot enter $folder: $!\n" if defined $folder;
    %ENV = %environment if %environment;
    local $^W = 0;    # it says itself why not
    { exec { $ARGV[0] } @ARGV }
    my $is_not_there = $! == 2;
    print STDERR "$ARGV[0]: $!\n";
    exit( $is_not_there ? 127 : 126 );
}

# The groups of an id, as initgroups(3) finds them: its own, and those that name it as a member. The
# files are those inside; perl's own functions would load libraries from there.
sub groups_of {
    my ($id) = @_;
    my ($name) = map { $_->[2] eq $id ? $_->[0] : () } entries_of("/etc/passwd");
    my @member = grep {
        defined $name && grep { $_ eq $name } split /,/, $_->[3] // ""
    } entries_of("/etc/group");
    my @groups = grep { /\A[0-9]{1,5}\z/ && $_ != $id } map { $_->[2] // "" } @member;
    return ( $id, @groups );
}

sub entries_of {
    my ($path) = @_;
    return unless -f $path && open my $file, "<", $path;
    return map { chomp; [ split /:/ ] } <$file>;
}

sub end_like {
    my ($how) = @_;
    if ( my $signal = $how & 127 ) {
        $SIG{$_} = "DEFAULT" for qw(HUP INT QUIT TERM PIPE USR1 USR2 ALRM);
        kill $signal, $$;
        exit 128 + $signal;
    }
    exit $how >> 8;
}

# Those of the descriptors that something can be read from, after at most that many seconds.
sub readable {
    my ( $seconds, @fds ) = @_;
    my $bits = "";
    vec( $bits, $_, 1 ) = 1 for @fds;
    my $count = select( $bits, undef, undef, $seconds );
    return $count > 0 ? grep { vec $bits, $_, 1 } @fds : ();
}

sub pass {
    my ($fd) = @_;
    my ( $read, $to ) = @{ $relay{$fd} };
    my $count = sysread( $read, my $part, $chunk );
    return 0 if !defined $count;
    if ( $count > 0 && put( $to, $part ) ) { return 1 }
    delete $relay{$fd};
    return 0;
}

sub put {
    my ( $to, $part ) = @_;
    local $SIG{PIPE} = "IGNORE";
    for ( my $done = 0 ; $done < length $part ; ) {
        my $written = syswrite $to, $part, length($part) - $done, $done;
        return 0 unless defined $written || $! == 4;    # EINTR
        $done += $written // 0;
    }
    return 1;
}
