#!/usr/bin/perl
# A real host whose ledger is copied back, and real clients: none is refused, each that had a later batch has evidence that verifies, and one
# that had none is not disturbed.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use Test::More;

my $product = '22222222-2222-4222-8222-222222222222';
my $publisher = publisher(products => [ { name => 'Server', id => $product, threshold => 1, group => 'server', pool => 'servers' } ]);
my $a = start_appliance(publisher => $publisher)->enable;
my $dir = $a->dir;

sub says ($name, $command, @args) {
    my $r = $a->client($name, $command, product => $product, args => \@args);
    return { exit => $r->{exit}, err => $r->{err}, map { /^([\w-]+): (.*)/ ? ($1 => $2) : () } split /\n/, $r->{out} };
}
is(says('early', 'activate')->{status}, 'KMS_OK', 'a client of before');
is(says('late', 'activate')->{status}, 'KMS_OK', 'and another one');
is($a->stop, 0, 'kmsd stops');
is(system('cp', '-a', "$dir/state/kmsdb", "$dir/copy"), 0, 'its ledger is copied');
$a->start;
for (1 .. 6) {
    my $r = says('late', 'renew');
    is("$r->{status} " . ($r->{warning} // ''), 'KMS_OK ', 'an honest record, also over a restart: no warning');
}
is($a->stop, 0, 'kmsd stops');
is(system('rm', '-r', "$dir/state/kmsdb"), 0, 'the ledger is taken away');
is(system('cp', '-a', "$dir/copy", "$dir/state/kmsdb"), 0, 'and the copy put in its place');
$a->start;
my $r = says('early', 'renew');
is("$r->{status} " . ($r->{warning} // ''), 'KMS_OK ', 'who had no lease of the lost time sees nothing');
is(says('early', 'evidence')->{kept}, 0, 'and has nothing');
$r = says('late', 'renew');
is("$r->{exit} $r->{status} $r->{licence} $r->{warning}", '0 KMS_OK activated KMS_E_HISTORY', 'who had one is served, and warns');
like($r->{err}, qr/Keep the evidence with kmsclient evidence/, 'and says what to do');
is(says('late', 'status')->{warning}, 'KMS_E_HISTORY', 'the status says it too');
$r = says('late', 'evidence', '-o', "$dir/evidence");
is("$r->{exit} $r->{kept} $r->{written}", '0 1 1', 'there is evidence');
like($r->{kind}, qr/^(?:went back|contradiction)$/, "of its kind: $r->{kind}");
my $v = run([ program('kmsclient'), '-k', $publisher->{key}, 'verify-evidence', "$dir/evidence" ]);
is($v->{exit}, 0, 'which anybody verifies') or diag($v->{err});
says('early', 'export-lease', "$dir/lease");
my $lease = run([ program('kmsclient'), '-k', $publisher->{key}, 'verify-lease', "$dir/lease" ]);
is($v->{out} =~ /^host: (\S+)/m ? $1 : 'none', $lease->{out} =~ /^host: (\S+)/m ? $1 : 'no lease', 'against this host');
my $warned = 0;
for (1 .. 8) { $warned++ if says('late', 'renew')->{warning} }
cmp_ok($warned, '<', 8, 'once the record is longer than what was known, it warns no more of the leases');
is(says('late', 'evidence')->{'first-batch'}, $r->{'first-batch'}, 'and keeps the first pair');
is($a->stop, 0, 'kmsd stops');
done_testing;
