#!/usr/bin/perl
# kmsctl policy simulate over the ledger's history: what each key of a pool that a new pack changes would have changed.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Asker;
use KMS::Clock;
use KMS::Test;
use Test::More;

use constant { OK => 0, CAPACITY => 10, BORROW => 33, STATELESS => 2, RENEW => 2, RELEASE => 3 };
my $product = '99999999-9999-4999-8999-999999999999';
sub pack_text ($version, $pool, $product_lines = "validity = 40m\nrenewal-interval = 10m\n") {
    return <<"EOT";
[policy]
id = seats
title = Seats
version = $version
issued = 2026-01-01
requires-host = 0.1
[group all]
[pool float]
number = 1
$pool
[pool other]
number = 2
[product $product]
name = Float
group = all
pool = float
threshold = 1
$product_lines
EOT
}
my $publisher = publisher(ini => pack_text('1.0', "window = 64m\ncapacity = 2"));
my $clock = KMS::Clock->start;
my $begin = (int(time / 3600) + 1) * 3600;
$clock->to($begin);
my $host = start_appliance(publisher => $publisher, fronts => 1, environment => $clock->environment)->enable(group => 'all');
my $asker = KMS::Asker->new($host, clock => $clock);
sub ask ($client, %f) { return $asker->ask($client, product => $product, %f)->{status} }

my $n = 0;
# The rows of the pool by their key, the text, and the whole answer.
sub simulate ($pool, @more) {
    my $file = sign_pack($publisher, 'try-' . ++$n, pack_text('1.1', $pool, @more));
    my ($data) = $host->kmsctl_json(qw(policy simulate), $file);
    return ({ map { $_->{key} => $_ } @{ $data->{history} } }, $host->kmsctl(qw(policy simulate), $file)->{out}, $data);
}
my @sums = qw(peak refused overdraft reclaimed borrowed refused_borrow refused_stateless);
sub sums ($row) { return join ' ', map { $row->{$_} // '-' } @sums }

my ($rows) = simulate("window = 65m\ncapacity = 2");
is(sums($rows->{all}), '0 0 0 0 0 0 0', 'nothing has happened yet');

# A morning: two have seats, two are refused, one of them again; a loan is refused; at noon one without state comes and goes.
is(ask($_), OK, "client $_ has a seat") for 1, 2;
is(ask($_), CAPACITY, "client $_ is refused") for 3, 4;
$clock->to($begin + 120);    # within a minute, a refusal is recorded once
is(ask(3), CAPACITY, 'and client 3 again');
is(ask(1, operation => RENEW, state => 2, tail => tlv(0x8006, pack 'N', 60)), BORROW, 'a loan is refused');
$clock->to($begin + 2 * 3600);
is(ask(5, flags => STATELESS), OK, 'one without state');
is(ask(5, flags => STATELESS, operation => RELEASE), OK, 'is done');
is(ask(6), OK, 'another one');
# Not the last batch: after some hours of its clock, kmsd writes that old rows have expired.
sub recorded () {
    my ($packs, $clients, $refusals) = map { ($host->kmsctl_json(@$_))[0] } [qw(policy history)], ['clients'], [qw(report refusals)];
    return [ $packs, $clients, $refusals->{refusals} // $refusals->{clients} // die 'no refusals' ];
}
my $recorded = recorded();

($rows, my $text, my $data) = simulate("window = 64m\ncapacity = 2\noverdraft = 50%");
is(join(' ', sort keys %$rows), 'all none overdraft', 'a row for each key that differs, one for all, one for none');
is(sums($rows->{none}), '2 3 0 0 0 1 0', 'as it was');
is(sums($rows->{overdraft}), '3 1 1 0 0 1 0', 'one more seat: one client less is refused');
is(sums($rows->{all}), sums($rows->{overdraft}), 'which is all that the pack changes');
is_deeply([ @{ $rows->{overdraft} }{qw(pool number was becomes)}, !!$rows->{overdraft}{complete} ], [ 'float', 1, '0%', '50%', !!1 ], 'what changes');
cmp_ok(abs($rows->{overdraft}{peak_time} - $begin), '<', 300, 'and when the most seats were in use');
like($text, qr/^ +Pool +Key +Is +Becomes +Peak +Refused +Beyond +Taken back +Lent +Not lent +Stateless\n(?:.*\n)* +float +overdraft +0% +50% +3 +1 +1 +0 +0 +1 +0$/m, 'as text');
like($text, qr/^Of batches 1 to \d+, from \S+ on: the whole journal\.$/m, 'and of what');
is_deeply([ $data->{searched}{from_batch}, !!$data->{searched}{whole} ], [ 1, !!1 ], 'also for a program');

($rows) = simulate("window = 30d\ncapacity = 2", "validity = 180d\nrenewal-interval = 7d\n");
is(sums($rows->{window}), '2 5 0 0 0 1 0', 'by the day: those of the afternoon are refused, too');
is(join(' ', @{ $rows->{window} }{qw(was becomes)}), '64m 30d', 'from minutes to days');
($rows, $text) = simulate("window = 30m\ncapacity = 5", "validity = 20m\nrenewal-interval = 5m\n");
is(sums($rows->{capacity}), '4 0 0 0 0 1 0', 'more seats: nobody is refused');
is(sums($rows->{window}), '2 3 0 0 0 1 0', 'a shorter window alone changes nothing');
is(sums($rows->{all}), '4 0 0 0 0 1 0', 'both');
like($text, qr/float: with this pack, clients renew more often\. .*the real peaks may be higher/, 'what the journal cannot tell is said');
($rows) = simulate("window = 64m\ncapacity = 2\nstateless = refuse");
is(sums($rows->{stateless}), '2 3 0 0 0 1 1', 'one without state would have been refused');
($rows) = simulate("window = 64m\ncapacity = 2\nborrow = 10h\nborrow-seats = 1");
is(join(' ', sort keys %$rows), 'all borrow borrow-seats none', 'two keys');
is(sums($rows->{borrow}), '2 3 0 0 1 0 0', 'the loan would have been given');
is(sums($rows->{'borrow-seats'}), sums($rows->{none}), 'the number of them alone changes nothing');
($rows) = simulate("window = 64m\ncapacity = 2\nwhen-full = longest-unseen 5m");
is(join(' ', $rows->{'when-full'}{becomes}, sums($rows->{'when-full'})), 'longest-unseen 5m 2 3 0 0 0 1 0', 'nobody was unseen for five minutes');
($rows, $text) = simulate("window = 64m\ncapacity = 2");
is_deeply($rows, {}, 'a pack that changes no key of a pool');
unlike($text, qr/What each key/, 'has no such table');
my $r = $host->kmsctl(qw(policy simulate));
is($r->{exit}, 2, 'no pack, and kms.ini has no class');
like($r->{err}, qr/kms\.ini has no class, and no pack is named: kmsctl policy simulate FILE/, 'which it says');

# Classes of a kms.ini that kmsd has not read yet: each alone over the same history, with and without a pack.
my $ini = slurp($host->ini);
sub classes ($text) { spew($host->ini, "$ini$text") }
sub simulate_classes (@more) {
    my ($data, $run) = $host->kmsctl_json(qw(policy simulate), @more);
    return { %$data, rows => { map { $_->{key} => $_ } @{ $data->{history} } } };
}
classes("[class late]\npool = float\nnames = client-5 client-6\nreserve = 1\n[class rest]\npool = float\nlimit = 1\n[class nowhere]\npool = none\nlimit = 1\n");
$data = simulate_classes();
$rows = $data->{rows};
is(join(' ', sort keys %$rows), 'all class late class rest none', 'a row for each class of the pool');
is(sums($rows->{none}), '2 3 0 0 0 1 0', 'without classes it was as it was');
is(sums($rows->{'class late'}) . " $rows->{'class late'}{refused_class}", '1 4 0 0 0 1 0 4', 'a reserve: one client less in the morning');
is(sums($rows->{'class rest'}) . " $rows->{'class rest'}{refused_class}", '1 4 0 0 0 1 0 4', 'a limit of one');
is(join(' ', map { $rows->{"class $_"}{becomes} } qw(late rest)), 'reserve 1 limit 1', 'what each says');
like($host->kmsctl(qw(policy simulate))->{out}, qr/^What each key and class would have changed, over the journal\n(?:.*\n)* +float +class late +none +reserve 1 +1 +4 /m, 'as text');
my $pack = sign_pack($publisher, 'try-' . ++$n, pack_text('1.1', "window = 64m\ncapacity = 3"));
$data = simulate_classes($pack);
is(join(' ', sort keys %{ $data->{rows} }), 'all capacity class late class rest none', 'with a pack: its keys, too');
is(sums($data->{rows}{capacity}), '3 1 0 0 0 1 0', 'a key of the pack, without classes');
is(sums($data->{rows}{all}), '1 4 0 0 0 1 0', 'the pack and the classes');
classes("[class late]\npool = float\nreserve = 3\n");
$r = $host->kmsctl(qw(policy simulate));
is($r->{exit}, 4, 'classes that kmsd would not take');
like($r->{out}, qr/kmsd would refuse these classes: the classes of pool float of publisher \S+ reserve 3 seats, 1 more than its capacity of 2/, 'and why');
classes("[class nowhere]\npool = none\nlimit = 1\n");
like($host->kmsctl(qw(policy simulate))->{out}, qr/No installed pack has a pool of these classes\./, 'a class of a pool that no pack has');
spew($host->ini, $ini);
is_deeply(recorded(), $recorded, 'no pack, no client and no refusal was recorded');

is($host->stop, 0, 'the host ends well');
($rows) = simulate("window = 64m\ncapacity = 2\noverdraft = 50%");
is(sums($rows->{overdraft}), '3 1 1 0 0 1 0', 'without kmsd the same');
done_testing;
