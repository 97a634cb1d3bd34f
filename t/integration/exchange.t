#!/usr/bin/perl
# The exchange key of a running appliance: clients keep it and need no HELLO; when the host has another one, a
# client fetches it and asks the same again; the file is below the host key, is never in a backup, and a
# damaged one costs a HELLO. The rotation by the clock is t/unit/test_exchange_keys's.
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
my $a = start_appliance(publisher => $publisher, ini => "[keys]\nexchange_rotation = 30d\n");
$a->enable(group => 'server');
my $file = "$a->{dir}/state/keys/exchange.key";

sub client ($name, $verb, @args) {
    return run([ program('kmsclient'), '--publisher-key', $publisher->{key}, '--product', $publisher->{products}[0]{id},
        '--state', "$a->{dir}/clients/$name", '--host', '127.0.0.1:' . $a->port, '--name', $name, $verb, @args ]);
}
sub unknown () { return scalar(() = $a->log =~ /unknown-key/g) }
sub until_time () { return ($a->kmsctl_json('status'))[0]{service}{exchange_until} }

ok(-e $file, 'kmsd made an exchange key');
is((stat $file)[2] & 07777, 0600, 'mode 0600');
is(-s $file, 56 + 192 + 16 + 32, 'with one key in it');
like(until_time(), qr/^\d/, 'status says until when');
is(client('pc', 'activate')->{exit}, 0, 'a client is activated');
is(client('pc', 'renew')->{exit}, 0, 'and renews');
is(unknown(), 0, 'under the key that it knows');

# The same key after a restart.
my $before = slurp($file);
is($a->stop, 0, 'kmsd stops');
$a->start;
is(client('pc', 'renew')->{exit}, 0, 'after a restart');
is(unknown(), 0, 'the key is the same');
is(slurp($file), $before, 'and the file too');

# A backup of the ledger has no key; a host without the file makes another one.
my ($copy, $exit) = $a->kmsctl_json('ledger', 'backup', "$dir/copy");
is($exit, 0, 'a backup') or diag(explain $copy);
my @found = split /\n/, run([ 'find', "$dir/copy", '-name', '*.key*' ])->{out};
is("@found", '', 'has no key in it');
for my $how ('lost', 'damaged') {
    is($a->stop, 0, 'kmsd stops');
    my $was = unknown();
    if ($how eq 'lost') {
        unlink $file or die "$file: $!";
    } else {
        my $octets = slurp($file);
        substr($octets, 100, 1) ^.= "\x01";
        spew($file, $octets);
        chmod 0600, $file;
    }
    $a->start;
    ok(-e $file && slurp($file) ne $before, "$how: another key is made");
    is(client('pc', 'renew')->{exit}, 0, 'the client is served all the same');
    is(unknown(), $was + 1, 'after KMS_E_UNKNOWN_KEY, once');
    is(client('pc', 'renew')->{exit}, 0, 'and then at once');
    is(unknown(), $was + 1, 'under the new key');
}
is_deeply([ glob "$file?*" ], [], 'the damaged file is not kept: t/security/exchange_secret.t');
like($a->log, qr/exchange-key-refused: keys.exchange\.key: .*kmsd destroys the key and makes a new one/, 'and the log says so');
is($a->kmsctl('ledger', 'check')->{exit}, 0, 'the ledger is sound');
is($a->stop, 0, 'kmsd stops');
done_testing;
