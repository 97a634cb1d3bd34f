#!/usr/bin/perl
# kmsctl why and kmsctl clients --clones: what a refused client's administrator asks, on a real appliance.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Copy qw(copy);
use KMS::Test;
use Test::More;

$ENV{TZ} = 'UTC';
my ($strict, $lenient, $physical, $wide, $unknown) = map { "dddddddd-0000-4000-8000-00000000000$_" } 1 .. 5;
my $publisher = publisher(products => [ { id => $strict } ], ini => "[policy]\nid = p\ntitle = P\nversion = 1.0\nissued = 2026-01-01\n"
        . "[group g]\n[group h]\ncovers = g\n[pool first]\nnumber = 1\n[pool second]\nnumber = 2\n"
        . join '', map { "[product $_->[0]]\nname = $_->[1]\ngroup = $_->[2]\npool = $_->[3]\nthreshold = $_->[4]\n$_->[5]\n" }
        [ $strict, 'Strict', 'g', 'first', 1, 'clones = refuse' ], [ $lenient, 'Lenient', 'g', 'first', 1, 'clones = flag' ],
        [ $physical, 'Physical', 'g', 'second', 2, 'virtual-machines = refuse' ], [ $wide, 'Wide', 'h', 'first', 1, '' ]);
my $host = start_appliance(publisher => $publisher);

sub client ($name, $product, $verb = 'renew', @args) { return $host->client($name, $verb, product => $product, args => [@args])->{exit} }
sub why ($who, @args) {
    my ($data, $exit) = $host->kmsctl_json('why', @args, $who);
    return { %$data, exit => $exit, symbols => join ' ', map { $_->{symbol} } @{ $data->{refusals} // [] } };
}
sub text (@args) { return $host->kmsctl(@args)->{out} }

client('early', $strict, 'activate');
my $before = why('127.0.0.1');
is_deeply([ map { "$_->{publisher} $_->{symbol}" } @{ $before->{now} } ], [ 'acme KMS_E_NOT_ENABLED' ], 'before a key is installed: what all clients get now');
is($before->{symbols}, '', 'which is no entry of the journal');
like(text(qw(why 127.0.0.1)), qr/Now all clients of publisher acme get KMS_E_NOT_ENABLED: .*kmsctl key install/, 'as text, with what to do');
$host->enable(group => 'g');

# Copies of one disk: the file with the key in it goes along.
sub image ($from, $to) {
    copy($host->dir . "/clients/$from$_", $host->dir . "/clients/$to$_") or die "copy: $!\n" for '', '.key';
}
is(client('pc-1', $strict, 'activate'), 0, 'a machine');
like(text(qw(clients --clones)), qr/No two machines were seen with one client key\./, 'no clone yet');
image('pc-1', 'copy-1');
is(client('pc-1', $strict), 0, 'it renews');
is(client('copy-1', $strict), 0, 'its copy catches up, as a backup would');
is(client('pc-1', $strict), 2, 'so the machine itself is refused: they are two');
is(client('flag-1', $lenient, 'activate'), 0, 'another machine');
image('flag-1', 'copy-2');
is(client($_, $lenient), 0, "$_ is served") for qw(flag-1 copy-2 flag-1);
is(client('alone', $strict, 'activate'), 0, 'one without a copy');

my %cmid = map { $_->{name} => $_->{cmid} } @{ ($host->kmsctl_json('clients'))[0]{clients} };
my $shared = $cmid{'copy-1'} // $cmid{'pc-1'};
subtest 'clients --clones' => sub {
    my ($c, $exit) = $host->kmsctl_json(qw(clients --clones));
    is($exit, 0, 'exit 0');
    my %of;
    push @{ $of{ $_->{product_name} } }, $_ for @{ $c->{machines} };
    is(join(' ', map { "$_->{name}:$_->{requests}/$_->{collisions}" } sort { $a->{name} cmp $b->{name} } @{ $of{Strict} }), 'copy-1:1/0 pc-1:3/1', 'two machines with the strict product');
    is(join(' ', map { "$_->{name}:$_->{requests}" } sort { $a->{name} cmp $b->{name} } @{ $of{Lenient} }), 'copy-2:1 flag-1:3', 'two with the lenient one');
    for my $m (@{ $c->{machines} }) {
        is($m->{address}, '127.0.0.1', "$m->{name}: its address");
        ok(abs($_ - time) < 300, "$m->{name}: when") for @$m{qw(first last)};
    }
    is_deeply([ map { $_->{machines} } @{ $c->{clients} } ], [ 2, 2 ], 'two keys, two machines each');
    ok($c->{searched}{whole} && $c->{complete}, 'all was looked at');
    is_deeply([ map { $_->{cmid} } @{ $c->{clients} } ], [ sort map { $_->{cmid} } @{ $c->{clients} } ], 'in order');
    my $said = text(qw(clients --clones));
    like($said, qr/^ *[0-9a-f]{12} +Strict +copy-1 +127\.0\.0\.1 +20\d\d-/m, 'as text');
    like($said, qr/remove its client state file .*kmsctl client forget CMID/s, 'and what to do');
    unlike($said, qr/alone/, 'the others are not named');
    is(scalar @{ ($host->kmsctl_json(qw(clients --clones --product Lenient)))[0]{clients} }, 1, '--product');
    ($c) = $host->kmsctl_json(qw(clients --clones --limit 1));
    ok(@{ $c->{clients} } == 1 && !$c->{complete}, '--limit');
    is($host->kmsctl(qw(clients --clones --active))->{exit}, 2, '--active makes no sense with it');
    is($host->kmsctl(qw(clients --all))->{exit}, 2, 'nor --all without it');
};

subtest 'why, cause by cause' => sub {
    my $w = why($shared);
    is($w->{exit}, 0, 'exit 0');
    is($w->{symbols}, 'KMS_E_CLONE', 'a clone, by CMID');
    is_deeply([ @{ $w->{refusals}[0] }{qw(name address product_name)} ], [ 'pc-1', '127.0.0.1', 'Strict' ], 'which of the two it was');
    cmp_ok(abs($w->{held_until} - time - 7 * 86400), '<', 300, 'until when both are refused');
    like(text('why', $shared), qr/Two machines use this client's key in turn\. .*kmsctl client forget $shared/s, 'and what to type');
    ok(length $w->{refusals}[0]{meaning} && length $w->{refusals}[0]{remedy}, 'what it means and what to do');
    is(client('vm-1', $physical, 'activate', '--vm', 'yes'), 2, 'a virtual machine');
    is(client('few-1', $physical, 'activate', '--vm', 'no'), 5, 'one of too few');
    is(client('wide-1', $wide, 'activate'), 2, 'one whose product the key does not cover');
    is(client('new-1', $unknown, 'activate'), 2, 'one whose product nobody knows');
    $host->do(qw(client revoke alone));
    is(client('alone', $strict), 2, 'one that was revoked');
    for my $row ([ 'vm-1', 'KMS_E_VM_REFUSED', '0xC004F068' ], [ 'few-1', 'KMS_E_COUNT_TOO_LOW', '0xC004F038' ], [ 'wide-1', 'KMS_E_NOT_COVERED', '0xC004F042' ],
        [ 'new-1', 'KMS_E_UNKNOWN_PRODUCT', '0xC004F069' ], [ 'alone', 'KMS_E_REVOKED', undef ]) {
        my ($name, $symbol, $microsoft) = @$row;
        $w = why($name);
        is($w->{symbols}, $symbol, "$name: $symbol");
        is($w->{refusals}[0]{microsoft}, $microsoft, "$name: Microsoft's code");
        ok(!$w->{served_since}, "$name: not served since");
        like(text('why', $name), qr/\n  ?20\d\d-.* $name .*$symbol.*\n.*$symbol: .+\. .+\.\n/, "$name: as text, with cause and remedy") or diag(text('why', $name));
    }
    is($w->{now}[0], undef, 'nothing is in everybody\'s way');
    like(text(qw(why few-1)), qr/KMS_E_COUNT_TOO_LOW: .*: 1 of 2 were counted\./, 'how many are missing');
};

subtest 'a revocation that came after the last request' => sub {
    is(client('gone', $lenient, 'activate'), 0, 'a client that is served');
    $host->do(qw(client revoke gone));
    my $said = text(qw(why gone));
    like($said, qr/The client is revoked: it gets KMS_E_REVOKED until kmsctl client unrevoke [0-9a-f]{32}\./, 'it is revoked, and how to lift that');
    is(why('gone')->{revoked}, 1, 'also in JSON');
    $host->do(qw(client unrevoke gone));
    unlike(text(qw(why gone)), qr/is revoked/, 'it is not said when it is lifted');
};

subtest 'names' => sub {
    is(client($_, $physical, 'activate', '--vm', 'yes', '--name', 'Runner.corp.example.com'), 2, "$_ is refused under a name that several have") for qw(run-1 run-2);
    my $w = why('runner.corp.example.com');
    is($w->{symbols}, 'KMS_E_VM_REFUSED KMS_E_VM_REFUSED', 'refusals of both, in either case of letters');
    my %of = map { $_->{cmid} => 1 } @{ $w->{refusals} };
    is(scalar keys %of, 2, 'of two clients');
    is(why('runner')->{symbols}, $w->{symbols}, 'the first label is enough');
    is(why('run')->{exit}, 2, 'a part of it is not');
    like(text(qw(clients)), qr/Runner\.corp\.example\.com .* refused$/m, 'clients shows them as refused');
    is(client('desk-6', $strict, 'activate'), 0, 'a machine');
    image('desk-6', 'desk-7');
    is(client('desk-6', $strict), 0, 'it renews');
    is(client('desk-7', $strict, 'renew', '--name', 'desk-7'), 0, 'its copy asks under a name of its own');
    is(client('desk-6', $strict), 2, 'so that one of them is refused');
    for my $name (qw(desk-6 desk-7)) {
        $w = why($name);
        is($w->{symbols}, 'KMS_E_CLONE', "why $name says so");
        ok($w->{held_until} > time, 'and until when');
    }
    is(client('long', $lenient, 'activate', '--name', 'long.corp.example.com'), 0, 'a client with a long name');
    is(($host->kmsctl_json(qw(client show long)))[0]{client}{name}, 'long.corp.example.com', 'client show finds it by its first label');
};

subtest 'client forget, of a name that several have' => sub {
    is(client($_, $lenient, 'activate', '--name', 'job.example'), 0, "$_ activates") for qw(job-1 job-2 job-3);
    my ($shown) = $host->kmsctl_json(qw(client forget job));
    is($shown->{clients}, 3, 'all three are shown');
    ok(!defined $shown->{forgotten}, 'and nothing is done');
    is(($host->kmsctl_json(qw(client forget job.example --yes)))[0]{forgotten}, 3, 'with --yes they are forgotten');
    is(($host->kmsctl_json(qw(client forget alone)))[0]{forgotten}, 1, 'one of its name is forgotten at once');
};

subtest 'by address, and its end' => sub {
    my $w = why('127.0.0.1');
    is(scalar @{ $w->{refusals} }, 9, 'all of an address, newest first');
    like($w->{symbols}, qr/^KMS_E_CLONE KMS_E_VM_REFUSED .* KMS_E_CLONE$/, 'in that order');
    $w = why('127.0.0.1', '--limit', 2);
    is_deeply([ scalar @{ $w->{refusals} }, $w->{found} ], [ 2, 9 ], '--limit');
    is(why('::ffff:127.0.0.1')->{found}, 9, 'IPv4 in the form of IPv6');
    $w = why('192.0.2.1');
    is($w->{found}, 0, 'an address that never asked');
    like(text(qw(why 192.0.2.1)), qr/No entry was found in the searched part of the journal.*Searched batches 1 to \d+, from 20\d\d-.*: the whole journal\./s, 'says so, and how far it looked');
    ok($w->{searched}{whole}, 'also in JSON');
    is(client('few-2', $physical, 'activate', '--vm', 'no'), 0, 'a second machine comes');
    is(client('few-1', $physical, 'activate', '--vm', 'no'), 0, 'and the first is served');
    $w = why('few-1');
    is($w->{symbols}, 'KMS_E_COUNT_TOO_LOW', 'its refusal is still told');
    ok($w->{served_since}, 'and that it was served since');
    like(text(qw(why few-1)), qr/The client's last request was served: it has a lease\./, 'as text');
    like(text(qw(why few-2)), qr/No refusal was found in the searched part of the journal: the client was served each time\./, 'one that never was refused');
    is($host->kmsctl(qw(why nobody))->{exit}, 2, 'a name that nobody has');
};

is($host->stop, 0, 'kmsd stops');
my $down = why('vm-1');
is($down->{symbols}, 'KMS_E_VM_REFUSED', 'why works without kmsd');
ok(!$down->{running}, 'and says that it is down');
is(scalar @{ ($host->kmsctl_json(qw(clients --clones)))[0]{clients} }, 3, 'so does clients --clones');
done_testing;
