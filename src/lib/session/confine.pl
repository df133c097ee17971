# What the scripts of a session share. Perl because it can change its root folder and leave the old
# one without starting anything from the new one, and because perl-base is on every machine. Linux'
# own calls, where perl has none: a command of a session starts in a third of the time that it takes
# to start a program for each, or to load perl's POSIX and warnings (`perl -w` says the same).
use strict;

# Their numbers, by Node's name of the architecture, which is each script's first argument (perl's own
# module would take long to load). The last three have the newer, common table.
my @names = qw(
  keyctl setsid setns prlimit64 prctl rt_sigprocmask mount umount2 pivot_root
  setresuid setresgid setgroups sethostname
);
my $newer = [ 219, 157, 268, 261, 167, 135, 40, 39, 41, 147, 149, 159, 161 ];
my %numbers = (
    x64   => [ 250, 112, 308, 302, 157, 14,  165, 166, 155, 117, 119, 116, 170 ],
    ia32  => [ 288, 66,  346, 340, 172, 175, 21,  52,  217, 208, 210, 206, 74 ],
    arm   => [ 311, 66,  375, 369, 172, 175, 21,  52,  218, 208, 210, 206, 74 ],
    ppc64 => [ 271, 66,  350, 325, 171, 174, 21,  52,  203, 164, 169, 81,  74 ],
    s390x => [ 280, 66,  339, 334, 172, 175, 21,  52,  217, 208, 210, 206, 74 ],
    map { $_ => $newer } qw(arm64 riscv64 loong64),
);
our $machine = shift @ARGV;
my %number;
@number{@names} = @{ $numbers{$machine} // die "the system calls of $machine are not known here\n" };
$number{close_range} = 436;    # the same everywhere

# Calls the system, and returns what it says, or nothing with $! set. Text is passed by its address.
sub call {
    my ( $name, @arguments ) = @_;
    my $result = syscall $number{$name} + 0, @arguments;
    return $result < 0 ? undef : $result;
}

# The flags of mount(2).
my %flag = (
    ro => 1, nosuid => 2, nodev => 4, noexec => 8, remount => 32, bind => 4096,
    rec => 16384, private => 1 << 18, slave => 1 << 19,
);

# mount(2). Arguments: FLAGS (words) SOURCE PLACE [TYPE DATA]
sub mount {
    my ( $words, $source, $place, $type, $data ) = @_;
    my $flags = 0;
    $flags |= $flag{$_} for split / /, $words;
    defined call( mount => "$source", "$place", $type // 0, $flags, $data // 0 )
      or die "cannot mount " . ( $type // $source ) . " at $place: $!\n";
}

# What nothing inside a session may get from whoever called us: descriptors, the umask, and the keys
# of the session keyring (session-keyring(7)), which goes with every process.
sub shed_inherited {
    my $join = 1;
    # A kernel without keys has none to leave, and one that lets nobody use them lets nobody in.
    my %is_fine = ( 1 => "EPERM", 13 => "EACCES", 38 => "ENOSYS" );
    defined call( keyctl => $join, 0 ) || $is_fine{ $! + 0 }
      or die "the keyring cannot be left: $!\n";
    defined call( close_range => 3, 0x7fffffff, 0 ) or die "descriptors cannot be closed: $!\n";
    umask 022;
}

# Becomes one id, with those supplementary groups alone, in this user namespace.
sub become {
    my ( $id, @groups ) = @_;
    my $list = pack "L*", @groups;
    defined call( setgroups => scalar @groups, $list ) or die "setgroups: $!\n";
    defined call( setresgid => ($id) x 3 ) or die "setresgid: $!\n";
    defined call( setresuid => ($id) x 3 ) or die "setresuid: $!\n";
}

# This process' number as the machine counts it: its /proc is not ours.
sub pid_of_machine {
    my $pid = readlink "/proc/self";
    die "cannot read /proc/self: $!\n" unless defined $pid;
    return $pid;
}

# A folder below another, with no link on the way: what was written there may be hostile.
sub open_below {
    my ( $top, $path ) = @_;
    my $at = $top;
    for my $part ( split m{/}, $path ) {
        next if $part eq "";
        die "$path has $part in it\n" if $part eq "." || $part eq "..";
        $at .= "/$part";
        die "$at is not there: $!\n" unless lstat $at;
        die "$at is a link, or no folder\n" unless -d _;
    }
    return $at;
}

# Makes that folder, a mount point, our root, and leaves the old root for good: nothing inside can
# get back. pivot_root(2): the old root comes to lie on the new one, from where it is taken away.
sub leave_for {
    my ($new) = @_;
    my $detach = 2;
    chdir $new or die "cannot enter $new: $!\n";
    defined call( pivot_root => ".", "." )     or die "cannot make $new our root: $!\n";
    defined call( umount2    => ".", $detach ) or die "cannot leave the machine's own tree: $!\n";
    chdir "/" or die "cannot enter the new root: $!\n";
}

# Leaves for a tree in which there is nothing but the given folders, by name; `from` can't be changed.
sub enter_cell {
    my %shown = @_;
    mount( "private rec", "none", "/" );
    mkdir "cell", 0700 or die "cell: $!\n";
    mount( "nosuid nodev noexec", "cell", "cell", "tmpfs", "size=64k,mode=0700" );
    for my $name ( keys %shown ) {
        mkdir "cell/$name", 0700 or die "cell/$name: $!\n";
        mount( "bind", $shown{$name}, "cell/$name" );
        mount( "remount bind ro nosuid nodev noexec", "none", "cell/$name" ) if $name eq "from";
    }
    leave_for("cell");
}

sub write_all {
    my ( $to, $part ) = @_;
    for ( my $done = 0 ; $done < length $part ; ) {
        my $written = syswrite $to, $part, length($part) - $done, $done;
        die "cannot write: $!\n" unless defined $written;
        $done += $written;
    }
}

1;
