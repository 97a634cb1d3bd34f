#!/usr/bin/perl
# What kmsd-front does with every kind of bad client, bad limit and bad kmsd-activate: the
# table of kmsd(8), row by row, each with its status or close, its log line, and others served meanwhile.
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Handle;
use Socket qw(SHUT_WR SOL_SOCKET SO_RCVBUF);
use FrontStandin;

BEGIN {
	*frame = \&FrontStandin::frame;
	*reply = \&FrontStandin::reply;
	*served = \&FrontStandin::served;
	*error_status = \&FrontStandin::error_status;
}
$SIG{PIPE} = 'IGNORE';

# Thousands of idle connections need descriptors on our side too.
my $files = `sh -c 'ulimit -Hn'`;
$files = 1_000_000 if $files =~ /unlimited/;
if (!$ENV{FRONT_INPUT_FILES}) {
	$ENV{FRONT_INPUT_FILES} = 1;
	exec 'sh', '-c', 'ulimit -n "$(ulimit -Hn)"; exec "$@"', 'sh', $^X, $0;
}

sub closed { my ($octets, $closed) = FrontStandin::receive($_[0]); return $closed && $octets eq ''; }

subtest 'malformed frames' => sub {
	my $f = FrontStandin->start;
	my $bystander = $f->client;
	# name, bytes, half-close after them, status (undef: closed without a word), event
	my @table = (
		['truncated header', 'KMSD' . "\2", 1, undef, 'bad-frame'],
		['truncated payload', frame(3, 'abc', length => 9), 1, undef, 'bad-frame'],
		['wrong magic', 'GET / HTTP/1.0' . "\r\n\r\n", 0, undef, 'bad-frame'],
		['flags not zero', frame(3, 'abc', flags => 1), 0, undef, 'bad-frame'],
		['a reply from a client', frame(4, 'abc'), 0, 18, 'bad-frame'],
		['wrong version', frame(3, 'abc', version => 1), 0, 17, 'bad-version'],
		['longer than the limit', frame(3, '', length => 1025), 0, 22, 'frame-too-large'],
		['length of all ones, and much of it', frame(3, 'x' x 100_000, length => 0xffffffff), 0, 22,
		    'frame-too-large'],
		['DCE/RPC bind', pack('C*', 5, 0, 11, 3, 16, 0, 0, 0), 0, undef, 'relay-not-configured'],
	);
	my %count;
	for my $row (@table) {
		my ($name, $octets, $half, $status, $event) = @$row;
		my $c = $f->client;
		syswrite $c, $octets;
		shutdown $c, SHUT_WR if $half;
		if (defined $status) {
			is(error_status(reply($c)), $status, "$name: ERROR status");
		}
		ok(closed($c), "$name: closed");
		ok($f->logged($event, ++$count{$event}), "$name: log line $event");
		ok(served($bystander, "after $name"), "$name: others are served");
	}
	for (1 .. 20) {
		my $c = $f->client;
		syswrite $c, frame(77, 'no such type');
		is(error_status(reply($c)), 18, 'unknown type') if $_ == 1;
		FrontStandin::receive($c);
	}
	my $lines = () = $f->log =~ /: bad-frame: /g;
	cmp_ok($lines, '<=', 6, 'and the log of one event stays short');
	is($f->stats->{refused_frames}, @table + 20, 'each is counted');
};

subtest 'honest frames' => sub {
	my $f = FrontStandin->start;
	my $c = $f->client;
	ok(served($c, 'x' x 1024), 'the longest payload');
	ok(served($c, ''), 'the shortest');
	syswrite $c, frame(1, 'publisher');
	is(reply($c)->{type}, 2, 'HELLO is answered by HELLO_REPLY');
	my @texts = map { "pipelined $_" } 1 .. 200;
	syswrite $c, join '', map { frame(3, $_) } @texts;
	is_deeply([map { reply($c)->{payload} } @texts], \@texts, 'pipelined requests come back in order');
	my $octets = frame(3, 'octet by octet');
	for (split //, $octets) {
		syswrite $c, $_;
	}
	is(reply($c)->{payload}, 'octet by octet', 'a frame in parts');
	$f->command('size 12288');
	syswrite $c, frame(3, 'large');
	is(length reply($c)->{payload}, 12288, 'the longest reply');
	$f->command('size 0');
	$f->command('close 1');
	ok(served($c, 'last'), 'IPC_CLOSE: answered');
	ok(closed($c), 'IPC_CLOSE: then closed');
	my $s = $f->stats;
	is_deeply([@$s{qw(requests replies accepted refused_frames)}], [206, 206, 1, 0], 'counted');
	kill 'TERM', $f->front_pid;
	kill 'HUP', $f->front_pid;
	$f->command('close 0');
	ok(served($f->client, 'still here'), 'signals are for kmsd to act on');
};

subtest 'clients without manners' => sub {
	my $f = FrontStandin->start(
		limits => ['first_timeout = 1', 'frame_timeout = 1', 'idle_timeout = 2'],
		options => ['-s', 12288]);
	my ($slow, $silent, $idle, $deaf) = map { $f->client } 1 .. 4;
	syswrite $idle, frame(3, 'once');
	reply($idle);
	setsockopt $deaf, SOL_SOCKET, SO_RCVBUF, pack 'i', 4096;
	$deaf->blocking(0);
	my ($slow_closed, $served, $octets) = (0, 0, frame(3, 'x' x 1000));
	my $end = time + $FrontStandin::PATIENCE;
	my $other = $f->client;
	while (time < $end && !($slow_closed && $f->log =~ /slow-reader/)) {
		$slow_closed ||= !defined syswrite $slow, substr $octets, 0, 1, '';
		syswrite $deaf, frame(3, 'never read') for 1 .. 20;
		syswrite $other, frame(3, 'meanwhile');
		my $r = reply($other);
		$served++ if $r && $r->{payload} =~ /^meanwhile\0+$/;
		select undef, undef, undef, 0.2;
	}
	ok($slow_closed, 'slow sender: closed though it went on sending');
	ok($f->logged('slow-sender'), 'slow sender: log line');
	ok(closed($silent), 'silent connection: closed');
	ok($f->logged('silent-connection'), 'silent connection: log line');
	ok(closed($idle), 'idle connection: closed');
	ok($f->logged('slow-reader'), 'a client that never reads: log line and close');
	cmp_ok($served, '>', 3, "others were served meanwhile ($served times)");
	cmp_ok($f->stats->{timeouts}, '>=', 4, 'time-outs are counted');
};

subtest 'ten thousand idle connections' => sub {
	my $many = $files >= 12_000 ? 10_000 : 2_000;
	diag("only $many: this user may open $files descriptors") if $many < 10_000;
	my $f = FrontStandin->start(limits => ['connections = 11000', 'connections_per_source = 0', 'first_timeout = 600']);
	my @idle = map { $f->idle_client } 1 .. $many;
	my $busy = $f->client;
	is(scalar(grep { served($busy, "request $_") } 1 .. 100), 100, 'another one is served');
	is($f->stats->{open}, $many + 1, "$many are open");
	ok(served($idle[$_], "idle $_"), "number $_ can still speak") for 0, $many / 2, $many - 1;
	my $pid = $f->front_pid;
	open my $status, '<', "/proc/$pid/status" or die $!;
	my ($rss) = join('', <$status>) =~ /^VmRSS:\s+(\d+) kB/m;
	note("VmRSS of kmsd-front with $many idle connections: $rss kB");
	SKIP: {
		skip 'shadow memory counts too when built with a sanitizer', 1
		    if `nm -D @{[FrontStandin::build()]}/kmsd-front 2>&1` =~ /__asan/;
		cmp_ok($rss, '<', 16 * 1024, 'resident in less than 16 MiB');
	}
	unlike($f->log, qr/connection-limit|silent-connection/, 'and no limit was met');
};

# A request of each that kmsd-activate does not answer: none of them is idle.
sub busy {
	my ($f, @clients) = @_;
	$f->command('hold');
	for (@clients) {
		syswrite $_, frame(3, 'busy');
		$f->expect(qr/^(request) /);
	}
}

# Without waiting.
sub closed_now {
	my ($client) = @_;
	my $s = IO::Select->new($client);
	return $s->can_read(0) && !sysread $client, my $octets, 1;
}

subtest 'no descriptors' => sub {
	my $f = FrontStandin->start(options => ['-n', 32], limits => ['first_timeout = 600']);
	my @clients = map { $f->client } 1 .. 40;
	is(scalar(grep { served($_, 'me too') } @clients[ 30 .. 39 ]), 10, 'those that come last are served');
	ok($f->logged('connection-evicted', 2), 'since others gave way: log line');
	my @closed = grep { closed_now($_) } @clients;
	my $gone = @closed;
	cmp_ok($gone, '>', 5, "those idle longest: $gone");
	my %closed = map { $_ => 1 } @closed;
	is_deeply([ grep { !$closed{ $clients[$_] } } 0 .. $gone - 1 ], [], 'in their order');
	my @open = grep { !$closed{$_} } @clients;
	busy($f, @open);
	# One or two more may find room.
	my @more = map { $f->client } 1 .. 4;
	syswrite $_, frame(3, 'busy') for @more;
	my ($out) = IO::Select->new(@more)->can_read($FrontStandin::PATIENCE);
	# Its request is not read, so the reset may overtake the ERROR.
	my $r = reply($out);
	ok(!$r || error_status($r) == 14, 'when none is idle: refused');
	ok($f->logged('descriptor-limit'), 'log line');
	$f->command('answer');
	is(scalar(grep { ((reply($_) // {})->{payload} // '') eq 'busy' } @open), @open, 'the others are answered');
};

subtest 'connection limit' => sub {
	my $f = FrontStandin->start(limits => ['connections = 4']);
	my $quiet = $f->client(from => '127.0.0.2');
	ok(served($quiet, 'quiet'), 'one of another address, idle longest');
	my @in = map { $f->client } 1 .. 3;
	ok(served($_, 'in'), 'within the limit') for @in;
	my $third = $f->client(from => '127.0.0.3');
	ok(served($third, 'third'), 'past it: a third address is served');
	ok(closed($in[0]), 'the longest idle connection of the address with most gave way');
	ok($f->logged('connection-evicted'), 'log line');
	is($f->stats->{evicted}, 1, 'counted');
	ok(served($_, 'still'), 'the others were not disturbed') for $quiet, @in[ 1, 2 ], $third;
	busy($f, $quiet, @in[ 1, 2 ], $third);
	my $out = $f->client;
	my $r = reply($out);
	is(error_status($r), 14, 'when none is idle: ERROR OVERLOAD');
	cmp_ok(FrontStandin::retry_after($r), '>', 0, 'with a time to retry');
	ok(closed($out), 'and closed');
	ok($f->logged('connection-limit'), 'log line');
	is($f->stats->{refused_connections}, 1, 'counted');
	$f->command('answer');
	is(reply($_)->{payload}, 'busy', 'answered') for $quiet, @in[ 1, 2 ], $third;
};

subtest 'limit for one source' => sub {
	my $f = FrontStandin->start(limits => ['connections_per_source = 2']);
	my @in = map { $f->client } 1 .. 2;
	ok(served($_, 'in'), 'within the limit') for @in;
	my $next = $f->client;
	ok(served($next, 'next'), 'past it: served');
	ok(closed(shift @in), 'and the longest idle one closed');
	push @in, $next;
	busy($f, @in);
	my $out = $f->client;
	is(error_status(reply($out)), 14, 'when none is idle: ERROR OVERLOAD');
	ok(closed($out), 'and closed');
	ok($f->logged('source-limit'), 'log line');
	$f->command('answer');
	is(reply($_)->{payload}, 'busy', 'answered') for @in;
	my $other = $f->client(from => '127.0.0.2');
	ok(served($other, 'other'), 'another source is served');
	$f->write_ini(limits => ['connections_per_source = 3']);
	$f->command("reload $f->{ini}");
	ok($f->logged('front-reloaded'), 'reloaded');
	my $third = $f->client;
	ok(served($third, 'third'), 'the new limit holds');
	ok(served($_, 'still'), 'and nobody is closed') for @in;
	$f->write_ini(limits => [ 'connections_per_source = 3', 'exempt = 127.0.0.0/8' ]);
	$f->command("reload $f->{ini}");
	ok($f->logged('front-reloaded', 2), 'reloaded');
	my @many = map { $f->client } 1 .. 5;
	ok(served($_, 'many'), 'an exempt network has no limit') for @many, @in;
	$f->write_ini(limits => ['connections_per_source = many']);
	$f->command("reload $f->{ini}");
	ok($f->logged('config-refused'), 'what is not a configuration is refused');
	ok(served($third, 'still'), 'and what was there goes on');
};

# HELLO earns no time: only a REPLY does.
subtest 'HELLO without a request' => sub {
	my $f = FrontStandin->start(limits => [ 'first_timeout = 1', 'idle_timeout = 600' ]);
	my $c = $f->client;
	syswrite $c, frame(1, 'hello');
	ok(reply($c), 'HELLO is answered');
	ok(closed($c), 'and no request came: closed after first_timeout');
	my $g = FrontStandin->start(limits => [ 'first_timeout = 600', 'idle_timeout = 600' ]);
	$c = $g->client;
	my $answered = 0;
	for (1 .. 9) {
		syswrite $c, frame(1, 'hello');
		last if !reply($c);
		$answered++;
	}
	is($answered, 8, 'the eighth HELLO in a row is the last');
	ok(closed($c), 'closed');
	$c = $g->client;
	for (1 .. 5) {
		syswrite $c, frame(1, 'hello');
		reply($c);
		ok(served($c, 'request'), 'a client that asks may say HELLO as often as it likes') for 1 .. 2;
	}
};

subtest 'PROXY header' => sub {
	my $f = FrontStandin->start(limits => [ 'proxies = 127.0.0.9', 'connections_per_source = 1' ]);
	my $v1 = "PROXY TCP4 192.0.2.1 192.0.2.9 40000 1688\r\n";
	my $v2 = "\r\n\r\n\0\r\nQUIT\n" . pack('C2 n', 0x21, 0x11, 12) . pack('C8 n2', 198, 51, 100, 7, 192, 0, 2, 9, 41000, 1688);
	my $local = "\r\n\r\n\0\r\nQUIT\n" . pack('C2 n', 0x20, 0, 0);
	my $balanced = sub { $f->client(from => '127.0.0.9') };
	for ([ $v1, '192.0.2.1 40000' ], [ $v2, '198.51.100.7 41000' ], [ $local, '127.0.0.9' ]) {
		my ($header, $who) = @$_;
		my $c = $balanced->();
		syswrite $c, $header . frame(3, 'with it');
		is(reply($c)->{payload}, 'with it', "header and frame at once: $who");
		ok(served($c, 'again'), 'the next frame has no header');
		$f->tell('address');
		my ($seen) = $f->expect(qr/^address (.*)/);
		like($seen, qr/^\Q$who\E/, 'kmsd-activate is told the address in it');
	}
	my $c = $balanced->();
	for (split //, $v1) {
		syswrite $c, $_;
		select undef, undef, undef, 0.001;
	}
	ok(served($c, 'slowly'), 'octet by octet');
	my $again = $balanced->();
	syswrite $again, $v1;
	ok(served($again, 'the same client'), 'a second connection of that client');
	ok(closed($c), 'and its first, which is over the limit of a source, is closed');
	for my $bad ("GET / HTTP/1.0\r\n\r\n", frame(3, 'none'), "PROXY TCP4 192.0.2.1 192.0.2.9 40000\r\n", 'PROXY ' . 'x' x 120) {
		my $c = $balanced->();
		syswrite $c, $bad;
		ok(closed($c), 'no header: closed');
	}
	ok($f->logged('bad-proxy-header'), 'log line');
	my $direct = $f->client;
	ok(served($direct, 'direct'), 'others need no header');
	my $liar = $f->client(from => '127.0.0.3');
	syswrite $liar, $v1;
	ok(closed($liar), 'and may not send one');
};

subtest 'credits' => sub {
	my $f = FrontStandin->start(options => ['-c', 2]);
	$f->command('hold');
	my @clients = map { $f->client } 1 .. 19;	# 2 credits, 8 waiting for each, one too many
	syswrite $clients[$_], frame(3, "client $_") for 0 .. $#clients;
	my ($first) = IO::Select->new(@clients)->can_read($FrontStandin::PATIENCE);
	my $r = reply($first);
	is(error_status($r), 14, 'one too many is told OVERLOAD');
	cmp_ok(FrontStandin::retry_after($r), '>', 0, 'with a time to retry');
	ok($f->logged('overload'), 'log line');
	$f->command('answer');
	my $right = 0;
	for (0 .. $#clients) {
		next if $clients[$_] == $first;
		my $got = reply($clients[$_]);
		$right++ if $got && $got->{payload} eq "client $_";
	}
	is($right, 18, 'all others get their own answer');
	ok(served($first, 'retried'), 'the one told to retry stays connected and is served');
	$f->tell('count');
	my ($seen, $most, $over) = $f->expect(qr/^count seen=(\d+) most=(\d+) over=(\d+)/);
	is_deeply([$seen, $most, $over], [19, 2, 0], 'never more in flight than the credits');
};

subtest 'kmsd-activate names the wrong client' => sub {
	my $f = FrontStandin->start;
	my ($asks, $waits) = map { $f->client } 1 .. 2;
	ok(served($waits, 'mine'), 'a bystander');
	$f->command('hold');
	syswrite $asks, frame(3, 'right');
	$f->expect(qr/^(request) 2/);
	$f->command('wrong-tokens');
	ok($f->logged('bad-reply', 3), 'log line each');
	$f->command('answer');
	is(reply($asks)->{payload}, 'right', 'the one that asked has its own reply');
	ok(served($waits, 'still mine'), 'the bystander has nothing of it');
	$f->command('hold');
	syswrite $asks, frame(3, 'to be spoilt');
	$f->expect(qr/^(request) 4/);
	$f->command('not-a-frame');
	ok(closed($asks), 'a reply that is no frame: closed, and nothing of it sent');
	$f->command('answer');
	ok(served($waits, 'and on'), 'others are served');
};

subtest 'a reply that comes too late' => sub {
	my $f = FrontStandin->start(
		limits => ['first_timeout = 1', 'idle_timeout = 1', 'connections = 1']);
	$f->command('hold');
	my $early = $f->client;
	syswrite $early, frame(3, 'early');
	$f->expect(qr/^(request) 1/);
	ok(closed($early), 'not answered: closed');
	ok($f->logged('no-answer'), 'log line');
	my $late = $f->client;		# in the very same slot
	syswrite $late, frame(3, 'late');
	$f->expect(qr/^(request) 2/);
	$f->command('answer');
	is(reply($late)->{payload}, 'late', 'the next client in its slot gets its own reply only');
	unlike($f->log, qr/bad-reply/, 'and nobody is blamed');
};

subtest 'kmsd-activate is gone or mad' => sub {
	for my $what ('hang-up', 'bad-verb') {
		my $f = FrontStandin->start;
		my $c = $f->client;
		ok(served($c, 'before'), 'before');
		$f->command($what);
		is(($f->expect(qr/^exit (\d+)/))[0], 1, "$what: the front ends, for kmsd to start another");
		ok(closed($c), "$what: its clients are closed");
		ok($f->logged('channel-lost'), "$what: log line");
	}
};

subtest 'stop' => sub {
	my $f = FrontStandin->start(options => ['-c', 1]);
	my ($asks, $queues, $idle) = map { $f->client } 1 .. 3;
	ok(served($idle, 'hello'), 'somebody idle');
	$f->command('hold');
	syswrite $asks, frame(3, 'in flight');
	$f->expect(qr/^(request) 2/);
	syswrite $queues, frame(3, 'waiting for a credit');
	$f->command('stop');
	ok(closed($idle), 'idle connections are closed');
	ok(!IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $f->{port}),
	    'new connections are refused');
	$f->command('answer');
	is(reply($asks)->{payload}, 'in flight', 'what is in flight is answered');
	is(reply($queues)->{payload}, 'waiting for a credit', 'what has arrived is answered too');
	is(($f->expect(qr/^exit (\d+)/))[0], 0, 'and the front ends well');
};

subtest 'stop with an answer that never comes' => sub {
	my $f = FrontStandin->start;
	$f->command('hold');
	my $c = $f->client;
	syswrite $c, frame(3, 'for ever');
	$f->expect(qr/^(request) 1/);
	$f->command('stop');
	is(($f->expect(qr/^exit (\d+)/))[0], 0, 'ends all the same');
	ok(closed($c), 'the client is closed');
	ok($f->logged('front-stopped'), 'log line');
};

subtest 'start-up that must fail' => sub {
	my $said = `@{[FrontStandin::build()]}/kmsd-front 3</dev/null 2>&1`;
	is($? >> 8, 1, 'by hand');
	like($said, qr/started by kmsd\(8\) only/, 'by hand: says who starts it');
	my $f = FrontStandin->start(may_fail => 1, ini => "nonsense = 1\n");
	is(($f->expect(qr/^failed (\d+)/))[0], 17, 'what is not a configuration: BAD_VERSION');
	ok($f->logged('config-refused'), 'log line');
	is(($f->expect(qr/^exit (\d+)/))[0], 1, 'and the end');
	SKIP: {
		skip 'only root can change the user', 2 unless $> == 0;
		$f = FrontStandin->start(may_fail => 1, user => 'kms-no-such-user');
		is(($f->expect(qr/^failed (\d+)/))[0], 286, 'a user that is not there: SANDBOX');
		ok($f->logged('sandbox'), 'log line');
	}
};

done_testing;
