#!/usr/bin/perl
# Fields that the formats have and that no code fills yet: each row says what happens to one until it is built. A change that builds one
# takes its row out, and with it what this test expects.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Asker;
use KMS::Test;
use Test::More;

my $dir = workspace();
my $publisher = publisher(dir => "$dir/publisher",
    products => [ { name => 'Server', id => '22222222-2222-4222-8222-222222222222', threshold => 1, group => 'server', pool => 'servers' } ]);
my $product = $publisher->{products}[0]{id};
my $a = start_appliance(publisher => $publisher, fronts => 1)->enable;

my $asker = KMS::Asker->new($a);
sub last_batch () { return ($a->kmsctl_json('status'))[0]{ledger}{last_batch} }

# -- unknown: refused, and the journal is as it was --

my $client = 10;
my %unknown = (
    'a critical TLV' => { tail => tlv(0x8007, pack 'N', 60) },
    'flag 4' => { flags => 4 },
);
for my $field (sort keys %unknown) {
    my $before = last_batch();
    is($asker->ask(++$client, product => $product, %{ $unknown{$field} })->{status}, 27, "$field: KMS_E_NOT_OFFERED");
    is(last_batch(), $before, "$field: nothing was recorded");
}

# -- empty: what the host writes by itself never has it --

$a->client($_, 'activate', product => $product) for qw(one two three);
$a->client('one', 'renew', product => $product);
$a->client('two', 'release', product => $product);
$a->do('client', 'revoke', 'one');
$a->do('client', 'unrevoke', 'one');
$a->do('client', 'forget', 'three');
$a->do('client', 'erase', 'one');
my (%kinds, %flags, %classes, %tails);
for my $e ($asker->entries) {
    $kinds{ $e->{kind} }++;
    next if $e->{kind} >= 16;
    $flags{ $e->{flags} }++;
    $classes{ $e->{class} }++;
    $tails{ length($e->{octets}) - 168 }++;
}
is_deeply([ grep { !$kinds{$_} } 1, 3, 16, 17, 18, 19, 32, 33, 34, 37 ], [], 'a life with each kind that is written');
is_deeply([ grep { $kinds{$_} } 35, 41, 48 .. 52 ], [], 'the rest are not written, or not in so short a life, or not without a share');
is_deeply([ keys %flags ], [0], 'no flag but those of machines and clones');
is_deeply([ keys %classes ], [0], 'no class');
is_deeply([ keys %tails ], [0], 'no TLV but the binding of a product that is bound');

is($a->stop, 0, 'the host ends well');
done_testing;
