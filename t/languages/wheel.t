#!/usr/bin/perl
# The wheel of the Python package, built with what Debian has and without a network, and put where a product would have it; and the types that it
# promises (py.typed), as mypy sees them.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use Test::More;

my $dir = workspace();
my @apart = $> == 0 ? ('unshare', '--net') : ();
my $r = run([ @apart, "$SRC/python/make_wheel", "$BUILD/python/pyproject.toml", "$dir/dist" ]);
is($r->{exit}, 0, 'the wheel is built') or diag("$r->{out}$r->{err}");
my ($version) = slurp("$BUILD/config.h") =~ /^#define VERSION "([^"]+)"/m;
my @wheels = map { s{.*/}{}r } glob "$dir/dist/*";
is("@wheels", "kms-$version-py3-none-any.whl", 'one file, for every machine');
my %there = map { s{^\Q$SRC\E/python/}{}r => 1 } glob("$SRC/python/kms/*.py"), "$SRC/python/kms/py.typed";
my %packed = map { $_ => 1 } grep { !/dist-info/ } split /\n/, run([ '/usr/bin/python3', '-c', 'import sys, zipfile; print(*zipfile.ZipFile(sys.argv[1]).namelist(), sep="\n")', "$dir/dist/$wheels[0]" ])->{out};
is_deeply(\%packed, \%there, 'it has each file of the package');
like(slurp("$SRC/python/python.am"), qr{\Q$_\E\b}, "the archive of the source has $_") for map { "python/$_" } sort keys %there;

# As an installer unpacks it.
$r = run([ "$SRC/python/make_wheel", '--unpacked', "$BUILD/python/pyproject.toml", "$dir/site" ]);
is($r->{exit}, 0, 'unpacked') or diag("$r->{out}$r->{err}");
my $said = run([ 'env', "PYTHONPATH=$dir/site", '/usr/bin/python3', '-B', '-c', 'import importlib.metadata as m; print(m.version("kms"), m.metadata("kms")["License"])' ]);
is($said->{out}, "$version ISC\n", 'its version is the tree\'s') or diag($said->{err});
$said = run([ 'env', "PYTHONPATH=$dir/site", "LD_LIBRARY_PATH=$dir", '/usr/bin/python3', '-B', '-c', 'import kms' ]);
like($said->{err}, qr/^OSError: libkms\.so\.1: .*$/m, 'without libkms, the message names it') if !-e '/usr/lib/libkms.so.1' && $said->{exit} != 0;

my @typed = ("$SRC/python/kms", grep { -e } "$SRC/demo/products/notes.py");
for my $path (@typed) {
    my $types = run([ 'env', "MYPYPATH=$SRC/python", 'mypy', '--strict', '--python-executable', '/usr/bin/python3', '--cache-dir', "$dir/mypy", $path ]);
    is($types->{exit}, 0, 'mypy --strict ' . $path =~ s{^\Q$SRC\E/}{}r) or diag("$types->{out}$types->{err}");
}
done_testing;
