#!/usr/bin/perl
# Clients and KMS hosts that misbehave at random, all at once, while the list of hosts changes and kmsd is told to read its
# ini file again (t/lib/relay/storm.py); the same with hardly a descriptor left, and stopped in the middle. KMS_STORM_SEED repeats
# one, KMS_STORM_CLIENTS makes it longer.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::INET;
use JSON::PP ();
use KMS::Test;
use Test::More;
use Time::HiRes qw(sleep);

my $seed = $ENV{KMS_STORM_SEED} // int(rand(2**31));
my $clients = $ENV{KMS_STORM_CLIENTS} // 150;
my $limit = 12;
my $publisher = publisher();
diag("KMS_STORM_SEED=$seed");

sub files ($pid) { scalar(my @all = glob "/proc/$pid/fd/*") }
sub memory ($pid) { slurp("/proc/$pid/status") =~ /^VmRSS:\s+(\d+)/m ? $1 : 0 }

# through => [command] that executes kmsd; stop => seconds after which it is stopped
sub storm (%opt) {
    my $dir = workspace();
    my $pid = spawn([ '/usr/bin/python3', "$SRC/t/lib/relay/storm.py", '--seed', $seed, '--clients', $clients,
        '--limit', $limit, '--port', "$dir/appliance", '--ports', "$dir/ports", $opt{stop} ? '--stopped' : () ], log => "$dir/out");
    wait_for(20, sub { -s "$dir/ports" }, 'the stand-ins listen');
    my ($first, $second, $dns) = split ' ', slurp("$dir/ports");
    my $a = start_appliance(publisher => $publisher, fronts => 1, through => $opt{through}, ini => <<"INI");
[relay]
upstream = a.storm.test:$first b.storm.test:$second/1
nameserver = 127.0.0.1:$dns
connect_timeout = 1
answer_timeout = 2
idle_timeout = 1
backoff = 1
resolve_interval = 5
connections_per_source = $limit
[limits]
connections = 200
first_timeout = 1
frame_timeout = 1
INI
    wait_for(20, sub { $a->log =~ /relay-hosts: [1-9]/ }, 'the names are resolved');
    my ($front) = @{ $a->children->{'kmsd-front'} };
    my ($before, $memory) = (files($front), memory($front));
    spew("$dir/new", $a->port . ' ' . $a->pid . "\n");
    rename "$dir/new", "$dir/appliance";
    if ($opt{stop}) {
        sleep $opt{stop};
        is($a->stop, 0, 'stopped cleanly');
    }
    wait_exit($pid, 300);
    my $r = eval { JSON::PP->new->decode(slurp("$dir/out")) } // { wrong => [ slurp("$dir/out") ], wrongs => 1 };
    is_deeply($r->{wrong}, [], 'every client has its own answer, or the end, in time')
        or diag("KMS_STORM_SEED=$seed: $r->{wrongs}");
    note(explain($r->{seen}));
    if (!$opt{stop}) {
        cmp_ok($r->{seen}{answered} // 0, '>', 0, 'some were answered');
        is_deeply($a->children->{'kmsd-front'}, [$front], 'the front has not died');
        eval { wait_for(10, sub { files($front) <= $before }, 'x') };
        is(files($front), $before, 'and keeps no descriptor');
        diag(sprintf 'memory %d -> %d kB', $memory, memory($front)) if $ENV{KMS_STORM_SEED};
        is($a->stop, 0, 'stopped cleanly');
    }
    unlike($a->log, qr/sandbox-violation|front-died|channel-lost|stop-forced|runtime error|Sanitizer:/, 'nothing died');
    return $a;
}

subtest 'a storm' => sub { storm() };
subtest 'hardly a descriptor left' => sub {
    my $a = storm(through => [ 'prlimit', '--nofile=64:64' ]);
    like($a->log, qr/^kmsd-front\[\d+\]: descriptor-limit: .*no descriptor/m, 'there were too few');
};
subtest 'told something without a descriptor left' => sub {
    my $a = start_appliance(publisher => $publisher, fronts => 1, through => [ 'prlimit', '--nofile=64:64' ],
        ini => "[relay]\nupstream = 127.0.0.1:9\n[limits]\nfirst_timeout = 60\n");
    my ($front) = @{ $a->children->{'kmsd-front'} };
    my @idle = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $a->port) } 1 .. 80;
    wait_for(20, sub { $a->log =~ /connection-evicted/ }, 'the descriptors are used up');
    for my $n (1 .. 3) {
        kill 'HUP', $a->pid;
        wait_for(20, sub { (() = $a->log =~ /front-reloaded/g) >= $n || !kill 0, $front }, 'it is told');
    }
    is_deeply($a->children->{'kmsd-front'}, [$front], 'the front lives on');
    is(() = $a->log =~ /front-reloaded/g, 3, 'and has heard it');
    close $_ for grep { $_ } @idle;
    is($a->stop, 0, 'stopped cleanly');
};
subtest 'stopped in the middle' => sub { storm(stop => $_) for 0.3, 0.8 };
done_testing;
