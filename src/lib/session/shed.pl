# Runs a tool that opens sessions of its own, with nothing of the caller's that could get into them: no
# descriptor above 2, no keyring, no terminal. Arguments: MACHINE, the command.
use strict;

my ($here) = __FILE__ =~ m{^(.*/)};
require "${here}confine.pl";
shed_inherited();
defined call("setsid") or die "setsid: $!\n";
exec { $ARGV[0] } @ARGV or die "$ARGV[0]: $!\n";
