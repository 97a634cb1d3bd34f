#!/usr/bin/perl
# libkms for Windows under Wine: the unit tests and golden vectors, and kmsclient.exe against a real kmsd: activation, renewal, discovery by
# DNS, an outage, a clock that was set back, many processes with one state file, kmsclient run. ./bootstrap windows runs it as root:
#
#   KMS_WINDOWS    what etc/windows/make made
#   KMS_WINE_ROOT  a Debian system with Wine in it (wine64, wine32:i386), which is entered with chroot; it gets files in /tmp/kms-wine
#   KMS_WINE_FOR   "x64 x86", or one of them
use v5.36;
use Cwd 'abs_path';
use FindBin;
use File::Path qw(make_path remove_tree);
use lib "$FindBin::Bin/../lib";
use IO::Socket::INET;
use JSON::PP;
use KMS::Clock;
use KMS::Test;
use POSIX ();
use Test::More;

my ($windows, $root) = map { abs_path($ENV{$_} // '') // '' } qw(KMS_WINDOWS KMS_WINE_ROOT);
-d $windows && -d "$root/usr/lib/wine" or die "KMS_WINDOWS or KMS_WINE_ROOT is no such folder: ./bootstrap windows sets both\n";
$> == 0 or die "chroot and a network of its own need root\n";
# A network of its own: a name server at port 53 of this machine, and nobody else.
if (!$ENV{KMS_WINE_APART}) {
    $ENV{KMS_WINE_APART} = 1;
    $ENV{KMS_SRC} = abs_path($ENV{KMS_SRC} // '.');
    $ENV{KMS_BUILD} = abs_path($ENV{KMS_BUILD} // 'build');
    exec 'unshare', '--net', '--mount', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', $^X, $0;
}
my ($library) = grep { -e } "$BUILD/.libs/libclockahead.so", "$BUILD/libclockahead.so";
my $here = "/tmp/kms-wine";
my $work = "$root$here";
remove_tree($work);
make_path($work);
for my $point (qw(proc dev sys)) {
    make_path("$root/$point");
    system('mount', '--rbind', "/$point", "$root/$point") == 0 or die "mount $point\n";
}
spew("$root/etc/resolv.conf", "nameserver 127.0.0.1\nsearch wine.example\n");

# What a Windows program prints ends its lines as Windows does. An i686 program without wine32 prints nothing and returns 0: output counts.
sub wine ($folder, @command) {
    my $r = run([ 'chroot', $root, 'env', '-i', 'PATH=/usr/bin:/bin', 'HOME=/root', "WINEPREFIX=$here/prefix", 'WINEDEBUG=-all',
        'WINEDLLOVERRIDES=mscoree,mshtml=', 'LANG=C.UTF-8', 'sh', '-c', 'cd "$1" && shift && exec "$@"', 'sh', "$here/$folder", @command ]);
    s/\r\n/\n/g for $r->{out}, $r->{err};
    return $r;
}
wine('', 'wineboot', '-i');
wine('', 'wineserver', '-w');
ok(-e "$work/prefix/system.reg", 'Wine has its folder') or BAIL_OUT('Wine does not start');

# -- the appliance, for all --

my $publisher = publisher(products => [ { name => 'Wine Writer', id => '11111111-1111-4111-8111-111111111111', threshold => 1, group => 'server', pool => 'desktops' } ]);
my $appliance = start_appliance(publisher => $publisher);
$appliance->enable;
my $port = $appliance->port;
# The SRV record comes with its target's address: Wine 8 calls an answer without it a bad packet.
my $dns = spawn([ 'dnsmasq', '--keep-in-foreground', '--no-resolv', '--no-hosts', '--conf-file=/dev/null', '--port=53', '--listen-address=127.0.0.1', '--bind-interfaces',
    '--user=root', "--pid-file=$work/dnsmasq.pid", "--srv-host=_kms._tcp.wine.example,kms.wine.example,$port,10,5", '--host-record=kms.wine.example,127.0.0.1' ],
    log => "$work/dnsmasq.log");
wait_for(10, sub { -s "$work/dnsmasq.pid" }, 'dnsmasq runs');

for my $system (split ' ', $ENV{KMS_WINE_FOR} // 'x64 x86') {
    subtest $system => sub { check($system) };
}
end_process($dns);
$appliance->stop;
wine('', 'wineserver', '-k');
system('umount', '-R', "$root/$_") for qw(proc dev sys);
remove_tree($work);
done_testing;

sub check ($system) {
    make_path("$work/$system");
    system('cp', '-r', glob("$windows/$system/*.exe"), "$windows/$system/libkms-1.dll", "$work/$system") == 0 or die "cp\n";

    make_path("$work/$system/doc");
    system('cp', "$ENV{KMS_SRC}/doc/kms-protocol.7", "$work/$system/doc/") == 0 or die "cp\n"; # test_error reads it
    for my $path (sort glob "$work/$system/test_*.exe") {
        my ($name) = $path =~ m{([^/]+)$};
        my $r = wine($system, 'wine', $name);
        my ($planned) = $r->{out} =~ /^1\.\.(\d+)$/m;
        my $passed = () = $r->{out} =~ /^ok \d/mg;
        ok($planned && $passed == $planned && $r->{exit} == 0, "$name: all of its " . ($planned // 'no') . ' tests') or diag("$r->{out}$r->{err}");
    }
    my ($same, $all) = (0, 0);
    for my $path (glob "$ENV{KMS_SRC}/t/vectors/*.txt") {
        my ($name) = $path =~ m{([^/]+)\.txt$};
        my $r = wine($system, 'wine', 'make_vectors.exe', $name);
        $all++;
        $same++ if $r->{out} eq slurp($path);
    }
    ok($all > 10 && $same == $all, "golden vectors: $same of $all are the same bytes");

    my $state = "st\xc3\xa4te-$system";
    my @product = ('-k', $publisher->{key}, '-p', $publisher->{products}[0]{id}, '-N', "wine-$system");
    my @who = (@product, '-s', $state);
    my $client = sub ($verb, @args) {
        my $r = wine($system, 'wine', 'kmsclient.exe', '--json', @who, @args, ref $verb ? @$verb : $verb);
        my $json = eval { decode_json($r->{out}) } // {};
        return { %$json, exit => $r->{exit}, said => $r->{err}, out => $r->{out} };
    };
    my @at = ('-H', "127.0.0.1:$port");

    my $r = $client->('status');
    is($r->{licence}, 'grace', 'a new client is in grace') or diag("$r->{exit} $r->{out}$r->{said}");
    like($r->{client}, qr/^[0-9a-f]{32}$/, 'and has an id');
    my $id = $r->{client};
    ok(-e "$work/$system/$state" && -e "$work/$system/$state.key", 'its two files have the name that UTF-8 says');
    $r = $client->('activate', @at);
    is("$r->{exit} $r->{licence}", '0 activated', 'first activation') or diag("$r->{out}$r->{said}");
    is($r->{client}, $id, 'of the same client');
    $r = $client->('renew', @at);
    is("$r->{exit} $r->{licence}", '0 activated', 'renewal') or diag("$r->{out}$r->{said}");

    # Linux reads what Windows wrote.
    my $linux = run([ program('kmsclient'), '--json', @product, '-s', "$work/$system/$state", 'verify' ]);
    is($linux->{exit}, 0, 'the state file is the same on Linux: verified') or diag("$linux->{out}$linux->{err}");

    $r = $client->('discover');
    like($r->{out}, qr/kms\.wine\.example.*\b$port\b/s, 'DNS: the SRV record in the search domain') or diag("$r->{out}$r->{said}");
    $r = $client->('renew');
    is($r->{exit}, 0, 'and a renewal at the host that it names') or diag("$r->{out}$r->{said}");
    $r = $client->('renew', '-d', 'wine.example', '-n', '127.0.0.1');
    is($r->{exit}, 0, 'a domain and a name server that are named') or diag("$r->{out}$r->{said}");
    $r = $client->('discover', '-d', 'other.example');
    isnt($r->{exit}, 0, 'no SRV record: no host');
    $r = $client->('renew', '-d', 'wine.example', '-n', '127.0.0.1:5353');
    like($r->{out} . $r->{said}, qr/IPv4 address: Windows asks name servers at port 53/, 'a name server with a port is refused in words');

    my $dead = IO::Socket::INET->new(Proto => 'tcp', LocalAddr => '127.0.0.1', LocalPort => 0) or die;
    $r = $client->('renew', '-H', '127.0.0.1:' . $dead->sockport);
    is("$r->{exit} $r->{status} $r->{licence}", '3 KMS_E_NO_HOST activated', 'an outage: no host, and the lease stays valid') or diag("$r->{out}$r->{said}");
    like($r->{detail} // '', qr/Connection refused/, 'the detail says why');

    # A clock that was set back: somebody saw a time that is a hundred days ahead.
    KMS::Clock::write_ahead("$work/ahead", 100 * 86400);
    run([ 'env', "LD_PRELOAD=$library", "KMS_CLOCK_AHEAD=$work/ahead", program('kmsclient'), '--json', @product, '-s', "$work/$system/$state", 'status' ]);
    $r = $client->('status');
    is($r->{licence}, 'clock moved back', 'a clock behind the latest time seen') or diag("$r->{out}$r->{said}");

    # Many processes with one state file: one client.
    my @children = map {
        my $n = $_;
        my $pid = fork // die;
        if ($pid == 0) {
            my $one = wine($system, 'wine', 'kmsclient.exe', '--json', @product, '-s', "many", 'status');
            spew("$work/$system/many.out.$n", $one->{out});
            POSIX::_exit(0);
        }
        $pid;
    } 1 .. 6;
    waitpid $_, 0 for @children;
    my %ids = map { (eval { decode_json(slurp("$work/$system/many.out.$_"))->{client} } // 'none') => 1 } 1 .. 6;
    is(scalar(keys %ids), 1, 'six processes that begin at once have one client') or diag(join ' ', keys %ids);
    like((keys %ids)[0], qr/^[0-9a-f]{32}$/, 'which is one');

    $r = wine($system, 'wine', 'kmsclient.exe', @product, @at, 'run', '--', 'cmd', '/c', 'echo has a seat& exit 7');
    like("$r->{exit} $r->{out}", qr/^7 has a seat/, 'kmsclient run: the command runs, and its exit code is ours') or diag("$r->{out}$r->{err}");
    $r = wine($system, 'wine', 'kmsclient.exe', @product, @at, 'run', '--', 'no-such-command');
    is($r->{exit}, 127, 'kmsclient run: no such command') or diag("$r->{out}$r->{err}");
    $r = wine($system, 'wine', 'kmsclient.exe', '--json', @product, '-s', 'no\\folder\\state', 'status');
    isnt($r->{exit}, 0, 'a folder that is not there');
}
