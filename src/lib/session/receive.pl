# Unpacks a tar archive that comes out of a session, on standard input, into a fresh folder: plain
# files and folders alone, within limits. It sees nothing but that folder, so that no name and no link
# in the archive leads anywhere.
# Run as root of a user namespace and a mount namespace, in a folder where `cell` can be made.
# Arguments: MACHINE PLACE MAX_FILES MAX_BYTES MAX_DEPTH
# It says `left out N` for what is neither, and `limit WORDS` when it stopped before the end.
use strict;
use Fcntl qw(O_WRONLY O_CREAT O_EXCL O_NOFOLLOW);

my ($here) = __FILE__ =~ m{^(.*/)};
require "${here}confine.pl";
my ( $place, $max_files, $max_bytes, $max_depth ) = @ARGV;
shed_inherited();
umask 077;
enter_cell( to => $place );
chdir "/to" or die "/to: $!\n";

my ( $files, $bytes, $left_out, $long_name, $buffer ) = ( 0, 0, 0, undef, "" );

# That many bytes, or fewer at the end.
sub get {
    my ($wanted) = @_;
    while ( length $buffer < $wanted ) {
        my $count = sysread STDIN, $buffer, 1 << 18, length $buffer;
        last unless $count;
    }
    return substr $buffer, 0, $wanted, "";
}

sub number {
    my ($field) = @_;
    # GNU tar writes large ones in base 256.
    if ( ord($field) & 0x80 ) {
        my $value = 0;
        $value = $value * 256 + $_ for unpack "C*", substr $field, -7;
        return $value;
    }
    return $field =~ /\A[ \0]*([0-7]+)/ ? oct $1 : 0;
}

sub stop { print "left out $left_out\nlimit $_[0]\n"; exit 0 }

# The parts of a name, or nothing where it is none that can be made here, and read where it is going to
# lie: a path may have 4095 bytes, those of the folders around it included.
sub parts_of {
    return if length $_[0] > 2048;
    my @parts = grep { $_ ne "" && $_ ne "." } split m{/}, $_[0];
    return if !@parts || grep { $_ eq ".." || length > 255 } @parts;
    return @parts;
}

# A folder and those above it, none of them anything else: only this process makes what is here.
sub folders {
    my $at = ".";
    for my $part (@_) {
        $at .= "/$part";
        if ( lstat $at ) { return unless -d _; next }
        stop("more than $max_files files") if ++$files > $max_files;
        mkdir $at, 0700 or return;
    }
    return $at;
}

# How long a sparse file is, and the stretches [BEGIN, LENGTH] of it that the archive has, in GNU tar's
# old format: four in the header, more in the blocks behind it.
sub sparse_of {
    my ($header) = @_;
    my $real  = number( substr $header, 483, 12 );
    my $more  = substr( $header, 482, 1 ) ne "\0";
    my $table = substr $header, 386, 96;
    my @found;
    while (1) {
        for ( my $entry = 0 ; $entry + 24 <= length $table ; $entry += 24 ) {
            my ( $begin, $length ) = unpack "x$entry a12 a12", $table;
            next if $length !~ /[^\0]/;
            push @found, [ number($begin), number($length) ];
        }
        stop("more than 100000 parts of a sparse file") if @found > 100_000;
        last unless $more;
        my $block = get(512);
        stop("the archive is cut short") if length $block < 512;
        $table = substr $block, 0, 504;
        $more  = substr( $block, 504, 1 ) ne "\0";
    }
    # More than any file of a test, and less than any file system can do.
    stop("a sparse file of $real bytes") if $real > 1 << 43 || grep { $_->[0] > 1 << 43 } @found;
    return ( $real, @found );
}

while ( length( my $header = get(512) ) == 512 ) {
    last if $header !~ /[^\0]/;
    my ( $name, $mode, $size, $mtime, $sum, $type, $magic, $prefix ) =
      unpack "Z100 a8 x16 a12 a12 a8 a1 x100 a6 x81 Z155", $header;
    my $counted = unpack "%32C*", substr( $header, 0, 148 ) . " " x 8 . substr $header, 156;
    last if $counted != number($sum);
    $size = number($size);
    my $padding = ( 512 - $size % 512 ) % 512;
    if ( $type eq "L" ) {
        stop("a name of $size bytes") if $size > 4096;
        $long_name = unpack "Z*", get($size);
        get($padding);
        next;
    }
    $name = "$prefix/$name" if $magic eq "ustar\0" && $prefix ne "";
    $name = $long_name if defined $long_name;
    undef $long_name;
    my @parts = parts_of($name);
    stop("folders more than $max_depth deep") if @parts > $max_depth;
    my $to;
    my ( $real, @holes ) = ( $size, [ 0, $size ] );
    if ( $type eq "S" ) { ( $real, @holes ) = sparse_of($header) }
    if ( $type eq "5" ) { @parts && !folders(@parts) and $left_out++ }
    elsif ( ( $type eq "0" || $type eq "\0" || $type eq "S" ) && @parts ) {
        my $last   = pop @parts;
        my $folder = folders(@parts);
        stop("more than $max_files files") if ++$files > $max_files;
        # A name that comes twice is not the file that was received first.
        $left_out++ unless defined $folder
          && sysopen $to, "$folder/$last", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
          number($mode) & 0100 ? 0700 : 0600;
    }
    elsif ( $type !~ /[xgK]/ ) { $left_out++ }
    my $at = 0;
    for ( my $rest = $size ; $rest > 0 ; ) {
        # What belongs to one stretch of the file at a time.
        shift @holes while @holes && $holes[0][1] <= 0;
        my $piece = @holes && $holes[0][1] < $rest ? $holes[0][1] : $rest;
        my $part = get( $piece < 1 << 18 ? $piece : 1 << 18 );
        stop("the archive is cut short") if $part eq "";
        $rest  -= length $part;
        if ( $to && @holes && $holes[0][0] != $at ) {
            $at = $holes[0][0];
            sysseek $to, $at, 0;
        }
        $at += length $part;
        if (@holes) { $holes[0][0] += length $part; $holes[0][1] -= length $part }
        $bytes += length $part;
        stop("more than $max_bytes bytes") if $bytes > $max_bytes;
        next unless $to;
        # Blocks of nothing take no space, as where they came from.
        if ( $part !~ /[^\0]/ ) { sysseek $to, length $part, 1 }
        else                    { write_all( $to, $part ) }
    }
    if ($to) { truncate $to, $real; utime number($mtime), number($mtime), $to; close $to }
    get($padding);
}
print "left out $left_out\n";
