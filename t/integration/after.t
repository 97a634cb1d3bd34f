#!/usr/bin/perl
# Copies of one client's files with the programs as they are, which have their numbers raised at a second host and renew in ascending
# order; and one honest client whose answers are lost as often as nobody has luck.
use v5.36;
use File::Copy qw(copy);
use FindBin;
use IO::Select;
use IO::Socket::INET;
use lib "$FindBin::Bin/../lib";
use KMS::Clock;
use KMS::Test;
use POSIX ();
use Test::More;

my $clock = KMS::Clock->start;
my $id = 'eeeeeeee-0000-4000-8000-000000000001';
my $ini = "[policy]\nid = p\ntitle = P\nversion = 1.0\nissued = 2026-01-01\nrequires-host = 0.1\n[group g]\n[pool p]\nnumber = 1\n"
    . "[product $id]\nname = Product\ngroup = g\npool = p\nthreshold = 1\nclones = refuse\nclone-hold = 2h\n";
my $publisher = publisher(ini => $ini, products => [ { id => $id } ]);
my ($a, $b) = map { start_appliance(publisher => $publisher, fronts => 1, environment => $clock->environment) } 1, 2;
$_->enable(group => 'g', output => $_->dir . '/customer') for $a, $b;
my %set = $clock->environment->%*;
local @ENV{ keys %set } = values %set;

# The status that kmsclient ends with, asked there.
sub asked ($client, $verb, $host = $a) {
    my $port = ref $host ? $host->port : $host;
    my $r = run([ program('kmsclient'), '--json', '-k', $publisher->{key}, '-p', $id, '-s', $a->dir . "/$client", '-H', "127.0.0.1:$port",
        '--reply-timeout', 2, '-N', $client, $verb ]);
    my $said = json_of($r);
    return $said->{status};
}
sub copies ($of, @names) {
    for my $name (@names) {
        copy($a->dir . "/$of$_", $a->dir . "/$name$_") or die "$name: $!" for '', '.key';
        chmod 0600, $a->dir . "/$name.key";
    }
    return @names;
}
sub clients ($host) { return @{ ($host->kmsctl_json('clients'))[0]{clients} } }
sub shown ($cmid) { return ($a->kmsctl_json('client', 'show', $cmid))[0]{client} }

is(asked('first', 'activate'), 'KMS_OK', 'a client is activated');
my ($cmid) = map { $_->{cmid} } clients($a);
my @copies = copies('first', map { "copy-$_" } 1 .. 5);

# A host that does not know the client refuses its release: the number is used up, and nothing else happens.
sub raise_all () {
    my $times = 0;
    for my $copy (@copies) {
        $times += 3;
        for (1 .. $times) { asked($copy, 'release', $b) eq 'KMS_E_UNKNOWN_CLIENT' or die 'not refused' }
    }
}

raise_all();
is(join(' ', map { asked($_, 'renew') } @copies), join(' ', ('KMS_OK') x 2, ('KMS_E_CLONE') x 3), 'in ascending order: one is served, one catches up');
my $show = shown($cmid);
ok($show->{held_until} && $show->{caught_up} && $show->{last_clone}, 'the client is held, and marked');
raise_all();
is(join(' ', map { asked($_, 'renew') } @copies), join(' ', ('KMS_E_CLONE') x 5), 'again: all are refused');
$clock->to($clock->now + 2 * 3600 + 60);
my @next = map { asked($_, 'renew') } @copies;
cmp_ok(scalar(grep { $_ eq 'KMS_OK' } @next), '<=', 2, 'after the hold at most two are served') or diag("@next");

# -- an honest client --

# Between client and host, as a child: HELLO goes through; of a REQUEST the answer is lost, or the request itself.
sub lossy ($lost) {
    my $listener = IO::Socket::INET->new(Listen => 8, LocalAddr => '127.0.0.1') or die;
    my $pid = fork // die;
    return ($listener->sockport, $pid) if $pid;
    $SIG{TERM} = sub { POSIX::_exit(0) };
    while (my $client = $listener->accept) {
        my $host = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $a->port) or next;
        my $both = IO::Select->new($client, $host);
        my $requested = 0;
        CONNECTION: while (1) {
            for my $from ($both->can_read) {
                sysread($from, my $octets, 65536) or last CONNECTION;
                $requested ||= $from == $client && ord(substr $octets, 5) == 3;
                last CONNECTION if $requested && ($from == $host || $lost eq 'request');
                syswrite $from == $client ? $host : $client, $octets;
            }
        }
    }
    POSIX::_exit(0);
}
sub through ($lost, $client, @verbs) {
    my ($port, $pid) = lossy($lost);
    my %told;
    $told{ asked($client, $_, $port) }++ for @verbs;
    kill TERM => $pid;
    waitpid $pid, 0;
    return \%told;
}

is(asked('honest', 'activate'), 'KMS_OK', 'another client');
my ($own) = grep { $_ ne $cmid } map { $_->{cmid} } clients($a);
# Each change of the operation makes a new request.
my @flips = qw(activate release);
for my $n (1, 7, 8, 9, 13) {
    for my $lost (qw(answer request)) {
        my $told = through($lost, 'honest', @flips[ map { $_ % 2 } 1 .. $n ]);
        is($told->{KMS_E_NO_HOST}, $n, "$n in a row: each $lost is lost");
        is(asked('honest', 'release', $b), 'KMS_E_UNKNOWN_CLIENT', 'another host answers');
        is(asked('honest', 'activate'), 'KMS_OK', 'and then this one again');
        my $show = shown($own);
        ok(!$show->{caught_up} && !$show->{held_until}, 'it has not caught up') or diag(explain $show);
    }
}
# First the requests arrive, then they do not, while another host answers in between.
for my $n (4, 9) {
    for my $lost (qw(answer request)) {
        for (1 .. $n) {
            through($lost, 'honest', 'renew');
            asked('honest', 'release', $b);
        }
    }
    is(asked('honest', 'renew'), 'KMS_OK', "$n answers and $n requests lost, and another host in between: served");
    ok(!shown($own)->{caught_up}, 'it has not caught up');
}

# Its files of yesterday.
copies('honest', 'backup');
asked('honest', 'renew') for 1 .. 3;
copies('backup', 'honest');
is(asked('honest', 'renew'), 'KMS_OK', 'restored from a backup: served');
$show = shown($own);
ok($show->{caught_up} && !$show->{last_clone} && !$show->{held_until}, 'it caught up, and nothing else');
is(asked('honest', 'renew'), 'KMS_OK', 'and goes on');

is($_->stop, 0, 'the host ends well') for $a, $b;
done_testing;
