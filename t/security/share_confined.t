#!/usr/bin/perl
# From inside the sandbox of kmsd-share, everything that it forbids is tried, first without the sandbox (it works: the
# attempt is a real one), then within (refused with an errno, or the process is killed).
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use IO::Socket::INET;
use POSIX ();
use Test::More;

my $dir = workspace();
my $root = $> == 0;
diag('NOT AS ROOT: the layers uid and chroot are not tried here') unless $root;
mkdir $_ or die for "$dir/state", "$dir/state/keys";
spew("$dir/state/keys/host.key", 'secret');
spew("$dir/readable", 'anybody may read this');
# The engine's port, and another's.
my ($engine, $listener) = map { IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 512) or die $! } 1, 2;
$ENV{KMS_TRY_PORT} = $engine->sockport;
my $tcp_ports = `uname -r` =~ /^(\d+)\.(\d+)/ && ($1 > 6 || $1 == 6 && $2 >= 7);
diag('THIS KERNEL IS OLDER THAN 6.7: Landlock cannot hold it to ports, not tried here') unless $tcp_ports;
# The same user: it is not the user that protects it.
my $victim = spawn([ $root ? qw(setpriv --reuid=nobody --regid=nogroup --clear-groups) : (), 'sleep', 600 ]);
my $ini = spew("$dir/kms.ini", "[kms]\nstate_directory = $dir/state\nruntime_directory = $dir\nshare_user = nobody\n");

sub attempt (@args) {
    my $r = run([ program('share_tries'), @args ]);
    return 'killed' if $r->{signal} == POSIX::SIGSYS();
    return "signal $r->{signal}" if $r->{signal};
    return { 0 => 'done', 10 => 'refused' }->{ $r->{exit} } // "exit $r->{exit}: $r->{err}";
}

my $sanitized = `nm $BUILD/share_tries $BUILD/.libs/share_tries 2>/dev/null` =~ /__asan_init/;
is(attempt($ini, 'nothing'), 'done', 'the sandbox is in force');
my @table = (
    [ 'open the host key', 'open', "$dir/state/keys/host.key", 'refused' ],
    [ 'open a file that anybody may read', 'open', "$dir/readable", 'refused' ],
    [ 'read /etc/passwd', 'read', '/etc/passwd', 'refused' ],
    [ 'create a file', 'create', "$dir/new", 'refused' ],
    [ 'write to a file that was open', 'write', '', 'refused' ],
    [ 'remove a file', 'unlink', "$dir/gone", 'killed' ],
    [ 'make an inet socket', 'socket-inet', '', 'done' ],
    [ 'connect to the engine', 'connect-new', $engine->sockport, 'done' ],
    [ 'connect to another port', 'connect-new', $listener->sockport, $tcp_ports ? 'refused' : 'done' ],
    [ 'make a Unix socket', 'socket-unix', '', 'refused' ],
    [ 'make a UDP socket', 'socket-udp', '', 'killed' ],
    [ 'make a netlink socket', 'socket-netlink', '', 'killed' ],
    [ 'make a multipath socket', 'multipath', '', 'killed' ],
    [ 'connect a socket that was there', 'connect', $listener->sockport, $tcp_ports ? 'refused' : 'done' ],
    [ 'bind a socket that was there', 'bind', '', 'killed' ],
    [ 'listen on a socket that was there', 'listen', '', 'killed' ],
    [ 'end a listening socket', 'shut-listener', '', 'killed' ],
    [ 'let others wait for ever at a listening socket', 'block-listener', '', 'killed' ],
    [ 'connect outward from a listening socket', 'fast-open', $listener->sockport, 'killed' ],
    [ 'connect outward with sendmsg', 'fast-open-message', $listener->sockport, 'killed' ],
    [ 'connect outward with sendmmsg', 'fast-open-messages', $listener->sockport, 'killed' ],
    [ 'have the first write connect', 'fast-open-option', '', 'killed' ],
    [ 'set another option of a socket', 'socket-option', '', 'killed' ],
    [ 'read an option of a socket', 'read-option', '', 'killed' ],
    [ 'start another program', 'exec', '', 'killed' ],
    [ 'fork', 'fork', '', 'killed' ],
    [ 'trace another process', 'ptrace', $victim, 'killed' ],
    [ 'signal another process', 'kill', $victim, 'killed' ],
    [ 'signal another process by thread', 'tgkill', $victim, 'killed' ],
    [ 'queue a signal', 'queue-signal', $victim, 'killed' ],
    [ 'own a socket in the name of another process', 'set-owner', $victim, 'killed' ],
    [ 'own a socket in the name of a thread', 'set-owner-thread', $victim, 'killed' ],
    [ 'own a socket by ioctl', 'set-owner-ioctl', $victim, 'killed' ],
    [ 'the same by its other name', 'set-group-ioctl', $victim, 'killed' ],
    [ 'have the kernel signal', 'set-signal', '', 'killed' ],
    [ 'have the kernel signal by ioctl', 'set-signal-ioctl', '', 'killed' ],
    [ 'choose which signal', 'choose-signal', '', 'killed' ],
    [ 'open another process', 'open-process', $victim, 'killed' ],
    [ 'read the memory of another process', 'read-memory', $victim, 'killed' ],
    [ 'read about another process', 'read', "/proc/$victim/status", 'refused' ],
    [ 'slow another process down', 'priority', $victim, 'killed' ],
    [ 'make memory that is code', 'code', '', 'killed' ],
    $root ? [ 'become root again', 'root', '', 'killed' ] : (),
);
# The same on the kernel of Debian 12, whose Landlock knows neither ports nor signals.
for my $row (map { my $old = $_; map { [ @$_, $old ] } @table } 0, 1) {
    my ($name, $what, $argument, $end, $old) = @$row;
    local $ENV{KMS_TRY_LANDLOCK} = $old ? 2 : 99;
    $name .= ' (Linux 6.1)' if $old;
    $end = 'done' if $old && $what =~ /^connect/;    # a firewall alone holds these there
    spew("$dir/gone", '') if $what eq 'unlink';
    is(attempt('free', $what, $argument), 'done', "$name: can be done without the sandbox");
    unlink "$dir/new";
    spew("$dir/gone", '') if $what eq 'unlink';
    my $got = attempt($ini, $what, $argument);
    if ($sanitized && $end ne 'done') {
        like($got, qr/^(?:refused|killed)$/, "$name: $got (built with a sanitizer)");
    } else {
        is(held($what, $got, $end), $end, "$name: $end");
    }
}
ok(!-e "$dir/new", 'nothing was created');
ok(-e "$dir/gone", 'nothing was removed');
ok(kill(0, $victim), 'and nobody was hurt');
done_testing;
