#!/usr/bin/perl
# Words that are not to come back (HACKING.md, rule 9): in the documents, and in the comments and strings of C.
use v5.36;
use Test::More;

my $src = $ENV{KMS_SRC} // '.';
chdir $src or die "$src: $!\n";
my @documents = grep { -f } 'README.md', 'HACKING.md', 'NEWS.md', glob 'doc/*.md';
my @sources = map { s{^\./}{}r } split /\n/, `find . \\( -path './build*' -o -path './.git' -o -path './kmsd-[0-9]*' -o -path './_build' -o -path './t' \\) -prune -o -name '*.[ch]' -print`;
cmp_ok(scalar @documents, '>', 8, 'the documents are there');
cmp_ok(scalar @sources, '>', 300, 'the C files and headers are there');

my $NEVER = qr/\bwhom\b|\b(?:that|which|whose \w+) (?:is|are) none\b|\bis due\b/i;
# "octet" is the word of wire formats.
my %wire = map { $_ => 1 } qw(HACKING.md doc/formats.md);
my $WIRE = qr{^(?:libkms/(?:core|client)|kmsdb|kmsd/(?:ipc|front))/};

sub slurp ($path) {
    local (@ARGV, $/) = $path;
    return <>;
}

# Comments and strings of C, on the lines where they are. Whole words in a string are words; "journal-octets" is a key.
sub prose ($text) {
    my $prose = '';
    while ($text =~ m{\G(?:(/\*.*?\*/|//[^\n]*)|"((?:[^"\\]|\\.)*)"|('(?:[^'\\]|\\.)+'|[^"'/]+|/))}gcs) {
        my ($all, $comment, $string) = ($&, $1, $2);
        my $words = $comment // (($string // '') =~ / / ? $string : undef);
        $prose .= defined $words ? "$words " : $all =~ tr/\n//cdr;
    }
    return $prose;
}

sub hits ($path, $text, $pattern) {
    my ($line, @hits) = 0;
    for (split /\n/, $text) {
        $line++;
        push @hits, "$path:$line: $&" if $_ =~ $pattern;
    }
    return @hits;
}

my @found;
for (@documents) {
    push @found, hits($_, slurp($_), $NEVER);
    push @found, hits($_, slurp($_), qr/\boctets?\b/i) if !$wire{$_};
}
for (@sources) {
    my $prose = prose(slurp($_));
    push @found, hits($_, $prose, $NEVER);
    push @found, hits($_, $prose, qr/(?<![\w.>*])octets?(?![\w\[(.])/i) if $_ !~ $WIRE;
}
is(join("\n", @found), '', 'none of the words is there');

# The check itself: it sees comments and strings, and no names.
is(join(' ', hits('x', prose("int octets;\n/* by whom\n * an octet */\nf(\"one octet too long\", \"b-octets\");\n"), qr/$NEVER|octets?/i)),
    'x:2: whom x:3: octet x:4: octet', 'comments and strings are searched, and names are not');
done_testing;
