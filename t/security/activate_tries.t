#!/usr/bin/perl
# From inside the sandbox of kmsd-activate, what an owned process would do to others and to its sockets is tried, first without the
# sandbox (it works: the attempt is a real one), then within, with this kernel's Landlock and with that of Linux 6.1. What it does
# with files is in activate_confined.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use IO::Socket::INET;
use POSIX ();
use Test::More;

my $root = $> == 0;
diag('NOT AS ROOT: the layers uid and netns are not tried here') unless $root;
my $dir = workspace();
mkdir "$dir/state" or die $!;
chown +(getpwnam 'nobody')[ 2, 3 ], "$dir/state" if $root;
my $ini = spew("$dir/kms.ini", "[kms]\nstate_directory = $dir/state\nruntime_directory = $dir\nactivate_user = nobody\n");
my $other = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 512) // die $!;
# The same user: it is not the user that protects it.
my $victim = spawn([ $root ? qw(setpriv --reuid=nobody --regid=nogroup --clear-groups) : (), 'sleep', 600 ]);

sub attempt (@args) {
    my $r = run([ program('activate_tries'), @args ]);
    return 'killed' if $r->{signal} == POSIX::SIGSYS();
    return "signal $r->{signal}" if $r->{signal};
    return { 0 => 'done', 10 => 'refused' }->{ $r->{exit} } // "exit $r->{exit}: $r->{err}";
}

my $sanitized = `nm $BUILD/activate_tries $BUILD/.libs/activate_tries 2>/dev/null` =~ /__asan_init/;
is(attempt($ini, 'nothing'), 'done', 'the sandbox is in force');
my @table = (
    [ 'end a listening socket', 'shut-listener', '', 'killed' ],
    [ 'connect outward from a listening socket', 'fast-open', $other->sockport, 'killed' ],
    [ 'connect outward with sendmsg', 'fast-open-message', $other->sockport, 'killed' ],
    [ 'connect outward with sendmmsg', 'fast-open-messages', $other->sockport, 'killed' ],
    [ 'have the first write connect', 'fast-open-option', '', 'killed' ],
    [ 'connect a socket that was there', 'connect', $other->sockport, 'refused' ],
    [ 'make a multipath socket', 'multipath', '', 'refused' ],
    [ 'make a UDP socket', 'socket-udp', '', 'refused' ],
    [ 'make a netlink socket', 'socket-netlink', '', 'refused' ],
    [ 'bind a socket that was there', 'bind', '', 'killed' ],
    [ 'listen on a socket that was there', 'listen', '', 'killed' ],
    [ 'set an option of a socket', 'socket-option', '', 'killed' ],
    [ 'read another option of a socket', 'read-option', '', 'killed' ],
    [ 'signal another process', 'kill', $victim, 'killed' ],
    [ 'signal another process by thread', 'tgkill', $victim, 'killed' ],
    [ 'queue a signal', 'queue-signal', $victim, 'killed' ],
    [ 'own a socket in the name of another process', 'set-owner', $victim, 'killed' ],
    [ 'own a socket in the name of a thread', 'set-owner-thread', $victim, 'killed' ],
    [ 'own a socket by ioctl', 'set-owner-ioctl', $victim, 'refused' ],
    [ 'the same by its other name', 'set-group-ioctl', $victim, 'refused' ],
    [ 'have the kernel signal', 'set-signal', '', 'killed' ],
    [ 'have the kernel signal by ioctl', 'set-signal-ioctl', '', 'refused' ],
    [ 'choose which signal', 'choose-signal', '', 'killed' ],
    [ 'trace another process', 'ptrace', $victim, 'killed' ],
    [ 'open another process', 'open-process', $victim, 'killed' ],
    [ 'read the memory of another process', 'read-memory', $victim, 'killed' ],
    [ 'read about another process', 'read', "/proc/$victim/status", 'refused' ],
    [ 'slow another process down', 'priority', $victim, 'killed' ],
    [ 'start another program', 'exec', '', 'killed' ],
    [ 'make memory that is code', 'code', '', 'killed' ],
    $root ? [ 'become root again', 'root', '', 'killed' ] : (),
);
for my $row (@table) {
    my ($name, $what, $argument, $end) = @$row;
    is(attempt('free', $what, $argument), 'done', "$name: can be done without the sandbox");
    for my $abi (99, 2) {
        local $ENV{KMS_TRY_LANDLOCK} = $abi;
        my $got = attempt($ini, $what, $argument);
        $got = $end if $sanitized && $got =~ /^(?:refused|killed)$/;
        is(held($what, $got, $end), $end, "$name: $end" . ($abi == 2 ? ' (Linux 6.1)' : ''));
    }
}
ok(kill(0, $victim), 'and nobody was hurt');
done_testing;
