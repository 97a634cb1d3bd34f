#!/usr/bin/perl
# A disk below the journal whose syncs fail in the middle of the load: of what was written, all, some or nothing is there. The error comes from
# a file system (FUSE) under the programs as they are. In some rounds kmsd goes on by itself, in the others its activation
# process is killed while syncs fail. After each: every lease that a client was given is in the journal, and the index equals a rebuilt one.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use Test::More;
use Time::HiRes qw(sleep);

if ($> != 0 || !-e '/dev/fuse' || system('/usr/bin/python3', '-c', 'import fusepy') != 0) {
    my $why = $> != 0 ? 'it needs root, to mount a file system' : !-e '/dev/fuse' ? 'this machine has no /dev/fuse' : 'it needs python3-fusepy';
    diag("*** NOT TESTED: syncs that fail: $why");
    plan skip_all => $why;
}
if (!$ENV{KMS_TEST_NAMESPACE}) {
    $ENV{KMS_TEST_NAMESPACE} = 1;
    exec 'unshare', '--mount', $^X, $0 or die "unshare: $!\n";
}
my $rounds = $ENV{KMS_KILL_ROUNDS} // 12;
my $seed = $ENV{KMS_SEED} // time;
srand $seed;
diag("KMS_SEED=$seed");

my $product = '11111111-1111-4111-8111-111111111111';
my $p = publisher(products => [ { name => 'Under Siege', id => $product, threshold => 1, group => 'client', pool => 'desktops' } ]);
my $a = start_appliance(publisher => $p);
$a->enable(group => 'client');
is($a->stop, 0, 'a ledger');
spew($a->ini, slurp($a->ini) =~ s/(\[ledger\]\n)/$1overlay_records = 1000\ncheckpoint_interval = 1\n/r);

# The journal moves to the disk that fails.
my ($journal, $backing, $control) = ($a->dir . '/state/kmsdb/journal', $a->dir . '/state/backing', $a->dir . '/control');
rename $journal, $backing or die "$journal: $!\n";
mkdir $journal, 0700 or die "$journal: $!\n";
spew($control, '0 0');
my $log = $a->dir . '/disk.log';
my $disk = spawn([ "$SRC/t/lib/failing_disk.py", $backing, $journal, $control ], log => $log);
wait_for(20, sub { -s $log && slurp($log) =~ /^mounted/m && -e "$journal/" . (map { s{.*/}{}r } glob "$backing/*.seg")[0] }, 'the file system is mounted');
my $mounted = 1;
END { local $?; system 'umount', '-l', $journal if $mounted }
$a->start;

my ($acks, $state) = ($a->dir . '/acks', $a->dir . '/siege.state');
sub grown ($from) { return sub { (-s $acks // 0) > $from } }
sub troubles () { return scalar(() = $a->log =~ /: ledger-(?:error|full): /g) }
for my $round (1 .. $rounds) {
    my $siege_log = $a->dir . "/siege.$round";
    my $siege = start_siege(churn => 1, port => $a->port, publisher => $p, product => $product, clients => 24,
        state => $state, acks => $acks, log => $siege_log);
    wait_for(60, grown(-s $acks // 0), "round $round: the siege is answered");
    my $said = troubles();
    spew($control, (2 + int rand 6) . ' ' . int rand 2**31);
    wait_for(60, sub { troubles() > $said }, "round $round: kmsd says that it cannot write");
    sleep rand 0.3;
    if ($round % 2) {
        my ($activate) = @{ $a->children->{'kmsd-activate'} };
        kill 'KILL', $activate;
        isnt(wait_exit($a->pid, 20) >> 8, 0, "round $round: kmsd ends with a failure");
        spew($control, '0 0');
        $a->start;
    } else {
        spew($control, '0 0');
        wait_for(60, grown(-s $acks), "round $round: clients are answered again by a disk that is well, without a restart");
    }
    kill 'TERM', $siege;
    is(wait_exit($siege, 60), 0, "round $round: every answer was right") or diag(slurp($siege_log));
    my $in = run([ "$BUILD/acks_in_journal", $a->dir . '/state', $acks ]);
    is($in->{exit}, 0, "round $round: all that was acknowledged is in the journal") or diag("$in->{out}$in->{err}");
    my $check = $a->kmsctl('ledger', 'check');
    is($check->{exit}, 0, "round $round: chain, counters and index hold") or diag("$check->{out}$check->{err}");
}
is($a->stop, 0, 'a clean stop');
my $rebuild = $a->kmsctl('ledger', 'rebuild');
is($rebuild->{exit}, 0, 'the index is rebuilt') or diag("$rebuild->{out}$rebuild->{err}");
is($a->kmsctl('ledger', 'check')->{exit}, 0, 'and holds');
system('umount', $journal) == 0 or die "umount: $?\n";
$mounted = 0;
wait_exit($disk, 20);
like(slurp($log), qr/^failed=(\d+)/m, 'the disk says what it did');
my ($failed, $synced) = slurp($log) =~ /^failed=(\d+) synced=(\d+)/m;
diag("$failed syncs failed, $synced did not");
cmp_ok($failed, '>=', $rounds, 'syncs did fail');
done_testing;
