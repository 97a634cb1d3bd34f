# Requests that a test writes itself, to a running appliance; and the journal, entry by entry.
#
#   my $asker = KMS::Asker->new($appliance);
#   my $r = $asker->ask(7, product => $uuid, flags => 2, tail => tlv(5, ...), operation => 2);     client 7; its sequence number goes up by itself
#   $r->{status}, $r->{retry}, $r->{lease} (the entry as entry() has it; undef: none)
#   for my $e ($asker->entries) { $e->{kind}, $e->{flags}, $e->{until}, ... }
#   $asker->of_clients: the same without what the host writes of itself, as COUNTERS, which may come after any other
#   journal($appliance): the same entries, of one that is asked in another way
package KMS::Asker;
use v5.36;
use Exporter qw(import);
use IO::Socket::INET;
use KMS::Sealer;
use KMS::Test;

our @EXPORT = qw(tlv);
our @EXPORT_OK = qw(answer journal);
use constant { HELLO => 1, COUNTERS => 40 };

sub tlv ($type, $value) { return pack 'n n/a*', $type, $value }

sub take ($s, $n) {
    my $octets = '';
    while (length $octets < $n) { sysread($s, $octets, $n - length $octets, length $octets) or die 'closed' }
    return $octets;
}
# The frame that comes next.
sub answer ($s) { my $head = take($s, 12); return $head . take($s, unpack 'N', substr $head, 8) }
sub dial ($self) { return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{appliance}->port) || die "connect: $!" }

sub new ($class, $appliance, %opt) {
    my $self = bless { appliance => $appliance, clock => $opt{clock}, sequence => {} }, $class;
    my $s = $self->dial;
    syswrite $s, pack 'a4 C C n N x8', 'KMSD', 2, HELLO, 0, 8;
    my ($id, $said) = sealer_host(substr answer($s), 12);
    $said eq 'ok' or die "the host is not known: $said\n";
    return $self;
}

sub now ($self) { return $self->{clock} ? $self->{clock}->now : time }

sub ask ($self, $client, %f) {
    my %t = (operation => 1, state => 0, flags => 0, name => "client-$client", tail => '', time => $self->now,
        sequence => ++$self->{sequence}{$client}, %f);
    my $text = pack 'C C n N a16 Q> Q> H32 a16 C x7 a64 a*', @t{qw(operation state flags)}, 0,
        "request $client $t{sequence}", @t{qw(time sequence)}, $t{product} =~ tr/-//dr, "salt $client", 2, @t{qw(name tail)};
    my $s = $self->dial;
    syswrite $s, sealer_frame($client, 'text=' . unpack 'H*', $text);
    my ($hex) = sealer("read $client " . unpack 'H*', answer($s)) =~ /^text (\S+)/ or die 'no reply';
    my $reply = pack 'H*', $hex;
    my %r = (status => unpack('N', $reply), count => unpack('N', substr $reply, 32, 4));
    my $bundle = unpack 'N/a*', substr $reply, 48;
    my $rest = substr $reply, 52 + length $bundle;
    while (length $rest) {
        (my $type, my $value, $rest) = unpack 'n n/a* a*', $rest;
        $r{retry} = unpack 'N', $value if $type == 2;
    }
    $r{lease} = entry(unpack 'n/a*', $bundle) if length $bundle;
    return \%r;
}

# An entry of a client or about one; of any other only kind, time and octets.
sub entry ($octets, $aside = '') {
    my %e = (octets => $octets, aside => $aside);
    @e{qw(version kind flags status time)} = unpack 'C C n N Q>', $octets;
    if ($e{kind} < 16) {
        @e{qw(cmid product request_id sequence expires renew_after count required publisher pool class until width operation)} =
            unpack 'x16 H32 H32 H32 Q> Q> Q> N N H16 n n N n C', $octets;
        if ($aside ne '') { @e{qw(name user)} = unpack 'x33 C/a* C/a*', $aside }
    } elsif ($e{kind} >= 32 && $e{kind} <= 38) {
        @e{qw(cmid counter through value other product publisher pool class)} = unpack 'x16 H32 Q> Q> Q> H32 H32 H16 n n', $octets;
    }
    return \%e;
}

# All entries of an appliance's journal, each with the number of its batch.
sub journal ($appliance) {
    my $file = $appliance->dir . '/exported';
    unlink $file;
    $appliance->do('audit', 'export', '--names', '-o', $file);
    my $text = slurp($file);
    my ($at, @all) = 62;
    $at += 3 + unpack 'n', substr $text, $at + 1, 2 for 1 .. unpack 'n', substr $text, 60, 2;
    while ($at < length $text) {
        my $n = unpack 'N', substr $text, $at, 4;
        my ($number, $items) = (unpack('Q>', substr $text, $at + 4 + 24, 8), substr $text, $at + 176, $n);
        while (length $items) {
            my ($octets, $rest) = unpack 'n/a* a*', $items;
            my ($aside, $left) = unpack 'C/a* a*', $rest;
            push @all, { %{ entry($octets, $aside) }, batch => $number };
            $items = $left;
        }
        $at += 176 + $n;
    }
    return @all;
}
sub entries ($self) { return journal($self->{appliance}) }
# EXPIRE is of all clients.
sub of_clients ($self) { return grep { ($_->{cmid} // '') =~ /[^0]/ } $self->entries }
1;
