#!/usr/bin/perl
# What t/bench/plot reads is what t/bench/run writes; its table has every figure, and it refuses anything else.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Bench;
use KMS::Test;
use Test::More;

my $dir = workspace();

sub plot (@args) { return run([ "$SRC/t/bench/plot", @args ]) }

sub results ($clients, @rates) {
    my $b = KMS::Bench->new;
    for my $rate (@rates) {
        $b->note('renewals kept', $rate);
        $b->note('durable kept', 2 * $rate);
        $b->note_ratio('kept ratio', 'renewals kept', 'durable kept');
        $b->note('memory', 46.123);
    }
    $b->yardstick('durable kept');
    open my $quiet, '>', '/dev/null';
    my $out = select $quiet;
    $b->figure('renewals / durable echo', 'kept ratio', '>=', 0.45, 0.85);
    $b->figure('memory, MiB', 'memory', '<=', 40);
    $b->figure('not measured', 'nothing', '<=', 40);
    select $out;
    $b->write_results("$dir/$clients.tsv", clients => $clients, rounds => scalar @rates);
    return "$dir/$clients.tsv";
}

my $large = results(1_000_000, 100, 110, 105);
is(plot($large)->{out}, <<'TABLE', 'the table');
| figure, 1,000,000 clients | measured | of the rounds | bar | goal | |
|---|---|---|---|---|---|
| renewals / durable echo | 0.50 | 0.50 to 0.50 | >= 0.45 | 0.85 | met |
| memory, MiB | 46.12 | 46.12 to 46.12 | <= 40 | - | MISSED |
TABLE
my $busy = results(10_000, 100, 200, 150);
my $both = plot($busy, $large);
is($both->{exit}, 0, 'of two runs');
like($both->{out}, qr/1,000,000 clients.*\n.*10,000 clients/s, 'the one with most clients comes first');
like($both->{out}, qr/\| renewals \/ durable echo \| 0.50 \|.*\| machine too busy \|$/m, 'nothing is met when the yardstick moved');

for my $bad ([ "about\tclients\n", qr/line 1/ ], [ "seen\techo\t1\t2\n", qr/line 1/ ], [ "about\tclients\t1\nfigure\tx\t1\n", qr/line 2/ ],
    [ "rate=1\n", qr/line 1/ ], [ '', qr/how many clients/ ], [ "about\tclients\tmany\n", qr/how many clients/ ]) {
    my $r = plot(spew("$dir/bad.tsv", $bad->[0]));
    isnt($r->{exit}, 0, 'refused');
    like($r->{err}, $bad->[1], 'and it says why');
}
isnt(plot("$dir/absent.tsv")->{exit}, 0, 'a file that is not there');
isnt(plot()->{exit}, 0, 'no file');
done_testing;
