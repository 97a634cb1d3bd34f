#!/usr/bin/perl
# The real kmsd with stand-in children (standin_child.c): what it gives them, what it does when
# they die, hang or lie, and how it starts, reloads and stops.
use strict;
use warnings;
use Test::More;
use Cwd qw(abs_path);
use Errno qw(EINTR);
use File::Copy qw(copy);
use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX qw(:sys_wait_h);
use Time::HiRes qw(sleep time);

my $build = abs_path($ENV{KMS_BUILD} // 'build');
my $kmsd = "$build/kmsd/supervisor/kmsd";
my $standin = "$build/standin_child";
my $root = $> == 0;
our $LIMIT = 20;		# seconds that anything may take before the test fails

diag('not root: users and owners are not tested') if !$root;

# --- a kmsd in a directory of its own ---

my @running;
END { local $?; for my $k (@running) { kill 'KILL', $k->{pid} if $k->{pid}; waitpid $k->{pid}, 0 if $k->{pid} } }

sub slurp { my ($file) = @_; open my $f, '<', $file or return ''; local $/; my $t = <$f>; return $t // '' }
sub spew { my ($file, $text) = @_; open my $f, '>', $file or die "$file: $!"; print $f $text; close $f or die "$file: $!" }

# Until the block is true, at most $LIMIT seconds.
sub until_true(&) {
	my ($block) = @_;
	my $end = time + $LIMIT;
	while (time < $end) { my $v = $block->(); return $v if $v; sleep 0.02 }
	return;
}

sub ini {
	my ($k, %more) = @_;
	my $users = $root ? "activate_user = nobody\nfront_user = daemon\n" : '';
	my $text = "[kms]\nstate_directory = $k->{dir}/state\nruntime_directory = $k->{dir}/run\n$users" . ($more{kms} // '');
	$text .= "[listen]\naddress = 127.0.0.1\nport = 0\nfronts = " . ($more{fronts} // 2) . "\n" if !$more{listen};
	return $text . ($more{listen} // '') . ($more{rest} // '');
}

sub prepare {
	my (%o) = @_;
	my $dir = tempdir(CLEANUP => 1);
	chmod 0755, $dir;
	my $k = { dir => $dir, log => "$dir/log" };
	mkdir "$dir/lib" or die;
	for my $p (qw(kmsd-front kmsd-activate)) {
		copy($standin, "$dir/lib/$p") or die "$standin: $!";
		chmod 0755, "$dir/lib/$p";
	}
	spew("$dir/lib/kmsd-front.mode", $o{front} // '');
	spew("$dir/lib/kmsd-activate.mode", $o{activate} // '');
	spew("$dir/kms.ini", ini($k, %{ $o{ini} // {} }));
	return $k;
}

sub start {
	my ($k, @more) = @_;
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		open STDOUT, '>>', $k->{log} or die;
		open STDERR, '>&', \*STDOUT or die;
		$ENV{KMS_SECRET_IN_ENVIRONMENT} = 'must not reach a child';
		exec $kmsd, '-f', "$k->{dir}/kms.ini", '-L', "$k->{dir}/lib", @more or POSIX::_exit(127);
	}
	$k->{pid} = $pid;
	push @running, $k;
	return $k;
}

sub log_has { my ($k, $re) = @_; my $t = until_true { slurp($k->{log}) =~ $re }; return $t }
sub children { my ($k) = @_; return slurp("$k->{dir}/lib/children.log") }
sub ready { my ($k) = @_; return until_true { slurp($k->{log}) =~ /kmsd-ready/ } }
sub port { my ($k) = @_; return slurp("$k->{dir}/run/port") + 0 }

# Wait for kmsd: its exit code, -1 when it does not end.
sub ended {
	my ($k) = @_;
	my $done = until_true { waitpid($k->{pid}, WNOHANG) == $k->{pid} };
	return -1 if !$done;
	$k->{pid} = 0;
	return $? & 127 ? 1000 + ($? & 127) : $? >> 8;
}

sub stop { my ($k) = @_; kill 'TERM', $k->{pid}; return ended($k) }

# One connection: "INDEX PID" of the front that answers.
sub ask {
	my ($k) = @_;
	my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => port($k), Timeout => $LIMIT) or return "no connection: $!";
	my $line = IO::Select->new($s)->can_read($LIMIT) ? <$s> : undef;
	chomp $line if defined $line;
	return $line // 'closed or silent';
}

# pids that children.log does not know: ask until each index answered.
sub front_pids {
	my ($k, $want) = @_;
	my %pid;
	until_true { my ($i, $p) = split / /, ask($k); $pid{$i} = $p if defined $p; keys %pid >= $want };
	return \%pid;
}

# A front that never ends: asked to stop here, looked at last, since kmsd gives it ten seconds.
my $deaf = start(prepare(front => 'deaf', ini => { fronts => 1 }));
ready($deaf) or diag(slurp($deaf->{log}));
kill 'TERM', $deaf->{pid};

# An activation process that hangs and is not stopped: it has sixty intervals.
my $slow = start(prepare(activate => 'silent', ini => { kms => "ping_interval = 1\n" }));

# --- options ---

my $out = `$kmsd -V`;
like($out, qr/^kmsd \d+\.\d+\.\d+$/, 'kmsd -V prints the version');
system("$kmsd -x >/dev/null 2>&1");
is($? >> 8, 2, 'an unknown option: exit code 2');
{
	my $k = prepare();
	my $n = `$kmsd -n -f $k->{dir}/kms.ini 2>&1`;
	is($? >> 8, 0, '-n with a valid file: exit code 0');
	like($n, qr/valid/, '-n says so');
	ok(!-e "$k->{dir}/run", '-n makes nothing');
	spew("$k->{dir}/kms.ini", "[kms]\nstate_directry = /x\n[listen]\nport = 99999\n");
	$n = `$kmsd -n -f $k->{dir}/kms.ini 2>&1`;
	is($? >> 8, 1, '-n with an invalid file: exit code 1');
	like($n, qr/kms\.ini:2: unknown key "state_directry".*"state_directory"/, 'the typo with its line and the nearest name');
	like($n, qr/kms\.ini:4: port = "99999"/, 'and the second error as well');
	$n = `$kmsd -n -f $k->{dir}/none.ini 2>&1`;
	is($? >> 8, 1, 'no such file: exit code 1');
	like($n, qr/none\.ini: cannot be read: No such file/, 'and its name');
}

# --- the usual life ---
{
	my $k = start(prepare());
	ok(ready($k), 'kmsd becomes ready') or diag(slurp($k->{log}));
	my $c = children($k);
	my @activate = grep { /^kmsd-activate/ } split /\n/, $c;
	is_deeply([ grep { !/fds|environment/ } @activate[0 .. 6] ],
	    [ map { "kmsd-activate -1 $_" } grep { defined } ($activate[1] =~ /(config .*)/), 'state-dir writable', 'control', 'start', 'ready', ($activate[6] =~ /(channel \d)/) ],
	    'activate gets configuration, state directory, control socket, then starts, then gets channels');
	like($c, qr/kmsd-activate -1 config \d+ bytes, write refused/, 'the configuration is sealed');
	like($c, qr/kmsd-activate -1 ready.*kmsd-front -1 fds/s, 'fronts start when activate is ready');
	is(scalar(() = $c =~ /kmsd-front \d listen 0/g) + scalar(() = $c =~ /kmsd-front -1 listen 0/g), 2, 'each front has its listener');
	is_deeply([ sort { $a <=> $b } $c =~ /kmsd-activate -1 channel (\d+)/g ], [ 0, 1 ], 'activate has a channel to each front');
	my @fds = $c =~ / fds (\S+)/g;
	is_deeply(\@fds, [ ('0,1,2,3') x 3 ], 'children inherit descriptors 0 to 3 and no other');
	unlike($c, qr/KMS_SECRET|environment PATH/, 'children inherit no environment');
	my $pids = front_pids($k, 2);
	is(join(',', sort keys %$pids), '0,1', 'both fronts answer on one port');
	is(slurp("$k->{dir}/run/kmsd.pid") + 0, $k->{pid}, 'kmsd.pid');
	is((stat "$k->{dir}/run/$_")[2] & 07777, 0644, "$_ can be read by all") for qw(kmsd.pid port);
	is((stat "$k->{dir}/run/control.sock")[2] & 07777, 0660, 'control.sock is 0660');
	is((stat "$k->{dir}/state")[2] & 07777, 0700, 'the state directory is 0700');
	SKIP: {
		skip 'not root: owners', 2 if !$root;
		is((stat "$k->{dir}/state")[4], scalar getpwnam('nobody'), 'the state directory is the activation user\'s');
		is((stat "$k->{dir}/run")[4], 0, 'the runtime directory is root\'s');
	}

	my $second = start({ dir => $k->{dir}, log => "$k->{dir}/log2" });
	is(ended($second), 69, 'a second kmsd with the same runtime directory ends with 3');
	like(slurp("$k->{dir}/log2"), qr/start-failed: another kmsd uses/, 'and says why');
	ok(-e "$k->{dir}/run/port", 'and leaves the first one\'s files');

	my $other = prepare(ini => { listen => "[listen]\naddress = 127.0.0.1\nport = " . port($k) . "\n" });
	start($other);
	is(ended($other), 69, 'another kmsd on the same port ends with 69, though both would share it');
	like(slurp($other->{log}), qr/start-failed: cannot listen on 127\.0\.0\.1 port \d+: Address already in use; find the program/, 'and says what to do');

	is(stop($k), 0, 'SIGTERM: exit code 0');
	$c = children($k);
	my ($last_front, $activate_stop) = (rindex($c, "kmsd-front"), index($c, 'kmsd-activate -1 stop'));
	like($c, qr/kmsd-front 0 exit/, 'front 0 was asked to stop');
	like($c, qr/kmsd-front 1 exit/, 'front 1 was asked to stop');
	ok($activate_stop > $last_front, 'activate is asked to stop when the fronts are gone');
	is_deeply([ map { s/.*\///r } glob "$k->{dir}/run/*" ], ['host'], 'nothing is left in the runtime directory, but that this machine is a host');
	start($k);
	is(ended($k), 69, 'which is why kmsd does not start without the key: the stand-in makes none');
	like(slurp($k->{log}), qr/host-lost: .*keys\/host\.key is missing.* rm /, 'and says what to do');
	like(slurp($k->{log}), qr/kmsd-stopped: exit code 0/, 'the log says so');
}

# --- IPv6, several addresses, one port ---
SKIP: {
	my $probe = eval { require IO::Socket::IP; IO::Socket::IP->new(LocalHost => '::1', LocalPort => 0, Listen => 1) };
	skip 'this machine has no IPv6', 3 if !$probe;
	close $probe;
	my $k = start(prepare(ini => { listen => "[listen]\naddress = 127.0.0.1 ::1\nport = 0\nfronts = 1\n" }));
	ok(ready($k), 'ready with an IPv4 and an IPv6 address') or diag(slurp($k->{log}));
	my $s = IO::Socket::IP->new(PeerHost => '::1', PeerPort => port($k), Timeout => $LIMIT);
	ok($s && <$s> =~ /^0 \d+$/, 'the same port answers on ::1');
	is(stop($k), 0, 'stops');
}

# --- a front dies ---
{
	my $k = start(prepare());
	ready($k) or diag(slurp($k->{log}));
	my $pids = front_pids($k, 2);
	kill 'KILL', $pids->{1};
	ok(log_has($k, qr/front-died: kmsd-front 1: signal 9 \(SIGKILL\); the next one starts in 0 ms/), 'a killed front: which and why');
	my $fresh = until_true { my ($i, $p) = split / /, ask($k); defined $p && $i == 1 && $p != $pids->{1} ? $p : 0 };
	ok($fresh, 'another front takes its place');
	is(front_pids($k, 2)->{0}, $pids->{0}, 'the other front was not disturbed');
	is(scalar(() = children($k) =~ /kmsd-activate -1 channel 1/g), 2, 'activate got a new channel for it');
	kill 'KILL', $fresh;
	ok(log_has($k, qr/the next one starts in 100 ms/), 'the second death in a row waits');
	is(stop($k), 0, 'and everything stops cleanly');
}
{
	my $k = start(prepare(front => 'die-once', ini => { fronts => 1 }));
	ready($k) or diag(slurp($k->{log}));
	like(ask($k), qr/^0 \d+$/, 'a connection that a front left in the backlog is answered by the next front');
	like(slurp($k->{log}), qr/front-died: kmsd-front 0: signal 6 \(SIGABRT\)/, 'and the front had died');
	is(stop($k), 0, 'stops');
}
{
	my $k = start(prepare(front => 'die-always', ini => { fronts => 1 }));
	ok(log_has($k, qr/in 0 ms.*in 100 ms.*in 200 ms.*in 400 ms/s), 'a front that dies again and again is started with growing waits');
	like(slurp($k->{log}), qr/front-died: kmsd-front 0: exit status 7/, 'its exit status is named');
	ok(kill(0, $k->{pid}), 'kmsd goes on');
	is(stop($k), 0, 'and stops cleanly');
}
{
	my $k = start(prepare(front => 'sigsys', ini => { fronts => 1 }));
	ok(log_has($k, qr/sandbox-violation: kmsd-front 0: signal 31 \(SIGSYS\): it made a system call/), 'SIGSYS is named as a sandbox violation');
	is(stop($k), 0, 'stops');
}
{
	my $k = start(prepare(front => 'garbage', ini => { fronts => 1 }));
	ok(log_has($k, qr/child-protocol: kmsd-front 0 sent verb 77, which is not allowed now: killed/), 'a front that sends what it must not is killed');
	is(stop($k), 0, 'stops');
}
{
	my $k = start(prepare(front => 'late-failure', ini => { fronts => 1 }));
	ok(log_has($k, qr/kmsd-ready.*child-protocol: kmsd-front 0 sent verb 17, .*front-died.*child-ready: kmsd-front 0/s), 'a front that serves cannot end everything by claiming a failure');
	is(stop($k), 0, 'stops');
}
{
	my $k = start(prepare(front => 'early-pong', ini => { fronts => 1 }));
	ok(log_has($k, qr/child-protocol: kmsd-front 0 sent verb 19/), 'a front that answers a ping that nobody sent is killed');
	is(stop($k), 0, 'stops');
}
{
	my $k = start(prepare(front => 'false-pong', ini => { fronts => 1, kms => "ping_interval = 1\n" }));
	ok(log_has($k, qr/kmsd-ready.*child-protocol: kmsd-front 0 sent verb 19/s), 'and one that answers another ping than the last');
	is(stop($k), 0, 'stops');
}
{
	my $k = start(prepare(front => 'silent', ini => { fronts => 1, kms => "ping_interval = 1\n" }));
	ok(log_has($k, qr/child-hung: kmsd-front 0, process \d+, is alive and has not answered for 3 s: killed.*front-died: kmsd-front 0: signal 9.*child-ready: kmsd-front 0/s),
	    'a front that does not answer pings is killed, and another one is started');
	is(stop($k), 0, 'stops');
}
{
	my $k = start(prepare(activate => 'silent', ini => { kms => "ping_interval = 1\n" }));
	ready($k);
	my ($pid) = slurp($k->{log}) =~ /child-ready: kmsd-activate, process (\d+)/;
	sleep 6;
	ok(kill(0, $pid), 'an activation process that does not answer pings may be slow for an honest reason');
	kill 'STOP', $pid;
	is(ended($k), 70, 'unless it is stopped: exit code 70');
	like(slurp($k->{log}), qr/child-hung: kmsd-activate, process $pid, was stopped by a signal .*: killed.*activate-died/s, 'and the log says so');
}
{
	my $k = start(prepare(ini => { kms => "ping_interval = 1\n" }));
	ready($k);
	my $before = front_pids($k, 2);
	sleep 5;
	is_deeply(front_pids($k, 2), $before, 'those that answer go on');
	is(stop($k), 0, 'stops');
}
{
	my $k = prepare(ini => { fronts => 1, rest => "[relay]\nupstream = kms.example.test:1700\n" });
	copy($standin, "$k->{dir}/lib/kmsd-resolve") && chmod 0755, "$k->{dir}/lib/kmsd-resolve" or die $!;
	start($k);
	ok(log_has($k, qr/relay-resolved: 1 addresses/), 'of what kmsd-resolve says, kmsd takes what has the port of the ini file');
	like(slurp($k->{log}), qr/relay-resolve: kms\.example\.test port $_: \[relay\] names no such port; it is left out/, "not port $_") for 25, 1688;
	is(stop($k), 0, 'stops');
}

# --- starting that fails ---
{
	my $k = start(prepare(activate => 'never-ready'), '-t', '1');
	is(ended($k), 70, 'activate never ready: exit code 70');
	like(slurp($k->{log}), qr/child-not-ready: kmsd-activate was not ready within 1 s: killed/, 'and the log says so');
	unlike(children($k), qr/kmsd-front/, 'no front was started');
}
{
	my $k = prepare(activate => 'busy');
	my $n = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "$k->{dir}/notify") or die "notify: $!";
	local $ENV{NOTIFY_SOCKET} = "$k->{dir}/notify";
	start($k, '-t', '5');
	my $all = '';
	my $ready = until_true { my $m; if (IO::Select->new($n)->can_read(0.1)) { recv $n, $m, 4096, 0; $all .= $m } $all =~ /^READY=1/m };
	ok($ready, 'an activation process that says that it goes on may take longer') or diag(slurp($k->{log}));
	like($all, qr/\AEXTEND_TIMEOUT_USEC=5000000\nSTATUS=reading the ledger\n/, 'and the service manager is asked to wait');
	is(stop($k), 0, 'stops');
}
{
	my $k = start(prepare(front => 'busy', ini => { fronts => 1 }));
	ok(log_has($k, qr/child-protocol: kmsd-front 0 sent verb 20/), 'a front that says so is killed');
	is(stop($k), 0, 'stops');
}
{
	my $k = start(prepare(front => 'never-ready', ini => { fronts => 1 }), '-t', '3');
	ok(log_has($k, qr/child-not-ready: kmsd-front 0 .*front-died: kmsd-front 0: signal 9/s), 'a front never ready is killed and another started');
	unlike(slurp($k->{log}), qr/kmsd-ready/, 'kmsd does not call itself ready');
	is(stop($k), 0, 'stops');
}
{
	my $k = start(prepare(front => 'fail-sandbox'));
	is(ended($k), 69, 'a front that cannot be confined ends kmsd: exit code 69');
	like(slurp($k->{log}), qr/child-failed: kmsd-front \d: .*sandbox|confine/i, 'and the log says why');
	like(children($k), qr/kmsd-activate -1 stop/, 'activate was stopped in order');
}
{
	my $k = prepare();
	unlink "$k->{dir}/lib/kmsd-activate";
	start($k);
	is(ended($k), 69, 'no kmsd-activate: exit code 69');
	like(slurp($k->{log}), qr{start-failed: cannot run .*/lib/kmsd-activate: No such file or directory \(see libexec_directory, or option -L\)}, 'and where it looked');
}
{
	my $k = prepare();
	mkdir "$k->{dir}/state"; chmod 0777, "$k->{dir}/state";
	chown scalar getpwnam('nobody'), -1, "$k->{dir}/state" if $root;
	start($k);
	is(ended($k), 69, 'a state directory that others can write: exit code 69');
	like(slurp($k->{log}), qr/state can be written by others: chmod 700 it/, 'and what to do');
}
SKIP: {
	skip 'not root: users', 4 if !$root;
	my $k = prepare();
	spew("$k->{dir}/kms.ini", slurp("$k->{dir}/kms.ini") =~ s/nobody/no_such_user/r);
	start($k);
	is(ended($k), 69, 'a user that does not exist: exit code 69');
	like(slurp($k->{log}), qr/there is no user no_such_user: create it with "systemd-sysusers/, 'and how to make it');
	spew("$k->{dir}/kms.ini", slurp("$k->{dir}/kms.ini") . "[sandbox]\nrequired = no\n");
	start($k);
	ok(ready($k), 'with required = no it starts all the same');
	is(stop($k), 0, 'and stops');
}

# --- activate dies ---
{
	my $k = start(prepare(activate => 'die-on-reload'));
	ready($k) or diag(slurp($k->{log}));
	kill 'HUP', $k->{pid};
	is(ended($k), 70, 'activate dies: exit code 70');
	like(slurp($k->{log}), qr/activate-died: kmsd-activate: exit status 3; everything stops\. .*kmsctl ledger check/, 'why, and what to do');
	like(children($k), qr/kmsd-front 0 exit/, 'front 0 stopped in order');
	like(children($k), qr/kmsd-front 1 exit/, 'front 1 stopped in order');
	ok(!-e "$k->{dir}/run/control.sock", 'the control socket is gone');
}

# --- SIGHUP ---
{
	my $k = start(prepare());
	ready($k) or diag(slurp($k->{log}));
	my $good = slurp("$k->{dir}/kms.ini");
	spew("$k->{dir}/kms.ini", "$good\n[limits]\nidle_timout = 5\n");
	kill 'HUP', $k->{pid};
	ok(log_has($k, qr/config-error: \S+kms\.ini:\d+: unknown key "idle_timout" in \[limits\]: did you mean "idle_timeout"\?/), 'a broken ini: the error with its line');
	ok(log_has($k, qr/config-kept/), 'and kmsd goes on as before');
	unlike(children($k), qr/reload/, 'children hear nothing of it');
	like(ask($k), qr/^[01] \d+$/, 'and clients are served');
	spew("$k->{dir}/kms.ini", ($good =~ s/fronts = 2/fronts = 5/r) . "\n[limits]\nidle_timeout = 5\n");
	kill 'HUP', $k->{pid};
	ok(log_has($k, qr/config-reloaded/), 'a valid ini is taken');
	like(slurp($k->{log}), qr/config-restart-needed: \[listen\] fronts/, 'a key that needs a restart is named');
	unlike(slurp($k->{log}), qr/config-restart-needed: \[limits\]/, 'one that does not is not');
	ok(until_true { (() = children($k) =~ /reload \d+ bytes, write refused/g) == 3 }, 'all three children get the new configuration');
	is(stop($k), 0, 'stops');
}

# --- stopping a child that does not listen ---
{
	my $k = start(prepare(front => 'deaf', ini => { fronts => 1 }));
	ready($k) or diag(slurp($k->{log}));
	kill 'TERM', $k->{pid};
	ok(until_true { children($k) =~ /kmsd-front 0 stop/ }, 'a deaf front is asked to stop');
	kill 'TERM', $k->{pid};
	ok(log_has($k, qr/kmsd-stopping: SIGTERM again: still stopping/), 'asked twice, kmsd says that it is stopping');
	unlike(slurp($k->{log}), qr/stop-forced/, 'and kills nobody');
	kill 'INT', $k->{pid};
	isnt(ended($k), -1, 'at a terminal somebody may wait no longer');
	like(slurp($k->{log}), qr/stop-forced/, 'and kmsd says so');
}

# --- kmsd itself is killed: the children notice ---
{
	my $k = start(prepare());
	ready($k) or diag(slurp($k->{log}));
	kill 'KILL', $k->{pid};
	is(ended($k), 1009, 'kmsd is killed');
	ok(until_true { (() = children($k) =~ /parent gone/g) == 3 }, 'its children see the channel close and end');
	unlink "$k->{dir}/run/host";    # the stand-in makes no key
	start($k);
	ok(until_true { (() = slurp($k->{log}) =~ /kmsd-ready/g) == 2 }, 'the next kmsd starts over what the killed one left');
	is(stop($k), 0, 'and stops');
}

# --- with the real children ---
{
	my $k = prepare(ini => { fronts => 2 });
	for my $p (qw(kmsd-front kmsd-activate)) { unlink "$k->{dir}/lib/$p"; symlink "$build/$p", "$k->{dir}/lib/$p" or die }
	start($k);
	ok(ready($k), 'the real front and activate become ready') or diag(slurp($k->{log}));
	my %pid = slurp($k->{log}) =~ /child-ready: (kmsd-\w+(?: \d)?), process (\d+)/g;
	is(join(' ', sort keys %pid), 'kmsd-activate kmsd-front 0 kmsd-front 1', 'all three say so');
	my @want = qw(no-new-privs landlock seccomp rlimits no-core);
	push @want, 'uid' if $root;
	my @sandbox = slurp($k->{log}) =~ /child-ready: .*sandbox: (.*)/g;
	is(scalar(@sandbox), 3, 'with the layers in force');
	for my $s (@sandbox) { my %in = map { $_ => 1 } split / /, $s; is(join(' ', grep { !$in{$_} } @want), '', "none of theirs is missing: $s") }
	for my $p (sort keys %pid) {
		my ($seccomp) = slurp("/proc/$pid{$p}/status") =~ /^Seccomp:\s+(\d)/m;
		is($seccomp, 2, "the kernel says that $p is filtered");
	}
	is((slurp("/proc/$k->{pid}/status") =~ /^Seccomp:\s+(\d)/m)[0], 2, 'and that kmsd itself is');
	SKIP: {
		skip 'not root: capabilities', 4 if !$root;
		# Kept: KILL 5, SETGID 6, SETUID 7, SYS_CHROOT 18.
		my $most = 0;
		$most |= 1 << $_ for 5, 6, 7, 18;
		my $caps = sub { my ($pid, $set) = @_; my ($hex) = slurp("/proc/$pid/status") =~ /^$set:\s+([0-9a-f]+)/m; hex $hex };
		is($caps->($k->{pid}, 'CapPrm') & ~$most, 0, 'kmsd keeps no capability but those that it needs');
		is($caps->($k->{pid}, 'CapBnd') & ~$most, 0, 'and cannot get one back');
		is($caps->($pid{'kmsd-front 0'}, 'CapPrm'), 0, 'a front has none');
		is($caps->($pid{'kmsd-activate'}, 'CapPrm'), 0, 'activate has none');
	}
	kill 'KILL', $pid{'kmsd-front 0'};
	ok(log_has($k, qr/front-died: kmsd-front 0: signal 9.*child-ready: kmsd-front 0, /s), 'a killed front is replaced and ready');
	kill 'HUP', $k->{pid};
	ok(log_has($k, qr/config-reloaded/), 'SIGHUP is taken');
	# A front that could not take the reload would be dead before it could accept this.
	ok(IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => port($k)), 'and connections are still taken') or diag(slurp($k->{log}));
	is(stop($k), 0, 'SIGTERM: exit code 0');
	is(scalar(() = slurp($k->{log}) =~ /front-died/g), 1, 'no other front died') or diag(slurp($k->{log}));
	unlike(slurp($k->{log}), qr/stop-forced|sandbox-violation/, 'and nobody had to be killed');
}

# --- an ini file that root cannot read by its mode: kmsd keeps the right to, says so, and nothing more ---
SKIP: {
	skip 'not root: an ini file of another user', 5 if !$root;
	my $k = prepare(ini => { fronts => 1 });
	mkdir "$k->{dir}/own" or die $!;
	rename "$k->{dir}/kms.ini", "$k->{dir}/own/kms.ini" or die $!;
	symlink 'own/kms.ini', "$k->{dir}/kms.ini" or die $!;
	my ($uid, $gid) = (getpwnam 'nobody')[2, 3];
	chown $uid, $gid, "$k->{dir}/own", "$k->{dir}/own/kms.ini";
	chmod 0700, "$k->{dir}/own";
	start($k);
	ok(ready($k), 'an ini file in a directory of another user: kmsd starts') or diag(slurp($k->{log}));
	like(slurp($k->{log}), qr/capabilities-kept: kmsd keeps CAP_DAC_READ_SEARCH, since root cannot reach \S+kms\.ini/, 'and says what it keeps');
	my ($caps) = slurp("/proc/$k->{pid}/status") =~ /^CapPrm:\s+([0-9a-f]+)/m;
	is(hex($caps) & ~(1 << 2 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 18), 0, 'and nothing else');
	kill 'HUP', $k->{pid};
	ok(log_has($k, qr/config-reloaded/), 'so that a reload can read it');
	is(stop($k), 0, 'stops');
}

# --- systemd's notification ---
{
	my $k = prepare();
	my $n = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "$k->{dir}/notify") or die "notify: $!";
	$ENV{NOTIFY_SOCKET} = "$k->{dir}/notify";
	start($k);
	delete $ENV{NOTIFY_SOCKET};
	my $all = '';
	my $until = sub {
		my ($re) = @_;
		return until_true { my $m; if (IO::Select->new($n)->can_read(0.1)) { recv $n, $m, 4096, 0; $all .= $m } $all =~ $re };
	};
	ok($until->(qr/^READY=1/m), 'READY=1');
	kill 'HUP', $k->{pid};
	ok($until->(qr/^RELOADING=1\nMONOTONIC_USEC=\d+\n.*READY=1/ms), 'RELOADING=1, then READY=1');
	kill 'TERM', $k->{pid};
	ok($until->(qr/^STOPPING=1/m), 'STOPPING=1');
	is(ended($k), 0, 'stops');
}

# --- the front that never ends ---
is(ended($deaf), 0, 'SIGTERM with a deaf front ends all the same');
like(slurp($deaf->{log}), qr/stop-forced: kmsd-front 0 did not end in time: killed.*kmsd-stopped/s, 'it was killed when its time was up');
like(children($deaf), qr/kmsd-front 0 stop.*kmsd-activate -1 stop/s, 'and activate was stopped in order after it');

# --- the activation process that hangs ---
{
	local $LIMIT = 90;
	is(ended($slow), 70, 'an activation process that answers nothing: exit code 70');
	like(slurp($slow->{log}), qr/child-hung: kmsd-activate, process \d+, is alive and has not answered for 60 s: killed.*activate-died/s, 'after sixty intervals');
}

done_testing();
