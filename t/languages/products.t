#!/usr/bin/perl
# demo/products: one small product in C and in Python, each in fewer than 80 lines, against one appliance. Both say and do the same, line by line:
# counted in their grace, licensed, through an outage, for a publisher's developer who changed nothing, and with a host of another customer.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use Test::More;

delete @ENV{qw(KMS_HOST KMS_DOMAIN LC_ALL LC_MESSAGES LANG LANGUAGE)};
my $dir = workspace();
my $product = '11111111-1111-4111-8111-111111111111';
my $publisher = publisher(products => [ { name => 'Example Notes', id => $product, threshold => 2, group => 'client', pool => 'desktops' } ]);
my $appliance = start_appliance(publisher => $publisher)->enable(group => 'client', options => [ '--entitlement', 'edition=Professional' ]);
my @at = ('env', 'KMS_HOST=127.0.0.1:' . $appliance->port);

for my $file (glob "$SRC/demo/products/notes.*") {
    my $lines = () = slurp($file) =~ /\n/g;
    cmp_ok($lines, '<', 80, $file =~ s{.*/}{}r . ' has fewer than 80 lines');
}

# Built as a developer does, and as he wrote it: without a key of his own.
my $sanitized = slurp("$BUILD/config.h") =~ /define KMS_SANITIZED 1/;
my $cc = slurp("$BUILD/Makefile") =~ /^CC = .*clang/m ? 'clang' : 'gcc';
my @flags = (qw(-std=c11 -pedantic -Wall -Wextra -Werror), $sanitized ? '-fsanitize=address,undefined' : (), "-I$SRC/libkms", "-L$BUILD/.libs", "-Wl,-rpath,$BUILD/.libs");
for my $made ([ notes => "-DPUBLISHER_KEY=\"$publisher->{key}\"", "-DPRODUCT=\"$product\"" ], [ 'unchanged' ]) {
    my ($name, @defines) = @$made;
    my $r = run([ $cc, @flags, @defines, '-o', "$dir/$name", "$SRC/demo/products/notes.c", '-lkms' ]);
    is($r->{exit}, 0, "$name is built") or diag($r->{err});
}
spew("$dir/notes.py", slurp("$SRC/demo/products/notes.py") =~ s/^(PUBLISHER_KEY = )".*"/$1"$publisher->{key}"/mr =~ s/^(PRODUCT = )".*"/$1"$product"/mr);
my @python = ('/usr/bin/python3', '-B', "$SRC/t/languages/tap.py");
my %language = (C => [ "$dir/notes" ], Python => [ @python, "$dir/notes.py" ]);
my %unchanged = (C => [ "$dir/unchanged" ], Python => [ @python, "$SRC/demo/products/notes.py" ]);
sub both ($what, $exit, $out, $err, %opt) {
    for my $name (sort keys %language) {
        my $folder = "$dir/$name" . ($opt{folder} // '');
        mkdir $folder;
        my $r = run([ @{ $opt{at} // \@at }, @{ ($opt{program} // \%language)->{$name} }, $folder, @{ $opt{note} // [] } ]);
        my $expected = ref $out eq 'HASH' ? $out->{$name} : $out;
        is("$r->{exit} $r->{out}", "$exit $expected", "$name: $what");
        like($r->{err}, $err, "$name: its log") or diag($r->{err});
    }
}

my $licensed = "Example Notes, Professional: this product is licensed. Nothing to do.\n";
# Of two machines that are needed, the first is told to ask again, and runs in its grace.
my $first = run([ @at, @{ $language{C} }, workspace(), 'one' ]);
is($first->{exit}, 0, 'the first machine runs in its grace') or diag($first->{err});
like($first->{out}, qr/^Example Notes, Standard: this product has no licence yet.*\none\n$/s, 'and says so');
like($first->{err}, qr/^notes: .*KMS_E_COUNT_TOO_LOW/, 'its log knows why');
both('licensed, it writes', 0, "${licensed}one\n", qr/^$/, note => ['one']);
both('and once more, without asking', 0, "${licensed}one\ntwo\n", qr/^$/, note => ['two']);
is($appliance->stop, 0, 'the host stops');
both('a lease is good without a host', 0, "${licensed}one\ntwo\nthree\n", qr/^$/, note => ['three']);
both('a new machine without a host runs in its grace', 0, { map { $_ => $first->{out} =~ s/one\n//r } keys %language }, qr/^notes: 127\.0\.0\.1 port \d+: .*KMS_E_NO_HOST/, folder => '-new');
both('a developer who changed nothing is told what to change', 1, { C => '', Python => '' }, qr/^notes: publisher_key: .* is not a minisign public key/, program => \%unchanged, folder => '-unchanged', note => ['no']);
ok(!-e "$dir/$_-unchanged/notes.txt", "$_: nothing is written without a licence") for keys %language;
done_testing;
