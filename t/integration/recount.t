#!/usr/bin/perl
# What status says that each pool counts follows from the journal alone: a program written from kms.journal(5) counts the same,
# whatever happened to the clients.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use Test::More;

$ENV{TZ} = 'UTC';
my ($one, $two) = map { "eeeeeeee-0000-4000-8000-00000000000$_" } 1 .. 2;
my $publisher = publisher(products => [ { id => $one } ], ini => "[policy]\nid = p\ntitle = P\nversion = 1.0\nissued = 2026-01-01\n"
        . "[group g]\n[pool first]\nnumber = 1\nwindow = 30\n[pool second]\nnumber = 7\nwindow = 5\n"
        . join '', map { "[product $_->[0]]\nname = $_->[1]\ngroup = g\npool = $_->[2]\nthreshold = $_->[3]\n" }
        [ $one, 'One', 'first', 1 ], [ $two, 'Two', 'second', 3 ]);
my $host = start_appliance(publisher => $publisher);
$host->enable(group => 'g');

sub client ($name, $product, $verb = 'activate') { return $host->client($name, $verb, product => $product)->{exit} }
sub recount (@minute) {
    my $r = run([ 'python3', "$FindBin::Bin/../independent/recount.py", $host->dir . '/state', @minute ]);
    is($r->{exit}, 0, 'the journal is read') or diag($r->{err});
    return { map { /^[0-9a-f]{16} (\d+) (\d+)$/ ? ($1 => $2) : () } split /\n/, $r->{out} };
}
sub same ($what, $first, $second) {
    my ($status) = $host->kmsctl_json('status');
    my %said = map { $_->{number} => $_->{counted} } @{ $status->{pools} };
    my $counted = recount();
    is("$said{1} $said{7}", "$first $second", "$what: status");
    is(join(' ', map { $counted->{$_} // 0 } 1, 7), "$first $second", "$what: the journal says the same");
}

client("one-$_", $one) for 1 .. 6;
client("two-$_", $two) for 1 .. 2;
same('clients, some below the threshold', 6, 2);
client("one-$_", $one, 'renew') for 1 .. 3;
client('one-1', $one, 'release');
same('renewed and released', 5, 2);
my $c = ($host->kmsctl_json(qw(client show one-2)))[0]{client}{cmid};
$host->kmsctl('client', 'revoke', $c);
same('revoked', 4, 2);
client('one-2', $one, 'renew');
$host->kmsctl('client', 'unrevoke', $c);
same('unrevoked', 4, 2);
client('one-2', $one, 'renew');
same('and there again', 5, 2);
$host->kmsctl(qw(client forget one-3));
same('forgotten', 4, 2);
client('one-3', $one, 'renew');
client('one-1', $one);
client('one-4', $two, 'renew');
same('back, and in another pool', 5, 3);

my $now = int(time / 60);
is_deeply(recount($now + 6 * 1440), { 1 => 5 }, 'in six days the short window is over');
is_deeply(recount($now + 31 * 1440), {}, 'in 31 the other one too');
is($host->stop, 0, 'kmsd ends');
my ($status) = $host->kmsctl_json('status');
is(join(' ', map { "$_->{number}:$_->{counted}" } sort { $a->{number} <=> $b->{number} } @{ $status->{pools} }), '1:5 7:3', 'kmsctl counts the same without it');
done_testing;
