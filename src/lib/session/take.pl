# Copies the plain files of one folder that a session wrote, when nobody is inside any more, to a
# fresh folder. It sees nothing but the two, and follows no link.
# Run as root of a user namespace with the ids of sessions and a mount namespace, in a folder where
# `cell` can be made. Arguments: MACHINE UPPER PATH PLACE MAX_FILES MAX_BYTES
use strict;
use Fcntl qw(O_RDONLY O_WRONLY O_CREAT O_EXCL O_NOFOLLOW O_NONBLOCK);

my ($here) = __FILE__ =~ m{^(.*/)};
require "${here}confine.pl";
my ( $upper, $path, $place, $files_left, $bytes_left ) = @ARGV;
shed_inherited();
umask 077;
enter_cell( from => $upper, to => $place );

my $folder = open_below( "/from", $path );
opendir my $names, $folder or die "$path: $!\n";
for my $name ( sort readdir $names ) {
    # What Debian names its files with (deb-changes(5)); whatever else lies there is nobody's.
    next unless $name =~ /\A[A-Za-z0-9][A-Za-z0-9.+~:_%-]*\z/;
    next unless lstat("$folder/$name") && -f _;
    die "limit: more than $ARGV[3] files\n" if --$files_left < 0;
    sysopen my $from, "$folder/$name", O_RDONLY | O_NOFOLLOW | O_NONBLOCK or die "$name: $!\n";
    die "$name is no file any more\n" unless -f $from;
    sysopen my $to, "/to/$name", O_WRONLY | O_CREAT | O_EXCL, 0600 or die "$name: $!\n";
    my $mtime = ( stat $from )[9];
    while ( my $count = sysread $from, my $part, 1 << 20 ) {
        $bytes_left -= $count;
        die "limit: more than $ARGV[4] bytes\n" if $bytes_left < 0;
        # Blocks of nothing take no space, as where they came from.
        if ( $part !~ /[^\0]/ ) { sysseek $to, length $part, 1 }
        else                    { write_all( $to, $part ) }
    }
    truncate $to, sysseek $to, 0, 1 or die "$name: $!\n";
    close $to or die "$name: $!\n";
    utime $mtime, $mtime, "/to/$name";
}
