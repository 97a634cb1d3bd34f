#!/usr/bin/perl
# Fields that the formats have and that no code fills yet: each row says what happens to one until it is built. A change that builds one
# takes its row out, and with it what this test expects.
use v5.36;
use FindBin;
use IO::Socket::INET;
use lib "$FindBin::Bin/../lib";
use KMS::Sealer;
use KMS::Test;
use Test::More;

use constant { HELLO => 1, REQUEST => 3, REPLY => 4, ERROR => 5 };
use constant { USER => 5, BORROW => 0x8006 };

my $dir = workspace();
my $publisher = publisher(dir => "$dir/publisher",
    products => [ { name => 'Server', id => '22222222-2222-4222-8222-222222222222', threshold => 1, group => 'server', pool => 'servers' } ]);
my $product = $publisher->{products}[0]{id};
my $a = start_appliance(publisher => $publisher, fronts => 1)->enable;

# -- clients whose requests this test writes --

sub take ($s, $n) {
    my $octets = '';
    while (length $octets < $n) { sysread($s, $octets, $n - length $octets, length $octets) or die 'closed' }
    return $octets;
}
sub answer ($s) { my $head = take($s, 12); return $head . take($s, unpack 'N', substr $head, 8) }
sub dial () { return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $a->port) || die "connect: $!" }
{
    my $s = dial();
    syswrite $s, pack 'a4 C C n N x8', 'KMSD', 2, HELLO, 0, 8;
    my ($id, $said) = sealer_host(substr answer($s), 12);
    is($said, 'ok', 'the host is known');
}
sub tlv ($type, $value) { return pack 'n n/a*', $type, $value }

# Status of the answer of this client's request.
sub asked ($client, %f) {
    my %t = (flags => 0, name => "client-$client", tail => '', sequence => 1, %f);
    my $text = pack 'C C n N a16 Q> Q> H32 a16 C x7 a64 a*', 1, 0, $t{flags}, 0, "request $client $t{sequence}", time, $t{sequence},
        $product =~ tr/-//dr, "salt $client", 2, $t{name}, $t{tail};
    my $s = dial();
    syswrite $s, sealer_frame($client, 'text=' . unpack 'H*', $text);
    my ($status) = sealer("open $client " . unpack 'H*', answer($s)) =~ /^status (\d+)/ or die 'no reply';
    return $status;
}

# All entries of the journal: [number of the batch, entry, aside].
sub entries () {
    $a->do('audit', 'export', '--names', '-o', "$dir/all");
    my $text = slurp("$dir/all");
    my ($at, @all) = 62;
    $at += 3 + unpack 'n', substr $text, $at + 1, 2 for 1 .. unpack 'n', substr $text, 60, 2;
    while ($at < length $text) {
        my $n = unpack 'N', substr $text, $at, 4;
        my ($number, $items) = (unpack('Q>', substr $text, $at + 4 + 24, 8), substr $text, $at + 176, $n);
        while (length $items) {
            my ($entry, $rest) = unpack 'n/a* a*', $items;
            my ($aside, $left) = unpack 'C/a* a*', $rest;
            push @all, [ $number, $entry, $aside ];
            $items = $left;
        }
        $at += 176 + $n;
    }
    return @all;
}
sub last_batch () { return ($a->kmsctl_json('status'))[0]{ledger}{last_batch} }

# -- skipped: the same answer and the same entry with and without it --

my %skipped = (
    'request user' => tlv(USER, pack 'a64', 'ann'),
);
my $client = 10;
is(asked($client, name => 'twin'), 0, 'without any: activated');
my ($plain) = reverse entries();
for my $field (sort keys %skipped) {
    is(asked(++$client, name => 'twin', tail => $skipped{$field}), 0, "$field: activated");
    my ($entry) = reverse entries();
    is(length $entry->[1], length $plain->[1], "$field: the entry is no longer for it");
    is(length $entry->[2], length $plain->[2], "$field: nor is the aside");
    is(substr($entry->[1], 136, 16), "\0" x 16, "$field: no user is committed to");
}

# -- unknown: refused, and the journal is as it was --

my %unknown = (
    'request borrow' => { tail => tlv(BORROW, pack 'N', 60) },
    'flag STATELESS' => { flags => 2 },
);
for my $field (sort keys %unknown) {
    my $before = last_batch();
    is(asked(++$client, %{ $unknown{$field} }), 27, "$field: KMS_E_NOT_OFFERED");
    is(last_batch(), $before, "$field: nothing was recorded");
}

# -- empty: what the host writes by itself never has it --

$a->client($_, 'activate', product => $product) for qw(one two three);
$a->client('one', 'renew', product => $product);
$a->client('two', 'release', product => $product);
$a->do('client', 'revoke', 'one');
$a->do('client', 'unrevoke', 'one');
$a->do('client', 'forget', 'three');
$a->do('client', 'erase', 'one');
my (%kinds, %flags, %classes, %widths, %tails);
for (entries()) {
    my $e = $_->[1];
    my $kind = ord substr $e, 1, 1;
    $kinds{$kind}++;
    next if $kind >= 16;
    $flags{ unpack 'n', substr $e, 2, 2 }++;
    $classes{ unpack 'n', substr $e, 106, 2 }++;
    $widths{ unpack 'n', substr $e, 112, 2 }++;
    $tails{ length($e) - 168 }++;
}
is_deeply([ grep { !$kinds{$_} } 1, 3, 16, 17, 18, 19, 32, 33, 34, 37 ], [], 'a life with each kind that is written');
is_deeply([ grep { $kinds{$_} } 35, 40 .. 44 ], [], 'RECLAIM and the rest are not written');
is_deeply([ keys %flags ], [0], 'no flag but those of machines and clones');
is_deeply([ keys %classes ], [0], 'no class');
is_deeply([ sort keys %widths ], [ 0, 1440 ], 'slots are days');
is_deeply([ keys %tails ], [0], 'no TLV but the binding of a product that is bound');

# -- statuses that no host answers --

my $sources = join ' ', map { "$SRC/$_" } qw(kmsd kmsdb policy kmsctl libkms/client libkms/core libkms/kmsclient);
for my $status (qw(CLASS_FULL RECLAIMED ALONE)) {
    my @used = split /\n/, `grep -rln 'KMS_E_$status\\b' $sources --include=*.c`;
    @used = grep { !m{core/entry} } @used;    # the codec knows which status a kind has
    @used = grep { !m{client/user_text_} } @used;    # and each language has a text for it
    is("@used", '', "KMS_E_$status is in the table alone");
}

# -- keys that are unknown until they are built --

for my $key ('overdraft = 10%', 'borrow = 1d', 'borrow-seats = 3', 'when-full = longest-unseen 30d', 'stateless = refuse') {
    my $text = slurp($publisher->{pack}) =~ s/^(number = \d+)$/$1\n$key/mr;
    spew("$dir/pack.ini", $text);
    my $r = run([ program('kmsissue'), 'policy', 'sign', '-d', $publisher->{dir}, "$dir/pack.ini" ]);
    isnt($r->{exit}, 0, "pack: $key is refused");
    like($r->{err}, qr/unknown key .*a newer kmsd may know it|unknown key/, 'as a key that is not known');
}
for my $lines ("[ledger]\nkeep = 400d", "[class dev]\nnumber = 1") {
    spew("$dir/later.ini", slurp($a->ini) . "$lines\n");
    my $r = run([ program('kmsctl/kmsctl'), '-c', "$dir/later.ini", 'config', 'check' ]);
    isnt($r->{exit}, 0, 'kms.ini: ' . $lines =~ s/\n/ /r . ' is refused');
    like("$r->{out}$r->{err}", qr/unknown (?:key|section)/, 'as one that is not known');
}
is($a->stop, 0, 'the host ends well');
done_testing;
