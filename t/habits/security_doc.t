#!/usr/bin/perl
# doc/security.md promises nothing that no test shows: each row of "What is promised" names a test, and each test, manual page, guide, event
# and key of kms.ini that the page names exists. A test that t/t.am does not run shows nothing.
use v5.36;
use Test::More;

my $src = $ENV{KMS_SRC} // '.';
chdir $src or die "$src: $!\n";

sub slurp ($path) {
    local (@ARGV, $/) = $path;
    return <>;
}

my $text = slurp('doc/security.md');
my ($promised, $not) = $text =~ /^## What is promised\n(.*?)^## What cannot be promised\n(.*)\z/ms or die "doc/security.md has other parts\n";
my $am = slurp('t/t.am') =~ s/\\\n//gr;

sub rows ($part) { return grep { !/^\| (?:promise|not promised) \|/ && !/^\|[-|]+$/ } $part =~ /^(\|.*)$/mg }
sub cells ($row) { return map { s/^\s+|\s+$//gr } split /\|/, $row =~ s/^\||\|$//gr }

my (undef, @attackers) = split /^### /m, $promised;
cmp_ok(scalar @attackers, '>=', 9, 'the attackers are there');
is_deeply([ map { /^(.*)$/m } grep { !rows($_) } @attackers ], [], 'something is promised against each');

# What make check runs: the words of TAPS.
my %value;
$value{$1} = join ' ', $value{$1} // (), $2 while $am =~ /^(\w+)\s*\+?=\s*(.*)$/mg;
sub words ($variable) { return map { /^\$\((\w+)\)$/ ? words($1) : $_ } split ' ', $value{$variable} // '' }
my %runs = map { $_ => 1 } words('TAPS');
cmp_ok(scalar keys %runs, '>', 100, 'the list of tests is there');

for my $row (rows($promised)) {
    my ($promise, $shown, @more) = cells($row);
    my @tests = ($shown // '') =~ /`([^`]+)`/g;
    ok(@tests > 0 && !@more, "shown by a test: $promise");
    is(join(' ', grep { !m{^t/[\w/]+\.[ct]$} || !-f || !$runs{ s/\.c\z//r } } @tests), '', "which is there and runs: @tests");
}
for my $row (rows($not)) {
    my ($what, $do, @more) = cells($row);
    ok(length($do // '') > 0 && !@more, "something can be done: $what");
}
cmp_ok(scalar rows($not), '>=', 12, 'what cannot be promised is said');

is_deeply([ grep { !-f } $text =~ m{`?\b((?:t|doc)/[\w/-]+\.\w+)}g ], [], 'each file that the page names is there');
is_deeply([ grep { my ($name, $section) = /^(.*)\((\d)\)$/; !-f "doc/$name.$section" } $text =~ /\b([a-z][\w.-]*\(\d\))/g ], [],
    'so is each manual page');
my $pages = join '', map { slurp($_) } glob 'doc/*.[1-8]';
for my $heading ($text =~ /\(\d\), "([^"]+)"/g) {
    like($pages, qr/^\.S[hs] \Q$heading\E$/m, "a manual page has the section $heading");
}
is_deeply([ grep { $pages !~ /\b\Q$_\E\b/ } $text =~ /`([a-z]+(?:[_-][a-z]+)+)`/g ], [], 'each key and event is in a manual page');
cmp_ok(scalar split(/\n/, $text), '<=', 120, 'it is a page');

# How to report, where people look for it.
ok(-s 'SECURITY.md', 'SECURITY.md');
like(slurp('README.md'), qr/\(SECURITY\.md\)/, 'README leads to it');
is_deeply([ grep { !-e } slurp('SECURITY.md') =~ m{\b((?:t|doc|debian)/[\w/-]+(?:\.\w+)?)}g ], [], 'what it names is there');
my ($address) = slurp('debian/control') =~ /^Maintainer:.*<(.*)>/m;
is($address =~ /\.example$/ ? 1 : 0, slurp('SECURITY.md') =~ /\.example/ ? 1 : 0, "what it says of the maintainer's address, $address, is so");
done_testing;
