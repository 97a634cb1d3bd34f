#!/usr/bin/perl
# Every C file is as clang-format leaves it.
use v5.36;
use Test::More;

my $src = $ENV{KMS_SRC} // '.';
chdir $src or die "$src: $!\n";
my @files = split /\n/, `find . -path './build*' -prune -o -name '*.c' -print`;
cmp_ok(scalar @files, '>', 50, 'the C files are there');
for my $file (sort @files) {
    my $said = `clang-format --dry-run -Werror \Q$file\E 2>&1`;
    is($? >> 8, 0, $file) or diag(join "\n", (split /\n/, $said)[0 .. 1]);
}
done_testing;
