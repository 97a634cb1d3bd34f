#!/usr/bin/perl
# [ledger] keep at a running host: old segments are dropped while clients renew, what they said remains, and the tools work with the rest.
# With a clock that the test sets.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Clock;
use KMS::Test;
use Test::More;

my $PATIENCE = 120;
my $DAY = 86400;
my $product = '11111111-1111-4111-8111-111111111111';
sub pack_text ($version, $keep) {
    return <<"EOT";
[policy]
id = example
title = Retention
version = $version
issued = 2026-01-01
requires-host = 0.1
$keep
[group client]
[pool desktops]
number = 1
[product $product]
name = Under Siege
group = client
pool = desktops
threshold = 1
EOT
}
my $publisher = publisher(ini => pack_text('1.0', 'audit-keep = 2d'));
my $clock = KMS::Clock->start;
my $a = start_appliance(publisher => $publisher, environment => $clock->environment);
my $dir = $a->dir;
$a->stop;
spew($a->ini, slurp($a->ini) =~ s/(\[ledger\]\n)/$1keep = 1d\ncheckpoint_interval = 1\n/r);
$a->start;
$a->enable(group => 'client');

sub segments () { my @list = sort glob "$dir/state/kmsdb/journal/*.seg"; return @list }
sub first_batch () { return 0 + ((segments())[0] =~ /(\d+)\.seg$/)[0] }
sub count ($event) { return scalar(() = $a->log =~ /: $event: /g) }

# Clients that do not give up, until there are so many segments.
my $round = 0;
sub siege ($segments) {
    my $acks = "$dir/acks." . ++$round;
    my $siege = start_siege(churn => 1, port => $a->port, publisher => $publisher, product => $product, clients => 24,
        state => "$dir/siege.state", acks => $acks, log => "$dir/siege.log.$round");
    eval { wait_for($PATIENCE, sub { segments() >= $segments }, "$segments segments"); 1 } or diag($@, slurp("$dir/siege.log.$round"), $a->log, `ls -l $dir/acks.*`);
    kill 'TERM', $siege;
    is(wait_exit($siege, 60), 0, 'the siege was answered correctly');
    return $acks;
}

my $begin = $clock->now;
is($a->client('old', 'activate', product => $product)->{exit}, 0, 'a client that is not seen again');
is($a->client('kept', 'activate', product => $product)->{exit}, 0, 'and one that is');
my $acks = siege(6);
is(first_batch(), 1, 'nothing is dropped while it is young');
my ($before) = $a->kmsctl_json('clients');

# -- two days later: the pack wants two days, kms.ini one --

$clock->to($begin + 1.5 * $DAY);
is($a->client('kept', 'renew', product => $product)->{exit}, 0, 'a client renews after a day and a half');
wait_for($PATIENCE, sub { count('keep-raised') }, 'kmsd says that it keeps more');
is(first_batch(), 1, 'and does');
siege(scalar(segments()) + 1);
$clock->to($begin + 3 * $DAY);
wait_for($PATIENCE, sub { count('journal-dropped') }, 'old segments are dropped');
cmp_ok(first_batch(), '>', 1, 'the journal begins later');
like($a->log, qr/journal-base: /, 'after a base was written');
is($a->client('new', 'activate', product => $product)->{exit}, 0, 'clients are served');
is($a->client('old', 'verify', product => $product)->{exit}, 0, 'the lease of a batch that was dropped still verifies');

# -- what was said before remains --

my ($after) = $a->kmsctl_json('clients');
my %is = map { ($_->{cmid} => $_) } @{ $after->{clients} };
is(scalar(grep { !$is{ $_->{cmid} } } @{ $before->{clients} }), 0, 'every client is there');
is($is{$_->{cmid}}{first_seen}, $_->{first_seen}, 'with its first day') for (@{ $before->{clients} })[0];
my ($status) = $a->kmsctl_json('status');
is($status->{ledger}{first_batch}, first_batch(), 'status has the first batch of the journal');
my $r = $a->kmsctl('status');
like($r->{out}, qr/The journal begins with batch ${\first_batch()}: kmsd dropped the batches before it, which were older than \[ledger\] keep/, 'and says what became of those before');
$r = $a->kmsctl('ledger', 'check');
is($r->{exit}, 0, 'the ledger is sound, beside a running kmsd') or diag("$r->{out}$r->{err}");
($r) = $a->kmsctl_json('ledger', 'backup', "$dir/copy");
ok($r->{checked}, 'a backup') or diag(explain $r);

# -- an audit says what it does not cover --

($r) = $a->kmsctl_json('audit', 'export', '-o', "$dir/rest.kmsaudit");
is($r->{first_batch}, first_batch(), 'an export begins where the journal does');
ok($r->{shortened}, 'and says that it is shorter than was asked for');
sub audit (@with) {
    my $r = run([ program('kmsissue'), 'audit', 'verify', '-P', $publisher->{key}, '--json', @with, "$dir/rest.kmsaudit" ]);
    return (json_of($r), $r->{exit});
}
sub dropped ($report) { return map { "$_->{grade}: $_->{finding}" } grep { $_->{kind} eq 'dropped' } @{ $report->{findings} } }
my ($report, $exit) = audit('-p', $publisher->{pack});
is($exit, 0, 'with the pack, which wants two days, the audit is content') or diag(explain $report);
is($report->{beginning}, 'base', 'it begins with a base');
like(join('; ', dropped($report)), qr/^note: the host dropped batches up to \d+, of \S+, after \d+ days; it must keep them for at least 2$/, 'a note says since when');
like(join(' ', @{ $report->{not_shown} }), qr/the host dropped them.*does not cover that time/, 'and what is not shown');
($report, $exit) = audit();
isnt($exit, 0, 'without it, 400 days are asked for');
like(join('; ', dropped($report)), qr/^unexplained: .* had to keep them for 400$/, 'which were not kept');
is($report->{beginning}, 'not proved', 'and nothing is proved of the beginning');
($r) = $a->kmsctl_json('policy', 'history');
is(join(' ', map { $_->{pack} } @{ $r->{packs} }), 'example 1.0', 'the pack that was installed is known, once');

is($a->stop, 0, 'kmsd stops');
$r = $a->kmsctl('ledger', 'rebuild');
is($r->{exit}, 0, 'the index is made again from the base and the rest') or diag("$r->{out}$r->{err}");
$r = $a->kmsctl('ledger', 'check');
is($r->{exit}, 0, 'and is the same') or diag("$r->{out}$r->{err}");
rename "$dir/state/kmsdb", "$dir/kmsdb.away" or die "rename: $!";
$r = $a->kmsctl('ledger', 'restore', "$dir/copy");
is($r->{exit}, 0, 'the backup is restored') or diag("$r->{out}$r->{err}");
$a->start;
is($a->client('old', 'renew', product => $product)->{exit}, 0, 'the client of before renews');
my ($again) = $a->kmsctl_json('clients');
is(scalar(grep { $_->{cmid} } @{ $again->{clients} }), scalar @{ $after->{clients} }, 'all clients are there');

# -- kms.ini keeps for ever again --

$r = run([ program('kmsctl/kmsctl'), '-c', spew("$dir/bare.ini", slurp($a->ini) =~ s/keep = 1d/keep = 30/r), 'config', 'check' ]);
isnt($r->{exit}, 0, 'a number without a unit is refused');
like("$r->{out}$r->{err}", qr/write keep = 30d/, 'with the line to write');
# -- and doctor says until when the disk is large enough --

my $ever = spew("$dir/ever.ini", slurp($a->ini) =~ s/keep = 1d\n//r);
$r = json_of(run([ program('kmsctl/kmsctl'), '-c', $ever, 'doctor', '--json' ]));
my ($pace) = grep { $_->{check} eq 'journal' } @{ $r->{findings} };
like($pace->{text} // '', qr/^the journal is kept for ever: as fast as it grows now, the disk (?:will be full in \d+ days, \d{4}-\d\d-\d\d|is large enough for 100 years)$/,
    'without keep, doctor says when the disk is full') or diag(explain $r);
is($a->stop, 0, 'kmsd stops');
done_testing;
