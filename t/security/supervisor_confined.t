#!/usr/bin/perl
# What kmsd itself gives up once the activation process is ready: what an owned kmsd would do is tried, first without the sandbox (it
# works: the attempt is a real one), then within; and what kmsd and its children need.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use IO::Socket::INET;
use POSIX ();
use Test::More;

plan skip_all => 'NOT TESTED: without root most of it is refused anyway: run as root' if $> != 0;
my $dir = workspace();
my %ini = (
    plain => spew("$dir/plain.ini", "[kms]\nruntime_directory = $dir\n"),
    relay => spew("$dir/relay.ini", "[kms]\nruntime_directory = $dir\n[relay]\nupstream = kms.example.test\n"),
);
my $other = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 512) // die $!;
my $victim = spawn([ qw(setpriv --reuid=nobody --regid=nogroup --clear-groups sleep 600) ]);

sub attempt (@args) {
    my $r = run([ program('supervisor_tries'), @args ]);
    return "signal $r->{signal}" if $r->{signal};
    return { 0 => 'done', 10 => 'refused' }->{ $r->{exit} } // "exit $r->{exit}: $r->{err}";
}

# what, argument, the end without a relay and with one
for my $row (
    (map { [ $_, '', 'refused', 'refused' ] } qw(mount unmount unshare enter-namespace bpf keyring perf io-uring userfault
        exec-descriptor set-clock host-name personality open-by-handle watch-files multipath
        set-signal set-signal-ioctl choose-signal socket-option fast-open-option)),
    (map { [ $_, $victim, 'refused', 'refused' ] } qw(ptrace queue-signal open-process read-memory priority
        set-owner set-owner-thread set-owner-ioctl set-group-ioctl)),
    (map { [ $_, $other->sockport, 'refused', 'refused' ] } qw(fast-open fast-open-message fast-open-messages)),
    [ 'shut-listener', '', 'refused', 'refused' ],
    [ 'socket-inet', '', 'refused', 'done' ],
    [ 'socket-udp', '', 'refused', 'done' ],
    [ 'socket-netlink', '', 'refused', 'done' ],
    # what it needs
    [ 'socket-unix', '', 'done', 'done' ],
    [ 'fork', '', 'done', 'done' ],
    [ 'exec', '', 'done', 'done' ],
    [ 'code', '', 'done', 'done' ],
    [ 'kill', $victim, 'done', 'done' ],
    [ 'read', '/etc/passwd', 'done', 'done' ],
) {
    my ($what, $argument, @end) = @$row;
    my $free = attempt('free', $what, $argument);
    if ($free eq 'refused' && $what =~ /^(?:bpf|perf|io-uring|userfault|set-clock|host-name|open-by-handle|watch-files|keyring)$/) {
        diag("$what: NOT ALLOWED HERE to anybody (a container): not tried");
        next;
    }
    is($free, 'done', "$what: can be done without the sandbox");
    is(held($what, attempt($ini{plain}, $what, $argument), $end[0]), $end[0], "$what: $end[0]");
    is(held($what, attempt($ini{relay}, $what, $argument), $end[1]), $end[1], "$what: $end[1] with a relay");
}
ok(kill(0, $victim), 'and nobody was hurt');
done_testing;
