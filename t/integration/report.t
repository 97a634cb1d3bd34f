#!/usr/bin/perl
# What a host tells of its past: how much each pool was used, by day, week and month; who was refused; what ends. For root, for the groups
# that may only look, and without kmsd.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Digest::SHA qw(sha256_base64);
use JSON::PP ();
use KMS::Clock;
use KMS::Test;
use POSIX qw(strftime);
use Test::More;

use constant DAY => 86400;

my ($desk, $rack) = ('dddddddd-0000-4000-8000-000000000001', 'dddddddd-0000-4000-8000-000000000002');
my $p = publisher(products => [ { id => $desk }, { id => $rack } ],
    ini => "[policy]\nid = p\ntitle = P\nversion = 1.0\nissued = 2026-01-01\n[group client]\n[pool desktops]\nnumber = 1\ncapacity = 3\n[pool racks]\nnumber = 2\n"
        . "[product $desk]\nname = Desk\ngroup = client\npool = desktops\nthreshold = 1\n[product $rack]\nname = Rack\ngroup = client\npool = racks\nthreshold = 1\n");
my $clock = KMS::Clock->start;
my $a = start_appliance(publisher => $p, fronts => 1, environment => $clock->environment,
    ini => "[kms]\nmonitor_group = daemon\n[ledger]\ncheckpoint_interval = 1\n[class pc]\npool = desktops\nnames = pc*\nlimit = 4\n");
$a->enable(group => 'client', output => $a->dir . '/customer');
chmod 0755, $a->dir;

sub date ($time) { return strftime('%Y-%m-%d', gmtime $time) }
sub usage (@args) { return [ map { my %r = %$_; \%r } @{ ($a->kmsctl_json(qw(report usage), @args))[0]{usage} } ] }
# "DAY POOL peak end first renewals releases clients refusals"
sub lines (@args) {
    return map { join ' ', @{$_}{qw(period pool peak end first renewals releases clients refusals)} } @{ usage(@args) };
}

# Not at the end of a day: what follows is of one.
my $left = DAY - $clock->now % DAY;
$clock->to($clock->now + $left + 60) if $left < 600;
my $today = $clock->now;
is($a->client("pc$_", 'activate', product => $desk)->{exit}, 0, "pc$_ is activated") for 1 .. 3;
isnt($a->client("pc$_", 'activate', product => $desk)->{exit}, 0, "pc$_ is one too many") for 4, 5;
is($a->client('pc1', 'renew', product => $desk)->{exit}, 0, 'pc1 renews');
is($a->client('pc2', 'release', product => $desk)->{exit}, 0, 'pc2 gives its seat back');
is($a->client('rack', 'activate', product => $rack)->{exit}, 0, 'a machine of the other pool');
# The end of the run writes how often it refused.
is($a->stop, 0, 'kmsd stops');
my @first = sort(lines('--from', date($today)));
is(scalar @first, 2, 'without kmsd: two pools') or diag explain \@first;
like($first[0], qr/^\S+ \d+ 3 2 3 1 1 3 2$/, 'the first, by its number');
like($first[1], qr/^\S+ \d+ 1 1 1 0 0 1 0$/, 'and the other');
is(usage('--from', date($today))->[0]{beyond}, undef, 'nothing is beyond a capacity that is not known');
isnt(($a->kmsctl('report', 'usage', '--pool', 'desktops'))->{exit}, 0, 'it has no names then');
$a->start;
is_deeply([ lines('--from', date($today)) ],
    [ date($today) . ' desktops 3 2 3 1 1 3 2', date($today) . ' racks 1 1 1 0 0 1 0' ], 'with kmsd, by name');
is_deeply([ lines('--pool', 'RACKS') ], [ date($today) . ' racks 1 1 1 0 0 1 0' ], '--pool');
is_deeply([ lines('--product', 'Desk') ], [ lines('--pool', 'desktops') ], '--product: its pool');
is_deeply([ lines('--product', $desk) ], [ lines('--pool', 'desktops') ], 'by UUID');
my ($row) = @{ usage('--pool', 'desktops') };
is($row->{capacity}, 3, 'its capacity');

my $text = $a->kmsctl('report', 'usage')->{out};
like($text, qr/^ *Day\s+Publisher\s+Pool\s+Products\s+Peak\s+Capacity.*desktops\s+Desk\s+3\s+3\s+0\s+2\s/ms, 'for a person');
my $csv = $a->kmsctl('report', 'usage', '--csv')->{out};
my @csv = split /\r\n/, $csv;
is($csv[0], 'period,publisher,pool,products,peak,capacity,beyond,end,first,renewals,releases,clients,refusals', 'CSV: the keys');
like($csv[1], qr/^\d{4}-\d\d-\d\d,[^,]+,desktops,Desk,3,3,0,2,3,1,1,3,2$/, 'CSV: a row');
# Peak per month and product, in one command.
is_deeply([ map { "$_->{products} $_->{peak}" } @{ usage('--by', 'month', '--from', date($today)) } ], [ 'Desk 3', 'Rack 1' ], 'the peak of each product in a month');
# Every combination is the same numbers in another form.
for my $by (qw(day week month)) {
    for my $choice ([], [qw(--pool desktops)], [qw(--product Rack)], [qw(--pool desktops --product Desk)]) {
        my @args = ('--from', date($today), '--to', date($today), '--by', $by, @$choice);
        my @rows = map { my $r = $_; join ',', map { $_ // '' } @{$r}{qw(period publisher pool products peak capacity beyond end first renewals releases clients refusals)} } @{ usage(@args) };
        my (undef, @lines) = split /\r\n/, $a->kmsctl(qw(report usage --csv), @args)->{out};
        is_deeply(\@lines, \@rows, "CSV and JSON agree: --by $by @$choice") or diag explain [ \@lines, \@rows ];
        is(scalar @rows, @$choice ? 1 : 2, 'in as many rows');
        is($a->kmsctl(qw(report usage --html), @args)->{exit}, 0, 'HTML, too');
    }
}
like($a->kmsctl(qw(report usage --pool racks --product Desk))->{err}, qr/no pool "racks" counts the product "Desk"/, 'a product that is not of the pool');
my $html = $a->kmsctl('report', 'usage', '--html')->{out};
like($html, qr{^<!DOCTYPE html>.*desktops</h2>\n<table data-unit="day" data-capacity="3">.*<td class="n">3</td>.*</html>\n\z}s, 'HTML') or diag $html;
my ($script) = $html =~ m{<script>(.*?)</script>}s;
my ($style) = $html =~ m{<style>(.*?)</style>}s;
is($script, slurp("$SRC/kmsd/web/page/page.js"), 'whose script is that of the page');
is($style, slurp("$SRC/kmsd/web/page/style.css"), 'and its style, too');
unlike($html =~ s{http://www\.w3\.org/2000/svg}{}r, qr{https?://|<link|src=|url\(|\@import}, 'that refers to nothing');
# Nothing else is obeyed: the names in it come from packs.
my ($rules) = $html =~ /Content-Security-Policy" content="([^"]*)"/;
is($rules, "default-src 'none'; style-src 'sha256-" . sha256_base64($style) . "='; script-src 'sha256-" . sha256_base64($script) . "='; base-uri 'none'; form-action 'none'",
    'and says so');
is($a->kmsctl(qw(report usage), @$_)->{exit}, 1, "refused: @$_") for [ '--from', 'tomorrow' ], [ '--to', '1' ];
isnt($a->kmsctl(qw(report usage), @$_)->{exit}, 0, "refused: @$_")
    for [ '--by', 'year' ], [ '--pool', 'none' ], [ '--product', 'none' ], [ '--csv', '--html' ], [ '--json', '--csv' ], [ '--from', '2026-02-01', '--to', '2026-01-01' ];

# -- every report in every form --

# What a person reads in a table of the file, row by row.
sub tables ($html) {
    my @tables;
    for my $table ($html =~ m{<table>\n(.*?)</table>}gs) {
        my @rows = map { [ map { s/&lt;/</gr =~ s/&gt;/>/gr =~ s/&quot;/"/gr =~ s/&amp;/&/gr } m{<t[hd][^>]*>(.*?)</t[hd]>}g ] } $table =~ m{<tr>(.*?)</tr>}gs;
        push @tables, \@rows;
    }
    return @tables;
}
for my $report ([qw(refusals clients 0 Name)], [qw(clients products 1 Publisher)], [qw(expiry ends 0)], [qw(classes classes 0)]) {
    my ($name, undef, undef, $first) = @$report;
    my $file = $a->kmsctl('report', $name, '--html');
    is($file->{exit}, 0, "report $name --html");
    like($file->{out}, qr{^<!DOCTYPE html>.*<title>\u$name</title>.*<h1>\u$name</h1>\n<p>From [-0-9TZ:]+ to [-0-9TZ:]+\.</p>.*</html>\n\z}s, 'one file');
    is(scalar(() = $file->{out} =~ /<table/g), scalar(() = $file->{out} =~ m{</table>}g), 'whose tables end');
    my ($last) = reverse tables($file->{out});
    is($_->@*, $last->[0]->@*, 'a row as long as its head') for $last ? @$last : ();
    is(($last // [ [''] ])->[0][0], $first, 'the head of the last table') if $first;
    my $both = $a->kmsctl('report', $name, '--html', '--csv');
    is("$both->{exit}$both->{out}", '2', 'not with another form');
    like($both->{err}, qr/--csv, --html and --json exclude each other/, 'and says so');
}
my ($of_clients) = tables($a->kmsctl(qw(report clients --html))->{out});
is_deeply([ map { "@$_[ 1, 3, 4 ]" } @$of_clients[ 1 .. $#$of_clients ] ],
    [ map { "$_->{product_name} $_->{clients} $_->{counted}" } @{ ($a->kmsctl_json(qw(report clients)))[0]{products} } ], 'HTML and JSON agree');
for my $by (qw(day week month)) {
    my @rows = @{ ($a->kmsctl_json(qw(report clients --by), $by))[0]{products} };
    my $new = 0;
    $new += $_->{first} for @rows;
    my $all = 0;
    $all += $_->{first} for @{ ($a->kmsctl_json(qw(report clients)))[0]{products} };
    is($new, $all, "report clients --by $by: every client is new in one period");
    like($rows[0]{period}, $by eq 'month' ? qr/^\d{4}-\d\d$/ : qr/^\d{4}-\d\d-\d\d$/, 'which has a name');
    my @causes = @{ ($a->kmsctl_json(qw(report refusals --by), $by))[0]{causes} };
    is_deeply([ map { "$_->{pool} $_->{symbol} $_->{refusals}" } @causes ], ['desktops KMS_E_CAPACITY 2'], "report refusals --by $by");
    is($causes[0]{period}, $rows[0]{period}, 'in the same period');
}

# -- refusals --

my ($r) = $a->kmsctl_json(qw(report refusals --since 24h));
is_deeply([ map { "$_->{pool} $_->{symbol} $_->{refusals}" } @{ $r->{causes} } ], ['desktops KMS_E_CAPACITY 2'], 'how often, and why');
is_deeply([ sort map { "$_->{name} $_->{symbol} $_->{times}" } @{ $r->{clients} } ], [ 'pc4 KMS_E_CAPACITY 1', 'pc5 KMS_E_CAPACITY 1' ], 'who');
like($r->{clients}[0]{remedy}, qr/\w/, 'what to do');
like($a->kmsctl(qw(report refusals))->{out}, qr/KMS_E_CAPACITY: .*\w\. \w/, 'for a person, too');
@csv = split /\r\n/, $a->kmsctl(qw(report refusals --csv))->{out};
like($csv[0], qr/^name,address,cmid,/, 'CSV: who');
is(scalar @csv, 3, 'in two rows');
is(scalar @{ ($a->kmsctl_json(qw(report refusals --limit 1)))[0]{clients} }, 1, '--limit');
is(scalar @{ ($a->kmsctl_json(qw(report refusals --pool racks)))[0]{clients} }, 0, '--pool');
isnt($a->kmsctl(qw(report refusals --since), $_)->{exit}, 0, "--since $_") for '0', 'x', '-1h';

# -- clients, and what ends --

($r) = $a->kmsctl_json(qw(report clients));
is_deeply([ map { "$_->{product_name} $_->{clients} $_->{counted} $_->{activated} $_->{first}" } @{ $r->{products} } ],
    [ 'Desk 3 2 2 3', 'Rack 1 1 1 1' ], 'clients of each product');
($r) = $a->kmsctl_json(qw(report expiry --to 2100-01-01 --by month));
my %what;
$what{ $_->{what} } += $_->{leases} // 1 for @{ $r->{endings} };
is($what{leases}, 3, 'leases that end');
ok($what{certificate} && $what{'host key'}, 'the certificate and the key end') or diag explain \%what;
my @ends = map { $_->{period} } @{ $r->{endings} };
is_deeply(\@ends, [ sort @ends ], 'in order');
is_deeply(($a->kmsctl_json(qw(report expiry --from 2020-01-01 --to 2020-02-01)))[0]{endings}, [], 'nothing ended then');

# -- days, weeks, months --

$clock->to($today + 3 * DAY);
is($a->client('pc3', 'renew', product => $desk)->{exit}, 0, 'pc3 renews three days later');
my @days = lines('--pool', 'desktops', '--from', date($today), '--to', date($today + 3 * DAY));
is_deeply(\@days, [ date($today) . ' desktops 3 2 3 1 1 3 2', (map { date($today + $_ * DAY) . ' desktops 2 2 0 0 0 0 0' } 1, 2),
    date($today + 3 * DAY) . ' desktops 2 2 0 1 0 1 0' ], 'a row for each day');
my @weeks = lines('--pool', 'desktops', '--by', 'week', '--to', date($today + 3 * DAY));
my ($peak, $renewals) = (0, 0);
for (@weeks) { my @f = split; $peak = $f[2] if $f[2] > $peak; $renewals += $f[5] }
is("$peak $renewals", '3 2', 'by week: maxima and sums');
my @months = lines('--pool', 'desktops', '--by', 'month', '--to', date($today + 3 * DAY));
like($months[0], qr/^\d{4}-\d\d desktops 3 /, 'by month');

# -- who may not open the files --

SKIP: {
    skip 'needs root, to run as other users', 3 if $> != 0 || !defined getgrnam 'daemon';
    my @as = ('setpriv', '--reuid', 2, '--regid', scalar getgrnam('daemon'), '--clear-groups', program('kmsctl'), '-c', $a->ini);
    for my $report ('usage', 'refusals', 'classes') {
        my @period = ('--from', date($today), '--to', date($today + 3 * DAY));
        is(run([ @as, 'report', $report, @period ])->{out}, $a->kmsctl('report', $report, @period)->{out}, "the monitor group: report $report, as root sees it");
    }
}
is($a->stop, 0, 'kmsd stops');
is($a->kmsctl('ledger', 'check')->{exit}, 0, 'the ledger is sound');

# -- and what the publisher's audit says of the same --

my $audit = $a->dir . '/all.kmsaudit';
is($a->kmsctl('audit', 'export', '-o', $audit)->{exit}, 0, 'an export');
sub refused_of (@args) { return json_of(run([ program('kmsissue'), 'audit', 'verify', '-P', $p->{key}, '--json', @args, $audit ])) }
my $all = refused_of();
is_deeply([ map { "$_->{symbol} $_->{refusals}" } @{ $all->{refused} } ], ['KMS_E_CAPACITY 2'], 'the audit: how often clients were refused, and with what') or diag explain $all;
is($all->{refusals}, 2, 'and the sum');
ok((grep { /refused, and why: 2 times/ } @{ $all->{stated_by_the_host} }), 'which the host states');
is(refused_of('--to', '2020-01-01')->{refusals}, 0, 'of another period: none');
done_testing;
