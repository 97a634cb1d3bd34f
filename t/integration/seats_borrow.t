#!/usr/bin/perl
# A laptop borrows a seat for a flight: it works without a network until the end of the loan, nobody else has the seat meanwhile, and who
# comes back early gives it back early.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Clock;
use KMS::Test;
use POSIX qw(strftime);
use Test::More;

$ENV{TZ} = 'UTC';
delete @ENV{qw(KMS_HOST KMS_DOMAIN)};
my $product = '77777777-7777-4777-8777-777777777777';
my $publisher = publisher(products => [ { id => $product } ], ini => <<"EOT");
[policy]
id = flight
title = Flight
version = 1.0
issued = 2026-01-01
requires-host = 0.1
[group all]
[pool workplaces]
number = 1
window = 2h
capacity = 3
borrow = 14d
borrow-seats = 1
[product $product]
name = Editor
group = all
pool = workplaces
threshold = 1
activation-interval = 10m
renewal-interval = 15m
validity = 1h
EOT
my $clock = KMS::Clock->start;
$clock->to((int(time / 3600) + 1) * 3600);
my $host = start_appliance(publisher => $publisher, environment => $clock->environment)->enable(group => 'all');

sub client ($name, $verb, @args) { return $host->client($name, $verb, product => $product, args => [@args]) }
sub said ($r) { return "$r->{exit} $r->{out}$r->{err}" }
sub pool () { return (($host->kmsctl_json('status'))[0]{pools})->[0] }
sub borrowed () { return { map { $_->{name} => $_ } @{ ($host->kmsctl_json('clients', '--borrowed'))[0]{clients} } } }
sub later ($hours) { $clock->to($clock->now + $hours * 3600) }

is(client('laptop', 'activate')->{exit}, 0, 'a laptop in the office');
like(said(client('laptop', 'borrow', '15d')), qr/KMS_E_BORROW\b/, 'nothing is lent for longer than the publisher allows');
is(client('laptop', 'status')->{exit}, 0, 'which takes nothing from it');
my $r = client('laptop', 'borrow', '16h');
is($r->{exit}, 0, 'it borrows for a flight') or diag said($r);
my $back = $clock->now + 16 * 3600;
my $loan = borrowed()->{laptop};
ok(defined $loan, 'kmsctl clients --borrowed names it');
cmp_ok(abs(($loan->{borrowed_until} // $loan->{expires}) - $back), '<', 300, 'with the end');
is(pool()->{borrowed}, 1, 'status counts it');
like(said(client('desk', 'activate')), qr/^0 /, 'a colleague works at a desk');
like(said(client('desk', 'borrow', '1d')), qr/KMS_E_BORROWED_OUT/, 'and borrows nothing, because all that are lent are out');
is(client('desk', 'status')->{exit}, 0, 'but keeps the seat');

# In the air: the host is not there.
is($host->stop, 0, 'the laptop leaves the network');
later(10);
like(said(client('laptop', 'verify')), qr/^0 /, 'hours later its lease is good, without a network');
isnt(client('desk', 'verify')->{exit}, 0, 'while one that was not lent is over');
$host->start;
is(pool()->{counted}, 1, 'at home the seat is kept for it');
is(client("desk-$_", 'activate')->{exit}, 0, 'another works') for 1, 2;
like(said(client('desk-3', 'activate')), qr/KMS_E_CAPACITY/, 'and nobody has the seat that is lent');

# Back early.
is(client('laptop', 'release')->{exit}, 0, 'it lands early, and gives the seat back');
is_deeply(borrowed(), {}, 'nothing is lent any more');
is(client('desk-3', 'activate')->{exit}, 0, 'so the next one has the seat');
is(client('desk-3', 'release')->{exit}, 0, 'for a while');

# And one that does not come back.
is(client('lost', 'borrow', '3d')->{exit}, 0, 'a laptop that gets lost borrows for three days');
later(71);
is(pool()->{borrowed}, 1, 'its seat counts until the end of the loan');
later(3);
is(pool()->{counted}, 0, 'and is back within a slot of it');
isnt(client('lost', 'verify')->{exit}, 0, 'its lease is over');
is($host->do('ledger', 'check')->{exit}, 0, 'the ledger is whole');
is($host->stop, 0, 'the host ends well');
done_testing;
