#!/usr/bin/perl
# A publisher takes back what it gave: kmsissue revoke, the signed list, kmsctl revocations install.
# A running appliance stops giving leases; those that were given stay; nothing else changes.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use Test::More;

my $dir = workspace();
my $publisher = publisher(
    dir => "$dir/publisher",
    products => [ { name => 'Example Server', id => '22222222-2222-4222-8222-222222222222', threshold => 1,
        group => 'server', pool => 'servers' } ]);
my $a = start_appliance(publisher => $publisher);
$a->do('policy', 'install', $publisher->{pack});
$a->do('key', 'install', issue_key($publisher));
$a->do('key', 'request', '-o', "$dir/host.kmsreq");
$a->do('key', 'confirm', confirm($publisher, "$dir/host.kmsreq"));
is($a->client('early', 'activate')->{exit}, 0, 'a client is activated');
my ($keys) = $a->kmsctl_json('key', 'show');
my ($key, $host, $serial) = @{ $keys->{keys}[0] }{qw(id host_id serial)};

sub issue (@args) { run([ program('kmsissue'), @args[ 0 .. 1 ], '-d', $publisher->{dir}, '--json', @args[ 2 .. $#args ] ]) }
sub revoked ($name, @args) {
    my $r = issue('revoke', @args);
    is($r->{exit}, 0, $name) or diag($r->{err});
}
sub refused ($name, $status, $words, $r) {
    isnt($r->{exit}, 0, "$name: refused");
    like($r->{err}, qr/\Q$status\E/, "$name: $status") or diag("$r->{out}$r->{err}");
    like($r->{err}, $words, "$name: says what is wrong");
}
my $lists = 0;
sub list () {
    my $r = run([ program('kmsissue'), 'revocations', '-d', $publisher->{dir}, '-o', "$dir/list" . ++$lists ]);
    is($r->{exit}, 0, "list $lists is signed") or diag($r->{err});
    return "$dir/list$lists.kmsrevoked";
}
sub installed ($name, $file) {
    my $r = $a->kmsctl('revocations', 'install', $file);
    is($r->{exit}, 0, $name) or diag("$r->{out}$r->{err}");
    return $r->{out};
}
sub publisher_row () {
    my ($status) = $a->kmsctl_json('status');
    return $status->{publishers}[0];
}

# -- kmsissue --

for my $row (
    [ 'no UUID', 'KMS_E_ARGUMENT', qr/UUID of a host key/, qw(key x --reason r) ],
    [ 'no host id', 'KMS_E_ARGUMENT', qr/host id/, qw(host 00 --reason r) ],
    [ 'no serial', 'KMS_E_ARGUMENT', qr/serial number/, qw(certificate 0 --reason r) ],
    [ 'no reason', 'KMS_E_ARGUMENT', qr/--reason/, 'key', $key ],
    [ 'an empty reason', 'KMS_E_ARGUMENT', qr/--reason/, 'key', $key, '--reason', '' ],
    [ 'a reason of two lines', 'KMS_E_ARGUMENT', qr/--reason/, 'key', $key, '--reason', "a\nb" ],
    [ 'a key that was never issued', 'KMS_E_NOT_FOUND', qr/not in the register/, 'key', '00000000-0000-4000-8000-000000000001', '--reason', 'r' ],
    [ 'a host that was never confirmed', 'KMS_E_NOT_FOUND', qr/not in the register/, 'host', '0' x 32, '--reason', 'r' ],
    [ 'a serial that was never given', 'KMS_E_NOT_FOUND', qr/not in the register/, 'certificate', 99, '--reason', 'r' ],
) {
    my ($name, $status, $words, @args) = @$row;
    refused("revoke: $name", $status, $words, issue('revoke', @args));
}
refused('a list without a name', 'KMS_E_ARGUMENT', qr/--output/, run([ program('kmsissue'), 'revocations', '-d', $publisher->{dir} ]));

# -- a list of others: nothing changes --

my $empty = list();
is((run([ 'minisign', '-Vm', $empty, '-x', "$empty.minisig", '-P', $publisher->{key} ]))->{exit}, 0, 'minisign verifies it');
revoked('a stranger', 'host', 'f' x 32, '--reason', 'stolen', '--force');
my $others = list();
like(installed('a list that names others', $others), qr/revocation list 2, 1 revocations/, 'is installed');
is($a->client('early', 'renew')->{exit}, 0, 'and changes nothing');
is(publisher_row()->{revocations}, 2, 'status shows its number');
is(publisher_row()->{revoked}, undef, 'and nothing revoked');
refused('an older list', 'KMS_E_OLDER', qr/list 1 is older than the installed list 2/, $a->kmsctl('revocations', 'install', $empty));
refused('the same list', 'KMS_E_EXISTS', qr/list 2 is already installed/, $a->kmsctl('revocations', 'install', $others));

# -- each way to be revoked, and back --

my $text = slurp($others);
spew("$dir/altered.kmsrevoked", $text =~ s/number = 2/number = 9/r);
spew("$dir/altered.kmsrevoked.minisig", slurp("$others.minisig"));
refused('an altered list', 'KMS_E_SIGNATURE', qr/changed after/, $a->kmsctl('revocations', 'install', "$dir/altered.kmsrevoked"));
my $stranger = publisher(dir => "$dir/stranger");
is((run([ program('kmsissue'), 'revocations', '-d', $stranger->{dir}, '-o', "$dir/foreign" ]))->{exit}, 0, 'another publisher has a list');
refused('another publisher\'s list', 'KMS_E_PUBLISHER', qr/not signed by any configured publisher/, $a->kmsctl('revocations', 'install', "$dir/foreign.kmsrevoked"));
my $n = 0;
my $by_hand = sub ($body) {
    my $file = spew("$dir/hand" . ++$n . '.kmsrevoked', $body);
    is((run([ 'minisign', '-Sm', $file, '-s', "$publisher->{dir}/publisher.key" ]))->{exit}, 0, 'signed by hand');
    return $file;
};
my ($id) = $text =~ /^publisher = (\w+)/m;
my $head = "[revocations]\npublisher = $id\nnumber = 99\nissued = 2026-01-01\n";
my $why = "time = 2026-01-01\nreason = r\n";
for my $row (
    [ 'no list at all', '', qr/revocations/ ],
    [ 'number 0', $head =~ s/number = 99/number = 0/r, qr/number/ ],
    [ 'no number', $head =~ s/number.*\n//r, qr/number/ ],
    [ 'an unknown section', "$head\[revoked-client x]\n$why", qr/unknown section/ ],
    [ 'an unknown key', "${head}reason = r\n", qr/unknown key/ ],
    [ 'an invalid UUID', "$head\[revoked-key x]\n$why", qr/not the UUID/ ],
    [ 'an invalid host', "$head\[revoked-host 00]\n$why", qr/not a host id/ ],
    [ 'an invalid serial number', "$head\[revoked-certificate -1]\n$why", qr/not the serial number/ ],
    [ 'no reason', "$head\[revoked-certificate 7]\ntime = 2026-01-01\n", qr/reason/ ],
    [ 'the same twice', "$head\[revoked-certificate 7]\n$why\[revoked-certificate 7]\n$why", qr/revoked twice/ ],
) {
    my ($name, $body, $words) = @$row;
    refused("a list with $name", 'KMS_E_FORMAT', $words, $a->kmsctl('revocations', 'install', $by_hand->($body)));
}
refused('a list that names another publisher', 'KMS_E_PUBLISHER', qr/names another publisher/,
    $a->kmsctl('revocations', 'install', $by_hand->($head =~ s/\w{16}/0123456789abcdef/r)));
is($a->client('early', 'renew')->{exit}, 0, 'none of them changed anything');

revoked('the certificate', 'certificate', $serial, '--reason', 'licence not paid');
refused('the same once more', 'KMS_E_EXISTS', qr/already revoked/, issue('revoke', 'certificate', $serial, '--reason', 'r'));
my $list = list();
installed('a list that names this host\'s certificate', $list);
my $r = $a->client('early', 'renew');
isnt($r->{exit}, 0, 'no lease is given any more');
like("$r->{out}$r->{err}", qr/revoked/, 'and the client hears why');
isnt($a->client('late', 'activate')->{exit}, 0, 'nor to a new client');
is($a->client('early', 'verify')->{exit}, 0, 'a lease that was given stays');
is(publisher_row()->{revoked}, 'licence not paid', 'status says why');
like($a->log, qr/host-revoked.*certificate: licence not paid/, 'and so does the log');
like($a->do('status')->{out}, qr/licence not paid/, 'in words too');

# A new confirmation of the same host has another serial.
refused('the same request again', 'KMS_E_KEY_INVALID', qr/certificate was revoked: licence not paid/,
    run([ program('kmsissue'), 'confirm', '-d', $publisher->{dir}, '-p', $publisher->{pack}, '-o', "$dir/same", "$dir/host.kmsreq" ]));
my $request = slurp("$dir/host.kmsreq");
wait_for(10, sub {    # a request says when it was made, in seconds
    $a->do('key', 'request', '-o', "$dir/again.kmsreq");
    slurp("$dir/again.kmsreq") ne $request;
}, 'another request');
$a->do('key', 'confirm', confirm($publisher, "$dir/again.kmsreq", output => "$dir/again"));
is($a->client('early', 'renew')->{exit}, 0, 'a new certificate serves again');
is(publisher_row()->{revoked}, undef, 'and nothing is revoked');

revoked('the key', 'key', $key, '--reason', 'key was published');
$request = slurp("$dir/again.kmsreq");
wait_for(10, sub { $a->do('key', 'request', '-o', "$dir/third.kmsreq"); slurp("$dir/third.kmsreq") ne $request }, 'a third');
refused('a host of a revoked key', 'KMS_E_KEY_INVALID', qr/host key was revoked: key was published/,
    run([ program('kmsissue'), 'confirm', '-d', $publisher->{dir}, '-p', $publisher->{pack}, '-o', "$dir/third", "$dir/third.kmsreq" ]));
installed('a list that names the key', list());
isnt($a->client('early', 'renew')->{exit}, 0, 'its host gives no lease');

# The list outlives a restart, a crash in the middle of the next one, and its own older copies.
is($a->stop, 0, 'kmsd stops');
my ($stored) = glob "$a->{dir}/state/revoked/*.kmsrevoked";
spew($stored =~ s/-\d+\.kmsrevoked$/-77.kmsrevoked.minisig/r, 'half');
$a->start;
is(publisher_row()->{revoked}, 'key was published', 'it is revoked after a restart');
isnt($a->client('early', 'renew')->{exit}, 0, 'and gives no lease');
is($a->client('early', 'verify')->{exit}, 0, 'a lease that was given stays');
refused('the revoked key once more', 'KMS_E_KEY_INVALID', qr/revoked this host key: key was published/,
    $a->kmsctl('key', 'install', "$publisher->{dir}/customer.kmskey"));

$a->do('key', 'install', issue_key($publisher, output => "$dir/newkey"));
my ($new) = slurp("$dir/newkey.kmskey") =~ /^id = (\S+)/m;
$a->do('key', 'request', $new, '-o', "$dir/new.kmsreq");
my $cert = confirm($publisher, "$dir/new.kmsreq", output => "$dir/new");
revoked('the host', 'host', $host, '--reason', 'sold for scrap');
installed('a list that names the host', list());
refused('a certificate for a revoked host', 'KMS_E_KEY_INVALID', qr/revoked this host: sold for scrap/, $a->kmsctl('key', 'confirm', $cert));
isnt($a->client('early', 'renew')->{exit}, 0, 'and no lease');
my @entries = grep { /revocation list/ } split /\n/, run([ 'strings', '-a', glob "$a->{dir}/state/kmsdb/journal/*.seg" ])->{out};
is(scalar @entries, 4, 'each list that was installed is in the journal') or diag(join "\n", @entries);
my $check = $a->kmsctl('ledger', 'check');
is($check->{exit}, 0, 'and the ledger is sound') or diag("$check->{out}$check->{err}");
my $events = run([ program('kmsissue'), 'ledger', '-d', $publisher->{dir}, '--csv' ])->{out};
is(scalar(() = $events =~ /,revoke-/g), 4, 'every revocation is in the publisher\'s register');
is(scalar(() = $events =~ /,revocations,/g), $lists, 'and every list');
like(run([ program('kmsissue'), 'show', '-P', $publisher->{key}, $list ])->{out}, qr/^kind\s+revocation list\n.*licence not paid/ms, 'kmsissue show shows a list');
is($a->stop, 0, 'kmsd stops');
done_testing;
