#!/usr/bin/perl
# kill -9 of the activation process at random moments under load, round after round on one ledger.
# After every round: each lease that any client was given is in the journal, the chain has no gap, the
# counters equal a recount, and the index equals a rebuilt one.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use Test::More;
use Time::HiRes qw(sleep);

my $rounds = $ENV{KMS_KILL_ROUNDS} // 50;
my $seed = $ENV{KMS_SEED} // time;
srand $seed;
diag("KMS_SEED=$seed");

my $product = '11111111-1111-4111-8111-111111111111';
my $p = publisher(products => [ { name => 'Under Siege', id => $product, threshold => 1,
    group => 'client', pool => 'desktops' } ]);
# A small overlay, so that kills also fall into checkpoints and segments change often.
my $a = start_appliance(publisher => $p);
$a->stop;
spew($a->ini, slurp($a->ini) =~ s/(\[ledger\]\n)/$1overlay_records = 1000\ncheckpoint_interval = 1\n/r);
$a->start;
$a->enable(group => 'client');

my ($acks, $state) = ($a->dir . '/acks', $a->dir . '/siege.state');
my ($told, $repeated) = (0, 0);
for my $round (1 .. $rounds) {
    my $log = $a->dir . "/siege.$round";
    my $siege = start_siege(port => $a->port, publisher => $p, product => $product, clients => 24,
        state => $state, acks => $acks, log => $log);
    my $before = -s $acks // 0;
    wait_for(20, sub { (-s $acks // 0) > $before }, "round $round: the siege is answered");
    sleep rand 0.15;
    my ($activate) = @{ $a->children->{'kmsd-activate'} };
    kill 'KILL', $activate;
    # kmsd stops everything cleanly when activation cannot go on.
    isnt(wait_exit($a->pid, 20) >> 8, 0, "round $round: kmsd ends with a failure");
    my $siege_status = wait_exit($siege, 20);
    my $said = slurp($log);
    my $ended_well = $siege_status == 0 && $said =~ /acknowledged=(\d+) repeated=(\d+)/;
    my ($n, $again) = $ended_well ? ($1, $2) : (0, 0);
    ok($ended_well, "round $round: every client was answered correctly up to the end") or diag($said);
    ($told, $repeated) = ($told + $n, $repeated + $again);

    my $in = run([ "$BUILD/acks_in_journal", $a->dir . '/state', $acks ]);
    is($in->{exit}, 0, "round $round: all that was acknowledged is in the journal") or diag("$in->{out}$in->{err}");
    $a->start;
    my $check = $a->kmsctl('ledger', 'check');
    is($check->{exit}, 0, "round $round: chain, counters and index hold after the restart")
        or diag("$check->{out}$check->{err}");
}
diag("$told leases acknowledged in $rounds rounds, $repeated requests asked again after a kill");
cmp_ok($told, '>', $rounds, 'the siege was real');
cmp_ok($repeated, '>', 0, 'requests were in flight when the process was killed');
my ($status) = $a->kmsctl_json('clients');
is(scalar @{ $status->{clients} }, 24, 'twenty-four clients, each with one seat');
is($a->stop, 0, 'and a clean stop at the end');
my $last = $a->kmsctl('ledger', 'check');
is($last->{exit}, 0, 'the ledger is whole') or diag("$last->{out}$last->{err}");
done_testing;
