# The parts of an audit file (kms.audit(5)), for tests that leave some out or exchange them.
package KMS::AuditFile;
use v5.36;
use Exporter qw(import);

our @EXPORT = qw(parts rehead);

# The head with its documents, then each batch.
sub parts ($octets) {
    my $at = 62;
    for (1 .. unpack 'n', substr $octets, 60, 2) {
        $at += 3 + unpack 'n', substr $octets, $at + 1, 2;
    }
    my @parts = substr $octets, 0, $at;
    while ($at < length $octets) {
        my $n = 4 + 108 + 64 + unpack 'N', substr $octets, $at, 4;
        push @parts, substr $octets, $at, $n;
        $at += $n;
    }
    return @parts;
}

# The head made to name these batches, and a period that begins after the first.
sub rehead ($head, @batches) {
    my ($first, $last) = map { unpack 'Q>', substr $_, 4 + 24, 8 } @batches[ 0, -1 ];
    my $time = unpack 'Q>', substr $batches[0], 4 + 100, 8;
    substr $head, 28, 24, pack 'Q> Q> Q>', $first, $last, $first == 1 ? 0 : $time + 1;
    return ($head, @batches);
}

1;
