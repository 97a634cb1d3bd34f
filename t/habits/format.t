#!/usr/bin/perl
# Every C file and header is as clang-format leaves it, and no two headers have one name.
use v5.36;
use Test::More;

my $src = $ENV{KMS_SRC} // '.';
chdir $src or die "$src: $!\n";
my @files = sort split /\n/, `find . \\( -path './build*' -o -path './.git' -o -path './kmsd-[0-9]*' -o -path './_build' \\) -prune -o \\( -name '*.c' -o -name '*.h' \\) -print`;
cmp_ok(scalar @files, '>', 300, 'the C files and headers are there');
for my $file (@files) {
    my $said = `clang-format --dry-run -Werror \Q$file\E 2>&1`;
    is($? >> 8, 0, $file) or diag(join "\n", (split /\n/, $said)[0 .. 1]);
}
my %named;
push @{ $named{ s{.*/}{}r } }, $_ for grep { /\.h$/ } @files;
is(join("\n", map { @$_ > 1 ? "@$_" : () } values %named), '', 'no two headers have one basename');
done_testing;
