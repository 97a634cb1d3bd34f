#!/usr/bin/perl
# What programs read of kmsctl: every key of --json is in the JSON section of the command's page, and a list as CSV begins with its keys,
# also when it has no row.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use Test::More;

my ($desk, $float) = map { "dddddddd-0000-4000-8000-00000000000$_" } 1, 2;
my $p = publisher(products => [ { id => $desk }, { id => $float } ], ini => <<"INI");
[policy]
id = p
title = P
version = 1.0
issued = 2026-01-01
requires-host = 0.1
[group client]
[pool desktops]
number = 1
capacity = 3
overdraft = 33%
[pool float]
number = 2
capacity = 1
window = 2h
borrow = 2d
[product $desk]
name = Desk
group = client
pool = desktops
threshold = 1
[product $float]
name = Float
group = client
pool = float
threshold = 1
validity = 1h
renewal-interval = 20m
INI
my $a = start_appliance(publisher => $p, fronts => 1, ini => "[class builds]\npool = desktops\nnames = build-*\nlimit = 1\n");
$a->enable(group => 'client');
my $dir = $a->dir;
$a->client($_, 'activate', product => $desk) for qw(pc1 pc2 build-1 build-2 pc3 pc4);
$a->client($_, 'activate', product => $float) for qw(laptop other);

# -- keys, and where they are described --

sub page ($name) {
    my $text = slurp("$SRC/doc/$name.8");
    my ($json) = $text =~ /^\.Sh JSON\n(.*?)^\.Sh /ms or return '';
    return $json;
}
sub keys_of ($data) {
    return ref $data eq 'ARRAY' ? map { keys_of($_) } @$data
        : ref $data eq 'HASH' ? map { ($_, keys_of($data->{$_})) } keys %$data : ();
}
my $for_all = page('kmsctl');
my %of = (
    kmsctl => [ ['version'], ['help'] ],
    'kmsctl-status' => [ ['status'], [qw(status --all)], ['doctor'], [qw(why pc4)], [qw(why build-2)], [qw(explain 10)], [qw(web logout)] ],
    'kmsctl-client' => [ ['clients'], [qw(clients --clones)], [qw(clients --relayed)], [qw(client show pc1)], [qw(client show build-1)],
        [qw(client forget --name zzz)], [qw(client revoke pc2)], [qw(client unrevoke pc2)] ],
    'kmsctl-report' => [ map { [ 'report', $_ ] } qw(usage classes refusals clients expiry) ],
    'kmsctl-key' => [ [qw(key show)], [qw(key show --detailed)], [qw(key request)], [qw(key seal --none)], ['unlock'] ],
    'kmsctl-policy' => [ map { [ 'policy', $_ ] } qw(show history simulate) ],
    'kmsctl-ledger' => [ [ qw(ledger backup), "$dir/copy" ], [qw(ledger check)], [ qw(audit export -o), "$dir/a.kmsaudit" ] ],
    'kmsctl-setup' => [ ['plan'], [qw(config check)] ],
    'kmsctl-relay' => [ [qw(relay status)] ],
);
my %also = ('kmsctl-key' => [qw(kmsctl-status kmsctl-policy)]);    # "as in status"
push @{ $of{'kmsctl-report'} }, ['top'];
for my $page (sort keys %of) {
    my $described = join '', $for_all, page($page), map { page($_) } @{ $also{$page} // [] };
    for my $command (@{ $of{$page} }) {
        my ($data) = $a->kmsctl_json(@$command);
        my %keys = map { $_ => 1 } keys_of($data);
        is(join(' ', grep { $described !~ /\b\Q$_\E\b/ } sort keys %keys), '', "$page(8) has every key of @$command");
        is(join(' ', grep { !/^[a-z_]+$/ } keys %keys), '', 'of one form');
    }
}

# -- CSV --

for my $case (
    [ 'clients', [qw(clients)], [qw(clients --name zzz)] ],
    [ 'usage', [qw(report usage)], [qw(report usage --to 2020-01-01)] ],
    [ 'classes', [qw(report classes)], [qw(report classes --pool float)] ],
    [ 'clients', [qw(report refusals)], [qw(report refusals --to 2020-01-01)] ],
    [ 'products', [qw(report clients)] ],
    [ 'endings', [qw(report expiry --to 2036-01-01)], [qw(report expiry --to 2020-01-01)] ],
    [ undef, undef, [qw(clients --clones)] ],
    [ undef, undef, [qw(clients --relayed)] ],
) {
    my ($list, $some, $none) = @$case;
    my $header;
    if ($some) {
        my ($data) = $a->kmsctl_json(@$some);
        my $r = $a->kmsctl(@$some, '--csv');
        ($header) = $r->{out} =~ /^(.*?)\r\n/;
        is(join(',', sort split /,/, $header), join(',', sort keys %{ $data->{$list}[0] }), "@$some: the keys of --json");
        is(() = $r->{out} =~ /\r\n/g, 1 + @{ $data->{$list} }, 'and a line for each row');
    }
    if ($none) {
        my $r = $a->kmsctl(@$none, '--csv');
        is($r->{exit}, 0, "@$none: exit 0");
        like($r->{out}, $some ? qr/^\Q$header\E\r\n\z/ : qr/^[a-z_]+(?:,[a-z_]+)+\r\n\z/, 'one line of keys');
    }
}
# -- and what a person reads of the same --

for my $command ([qw(client show build-1)], [qw(key show --detailed)], [qw(policy show)]) {
    unlike($a->kmsctl(@$command)->{out}, qr/^ *[a-z]+(?:[-_][a-z]+)*: /m, "@$command: each value has a name that was chosen for it");
}
my $shown = $a->kmsctl(qw(client show build-1))->{out};
like($shown, qr/^ +Pool: +desktops$/m, 'client show names the pool');
like($shown, qr/^ +Class: +builds$/m, 'and the class');
unlike($a->kmsctl(qw(client show pc1))->{out}, qr/Class/, 'of which most clients have none');
like($a->kmsctl(qw(doctor --nagios))->{out}, qr/ 'desktops'=3;3;4;0;4 /, '--nagios: a pool is full when its overdraft is, too');
like($a->kmsctl(qw(report refusals))->{out}, qr/^KMS_E_CLASS_FULL: .*kms\.ini/m, 'report refusals says at once what to do');

my ($pc2) = $a->kmsctl_json(qw(client revoke pc2));
my $forgotten = $a->kmsctl(qw(client forget pc2))->{out};
my ($unrevoke) = $forgotten =~ /kmsctl (client unrevoke \S+) lifts/ or diag $forgotten;
is($a->kmsctl(split / /, $unrevoke // 'help')->{exit}, 0, 'client forget of a revoked client prints the command that lifts it, though the name is gone');

# -- a kms.ini that is wrong as a whole --

my $utf16 = spew("$dir/utf16.ini", "\xff\xfe[\0k\0");
like(run([ program('kmsctl'), '-c', $utf16, 'doctor' ])->{out}, qr/utf16\.ini has 1 error: the file is UTF-16/, 'doctor names no line of it');
like(run([ program('kmsctl'), '-c', $utf16, 'plan' ])->{err}, qr/utf16\.ini: the file is UTF-16/, 'nor does a command that needs the file');
is($a->stop, 0, 'kmsd stops');
done_testing;
