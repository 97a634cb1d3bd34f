#!/usr/bin/perl
# Every manual page is clean under mandoc -Tlint -Wwarning, begins with examples and is installed, and every program has one.
use v5.36;
use Test::More;

sub slurp ($path) {
    local (@ARGV, $/) = $path;
    return <>;
}

my $src = $ENV{KMS_SRC} // '.';
my @pages = sort glob "$src/doc/*.[1-8]";
cmp_ok(scalar @pages, '>=', 8, 'the manual pages are there');
for my $page (@pages) {
    my $said = `mandoc -Tlint -Wwarning \Q$page\E 2>&1`;
    # Whether other pages are installed on this machine is not the page's fault.
    my @lines = grep { !/referenced manual not found/ } split /\n/, $said;
    is("@lines", '', "$page is clean");
}
# Each page begins with examples; what is a specification alone has them behind it.
for my $page (grep { !/kms-protocol\.7$/ } @pages) {
    my ($first) = grep { !/^(?:NAME|SYNOPSIS|DESCRIPTION)$/ } slurp($page) =~ /^\.Sh (.*)$/mg;
    is($first, 'EXAMPLES', "$page begins with examples");
}
# Each page is installed, and is in the package of its program.
my ($am, %packaged) = slurp("$src/doc/doc.am");
$packaged{$_}++ for map { split } map { slurp($_) } glob "$src/debian/*.manpages";
for my $page (map { s{.*/}{doc/}r } @pages) {
    like($am, qr{^dist_man_MANS \+=.* \Q$page\E\s}m, "make install installs $page");
    is($packaged{$page}, 1, "a package has $page");
}
for my $program (qw(kmsd.8 kmsctl.8 kmsissue.1 kmsclient.1 kms.3 kms.ini.5 kms.policy.5 kms.key.5
    kms.state.5 kms.audit.5 kms.journal.5 kms-protocol.7)) {
    ok(-f "$src/doc/$program", "$program exists");
}
done_testing;
