#!/usr/bin/perl
# A publisher's key gives way to another: kmsissue rotate, kmsctl publisher rotate. A running
# appliance takes files of either, keeps every count, and products that carry the old key and products that
# carry the new one activate at the same host.
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
my $home = $publisher->{dir};
my $a = start_appliance(publisher => $publisher);
$a->do('policy', 'install', $publisher->{pack});
$a->do('key', 'install', issue_key($publisher));
$a->do('key', 'request', '-o', "$dir/host.kmsreq");
my $certificate = confirm($publisher, "$dir/host.kmsreq");
$a->do('key', 'confirm', $certificate);

my $old = $publisher->{key};
my $server = $publisher->{products}[0]{id};
sub client ($key, $name, $verb, @args) {
    return run([ program('kmsclient'), '--publisher-key', $key, '--product', $server, '--state', "$a->{dir}/clients/$name",
        '--host', '127.0.0.1:' . $a->port, '--name', $name, $verb, @args ]);
}
sub refused ($name, $status, $words, $r) {
    isnt($r->{exit}, 0, "$name: refused");
    like($r->{err}, qr/\Q$status\E/, "$name: $status") or diag("$r->{out}$r->{err}");
    like($r->{err}, $words, "$name: says what is wrong");
}
sub counted () { return ($a->kmsctl_json('status'))[0]{pools}[1]{counted} }
sub issue (@args) { run([ program('kmsissue'), @args ]) }

is(client($old, 'first', 'activate')->{exit}, 0, 'a product with the old key is activated');
is(counted(), 1, 'and counted');

# -- kmsissue rotate --

for my $row (
    [ 'an end before the start', qr/--to is before/, qw(--from 2090-01-02 --to 2090-01-01) ],
    [ 'an end in the past', qr/in the past/, qw(--from 2020-01-01 --to 2020-01-02) ],
    [ 'an invalid date', qr/--from/, qw(--from soon) ],
    [ 'no passphrase for the new key', qr/new-passphrase-file/ ],
) {
    my ($name, $words, @args) = @$row;
    refused("rotate with $name", 'KMS_E_', $words, run([ 'setsid', '-w', program('kmsissue'), 'rotate', '-d', $home, @args ]));
}
ok(!-e "$home/publisher.new.key", 'none of them made a key');
refused('a rotation that was never begun', 'KMS_E_NOT_FOUND', qr/no rotation is in progress/, issue('rotate', '-d', $home, '--finish'));
my $r = issue('rotate', '-d', $home, '--no-passphrase', '--json', '--from', '2020-01-01', '--to', '2090-01-01');
is($r->{exit}, 0, 'rotate') or diag($r->{err});
my $made = json_of($r);
my ($new) = slurp("$home/publisher.new.pub") =~ /^(RW\S{54})$/m;
is($made->{public_key}, $new, 'makes a new key');
my $file = "$home/publisher.kmsrotate";
is($made->{file}, $file, 'and a file');
is(run([ 'minisign', '-Vm', $file, '-P', $old ])->{exit}, 0, 'that minisign verifies with the old key');
refused('another rotation meanwhile', 'KMS_E_EXISTS', qr/a rotation is in progress/, issue('rotate', '-d', $home, '--no-passphrase'));
like(issue('ledger', '-d', $home, '--csv')->{out}, qr/,rotate,/, 'the register has it');

# -- kmsctl publisher rotate --

my $unknown = client($new, 'early', 'activate');
isnt($unknown->{exit}, 0, 'a host that has not heard of the new key does not serve products with it');
my $text = slurp($file);
my $n = 0;
my $by_hand = sub ($body, $key = "$home/publisher.key") {
    my $path = spew("$dir/hand" . ++$n . '.kmsrotate', $body);
    is(run([ 'minisign', '-Sm', $path, '-s', $key ])->{exit}, 0, 'signed by hand');
    return $path;
};
for my $row (
    [ 'an altered date', 'KMS_E_SIGNATURE', qr/do not verify/, $text =~ s/until = 2090/until = 2091/r ],
    [ 'an altered key', 'KMS_E_SIGNATURE', qr/do not verify/, $text =~ s/^new = .*/new = $old/mr =~ s/^old = .*/old = $new/mr ],
    [ 'one key twice', 'KMS_E_FORMAT', qr/the same id/, $text =~ s/^new = .*/new = $old/mr ],
    [ 'an end before the start', 'KMS_E_FORMAT', qr/before from/, $text =~ s/until = 2090/until = 2019/r ],
    [ 'an invalid key', 'KMS_E_FORMAT', qr/minisign public key/, $text =~ s/^new = .*/new = RWx/mr ],
    [ 'no signature of the new key', 'KMS_E_FORMAT', qr/new-signature/, $text =~ s/^new-signature.*\n//mr ],
    [ 'a short signature', 'KMS_E_FORMAT', qr/old-signature/, $text =~ s/^(old-signature = )..../$1/mr ],
    [ 'an unknown key', 'KMS_E_FORMAT', qr/unknown key/, "${text}x = y\n" ],
    [ 'nothing', 'KMS_E_FORMAT', qr/\[rotation\] is missing/, '' ],
) {
    my ($name, $status, $words, $body) = @$row;
    refused("a rotation with $name", $status, $words, $a->kmsctl('publisher', 'rotate', $by_hand->($body)));
}
refused('a rotation that the new key signed', 'KMS_E_PUBLISHER', qr/not a signature of this file by the old key/,
    $a->kmsctl('publisher', 'rotate', $by_hand->($text, "$home/publisher.new.key")));
my $stranger = publisher(dir => "$dir/stranger");
is(issue('rotate', '-d', $stranger->{dir}, '--no-passphrase')->{exit}, 0, 'another publisher rotates');
refused('another publisher\'s rotation', 'KMS_E_PUBLISHER', qr/neither the old nor the new/, $a->kmsctl('publisher', 'rotate', "$stranger->{dir}/publisher.kmsrotate"));
is(client($new, 'early', 'activate')->{exit} == 0, '', 'none of them was installed');

$r = $a->kmsctl('publisher', 'rotate', $file);
is($r->{exit}, 0, 'publisher rotate') or diag("$r->{out}$r->{err}");
refused('the same again', 'KMS_E_EXISTS', qr/already installed/, $a->kmsctl('publisher', 'rotate', $file));
my $row = ($a->kmsctl_json('status'))[0]{publishers}[0];
ok($row->{other_key} && $row->{both_until}, 'status shows the other key and the dates');

# -- the certificate is still by the old key --

is(client($old, 'first', 'renew')->{exit}, 0, 'a product with the old key renews');
is(client($new, 'second', 'activate')->{exit}, 0, 'a product with the new key is activated');
is(client($new, 'second', 'verify')->{exit}, 0, 'and verifies what it got');
is(counted(), 2, 'both count in one pool');

# -- the certificate is by the new key --

wait_for(10, sub { $a->do('key', 'request', '-o', "$dir/again.kmsreq"); slurp("$dir/again.kmsreq") ne slurp("$dir/host.kmsreq") }, 'another request');
$r = issue('confirm', '-d', $home, '--new-key', '-p', $publisher->{pack}, '-o', "$dir/again", "$dir/again.kmsreq");
is($r->{exit}, 0, 'confirm --new-key, with a pack and a host key of the old one') or diag($r->{err});
is(run([ 'minisign', '-Vm', "$dir/again.kmscert", '-P', $new ])->{exit}, 0, 'is signed by the new key');
$r = $a->kmsctl('key', 'confirm', "$dir/again.kmscert");
is($r->{exit}, 0, 'and installed') or diag($r->{err});
is(client($old, 'third', 'activate')->{exit}, 0, 'a product with the old key takes a certificate by the new one');
is(client($old, 'third', 'verify')->{exit}, 0, 'and verifies its lease');
is(client($old, 'first', 'verify')->{exit}, 0, 'a lease from before stays');
is(client($old, 'first', 'renew')->{exit}, 0, 'and is renewed');
is(client($new, 'fourth', 'activate')->{exit}, 0, 'a product with the new key too');
is(counted(), 4, 'all of them count in one pool');
is(client($stranger->{key}, 'fifth', 'activate')->{exit} == 0, '', 'another publisher\'s product has no part in it');

for my $who ([ $old, 'third', $old ], [ $old, 'third', $new ], [ $new, 'fourth', $old ]) {
    my ($key, $name, $check) = @$who;
    is(client($key, $name, 'export-lease', "$dir/$name.kmslease")->{exit}, 0, "a lease is exported");
    is(run([ program('kmsclient'), '--publisher-key', $check, 'verify-lease', "$dir/$name.kmslease" ])->{exit}, 0, 'and anybody with either key can check it');
    isnt(run([ program('kmsclient'), '--publisher-key', $stranger->{key}, 'verify-lease', "$dir/$name.kmslease" ])->{exit}, 0, 'and nobody with another');
}

# -- after a restart, and after the end of the rotation at the publisher --

is($a->stop, 0, 'kmsd stops');
$a->start;
is(client($old, 'first', 'renew')->{exit}, 0, 'after a restart the old key');
is(client($new, 'fourth', 'renew')->{exit}, 0, 'and the new one are served');
is(counted(), 4, 'with every count kept');
is($a->kmsctl('ledger', 'check')->{exit}, 0, 'and the ledger is sound');
is(issue('rotate', '-d', $home, '--finish')->{exit}, 0, 'rotate --finish');
is(slurp("$home/publisher.pub") =~ /^\Q$new\E$/m, 1, 'the new key takes the old one\'s place');
ok(-e "$home/publisher.old.key" && !-e "$home/publisher.new.key", 'and the old one is kept aside');
for ([ $certificate, 'old' ], [ "$dir/again.kmscert", 'new' ]) {
    my ($path, $which) = @$_;
    $r = issue('show', '-d', $home, '--json', $path);
    is($r->{exit}, 0, "show -d verifies a certificate by the $which key") or diag($r->{err});
    is(json_of($r)->{signature}, 'verified', 'and says so');
}
is(issue('show', '-P', $old, $certificate)->{exit}, 0, 'show -P verifies it with its own key');
refused('show with the other key alone', 'KMS_E_PUBLISHER', qr/another publisher/, issue('show', '-P', "$home/publisher.pub", $certificate));
refused('show in another publisher\'s directory', 'KMS_E_PUBLISHER', qr/another publisher/, issue('show', '-d', $stranger->{dir}, $certificate));
my $key = issue_key($publisher, output => "$dir/second");
$r = $a->kmsctl('key', 'install', $key);
is($r->{exit}, 0, 'a host key by the new key is installed') or diag($r->{err});
is(issue('revocations', '-d', $home, '-o', "$dir/list")->{exit}, 0, 'a list by the new key');
is($a->kmsctl('revocations', 'install', "$dir/list.kmsrevoked")->{exit}, 0, 'too');
$a->do('audit', 'export', '-o', "$dir/audit");
for my $publisher_key ($old, $new) {
    $r = issue('audit', 'verify', '-P', $publisher_key, '--json', "$dir/audit");
    is($r->{exit}, 0, 'an audit with either key') or diag($r->{err});
    is(json_of($r)->{clients}, 4, 'counts all clients');
    is(scalar @{ json_of($r)->{certificates} }, 2, 'by the certificates of both');
}
my $audit = slurp("$dir/audit");
my $at = index $audit, 'KMSROTA1';
cmp_ok($at, '>', 0, 'the rotation goes along');
substr($audit, $at + 100, 1) ^.= "\x01";
refused('an audit with an altered rotation', 'KMS_E_SIGNATURE', qr/key rotation/, issue('audit', 'verify', '-P', $old, spew("$dir/bad", $audit)));

# -- the second rotation and the third: nothing changes in kms.ini --

my @keys = ($old, $new);
my ($uuid) = slurp($key) =~ /^id = (\S+)/m;
my $again = 0;
my $rotate = sub ($out, @dates) {
    my $r = issue('rotate', '-d', $home, '--no-passphrase', '--json', '-o', $out, @dates);
    return $r->{exit} == 0 ? json_of($r)->{public_key} : $r;
};
my $confirm_again = sub (@args) {
    my $name = "$dir/further" . ++$again;
    sleep 1;    # a request is another one when its time is
    $a->do('key', 'request', $uuid, '-o', "$name.kmsreq");
    my $r = issue('confirm', '-d', $home, @args, '-p', $publisher->{pack}, '-o', $name, "$name.kmsreq");
    is($r->{exit}, 0, 'the host is confirmed again') or diag($r->{err});
    $r = $a->kmsctl('key', 'confirm', "$name.kmscert");
    is($r->{exit}, 0, 'and takes it') or diag($r->{err});
};
run([ 'cp', '-a', $home, "$dir/fork" ]);
refused('a rotation that begins before the last one', 'KMS_E_ARGUMENT', qr/beginning of the last/, $rotate->("$dir/early", '--from', '2019-01-01', '--to', '2090-01-01'));
for my $n (2, 3) {
    my $key = $rotate->("$dir/rotation$n", '--from', "202$n-01-01", '--to', '2090-01-01');
    ok(!ref $key, "rotation $n") or diag($key->{err});
    push @keys, $key;
    $r = $a->kmsctl('publisher', 'rotate', "$dir/rotation$n.kmsrotate");
    is($r->{exit}, 0, 'is installed over those before') or diag($r->{err});
    is(($a->kmsctl_json('status'))[0]{publishers}[0]{rotations}, $n, 'status counts them');
    $confirm_again->('--new-key');
    is(client($keys[$_], "n$n$_", 'activate')->{exit}, 0, "a product with key $_ of $n is activated") for 0 .. $n;
    is(client($keys[$_], "n$n$_", 'verify')->{exit}, 0, 'and verifies its lease') for 0 .. $n;
    is(client($old, 'first', 'renew')->{exit}, 0, 'the first client renews');
    is(issue('rotate', '-d', $home, '--finish')->{exit}, 0, 'rotate --finish');
}
is(issue('rotate', '-d', "$dir/fork", '--no-passphrase', '-o', "$dir/fork/other")->{exit}, 0, 'somebody else announces another key with the second key');
refused('two statements by one key', 'KMS_E_EXISTS', qr/another rotation of the same key/, $a->kmsctl('publisher', 'rotate', "$dir/fork/other.kmsrotate"));
like($a->log, qr/rotation-fork/, 'the log names it');
is($a->stop, 0, 'kmsd stops');
$a->start;
is(($a->kmsctl_json('status'))[0]{publishers}[0]{rotations}, 3, 'after a restart all three are there');
is(client($keys[-1], 'n33', 'renew')->{exit}, 0, 'and are served');
$a->do('audit', 'export', '-o', "$dir/audit3");
for my $publisher_key (@keys) {
    $r = issue('audit', 'verify', '-P', $publisher_key, '--json', "$dir/audit3");
    is($r->{exit}, 0, 'an audit with each of the four keys') or diag($r->{err});
    is(scalar @{ json_of($r)->{certificates} }, 4, 'knows the certificates of all');
}
ok(-e "$home/publisher.old.pub" && 2 == grep({ m{publisher\.[0-9a-f]{16}\.pub$} } glob("$home/publisher.*.pub")), 'the publisher keeps every public key');

# -- damage --

is($a->stop, 0, 'kmsd stops');
my ($chain) = glob("$a->{dir}/state/publishers/*/rotations");
my $octets = slurp($chain);
substr($octets, 100, 1) ^.= "\x01";
spew($chain, $octets);
$a->start;
like($a->log, qr{publishers/\w+/rotations: the file is damaged; install it again}, 'a damaged file is named');
is($a->stop, 0, 'kmsd stops');
done_testing;
