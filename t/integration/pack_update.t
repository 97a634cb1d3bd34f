#!/usr/bin/perl
# A policy pack goes from 1.0 over 1.1 to 1.2 on an appliance that serves: the same processes, no request
# refused, every count kept. The old key serves the old products, the new ones wait for a new key. What may not be
# installed is refused with its code, and nothing changes.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use Test::More;

my %text = map { $_ => slurp("$SRC/policy/packs/catalogue-$_.ini") } qw(1.0 1.1 1.2);
my $old = '1a6b5b52-7f0c-4f7e-9a51-0c5d2c9e1f01';
my $new = '1a6b5b52-7f0c-4f7e-9a51-0c5d2c9e1f02';
my $p = publisher(ini => $text{'1.0'}, products => [ { id => $old } ]);
my %pack = map { $_ => sign_pack($p, "catalogue-$_", $text{$_}) } sort keys %text;
my $a = start_appliance(publisher => $p);

# The command fails with that code, and says why.
sub refused ($args, $symbol, $says, $what) {
    my $r = $a->kmsctl(@$args);
    is($r->{exit}, 2, "$what: refused");
    like($r->{err}, qr/\b\Q$symbol\E\b/, "$what: $symbol");
    like($r->{err}, $says, "$what: says why");
}
sub version () { join ' ', map { $_->{version} } @{ ($a->kmsctl_json(qw(policy show)))[0]{packs} } }
sub counts () {
    my ($s) = $a->kmsctl_json('status');
    return { map { $_->{number} => $_->{counted} } @{ $s->{pools} } };
}
sub code ($name, $product) {
    my $r = $a->client($name, 'activate', product => $product);
    return $r->{exit} . ($r->{err} =~ /\b(0xC004[0-9A-F]{4})\b/ ? " $1" : '');
}

refused([ 'policy', 'install', $pack{'1.1'} ], 'KMS_E_PREREQUISITE', qr/example-catalogue 1\.1 needs 1\.0: install that first/, '1.1 on nothing');
refused([ 'policy', 'install', $pack{'1.2'} ], 'KMS_E_PREREQUISITE', qr/needs 1\.0 or 1\.1: install that first/, '1.2 on nothing');
is(version(), '', 'no pack is installed');
$a->enable(group => 'client');
is(version(), '1.0', 'then 1.0 is');
is(code('desktop-2', $new), '2 0xC004F069', 'a product of 1.2 is unknown');

# The load: 32 clients that ask as fast as they are answered, from before the first update until the end.
my ($acks, $log) = ($a->dir . '/acks', $a->dir . '/siege.log');
my $siege = start_siege(port => $a->port, publisher => $p, product => $old, clients => 32,
    state => $a->dir . '/siege.state', acks => $acks, log => $log);
sub served ($what) {
    my $before = -s $acks // 0;
    ok(eval { wait_for(20, sub { (-s $acks // 0) > $before + 100_000 }, $what) }, "$what: leases go on being given")
        or diag($@, slurp($log));
}
served('1.0');
my $children = $a->children;
is_deeply(counts(), { 1 => 32 }, 'thirty-two clients are counted');

for my $to (qw(1.1 1.2)) {
    my $stranger = publisher(ini => $text{$to}, products => []);
    refused([ 'policy', 'install', $stranger->{pack} ], 'KMS_E_PUBLISHER', qr/not signed by any configured publisher \(1 in kms\.ini\)/, "$to of another publisher");
    my $bad = spew("$p->{dir}/altered.kmspolicy", $text{$to} =~ s/threshold = 25/threshold = 1/r);
    spew("$bad.minisig", slurp("$pack{$to}.minisig"));
    refused([ 'policy', 'install', $bad ], 'KMS_E_SIGNATURE', qr/changed after publisher acme signed it/, "$to with another threshold");
    refused([ 'policy', 'install', sign_pack($p, 'other-id', $text{$to} =~ s/^id = .*/id = other/mr) ], 'KMS_E_PREREQUISITE',
        qr/the pack has the id other, but example-catalogue 1\.\d is installed/, "$to under another id");
    is($a->kmsctl('policy', 'install', $pack{$to})->{exit}, 0, "$to is installed");
    is(version(), $to, "$to is in force");
    served($to);
    refused([ 'policy', 'install', $pack{$to} ], 'KMS_E_EXISTS', qr/\Q$to\E is already installed/, "$to again");
    refused([ 'policy', 'install', $pack{'1.0'} ], 'KMS_E_OLDER', qr/1\.0 is older than the installed \Q$to\E/, "1.0 over $to");
    is(version(), $to, "$to stays");
    is_deeply(counts(), { 1 => 32, 2 => 0 }, 'every count is kept');
}
refused([ 'policy', 'install', sign_pack($p, 'next', $text{'1.2'} =~ s/version = .*/version = 1.4/r =~ s/requires = .*/requires = 1.3/r =~ s/replaces = .*/replaces = 1.3/r) ],
    'KMS_E_PREREQUISITE', qr/1\.4 needs 1\.3, but 1\.2 is installed/, 'a version that needs another between');

is(code('desktop-2', $new), '2 0xC004F042', 'under the old key the new product is not covered');
is(code('desktop-1', $old), '0', 'the old one is');
is_deeply(counts(), { 1 => 33, 2 => 0 }, 'and counts');

my $key = issue_key($p, group => 'client-2', policy => $pack{'1.2'}, output => "$p->{dir}/second");
is($a->kmsctl('key', 'install', $key)->{exit}, 0, 'a key of the new group is installed');
is(code('desktop-2', $new), '2 0xC004F042', 'until it is confirmed, nothing changes');
refused([qw(key request)], 'KMS_E_ARGUMENT', qr/2 host keys are installed: name one/, 'a request for no key in particular');
$a->certify($p, $key, policy => $pack{'1.2'});
is(code('desktop-2', $new), '0', 'confirmed, the new product activates');
is(code('desktop-1', $old), '0', 'and so does the old');
served('the new key');
is_deeply(counts(), { 1 => 34, 2 => 0 }, 'both generations are counted together');

# A new generation of clients: both products' clients hold good leases.
is($a->client($_, 'verify', product => $_ eq 'desktop-1' ? $old : $new)->{exit}, 0, "the lease of $_ verifies") for qw(desktop-1 desktop-2);
is_deeply($a->children, $children, 'all of it in the same processes');
my ($status) = $a->kmsctl_json('status');
is($status->{service}{refused}, 3, 'refused: the product that was unknown once and not covered twice; nobody else');
is($status->{service}{ledger_failures}, 0, 'the ledger never failed');

is($a->stop, 0, 'a clean stop');
is(wait_exit($siege, 20), 0, 'the clients were answered correctly up to it') or diag(slurp($log));
like(slurp($log), qr/acknowledged=[1-9]\d{2,} repeated=0 refused=0\b/m, 'with not one request refused');
diag(slurp($log));
is($a->kmsctl('ledger', 'check')->{exit}, 0, 'the ledger is whole');

# The same over a restart: what is on disk is the newest pack and key.
$a->start;
is(version(), '1.2', '1.2 after a restart');
is_deeply(counts(), { 1 => 34, 2 => 0 }, 'with every count');
is(code('desktop-2', $new), '0', 'and the new product');
is($a->stop, 0, 'a clean stop');
done_testing;
