#!/usr/bin/perl
# What an administrator sees of the seats of a floating pool: status, policy show, doctor and why say how many are taken, how many of them
# are beyond the capacity or lent, and when the next one comes back.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Asker;
use KMS::Clock;
use KMS::Test;
use POSIX qw(strftime);
use Test::More;

$ENV{TZ} = 'UTC';
use constant { OK => 0, CAPACITY => 10, BORROWED_OUT => 34, RELEASE => 3 };
my $product = '11111111-1111-4111-8111-111111111111';
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
window = 90m
capacity = 3
overdraft = 10%
borrow = 12h
borrow-seats = 1
[product $product]
name = Float
group = all
pool = float
threshold = 1
validity = 40m
renewal-interval = 10m
EOT
my $clock = KMS::Clock->start;
my $begin = (int(time / 3600) + 1) * 3600;
$clock->to($begin);
my $host = start_appliance(publisher => $publisher, fronts => 1, environment => $clock->environment)->enable(group => 'all');
my $asker = KMS::Asker->new($host, clock => $clock);

sub ask ($client, %f) { return $asker->ask($client, product => $product, %f)->{status} }
sub text (@args) { return $host->kmsctl(@args)->{out} }
sub pool () { return (($host->kmsctl_json('status'))[0]{pools})->[0] }
sub doctor ($check) {
    my ($data) = $host->kmsctl_json('doctor');
    return join "\n", map { "$_->{level}: $_->{text}" . (defined $_->{next} ? " -> $_->{next}" : '') } grep { $_->{check} eq $check } @{ $data->{findings} };
}
sub when ($seconds) { return strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $seconds) }

like(text(qw(policy show)), qr/^ .*Window +.*Overdraft %\n(?:.*\n)*.* float +3 +90 minutes +allow +12 hours +10$/m, 'policy show has the keys of the pool');
my ($shown) = $host->kmsctl_json(qw(policy show));
is_deeply([ @{ $shown->{pools}[0] }{qw(capacity window_minutes stateless borrow borrow_seats overdraft_percent)} ], [ 3, 90, 'allow', 720, 1, 10 ],
    'also for a program');
like(doctor('capacity'), qr/^good: float: 0 of 3 seats are taken$/, 'doctor: no seat is taken');
unlike(text('status'), qr/float: /, 'and status has nothing to say of it');

my $first = int($clock->now / 60);
is(ask($_), OK, "client $_ has a seat") for 1, 2;
is(ask(3, tail => tlv(0x8006, pack 'N', 600)), OK, 'the third borrows one');
# The first two count for the window and the rest of their slot of two minutes.
my $next = pool()->{next_seat};
is(pool()->{counted}, 3, 'all are taken');
cmp_ok($next, '>=', ($first + 90) * 60, 'the first comes back after the window');
cmp_ok($next, '<=', (int($clock->now / 60) + 92) * 60, 'and a slot');
like(text('status'), qr/^  float: all 3 seats are taken, and 0 of 1 beyond them; 1 of the 1 seats that may be lent are lent; the next one comes back at @{[ when($next) ]}, if/m,
    'status says all of that');
like(doctor('capacity'), qr/^warning: float: all 3 seats are taken, and 0 of 1 beyond them;.* -> kmsctl clients, /, 'doctor: nearly full');
like(doctor('borrowed'), qr/^warning: float: all 1 seats that the pool may lend are lent: .*KMS_E_BORROWED_OUT -> kmsctl clients --borrowed/, 'and nothing is left to lend');
is(ask(4), OK, 'one more beyond the capacity');
is_deeply([ @{ pool() }{qw(counted over overdraft borrowed borrow_seats)} ], [ 4, 1, 1, 1, 1 ], 'status has it');
like(doctor('capacity'), qr/^bad: float: the pool is full, .*KMS_E_CAPACITY: all 3 seats are taken, and 1 of 1 beyond them; /, 'doctor: full');

is(ask(5), CAPACITY, 'the fifth is refused');
my ($why) = $host->kmsctl_json('why', 'client-5');
is_deeply([ @{ $why->{pool} }{qw(name counted capacity over next_seat)} ], [ 'float', 4, 3, 1, $next ], 'why shows the pool');
my $said = text('why', 'client-5');
like($said, qr/^KMS_E_CAPACITY: /m, 'the cause');
like($said, qr/^Pool float now: all 3 seats are taken, and 1 of 1 beyond them; .* comes back at @{[ when($next) ]}, if its client does not ask again\.$/m,
    'and when it may be served');
is(ask(2, tail => tlv(0x8006, pack 'N', 60)), BORROWED_OUT, 'another borrows nothing');
like(text('why', 'client-2'), qr/^Pool float now: .*; 1 of the 1 seats that may be lent are lent; /m, 'why: all that are lent are out');
is(ask(1, operation => RELEASE), OK, 'one gives its seat back');
like(text('status'), qr/^  float: all 3 seats are taken, and 0 of 1/m, 'status follows at once');
is_deeply(($host->kmsctl_json('why', 'client-1'))[0]{pool}, {}, 'why has no pool for a client that lacks no seat');

$clock->to($begin + 3 * 3600);
like(doctor('capacity'), qr/^good: float: 1 of 3 seats are taken; 1 of the 1 seats that may be lent are lent$/, 'later, only the one that is lent counts');
is(pool()->{next_seat}, undef, 'a pool with a free seat waits for none');

# A pack that takes back what was not seen for long: a full pool is no longer bad.
my $next_pack = sign_pack($publisher, 'next', slurp($publisher->{pack}) =~ s/^version = 1\.0$/version = 1.1/mr =~ s/^overdraft = .*$/when-full = longest-unseen 30m/mr);
$host->do('policy', 'install', $next_pack);
is(ask($_), OK, "client $_ has a seat") for 6, 7;
is(pool()->{longest_unseen}, 30, 'status says for how long');
like(doctor('capacity'), qr/^warning: float: the pool is full\. A new client gets the seat of the client that was unseen for longest, .* 30 minutes; .*KMS_E_CAPACITY: all 3 seats/,
    'doctor: full, and a new client may be served all the same');
is($host->stop, 0, 'the host ends well');
done_testing;
