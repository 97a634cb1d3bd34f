#!/usr/bin/perl
# An unmodified program with a seat of a floating pool, through kmsclient run: the host is stopped, the network is cut, kmsclient is killed.
# The program goes on in each case, and what the pool counts is read from the journal alone.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IPC::Open3;
use KMS::Asker qw(journal);
use KMS::Clock;
use KMS::Test;
use Symbol qw(gensym);
use Test::More;

# A network of its own, which can be cut.
my $cuttable = $> == 0;
if ($cuttable && !$ENV{KMS_SEAT_APART}) {
    $ENV{KMS_SEAT_APART} = 1;
    exec 'unshare', '--net', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', $^X, $0 or die "unshare: $!";
}
delete @ENV{qw(KMS_HOST KMS_DOMAIN)};
use constant { LEASE => 1, RELEASE => 3, SLOT => 1 };    # a window of 30 minutes has slots of one

my $clock = KMS::Clock->start;
my $product = '22222222-2222-4222-8222-222222222222';
my $publisher = publisher(products => [ { id => $product, name => 'Simulator' } ], ini => <<"INI");
[policy]
id = floating
title = Floating
version = 1.0
issued = 2026-01-01
requires-host = 0.1.0
[group all]
[pool seats]
number = 1
window = 30m
[product $product]
name = Simulator
group = all
pool = seats
threshold = 1
activation-interval = 5m
renewal-interval = 5m
validity = 15m
grace = 30d
virtual-machines = allow
clones = allow
INI
my $a = start_appliance(publisher => $publisher, environment => $clock->environment);
my $port = $a->port;
spew($a->ini, slurp($a->ini) =~ s/^port = 0$/port = $port/mr);
$a->enable(group => 'all', capacity => 1);

# -- the journal --

# All entries of clients, in order.
sub entries () { return grep { $_->{kind} < 16 } journal($a) }
# How many the journal counts at a time; each client by its last entry of the two kinds.
sub counted ($when, @entries) {
    my %last = map { $_->{cmid} => $_ } grep { $_->{kind} == LEASE || $_->{kind} == RELEASE } @entries;
    return scalar grep { $_->{kind} == LEASE && $_->{until} > int($when / 60) } values %last;
}
sub status_counted () { return ($a->kmsctl_json('status'))[0]{pools}[0]{counted} }
sub leases () { return grep { $_->{kind} == LEASE } entries() }

# -- the program: it says what it is asked to, and knows nothing of seats --

my $program = '$| = 1; $SIG{USR1} = sub { print "here\n" }; $SIG{USR2} = sub { print "done\n"; exit 9 }; print "$$\n"; select undef, undef, undef, 0.2 while 1';
sub begin (@args) {
    my $err = gensym;
    my $pid = open3(my $in, my $out, $err, program('kmsclient'), '-k', $publisher->{key}, '-p', $product, '-H', "127.0.0.1:$port",
        '--connect-timeout', 1, '--reply-timeout', 5, @args, 'run', '--', $^X, '-e', $program);
    close $in;
    my $p = { pid => $pid, out => $out, err => $err };
    $p->{program} = readline($out) // die 'not started: ' . join '', readline $err;
    chomp $p->{program};
    return $p;
}
sub answers ($p, $what) {
    kill USR1 => $p->{program};
    is(scalar readline $p->{out}, "here\n", $what);
}
# The clock goes on, and kmsclient looks at it.
sub later ($p, $minutes) {
    $clock->to($clock->now + 60 * $minutes);
    kill CONT => $p->{pid};
}
sub says ($p, $pattern, $what) {
    my $line = '';
    $line = readline($p->{err}) // last until $line =~ $pattern;
    like($line, $pattern, $what);
}
sub end ($p, $what) {
    kill USR2 => $p->{program};
    is(scalar readline $p->{out}, "done\n", $what);
    waitpid $p->{pid}, 0;
    is($? >> 8, 9, 'its exit code is that of kmsclient');
}

subtest 'the host is stopped' => sub {
    my $p = begin();
    my ($first) = leases();
    ok($first, 'there is a lease');
    is($first->{until} % SLOT, 0, 'a slot has an end');
    my $window = $first->{until} - $first->{time} / 60;
    ok($window >= 30 && $window <= 30 + SLOT, 'the seat counts for the window, and one slot at most beyond it') or diag $window;
    is(status_counted(), 1, 'the pool counts it');
    my $full = run([ program('kmsclient'), '-k', $publisher->{key}, '-p', $product, '-H', "127.0.0.1:$port", 'run', '--', 'true' ]);
    is($full->{exit}, 124, 'the pool is full for another');
    is($a->stop, 0, 'the host is stopped');
    later($p, 6);
    says($p, qr/the seat could not be renewed; its lease ends at/, 'kmsclient says that it cannot renew');
    answers($p, 'the program runs');
    $a->start;
    later($p, 4);
    wait_for(60, sub { leases() >= 2 }, 'the seat is renewed');
    says($p, qr/has a seat again/, 'kmsclient says so, too');
    my @leases = leases();
    is($leases[1]{cmid}, $first->{cmid}, 'it is the same seat');
    my @lost = grep { $_->{cmid} ne $first->{cmid} } grep { $_->{kind} == LEASE } @leases;
    is(scalar @lost, 0, 'and nobody else had it');
    ok($leases[1]{time} < 60 * $first->{until}, 'at no moment without it');
    end($p, 'the program ends');
    is((entries())[-1]{kind}, RELEASE, 'the journal ends with a release');
    is(counted($clock->now, entries()), 0, 'and counts nobody');
    is(status_counted(), 0, 'nor does the pool');
};

subtest 'kmsclient is killed' => sub {
    my $p = begin();
    my $lease = (leases())[-1];
    kill KILL => $p->{pid};
    waitpid $p->{pid}, 0;
    answers($p, 'the program runs');
    is(status_counted(), 1, 'the seat is counted');
    my $end = 60 * $lease->{until};
    is_deeply([ map { counted($_, entries()) } $end - 1, $end ], [ 1, 0 ], 'by the journal until the window is over, and not for one second more');
    $clock->to($end - 30);
    is(status_counted(), 1, 'so says the host before');
    $clock->to($end);
    is(status_counted(), 0, 'and after');
    kill USR2 => $p->{program};
    is(scalar readline $p->{out}, "done\n", 'the program ends');
    is((entries())[-1]{kind}, LEASE, 'nobody gave it back');
};

subtest 'kmsclient is stopped' => sub {
    my $p = begin();
    kill STOP => $p->{pid};
    answers($p, 'the program runs');
    my $lease = (leases())[-1];
    $clock->to(60 * $lease->{until});
    is(status_counted(), 0, 'the seat is back');
    kill CONT => $p->{pid};
    wait_for(60, sub { status_counted() == 1 }, 'it has one again when it goes on');
    my $again = (leases())[-1];
    is($again->{cmid}, $lease->{cmid}, 'the same client');
    end($p, 'the program ends');
    is(counted($clock->now, entries()), 0, 'the seat is given back');
};

subtest 'the network is cut' => sub {
    plan skip_all => 'needs root, for a network of its own' unless $cuttable;
    my $p = begin();
    my $lease = (leases())[-1];
    # Packets vanish, as behind a broken switch: nobody is told.
    my $cut = run([ 'nft', 'add table inet cut; add chain inet cut in { type filter hook input priority 0; }; '
        . "add rule inet cut in tcp dport $port drop" ]);
    is($cut->{exit}, 0, 'cut') or diag $cut->{err};
    later($p, 6);
    answers($p, 'the program runs while kmsclient waits for a connection');
    kill USR1 => $p->{pid};
    is(scalar readline $p->{out}, "here\n", 'and signals are passed meanwhile');
    says($p, qr/no connection in time/, 'kmsclient says what is so');
    says($p, qr/its lease ends at/, 'and until when the lease is good');
    later($p, 10);
    says($p, qr/no longer has a seat\. It continues to run, and kmsclient asks for a seat until it ends/, 'its lease ends, and the program goes on');
    answers($p, 'the program runs');
    is(counted($clock->now, entries()), 1, 'the host counts it until the window is over');
    $clock->to(60 * $lease->{until});
    is(counted($clock->now, entries()), 0, 'and then no more, by the journal');
    is(status_counted(), 0, 'and by the host');
    is(run([ 'nft', 'delete table inet cut' ])->{exit}, 0, 'mended');
    later($p, 7);
    says($p, qr/has a seat again/, 'it has a seat again');
    is((leases())[-1]{cmid}, $lease->{cmid}, 'the same client');
    is(counted($clock->now, entries()), 1, 'which counts once');
    end($p, 'the program ends');
    is((entries())[-1]{kind}, RELEASE, 'the journal ends with a release');
    is(counted($clock->now, entries()), 0, 'and counts nobody');
};
is($a->stop, 0, 'the host ends well');
done_testing;
