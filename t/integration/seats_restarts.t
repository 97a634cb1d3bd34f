#!/usr/bin/perl
# A container that is killed and started again and again, with the waits that Kubernetes makes between: each start is a new client without
# state, and no start gives its seat back. A floating pool has always a seat for it; a pool by the day has none after a few starts, and the
# administrator is told of the flock, and frees it. And a container that is ended politely needs one seat.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Clock;
use KMS::Test;
use Test::More;

delete @ENV{qw(KMS_HOST KMS_DOMAIN)};
use constant { NO_SEAT => 124, SEATS => 8, STARTS => 20 };
my %product = (floating => '44444444-4444-4444-8444-444444444444', daily => '55555555-5555-4555-8555-555555555555',
    kept => '66666666-6666-4666-8666-666666666666');
my $publisher = publisher(products => [ { id => $product{floating} } ], ini => <<"EOT");
[policy]
id = loop
title = Loop
version = 1.0
issued = 2026-01-01
requires-host = 0.1
[group all]
[pool floating]
number = 1
window = 5m
[pool daily]
number = 2
window = 30d
[pool kept]
number = 3
stateless = refuse
[product $product{floating}]
name = Floating
group = all
pool = floating
threshold = 1
activation-interval = 1m
renewal-interval = 1m
validity = 3m
[product $product{daily}]
name = Daily
group = all
pool = daily
threshold = 1
[product $product{kept}]
name = Kept
group = all
pool = kept
threshold = 1
EOT
my $clock = KMS::Clock->start;
my $host = start_appliance(publisher => $publisher, environment => $clock->environment)->enable(group => 'all', capacity => SEATS);
$ENV{KMS_HOST} = '127.0.0.1:' . $host->port;

sub counted ($pool) { return (grep { $_->{name} eq $pool } @{ ($host->kmsctl_json('status'))[0]{pools} })[0]{counted} }
sub command ($product, @command) { return [ program('kmsclient'), '-k', $publisher->{key}, '-p', $product{$product}, '-N', 'pod-7f9c', 'run', '--', @command ] }
# The container is killed: kmsclient and what it runs, in one moment.
sub crash ($product) { return run(command($product, 'sh', '-c', 'kill -9 $PPID; kill -9 $$')) }

# Kubernetes waits 10 s, 20 s, ... 5 minutes.
my ($wait, @refused, @counts) = (10);
for my $start (1 .. STARTS) {
    my $r = crash('floating');
    push @refused, "$start: $r->{err}" if $r->{exit} == NO_SEAT;
    push @counts, counted('floating');
    $clock->to($clock->now + $wait);
    $wait = $wait * 2 < 300 ? $wait * 2 : 300;
}
is_deeply(\@refused, [], 'a floating pool has a seat at each of ' . STARTS . ' starts');
is($counts[0], 1, 'a start that was killed gives no seat back');
cmp_ok((sort { $b <=> $a } @counts)[0], '<', SEATS, 'and its seat is back before the pool is full');
cmp_ok($counts[-1], '<=', 2, 'at the longest wait, two count at most');
$clock->to($clock->now + 6 * 60);
is(counted('floating'), 0, 'after the window none does');

# The same with a pool by the day.
my @exits = map { crash('daily')->{exit} == NO_SEAT ? 'none' : 'seat' } 1 .. SEATS + 2;
is_deeply(\@exits, [ ('seat') x SEATS, ('none') x 2 ], 'a pool by the day is gone after so many starts as it has seats');
$clock->to($clock->now + 3 * 86400);
is(crash('daily')->{exit}, NO_SEAT, 'and days later there is still none');
my ($found) = grep { $_->{check} eq 'flock' } @{ ($host->kmsctl_json('doctor'))[0]{findings} };
is($found->{level}, 'warning', 'doctor sees that one machine has them all');
my ($free) = ($found->{next} // '') =~ /(kmsctl client forget .*)/;
like($free // '', qr/^kmsctl client forget --name pod-7f9c --address 127\.0\.0\.1$/, 'and names the command that frees them');
my @words = split / /, $free // '';
my $r = $host->kmsctl(@words[ 1 .. $#words ], '--flag', 'stateless', '--pool', 'daily', '--yes');
is($r->{exit}, 0, 'which does') or diag "$r->{out}$r->{err}";
is(counted('daily'), 0, 'all of them');
is(crash('daily')->{exit} == NO_SEAT ? 'none' : 'seat', 'seat', 'so that the next start has one');

# A pool of machines says so.
$r = crash('kept');
is($r->{exit}, NO_SEAT, 'a pool of machines takes no container');
like($r->{err}, qr/KMS_E_STATELESS/, 'and says why');

# SIGTERM, as Kubernetes sends it first.
for (1 .. 3) {
    my $pid = spawn(command('floating', 'sleep', 300), log => $host->dir . '/pod');
    wait_for(60, sub { counted('floating') == 1 }, 'the container has its seat');
    end_process($pid);
    is(counted('floating'), 0, 'a container that is ended politely gives its seat back');
}
is($host->stop, 0, 'the host ends well');
done_testing;
