#!/usr/bin/perl
# Every time that kmsctl, kmsissue, kmsclient and kmsd print for a person has one form, with its zone: 2026-11-23T14:00:00Z. No output has
# an epoch, or a time of the zone in which the reader happens to be.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use POSIX ();
use Test::More;

$ENV{TZ} = 'Asia/Kathmandu'; # 5:45 from UTC: no time of it looks like one of ours
POSIX::tzset();
my $product = '11111111-1111-4111-8111-111111111111';
my $p = publisher(products => [ { name => 'Timed', id => $product, threshold => 1, group => 'client', pool => 'desktops' } ]);
my $a = start_appliance(publisher => $p, fronts => 1, ini => "[ledger]\ncheckpoint_interval = 1\n");
my $dir = $a->dir;
my $key = issue_key($p, group => 'client', valid_to => '2030-01-01T00:00:00Z');
$a->do('policy', 'install', $p->{pack});
$a->do('key', 'install', $key);
$a->certify($p, $key);
is($a->client($_, 'activate')->{exit}, 0, "$_ is activated") for qw(one two revoked);
$a->do(qw(client revoke revoked));
isnt($a->client('revoked', 'renew')->{exit}, 0, 'one is refused');
# A copy, which is held.
for my $end ('', '.key') { spew("$dir/clients/copy$end", slurp("$dir/clients/one$end")); chmod 0600, "$dir/clients/copy$end" }
$a->client($_, 'renew') for qw(one copy one);

my $times = 0;
# $least: how many times the output must have, so that the test sees what it is about.
sub one_form ($what, $least, $text) {
    my $left = $text =~ s/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ//gr;
    my $found = () = $text =~ /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g;
    $times += $found;
    cmp_ok($found, '>=', $least, "$what: $least times or more") or diag $text;
    # A time of day, a date in front of one, and seconds since 1970 from 2017 to 2065. Numbers in a UUID, a hash or a key are none.
    my @wrong = $left =~ /(.*(?:\b\d{1,2}:\d\d:\d\d\b|\d{4}-\d\d-\d\d[ T]\d|(?<![\w.-])(?:1[5-9]|2\d)\d{8}(?![\w.-])|\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b|\+0545).*)/g;
    is_deeply(\@wrong, [], "$what: no other form");
}
sub ctl ($least, @args) {
    my $r = $a->kmsctl(@args);
    one_form("kmsctl @args", $least, "$r->{out}$r->{err}");
    unlike($r->{out}, qr/^ *[a-z]+(?:-[a-z]+)+:/m, "kmsctl @args: every field has words of its own");
}
my @of_host = (
    [ 2, 'status' ], [ 3, 'clients' ], [ 3, 'clients', '--full' ], [ 2, 'client', 'show', 'two' ], [ 1, 'client', 'show', 'one' ], [ 1, 'why', 'revoked' ], [ 2, 'why', 'one' ],
    [ 1, 'why', '127.0.0.1' ], [ 2, 'clients', '--clones' ], [ 1, 'key', 'show' ], [ 2, 'key', 'show', '--detailed' ], [ 1, 'policy', 'history' ], [ 0, 'policy', 'show' ],
    [ 0, 'policy', 'simulate', $p->{pack} ], [ 0, 'relay', 'status' ], [ 0, 'doctor' ], [ 0, 'plan' ], [ 0, 'ledger', 'check' ], [ 0, 'client', 'forget', '--address', '127.0.0.1' ],
    [ 0, 'clients', '--relayed' ], [ 0, 'config', 'check' ],
);
ctl(@$_) for @of_host;
mkdir "$dir/sent" or die;
run([ 'cp', $key, "$key.minisig", $p->{pack}, "$p->{pack}.minisig", "$p->{dir}/publisher.pub", "$dir/sent" ]);
ctl(0, 'setup', "$dir/sent");
spew($a->ini, slurp($a->ini) =~ s/(\[publisher .*\n)/$1host_key = $key\n/r);
$a->do('key', 'remove', '--yes');
ctl(1, 'plan'); # the end of the key that is not installed
$a->do('key', 'install', $key);
ctl(0, 'audit', 'export', '-o', "$dir/all.kmsaudit");

sub client ($least, @args) {
    my $r = $a->client(@args[ 0, 1 ]);
    one_form("kmsclient @args", $least, "$r->{out}$r->{err}");
}
client(1, 'two', $_) for qw(status renew);
client(0, @$_) for [qw(two verify)], [qw(one renew)], [qw(one verify)];
$a->client('two', 'export-lease', args => ["$dir/two.lease"]);

sub issue ($least, @args) {
    my $r = run([ program('kmsissue'), @args ]);
    one_form("kmsissue @args[0, 1]", $least, "$r->{out}$r->{err}");
}
my @public = ('-P', "$p->{dir}/publisher.pub");
my ($confirmed) = glob "$dir/host.*.kmscert";
issue(@$_) for [ 0, 'show', @public, $p->{pack} ], [ 1, 'show', @public, $key ], [ 1, 'show', @public, $confirmed ], [ 1, 'show', @public, "$dir/two.lease" ],
    [ 1, 'ledger', '-d', $p->{dir} ], [ 1, 'audit', 'verify', @public, "$dir/all.kmsaudit" ];

is($a->stop, 0, 'kmsd stops');
ctl(@$_) for [ 0, 'status' ], [ 3, 'clients' ], [ 1, 'client', 'show', 'one' ], [ 1, 'why', 'revoked' ], [ 0, 'ledger', 'rebuild' ];
one_form('the log of kmsd', 0, $a->log);
cmp_ok($times, '>=', 60, "$times times were looked at");
done_testing;
