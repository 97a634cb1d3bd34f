#!/usr/bin/perl
# Two publishers on one appliance, each with its own key, pack, pools and counts. The second one tries what a
# publisher could try: to take the first one's products, keys and clients.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::INET;
use KMS::Test;
use MIME::Base64;
use Test::More;

# The same pool number and the same group names in both; only the products differ.
sub pack_text ($id, $version, @products) {
    my $n = 0;
    return "[policy]\nid = $id\ntitle = $id\nversion = $version\nissued = 2026-01-01\n[group small]\n[group large]\ncovers = small\n"
        . "[pool machines]\nnumber = 1\n"
        . join '', map { "[product $_->[0]]\nname = $_->[1]\ngroup = $_->[2]\npool = machines\nthreshold = 2\n" } @products;
}
my @alpha = ('aaaaaaaa-0000-4000-8000-000000000001', 'aaaaaaaa-0000-4000-8000-000000000002');
my $beta = 'bbbbbbbb-0000-4000-8000-000000000001';
my @alphas = ([ $alpha[0], 'Alpha', 'small' ], [ $alpha[1], 'Alpha Large', 'large' ]);
my %p = (
    alpha => publisher(name => 'alpha', products => [ { id => $alpha[0] } ], ini => pack_text('alpha-pack', '1.0', @alphas)),
    beta => publisher(name => 'beta', products => [ { id => $beta } ], ini => pack_text('beta-pack', '1.0', [ $beta, 'Beta', 'small' ])),
);
my $a = start_appliance(publisher => $p{alpha}, ini => "[publisher beta]\nkey = $p{beta}{key}\n");    # acme is alpha

sub key_id ($p) { return substr decode_base64($p->{key}), 2, 8 }

# What HELLO for that id gets: the publisher's id in the certificate, or the status of an ERROR.
sub hello ($id) {
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $a->port, Timeout => 20) or die "connect: $!\n";
    my $get = sub ($n) {
        my $text = '';
        while (length $text < $n) { sysread $s, $text, $n - length $text, length $text or die "HELLO: closed\n" }
        return $text;
    };
    syswrite $s, pack('a4 C C n N', 'KMSD', 2, 1, 0, 8) . $id;
    my ($magic, $version, $type, $flags, $length) = unpack 'a4 C C n N', $get->(12);
    my $body = $get->($length);
    return unpack 'N', $body if $type == 5;
    is(substr($body, 170, 8), 'KMSCERT2', 'a certificate');
    return substr $body, 178, 8;
}
sub counts () {
    my ($s) = $a->kmsctl_json('status');
    return { map { $_->{publisher} => $_->{counted} } @{ $s->{pools} } };
}
# "exit symbol count" of an activation.
sub told ($publisher, $name, $product = undef) {
    my $r = $a->client($name, 'activate', publisher => $p{$publisher}, product => $product, args => ['--json']);
    my $data = json_of($r);
    my ($symbol) = "$r->{out}$r->{err}" =~ /\b(KMS_E_\w+)/;
    return join ' ', $r->{exit}, $symbol // (), $data->{count} // ();
}
sub refused ($args, $symbol, $says, $what) {
    my $r = $a->kmsctl(@$args);
    is($r->{exit}, 2, "$what: refused");
    like($r->{err}, qr/\b\Q$symbol\E\b/, "$what: $symbol");
    like($r->{err}, $says, "$what: says why");
}
sub reload ($text) {
    my $n = () = $a->log =~ /activate-reloaded|config-error/g;
    spew($a->ini, $text);
    kill 'HUP', $a->pid;
    wait_for(20, sub { (() = $a->log =~ /activate-reloaded|config-error/g) > $n }, 'the ini file is read again');
}

subtest 'one is confirmed, the other is not yet' => sub {
    is(hello(key_id($p{$_})), 2, "HELLO for $_ before: not enabled") for qw(alpha beta);
    $a->enable(group => 'small', capacity => 3);
    is(hello(key_id($p{alpha})), key_id($p{alpha}), 'HELLO for alpha');
    is(hello(key_id($p{beta})), 2, 'HELLO for beta: not enabled');
    is(hello("\0" x 8), 2, 'HELLO for the only one, where there are two');
    $a->do('policy', 'install', $p{beta}{pack});
    my $key = issue_key($p{beta}, group => 'large');
    $a->do('key', 'install', $key);
    is(hello(key_id($p{beta})), 3, 'HELLO for beta: not confirmed');
    like(told('beta', 'b-1'), qr/^2 KMS_E_NOT_CONFIRMED/, 'alpha\'s certificate does not serve beta\'s client');
    $a->certify($p{beta}, $key);
    is(hello(key_id($p{$_})), key_id($p{$_}), "HELLO for $_ gives its own certificate") for qw(alpha beta);
    is(hello("\0" x 8), 2, 'HELLO for the only one still names nobody');
    is(hello('nobody!!'), 2, 'HELLO for another');
};

subtest 'counts' => sub {
    is(told('alpha', 'a-1'), '5 KMS_E_COUNT_TOO_LOW 1', 'the first client of alpha');
    is(told('alpha', 'a-2'), '0 2', 'the second');
    is(told('beta', 'b-1'), '5 KMS_E_COUNT_TOO_LOW 1', 'the first client of beta counts from one');
    is_deeply(counts(), { acme => 2, beta => 1 }, 'two pools of one number');
    is(told('beta', 'b-2'), '0 2', 'the second of beta');
    is(told('alpha', 'a-3'), '0 3', 'the third of alpha');
    is(told('alpha', 'a-4'), '2 KMS_E_CAPACITY 3', 'a fourth is more than alpha sold');
    is(told('beta', 'b-3'), '0 3', 'beta goes on');
    is(told('beta', 'b-4'), '0 4', 'for alpha\'s limit is not beta\'s');
    is_deeply(counts(), { acme => 3, beta => 4 }, 'and the counts are separate');
    my ($clients) = $a->kmsctl_json('clients');
    my $id = sub ($p) { unpack 'H*', key_id($p) };
    my %publisher = map { $_->{name} => $_->{publisher} } @{ $clients->{clients} };
    is_deeply([ @publisher{qw(a-1 b-1)} ], [ map { $id->($p{$_}) } qw(alpha beta) ], 'each client is its publisher\'s');
    my ($shown) = $a->kmsctl_json('client', 'show', 'b-1');
    is_deeply([ @{ $shown->{client} }{qw(publisher product_name)} ], [ 'beta', 'Beta' ], 'client show');
    ok($shown->{client}{counted}, 'which says that it counts');
};

subtest 'a pack that names the other\'s product' => sub {
    my $bad = sign_pack($p{beta}, 'greedy', pack_text('beta-pack', '1.1', [ $beta, 'Beta', 'small' ], $alphas[0]));
    refused([ 'policy', 'install', $bad ], 'KMS_E_EXISTS', qr/product \Q$alpha[0]\E \(Alpha\) belongs to publisher acme/, 'beta takes alpha\'s product');
    my ($packs) = $a->kmsctl_json(qw(policy show));
    is_deeply([ map { "$_->{publisher} $_->{version}" } @{ $packs->{packs} } ], [ 'acme 1.0', 'beta 1.0' ], 'nothing changed');
    is(told('alpha', 'a-1'), '0 3', 'alpha\'s client is served by alpha');
};

subtest 'a certificate that lists the other\'s product' => sub {
    is(told('alpha', 'a-large', $alpha[1]), '2 KMS_E_NOT_COVERED 3', 'the large product is outside alpha\'s key');
    my $greedy = sign_pack($p{beta}, 'greedy-key', pack_text('beta-pack', '1.1', [ $beta, 'Beta', 'small' ], @alphas));
    my $key = issue_key($p{beta}, group => 'large', policy => $greedy, output => "$p{beta}{dir}/greedy");
    $a->do('key', 'install', $key);
    $a->certify($p{beta}, $key, policy => $greedy);
    is(told('alpha', 'a-large', $alpha[1]), '2 KMS_E_NOT_COVERED 3', 'and beta\'s word does not change that');
    is(told('alpha', 'a-1'), '0 3', 'what alpha sold is served');
    is(told('beta', 'b-1'), '0 4', 'and what beta sold');
    like(told('beta', 'b-wrong', $alpha[1]), qr/^2 KMS_E_NOT_COVERED/, 'a product with beta\'s key and alpha\'s number gets nothing');
    is_deeply(counts(), { acme => 3, beta => 4 }, 'the counts are what they were');
};

subtest 'a host key with the other\'s number' => sub {
    my ($file) = glob $a->dir . '/state/keys/*.kmskey';
    my ($alphas) = slurp("$p{alpha}{dir}/customer.kmskey") =~ /^id = (\S+)/m;
    my $text = slurp("$p{beta}{dir}/customer.kmskey") =~ s/^id = .*/id = $alphas/mr;
    my $bad = spew("$p{beta}{dir}/same-id.kmskey", $text);
    is(run([ qw(minisign -S -W -s), "$p{beta}{dir}/publisher.key", '-m', $bad, '-x', "$bad.minisig" ])->{exit}, 0, 'beta signs it');
    my $before = slurp($a->dir . "/state/keys/$alphas.kmskey");
    refused([ 'key', 'install', $bad ], 'KMS_E_EXISTS', qr/a host key of another publisher has this id/, 'beta overwrites alpha\'s key');
    is(slurp($a->dir . "/state/keys/$alphas.kmskey"), $before, 'alpha\'s key is what it was');
};

my $ini = slurp($a->ini);
subtest 'a publisher\'s key with the other\'s key id' => sub {
    my $twin = encode_base64('Ed' . key_id($p{alpha}) . join('', map { chr rand 256 } 1 .. 32), '');
    reload("$ini\[publisher twin]\nkey = $twin\n");
    like($a->log, qr/\[publisher twin\] has the same key id as \[publisher acme\]/, 'is refused on a reload');
    my $check = $a->kmsctl(qw(config check));
    is($check->{exit}, 4, 'and by config check');
    is(told('alpha', 'a-1'), '0 3', 'and the others are served as before');
    reload($ini);
};

subtest 'a publisher goes and comes back' => sub {
    reload($ini =~ s/^\[publisher acme\]\nkey = \S+\n//mr);
    is(hello(key_id($p{alpha})), 2, 'HELLO for alpha: not enabled');
    is(hello("\0" x 8), key_id($p{beta}), 'HELLO for the only one is beta\'s');
    like(told('alpha', 'a-1'), qr/^2 KMS_E_(?:NOT_ENABLED|UNKNOWN_PRODUCT)/, 'alpha\'s client is refused');
    is(told('beta', 'b-1'), '0 4', 'beta\'s is not');
    # In its absence beta may take the name; when it comes back, that is said, and the first in the file serves.
    $a->do('policy', 'install', sign_pack($p{beta}, 'greedy-late', pack_text('beta-pack', '1.2', [ $beta, 'Beta', 'small' ], $alphas[0])));
    reload($ini);
    like($a->log, qr/product-disputed.*publishers acme and beta both name product \Q$alpha[0]\E/, 'a dispute is in the log');
    is(told('alpha', 'a-2'), '0 3', 'alpha\'s clients are served by alpha, with the counts kept');
    is_deeply(counts(), { acme => 3, beta => 4 }, 'and nobody moved');
};

subtest 'after a restart' => sub {
    is($a->stop, 0, 'a clean stop');
    $a->start;
    is(hello(key_id($p{$_})), key_id($p{$_}), "HELLO for $_") for qw(alpha beta);
    is_deeply(counts(), { acme => 3, beta => 4 }, 'the counts');
    is(told('alpha', 'a-1'), '0 3', 'alpha\'s client');
    is(told('beta', 'b-2'), '0 4', 'beta\'s client');
    is($a->stop, 0, 'a clean stop');
    is($a->kmsctl('ledger', 'check')->{exit}, 0, 'and the ledger is whole');
};
done_testing;
