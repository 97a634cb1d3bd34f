#!/usr/bin/perl
# A storm of short-lived clients without state on a floating pool: each minute many more than there are seats. Most of those that get a seat
# give it back after some seconds, and some are killed. By the journal alone there are never more seats than were bought, a seat is back within one slot
# of its window, and the ledger grows as kms.policy(5) says.
#
# In a check: some minutes of a small pool. KMS_STORM=hour (make storm): 10,000 clients a minute on a pool of 1,000, for an hour of the
# host's time.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Clock;
use KMS::Test;
use Test::More;

my $whole = ($ENV{KMS_STORM} // '') eq 'hour';
my ($minutes, $rate, $seats) = $whole ? (60, 10_000, 1_000) : (9, 300, 30);
use constant { WINDOW => 5, SLOT => 1, ROUNDS => 10, FIGURE => 640, LEASE => 1, RELEASE => 3 };    # FIGURE: bytes for each start
my $product = '88888888-8888-4888-8888-888888888888';
my $publisher = publisher(products => [ { id => $product } ], ini => <<"EOT");
[policy]
id = storm
title = Storm
version = 1.0
issued = 2026-01-01
requires-host = 0.1
[group all]
[pool storm]
number = 1
window = @{[ WINDOW ]}m
[product $product]
name = Short
group = all
pool = storm
threshold = 1
activation-interval = 1m
renewal-interval = 1m
validity = 3m
EOT
my $clock = KMS::Clock->start;
my $begin = (int(time / 60) + 1) * 60;
$clock->to($begin);
my $host = start_appliance(publisher => $publisher, environment => $clock->environment);
# One cluster is one source, as kms.ini(5) has it; the segments and the index are of the usual size.
$host->stop;
spew($host->ini, slurp($host->ini) =~ s/^\[limits\]$/[limits]\nexempt = 127.0.0.1/mr =~ s/^(?:segment_size|map_size) .*\n//mgr);
$host->start;
$host->enable(group => 'all', capacity => $seats);

my $clients = workspace() . '/clients';
my $per_round = $rate / ROUNDS;
my $killed = $whole ? $per_round / 100 : 1;    # of each round
sub storm ($mode, $first, $count) {
    my $r = run([ program('load'), $mode, '--port', $host->port, '--publisher', $publisher->{key}, '--product', $product, '--stateless',
        '--clients-file', $clients, '--clients', $minutes * $rate, '--connections', 64, '--first', $first, '--requests', $count, '--sample', 1000 ]);
    $r->{out} =~ /requests=(\d+) .*leases=(\d+)/ or die "load $mode: $r->{out}$r->{err}\n";
    return ($1, $2);
}
sub octets () { return (split /\s/, run([ 'du', '-sB1', $host->dir . '/state/kmsdb' ])->{out})[0] }
sub counted () { return ($host->kmsctl_json('status'))[0]{pools}[0]{counted} }

$host->do('ledger', 'check');
my ($size, $next, $granted, $released, @host) = (octets(), 0, 0, 0);
for my $minute (0 .. $minutes - 1) {
    for my $round (0 .. ROUNDS - 1) {
        my $time = $begin + 60 * $minute + 6 * $round;
        $clock->to($time) if $time > $clock->now;    # a slow machine is late, and time does not go back
        $granted += (storm('activate', $next, $per_round))[1];
        $released += (storm('release', $next + $killed, $per_round - $killed))[0];
        $next += $per_round;
    }
    push @host, [ $clock->now, counted() ];
}
my $end = $clock->now;
is($next, $minutes * $rate, "$next clients came in $minutes minutes");
cmp_ok($granted, '>', 2 * $seats, 'seats were given again and again');
cmp_ok($released, '>', 0, 'and given back');

# -- the journal alone, a batch at a time --

my $file = $host->dir . '/exported';
$host->do('audit', 'export', '-o', $file);
open my $in, '<:raw', $file or die "$file: $!\n";
sub take ($n) { read($in, my $octets, $n) == $n or die "$file is cut off\n"; return $octets }
my $head = take(62);
take(unpack 'n', substr take(3), 1, 2) for 1 .. unpack 'n', substr $head, 60, 2;

my ($now, $peak, $over, $late, $early, %until, %at, %seen) = (0, 0, 0, 0, 0);
my @known = @host;
# Seats that no longer count at that time.
sub expire ($time) {
    for my $until (grep { $_ * 60 <= $time } keys %at) { $now -= delete $at{$until} }
}
sub leave ($cmid) {
    my $until = delete $until{$cmid} // return;
    return if !exists $at{$until};
    $at{$until}--;
    $now--;
}
my ($wrong, $entries, $refused) = (0, 0, 0);
while (read $in, my $length, 4) {
    take(172);
    my $items = take(unpack 'N', $length);
    my $at = 0;
    while ($at < length $items) {
        my $len = unpack 'n', substr $items, $at, 2;
        my $entry = substr $items, $at + 2, $len;
        $at += 3 + $len + ord substr $items, $at + 2 + $len, 1;
        next if ord(substr $entry, 1, 1) > 15;
        my ($kind, $time, $cmid, $until, $width) = unpack 'x C x6 Q> a16 x76 N n', $entry;
        $entries++;
        # What the host counted at the end of a minute is what the journal has until then.
        while (@known && $known[0][0] < $time) {
            expire($known[0][0]);
            my (undef, $count) = @{ shift @known };
            $wrong += $count != $now;
        }
        expire($time);
        if ($kind == LEASE) {
            leave($cmid);
            $until{$cmid} = $until;
            $at{$until}++;
            $now++;
            $early += $until * 60 - $time < WINDOW * 60;
            $late += $until * 60 - $time > (WINDOW + SLOT) * 60 || $width != SLOT;
        } elsif ($kind == RELEASE) {
            leave($cmid);
        } else {
            $refused++;
        }
        $peak = $now if $now > $peak;
        $over += $now > $seats;
    }
}
close $in;
is($over, 0, 'by the journal there were never more seats than were bought');
is($peak, $seats, 'and all of them were in use');
is("$early $late", '0 0', 'each seat counts for its window, and one slot at most beyond it');
is($wrong, 0, 'at the end of each minute the host counted what the journal has');
cmp_ok($refused, '>', 0, 'clients were refused for want of a seat');

$clock->to($end + (WINDOW + SLOT) * 60);
is(counted(), 0, 'after the window and a slot all seats are back');
is($host->do('ledger', 'check')->{exit}, 0, 'the ledger is whole');
is($host->stop, 0, 'the host ends well');
my $grown = octets() - $size;
cmp_ok($grown, '<=', $next * FIGURE, 'the ledger grew by less than the figure of kms.policy(5) for each start')
    or diag "$grown bytes for $next starts";
note sprintf '%d entries, %d leases, %d given back, %d refused; %d bytes for each of %d starts', $entries, $granted, $released, $refused, $grown / $next, $next;
done_testing;
