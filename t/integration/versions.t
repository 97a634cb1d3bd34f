#!/usr/bin/perl
# The real kmsd over a ledger that another version wrote: an index of an earlier schema is made again, in the sandbox, and clients go on; one of a later
# schema is refused, with what to type. And the packages' script that refuses an older package over a newer ledger.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use Test::More;

my $a = start_appliance(publisher => publisher(products => [ { name => 'Kept', id => '11111111-1111-4111-8111-111111111111', threshold => 1, group => 'client', pool => 'desktops' } ]), fronts => 1);
$a->enable(group => 'client');
is($a->client($_, 'activate')->{exit}, 0, "client $_ is activated") for qw(one two three);
is($a->stop, 0, 'kmsd stops');
my $dir = $a->dir;
my $ledger = "$dir/state/kmsdb";
my ($schema) = slurp("$SRC/kmsdb/version.h") =~ /^#define INDEX_SCHEMA (\d+)/m;
my ($version) = slurp("$ledger/version") =~ /\Aindex $schema\nkmsd (\S+)\n\z/;
ok(defined $version, 'the ledger says who wrote it');

# The row that begins with the schema, in each page that has it.
sub schema_is ($number) {
    my $file = "$ledger/index/data.mdb";
    my $octets = slurp($file);
    my $n = $octets =~ s/kmsdb\K\0\0\0.(?=\0\0\0\0)/pack 'N', $number/gse;
    cmp_ok($n, '>', 0, "the index has schema $number");
    open my $to, '+<:raw', $file or die "$file: $!";
    print {$to} $octets;
    close $to or die "$file: $!";
}

schema_is($schema - 1);
my $r = $a->kmsctl('clients');
like("$r->{out}$r->{err}", qr/index version ${\($schema - 1)} .*which reads index version $schema\. Start kmsd, which makes it again/s, 'kmsctl, which reads alone, says who makes it again');
$a->start;
like($a->log, qr/index-rebuild: the index has schema ${\($schema - 1)}, and kmsd \Q$version\E has $schema: it is made again from the journal, up to batch \d+/, 'kmsd makes it again');
like($a->log, qr/index-rebuild: the index has been made again/, 'and says when it is done');
is($a->client($_, 'renew')->{exit}, 0, "client $_ renews") for qw(one two three);
is($a->stop, 0, 'kmsd stops');
is($a->kmsctl('ledger', 'check')->{exit}, 0, 'the ledger is sound');
ok(!-e "$ledger/index.new" && !-e "$ledger/restored", 'nothing is left of it');

schema_is($schema + 1);
my $log = "$dir/refused";
my $pid = spawn([ program('kmsd'), '-f', $a->ini, '-L', "$dir/libexec" ], log => $log);
isnt(wait_exit($pid, 60), 0, 'an index of a later version: kmsd does not start');
like(slurp($log), qr{ledger-refused: .*kmsdb/index: written by another version: index version ${\($schema + 1)} \(by kmsd \Q$version\E\); this is kmsd \Q$version\E, which reads index version $schema\. Install kmsd \Q$version\E again\. To go back, stop kmsd and run kmsctl ledger rebuild},
    'and says what to type');
is($a->kmsctl('ledger', 'rebuild')->{exit}, 0, 'kmsctl ledger rebuild knows the whole journal');
$a->start;
is($a->client('one', 'renew')->{exit}, 0, 'and kmsd goes on');
is($a->stop, 0, 'kmsd stops');

# The script, as debhelper makes it, with another place for kms.ini.
my $script = spew("$dir/preinst", slurp("$SRC/debian/kmsd.preinst") =~ s/#INDEX_SCHEMA#/$schema/r =~ s{/etc/kms/kms\.ini}{$dir/package.ini}r);
is(slurp("$SRC/debian/kmsctl.preinst"), slurp("$SRC/debian/kmsd.preinst"), 'both packages have it');
spew("$dir/package.ini", "[kms]\nstate_directory = $dir/state  ; here\n[listen]\nport = 1688\n");
for my $of (
    [ "index $schema\nkmsd $version\n", 'the same version', 0, 'upgrade', $version, $version ],
    [ "index 1\nkmsd 0.0.1\n", 'an earlier one', 0, 'upgrade', '0.0.1', $version ],
    [ 'index 1x', 'rubbish', 0, 'upgrade', '0.0.1', $version ],
    [ '', 'nothing', 0, 'install' ],
    [ "index @{[ $schema + 1 ]}\nkmsd 99.0\n", 'a later one', 1, 'upgrade', '99.0', $version ],
    [ "index @{[ $schema + 1 ]}\nkmsd 99.0\n", 'a later one, whose package was removed', 1, 'install' ],
    [ "index @{[ $schema + 1 ]}\nkmsd 99.0\n", 'the end of a refused one', 0, 'abort-upgrade', $version ],
) {
    my ($text, $name, $exit, @arguments) = @$of;
    spew("$ledger/version", $text);
    local $ENV{DPKG_MAINTSCRIPT_PACKAGE} = 'kmsd';
    my $r = run([ 'sh', $script, @arguments ]);
    is($r->{exit}, $exit, "$name: " . ($exit ? 'refused' : 'taken')) or diag($r->{err});
    next if !$exit;
    like($r->{err}, qr{\Akmsd: (?:this version|version \S+) is not installed, and nothing was changed: kmsd 99\.0 wrote the ledger in\n\Q$ledger\E \(schema ${\($schema + 1)}\)}, "$name: why");
    like($r->{err}, qr{^    mv \Q$ledger/version $ledger/version.newer\E\n.*^    kmsctl ledger rebuild\n}ms, "$name: and what to type");
}
done_testing;
