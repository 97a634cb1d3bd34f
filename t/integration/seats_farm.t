#!/usr/bin/perl
# A build farm as its operator sees it: fifty runners share five seats of a floating pool. Each job is one line, "kmsclient run -- job", and
# a job without a seat is tried again. All jobs are done, and never more than five at once, by their own log and by the journal alone.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Asker;
use KMS::Test;
use POSIX ();
use Test::More;

delete @ENV{qw(KMS_HOST KMS_DOMAIN)};
use constant { RUNNERS => 50, SEATS => 5, NO_SEAT => 124, TRIES => 400, LEASE => 1, RELEASE => 3, REFUSAL => 4, F_STATELESS => 0x40 };
my $product = '33333333-3333-4333-8333-333333333333';
my $publisher = publisher(products => [ { id => $product } ], ini => <<"EOT");
[policy]
id = farm
title = Farm
version = 1.0
issued = 2026-01-01
requires-host = 0.1
[group all]
[pool builds]
number = 1
window = 30m
[product $product]
name = Compiler
group = all
pool = builds
threshold = 1
activation-interval = 5m
renewal-interval = 5m
validity = 15m
EOT
my $host = start_appliance(publisher => $publisher)->enable(group => 'all', capacity => SEATS);
my $dir = workspace();
my $log = spew("$dir/log", '');

# A line of its own for each beginning and end: O_APPEND makes one write one line.
my $job = 'echo "+ $0" >> "$1"; sleep 0.2; echo "- $0" >> "$1"; exit $(($0 % 7))';
$ENV{KMS_HOST} = '127.0.0.1:' . $host->port;
sub job ($n) {
    return run([ program('kmsclient'), '-k', $publisher->{key}, '-p', $product, '-N', "runner-$n", 'run', '--', 'sh', '-c', $job, $n, $log ]);
}

my @runners;
for my $n (1 .. RUNNERS) {
    my $pid = fork // die "fork: $!\n";
    push @runners, $pid;
    next if $pid;
    srand $n;
    my ($tries, $r) = (0);
    for (1 .. TRIES) {
        $r = job($n);
        $tries++;
        last if $r->{exit} != NO_SEAT;
        select undef, undef, undef, 0.5 + rand;
    }
    spew("$dir/done-$n", "$r->{exit} $tries\n");
    spew("$dir/said-$n", $r->{err});
    POSIX::_exit(0);
}
waitpid $_, 0 for @runners;

my @wrong = grep { slurp("$dir/done-$_") !~ /^@{[ $_ % 7 ]} / } 1 .. RUNNERS;
is_deeply([ map { "$_: " . slurp("$dir/done-$_") . slurp("$dir/said-$_") } @wrong ], [], 'each job was done, and its exit code is that of kmsclient');
my ($now, $most, %times) = (0, 0);
for (split /\n/, slurp($log)) {
    my ($sign, $n) = split / /;
    $times{$n}++ if $sign eq '+';
    $now += $sign eq '+' ? 1 : -1;
    $most = $now if $now > $most;
}
is(join(' ', map { $times{$_} // 0 } 1 .. RUNNERS), join(' ', (1) x RUNNERS), 'each once');
cmp_ok($most, '<=', SEATS, 'never more at once than there are seats');

# The journal alone.
my $asker = KMS::Asker->new($host);
my (%seat, $peak);
$peak = 0;
my @entries = grep { $_->{kind} < 16 } $asker->entries;
for my $e (@entries) {
    if ($e->{kind} == LEASE) { $seat{ $e->{cmid} } = 1 }
    elsif ($e->{kind} == RELEASE) { delete $seat{ $e->{cmid} } }
    $peak = keys %seat if keys %seat > $peak;
}
is($peak, SEATS, 'by the journal all seats were used, and none beyond them');
is(scalar(grep { $_->{kind} == LEASE } @entries), RUNNERS, 'a lease for each job');
is(scalar(grep { $_->{kind} == RELEASE } @entries), RUNNERS, 'and each was given back');
is(scalar(grep { !($_->{flags} & F_STATELESS) } @entries), 0, 'all said that they keep no state');
is(scalar(keys %seat), 0, 'the journal counts nobody at the end');
is(($host->kmsctl_json('status'))[0]{pools}[0]{counted}, 0, 'nor does the host');

# All seats taken: what the one who waits is told.
my @held = map {
    spawn([ program('kmsclient'), '-k', $publisher->{key}, '-p', $product, '-N', "held-$_", 'run', '--', 'sleep', 300 ], log => "$dir/held")
} 1 .. SEATS;
wait_for(60, sub { ($host->kmsctl_json('status'))[0]{pools}[0]{counted} == SEATS }, 'five long jobs have their seats');
my $r = job(51);
is($r->{exit}, NO_SEAT, 'the next one is refused');
like($r->{err}, qr/KMS_E_CAPACITY.*^kmsclient: a seat is expected back at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n.*^kmsclient: no seat, so sh is not started$/ms,
    'and told when a seat is expected');
like($host->kmsctl('status')->{out}, qr/^  builds: all 5 seats are taken; the next one comes back at /m, 'the administrator sees why');
end_process($_) for @held;
is(($host->kmsctl_json('status'))[0]{pools}[0]{counted}, 0, 'jobs that are cancelled give their seats back');
is(job(52)->{exit}, 52 % 7, 'so the next one has one');
is($host->stop, 0, 'the host ends well');
done_testing;
