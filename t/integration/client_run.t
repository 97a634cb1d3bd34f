#!/usr/bin/perl
# kmsclient run: what the command sees and what becomes of it (output, exit code, signals, mask), and what the host is asked meanwhile.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IPC::Open3;
use KMS::Client;
use POSIX ();
use Symbol qw(gensym);
use Test::More;

delete @ENV{qw(KMS_HOST KMS_DOMAIN)};
my @who = ('-p', $KMS::Client::product, '-N', 'tester', '--vm', 'no');

# Starts it; its standard output and error are for reading.
sub begin ($host, @args) {
    my $err = gensym;
    my @key = ref $host ? ('-k', $KMS::Client::key, '-H', "127.0.0.1:$host->{port}") : ();
    my $pid = open3(my $in, my $out, $err, "$build/kmsclient", @key, @who, @args);
    close $in;
    return { pid => $pid, out => $out, err => $err };
}
sub end ($p) {
    my $out = join '', readline $p->{out};
    my $err = join '', readline $p->{err};
    waitpid $p->{pid}, 0;
    return { exit => $? & 127 ? "signal $?" : $? >> 8, out => $out, err => $err };
}
sub client_run ($host, @args) { return end(begin($host, @args)) }
sub asked ($host) { return join ' ', map { $_->{request} } stop($host) }

# -- what becomes of the command --

open my $f, '>', "$dir/plain" or die;
close $f;
for (
    [ 'it ends well', ['true'], 0, qr/^$/ ],
    [ 'its own exit code', [ 'sh', '-c', 'exit 7' ], 7, qr/^$/ ],
    [ 'a code of ours is its code, too', [ 'sh', '-c', 'exit 124' ], 124, qr/^$/ ],
    [ 'killed', [ 'sh', '-c', 'kill -9 $$' ], 137, qr/^$/ ],
    [ 'ended by SIGTERM', [ 'sh', '-c', 'kill $$' ], 143, qr/^$/ ],
    [ 'not found', ['./no-such-command'], 127, qr/^kmsclient: \.\/no-such-command: No such file or directory$/ ],
    [ 'no program', ["$dir/plain"], 126, qr/^kmsclient: \S+plain: Permission denied$/ ],
    [ 'options of its own', [ 'sh', '-c', 'test "$*" = "-j --json -k x"', 'sh', '-j', '--json', '-k', 'x' ], 0, qr/^$/ ],
) {
    my ($what, $command, $exit, $err) = @$_;
    my $host = standin('good');
    my $r = client_run($host, 'run', '--', @$command);
    is($r->{exit}, $exit, "$what: exit code");
    like($r->{err}, $err, "$what: what is said");
    my @asked = stop($host);
    is(join(' ', map { "$_->{request}/$_->{flags}" } @asked), '1/2 3/2', "$what: a seat was taken, and given back");
}
my $host = standin('good');
my $r = client_run($host, '--user', 'ann', 'run', '--', 'sh', '-c', 'echo out; echo err >&2');
is("$r->{out}|$r->{err}", "out\n|err\n", 'the output is the command\'s, and nothing is added');
is(join(' ', map { $_->{user} } stop($host)), 'ann ann', 'the host is told who uses it');

# What it inherits is what we were given.
my @look = ('grep', '-E', '^Sig(Blk|Ign|Cgt)', '/proc/self/status');
for my $ignored ('', 'PIPE', 'HUP') {
    local @SIG{$ignored} = ('IGNORE') if $ignored;
    $host = standin('good');
    is(client_run($host, 'run', '--', @look)->{out}, `@look[0, 1] '$look[2]' $look[3]`, 'mask and ignored signals' . ($ignored && ", SIG$ignored ignored"));
    stop($host);
}

# -- no seat --

for (
    [ 'refused', 'capacity', 124, qr/KMS_E_CAPACITY.*^kmsclient: no seat, so touch is not started$/ms ],
    [ 'refused, with the time when one comes back', 'capacity:retry=120', 124, qr/^kmsclient: a seat is expected back at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/m ],
    [ 'too few yet', 'count', 124, qr/KMS_E_COUNT_TOO_LOW.*no seat/s ],
    [ 'no answer', 'close', 124, qr/KMS_E_NO_HOST.*no seat/s ],
) {
    my ($what, $mode, $exit, $err) = @$_;
    my $host = standin($mode);
    my $r = client_run($host, 'run', '--', 'touch', "$dir/started");
    is("$r->{exit}$r->{out}", $exit, "$what: exit code");
    like($r->{err}, $err, "$what: why");
    ok(!-e "$dir/started", "$what: not started");
    is(asked($host), { count => '1 3', close => '' }->{$mode} // '1', "$what: what the host was asked");
}
$host = standin('capacity:retry=1,capacity:retry=1,good');
$r = client_run($host, '--wait', '10m', 'run', '--', 'echo', 'started');
is("$r->{exit} $r->{out}", "0 started\n", '--wait: started when a seat came back');
is(() = $r->{err} =~ /waiting for a seat: .*in use|waiting for a seat/g, 1, 'and waiting is said once') or diag $r->{err};
is(asked($host), '1 1 1 3', 'asked until then');
$host = standin('capacity:retry=3600');
my $p = begin($host, '--wait', '10m', 'run', '--', 'touch', "$dir/started");
like(scalar readline $p->{err}, qr/waiting for a seat/, 'it waits');
kill TERM => $p->{pid};
$r = end($p);
is($r->{exit}, 143, 'a signal ends the waiting');
ok(!-e "$dir/started", 'and nothing is started');
stop($host);
$host = standin('capacity:retry=3600');
$r = client_run($host, '--wait', '1s', 'run', '--', 'touch', "$dir/started");
is($r->{exit}, 124, 'and so does the time that was given');
is(asked($host), 1, 'without another request');

# -- used wrongly --

for (
    [ 'no --', [ '-k', 'RW', 'run', 'true' ], qr/run: put -- before the command: run -- true/ ],
    [ 'no command', [ '-k', 'RW', 'run', '--' ], qr/an argument is missing/ ],
    [ 'no key', [ 'run', '--', 'true' ], qr/run: needs --publisher-key and --product/ ],
    [ 'a wrong key', [ '-k', 'RWnonsense', 'run', '--', 'true' ], qr/--publisher-key: .* is not a minisign public key/ ],
    [ 'JSON', [ '-k', 'RW', '--json', 'run', '--', 'true' ], qr/leave out --json, because run prints no result of its own/ ],
    [ 'no such option', [ '-k', 'RW', '--bogus', 'run', '--', 'true' ], qr/no such option: --bogus/ ],
    [ 'no such state', [ '-k', "RWQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", '-s', '/nonexistent/s', 'run', '--', 'true' ], qr{/nonexistent/s} ],
    (map { [ "--wait $_", [ '-k', 'RW', '--wait', $_, 'run', '--', 'true' ], qr/--wait takes 30s, 10m, 2h or 1d|wait.*30s, 10m, 2h or 1d/ ] } '', '10', 'm', '-1m', '10x', '1m1', '31d', '721h', '1.5h'),
) {
    my ($what, $args, $err) = @$_;
    my $r = client_run(undef, @$args);
    is($r->{exit}, 125, "$what: exit code") or diag $r->{err};
    like($r->{err}, $err, "$what: why");
}

# -- signals --

for my $signal (qw(TERM HUP INT QUIT USR1 USR2 ALRM WINCH CONT RTMIN)) {
    $host = standin('good');
    $p = begin($host, 'run', '--', 'perl', '-e', '$| = 1; my $s = shift; $SIG{$s} = sub { print "got $s\n"; exit 3 }; print "ready\n"; sleep 1 while 1', $signal);
    is(scalar readline $p->{out}, "ready\n", 'the command runs');
    kill $signal => $p->{pid};
    $r = end($p);
    is("$r->{exit} $r->{out}", "3 got $signal\n", "SIG$signal is passed");
    is(asked($host), '1 3', 'and the seat is given back');
}
# A command that ignores a signal decides itself.
$host = standin('good');
$p = begin($host, 'run', '--', 'perl', '-e', '$| = 1; $SIG{TERM} = "IGNORE"; $SIG{USR1} = sub { exit 5 }; print "ready\n"; sleep 1 while 1');
readline $p->{out};
kill TERM => $p->{pid};
kill USR1 => $p->{pid};
is(end($p)->{exit}, 5, 'it is not ended by what it ignores');
stop($host);

# -- renewals --

# Requests as the stand-in notes them, until there are so many.
sub wait_requests ($host, $count) {
    my @lines;
    push @lines, scalar readline $host->{out} while @lines < $count;
    return join ' ', map { /^request (\d)/ } @lines;
}
$host = standin('good:renew=1:life=12');
$p = begin($host, 'run', '--', 'sh', '-c', "while ! test -e $dir/enough; do sleep 0.1; done; exit 4");
is(wait_requests($host, 3), '1 2 2', 'the seat is renewed while the command runs');
open $f, '>', "$dir/enough" or die;
close $f;
is(end($p)->{exit}, 4, 'the command ends');
is(asked($host) =~ s/^(?:2 )*//r, '3', 'then the seat is given back');
unlink "$dir/enough";

# A renewal that is refused does not end it.
$host = standin('good:renew=1:life=12,capacity');
$p = begin($host, 'run', '--', 'sh', '-c', "while ! test -e $dir/enough; do sleep 0.1; done; exit 6");
my @said = map { scalar readline $p->{err} } 1 .. 1;
like($said[0], qr/^kmsclient: 127\.0\.0\.1 port \d+: /, 'it is said');
open $f, '>', "$dir/enough" or die;
close $f;
$r = end($p);
is($r->{exit}, 6, 'and the command goes on to its own end');
like($r->{err}, qr/the seat could not be renewed; its lease ends at \d{4}-/, 'with the lease that is there');
stop($host);
unlink "$dir/enough";

# -- with a state file --

my @state = ('-s', "$dir/run.state");
$host = standin('good');
is(client_run($host, @state, 'run', '--', 'true')->{exit}, 0, 'with a state file');
is(client_run($host, @state, 'activate')->{exit}, 0, 'the client is the same, and activated before');
is(client_run($host, @state, 'run', '--', 'true')->{exit}, 0, 'with the seat that is there');
my @asked = stop($host);
is(join(' ', map { $_->{request} } @asked), '1 3 1', 'what it took is given back, and what was there stays');
is_deeply([ map { $_->{flags} } @asked ], [ 0, 0, 0 ], 'it is a client with state');
is_deeply([ map { $_->{sequence} } @asked ], [ 1, 2, 3 ], 'one client');
my ($port, $socket) = dead_port();
is(client_run({ port => $port }, @state, 'run', '--', 'true')->{exit}, 0, 'its lease is good without a host');

# Nothing of a client without state is left, also of one that is killed.
$host = standin('good');
$p = begin($host, 'run', '--', 'perl', '-e', '$| = 1; my $p = getppid; print "$$\n"; select undef, undef, undef, 0.05 while getppid == $p; print "alone\n"; sleep 60');
chomp(my $command = readline $p->{out});
kill KILL => $p->{pid};
waitpid $p->{pid}, 0;
is(scalar readline $p->{out}, "alone\n", 'kmsclient is killed: the command goes on');
kill TERM => $command;
is(asked($host), 1, 'and nobody gives its seat back');
done_testing;
