#!/usr/bin/perl
# Clients are the witnesses of a host's record. A stand-in host, whose seals and signatures are good, goes back or contradicts itself: the
# client keeps its lease, tells it, and has something to show that anybody can verify. What it knows of one host it says to that host alone.
use v5.36;
use Digest::SHA qw(sha256_hex);
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Client;
use Test::More;

sub slurp ($file) { open my $f, '<:raw', $file or die "$file: $!"; local $/; return <$f> }
sub spew ($file, $octets) { open my $f, '>:raw', $file or die "$file: $!"; print {$f} $octets; close $f }
my $clients = 0;
sub client () { return ('-s', "$dir/c" . $clients++) }
# What one call says, and what the host was asked.
sub ask ($command, $state, $host) { return kmsclient($command, @$state, '-H', "127.0.0.1:$host->{port}") }
sub batch_of ($state) {
    is(kmsclient([ 'export-lease', "$dir/lease" ], @$state)->{exit}, 0, 'the lease is exported');
    return kmsclient([ 'verify-lease', "$dir/lease" ])->{header};
}
# "number:hash", as a request says it.
sub named ($witness) { my ($number, $hash) = unpack 'Q> H64', pack 'H*', $witness; return "$number:$hash" }

# -- what a request says --

my @state = client();
my $host = standin('-s', 3, 'good:batch=5,count,good:batch=9,good:batch=9:life=86000');
my (@known, @r);
$r[0] = ask('activate', \@state, $host);
push @known, batch_of(\@state);
$r[1] = ask('renew', \@state, $host);
push @known, batch_of(\@state);
$r[2] = ask('renew', \@state, $host);
push @known, batch_of(\@state);
is_deeply([ map { $_->{status} } @r ], [qw(KMS_OK KMS_E_COUNT_TOO_LOW KMS_OK)], 'a life');
is_deeply([ grep { $_->{warning} } @r ], [], 'without a warning');
is(kmsclient('evidence', @state)->{kept}, 0, 'and without evidence');
ask('release', \@state, $host);
my @asked = stop($host);
is($asked[0]{witness}, undef, 'the first request knows of no batch');
is_deeply([ map { named($_->{witness}) } @asked[ 1 .. 3 ] ], \@known, 'then each request names the batch of the lease before, a release too');
is_deeply([ grep { $_->{header} } @asked ], [], 'the header itself goes with none');

# -- show --

@state = client();
$host = standin('-s', 3, 'good:batch=5,good:batch=6:show=4,good:batch=7:show=6,good:batch=8:show=6,good:batch=9,good:batch=10');
ask('activate', \@state, $host);
my @batch = batch_of(\@state);
for (1 .. 5) {
    is(ask('renew', \@state, $host)->{status}, 'KMS_OK', 'renewed');
    push @batch, batch_of(\@state);
}
my $lease = slurp("$dir/lease");
@asked = stop($host);
is(join(' ', map { $_->{header} ? 1 : 0 } @asked), '0 0 0 1 1 0', 'the two requests after one that was asked for its batch have the header');
is(named($asked[3]{witness}), $batch[1], 'the batch that was asked for stays the one that is told, whatever lease came with the question');
my $header = pack 'H*', $asked[3]{header};
is(unpack('Q>', substr $header, 24, 8) . ':' . sha256_hex(substr $header, 0, 108), $batch[1], 'and its header is shown');
is(named($asked[4]{witness}), $batch[1], 'twice: another copy of the host may have answered the first');
is(named($asked[5]{witness}), $batch[4], 'after that it moves on, also if the answer to the header asks again');

# A question that came with no lease.
@state = client();
$host = standin('-s', 3, 'good:batch=5,count:show=5,ledger,close-after-request,good:batch=6,good:batch=7');
ask($_ ? 'renew' : 'activate', \@state, $host) for 0 .. 5;
@asked = stop($host);
is(join(' ', map { $_->{header} ? 1 : 0 } @asked), '0 0 1 1 0', 'two sealed answers are enough, also a refusal');

# -- nothing is said to another host --

@state = client();
$host = standin('-s', 3, 'good:batch=5:show=5');
my $other = standin('-s', 4, 'good:batch=2,good:batch=3:show=5,good:batch=4');
ask('activate', \@state, $host);
my $first = batch_of(\@state);
ask('renew', \@state, $other);
my @others = batch_of(\@state);
for (1, 2) { ask('renew', \@state, $other); push @others, batch_of(\@state) }
is(ask('renew', \@state, $host)->{warning}, 'KMS_E_HISTORY', 'the first host again: it gives the same number with another hash');
@asked = stop($other);
is($asked[0]{witness}, undef, 'to a host that it does not know it says nothing');
is_deeply([ map { named($_->{witness}) } @asked[ 1, 2 ] ], [ @others[ 0, 1 ] ], 'then what it knows of that host');
is($asked[2]{header}, undef, 'which cannot ask for a batch of another one');
@asked = stop($host);
is(named($asked[1]{witness}), $first, 'the first host is told what is known of it');

# -- a record that goes back, and one that contradicts itself --

for my $case ([ 'a lower number', 6, 'went back' ], [ 'another hash under the same number', 9, 'contradiction' ]) {
    my ($what, $number, $kind) = @$case;
    @state = client();
    $host = standin('-s', 3, "good:batch=9,good:batch=$number:life=90000,good:batch=4,good:batch=10,good:batch=11");
    ask('activate', \@state, $host);
    my $before = batch_of(\@state);
    my $r = ask('renew', \@state, $host);
    is("$r->{exit} $r->{status} $r->{licence} $r->{warning}", '0 KMS_OK activated KMS_E_HISTORY', "$what: the lease is taken, the warning told");
    like($r->{stderr}, qr/success, but the host's record went back.*KMS_E_HISTORY \(290\).*kmsclient evidence/s, 'and it is said what to do');
    my $after = batch_of(\@state);
    like($after, qr/^$number:/, 'it is the new lease');
    is(kmsclient('verify', @state)->{status}, 'KMS_OK', 'and it verifies');
    my $e = kmsclient('evidence', @state);
    is("$e->{exit} $e->{kept} " . @{ $e->{evidence} }, '0 1 1', 'there is evidence against one host');
    my $pair = $e->{evidence}[0];
    is("$pair->{kind} $pair->{'first-batch'} $pair->{'second-batch'} $pair->{customer}", "$kind $before $after Test Customer", 'both batches, in the order of their coming');
    is(sha256_hex(pack 'H*', $pair->{"$_-header"}), $pair->{"$_-batch"} =~ s/^\d+://r, "the $_ header is the one of that hash") for qw(first second);
    for (1 .. 3) {
        my $s = kmsclient('status', @state);
        is("$s->{exit} $s->{licence} $s->{warning}", '0 activated KMS_E_HISTORY', 'the status tells it at each start');
        $r = ask('renew', \@state, $host);
        is($r->{warning}, $_ == 1 ? 'KMS_E_HISTORY' : undef, $_ == 1 ? 'a lower number again: told again' : 'a higher number: not told');
    }
    is_deeply(kmsclient('evidence', @state)->{evidence}, $e->{evidence}, 'the first pair stays');
    @asked = stop($host);
    is(named($asked[3]{witness}), $before, 'the highest batch remains the one that is told');
    like(named($asked[4]{witness}), qr/^10:/, 'until there is a higher one');

    # Something to show.
    my $w = kmsclient('evidence', @state, '-o', "$dir/evidence");
    is("$w->{exit} $w->{written}", '0 1', 'evidence is written');
    my $v = kmsclient([ 'verify-evidence', "$dir/evidence" ]);
    is("$v->{exit} $v->{status}", '0 KMS_OK', 'and verifies with the publisher\'s key alone');
    is_deeply({ map { $_ => $v->{$_} } keys %$pair }, $pair, 'and says the same');
    open my $p, '-|', '/usr/bin/python3', "$src/t/independent/kms_client.py", '--publisher', $KMS::Client::key, 'verify-evidence', "$dir/evidence" or die;
    is(join(' ', map { /^(?:kind|first|second|status): (.*)/ } <$p>), join(' ', $kind, 9, $number, 'KMS_OK'), 'and for a program that was written from the page');
    my $octets = slurp("$dir/evidence");
    my %spoilt = (
        'a bit of the first header' => [ length($octets) - 344 + 40, 'KMS_E_SIGNATURE' ],
        'a bit of the second signature' => [ length($octets) - 1, 'KMS_E_SIGNATURE' ],
        'a bit of the certificate' => [ 60, 'KMS_E_SIGNATURE' ],
        'a bit of the magic' => [ 0, 'KMS_E_FORMAT' ],
        'the version' => [ 7, 'KMS_E_SCHEMA' ],
    );
    for my $how (sort keys %spoilt) {
        my ($at, $status) = @{ $spoilt{$how} };
        spew("$dir/spoilt", substr($octets, 0, $at) . chr(ord(substr $octets, $at, 1) ^ 1) . substr($octets, $at + 1));
        $v = kmsclient([ 'verify-evidence', "$dir/spoilt" ]);
        is("$v->{exit} $v->{status}", "4 $status", "$how: refused");
    }
    my ($one, $two) = unpack 'a172 a172', substr $octets, -344;
    my $head = substr $octets, 0, -344;
    my %nothing = ('the same header twice' => $one . $one);
    $nothing{'a lower number before a higher one'} = $two . $one if $kind eq 'went back';
    for my $how (sort keys %nothing) {
        spew("$dir/spoilt", $head . $nothing{$how});
        is(kmsclient([ 'verify-evidence', "$dir/spoilt" ])->{status}, 'KMS_E_FORMAT', "$how proves nothing");
    }
}

# -- of a host whose certificate is not kept any more --

$host = standin('-s', 3, 'good:batch=12');
$other = standin('-s', 4, 'good:batch=2,good:batch=3,good:batch=1');
ask('renew', \@state, $other);
my $gone = kmsclient('evidence', @state, '-o', "$dir/gone");
is("$gone->{exit} $gone->{evidence}[0]{'signing-key'}", '4 not kept', 'a host that was left: its certificate is not kept');
like($gone->{stderr}, qr/run activate or renew once, then try again/, 'and it is said how to get it');
ok(!-e "$dir/gone", 'nothing is written');
ask('renew', \@state, $host);
is(kmsclient('evidence', @state, '-o', "$dir/gone")->{exit}, 0, 'asked again: there is something to show');
ask('renew', \@state, $other) for 1, 2;
my $two = kmsclient('evidence', @state);
is($two->{kept}, 2, 'two hosts that went back');
stop($_) for $host, $other;

# -- a lease that is not kept --

@state = client();
$host = standin('-s', 3, '-e', 3650 * 86400, 'good:batch=9,good:batch=20:ahead=31536000,good:batch=20,other-request:batch=3,wrong-signature:batch=3,good:batch=21');
my $valid = ask('activate', \@state, $host)->{expires};
my $r = ask('renew', \@state, $host);
is("$r->{status} $r->{expires}", "KMS_E_TIME_SKEW $valid", 'a fresh lease that is dated a year ahead is not taken');
$r = ask('renew', \@state, $host);
is("$r->{status} $r->{warning}", 'KMS_OK KMS_E_HISTORY', 'but what its header says is kept: another one of that number contradicts it');
for my $how ('an answer with another\'s old lease', 'a header that the host did not sign') {
    $r = ask('renew', \@state, $host);
    is(($r->{warning} // 'no warning') . ($r->{exit} == 0 ? ' taken' : ' refused'), 'no warning refused', "$how: is no evidence");
}
is(ask('renew', \@state, $host)->{warning}, undef, 'the next one is well');
stop($host);

# Ahead by any years, and behind.
for my $years (1, 2, 3, 9) {
    @state = client();
    $host = standin('-s', 3, '-e', 3650 * 86400, 'good:ahead=' . $years * 31536000);
    $r = ask('activate', \@state, $host);
    is("$r->{status} $r->{licence}", 'KMS_E_TIME_SKEW grace', "a lease dated $years years ahead");
    stop($host);
}

# -- what was there before there were hosts in the file --

@state = client();
$host = standin('-s', 3, 'good:batch=9,good:batch=8');
ask('activate', \@state, $host);
$first = batch_of(\@state);
my $file = slurp($state[1]);
my $rest = substr $file, 0, length($file) - 32 - 1 - 197;
spew("$dir/rest", $rest);
my $anew = q{import sys, hashlib, struct
b = open(sys.argv[1], 'rb').read() + bytes(1)
b = b[:12] + struct.pack('>I', len(b) + 32) + b[16:]
open(sys.argv[2], 'wb').write(b + hashlib.blake2b(b, digest_size=32).digest())};
is(system('/usr/bin/python3', '-c', $anew, "$dir/rest", $state[1]), 0, 'the hosts are taken out of the state file');
is(kmsclient('verify', @state)->{status}, 'KMS_OK', 'a state file without hosts is read');
is(ask('renew', \@state, $host)->{warning}, 'KMS_E_HISTORY', 'and its lease is a witness');
@asked = stop($host);
is(named($asked[1]{witness}), $first, 'which the host is told of');

# -- the client that was written from the page does the same --

sub python ($state, $host, @command) {
    open my $p, '-|', '/usr/bin/python3', "$src/t/independent/kms_client.py", '--publisher', $KMS::Client::key, '--product', $KMS::Client::product,
        '--state', $state, '--host', "127.0.0.1:$host->{port}", '--name', 'tester', @command or die;
    return { map { /^([\w-]+): (.*)/ ? ($1 => $2) : () } <$p> };
}
my $modes = 'good:batch=5,count,good:batch=9:show=5,good:batch=10:show=5,good:batch=4,good:batch=11,good:batch=11:life=90000';
my (%said, %warned);
for my $who (qw(libkms page)) {
    my @own = client();
    $host = standin('-s', 3, $modes);
    for (0 .. 6) {
        my $command = $_ ? 'renew' : 'activate';
        $r = $who eq 'page' ? python("$dir/page.json", $host, $command) : ask($command, \@own, $host);
        push @{ $warned{$who} }, "$r->{status} " . ($r->{warning} // '');
    }
    if ($who eq 'page') {
        is(python("$dir/page.json", $host, 'evidence', "$dir/evidence")->{status}, 'KMS_OK', 'it has evidence too');
        $r = kmsclient([ 'verify-evidence', "$dir/evidence" ]);
        is("$r->{status} $r->{kind}", 'KMS_OK went back', 'which libkms verifies');
    }
    $said{$who} = [ map { [ substr($_->{witness} // '', 0, 16), $_->{header} ? 'header' : '', $_->{binding} // '' ] } stop($host) ];
}
is_deeply($said{page}, $said{libkms}, 'its requests say the same');
is_deeply($warned{page}, $warned{libkms}, 'and it warns of the same');
is(join(' ', map { $_->[1] || '-' } @{ $said{libkms} }), '- - - header header - -', 'two of them show a header');

# -- a lease without the names beside it --

my $full = slurp("$dir/lease");
$r = kmsclient([ 'export-lease', "$dir/bare" ], @state, '--no-names');
is($r->{exit}, 0, 'a lease is exported without names');
$r = kmsclient([ 'verify-lease', "$dir/bare" ]);
is("$r->{status} $r->{names}", 'KMS_OK erased', 'and verifies');
is($r->{name}, undef, 'and has none');
unlike(slurp("$dir/bare"), qr/tester/, 'nowhere');
like($full, qr/tester/, 'the other one had it');
done_testing;
