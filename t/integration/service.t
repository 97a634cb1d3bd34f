#!/usr/bin/perl
# kmsd as the systemd unit starts it, without systemd: no network but the socket that it is given, the unit's
# capabilities and no_new_privs, a notification socket, a watchdog and journald's own socket. All of it is the real kmsd.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Fcntl qw(F_SETFD);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use KMS::Test;
use POSIX ();
use Test::More;

plan skip_all => 'only root can give up what the unit takes: run as root' if $> != 0;

my $unit = slurp("$SRC/etc/systemd/kmsd.service.in");
my @capabilities = map { lc } map { s/^CAP_//r } map { split ' ' } $unit =~ /^CapabilityBoundingSet=(.*)$/mg;
cmp_ok(scalar @capabilities, '>', 5, 'the unit names the capabilities');

my $dir = workspace();
my $socket = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1') or die "socket: $!";
my $manager = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "$dir/notify") or die "notify: $!";
mkdir "$dir/journal" or die;
my $journald = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "$dir/journal/socket") or die "journal: $!";
chmod 0777, "$dir/journal/socket";
# The kernel keeps ten datagrams, and kmsd writes more before it is ready: a child reads them as journald does.
my $reader = fork // die "fork: $!";
if (!$reader) {
    open my $to, '>>', "$dir/journal.log" or POSIX::_exit(1);
    $to->autoflush;
    print {$to} "$_\n" while defined recv($journald, $_, 65536, 0);
    POSIX::_exit(0);
}
END { local $?; kill 'KILL', $reader; waitpid $reader, 0 }

my $three;
my $a = start_appliance(
    publisher => publisher(),
    setup => sub {
        POSIX::dup2(fileno $socket, 3) or die "dup2: $!";
        open $three, '+<&=', 3 or die;
        fcntl $three, F_SETFD, 0;
        @ENV{qw(LISTEN_PID LISTEN_FDS NOTIFY_SOCKET WATCHDOG_USEC)} = ($$, 1, "$dir/notify", 400_000);
        $ENV{WATCHDOG_PID} = $$;
    },
    # The shell executes kmsd in its own place, so that the process id of LISTEN_PID stays right.
    through => [ 'unshare', '--mount', '--net', 'sh', '-ec',
        'mount -t tmpfs none /run; mkdir -p /run/systemd/journal; mount --bind "$0/journal" /run/systemd/journal;'
            . 'JOURNAL_STREAM=$(stat -Lc %d:%i /proc/self/fd/2); export JOURNAL_STREAM; exec "$@"', $dir,
        'setpriv', '--no-new-privs', '--bounding-set=-all,' . join(',', map { "+$_" } @capabilities) ]);

# What came on a datagram socket, until it matches.
sub heard ($from, $all, $match, $what) {
    my $select = IO::Select->new($from);
    my $found = eval {
        wait_for(20, sub {
            while ($select->can_read(0.1)) {
                recv $from, my $text, 65536, 0;
                $$all .= "$text\n";
                return 1 if $$all =~ $match;
            }
            return $$all =~ $match;
        }, $what);
    };
    ok($found, $what) or diag("$$all\n" . $a->log);
}

sub logged ($match, $what) {
    ok(eval { wait_for(20, sub { -e "$dir/journal.log" && slurp("$dir/journal.log") =~ $match }, $what); 1 }, $what)
        or diag(slurp("$dir/journal.log") . $a->log);
}

my $notified = '';
logged(qr/^PRIORITY=5\nSYSLOG_IDENTIFIER=kmsd\nSYSLOG_FACILITY=3\nKMS_EVENT=kmsd-ready\nMESSAGE=kmsd-ready: serving on port \d+$/m,
    'journald gets the event as a field');
heard($manager, \$notified, qr/^READY=1$/m, 'the service manager hears that kmsd is ready');
logged(qr/^SYSLOG_IDENTIFIER=kmsd-front\n.*\nKMS_EVENT=front-ready$/m, 'from a front too');
logged(qr/^SYSLOG_IDENTIFIER=kmsd-activate\n.*\nKMS_EVENT=activate-ready$/m, 'and from the activation process');
is($a->log, '', 'and standard error stays empty');
heard($manager, \$notified, qr/(?:WATCHDOG=1\s+.*){3}/s, 'and again and again that it lives');


my ($status) = $a->kmsctl_json('status');
my %layers = map { $_->{process} => $_->{layers} } @{ $status->{sandbox} };
for my $process (sort keys %layers) {
    like($layers{$process}, $process =~ /front/ ? qr/no-new-privs.*uid.*chroot.*landlock.*seccomp/ : qr/no-new-privs.*uid.*landlock.*seccomp/,
        "$process is confined as ever");
}
like(join("\n", values %layers), qr/netns/, 'the activation process has its own network namespace');
like(slurp("$dir/journal.log"), qr/KMS_EVENT=child-ready\nMESSAGE=.*kmsd-front 1/, 'both fronts are ready');
unlike(slurp("$dir/journal.log"), qr/capabilities-kept|sandbox-missing|memory-not-locked/, 'nothing is missing');
is($a->enable->client('one', 'activate')->{exit}, 5, 'a client is served on the inherited socket, and counted');

kill 'HUP', $a->pid;
heard($manager, \$notified, qr/^RELOADING=1\nMONOTONIC_USEC=\d+\n.*^READY=1$/ms, 'a reload is announced, and its end');
is($a->stop, 0, 'SIGTERM: exit code 0');
heard($manager, \$notified, qr/^STOPPING=1$/m, 'the stop is announced');
done_testing;
