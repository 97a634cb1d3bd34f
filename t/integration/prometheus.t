#!/usr/bin/perl
# A real Prometheus scrapes kmsd-web, and promtool has nothing to say of its text.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use KMS::Web;
use IO::Socket::INET;
use JSON::PP ();
use Test::More;

for my $tool (qw(prometheus promtool)) {
    next if grep { -x "$_/$tool" } split /:/, $ENV{PATH};
    diag("*** NOT TESTED: $0: $tool is not installed: ./bootstrap deps");
    plan skip_all => "$tool is not installed: ./bootstrap deps";
}

# -- the alerts: each of them fires for one history, and not for one that just misses it --

my $rules = "$SRC/etc/prometheus/kms.rules.yml";
my $checked = run([ 'promtool', 'check', 'rules', $rules ]);
is($checked->{exit}, 0, 'promtool check rules') or diag("$checked->{out}$checked->{err}");
my @alerts = slurp($rules) =~ /alert: (\w+)/g;

my $p0 = '{publisher="acme",pool="servers",instance="a"}';
my $soon = 30 * 86400 + 2 * 3600;    # the clock of a test of rules begins at 0
# name, series that fire, series that do not, and when (hours)
my %histories = (
    KmsDown => [ [ ['up{job="kms",instance="a"}', '0x200'] ], [ ['up{job="kms",instance="a"}', '1x200'] ], 1 ],
    KmsLocked => [ [ ['kms_locked{instance="a"}', '1x200'] ], [ ['kms_locked{instance="a"}', '0x200'] ], 1 ],
    KmsLedgerFailing => [ [ ['kms_ledger_failing{instance="a"}', '1x200'] ], [ ['kms_ledger_failing{instance="a"}', '0x200'] ], 1 ],
    KmsLedgerSlow => [
        [ ['kms_commit_seconds_bucket{le="1",instance="a"}', '0+1x200'], ['kms_commit_seconds_bucket{le="5",instance="a"}', '0+10x200'], ['kms_commit_seconds_bucket{le="+Inf",instance="a"}', '0+10x200'] ],
        [ ['kms_commit_seconds_bucket{le="1",instance="a"}', '0+10x200'], ['kms_commit_seconds_bucket{le="5",instance="a"}', '0+10x200'], ['kms_commit_seconds_bucket{le="+Inf",instance="a"}', '0+10x200'] ], 1 ],
    KmsJournalWentBack => [ [ ['kms_ledger_witnesses{grade="unexplained",instance="a"}', '1x200'] ], [ ['kms_ledger_witnesses{grade="note",instance="a"}', '7x200'] ], 1 ],
    KmsClockWentBack => [ [ ['kms_ledger_clock_back_timestamp_seconds{instance="a"}', '3000x1600'] ], [ ['kms_ledger_clock_back_timestamp_seconds{instance="a"}', '3000x1600'] ], [ 2, 25 ] ],
    KmsNotInstalled => [ [ ['kms_publisher_installed{publisher="acme",instance="a"}', '0x200'] ], [ ['kms_publisher_installed{publisher="acme",instance="a"}', '1x200'] ], 2 ],
    KmsNotConfirmed => [
        [ ['kms_publisher_confirmed{publisher="acme",instance="a"}', '0x200'], ['kms_publisher_installed{publisher="acme",instance="a"}', '1x200'] ],
        [ ['kms_publisher_confirmed{publisher="acme",instance="a"}', '0x200'], ['kms_publisher_installed{publisher="acme",instance="a"}', '0x200'] ], 2 ],
    KmsRevoked => [ [ ['kms_publisher_revoked{publisher="acme",instance="a"}', '1x200'] ], [ ['kms_publisher_revoked{publisher="acme",instance="a"}', '0x200'] ], 1 ],
    KmsCertificateEndsSoon => [ [ ['kms_certificate_expiry_timestamp_seconds{publisher="acme",instance="a"}', ($soon - 7300) . 'x200'] ],
        [ ['kms_certificate_expiry_timestamp_seconds{publisher="acme",instance="a"}', ($soon + 60) . 'x200'] ], 2 ],
    KmsKeyEndsSoon => [ [ ['kms_key_expiry_timestamp_seconds{publisher="acme",key="k",instance="a"}', ($soon - 7300) . 'x200'] ],
        [ ['kms_key_expiry_timestamp_seconds{publisher="acme",key="k",instance="a"}', ($soon + 60) . 'x200'] ], 2 ],
    KmsPoolNearlyFull => [ [ ["kms_clients$p0", '90x200'], ["kms_pool_capacity$p0", '100x200'] ], [ ["kms_clients$p0", '89x200'], ["kms_pool_capacity$p0", '100x200'] ], 1 ],
    KmsPoolFull => [ [ ["kms_clients$p0", '100x200'], ["kms_pool_capacity$p0", '100x200'] ], [ ["kms_clients$p0", '99x200'], ["kms_pool_capacity$p0", '100x200'] ], 1 ],
    KmsBelowThreshold => [ [ ["kms_clients$p0", '4x1600'], ["kms_pool_threshold$p0", '5x1600'] ], [ ["kms_clients$p0", '5x1600'], ["kms_pool_threshold$p0", '5x1600'] ], 25 ],
    KmsClones => [ [ ['kms_refusals_total{status="KMS_E_CLONE",instance="a"}', '0+1x200'] ], [ ['kms_refusals_total{status="KMS_E_CLONE",instance="a"}', '9x200'] ], 1 ],
    KmsRefusalsRising => [ [ ['kms_refusals_total{status="KMS_E_CAPACITY",instance="a"}', '0+1x1500 1500+10x120'] ],
        [ ['kms_refusals_total{status="KMS_E_CAPACITY",instance="a"}', '0+1x1500 1500+2x120'] ], 26 ],
    KmsLimitReached => [ [ ['kms_limit_refusals_total{limit="entries",instance="a"}', '0+1x200'] ], [ ['kms_limit_refusals_total{limit="entries",instance="a"}', '7x200'] ], 1 ],
    KmsFrontNotReady => [ [ ['kms_front_ready{front="0",instance="a"}', '0x200'] ], [ ['kms_front_ready{front="0",instance="a"}', '1x200'] ], 1 ],
    KmsSandboxIncomplete => [ [ ['kms_sandbox_incomplete{process="p",instance="a"}', '1x200'] ], [ ['kms_sandbox_incomplete{process="p",instance="a"}', '0x200'] ], 1 ],
    KmsRelayNoHost => [ [ ['kms_relay_requests_total{outcome="no-host",instance="a"}', '0+1x200'] ], [ ['kms_relay_requests_total{outcome="lost",instance="a"}', '0+1x200'] ], 1 ],
    KmsRelayHostDown => [
        [ ['kms_relay_host_requests_total{outcome="lost",host="h",address="1",instance="a"}', '0+2x200'], ['kms_relay_host_requests_total{outcome="answered",host="h",address="1",instance="a"}', '0+1x200'] ],
        [ ['kms_relay_host_requests_total{outcome="lost",host="h",address="1",instance="a"}', '0+1x200'], ['kms_relay_host_requests_total{outcome="answered",host="h",address="1",instance="a"}', '0+2x200'] ], 1 ],
);
# An overdraft: the pool is full when that is given, too.
my %overdraft = (
    KmsPoolNearlyFull => [ [ ["kms_clients$p0", '109x200'], ["kms_pool_capacity$p0", '100x200'], ["kms_pool_overdraft_limit$p0", '10x200'] ],
        [ ["kms_clients$p0", '110x200'], ["kms_pool_capacity$p0", '100x200'], ["kms_pool_overdraft_limit$p0", '10x200'] ], 1 ],
    KmsPoolFull => [ [ ["kms_clients$p0", '110x200'], ["kms_pool_capacity$p0", '100x200'], ["kms_pool_overdraft_limit$p0", '10x200'] ],
        [ ["kms_clients$p0", '109x200'], ["kms_pool_capacity$p0", '100x200'], ["kms_pool_overdraft_limit$p0", '10x200'] ], 1 ],
);
is_deeply([ sort keys %histories ], [ sort @alerts ], 'each alert has its histories');
my $tests = workspace() . '/tests.yml';
my $yml = "rule_files: ['$rules']\nevaluation_interval: 1m\ntests:\n";
for my $history ((map { [ $_, $histories{$_} ] } sort keys %histories), map { [ $_, $overdraft{$_} ] } sort keys %overdraft) {
    my ($name, $of) = @$history;
    my ($fires, $not, $when) = @$of;
    my @when = ref $when ? @$when : ($when, $when);
    for my $case ([ $fires, $when[0], 1 ], [ $not, $when[1], 0 ]) {
        my ($series, $hours, $count) = @$case;
        $yml .= "  - interval: 1m\n    name: $name\n    input_series:\n" . join '', map { "      - series: '$_->[0]'\n        values: '$_->[1]'\n" } @$series;
        $yml .= "    promql_expr_test:\n      - expr: count(ALERTS{alertname=\"$name\",alertstate=\"firing\"})\n        eval_time: ${hours}h\n        exp_samples:"
            . ($count ? "\n          - labels: '{}'\n            value: 1\n" : " []\n");
    }
}
spew($tests, $yml);
my $tested = run([ 'promtool', 'test', 'rules', $tests ]);
is($tested->{exit}, 0, 'promtool test rules: each fires for its history, and not for the other') or diag("$tested->{out}$tested->{err}");

my $web = KMS::Web->new;
my $p = publisher();
my $a = start_appliance(publisher => $p, ini => $web->ini);
$a->enable;
$web->wait;
$a->client("host$_", 'activate') for 1 .. 6;
my $pool = 'kms_clients{publisher="acme",pool="servers"}';
wait_for(20, sub { (KMS::Web::value($web->open_metrics, $pool) // 0) == 6 }, 'six clients');

my $check = run([ 'promtool', 'check', 'metrics' ], in => $web->get('/metrics')->{body});
is("$check->{exit} $check->{out}$check->{err}", '0 ', 'promtool check metrics has nothing to say');

my $dir = workspace();
my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1) or die;
my $port = $s->sockport;
close $s;
spew("$dir/prometheus.yml", <<"YML");
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: kms
    static_configs:
      - targets: ['127.0.0.1:@{[ $web->port ]}']
YML
my $prometheus = spawn([ 'prometheus', "--config.file=$dir/prometheus.yml", "--storage.tsdb.path=$dir/data", "--web.listen-address=127.0.0.1:$port" ], log => "$dir/log");

sub raw_query ($text) {
    my $c = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or return '';
    my $escaped = $text =~ s/([^A-Za-z0-9_])/sprintf '%%%02X', ord $1/ger;
    return $web->send_request($c, "GET /api/v1/query?query=$escaped HTTP/1.0\r\nHost: localhost\r\n\r\n")->{body};
}

# The result of one query, as a list of [ labels, value ].
sub query ($text) {
    my $data = eval { JSON::PP->new->utf8->decode(raw_query($text)) } // return;
    return map { [ $_->{metric}, $_->{value}[1] ] } @{ $data->{data}{result} // [] };
}

eval { wait_for(60, sub { my ($up) = query('up{job="kms"}'); $up && $up->[1] == 1 }, 'Prometheus scrapes'); 1 } or diag(slurp("$dir/log"));
my ($clients) = query($pool);
is($clients->[1], 6, 'and knows the clients');
is((query('kms_requests_total{status="KMS_OK"}'))[0][1], 2, 'and the answers');
my @families = map { s/_total$//r } $web->open_metrics =~ /^# TYPE (\S+)/mg;
cmp_ok(scalar @families, '>', 30, 'many families');
is((query('histogram_quantile(0.5, kms_commit_seconds_bucket)'))[0][1] > 0, 1, 'the histogram is one');
is((query('count(scrape_samples_scraped{job="kms"} > 30)'))[0][1], 1, 'all samples were taken');

# The alerts and the dashboard ask only for what there is, and Prometheus understands each query.
my %there = map { $_ => 1 } map { my ($name, $type) = @$_; $type eq 'counter' ? "${name}_total" : $type eq 'histogram' ? "${name}_bucket" : $name }
    map { [ /^# TYPE (\S+) (\S+)/ ] } grep { /^# TYPE/ } split /\n/, $web->open_metrics;
my $dashboard = JSON::PP->new->utf8->decode(slurp("$SRC/etc/grafana/kms.json"));
my @queries = map { $_->{expr} } map { @{ $_->{targets} } } @{ $dashboard->{panels} };
cmp_ok(scalar @queries, '>', 15, 'a dashboard');
for my $expr (@queries, slurp($rules) =~ /^        expr: '(.*)'$/mg) {
    is(join(' ', grep { !$there{$_} } $expr =~ /\b(kms_\w+)/g), '', 'all of it is there: ' . substr($expr, 0, 70));
}
for my $expr (@queries) {
    my $asked = $expr =~ s/\$__rate_interval/5m/gr =~ s/\$instance/.*/gr;
    my @result = query($asked);
    ok(scalar(@result) || $asked =~ /capacity|relay_host|rate\(|increase\(/, 'Prometheus answers: ' . substr($asked, 0, 70));
    like(raw_query($asked), qr/"status":"success"/, 'and understands it');
}
end_process($prometheus);
is($a->stop, 0, 'the end');
done_testing;
