#!/usr/bin/perl
# The Debian packages: built from the tree, clean under lintian, installed into a fresh Debian (debootstrap), serving from there; an upgrade
# over a kmsd with clients, on sockets that are kept as systemd keeps them, loses nobody; purging takes the configuration and
# leaves the ledger. KMS_DEBS=DIR takes packages that are built already.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Fcntl qw(F_SETFD);
use IO::Socket::INET;
use KMS::Debian;
use KMS::Test;
use POSIX ();
use Test::More;

skip_unless_possible(qw(debootstrap dpkg-buildpackage dh lintian setpriv));
my $packages = prepare();
my $dir = apart($packages);
my %deb = %{ $packages->{debs} };
ok($deb{$_}, "$_ is there") for @PACKAGES;

# lintian's tags of the kind that keeps a package out, and its warnings.
my $lintian = run([ 'lintian', '--allow-root', '--fail-on', 'error,warning', @deb{@PACKAGES} ]);
is($lintian->{exit}, 0, 'lintian has nothing to say') or diag("$lintian->{out}$lintian->{err}");

my $root = make_root($packages, "$dir/root");
run([ 'mount', '--bind', $_, "$root$_" ]) for '/dev', '/proc';
spew("$root/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n");
chmod 0755, "$root/usr/sbin/policy-rc.d";

sub in_root (@command) { return run([ 'chroot', $root, 'env', 'DEBIAN_FRONTEND=noninteractive', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', @command ]) }
sub install (@files) {
    run([ 'cp', @files, "$root/tmp/" ]);
    my $said = in_root('dpkg', '-i', map { s{.*/}{/tmp/}r } @files);
    is($said->{exit}, 0, 'dpkg -i') or diag("$said->{out}$said->{err}");
}

install(@deb{@PACKAGES});
is(in_root('id', '-u', $_)->{exit}, 0, "the user $_ is there") for qw(_kms _kmsnet _kmsnet1 _kmsweb _kmsshare);
is(in_root('stat', '-c', '%a %U', '/var/lib/kms')->{out}, "700 _kms\n", 'the state directory too');
ok(-l "$root/etc/systemd/system/multi-user.target.wants/kmsd.service", 'the service is enabled');
ok(-l "$root/etc/systemd/system/sockets.target.wants/kmsd.socket", 'and its socket');
is(in_root('kmsd', '-n')->{exit}, 0, 'the ini file is valid');
is(in_root('kmsctl', 'apply', '--root', '/')->{exit}, 0, 'kmsctl apply');
my $drift = json_of(in_root('kmsctl', '--json', 'plan', '--root', '/'));
is_deeply([ grep { $_->{state} eq 'due' } @{ $drift->{differences} } ], [], 'and nothing is left to do');

# Served from there, on a socket that stays.
my $product = '11111111-1111-4111-8111-111111111111';
my $p = publisher(dir => "$dir/publisher", products => [ { name => 'Packaged', id => $product, threshold => 1, group => 'client', pool => 'desktops' } ]);
spew("$root/etc/kms/kms.ini", slurp("$root/etc/kms/kms.ini")
    . "[listen]\naddress = 127.0.0.1\nport = 0\n[limits]\nrenewals_per_interval = 1000000\n[ledger]\nsegment_size = 1M\nmap_size = 16M\n[publisher acme]\nkey = $p->{key}\n");
my $socket = IO::Socket::INET->new(Listen => 1024, LocalAddr => '127.0.0.1') or die "socket: $!";
my $three;
sub start_kmsd () {
    my $pid = spawn([ 'chroot', $root, '/usr/sbin/kmsd' ], log => "$dir/log", setup => sub {
        POSIX::dup2(fileno $socket, 3);
        open $three, '+<&=', 3 or die;
        fcntl $three, F_SETFD, 0;
        @ENV{qw(LISTEN_PID LISTEN_FDS)} = ($$, 1);
    });
    eval { wait_for(30, sub { in_root('kmsctl', 'status')->{exit} == 0 }, 'kmsd serves') } or BAIL_OUT($@ . slurp("$dir/log"));
    return $pid;
}
my $kmsd = start_kmsd();
my $key = issue_key($p, group => 'client');
run([ 'cp', $p->{pack}, "$p->{pack}.minisig", $key, "$key.minisig", "$root/tmp/" ]);
my @names_of = map { s{.*/}{/tmp/}r } $p->{pack}, $key;
is(in_root('kmsctl', 'policy', 'install', $names_of[0])->{exit}, 0, 'a pack');
is(in_root('kmsctl', 'key', 'install', $names_of[1])->{exit}, 0, 'a key');
in_root('kmsctl', 'key', 'request', '-o', '/tmp/host.kmsreq');
my $certificate = confirm($p, "$root/tmp/host.kmsreq", output => "$root/tmp/host");
is(in_root('kmsctl', 'key', 'confirm', '/tmp/host.kmscert')->{exit}, 0, 'and its confirmation');

my $acks = "$dir/acks";
my $siege = start_siege(churn => 1, port => $socket->sockport, publisher => $p, product => $product, clients => 16,
    state => "$dir/siege.state", acks => $acks, log => "$dir/siege.log");
my $more = sub { my $before = -s $acks // 0; wait_for(30, sub { (-s $acks // 0) > $before + 10_000 }, 'clients are served') };
$more->();

install(newer($packages, $dir));
$more->();
is(end_process($kmsd), 0, 'the kmsd of the old package stops');
$kmsd = start_kmsd();
$more->();
kill 'TERM', $siege;
is(wait_exit($siege, 60), 0, 'every answer was right');
like(slurp("$dir/siege.log"), qr/refused=0 dropped=0/, 'the upgrade refused and dropped nobody') or diag(slurp("$dir/siege.log"));
like(slurp("$root/etc/kms/kms.ini"), qr/publisher acme/, 'the administrator\'s ini file was kept');
is(in_root('kmsctl', 'ledger', 'check')->{exit}, 0, 'the ledger is whole');

# What a developer does with libkms-dev, whose dependencies are in this system because its control file names them: the headers and libraries
# are the system's; the compiler is this machine's, since it takes a minute to install one.
my $multiarch = run([ qw(dpkg-architecture -qDEB_HOST_MULTIARCH) ])->{out} =~ s/\n//r;
my $libs = "$root/usr/lib/$multiarch";
{
    local $ENV{PKG_CONFIG_SYSROOT_DIR} = $root;
    local $ENV{PKG_CONFIG_LIBDIR} = "$libs/pkgconfig:$root/usr/share/pkgconfig";
    like(run([ qw(pkg-config --cflags --libs kms) ])->{out}, qr/-lkms\b/, 'pkg-config knows libkms-dev') or diag(run([ qw(pkg-config --print-errors kms) ])->{err});
    run([ 'cp', '-r', "$root/usr/share/doc/libkms-dev/examples", "$dir/examples" ]);
    my $made = run([ 'make', '-C', "$dir/examples", "CFLAGS=-I$root/usr/include -L$libs -Wl,-rpath-link,$libs -DPUBLISHER_KEY='\"$p->{key}\"' -DPRODUCT='\"$product\"'" ]);
    is($made->{exit}, 0, 'its examples are built as their Makefile says') or diag("$made->{out}$made->{err}");
}
run([ 'cp', map({ "$dir/examples/$_" } qw(product product-static)), "$root/tmp/" ]);
for my $example (qw(product product-static)) {
    my $said = in_root("/tmp/$example", "/tmp/$example.state", '127.0.0.1:' . $socket->sockport);
    like($said->{out}, qr/^Example Product: this product is licensed\. .*^Licensed to /ms, "$example is activated") or diag("$said->{out}$said->{err}");
}


# And a product in Python: the package, its library and pydoc's pages are the system's.
spew("$root/tmp/product.py", <<"PYTHON");
import kms
with kms.Client("$p->{key}", "$product", "/tmp/python.state", host="127.0.0.1:@{[ $socket->sockport ]}") as client:
    client.activate()
    print(client.status().licence.name, client.status().customer, kms.__file__)
PYTHON
like(in_root('python3', '/tmp/product.py')->{out}, qr{^ACTIVATED Example Customer /usr/lib/python3/dist-packages/kms/__init__\.py$}, 'a product in Python is activated')
    or diag(in_root('python3', '/tmp/product.py')->{err});
is(in_root('python3', '-c', 'import importlib.metadata as m; print(m.version("kms"))')->{out}, (slurp("$SRC/debian/changelog") =~ /\(([^)]+)\)/)[0] . "\n",
    'and its version can be asked for');

is(end_process($kmsd), 0, 'kmsd stops');

my $r = in_root('dpkg', '--purge', @PACKAGES);
is($r->{exit}, 0, 'purge') or diag("$r->{out}$r->{err}");
ok(!-e "$root/usr/sbin/kmsd" && !-e "$root/etc/kms/kms.ini", 'programs and configuration are gone');
ok(-e "$root/var/lib/kms/keys/host.key", 'the ledger and the keys are kept');
like($r->{err}, qr/is kept: remove it by hand/, 'and purge says so');
is(join(' ', grep { !m{^\./var/lib/kms} } split /\n/, run([ 'sh', '-c', "cd $root && find . -xdev -name '*kms*' ! -path './tmp/*' ! -path './proc/*'" ])->{out} =~ s{\S*/(?:var/log|var/lib/(?:dpkg|systemd))\S*\n}{}gr),
    '', 'nothing else of it is left');
done_testing;
