#!/usr/bin/perl
# HACKING.md's table of rooms and the tree are the same: each folder with C files, tests or Python programs has a row, and each row is a
# folder. The C files that HACKING.md names with their folders exist.
use v5.36;
use Test::More;

my $src = $ENV{KMS_SRC} // '.';
chdir $src or die "$src: $!\n";
my $hacking = do { local (@ARGV, $/) = 'HACKING.md'; <> };
my ($table) = $hacking =~ /^\| room \|.*?\n\|[-|]+\n((?:\|.*\n)+)/m or die "HACKING.md has no table of rooms\n";
my @rows = $table =~ /^\| `([^`]+)\/` \|/mg;
is(scalar @rows, scalar(() = $table =~ /^\|/mg), 'each row begins with one folder');

my %folder;
$folder{s{^\./(.*)/[^/]+$}{$1}r}++
    for split /\n/, `find . -mindepth 2  \\( -path './build*' -o -path './.git' -o -path './kmsd-[0-9]*' -o -path './_build' \\) -prune -o \\( -name '*.[ch]' -o -name '*.t' -o -name '*.py' \\) -print`;
cmp_ok(scalar keys %folder, '>', 25, 'the folders are there');

my %row;
$row{$_}++ for @rows;
is_deeply([ grep { $row{$_} > 1 } sort keys %row ], [], 'no room has two rows');
is_deeply([ grep { !$row{$_} } sort keys %folder ], [], 'each folder with C files, tests or Python programs has its row in HACKING.md');
is_deeply([ grep { !-d } @rows ], [], 'each row of HACKING.md is a folder');
my @files = $hacking =~ m{\b((?:[a-z_]+/)+[a-z_]+\.[ch])\b}g;
cmp_ok(scalar @files, '>', 10, 'the path of a request is there');
is_deeply([ grep { !-f } @files ], [], 'each C file that HACKING.md names is there');
done_testing;
