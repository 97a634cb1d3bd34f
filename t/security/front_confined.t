#!/usr/bin/perl
# From inside the front's sandbox, everything that it forbids is tried, first without the sandbox
# (it works: the attempt is a real one), then within (refused with an errno, or the process is killed).
use strict;
use warnings;
use Test::More;
use File::Temp;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::INET;
use KMS::Test ();

my $build = $ENV{KMS_BUILD} // 'build';
my $dir = File::Temp->newdir('kms-confined-XXXXXX', TMPDIR => 1);
my $root = $> == 0;

diag('NOT AS ROOT: the layers uid and chroot are not tried here') unless $root;

sub put { open my $f, '>', $_[0] or die "$_[0]: $!"; print $f $_[1]; close $f or die $!; }

# As in an installed appliance: the host's key is there and belongs to another user.
mkdir "$dir/state" and mkdir "$dir/state/keys" or die $!;
put("$dir/state/keys/host.key", 'secret');
put("$dir/readable", 'anybody may read this');
chmod 0755, "$dir";
chmod 0644, "$dir/readable";
put("$dir/kms.ini", <<INI);
[kms]
state_directory = $dir/state
runtime_directory = $dir
front_user = nobody
INI

my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 512) or die $!;
# somebody to attack
my $victim = fork // die $!;
if ($victim == 0) {
	$SIG{TERM} = 'DEFAULT';
	close $listener;
	# The user of the fronts: it is not the user that protects it, as with a front's sibling.
	my ($uid, $gid) = (getpwnam 'nobody')[2, 3];
	if ($root) { $) = $( = $gid; $< = $> = $uid }
	sleep 600;
	require POSIX;
	POSIX::_exit(0);
}

sub attempt {
	my (@args) = @_;
	my $out = `$build/front_tries @args 2>&1`;
	return 'killed' if ($? & 127) == 31;	# SIGSYS
	return "signal " . ($? & 127) if $? & 127;
	return 'done' if $? == 0;
	return 'refused' if $? >> 8 == 10;
	return "exit " . ($? >> 8) . ": $out";
}

is(attempt("$dir/kms.ini", 'nothing'), 'done', 'the sandbox is in force, and writing to what was there works');

# what, argument, and how it is to end: by death unless libc does it in passing
my @table = (
	['open the host key', 'open', "$dir/state/keys/host.key", 'refused'],
	['open a file that anybody may read', 'open', "$dir/readable", 'refused'],
	['open /etc/passwd', 'open', '/etc/passwd', 'refused'],
	['create a file', 'create', "$dir/new", 'refused'],
	['write to a file that was open', 'write', '', 'refused'],
	['remove a file', 'unlink', "$dir/gone", 'killed'],
	['make an inet socket', 'socket-inet', '', 'refused'],
	['make a Unix socket', 'socket-unix', '', 'refused'],
	['connect a socket that was there', 'connect', $listener->sockport, 'refused'],
	['bind a socket that was there', 'bind', '', 'killed'],
	['listen on a socket that was there', 'listen', '', 'killed'],
	['start another program', 'exec', '', 'killed'],
	['fork', 'fork', '', 'killed'],
	['trace another process', 'ptrace', $victim, 'killed'],
	['signal another process', 'kill', $victim, 'killed'],
	['make memory that is code', 'code', '', 'killed'],
	['end a listening socket', 'shut-listener', '', 'killed'],
	['let others wait for ever at a listening socket', 'block-listener', '', 'killed'],
	['connect outward from a listening socket', 'fast-open', $listener->sockport, 'killed'],
	['connect outward with sendmsg', 'fast-open-message', $listener->sockport, 'killed'],
	['make a multipath socket', 'multipath', '', 'refused'],
	['signal another process by thread', 'tgkill', $victim, 'killed'],
	['own a socket in the name of another process', 'set-owner', $victim, 'killed'],
	['have the kernel signal', 'set-signal', '', 'killed'],
	['set another option of a socket', 'socket-option', '', 'killed'],
	['connect outward with sendmmsg', 'fast-open-messages', $listener->sockport, 'killed'],
	['have the first write connect', 'fast-open-option', '', 'killed'],
	['read an option of a socket', 'read-option', '', 'killed'],
	['own a socket in the name of a thread', 'set-owner-thread', $victim, 'killed'],
	['own a socket by ioctl', 'set-owner-ioctl', $victim, 'killed'],
	['the same by its other name', 'set-group-ioctl', $victim, 'killed'],
	['have the kernel signal by ioctl', 'set-signal-ioctl', '', 'killed'],
	['choose which signal', 'choose-signal', '', 'killed'],
	['queue a signal', 'queue-signal', $victim, 'killed'],
	['open another process', 'open-process', $victim, 'killed'],
	['read the memory of another process', 'read-memory', $victim, 'killed'],
	['read about another process', 'read', "/proc/$victim/status", 'refused'],
	['slow another process down', 'priority', $victim, 'killed'],
	['make a UDP socket', 'socket-udp', '', 'refused'],
	['make a netlink socket', 'socket-netlink', '', 'refused'],
);
push @table, ['become root again', 'root', '', 'killed'] if $root;

my $sanitized = `nm $build/front_tries $build/.libs/front_tries 2>/dev/null` =~ /__asan_init/;
# The same on the kernel of Debian 12, whose Landlock knows neither ports nor signals.
my @kernels = ('this kernel', 'Linux 6.1');
for my $row (map { my $kernel = $_; map { [ @$_, $kernel ] } @table } @kernels) {
	my ($name, $what, $argument, $end, $kernel) = @$row;
	local $ENV{KMS_TRY_LANDLOCK} = $kernel eq 'Linux 6.1' ? 2 : 99;
	$name .= " ($kernel)";
	put("$dir/gone", '') if $what eq 'unlink';
	is(attempt('free', $what, $argument), 'done', "$name: can be done without the sandbox");
	unlink "$dir/new";
	put("$dir/gone", '') if $what eq 'unlink';
	my $got = attempt("$dir/kms.ini", $what, $argument);
	if ($sanitized) {
		like($got, qr/^(?:refused|killed)$/, "$name: $got (built with a sanitizer)");
	} else {
		is(KMS::Test::held($what, $got, $end), $end, "$name: $end");
	}
}
# With a relay, TCP to the ports of the ini file, and nothing else. Without one, none of it.
my $allowed = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 512) or die $!;
open my $copy, '<', "$dir/kms.ini" or die $!;
my $plain = do { local $/; <$copy> };
put("$dir/relay.ini", $plain . "[relay]\nupstream = 192.0.2.1:" . $allowed->sockport . "\n");
my $tcp_ports = `uname -r` =~ /^(\d+)\.(\d+)/ && ($1 > 6 || $1 == 6 && $2 >= 7);
diag('THIS KERNEL IS OLDER THAN 6.7: Landlock cannot hold the relay to its ports, not tried here') unless $tcp_ports;
for my $row (
	['connect to a port of the relay', 'connect-new', $allowed->sockport, 'refused', 'done'],
	['connect to another port', 'connect-new', $listener->sockport, 'refused', $tcp_ports ? 'refused' : 'done'],
	['make a UDP socket', 'socket-udp', '', 'refused', 'killed'],
	['make a netlink socket', 'socket-netlink', '', 'refused', 'killed'],
	['make a Unix socket', 'socket-unix', '', 'refused', 'refused'],
	['open a file', 'open', "$dir/readable", 'refused', 'refused'],
	['make a multipath socket', 'multipath', '', 'refused', 'killed'],
	['connect outward from a listening socket', 'fast-open', $listener->sockport, 'killed', 'killed'],
	['connect outward with sendmmsg', 'fast-open-messages', $listener->sockport, 'killed', 'killed'],
	['have the first write connect', 'fast-open-option', '', 'killed', 'killed'],
	['own a socket in the name of another process', 'set-owner', $victim, 'killed', 'killed'],
	['have the kernel signal', 'set-signal', '', 'killed', 'killed'],
	['set another option of a socket', 'socket-option', '', 'killed', 'killed'],
	['read an option of a socket', 'read-option', '', 'killed', 'killed'],
	['start another program', 'exec', '', 'killed', 'killed'],
	['bind a socket that was there', 'bind', '', 'killed', 'killed'],
) {
	my ($name, $what, $argument, $without, $with) = @$row;
	is(attempt('free', $what, $argument), 'done', "$name: can be done without the sandbox") ;
	my @got = map { attempt("$dir/$_.ini", $what, $argument) } qw(kms relay);
	s/killed/refused/ for $sanitized ? (@got, $without, $with) : ();
	is(KMS::Test::held($what, $got[0], $without), $without, "$name: $without without a relay");
	is(KMS::Test::held($what, $got[1], $with), $with, "$name: $with with a relay");
}

ok(!-e "$dir/new", 'nothing was created');
ok(-e "$dir/gone", 'nothing was removed');
ok(kill(0, $victim), 'and nobody was hurt');
kill 'KILL', $victim;
waitpid $victim, 0;

done_testing;
