#!/usr/bin/perl
# What systems do differently is in libkms/os: no other C file asks which system it is compiled for. kmsd itself is for Linux alone.
use v5.36;
use Test::More;

my $src = $ENV{KMS_SRC} // '.';
chdir $src or die "$src: $!\n";
my @files = map { s{^\./}{}r } split /\n/, `find . \\( -path './build*' -o -path './.git' -o -path './kmsd-[0-9]*' -o -path './_build' \\) -prune -o -name '*.[ch]' -print`;
cmp_ok(scalar @files, '>', 300, 'the C files and headers are there');

my @asks;
for my $path (grep { !m{^libkms/os/} } @files) {
    open my $fh, '<', $path or die "$path: $!\n";
    while (<$fh>) {
        push @asks, "$path:$.: $_" if /^\s*#\s*(?:el)?if.*\b(?:_WIN32|_WIN64|__MINGW\w+|__CYGWIN__)\b/;
    }
}
is(join('', @asks), '', 'no #if about the system outside libkms/os');
# A function of libkms/os on one system is there on the others, except which addresses a machine has: only kmsd and kmsctl ask that.
for my $folder (grep { -d } 'libkms/os/windows') {
    my @missing = grep { my $f = $_; !-f "$folder/$f" } map { s{.*/}{}r } grep { !/own_address/ } glob 'libkms/os/posix/*.c';
    is(join(' ', @missing), '', "$folder has a file for each of libkms/os/posix");
}
done_testing;
