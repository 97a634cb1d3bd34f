#!/usr/bin/perl
# A front ends its listening socket with shutdown(2), which ends it for the fronts that come after it too: kmsd notices, makes it
# listen again and says so, and every client is served. With kmsd's own sockets and with the service manager's.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Fcntl qw(F_SETFD);
use IO::Socket::INET;
use KMS::Test;
use POSIX ();
use Test::More;

plan skip_all => 'NOT TESTED: only root can take a descriptor of another process: run as root' if $> != 0;

# What hostile code in a front would do: the same socket, by pidfd_getfd(2), since the sandbox of a real front forbids the call.
my $shut = <<'PY';
import ctypes, errno, os, socket, sys
libc, pid, done = ctypes.CDLL(None, use_errno=True), int(sys.argv[1]), 0
pidfd = os.pidfd_open(pid)
for fd in os.listdir(f"/proc/{pid}/fd"):
    try:
        if not os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:"): continue
    except OSError: continue
    copy = libc.syscall(438, pidfd, int(fd), 0)
    if copy < 0: continue       # closed meanwhile
    s = socket.socket(fileno=copy)
    try: listens = s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError: continue
    if listens and len(sys.argv) > 2:
        # A front of a relay may connect: to nowhere, which ends the listening, and then outward.
        libc.connect(s.fileno(), bytes(16), 16)
        s.setblocking(True)
        try: s.connect(("127.0.0.1", int(sys.argv[2])))
        except OSError as e:
            if e.errno != errno.EINVAL: raise
            print("this kernel never connects a socket that has listened", file=sys.stderr)
        kept = s; done += 1; break
    if listens:
        s.shutdown(socket.SHUT_RD); done += 1; break
print(done)
PY

sub fronts ($appliance) { return sort { $a <=> $b } @{ $appliance->children->{"kmsd-front"} // [] } }

# HELLO for nobody's key: an ERROR frame comes back, which a listening and serving front alone can send.
sub served ($port) {
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 5) or return 0;
    print {$s} pack 'H*', '4b4d534402010000000000080000000000000000';
    local $SIG{ALRM} = sub { die "no answer\n" };
    my $n = eval { alarm 5; my $n = sysread $s, my $answer, 64; alarm 0; $n };
    return ($n // 0) > 6;
}

for my $manager (0, 1) {
    my $name = $manager ? 'sockets of the service manager' : 'sockets of its own';
    my ($socket, $three);
    $socket = IO::Socket::INET->new(Listen => 4096, LocalAddr => '127.0.0.1') or die "socket: $!" if $manager;
    my $a = start_appliance(publisher => publisher(), setup => sub {
        return unless $manager;
        POSIX::dup2(fileno $socket, 3) or die "dup2: $!";
        open $three, '+<&=', 3 or die;
        fcntl $three, F_SETFD, 0;
        @ENV{qw(LISTEN_PID LISTEN_FDS)} = ($$, 1);
    });
    my $port = $a->port;
    ok(served($port), "$name: served before");
    my ($hostile) = fronts($a);
    my $r = run([ '/usr/bin/python3', '-c', $shut, $hostile ]);
    is($r->{out}, "1\n", "$name: a front has shut its listening socket down") or diag($r->{err});
    kill 'KILL', $hostile;
    wait_for(30, sub { my @f = fronts($a); @f == 2 && !grep { $_ == $hostile } @f }, 'another front is there');
    wait_for(30, sub { $a->log =~ /listener-shut: 127\.0\.0\.1 port $port: .*kmsd listens again/ }, 'kmsd says it');
    pass("$name: kmsd says that it listens again");
    eval { wait_for(30, sub { !grep { !served($port) } 1 .. 10 }, 'all are served') };
    is(scalar(grep { served($port) } 1 .. 40), 40, "$name: 40 of 40 connections are served") or diag($a->log);

    # One that goes on: it takes the error of accept(2) as its end, and the next one serves.
    ($hostile) = fronts($a);
    is(run([ '/usr/bin/python3', '-c', $shut, $hostile ])->{out}, "1\n", "$name: a front that lives on");
    wait_for(30, sub { my @f = fronts($a); @f == 2 && !grep { $_ == $hostile } @f }, 'it has ended and another one is there');
    wait_for(30, sub { !grep { !served($port) } 1 .. 10 }, 'all are served');
    is(scalar(grep { served($port) } 1 .. 40), 40, "$name: 40 of 40 connections are served after it");

    # One that connects it outward and keeps it, as a relaying front may.
    my $elsewhere = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die "socket: $!";
    ($hostile) = fronts($a);
    my $times = () = $a->log =~ /listener-shut/g;
    $r = run([ '/usr/bin/python3', '-c', $shut, $hostile, $elsewhere->sockport ]);
    is($r->{out}, "1\n", "$name: a front has connected its listening socket elsewhere") or diag($r->{err});
    # Linux 6.18 is one: the socket listens no more, and is in nobody's connection.
    diag("NOT TESTED: a listening socket that is connected elsewhere: $r->{err}") if $r->{err} ne '';
    wait_for(30, sub { (() = $a->log =~ /listener-shut: .*listens again/g) > $times }, 'kmsd makes it listen again');
    wait_for(30, sub { my @f = fronts($a); @f == 2 && !grep { $_ == $hostile } @f }, 'the front is replaced');
    wait_for(30, sub { !grep { !served($port) } 1 .. 10 }, 'all are served');
    is(scalar(grep { served($port) } 1 .. 40), 40, "$name: 40 of 40 connections are served after it");
    is($a->stop, 0, "$name: kmsd stops");
}
done_testing;
