#!/usr/bin/perl
# Two hosts that count together before three real members of etcd, with real clients: they count the same clients, go on without etcd and
# catch up, lose nothing that they answered when activation is killed, and a copy of a host is found.
use v5.36;
use File::Copy qw(copy);
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Engine;
use KMS::Share;
use KMS::Test;
use Test::More;
use Time::HiRes qw(sleep time);

my ($CAPACITY, $RESERVE) = (40, 4);
my $SOON = 30;    # seconds in which beats and batches arrive
my $dir = workspace();
my $tls = KMS::Engine::certificates($dir);
my $etcd = KMS::Engine->start($dir, $tls);
my ($client, $server) = ('11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222');
my $p = publisher(dir => "$dir/publisher", products => [
    { name => 'Client', id => $client, threshold => 3, group => 'client', pool => 'desktops' },
    { name => 'Server', id => $server, threshold => 1, group => 'client', pool => 'servers' } ]);
my $key = issue_key($p, group => 'client', capacity => $CAPACITY);

sub confirm_host ($h) {
    $h->do(qw(policy install), $p->{pack});
    $h->do(qw(key install), $key);
    $h->certify($p, $key);
    return;
}
# A client's command that has to end so; what it said and what the host's log has otherwise.
sub ends ($exit, $h, $who, $verb, $product, $what) {
    my $r = $h->client($who, $verb, product => $product);
    is($r->{exit}, $exit, $what) or diag("$r->{out}$r->{err}" . join "\n", (split /\n/, $h->log)[ -15 .. -1 ]);
    return;
}
sub counted ($h, $pool = 1) {
    my ($status) = $h->kmsctl_json('status');
    return (grep { $_->{number} == $pool } @{ $status->{pools} })[0]{counted};
}
# The other one has all batches that the first had at this moment.
sub heard ($by, $of) {
    my $head = share_state($of)->{'last-batch'};
    my $id = share_state($of)->{'host-id'};
    eval { wait_for($SOON, sub { grep { $_->{'host-id'} eq $id && $_->{'heard-here'} >= $head } @{ share_state($by)->{members} } }, "batch $head of $id") }
        // die "$@" . $by->log . $of->log;
    return;
}

# -- the first host --
my $one = share_host($etcd, $tls, publisher => $p, dir => "$dir/one", ini => "reserve = $RESERVE");
wait_for($SOON, sub { share_state($one)->{stored} > 0 }, 'START is stored');
is(share_state($one)->{state}, 'joining', 'a host that is not confirmed is nobody\'s member yet');
confirm_host($one);
share_is($one, 'together', $SOON);
isnt($one->client('s1', 'activate', product => $server)->{exit}, 0, 'without the first rights it gives no seat of a pool with a limit');
is(share_first($one), 0, 'it gets the first rights');
is(share_first($one), 280, 'once: KMS_E_EXISTS');
is(share_rights($one, 2), $CAPACITY, 'which are what its certificate says');
ends(0, $one, 's1', 'activate', $server, 'and it gives one');
is(share_rights($one, 2), $CAPACITY - 1, 'of these');

# -- the second --
my $two = share_host($etcd, $tls, publisher => $p, dir => "$dir/two", ini => "reserve = $RESERVE");
wait_for($SOON, sub { share_state($two)->{stored} > 0 }, 'START is stored');
confirm_host($two);
share_is($two, 'together', $SOON);
heard($two, $one);
heard($one, $two);
is(share_state($_)->{members}[0]{state}, 'followed', 'each follows the other') for $one, $two;
is(counted($two, 2), 1, 'a client that was activated at one counts at the other');

is(share_first($two), 280, 'the second host cannot have the first rights');
wait_for($SOON, sub { share_rights($two, $_) == $RESERVE || return 0 for 1, 2; 1 }, 'the first host gives it its reserve');
is(share_rights($one, 2) + share_rights($two, 2), $CAPACITY - 1, 'and no right is there twice');

# -- a threshold of three, reached at two hosts --
isnt($one->client("c$_", 'activate')->{exit}, 0, "c$_ is below the threshold") for 1 .. 2;
heard($two, $one);
ends(0, $two, 'c3', 'activate', $client, 'c3 is the third, at the other host');
heard($one, $two);
ends(0, $one, 'c1', 'activate', $client, 'and c1 asks again');

# -- without etcd --
$etcd->kill($_) for 1 .. 2;
share_is($_, 'alone', $SOON) for $one, $two;
my $began = time;
ends(0, $one, 's1', 'renew', $server, 'without etcd a client renews');
ends(0, $two, 's2', 'activate', $server, 'and a new one is activated, by the default of alone');
cmp_ok(time - $began, '<', 5, 'without waiting for etcd');
is(counted($one, 2), 1, 'which the other host does not know yet');
$etcd->revive($_) for 1 .. 2;
share_is($_, 'together', 60) for $one, $two;
heard($one, $two);
is(counted($one, 2), 2, 'when etcd is back, it does');

# -- activation dies between the own disk and etcd --
# However slow this machine is, no answer leaves while etcd hangs.
spew($one->ini, slurp($one->ini) =~ s/^(name = site-1)$/$1\nalone = refuse/mr);
kill 'HUP', $one->pid;
wait_for(20, sub { $one->log =~ /activate-reloaded/ }, 'kms.ini is read again');
$etcd->pause($_) for 1 .. 2;
my $waiting = spawn([ program('kmsclient'), '--publisher-key', $p->{key}, '--product', $server, '--state', $one->dir . '/clients/s3',
    '--host', '127.0.0.1:' . $one->port, '--name', 's3', 'activate' ], log => "$dir/s3.log");
my $state;
wait_for(10, sub { $state = share_state($one); $state->{waiting} > 0 || $state->{state} eq 'alone' }, 'its batch is on the own disk');
cmp_ok($state->{stored}, '<', $state->{'last-batch'}, 'and not in etcd, so its answer waits');
kill 'KILL', @{ $one->children->{'kmsd-activate'} };
isnt(wait_exit($one->pid, 20) >> 8, 0, 'kmsd ends with a failure');
isnt(wait_exit($waiting, 60) >> 8, 0, 'the client has no lease');
$etcd->resume($_) for 1 .. 2;
wait_for(30, sub { $etcd->ctl(qw(endpoint health))->{exit} == 0 }, 'etcd answers');
$one->start;
share_is($one, 'together', 60);
ends(0, $one, 's3', 'activate', $server, 'it asks again, and gets one');
heard($two, $one);
is(counted($two, 2), 3, 'and counts once, at both hosts');

# -- the same, many times over --
my $acks = "$dir/acks";
for my $round (1 .. 2) {
    my $siege = start_siege(port => $one->port, publisher => $p, product => $server, clients => 12,
        state => "$dir/siege.state", acks => $acks, log => "$dir/siege.$round");
    my $before = -s $acks // 0;
    wait_for(30, sub { (-s $acks // 0) > $before }, "round $round: clients are answered");
    sleep 0.3 + rand 0.5;
    kill 'KILL', @{ $one->children->{'kmsd-activate'} };
    isnt(wait_exit($one->pid, 20) >> 8, 0, "round $round: kmsd ends with a failure");
    is(wait_exit($siege, 20), 0, "round $round: every client was answered correctly up to the end") or diag(slurp("$dir/siege.$round"));
    my $in = run([ "$BUILD/acks_in_journal", $one->dir . '/state', $acks ]);
    is($in->{exit}, 0, "round $round: all that was acknowledged is in the journal") or diag("$in->{out}$in->{err}");
    $one->start;
    share_is($one, 'together', 60);
}
heard($two, $one);
is(counted($two, 2), counted($one, 2), 'both hosts count the same');

# -- the capacity --
my $refused = 0;
for my $n (1 .. 2 * $CAPACITY) {
    my ($first, $second) = $n % 2 ? ($one, $two) : ($two, $one);
    next if grep { $_->client("f$n", 'activate', product => $server)->{exit} == 0 } $first, $second;
    last if !grep { counted($_, 2) < $CAPACITY } $one, $two;
    # Rights, and what the other one gave, are on their way for some seconds: meanwhile no host may have any.
    sleep 2 if $refused++ < 15;
}
heard($one, $two);
heard($two, $one);
is(counted($_, 2), $CAPACITY, 'as many clients count as were sold, at each host') for $one, $two;
isnt($_->client('late', 'activate', product => $server)->{exit}, 0, 'and no host gives one more') for $one, $two;
copy($one->dir . "/clients/$_", $two->dir . "/clients/$_") or die "$_: $!\n" for qw(s1 s1.key);
ends(0, $two, 's1', 'renew', $server, 'a client of the other host renews');

# -- a copy of a host --
is($two->stop, 0, 'a host stops');
mkdir "$dir/copy";
is(run([ 'cp', '-a', $two->dir . '/state', "$dir/copy/state" ])->{exit}, 0, 'its disk is copied');
$two->start;
share_is($two, 'together', 60);
my $copy = share_host($etcd, $tls, publisher => $p, dir => "$dir/copy");
share_is($copy, 'stopped', $SOON);
like($copy->log, qr/share-state: stopped: .*another machine runs with this host's key/, 'the copy finds that the other one goes on, and says so');
isnt($copy->client('s9', 'activate', product => $client)->{exit}, 0, 'it gives no leases');
ends(0, $two, 's2', 'renew', $server, 'the host itself does');
is(share_state($two)->{state}, 'together', 'and goes on as before');
is($copy->stop, 0, 'the copy stops cleanly');

# -- the ledgers --
heard($one, $two);
heard($two, $one);
is($_->stop, 0, 'a clean stop') for $one, $two;
for my $h ($one, $two) {
    my $check = $h->kmsctl(qw(ledger check));
    is($check->{exit}, 0, 'chains, counters and index hold') or diag("$check->{out}$check->{err}");
}
unlike($one->log . $two->log, qr/share-refused|(?:share|activate)-died.*\n.*share-refused/, 'no process broke a rule');

done_testing;
