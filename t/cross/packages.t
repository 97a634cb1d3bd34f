#!/usr/bin/perl
# libkms for i386 beside libkms for amd64, on one machine: packages.t, which t/cross/run starts with its place in KMS_CROSS. The client's packages are
# built here for amd64, and for i386 in the system that t/cross/run made; both are installed into a copy of it, with one kmsclient. A product that is
# linked against each is activated by the kmsd of KMS_BUILD. A libkms1 of before, which had kmsclient itself, is replaced without a word.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use Test::More;

my $cross = $ENV{KMS_CROSS} or BAIL_OUT('KMS_CROSS is not set: t/cross/run runs this');
my $place = "$cross/packages";
my $root = "$cross/i386/root";
my @names = qw(libkms1 libkms-dev kmsclient);

sub good ($name, @command) {
    my $r = run(\@command);
    is($r->{exit}, 0, $name) or BAIL_OUT(substr "$r->{out}$r->{err}", -3000);
    return $r->{out};
}

# What builds packages there; and what libkms for amd64 needs.
my $tools = run([ "$SRC/t/cross/inside", $cross, 'i386', 'sh', '-c', 'test -x /usr/bin/dh || {
    cat >/etc/resolv.conf && apt-get -qq update && apt-get -qq -y --no-install-recommends install debhelper dpkg-dev libsodium-dev libc-ares-dev; }' ],
    in => slurp('/etc/resolv.conf'));
is($tools->{exit}, 0, 'debhelper') or BAIL_OUT(substr "$tools->{out}$tools->{err}", -3000);

# Both builds: of the client alone.
run([ 'rm', '-rf', $place ]);
mkdir $place;
$ENV{DEB_BUILD_PROFILES} = 'pkg.kmsd.client';
$ENV{DEB_BUILD_OPTIONS} = 'noautodbgsym';
good('packages for amd64', "$SRC/debian/build", "$place/amd64");
run([ 'rm', '-rf', "$cross/exchange/i386.debs" ]);
good('packages for i386', "$SRC/t/cross/inside", $cross, 'i386', 'env', map({ "$_=$ENV{$_}" } qw(DEB_BUILD_PROFILES DEB_BUILD_OPTIONS)),
    qw(/src/debian/build --host i386 /exchange/i386.debs));
my %deb = map { m{/([^/_]+)_[^/]*_(\w+)\.deb$} ? ("$1:$2" => $_) : () } glob "$place/amd64/*.deb $cross/exchange/i386.debs/*.deb";
is(join(' ', sort keys %deb), join(' ', sort map { ("$_:amd64", "$_:i386") } @names), 'the client\'s packages, for both');

# A machine with both.
my $machine = "$place/root";
good('a machine', 'cp', '-a', $root, $machine);
END { run([ 'rm', '-rf', $machine ]) if defined $machine }
sub on (@command) { return run([ 'chroot', $machine, qw(env PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive), @command ]) }
sub dpkg ($what, @debs) {
    run([ 'cp', @debs, "$machine/tmp/" ]);
    my $r = on('dpkg', '-i', map { s{.*/}{/tmp/}r } @debs);
    is($r->{exit}, 0, $what) or diag("$r->{out}$r->{err}");
}

# As it was: kmsclient in libkms1, under the same version.
{
    my $old = "$place/old";
    good('an older libkms1', 'dpkg-deb', '-R', $deb{'libkms1:amd64'}, $old);
    run([ 'dpkg-deb', '-x', $deb{'kmsclient:amd64'}, $old ]);
    run([ 'rm', '-rf', "$old/usr/share/doc/kmsclient" ]);
    spew("$old/DEBIAN/control", slurp("$old/DEBIAN/control") =~ s/^(?:Multi-Arch|Suggests): .*\n//mgr);
    run([ qw(dpkg-deb -Znone --root-owner-group -b), $old, "$place/old.deb" ]);
    dpkg('the older libkms1 is installed', "$place/old.deb");
    like(on(qw(dpkg -S /usr/bin/kmsclient))->{out}, qr/^libkms1:/, 'it has kmsclient');
}
dpkg('kmsclient first, which replaces a file of the older libkms1', $deb{'kmsclient:amd64'});
dpkg('both libraries, beside each other', map { ($deb{"libkms1:$_"}, $deb{"libkms-dev:$_"}) } qw(amd64 i386));
is(on(qw(dpkg -S /usr/bin/kmsclient))->{out}, "kmsclient: /usr/bin/kmsclient\n", 'kmsclient has its file');
is(on(qw(dpkg --audit))->{out}, '', 'and dpkg finds nothing that is wrong');
for (qw(x86_64-linux-gnu i386-linux-gnu)) { ok(-e "$machine/usr/lib/$_/libkms.so.1", "libkms.so.1 for $_") }

# A product linked against each.
my $product = '11111111-1111-4111-8111-111111111111';
my $p = publisher(products => [ { name => 'Twofold', id => $product, threshold => 1, group => 'client', pool => 'desktops' } ]);
my $a = start_appliance(publisher => $p, fronts => 1);
$a->enable(group => 'client');
my @flags = ("-DPUBLISHER_KEY=\"$p->{key}\"", "-DPRODUCT=\"$product\"", '/tmp/product.c', '-lkms');
run([ 'cp', "$SRC/libkms/examples/product.c", "$machine/tmp/" ]);
is(on('i686-linux-gnu-gcc', '-o', '/tmp/product.i386', @flags)->{exit}, 0, 'linked for i386');
{
    # The compiler for amd64 is this machine's.
    my $libs = "$machine/usr/lib/x86_64-linux-gnu";
    local $flags[2] = "$machine/tmp/product.c";
    good('linked for amd64', 'gcc', '-o', "$machine/tmp/product.amd64", "-I$machine/usr/include", "-L$libs", "-Wl,-rpath-link,$libs", @flags);
}
for my $processor (qw(amd64 i386)) {
    my $r = on("/tmp/product.$processor", "/tmp/$processor.state", '127.0.0.1:' . $a->port);
    like($r->{out}, qr/^Example Product: this product is licensed\. .*^Licensed to /ms, "the product for $processor is activated") or diag("$r->{out}$r->{err}");
}
my $r = on('kmsclient', '-k', $p->{key}, '-p', $product, '-s', '/tmp/i386.state', 'status');
like($r->{out}, qr/^licence: activated$/m, 'and the one kmsclient reads the state of the one for i386') or diag($r->{err});
is($a->stop, 0, 'kmsd stops');
done_testing;
