#!/usr/bin/perl
# From inside the sandbox of kmsd-resolve, everything that it forbids is tried, first without the sandbox (it works: the
# attempt is a real one), then within (refused with an errno, or the process is killed); and what it allows.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use IO::Socket::INET;
use POSIX ();
use Test::More;

my $dir = workspace();
my $root = $> == 0;
diag('NOT AS ROOT: the layer uid is not tried here') unless $root;
mkdir $_ or die for "$dir/state", "$dir/state/keys";
spew("$dir/state/keys/host.key", 'secret');
spew("$dir/readable", 'anybody may read this');

# a name server's port, and another's
my ($dns, $other) = map { IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 512) // die $! } 1, 2;
# The same user, as a front has: it is not the user that protects it.
my $victim = spawn([ $root ? qw(setpriv --reuid=nobody --regid=nogroup --clear-groups) : (), 'sleep', 600 ]);

sub ini ($name, $relay) {
    return spew("$dir/$name.ini", "[kms]\nstate_directory = $dir/state\nruntime_directory = $dir\n"
        . "front_user = nobody\n[relay]\nupstream = kms.example.test\n$relay\n");
}
my $ini = ini('kms', 'nameserver = 127.0.0.1:' . $dns->sockport);

sub attempt (@args) {
    my $r = run([ program('resolve_tries'), @args ]);
    return 'killed' if $r->{signal} == POSIX::SIGSYS();
    return "signal $r->{signal}" if $r->{signal};
    return { 0 => 'done', 10 => 'refused' }->{ $r->{exit} } // "exit $r->{exit}: $r->{err}";
}

my $sanitized = `nm $BUILD/resolve_tries $BUILD/.libs/resolve_tries 2>/dev/null` =~ /__asan_init/;
my $tcp_ports = `uname -r` =~ /^(\d+)\.(\d+)/ && ($1 > 6 || $1 == 6 && $2 >= 7);
diag('THIS KERNEL IS OLDER THAN 6.7: Landlock cannot hold it to ports, not tried here') unless $tcp_ports;

is(attempt($ini, 'nothing'), 'done', 'the sandbox is in force');
my @table = (
    [ 'read /etc/hosts', 'read', '/etc/hosts', 'done' ],
    [ 'read /etc/resolv.conf', 'read', '/etc/resolv.conf', 'done' ],
    [ 'a TCP connection to the name server', 'connect-new', $dns->sockport, 'done' ],
    [ 'a datagram', 'datagram', $dns->sockport, 'done' ],
    [ 'a datagram to wherever it likes, unconnected', 'sendto', $dns->sockport, 'killed' ],
    [ 'connect outward from a listening socket', 'fast-open', $other->sockport, 'killed' ],
    [ 'connect outward with sendmsg', 'fast-open-message', $other->sockport, 'killed' ],
    [ 'make a multipath socket', 'multipath', '', 'killed' ],
    [ 'signal another process by thread', 'tgkill', $victim, 'killed' ],
    [ 'own a socket in the name of another process', 'set-owner', $victim, 'killed' ],
    [ 'have the kernel signal', 'set-signal', '', 'killed' ],
    [ 'set another option of a socket', 'socket-option', '', 'killed' ],
    [ 'connect outward with sendmmsg', 'fast-open-messages', $other->sockport, 'killed' ],
    [ 'have the first write connect', 'fast-open-option', '', 'killed' ],
    [ 'end a listening socket', 'shut-listener', '', 'killed' ],
    [ 'let others wait for ever at a listening socket', 'block-listener', '', 'killed' ],
    [ 'read an option of a socket', 'read-option', '', 'killed' ],
    [ 'own a socket in the name of a thread', 'set-owner-thread', $victim, 'killed' ],
    [ 'own a socket by ioctl', 'set-owner-ioctl', $victim, 'refused' ],
    [ 'the same by its other name', 'set-group-ioctl', $victim, 'refused' ],
    [ 'have the kernel signal by ioctl', 'set-signal-ioctl', '', 'refused' ],
    [ 'choose which signal', 'choose-signal', '', 'killed' ],
    [ 'queue a signal', 'queue-signal', $victim, 'killed' ],
    [ 'open another process', 'open-process', $victim, 'killed' ],
    [ 'read the memory of another process', 'read-memory', $victim, 'killed' ],
    [ 'read about another process', 'read', "/proc/$victim/status", 'refused' ],
    [ 'slow another process down', 'priority', $victim, 'killed' ],
    [ 'a TCP connection to another port', 'connect-new', $other->sockport, $tcp_ports ? 'refused' : 'done' ],
    [ 'connect a socket that was there', 'connect', $other->sockport, $tcp_ports ? 'refused' : 'done' ],
    [ 'read the host key', 'read', "$dir/state/keys/host.key", 'refused' ],
    [ 'read a file that anybody may read', 'read', "$dir/readable", 'refused' ],
    [ 'read /etc/passwd', 'read', '/etc/passwd', 'refused' ],
    [ 'read /proc', 'read', '/proc/self/environ', 'refused' ],
    [ 'list a directory', 'open', '/etc', 'refused' ],
    [ 'create a file', 'create', "$dir/new", 'refused' ],
    [ 'write /etc/hosts', 'create', '/etc/hosts', 'refused' ],
    [ 'remove a file', 'unlink', "$dir/gone", 'killed' ],
    [ 'make a Unix socket', 'socket-unix', '', 'refused' ],
    [ 'make a netlink socket', 'socket-netlink', '', 'killed' ],
    [ 'bind a socket that was there', 'bind', '', 'refused' ],
    [ 'listen on a socket that was there', 'listen', '', 'killed' ],
    [ 'start another program', 'exec', '', 'killed' ],
    [ 'fork', 'fork', '', 'killed' ],
    [ 'trace another process', 'ptrace', $victim, 'killed' ],
    [ 'signal another process', 'kill', $victim, 'killed' ],
    [ 'make memory that is code', 'code', '', 'killed' ],
    $root ? [ 'become root again', 'root', '', 'killed' ] : (),
);
# The same on the kernel of Debian 12, whose Landlock knows neither ports nor signals.
for my $row (map { my $old = $_; map { [ @$_, $old ] } @table } 0, 1) {
    my ($name, $what, $argument, $end, $old) = @$row;
    local $ENV{KMS_TRY_LANDLOCK} = $old ? 2 : 99;
    $name .= ' (Linux 6.1)' if $old;
    $end = 'done' if $old && $what =~ /^connect/;    # kmsctl firewall alone holds these there
    # Nobody but root may write there anyway, and root is not to.
    if ($argument ne '/etc/hosts' || $what ne 'create') {
        spew("$dir/gone", '') if $what eq 'unlink';
        is(attempt('free', $what, $argument), 'done', "$name: can be done without the sandbox");
    }
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

# Without a port of its own a name server is asked on 53, and there only.
for my $server ('', 'nameserver = 127.0.0.1', 'nameserver = ::1', 'nameserver = [::1]') {
    is(attempt(ini('plain', $server), 'connect-new', $dns->sockport), $tcp_ports ? 'refused' : 'done',
        "another port than 53: refused with \"$server\"");
    # Whether somebody listens there or not: it is not the sandbox that refuses.
    my $r = run([ program('resolve_tries'), "$dir/plain.ini", 'connect-new', 53 ]);
    ok($r->{exit} == 0 || $r->{out} eq 'errno ' . POSIX::ECONNREFUSED() . "\n", "and 53 not, with \"$server\"") or diag(explain $r);
}
is(attempt(ini('six', 'nameserver = [::1]:' . $dns->sockport), 'connect-new', $dns->sockport), 'done', 'the port behind [::1]');

if (!$root) {
    diag('NOT AS ROOT: a layer that cannot be had is not tried here');
} else {
    my $missing = ini('missing', '');
    spew($missing, slurp($missing) =~ s/^front_user = nobody$/front_user = no-such-user/mr);
    like(attempt($missing, 'nothing'), qr/^exit 11: .*not in force: uid; .*allow_missing = uid/, 'a layer that is missing: refused, in words');
    spew($missing, slurp($missing) . "[sandbox]\nallow_missing = uid\n");
    is(attempt($missing, 'nothing'), 'done', 'and allowed in writing');
}
done_testing;
