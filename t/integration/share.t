#!/usr/bin/perl
# kmsd-share before three real members of etcd, on loopback and with TLS: two hosts store and fetch batches of real ledgers; members die
# and come back; without a majority the link is down within its time.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use KMS::Engine;
use Test::More;
use Time::HiRes qw(sleep time);

my $dir = workspace();
my $user = getpwnam('_kmsshare');
diag('NO USER _kmsshare: the layer uid is not in force here') if $> == 0 && !$user;
my $ini = spew("$dir/kms.ini", "[kms]\nstate_directory = $dir/state\nruntime_directory = $dir\n[sandbox]\n"
    . ($user || $> != 0 ? '' : "allow_missing = uid\n") . "[log]\nlevel = debug\n");
my $tls = KMS::Engine::certificates($dir);
my $etcd = KMS::Engine->start($dir, $tls);

sub drive ($own, %opt) {
    return KMS::Engine::Drive->start(own => $own, tls => $tls, members => [ $etcd->members ], ini => $ini, log => "$dir/share$own.log", %opt);
}

# -- two hosts --
my $one = drive(1);
my ($cluster) = $one->expect(qr/^link /) =~ /^link KMS_OK ([0-9a-f]+)$/;
ok($cluster, 'the link is up, and the cluster has an id');
my $two = drive(2);
is($two->expect(qr/^link /), "link KMS_OK $cluster", 'the other host is at the same');
is($two->say('fetch 1 from 1')->expect(qr/ 1$|^parcel/), 'nothing 1', 'there is no parcel yet');
my ($last) = $one->say('batches 5')->expect(qr/^batches/) =~ /(\d+)/;
is($one->say('store 1')->expect(qr/^(?:stored|taken|failed) /), 'stored 1 1', 'batches are stored');
is($one->say('store 1')->expect(qr/^(?:stored|taken|failed) /), 'stored 2 1', 'the same again is no conflict: its answer may have been lost');
is($two->say('follow 1')->expect(qr/^followed/), 'followed KMS_OK', 'the other host follows the chain');
like($two->say('fetch 1 from 1')->expect(qr/^(?:parcel|nothing|failed)/), qr/^parcel 2 1 \d+ taken $last KMS_OK$/, 'and has them, verified');
$one->say('batches 3')->expect(qr/^batches/);
is($one->say('store ' . ($last + 1))->expect(qr/^(?:stored|taken|failed) /), 'stored 3 ' . ($last + 1), 'the next ones');
like($two->say('fetch 1 from ' . ($last + 1))->expect(qr/^(?:parcel|nothing|failed)/), qr/taken 3 KMS_OK$/, 'arrive, too');
is($two->say('fetch 1 from ' . ($last + 9))->expect(qr/^(?:parcel|nothing|failed)/), 'nothing 4', 'then there are none');
like($two->say('fetch 1 upto ' . $last)->expect(qr/^(?:parcel|nothing|failed)/), qr/^parcel 5 1 \d+ taken 0 KMS_OK$/, 'the parcel that a batch is in');
like($two->say('fetch 1 from 2')->expect(qr/^(?:parcel|nothing|failed)/), qr/^parcel 6 ${\($last + 1)} /, 'and the first that begins later');
is($two->say('fetch 3 from 1')->expect(qr/^(?:parcel|nothing|failed)/), 'nothing 7', 'of a host that nobody heard of there is nothing');

# -- create-only --
like($one->say('forge 1')->expect(qr/^(?:stored|taken|failed) /), qr/^taken 4 1 \d+$/, 'other content in its place: what is there is told');
is($two->say('fetch 1 from 1')->expect(qr/^(?:parcel|nothing|failed)/) =~ s/ \d+ taken.*//r, 'parcel 8 1', 'and it is not replaced');
my $largest = 640 * 1024 + 186;
is($one->say("fill 900 $largest")->expect(qr/^(?:stored|taken|failed) /), 'stored 5 900', 'as much as one batch can be');
like($two->say('fetch 1 from 900')->expect(qr/^(?:parcel|nothing|failed)/), qr/^parcel 9 900 $largest taken 0 KMS_E_FORMAT$/,
    'arrives whole, and the ledger refuses what is no parcel');

# -- beats --
is($one->say('beat one-a')->expect(qr/^(?:beats|failed)/), 'beats 6 1=one-a', 'a beat');
like($two->say('beat two-a')->expect(qr/^(?:beats|failed)/), qr/^beats 10 (?=.*\b1=one-a\b)(?=.*\b2=two-a\b)/, 'both are told');
$etcd->ctl('put', 'kms/site-1/h/stranger', 'x');
like($one->say('beat one-b')->expect(qr/^(?:beats|failed)/), qr/^beats 7 (?:1=one-b 2=two-a|2=two-a 1=one-b)$/, 'what is no beat is left out');

# -- pruning: only the own --
is($two->say('prune 100')->expect(qr/^(?:pruned|failed)/), 'pruned 11 0', 'a host prunes its own parcels alone');
is($one->say('prune 900')->expect(qr/^(?:pruned|failed)/), 'pruned 8 2', 'those that begin before a batch');
like($two->say('fetch 1 from 1')->expect(qr/^(?:parcel|nothing|failed)/), qr/^parcel 12 900 /, 'are gone');

# -- all credits, in parallel --
$one->say("store $_") for 1 .. 8;
my @stored = sort { $a <=> $b } map { $one->expect(qr/^(?:stored|taken|failed) /) =~ /^stored \d+ (\d+)$/ ? $1 : 0 } 1 .. 8;
is("@stored", '1 2 3 4 5 6 7 8', 'eight requests at once');

# -- members die --
for my $i (1 .. 3) {
    $etcd->kill($i);
    is($one->say("store $i")->expect(qr/^(?:stored|taken|failed) /) =~ s/ \d+ / /r, "stored $i", "without member $i");
    is($two->say('beat two-' . $i)->expect(qr/^(?:beats|failed)/) =~ s/ .*//r, 'beats', 'and for the other host');
    $etcd->revive($i);
    wait_for(30, sub { $etcd->ctl(qw(endpoint health))->{exit} == 0 }, 'the member is back');
}
# One that hangs, which no connection tells.
$etcd->pause(1);
is($one->say('store 1')->expect(qr/^(?:stored|taken|failed) /) =~ s/ \d+ / /r, 'stored 1', 'with a member that hangs');
is($two->say('store 1')->expect(qr/^(?:stored|taken|failed|share_drive)/) =~ s/ .*//r, 'stored', 'for the other host, too') if $two->say('batches 2')->expect(qr/^batches/);
$etcd->resume(1);
my @links = grep { /^link/ } $one->quiet(1);
is($links[-1] // 'as before', @links ? "link KMS_OK $cluster" : 'as before', 'and the link is up');

# -- no majority --
$etcd->kill(1);
$etcd->kill(2);
my $began = time;
my ($down) = $one->expect(qr/^link /, 15);
my $took = time - $began;
like($down, qr/^link KMS_E_(?:TIMEOUT|NO_HOST) $cluster$/, 'without a majority the link is down');
cmp_ok($took, '<', 12, sprintf('within its time (%.1f s)', $took));
$began = time;
like($one->say('store 2')->expect(qr/^(?:stored|taken|failed) /, 30), qr/^failed \d+ KMS_E_(?:TIMEOUT|NO_HOST)$/, 'a request fails');
cmp_ok(time - $began, '<', 20, 'within its time');
is($one->say('ping')->expect(qr/^pong/, 5), 'pong 7', 'while it waits, it serves');
$etcd->revive(1);
is($one->expect(qr/^link /, 60), "link KMS_OK $cluster", 'with a majority again it is up, by itself');
is($one->say('store 2')->expect(qr/^(?:stored|taken|failed) /) =~ s/ \d+ / /r, 'stored 2', 'and batches are stored');
$etcd->revive(2);

# -- the process --
{
    my $status = slurp('/proc/' . $one->pid . '/status');
    like($status, qr/^Seccomp:\s+2$/m, 'a filter of system calls is on');
    like($status, qr/^Threads:\s+1$/m, 'it has one thread');
    like($status, qr/^CapEff:\s+0+$/m, 'and no capability') if $> == 0 && $user;
    my $maps = slurp('/proc/' . $one->pid . '/maps');
    unlike($maps, qr/libsodium|liblmdb/, 'neither libsodium nor LMDB is in it');
}
is($one->stop, 'exit 0', 'it stops when kmsd says so');
is($two->stop, 'exit 0', 'the other, too');

# -- who may not --
my $stranger = drive(3, certificate => $tls->{stranger}, key => $tls->{stranger_key});
like($stranger->expect(qr/^link /), qr/^link KMS_E_(?:TIMEOUT|NO_HOST) 0$/, 'with a certificate of another authority the engine does not answer');
is($stranger->stop, 'exit 0', 'which is no reason to end');
my $wrong = drive(4, members => [ map { s/^[^=]+/elsewhere.test/r } $etcd->members ]);
like($wrong->expect(qr/^link /), qr/^link KMS_E_(?:TIMEOUT|NO_HOST) 0$/, 'a member whose certificate has another name is not believed');
$wrong->stop;

# -- activation breaks a rule --
for my $what (qw(verb own-verb token short long port host twice welcome)) {
    my $d = drive(1);
    $d->expect(qr/^link /);
    like($d->say("bad $what")->expect(qr/^(?:exit|signal) /), qr/^exit 1$/, "a frame with a bad $what: it ends");
}
done_testing;
