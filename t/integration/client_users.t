#!/usr/bin/perl
# One state file and all who look at it: many processes at once, another user, a read-only file system, a full disk; what a process
# that may not write the latest time still promises; and each exit code of kmsclient(1), so that a script can tell "in use" from
# "may not run".
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Fcntl qw(:flock);
use KMS::Client;
use KMS::Clock;
use KMS::Test qw(run slurp spew wait_for);
use Test::More;

my $clock = KMS::Clock->start;
my $start = time;
chmod 0755, $dir;
my $host = standin('long'); # by default all stand-ins have the same keys
my @at = ('-H', "127.0.0.1:$host->{port}");

sub lock_of ($state) {
    open my $lock, '>>', "$state.lock" or die "$state.lock: $!";
    flock $lock, LOCK_EX or die "flock: $!";
    return $lock;
}

# A new machine: 40 processes begin at the same moment, and are one client.
my @children = map {
    my $n = $_;
    my $pid = fork // die;
    if ($pid == 0) {
        my $r = kmsclient_apart($n, 'status', '-s', "$dir/many");
        spew("$dir/many.$n", "$r->{exit} $r->{client} $r->{licence}");
        POSIX::_exit(0);
    }
    $pid;
} 1 .. 40;
waitpid $_, 0 for @children;
my %told = map { slurp("$dir/many.$_") => 1 } 1 .. 40;
is(scalar keys %told, 1, '40 processes that begin at once have one client') or diag explain \%told;
like((keys %told)[0], qr/^0 [0-9a-f]{32} grace$/, 'and each is told that the product runs');

# kmsclient of KMS::Client notes standard error in one file: each child has its own.
sub kmsclient_apart ($n, @args) {
    local $KMS::Client::dir = "$dir/apart.$n";
    mkdir $KMS::Client::dir;
    return kmsclient(@args);
}

# The exit codes, in the words of the page; messages come with failures, too.
my %seen;
sub code ($want, $what, $r) {
    $seen{$want} = 1;
    is($r->{exit}, $want, "exit $want: $what") or diag $r->{stderr};
}
code(4, 'status, without a licence: may not run', kmsclient('status', '--grace', 'none'));
code(4, 'verify, without a lease', kmsclient('verify'));
code(0, 'status, in grace', kmsclient('status'));
my ($port, $socket) = dead_port();
code(3, 'activate, nobody answers', kmsclient('activate', '-H', "127.0.0.1:$port"));
my $r;
for my $case ([ 'vm', 2, 'activate, the host refuses' ], [ 'count', 5, 'activate, too few clients yet' ]) {
    my $other = standin($case->[0]);
    my $r = kmsclient('activate', '-s', "$dir/$case->[0]", '-H', "127.0.0.1:$other->{port}");
    code($case->[1], $case->[2], $r);
    stop($other);
}
code(0, 'activate', kmsclient('activate', @at));
code(1, 'usage', kmsclient('fly'));
code(1, 'a wrong option', kmsclient('status', '--customer', ''));
$r = kmsclient('status', '-s', "$dir/vm");
is($r->{message}, "this product has no licence yet, and runs for a limited time. Connect to your organisation's network before that time ends.",
    'a message of the licence');
is($r->{'last-message'}, 'this product may not be used on a virtual machine. Ask your administrator.', 'and why it is not better');
spew("$dir/damaged", 'damage');
$r = kmsclient('status', '-s', "$dir/damaged");
code(4, 'status of a damaged file', $r);
is($r->{message}, 'the licence file is damaged. Ask your administrator.', 'a message of what is wrong here');
my $lock = lock_of("$dir/state");
$r = kmsclient('renew', @at);
code(6, 'renew, while another process asks: in use', $r);
is($r->{status}, 'KMS_E_EXISTS', 'and the status says so');
like($r->{message}, qr/^another program is using the licence\. /, 'and the message to the user');
is($r->{licence}, 'activated', 'what the client has stays');
code(0, 'status meanwhile', kmsclient('status'));
code(0, 'verify meanwhile', kmsclient('verify'));
my $briefly = fork // die;
if ($briefly == 0) { # with a copy of the lock, which goes when both have let go
    select undef, undef, undef, 0.3;
    POSIX::_exit(0);
}
close $lock;
code(0, 'renew, while another process only writes the time', kmsclient('renew', @at));
waitpid $briefly, 0;
my $begun = lock_of("$dir/begun");
code(6, 'status of a state that another process is making, for more than two seconds', kmsclient('status', '-s', "$dir/begun"));
close $begun;
my $page = slurp("$src/doc/kmsclient.1") =~ /^\.Sh EXIT CODES\n(.*?)^\.Sh /ms ? $1 : '';
is_deeply([ $page =~ /^\.It (\d+)$/mg ], [ sort keys %seen ], 'kmsclient(1) has these codes and no others');

# Who the customer is, and messages, in the language of the user.
$r = kmsclient('status');
is("$r->{customer}, $r->{'key-group'}", 'Test Customer, clients', 'whose licence it is');
is($r->{message}, 'this product is licensed. Nothing to do.', 'English');
for my $language (qw(LC_ALL LC_MESSAGES LANG)) {
    delete local @ENV{qw(LC_ALL LC_MESSAGES LANG)};
    local $ENV{$language} = 'de_AT.UTF-8';
    is(kmsclient('status')->{message}, "dieses Produkt ist lizenziert. Sie m\x{fc}ssen nichts tun.", "German, from $language");
}
# A wrong option is named as it was typed.
like(kmsclient('status', '--host-key', 'x')->{stderr}, qr/^kmsclient: --host-key: "x" is not a UUID/, 'a wrong option is named');
like(kmsclient('status', '-p', 'y')->{stderr}, qr/^kmsclient: --product: "y" is not a UUID/, 'also one that is required');
stop($host);

# The latest time seen: who may write it does, for all others.
sub at ($seconds) { $clock->to($start + $seconds) }
my $written = slurp("$dir/state");
at(3600);
is(kmsclient('verify')->{exit}, 0, 'an hour later');
isnt(slurp("$dir/state"), $written, 'the time is written');
SKIP: {
    if ($> != 0) {
        diag('*** NOT TESTED: another user, a read-only file system and a full disk. It needs root: sudo prove t/integration/client_users.t');
        skip 'needs root', 1;
    }
    my @others = (
        [ 'another user', qw(setpriv --reuid 65534 --regid 65534 --clear-groups) ],
        [ 'a read-only file system', 'unshare', '-m', 'sh', '-c', 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"', $dir ],
    );
    mkdir "$dir/small";
    for my $other (@others) {
        my ($who, @command) = @$other;
        $written = slurp("$dir/state");
        my $ask = sub ($command) {
            return run([ @command, "$build/kmsclient", '-k', $KMS::Client::key, '-p', $KMS::Client::product, '-s', "$dir/state", $command ]);
        };
        # Eight hours ahead, and back: nobody wrote it down, so that it goes unnoticed. This is the weaker promise of kms(3).
        at(8 * 3600);
        is($ask->($_)->{exit}, 0, "$who: $_") or diag $ask->($_)->{err} for qw(status verify);
        is(slurp("$dir/state"), $written, "$who: the state file stays as it is");
        at(3600);
        is($ask->('verify')->{exit}, 0, "$who: a clock set back by hours that nobody wrote down is not noticed");
        # But each lease ends for them as for all.
        at(11 * 86400);
        my $r = $ask->('verify');
        is($r->{exit}, 4, "$who: the lease ends");
        like($r->{err}, qr/KMS_E_LEASE_EXPIRED/, "$who: and it is said");
        at(3600);
    }
    # A full disk: the same, for the owner.
    $written = slurp("$dir/state");
    my @full = ('unshare', '-m', 'sh', '-ec', <<~'SH', "$dir/small", "$dir/state");
        mount -t tmpfs -o size=64k none "$0"
        cp "$1" "$0/state"
        dd if=/dev/zero of="$0/filler" bs=4096 2>/dev/null || true
        shift
        "$@"
        cmp "$0/state" "$OLD"
        SH
    local $ENV{OLD} = "$dir/state";
    at(8 * 3600);
    for my $command (qw(status verify)) {
        my $r = run([ @full, "$build/kmsclient", '-k', $KMS::Client::key, '-p', $KMS::Client::product, '-s', "$dir/small/state", $command ]);
        is($r->{exit}, 0, "a full disk: $command") or diag "$r->{out}$r->{err}";
    }
    # And what the others are protected by: one process that may write has seen the right time.
    is(kmsclient('verify')->{exit}, 0, 'the owner sees eight hours');
    at(3600);
    my $r = run([ qw(setpriv --reuid 65534 --regid 65534 --clear-groups), "$build/kmsclient", '-k', $KMS::Client::key, '-p', $KMS::Client::product,
        '-s', "$dir/state", 'verify' ]);
    is($r->{exit}, 4, 'then a clock that is set back is noticed by all');
    like($r->{err}, qr/KMS_E_CLOCK_BACK/, 'and it is said');
}
done_testing;
