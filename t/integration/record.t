#!/usr/bin/perl
# What a host's journal says of its own history. Clients are witnesses: a batch that they hold and the journal lacks is asked for, and
# recorded once when this host's key signed it; nothing else that a client claims changes anything. A restore, a ledger that was lost and a
# clock that went back have entries, and kmsctl says what to do.
use v5.36;
use Digest::SHA qw(sha256);
use File::Path qw(remove_tree);
use FindBin;
use IO::Socket::INET;
use lib "$FindBin::Bin/../lib";
use KMS::Clock;
use KMS::Sealer;
use KMS::Test;
use Test::More;

use constant { HELLO => 1, WITNESS => 1, HEADER => 2 };
use constant { LEASE => 1, START => 16, KEY => 17, CERTIFICATE => 18, POLICY => 19, TOLD => 28, RESTORED => 29, CLOCK => 30 };

my $clock = KMS::Clock->start;
my $dir = workspace();
my $publisher = publisher(dir => "$dir/publisher",
    products => [ { name => 'Server', id => '22222222-2222-4222-8222-222222222222', threshold => 1, group => 'server', pool => 'servers' } ]);
my $product = $publisher->{products}[0]{id};

sub appliance (%opt) { return start_appliance(publisher => $publisher, fronts => 1, environment => $clock->environment, %opt) }
sub state_of ($a) { return $a->dir . '/state' }

# -- clients whose requests this test writes --

sub take ($s, $n) {
    my $octets = '';
    while (length $octets < $n) { sysread($s, $octets, $n - length $octets, length $octets) or die 'closed' }
    return $octets;
}
sub answer ($s) { my $head = take($s, 12); return $head . take($s, unpack 'N', substr $head, 8) }
sub dial ($a) { return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $a->port) || die "connect: $!" }

# From now on, clients ask this host. Returns its id.
sub face ($a) {
    my $s = dial($a);
    syswrite $s, pack 'a4 C C n N x8', 'KMSD', 2, HELLO, 0, 8;
    my ($id, $said) = sealer_host(substr answer($s), 12);
    $said eq 'ok' or die $said;
    return $id;
}
sub tlv ($type, $value) { return pack 'n n/a*', $type, $value }

# The header of a batch with its signature, as a client tells of it, and as it shows it.
sub tells ($batch, $shows = 0) {
    my $header = substr $batch, 0, 108;
    return tlv(WITNESS, substr($header, 24, 8) . sha256($header)) . ($shows ? tlv(HEADER, $batch) : '');
}

my %sequence;
# (status, number that the host wants to see)
sub asked ($a, $client, $tail = '', %f) {
    my $text = pack 'C C n N a16 Q> Q> H32 a16 C x7 a64 a*', $f{operation} // 1, 0, 0, 0, "request $client " . ++$sequence{$client}, $clock->now,
        $sequence{$client}, ($f{product} // $product) =~ tr/-//dr, "salt $client", 2, "client-$client", $tail;
    my $s = dial($a);
    syswrite $s, sealer_frame($client, 'text=' . unpack 'H*', $text);
    my ($status, $show) = sealer("open $client " . unpack 'H*', answer($s)) =~ /^status (\d+) lease \d+(?: show (\d+))?$/ or die 'no reply';
    return ($status, $show // 0);
}

# -- the journal on disk --

# [number, header with signature, [entries]] of each batch.
sub batches ($state) {
    my @all;
    for my $file (sort glob "$state/kmsdb/journal/*.seg") {
        my $text = slurp($file);
        for (my $at = 512; substr($text, $at, 8) eq 'KMSJBAT1'; $at += unpack 'N', substr $text, $at + 8, 4) {
            my ($n, $batch) = (unpack('N', substr $text, $at + 12, 4), substr $text, $at + 16, 172);
            my ($items, @entries) = substr $text, $at + 204, $n;
            while (length $items) {
                (my $entry, $items) = unpack 'n/a* a*', $items;
                push @entries, $entry;
                $items = substr $items, 1 + ord $items;
            }
            push @all, [ unpack('Q>', substr $batch, 24, 8), $batch, \@entries ];
        }
    }
    return @all;
}
sub last_batch ($a) { my @all = batches(state_of($a)); return $all[-1] }
sub kind ($entry) { return ord substr $entry, 1, 1 }
# All entries of a kind: [batch, entry].
sub entries ($a, $kind) { return map { my $b = $_; map { [ $b->[0], $_ ] } grep { kind($_) == $kind } @{ $b->[2] } } batches(state_of($a)) }
sub kinds ($a) { return map { kind($_) } map { @{ $_->[2] } } batches(state_of($a)) }
# Digest and blob of one of the host's own entries.
sub own ($entry) {
    my ($text, $rest) = unpack 'n/a* a*', substr $entry, 64;
    my ($blob) = unpack 'n/a*', $rest;
    return (substr($entry, 32, 32), $blob, $text);
}

sub keep ($a, $name) {
    run([ 'cp', '-a', state_of($a) . '/kmsdb', "$dir/$name" ])->{exit} == 0 or die "cp $name";
}
sub put_back ($a, $name) {
    remove_tree(state_of($a) . '/kmsdb');
    run([ 'cp', '-a', "$dir/$name", state_of($a) . '/kmsdb' ])->{exit} == 0 or die "cp $name";
}
sub ledger ($a) { return ($a->kmsctl_json('status'))[0]{ledger} }
sub grades ($a) { my $l = ledger($a); return join ' ', map { $l->{"witnesses_$_"} } qw(contradiction unexplained note) }
sub reload ($a, $ini) {
    my $before = () = $a->log =~ /activate-reloaded/g;
    spew($a->dir . '/kms.ini', $ini);
    kill 'HUP', $a->pid;
    wait_for(30, sub { (() = $a->log =~ /activate-reloaded/g) > $before }, 'kmsd reads kms.ini');
}
sub findings ($a, $check) { my ($d) = $a->kmsctl_json('doctor'); return grep { $_->{check} eq $check } @{ $d->{findings} } }
sub sound ($a, $what) {
    my $r = $a->kmsctl('ledger', 'check');
    is($r->{exit}, 0, "$what: the ledger is sound") or diag $r->{out} . $r->{err};
}

# -- honest clients, and what others claim --

my $a = appliance()->enable;
my $id = face($a);
is(asked($a, 1), 0, 'a client is activated');
my $first = last_batch($a);
is_deeply([ asked($a, 1, tells($first->[1])) ], [ 0, 0 ], 'it tells of its batch: the host has it');
is_deeply([ asked($a, 1, tells($first->[1])) ], [ 0, 0 ], 'and of an older one, which is right');
is_deeply([ asked($a, 2, tells($first->[1])) ], [ 0, 0 ], 'as another client does');

my $other = appliance(dir => workspace())->enable(output => "$dir/other");
face($other);
is(asked($other, 50), 0, 'a client of another host');
my $foreign = last_batch($other)->[1];
is($other->stop, 0, 'the other host ends');
face($a);

my $true = last_batch($a)->[1];
my $later = substr($true, 0, 107) . chr(ord(substr $true, 107, 1) ^ 1) . substr $true, 108;
my $far = substr($true, 0, 24) . pack('Q>', 1000) . substr $true, 32;
my $strange = 'KMSBATCH' . $id . pack('Q>', 1000) . "\5" x 32 . pack('N', 1) . "\6" x 32 . pack('Q>', $clock->now) . "\7" x 64;
my %forged = (
    'random octets' => "\1" x 24 . pack('Q>', 77) . "\2" x 140,
    'a header of another host' => $foreign,
    'a header of this host under another key' => $strange,
    'a true header with another time' => $later,
    'a true header with another number' => $far,
);
# A client that brings many is not heard for a while.
my $liar = 200;
for my $what (sort keys %forged) {
    $liar++;
    my $number = unpack 'Q>', substr $forged{$what}, 24, 8;
    my $before = last_batch($a)->[0];
    is_deeply([ asked($a, $liar, tells($forged{$what})) ], [ 0, $number ], "$what: the host wants to see it");
    is_deeply([ asked($a, $liar, tells($forged{$what}, 1)) ], [ 0, 0 ], "$what: shown, it is ignored");
    is(last_batch($a)->[0], $before + 2, "$what: the client's own entries are all that was written");
}
is_deeply([ asked($a, 1, tlv(WITNESS, pack 'Q> x32', 0)) ], [ 20, 0 ], 'the number 0 is no batch');
is_deeply([ asked($a, 1, tlv(WITNESS, substr($far, 24, 8) . sha256('other')) . tlv(HEADER, $far)) ], [ 0, 0 ], 'a header that is not the one told of is ignored');
is_deeply([ asked($a, 1, tlv(HEADER, $far)) ], [ 0, 0 ], 'as is a header alone');
is(scalar entries($a, TOLD), 0, 'nothing of it is in the journal');
is(grades($a), '0 0 0', 'nor in status');
unlike($a->log, qr/\bhistory[a-z-]*:/, 'nor in the log');

# -- A2: the ledger is copied back, and the host goes on --

is($a->stop, 0, 'kmsd stops');
keep($a, 'early');
$a->start;
face($a);
is(asked($a, $_), 0, "client $_ is activated") for 10 .. 19;
my @lost = batches(state_of($a));
my ($held) = map { $_->[1] } grep { grep { kind($_) == LEASE } @{ $_->[2] } } reverse @lost;
my $highest = unpack 'Q>', substr $held, 24, 8;
is($a->stop, 0, 'kmsd stops');
keep($a, 'late');
put_back($a, 'early');
$a->start;
face($a);
is(scalar entries($a, RESTORED), 0, 'a ledger that was copied back says nothing of it');
my @unserved = (asked($a, 40, tells($held, 1), product => '99999999-9999-4999-8999-999999999999'));
is_deeply(\@unserved, [ 5, 0 ], 'a client that is refused and does not count is not heard') or diag "@unserved";
is(scalar entries($a, TOLD), 0, 'and nothing is written');
is_deeply([ asked($a, 19, tells($held)) ], [ 0, $highest ], 'the first of the lost clients: the host wants to see its batch');
is(scalar entries($a, TOLD), 0, 'its word alone is not written');
is_deeply([ asked($a, 19, tells($held, 1)) ], [ 0, 0 ], 'it shows it');
my @told = entries($a, TOLD);
is(scalar @told, 1, 'an entry WITNESS');
my ($digest, $blob) = own($told[0][1]);
is($digest, sha256(substr $held, 0, 108), 'with the hash of the header');
is($blob, $held, 'and the header with its signature');
is(join(' ', map { kind($_) } @{ last_batch($a)->[2] }), LEASE . ' ' . TOLD, 'in the batch of the request, behind its entry');
is_deeply([ asked($a, 19, tells($held, 1)) ], [ 0, 0 ], 'the same again');
is_deeply([ asked($a, 18, tells($held, 1)) ], [ 0, 0 ], 'the same from another client');
is(scalar entries($a, TOLD), 1, 'is not written twice');
is_deeply([ asked($a, 2, tells($forged{'a true header with another number'}, 1)) ], [ 0, 0 ], 'a forged one is still ignored');
is(scalar entries($a, TOLD), 1, 'and not written');
is(grades($a), '0 1 0', 'status: unexplained');
like($a->log, qr/^.*history: client [0-9a-f]{32} \(client-19, 127\.0\.0\.1\) holds batch $highest of \S+, signed by this host, which this journal does not have: .*kmsctl ledger restore/m, 'the log says it, and what to do');
my $text = $a->kmsctl('status')->{out};
like($text, qr/clients hold 1 batch signed by this host that the journal does not have: .*kmsctl ledger restore DIR/, 'so does status');
my ($finding) = findings($a, 'history');
is($finding->{level}, 'warning', 'and doctor');
like($finding->{next}, qr/tell the publisher/, 'with what to do');

# The chain grows past it.
asked($a, 1) while last_batch($a)->[0] < $highest;
is(grades($a), '0 1 0', 'once the journal has that number too, it is the same: the batch is older than the last START');
my ($inner) = grep { $_->[0] == $highest - 2 } @lost;
# An owner who reserves the whole disk has renewals served, and hears what they show.
my $ini = slurp($a->dir . '/kms.ini');
reload($a, "$ini\n[limits]\ndisk_reserve = 1024G\n");
is((asked($a, 41))[0], 15, 'no new client is written');
is_deeply([ asked($a, 1, tells($inner->[1], 1)) ], [ 0, 0 ], 'another lost batch, of a number that the journal has');
reload($a, $ini);
is(grades($a), '0 2 0', 'is unexplained, too');
sound($a, 'with witnesses');
is($a->stop, 0, 'kmsd stops');
my @all = map { $_->[0] } entries($a, TOLD);
is(scalar @all, 2, 'two entries in all');
is($all[0], $told[0][0], 'of which the first is as it was');
my ($down) = $a->kmsctl_json('status');
is($down->{ledger}{witnesses_unexplained}, 2, 'status without kmsd says the same, from the index');
is($a->kmsctl('ledger', 'rebuild')->{exit}, 0, 'the index is made anew');
$a->start;
is(grades($a), '0 2 0', 'with the same grades');
is($a->stop, 0, 'kmsd stops');

# -- A6: two copies of one state at once --

put_back($a, 'early');
my $twin_dir = workspace();
run([ 'cp', '-a', state_of($a), "$twin_dir/state" ])->{exit} == 0 or die 'cp';
$a->start;
my $twin = appliance(dir => $twin_dir);
for my $host ($a, $twin) {
    is(face($host), $id, 'a host with that id');
    is(asked($host, $host == $a ? 20 : 21), 0, 'activates a client');
}
my $of_twin = last_batch($twin);
is($of_twin->[0], last_batch($a)->[0], 'two batches of one number');
isnt($of_twin->[1], last_batch($a)->[1], 'which differ');
face($a);
is_deeply([ asked($a, 21, tells($of_twin->[1])) ], [ 0, $of_twin->[0] ], 'the client of one asks the other');
is_deeply([ asked($a, 21, tells($of_twin->[1], 1)) ], [ 0, 0 ], 'and shows what it has');
is(grades($a), '1 0 0', 'a contradiction');
my ($fork) = findings($a, 'history');
is($fork->{level}, 'bad', 'which doctor calls bad');
like($a->log, qr/history: client .* holds batch $of_twin->[0] .* but this journal has a different batch of that number, .*stop it; tell the publisher/, 'the log names it');
is(grades($twin), '0 0 0', 'of which the other knows nothing yet');
is($twin->stop, 0, 'the copy stops');
is($a->stop, 0, 'kmsd stops');

# -- an honest restore --

put_back($a, 'late');
$a->start;
face($a);
is($a->kmsctl('ledger', 'backup', "$dir/backup")->{exit}, 0, 'a backup');
my $left = last_batch($a);
is(asked($a, $_), 0, "client $_ is activated after it") for 30 .. 32;
$held = last_batch($a);
is($a->stop, 0, 'kmsd stops');
remove_tree(state_of($a) . '/kmsdb');
my $r = $a->kmsctl('ledger', 'restore', "$dir/backup");
is($r->{exit}, 0, 'restored') or diag $r->{err};
like($r->{out}, qr/kmsd records the restore in the journal.*Tell the publisher/, 'it says what follows');
ok(-e state_of($a) . '/kmsdb/restored', 'kmsd is told of it');
is(scalar entries($a, RESTORED), 0, 'which alone can sign an entry');
$clock->to($clock->now + 5);
$a->start;
face($a);
my @restored = entries($a, RESTORED);
is(scalar @restored, 1, 'kmsd writes RESTORED');
is_deeply([ own($restored[0][1]) ], [ sha256(substr $left->[1], 0, 108), pack('Q> Q> C', $left->[0], unpack('Q>', substr $left->[1], 100, 8), 1), '' ],
    'with hash, number and time of the last batch that is left, and the cause');
is(join(' ', map { kind($_) } @{ last_batch($a)->[2] }), RESTORED . ' ' . START, 'before START, in its batch');
ok(!-e state_of($a) . '/kmsdb/restored', 'once');
is_deeply([ asked($a, 32, tells($held->[1])) ], [ 0, $held->[0] ], 'a client from the lost interval');
is_deeply([ asked($a, 32, tells($held->[1], 1)) ], [ 0, 0 ], 'shows its batch');
is(grades($a), '0 0 1', 'which is a note');
like($a->log, qr/history-note: client .*which this journal lost in the restore that it records: there is nothing to do/, 'the log says so');
unlike($a->kmsctl('status')->{out}, qr/clients hold/, 'status asks for nothing');
is((findings($a, 'history'))[0]{level}, 'good', 'nor does doctor');
asked($a, 1) for 1 .. 3;
is(grades($a), '0 0 1', 'when the journal has that number again, it is a note still');
is(ledger($a)->{restored_to}, $left->[0], 'status says to when');
is($a->stop, 0, 'kmsd stops');
$a->start;
is(scalar entries($a, RESTORED), 1, 'the next start writes no other');
sound($a, 'after a restore');
is($a->stop, 0, 'kmsd stops');

# -- A5: the ledger is deleted, the keys are kept --

my $sent = last_batch($a)->[1];
remove_tree(state_of($a) . '/kmsdb');
$a->start;
face($a);
my @kinds = kinds($a);
is_deeply(\@kinds, [ RESTORED, START, KEY, CERTIFICATE, POLICY ], 'the new ledger begins with what happened, and with what is installed') or diag "@kinds";
is((own((entries($a, RESTORED))[0][1]))[1], pack('Q> Q> C', 0, 0, 3), 'nothing was left');
like($a->log, qr/ledger-lost: there is no ledger, but this host has keys.*kmsctl ledger restore/, 'the log says it, and what to do');
like($a->log, qr/entry-again: .*acme: confirmation/, 'and names the entries');
($finding) = findings($a, 'history');
is($finding->{level}, 'warning', 'doctor has a finding');
like($finding->{text}, qr/kmsd found keys but no ledger/, 'which says what happened');
is(asked($a, 1), 0, 'clients are served');
$r = $a->kmsctl('audit', 'export', '-o', "$dir/audit");
is($r->{exit}, 0, 'an audit can be exported') or diag $r->{err};
$r = run([ program('kmsissue'), 'audit', 'verify', '-d', $publisher->{dir}, "$dir/audit" ]);
is($r->{signal}, 0, 'and read');
is_deeply([ asked($a, 32, tells($sent, 1)) ], [ 0, 0 ], 'a client of the lost ledger shows its batch');
is(grades($a), '0 0 1', 'which the entry explains');
my ($key) = grep { /\.kmskey$/ } glob "$publisher->{dir}/*";
$clock->to($clock->now + 5);
$a->certify($publisher, $key);
is(scalar entries($a, CERTIFICATE), 2, 'a new confirmation is taken');
sound($a, 'after it was lost');
# What the log says, done: a backup is restored when clients have been served from the ledger that was begun anew.
my $meanwhile = last_batch($a);
is($meanwhile->[0], 7, 'a ledger that was begun anew has low numbers') or diag $meanwhile->[0];
is($a->stop, 0, 'kmsd stops');
remove_tree(state_of($a) . '/kmsdb');
is($a->kmsctl('ledger', 'restore', "$dir/backup")->{exit}, 0, 'the backup is restored after all');
$clock->to($clock->now + 5);
$a->start;
face($a);
is_deeply([ asked($a, 1, tells($meanwhile->[1], 1)) ], [ 0, 0 ], 'a client shows what it got meanwhile');
is(grades($a), '0 1 0', 'which is no contradiction, though the journal has that number');
sound($a, 'restored after it was begun anew');
is($a->stop, 0, 'kmsd stops');

# -- a backup from before the confirmation --

put_back($a, 'early');
$a->start;
is(scalar entries($a, CERTIFICATE), 2, 'the journal gets the entry of the certificate that is installed');
is((own((entries($a, CERTIFICATE))[1][1]))[0], sha256((own((entries($a, CERTIFICATE))[1][1]))[1]), 'with its hash');
like($a->log, qr/entry-again: the journal had no entry of an installed file, acme: confirmation.*wrote the entry again/, 'as the log says');
is($a->stop, 0, 'kmsd stops');
$a->start;
is(scalar entries($a, CERTIFICATE), 2, 'once');

# -- the clock --

face($a);
my $now = $clock->now;
$clock->to($now + 2 * 86400);
is(asked($a, 1), 0, 'a client is served two days ahead');
is(scalar entries($a, CLOCK), 0, 'forward is no finding');
$clock->to($now);
is(asked($a, 2), 0, 'and one when the clock is back');
my @clock = entries($a, CLOCK);
is(scalar @clock, 1, 'an entry CLOCK');
is(kind(last_batch($a)->[2][0]), CLOCK, 'first in its batch');
my ($before, $ahead) = unpack 'Q> Q>', (own($clock[0][1]))[1];
cmp_ok(abs($before - $now - 2 * 86400), '<', 60, 'with the time of the batch before');
cmp_ok(abs($ahead - 2 * 86400), '<', 60, 'and how far that is ahead');
like($a->log, qr/clock-back: the clock is 17\d{4} s behind the last batch/, 'the log says it');
is(asked($a, 1), 0, 'the next batch');
is(scalar entries($a, CLOCK), 1, 'has none');
my @found = findings($a, 'clock');
ok((grep { $_->{level} eq 'warning' && $_->{text} =~ /the clock went back to/ } @found), 'doctor has a finding') or diag explain \@found;
like($a->kmsctl('status')->{out}, qr/the clock went back to \S+, as the journal says: timedatectl/, 'and status');
$clock->to($now - 50);
is(asked($a, 1), 0, 'back by less than a minute');
is(scalar entries($a, CLOCK), 1, 'is nothing');
is($a->stop, 0, 'kmsd stops');
$clock->to($now - 7200);
$a->start;
is(join(' ', map { kind($_) } @{ last_batch($a)->[2] }), CLOCK . ' ' . START, 'at the start too');
$clock->to($now + 86400 * 3);
ok(!(grep { $_->{text} =~ /went back/ } findings($a, 'clock')), 'after some days, doctor no longer says it');
is($a->stop, 0, 'kmsd stops');
sound($a, 'after all that');

# -- a journal that is not this host's, and one without its end --

remove_tree("$dir/own") if -e "$dir/own";
rename state_of($a) . '/kmsdb', "$dir/own" or die;
run([ 'cp', '-a', state_of($other) . '/kmsdb', state_of($a) . '/kmsdb' ]);
my ($json, $exit) = $a->kmsctl_json('ledger', 'check');
is($exit, 4, "another host's journal");
is_deeply([ map { $_->{symbol} } @{ $json->{problems} } ], ['KMS_E_UNKNOWN_HOST'], 'is a problem, told once') or diag explain $json->{problems};
is($json->{sound}, JSON::PP::false, 'and not sound');
remove_tree(state_of($a) . '/kmsdb');
rename "$dir/own", state_of($a) . '/kmsdb' or die;
rename state_of($a) . '/keys/host.key', "$dir/host.key" or die;
($json, $exit) = $a->kmsctl_json('ledger', 'check');
is($exit, 0, 'without host.key, the certificate names the key') or diag explain $json->{problems};
is($json->{own_keys}, JSON::PP::true, 'which counts as its own');
run([ 'cp', '-a', state_of($other) . '/keys/host.key', state_of($a) . '/keys/host.key' ]);
($json, $exit) = $a->kmsctl_json('ledger', 'check');
is($exit, 4, 'beside the keys of another host');
is_deeply([ sort map { $_->{symbol} } @{ $json->{problems} } ], [ ('KMS_E_UNKNOWN_HOST') x 2 ], 'journal and certificate are problems') or diag explain $json->{problems};
like($json->{problems}[0]{message}, qr/the installed certificate of publisher acme is for host/, 'which are named');
rename "$dir/host.key", state_of($a) . '/keys/host.key' or die;

my ($segment) = reverse sort glob state_of($a) . '/kmsdb/journal/*.seg';
my $octets = slurp($segment);
my $at = rindex $octets, 'KMSJBAT1';
substr($octets, $at) = "\0" x (length($octets) - $at);
open my $fh, '+<:raw', $segment or die;
print {$fh} $octets;
close $fh;
($json, $exit) = $a->kmsctl_json('audit', 'export', '-o', "$dir/short");
is($exit, 2, 'a journal that ends before what the index has is not exported');
is($json->{error}{symbol}, 'KMS_E_MISSING', 'KMS_E_MISSING');
like($json->{error}{message}, qr/the journal ends with batch (\d+), but the index has batch (\d+): .*kmsctl ledger restore/, 'why, and what to do');
ok(!-e "$dir/short", 'and nothing is written');
done_testing;
