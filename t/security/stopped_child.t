#!/usr/bin/perl
# Real processes that are stopped (SIGSTOP), as a debugger or an attacker with the right user stops them: kmsd notices that they do not
# answer, kills them, and clients are served again.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::INET;
use KMS::Test;
use Test::More;

my $publisher = publisher();

sub fronts ($appliance) { return sort { $a <=> $b } @{ $appliance->children->{'kmsd-front'} } }

# HELLO for nobody's key: an ERROR frame comes back, which a serving front alone can send.
sub served ($port) {
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 5) or return 0;
    print {$s} pack 'H*', '4b4d534402010000000000080000000000000000';
    local $SIG{ALRM} = sub { die "no answer\n" };
    my $n = eval { alarm 30; my $n = sysread $s, my $answer, 64; alarm 0; $n };
    alarm 0;
    return ($n // 0) > 6;
}

subtest 'a front' => sub {
    my $a = start_appliance(publisher => $publisher, fronts => 1);
    spew($a->ini, slurp($a->ini) =~ s/^(\[kms\])$/$1\nping_interval = 1/mr);
    kill 'HUP', $a->pid;
    wait_for(30, sub { $a->log =~ /config-reloaded/ }, 'the reload');
    my ($front) = fronts($a);
    kill 'STOP', $front;
    ok(served($a->port), 'a client that connected to the stopped one is served by the next one');
    like($a->log, qr/child-hung: kmsd-front 0, process $front, was stopped by a signal and has not answered for 3 s: killed/, 'kmsd says so');
    unlike($a->log, qr/child-protocol/, 'answers are no violation');
    is($a->stop, 0, 'kmsd stops');
};

subtest 'the activation process' => sub {
    my $a = start_appliance(publisher => $publisher);
    spew($a->ini, slurp($a->ini) =~ s/^(\[kms\])$/$1\nping_interval = 1/mr);
    kill 'HUP', $a->pid;
    wait_for(30, sub { $a->log =~ /config-reloaded/ }, 'the reload');
    kill 'STOP', $a->children->{'kmsd-activate'}[0];
    is(wait_exit($a->pid, 60) >> 8, 70, 'kmsd ends as when it died, for the service manager to start it again');
    like($a->log, qr/child-hung: kmsd-activate, process \d+, was stopped by a signal .* for 3 s: killed.*activate-died: kmsd-activate: signal 9/s, 'and says so');
    $a->start;
    ok(served($a->port), 'and it serves again');
    is($a->stop, 0, 'kmsd stops');
};

subtest 'kmsd-resolve' => sub {
    # A name server that never answers: it is there long enough to be stopped.
    my $dns = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'udp') or die $!;
    my $a = start_appliance(publisher => $publisher, ini => "[relay]\nupstream = kms.example.test\nnameserver = 127.0.0.1:" . $dns->sockport . "\n");
    my $find = sub {
        for my $stat (glob '/proc/[0-9]*/stat') {
            my $text = eval { slurp($stat) } // next;
            return $1 if $text =~ /^(\d+) \(kmsd-resolve\) [^Z] (\d+) / && $2 == $a->pid;
        }
        return 0;
    };
    my $first = wait_for(30, $find, 'kmsd-resolve');
    kill 'STOP', $first;
    ok(served($a->port), 'clients are served meanwhile');
    wait_for(60, sub { !kill 0, $first }, 'it is killed');
    like($a->log, qr/kmsd-resolve is too slow: killed/, 'it is killed, and kmsd says so');
    wait_for(60, sub { my $next = $find->(); $next && $next != $first }, 'another one');
    pass('and another one is started');
    is($a->stop, 0, 'kmsd stops');
};
done_testing;
