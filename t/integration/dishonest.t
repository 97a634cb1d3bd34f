#!/usr/bin/perl
# The customer who cheats, and accidents that look like it: a table of forged audit files, each with what kmsissue audit verify must find in it,
# how bad that is, and how it exits. Rows A1 to A13 are those of the table in kms.audit(5).
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP;
use KMS::Test;
use Test::More;

my $dir = workspace();
mkdir "$dir/forged" or die;
my $r = run([ '/usr/bin/python3', '-B', "$SRC/t/integration/dishonest_forge.py", "$dir/forged" ]);
is($r->{exit}, 0, 'the files are forged') or diag($r->{err});
my ($key, @cases) = map { decode_json($_) } split /\n/, $r->{out};
cmp_ok(scalar @cases, '>', 80, scalar(@cases) . ' cases');

my (%rows, %kinds);
for my $case (@cases) {
    my $name = "$case->{row} $case->{name}";
    $rows{ $case->{row} }++;
    my $r = run([ program('kmsissue'), 'audit', 'verify', '-P', $key->{key}, '--json', @{ $case->{args} },
        @{ $case->{files} // [ $case->{file} ] } ]);
    my $said = json_of($r);
    is($r->{exit}, $case->{exit}, "$name: exit $case->{exit}") or diag("$r->{err}\n$r->{out}");
    is($said->{status}, $case->{status}, "$name: $case->{status}");
    my @found = map {"$_->{grade} $_->{kind} $_->{batch} $_->{count}"} @{ $said->{findings} // [] };
    is(join("\n", @found), join("\n", @{ $case->{found} }), "$name: the findings") or diag(map {"$_->{finding}\n"} @{ $said->{findings} });
    for (@{ $said->{findings} // [] }) {
        $kinds{ $_->{kind} }++;
        like($_->{finding}, qr/^\S.{15,198}$/, "$name: in words");
    }
    for my $member (sort keys %{ $case->{also} }) {
        is($said->{$member}, $case->{also}{$member}, "$name: $member");
    }
}
is_deeply([ grep { !$rows{"A$_"} } 1 .. 13 ], [], 'each row of the table has its cases');
my ($source) = slurp("$SRC/kmsctl/issue/audit_findings.c") =~ /kinds\[AUDIT_KINDS\] = \{(.*?)\n\};/s;
my @all = $source =~ /\{ "([\w-]+)", /g;
cmp_ok(scalar @all, '>', 25, 'kinds of findings');
# The absent host is known from a register alone: several_hosts.t.
is_deeply([ grep { !$kinds{$_} } @all ], ['host-absent'], 'each kind has a case');
my $page = slurp("$SRC/doc/kms.audit.5");
is_deeply([ grep { $page !~ /^\.It Cm (?:.* )?\Q$_\E(?: |$)/m } @all ], [], 'and stands in kms.audit(5)');

# The register: what is proved is recorded, and a contradiction is not.
my %file = map { $_->{name} => $_ } @cases;
mkdir "$dir/publisher" or die;
mkdir "$dir/publisher/issued" or die;
spew("$dir/publisher/publisher.pub", "untrusted comment: forged\n$key->{key}\n");
sub registered ($name) {
    my $case = $file{$name} // die $name;
    my $r = run([ program('kmsissue'), 'audit', 'verify', '-d', "$dir/publisher", '--json', @{ $case->{args} }, $case->{file} ]);
    return ($r, scalar json_of($r));
}
for my $name (qw(copied-back-lease restored-to-another-hash below-the-threshold clock-back-cut)) {
    my (undef, $said) = registered($name);
    ok(defined $said->{recorded} && !$said->{recorded}, "$name: not recorded");
}
for my $name ('honest', 'over-the-capacity') {
    mkdir "$dir/$name" or die;
    my (undef, $said) = registered($name);
    ok($said->{recorded}, "$name: recorded") or diag(explain($said));
    run([ 'rm', '-rf', "$dir/publisher/issued/ledger" ]);
}
(undef, my $said) = registered('made-anew-lease');
ok(!$said->{recorded}, 'made-anew-lease: not recorded');
(undef, $said) = registered('lease-in-the-chain');
ok($said->{recorded}, 'a true chain is');
($r, $said) = registered('copied-back');
is("$r->{exit} $said->{status}", '1 KMS_E_MISSING', 'after that, the copy that was set back ends too early, without --last');
($r, $said) = registered('audited-batch-replaced');
is("$r->{exit} $said->{status}", '1 KMS_E_CHAIN', 'and one that was made anew differs');
$r = run([ program('kmsissue'), 'audit', 'verify', '-d', "$dir/publisher", '--override', '', $file{'copied-back'}{file} ]);
is($r->{exit}, 1, 'an override needs a reason');
my @restored = ('-d', "$dir/publisher", '--json', '--override', 'disk failed, backup of May', $file{'audited-batch-replaced'}{file});
$r = run([ program('kmsissue'), 'audit', 'verify', @restored ]);
ok($r->{exit} == 0 && json_of($r)->{recorded}, 'with it the restored host begins anew in the register') or diag($r->{err});
my ($event) = reverse @{ json_of(run([ program('kmsissue'), 'ledger', '-d', "$dir/publisher", '--json' ]))->{events} };
is("$event->{event} $event->{override} $event->{reason}", 'audit 1 disk failed, backup of May', 'which keeps the reason');
$r = run([ program('kmsissue'), 'audit', 'verify', '-d', "$dir/publisher", '--json', $file{'audited-batch-replaced'}{file} ]);
is($r->{exit}, 0, 'and the next audit joins it');
$r = run([ program('kmsissue'), 'audit', 'verify', @restored[ 0 .. 4 ], $file{'copied-back-lease'}{file}, '--lease', $file{'copied-back-lease'}{args}[-1] ]);
$said = json_of($r);
ok($r->{exit} == 3 && $said->{recorded} && $said->{worst} eq 'contradiction', 'a contradiction that was settled is recorded, and still said');
done_testing;
