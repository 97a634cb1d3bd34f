#!/usr/bin/perl
# A laptop takes its seat along: kmsclient borrow against a host, then days without one; early return; what a pool does not lend; and a
# client without state, whose seat belongs to a process.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Clock;
use KMS::Test;
use Test::More;

delete @ENV{qw(KMS_HOST KMS_DOMAIN)};
use constant DAY => 86400;
my $product = '22222222-2222-4222-8222-222222222222';
my $publisher = publisher(products => [ { id => $product, name => 'Editor' } ], ini => <<"INI");
[policy]
id = lent
title = Lent
version = 1.0
issued = 2026-01-01
requires-host = 0.1
[group all]
[pool seats]
number = 1
window = 30
borrow = 14d
borrow-seats = 1
[product $product]
name = Editor
group = all
pool = seats
threshold = 1
activation-interval = 2h
renewal-interval = 1d
validity = 2d
grace = 30d
virtual-machines = allow
clones = allow
INI
my $clock = KMS::Clock->start;
my $a = start_appliance(publisher => $publisher, environment => $clock->environment)->enable(group => 'all');

sub client ($name, $verb, @args) {
    my $r = $a->client($name, $verb, args => [ @args, '--json' ]);
    my $json = $r->{out} =~ /^\{/ ? json_of($r) : {};
    return { %$json, exit => $r->{exit}, err => $r->{err} };
}
sub counted () { return ($a->kmsctl_json('status'))[0]{pools}[0]{counted} }
sub near ($got, $want, $what) { ok(abs($got - $want) < 120, $what) or diag "$got, not $want" }

# -- a journey --

my $r = client('laptop', 'activate');
is("$r->{exit} $r->{status}", '0 KMS_OK', 'activated') or diag $r->{err};
ok(!$r->{borrowed}, 'an ordinary lease');
near($r->{expires}, $clock->now + 2 * DAY, 'of two days');
$r = client('laptop', 'borrow', '15d');
is("$r->{exit} $r->{status}", '2 KMS_E_BORROW', 'not for fifteen days');
is(client('laptop', 'status')->{licence}, 'activated', 'the lease that it has stays');
$r = client('laptop', 'borrow', '7d');
is("$r->{exit} $r->{status}", '0 KMS_OK', 'borrowed for seven') or diag $r->{err};
ok($r->{borrowed}, 'which it says');
my $end = $r->{expires};
near($end, $clock->now + 7 * DAY, 'until seven days from now');
is(counted(), 1, 'it counts once');
like($a->client('laptop', 'status')->{out}, qr/^borrowed: +yes$/m, 'status says it to people, too');
$clock->to($clock->now + DAY);
$r = client('laptop', 'renew');
is("$r->{exit} $r->{status}", '0 KMS_OK', 'a plain renewal') or diag $r->{err};
is("$r->{borrowed} $r->{expires}", "1 $end", 'leaves it borrowed, until the same moment');
$r = client('laptop', 'borrow', '10d');
near($r->{expires}, $clock->now + 10 * DAY, 'borrowed again: the end moves');
$end = $r->{expires};

# -- what is not lent --

is(client('desk', 'activate')->{exit}, 0, 'another machine is activated');
$r = client('desk', 'borrow', '1d');
is("$r->{exit} $r->{status}", '2 KMS_E_BORROWED_OUT', 'one seat is lent, and it is out') or diag $r->{err};
cmp_ok($r->{'retry-after'}, '>', 0, 'it is told how long to wait');
near($r->{'seat-expected'}, $clock->now + $r->{'retry-after'}, 'and when the seat is expected back');
$r = client('desk', 'status');
is("$r->{exit} $r->{licence}", '0 activated', 'its own lease is as it was');
# The wait may be days; a seat that is given back comes sooner.
cmp_ok($r->{'next-attempt'}, '<=', $r->{'renew-after'} + DAY, 'it asks again in time');
for my $text ('', '7', '0d', '30s', '90s', '367d', '8785h', '1w', '1d ', 'x') {
    my $r = client('desk', 'borrow', $text);
    is($r->{exit}, 1, "borrow \"$text\": no duration");
    like($r->{err}, qr/borrow: "\Q$text\E" is not a duration\. Give whole minutes/, 'which is said');
}

# -- given back before its end --

is(client('laptop', 'release')->{exit}, 0, 'the laptop is back');
is(counted(), 1, 'its seat is free');
$r = client('desk', 'borrow', '2h');
is("$r->{exit} $r->{status}", '0 KMS_OK', 'now another may borrow') or diag $r->{err};
near($r->{expires}, $clock->now + 7200, 'for two hours');
is(client('desk', 'release')->{exit}, 0, 'and gives it back');

# -- without a host --

$r = client('laptop', 'borrow', '14d');
is("$r->{exit} $r->{status}", '0 KMS_OK', 'as long as a seat is lent') or diag $r->{err};
$end = $r->{expires};
my $run = run([ program('kmsclient'), '-k', $publisher->{key}, '-p', $product, '-H', '127.0.0.1:' . $a->port, '-s', $a->dir . '/clients/laptop',
    '-N', 'laptop', 'run', '--', 'true' ]);
is($run->{exit}, 0, 'run uses the borrowed seat') or diag $run->{err};
is(client('laptop', 'status')->{expires}, $end, 'and does not give it back');
is($a->stop, 0, 'no host');
$clock->to($end - 60);
is(client('laptop', 'verify')->{exit}, 0, 'valid until a minute before its end');
ok(client('laptop', 'status')->{exit} == 0, 'it may run');
$clock->to($end);
$r = client('laptop', 'verify');
is("$r->{exit} $r->{status}", '4 KMS_E_LEASE_EXPIRED', 'and no longer');
$a->start;
$clock->to($end + DAY);
is(counted(), 0, 'the seat is back, and nobody gave it back');

# -- a client without state, and in steps --

sub product ($options, @steps) {
    my $r = run([ 'sh', '-c', 'printf "%s\n" "$0" | tr " " "\n" | "$@"', "@steps", program('product_steps'), $publisher->{key}, $product,
        'host=127.0.0.1:' . $a->port, 'name=steps', @$options ]);
    return map { (split / /)[0] } split /\n/, $r->{out};
}
is_deeply([ product([], qw(open borrow close)) ], [qw(KMS_OK KMS_E_BORROW closed)], 'a seat that ends with a process is not lent');
my $state = 'state=' . $a->dir . '/steps';
is_deeply([ product([$state], qw(open start-borrow loop status release)) ], [ ('KMS_OK') x 5 ], 'kms_start_borrow');
is_deeply([ product([$state], qw(open borrow-none)) ], [qw(KMS_OK KMS_E_ARGUMENT)], 'not for no time');
is($a->stop, 0, 'the host ends well');
done_testing;
