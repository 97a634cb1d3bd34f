#!/usr/bin/perl
# Hosts that count together never sell more than was bought: the model over the shipped decisions, rows and rights, with claims and with transfers.
# Without any one of its rules it must find a history that does.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use Test::More;

my %ways = (claims => [], transfers => ['--transfers']);
# The mutants, and near which seeds they were seen to oversell. Any other history will do, but takes longer to be found.
my %mutants = (
    'latest-time'       => { claims => 300,  transfers => 100 },
    'not-heard-by-all'  => { claims => 30,   transfers => 1 },
    'no-slack'          => { claims => 2700, transfers => 1900 },
    'plain-catching-up' => { claims => 400,  transfers => 280 },
);

for my $way (sort keys %ways) {
    my $r = run([ "$BUILD/t/model/model", @{ $ways{$way} }, '--show', '--histories', 1500 ]);
    is($r->{exit}, 0, "$way: no history oversells") or diag($r->{out} . $r->{err});
    my ($bad, $grants, $free, $moved, $restored, $aside, $again) = $r->{out}
        =~ /^1500 histories, (\d+) oversold: (\d+) grants, (\d+) of them without a right, \d+ refused; (\d+) rights moved; (\d+) restores, (\d+) batches set aside, (\d+) seats of them again/m;
    is($bad, 0, "$way: it says so");
    cmp_ok($grants, '>', 10000, "$way: seats are given");
    cmp_ok($free, '>', 3000, "$way: many to clients that count already");
    cmp_ok($moved, '>', 3000, "$way: rights move");
    cmp_ok($restored, '>', 500, "$way: disks are restored");
    cmp_ok($again, '>', 10, "$way: seats of $aside batches set aside come again");
    for my $mutant (sort keys %mutants) {
        my $m = run([ "$BUILD/t/model/mutant-$mutant", @{ $ways{$way} }, '--show', '--until-oversold', '--seed', $mutants{$mutant}{$way}, '--histories', 20000 ]);
        is($m->{exit}, 0, "$way, $mutant: it oversells") or diag($m->{out} . $m->{err});
        like($m->{out}, qr/^# seed \d+, step \d+: \d+ clients count in pool \d, \d+ may$/m, "$way, $mutant: a history shows it");
    }
}
done_testing();
