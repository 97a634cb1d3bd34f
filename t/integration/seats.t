#!/usr/bin/perl
# Seats by the minute, at a running host: floating pools, clients without state, borrowed seats, overdraft. What the clients are told, what
# the journal has, and what a host counts after it started anew and after its index was made from the journal.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Asker;
use KMS::Clock;
use KMS::Test;
use Test::More;

use constant { OK => 0, TOO_LOW => 1, CAPACITY => 10, CLASS_FULL => 28, RECLAIMED => 29, STATELESS => 32, BORROW => 33, BORROWED_OUT => 34 };
use constant { F_BORROWED => 8, F_OVERDRAFT => 0x10, F_STATELESS => 0x40 };
use constant { STATELESS_CLIENT => 2, RENEW => 2, RELEASE => 3 };

my %id = (float => '11111111-1111-4111-8111-111111111111', kept => '22222222-2222-4222-8222-222222222222', old => '33333333-3333-4333-8333-333333333333');
my $publisher = publisher(ini => <<"EOT");
[policy]
id = seats
title = Seats
version = 1.0
issued = 2026-01-01
requires-host = 0.1
[group all]
[pool float]
number = 1
window = 64m
capacity = 3
overdraft = 10%
borrow = 10h
borrow-seats = 1
[pool kept]
number = 2
capacity = 5
stateless = refuse
[pool old]
number = 3
capacity = 3
when-full = longest-unseen 1h
[product $id{old}]
name = Old
group = all
pool = old
threshold = 1
[product $id{float}]
name = Float
group = all
pool = float
threshold = 1
validity = 40m
renewal-interval = 10m
[product $id{kept}]
name = Kept
group = all
pool = kept
threshold = 1
EOT
my $clock = KMS::Clock->start;
my $begin = (int(time / 3600) + 1) * 3600;
$clock->to($begin);
my $a = start_appliance(publisher => $publisher, fronts => 1, environment => $clock->environment)->enable(group => 'all');
my $asker = KMS::Asker->new($a, clock => $clock);

sub minute () { return int($clock->now / 60) }
sub ask ($client, %f) { return $asker->ask($client, product => $id{float}, %f) }
sub borrow ($minutes) { return tlv(0x8006, pack 'N', $minutes) }
# The row of the pool in `status`.
sub pool ($name = 'float') { return (grep { $_->{name} eq $name } @{ ($a->kmsctl_json('status'))[0]{pools} })[0] }
sub last_entry () { return ($asker->of_clients)[-1] }

# -- a pool of three seats, and a fourth beyond it --

my $first = minute();
for my $n (1 .. 3) {
    my $r = ask($n);
    is($r->{status}, OK, "client $n has a seat");
    is($r->{lease}{flags}, 0, 'of which nothing is to be said');
    cmp_ok($r->{lease}{until} - $first, '>=', 65, 'and which counts for the window and the rest of a minute');
    cmp_ok($r->{lease}{until} - minute(), '<=', 65, 'and no longer');
    is($r->{lease}{width}, 1, 'by the minute');
}
my $r = ask(4);
is($r->{status}, OK, 'a tenth of three seats is one');
is($r->{lease}{flags}, F_OVERDRAFT, 'which is marked');
is($r->{count}, 4, 'and counts');
is_deeply([ @{ pool() }{qw(counted capacity over overdraft window_minutes)} ], [ 4, 3, 1, 1, 64 ], 'status has it');
$r = ask(5);
is($r->{status}, CAPACITY, 'the fifth is refused');
my $wait = ($first + 65) * 60 - $clock->now;
cmp_ok(abs($r->{retry} - $wait), '<=', 60, 'and told when the first seat comes back');
is(ask(4, operation => RENEW, state => 3)->{lease}{flags}, F_OVERDRAFT, 'renewed, it is still above the capacity');
is(ask(2, operation => RELEASE)->{status}, OK, 'one gives its seat back');
is(ask(4, operation => RENEW, state => 3)->{lease}{flags}, 0, 'then it no longer is');
is(ask(2)->{status}, OK, 'and the place above the capacity is free');

# -- seats come back --

$clock->to(($first + 64) * 60 + 10);
is(pool()->{counted}, 4, 'in the last minute all four count');
$clock->to(($first + 70) * 60);
is(pool()->{counted}, 0, 'behind it none does');
is(ask(5)->{status}, OK, 'the fifth has a seat');

# -- clients without state --

$r = $asker->ask(20, product => $id{kept}, flags => STATELESS_CLIENT);
is($r->{status}, STATELESS, 'the pool of machines takes no client without state');
is(last_entry()->{flags}, F_STATELESS, 'which is on record');
is($asker->ask(21, product => $id{kept})->{status}, OK, 'but one with a state');
$r = ask(22, flags => STATELESS_CLIENT, tail => tlv(5, pack 'a64', 'ann'));
is($r->{status}, OK, 'the floating pool takes it');
is($r->{lease}{flags}, F_STATELESS, 'and says so');
is(last_entry()->{user}, 'ann', 'the name of its user is beside the entry');
isnt(substr(last_entry()->{octets}, 136, 16), "\0" x 16, 'and committed to in it');
sub shown ($cmid) { return ($a->kmsctl_json('client', 'show', $cmid))[0]{client} }
my $shown = shown(last_entry()->{cmid});
ok($shown->{stateless}, 'client show says that it keeps no state');
is($shown->{user}, 'ann', 'and who uses it');
is(ask(22, flags => STATELESS_CLIENT, operation => RELEASE)->{status}, OK, 'it gives its seat back');

# -- borrowed --

is(ask(30, tail => borrow(601))->{status}, BORROW, 'for longer than ten hours nothing is lent');
is($asker->ask(30, product => $id{kept}, tail => borrow(1))->{status}, BORROW, 'nor by a pool that lends nothing');
is(ask(31, tail => borrow(60), flags => STATELESS_CLIENT)->{status}, BORROW, 'nor to a client without state');
$r = ask(30, tail => borrow(600));
is($r->{status}, OK, 'for ten hours it is');
is($r->{lease}{flags}, F_BORROWED, 'marked');
my $end = $r->{lease}{expires};
cmp_ok(abs($end - $clock->now - 36000), '<=', 60, 'for so long');
is($r->{lease}{until}, int(($end + 59) / 60), 'counts until then');
is(pool()->{borrowed}, 1, 'status has it');
is(shown($r->{lease}{cmid})->{borrowed_until}, $end, 'client show has its end');
$r = ask(5, operation => RENEW, state => 3, tail => borrow(60));
is($r->{status}, BORROWED_OUT, 'a second one is not lent');
cmp_ok(abs($r->{retry} - 36000), '<=', 120, 'before that one is back');
is(ask(5, operation => RENEW, state => 3)->{status}, OK, 'its seat stays as it was');
$clock->to($begin + 5 * 3600);
$r = ask(30, operation => RENEW, state => 3);
is_deeply([ @{ $r->{lease} }{qw(expires flags)} ], [ $end, F_BORROWED ], 'a renewal keeps the borrowed end');
is(ask(30, operation => RENEW, state => 2, tail => borrow(60))->{status}, OK, 'an earlier end, a moment later');
is(pool()->{counted}, 1, 'it alone counts');
$clock->to($begin + 6 * 3600 + 120);
is(pool()->{counted}, 0, 'until that end');
is(ask(5, tail => borrow(60))->{status}, OK, 'and another client borrows');
is(ask(5, operation => RELEASE)->{status}, OK, 'which gives back early');
is(ask(30, tail => borrow(600))->{status}, OK, 'so that it can borrow anew');

# -- the journal alone --

is(ask($_)->{status}, OK, "client $_ has a seat again") for 1 .. 3;
my @before = map { pool($_)->{counted} } qw(float kept);
is_deeply(\@before, [ 4, 1 ], 'four seats, and a machine');
is($a->stop, 0, 'the host ends well');
is($a->do('ledger', 'check')->{exit}, 0, 'the ledger is whole');
$a->start;
is_deeply([ map { pool($_)->{counted} } qw(float kept) ], \@before, 'started anew it counts the same');
$a->stop;
$a->do('ledger', 'rebuild');
$a->start;
is_deeply([ map { pool($_)->{counted} } qw(float kept) ], \@before, 'and with an index made from the journal');
is(pool()->{borrowed}, 1, 'with the borrowed one');

# -- classes --

# Takes kms.ini with that at its end; the new part of the log.
my $ini = slurp($a->ini);
sub reload ($classes) {
    my $at = length $a->log;
    spew($a->ini, "$ini$classes");
    kill 'HUP', $a->pid;
    wait_for(30, sub { substr($a->log, $at) =~ /activate-reloaded|config-refused/ }, 'the reload');
    return substr $a->log, $at;
}
sub class ($name) { return (grep { $_->{name} eq $name } @{ ($a->kmsctl_json('status'))[0]{classes} })[0] }
is(ask($_, operation => RELEASE)->{status}, OK, "client $_ gives its seat back") for 1 .. 3, 30;
like(reload("[class big]\npool = float\nreserve = 4\n"), qr/config-refused: .*reserve 4 seats, 1 more than its capacity of 3/,
    'reserves above the capacity: the reload is refused, and the log says by how many');
is(class('big'), undef, 'and no class is there');
my $classes = "[class team]\npool = float\nnames = team-*\nreserve = 2\n[class job]\npool = float\nnames = job-*\nlimit = 1\n";
unlike(reload($classes), qr/config-refused/, 'two of three seats are for the team');
is(ask(40)->{status}, OK, 'a client of no class gets the third');
$r = ask(41);
is($r->{status}, CLASS_FULL, 'the next one none: what is left is reserved');
cmp_ok($r->{retry}, '>', 0, 'and is told when to ask again');
is(last_entry()->{class}, 0, 'on record, of no class');
$r = ask(42, name => 'team-a');
is($r->{status}, OK, 'one of the team has one');
isnt($r->{lease}{class}, 0, 'in its class');
is_deeply([ @{ class('team') }{qw(pool counted reserve)} ], [ 'float', 1, 2 ], 'status has the class');
is(shown($r->{lease}{cmid})->{class_name}, 'team', 'client show names it');
is(ask(43, name => 'x', tail => tlv(5, pack 'a64', 'TEAM-B'))->{status}, OK, 'and one by the name of its user');
is(class('team')->{counted}, 2, 'which is of the team too');
is(ask(40, operation => RELEASE)->{status}, OK, 'the third is given back');
is(ask(44, name => 'job-1')->{status}, OK, 'a job has it');
$r = ask(45, name => 'job-2');
is($r->{status}, CLASS_FULL, 'a second job is over the limit');
is(last_entry()->{class}, class('job')->{number}, 'on record with the class that was full');
is(ask(46, name => 'team-c')->{lease}{flags}, F_OVERDRAFT, 'one more of the team is above the capacity');
$clock->to($clock->now + 1200);
is(ask(42, name => 'job-3', operation => RENEW, state => 3)->{lease}{class}, class('team')->{number},
    'renewed under a name of a class that is full, it stays in its own');
is(ask(44, name => 'job-1', operation => RELEASE)->{status}, OK, 'the job ends');
is(ask(42, name => 'job-3', operation => RENEW, state => 0)->{lease}{class}, class('job')->{number}, 'then it moves');
is_deeply([ map { class($_)->{counted} } qw(team job) ], [ 2, 1 ], 'and each class has its own');
is($a->do('ledger', 'check')->{exit}, 0, 'the ledger is whole');
@before = map { class($_)->{counted} } qw(team job);
$a->stop;
spew($a->ini, slurp($a->ini) . "[class big]\npool = float\nreserve = 9\n");
$a->start;
like($a->log, qr/class-problem: .*reserve 11 seats, 8 more than its capacity of 3/, 'at a start it is logged');
is_deeply([ map { class($_)->{counted} } qw(team job) ], \@before, 'and served, with the same counts');
is($a->stop, 0, 'the host ends well');

# -- taken back --

spew($a->ini, $ini . "[class team]\npool = old\nnames = team-*\nreserve = 1\n");
$a->start;
sub old ($client, %f) { return $asker->ask($client, product => $id{old}, %f) }
$clock->to($clock->now + 86400);
is(old(60, name => 'team-z')->{status}, OK, 'the oldest is of a team');
is(old(61)->{status}, OK, 'the next of no class');
$clock->to($clock->now + 600);
is(old(62)->{status}, OK, 'and one ten minutes later');
$a->do('clients');    # the index is as new as the journal
$clock->to($clock->now + 2000);
$r = old(63);
is($r->{status}, CAPACITY, 'all three seats are used, and none is an hour unseen');
$clock->to($clock->now + 1200);
# The host looks once a minute at most.
wait_for(90, sub { ($r = old(63))->{status} != CAPACITY }, 'the host looks again');
is($r->{status}, OK, 'twenty minutes later there is a seat');
is($r->{count}, 3, 'of the three');
my ($reclaim, $winner) = ($asker->of_clients)[-2, -1];
is_deeply([ @{$reclaim}{qw(kind status)} ], [ 35, RECLAIMED ], 'which was taken back');
is($reclaim->{other}, $winner->{cmid}, 'for the client whose entry follows');
is($reclaim->{batch}, $winner->{batch}, 'in the same batch');
is($winner->{cmid}, $r->{lease}{cmid}, 'that of the lease');
my ($loser) = grep { $_->{kind} == 1 && $_->{cmid} eq $reclaim->{cmid} } $asker->entries;
is($loser->{name}, 'client-61', 'not from the team, which has no more than its reserve');
is($reclaim->{through}, $loser->{sequence}, 'up to what it did');
like($a->log, qr/seat-reclaimed: pool old is full: the seat of client $loser->{cmid}, unseen for 6\d minutes, goes to client $winner->{cmid}/, 'the log says so');
$r = old(61, operation => RENEW, state => 3);
is($r->{status}, RECLAIMED, 'the one that lost it is told so');
is(old(63, operation => RELEASE)->{status}, OK, 'the winner gives it back');
is(old(61, operation => RENEW, state => 3)->{status}, OK, 'and the loser has a seat again');
is(pool('old')->{counted}, 3, 'three are counted');
is($a->do('ledger', 'check')->{exit}, 0, 'the ledger is whole');
$a->stop;
$a->do('ledger', 'rebuild');
$a->start;
is(pool('old')->{counted}, 3, 'and an index made from the journal counts the same');
is($a->stop, 0, 'the host ends well');
done_testing;
