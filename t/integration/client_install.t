#!/usr/bin/perl
# A product built against the installed library: make install to a directory of
# its own, what pkg-config says, the headers as C11 and as C++, and no symbol
# exported but those of kms.map.
use v5.36;
use Cwd 'abs_path';
use File::Temp;
use Test::More;

my $src = abs_path($ENV{KMS_SRC} // '.');
my $build = abs_path($ENV{KMS_BUILD} // 'build');
my $dir = File::Temp->newdir('kms-install-XXXXXX', TMPDIR => 1);

# This make is no part of the one that runs the tests.
delete @ENV{qw(MAKEFLAGS MAKELEVEL MFLAGS DESTDIR)};
my $out = `make -C '$build' install-libLTLIBRARIES install-includeHEADERS install-pkgconfigDATA DESTDIR='$dir' 2>&1`;
is($?, 0, 'make install') or BAIL_OUT($out);

my ($pc) = glob "$dir/usr/local/lib/pkgconfig/kms.pc $dir/*/lib/pkgconfig/kms.pc $dir/*/lib/*/pkgconfig/kms.pc";
($pc) = split /\n/, `find '$dir' -name kms.pc` unless $pc && -e $pc;
my $libdir = $pc =~ s|/pkgconfig/kms.pc$||r;
local $ENV{PKG_CONFIG_SYSROOT_DIR} = "$dir";
local $ENV{PKG_CONFIG_PATH} = "$libdir/pkgconfig";
chomp(my $flags = `pkg-config --cflags --libs kms`);
is($?, 0, 'pkg-config knows kms');
like($flags, qr/-lkms\b/, 'and names the library');
unlike($flags, qr/sodium|cares|jansson|event/, 'and no other');
chomp(my $version = `pkg-config --modversion kms`);

# A sanitized library needs its runtime in the program too.
open my $f, '<', "$build/config.h" or die "config.h: $!";
my $san = grep({ /define KMS_SANITIZED 1/ } <$f>) ? '-fsanitize=address,undefined' : '';
my $clang = `grep -m1 '^CC = ' '$build/Makefile'` =~ /clang/;

my %compilers = (
    'C11' => ($clang ? 'clang' : 'gcc') . " -std=c11 -x c",
    'C++' => ($clang ? 'clang++' : 'g++') . " -std=c++11 -x c++",
);
for my $name (sort keys %compilers) {
    my $said = `$compilers{$name} -pedantic -Wall -Wextra -Werror $san -o '$dir/product' '$src/t/lib/product.c' -x none $flags 2>&1`;
    is($?, 0, "a product in $name") or diag $said;
    my $told = `LD_LIBRARY_PATH='$libdir' '$dir/product' '$dir/state-$name' 2>&1`;
    is($told, "libkms $version licence 1 grace 43200 rows 1\n", 'runs, in its grace');
}

open my $map, '<', "$src/libkms/kms.map" or die;
my %want = map { $_ => 1 } join('', <$map>) =~ /\b(kms_\w+)/g;
my %have = map { $_ => 1 } `nm -D --defined-only '$libdir/libkms.so'` =~ /^\S+ [TDBR] (\w+)/mg;
is(join(' ', sort keys %have), join(' ', sort keys %want), 'exports what kms.map names and no more');
my $needed = join ' ', `readelf -d '$libdir/libkms.so'` =~ /NEEDED.*\[(\w+)/g;
unlike($needed, qr/jansson|event|lmdb/, "needs no JSON, event loop or database: $needed");
my $undefined = join ' ', `nm -D --undefined-only '$libdir/libkms.so'` =~ /\b(signal|sigaction|pthread_create|fork|execve|exit|abort)\b/g;
is($undefined, '', 'no thread, signal handler, child process or exit');
unless ($san) { # sanitizers keep books of their own
    my @data = grep { !/^(?:__dso_handle|__TMC_END__|completed\.\d+)$/ }
        `nm -f sysv '$build/.libs/libkms.so'` =~ /^(\S+)\s*\|.*\|\s*\.(?:data|bss)\s*$/mg;
    is("@data", '', 'no writable global');
}
done_testing;
