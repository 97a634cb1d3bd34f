# Pretend clients, for tests that own the sockets: one sealer (sealer.c) for each test, by line.
package KMS::Sealer;
use v5.36;
use Digest::SHA qw(sha256);
use Exporter qw(import);
use IPC::Open2 qw(open2);
use KMS::Test;

our @EXPORT = qw(sealer sealer_frame sealer_host);

my ($pid, $from, $to);

sub sealer ($line) {
    $pid //= open2($from, $to, program('sealer'));
    print {$to} "$line\n";
    $to->flush;
    chomp(my $said = <$from> // die "the sealer ended at: $line\n");
    return $said;
}

# The frame that a client sends.
sub sealer_frame ($client, @fields) {
    my ($hex) = sealer("seal $client @fields") =~ /^frame (\S+)$/ or die;
    return pack 'H*', $hex;
}

# Which host the clients ask, from the payload of a HELLO_REPLY: its id, and what the sealer said: ok.
sub sealer_host ($payload) {
    my ($signing, $exchange) = (substr($payload, 170 + 32, 32), substr($payload, 8 + 32, 32));
    my $id = substr sha256("KMS host v2$signing"), 0, 16;
    return ($id, sealer('host ' . unpack('H*', $id) . ' ' . unpack 'H*', $exchange));
}

END {
    my $status = $?;
    close $to if $to;
    waitpid $pid, 0 if $pid;
    $? = $status;
}
1;
