#!/usr/bin/perl
# One answer of a host that the publisher certified for another customer, and that says what it likes: whatever the client keeps of it,
# it is well again at its own host, and what it had stays valid. Then pins, which keep such a host out.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Client;
use Test::More;

my $max32 = 4294967295;
my $max64 = '18446744073709551615';
my $day = 86400;
my @foreign = ('-s', 9, '-c', 'Somebody Else');
# What it says, the exit code and status of that call, and what must be true after it ($s: kmsclient status).
my @poison = (
    [ 'sequence 2^64-2', [ '-n', '18446744073709551614', 'good' ], 'KMS_E_FORMAT' ],
    [ 'sequence 2^62', [ '-n', 1 << 62, 'good' ], 'KMS_E_FORMAT' ],
    [ 'sequence more than 2^32 ahead', [ '-n', (1 << 32) + 3, 'good' ], 'KMS_E_FORMAT' ],
    [ 'sequence nearly 2^32 ahead', [ '-n', (1 << 32) - 10, 'good' ], 'KMS_OK' ],
    [ 'sequence number after number', ['sequence'], 'KMS_E_SEQUENCE' ],
    [ 'longest interval', [ '-o', "interval=$max32", 'count' ], 'KMS_E_COUNT_TOO_LOW' ],
    [ 'an interval that is 0 seconds in 32 bits', [ '-o', 'interval=1073741824', 'count' ], 'KMS_E_COUNT_TOO_LOW' ],
    [ 'longest intervals, and refused', [ '-o', "interval=$max32", '-o', "renewal=$max32", 'capacity' ], 'KMS_E_CAPACITY' ],
    [ 'longest time to wait', [ '-o', "retry=$max32", 'ledger' ], 'KMS_E_LEDGER' ],
    [ 'longest time to wait, in the clear', [ '-o', "retry=$max32", 'overload' ], 'KMS_E_OVERLOAD' ],
    [ 'largest counts', [ '-o', "count=$max32", 'count' ], 'KMS_E_COUNT_TOO_LOW' ],
    [ 'a time far ahead', [ '-o', "time=$max64", 'count' ], 'KMS_E_COUNT_TOO_LOW' ],
    [ 'a time far ahead, and a skew', [ '-o', "time=$max64", 'skew' ], 'KMS_E_TIME_SKEW' ],
    [ 'a time long ago', [ '-o', 'time=1', 'count' ], 'KMS_E_COUNT_TOO_LOW' ],
    [ 'a status that never travels', [ '-o', 'status=265', 'good' ], 'KMS_E_FORMAT' ],
    [ 'the largest status', [ '-o', "status=$max32", 'good' ], 'KMS_E_FORMAT' ],
    [ 'a status that nobody knows', [ '-o', 'status=255', 'good' ], 'KMS_E_UNKNOWN' ],
    [ 'revoked', ['revoked'], 'KMS_E_REVOKED' ],
    [ 'a challenge', [ '-o', 'challenge=97', '-n', 1 << 20, 'vm' ], 'KMS_E_VM_REFUSED' ],
    [ 'challenge after challenge', [ '-o', 'challenge=97', 'sequence' ], 'KMS_E_SEQUENCE' ],
    [ 'show, of any number', [ '-o', "show=$max64", 'count' ], 'KMS_E_COUNT_TOO_LOW' ],
    [ 'the largest batch', [ '-o', "batch=$max64", 'good' ], 'KMS_OK' ],
    [ 'a lease that ends now', [ '-o', 'life=3', '-o', 'renew=1', 'good' ], 'KMS_E_LEASE_OTHER' ],
    [ 'a lease of an hour', [ '-o', 'life=3600', '-o', 'renew=0', '-o', "interval=$max32", 'good' ], 'KMS_E_LEASE_OTHER' ],
    [ 'a lease of 11 years', [ '-o', 'life=' . 4018 * $day, 'good' ], 'KMS_E_FORMAT', [ '-e', 9000 * $day ] ],
    [ 'renewal after 2 years', [ '-o', 'life=' . 800 * $day, '-o', 'renew=' . 730 * $day, 'good' ], 'KMS_E_FORMAT', [ '-e', 9000 * $day ] ],
    [ 'a lease that is good', [ '-o', 'life=' . 2 * $day, 'good' ], 'KMS_OK' ],
    [ 'another exchange key and a certificate that ends', ['vm'], 'KMS_E_VM_REFUSED', [ '-e', 1 ] ],
);

my $n = 0;
for my $case (@poison) {
    my ($what, $says, $status, $more) = @$case;
    for my $before ('activated', 'never activated') {
        my @state = ('-s', $dir . '/' . $n++);
        my $own = standin('-s', 3, 'long'); # it remembers one client's numbers
        my @at_own = (@state, '-H', "127.0.0.1:$own->{port}");
        my $name = "$what, $before";
        is(kmsclient('activate', @at_own)->{status}, 'KMS_OK', "$name: its own host first") if $before eq 'activated';
        my $evil = standin(@foreign, @{ $more // [] }, @$says);
        my $r = kmsclient('activate', @state, '-H', "127.0.0.1:$evil->{port}");
        my $want = $status eq 'KMS_E_LEASE_OTHER' && $before ne 'activated' ? 'KMS_OK' : $status;
        is($r->{status}, $want, "$name: what the foreign host said") or diag $r->{stderr};
        cmp_ok($r->{'retry-after'}, '<=', $day, "$name: a product that waits as long as it is told");
        stop($evil);
        my $s = kmsclient('status', @state);
        my $left = $s->{'next-attempt'} - time;
        cmp_ok($left, '<=', 38 * $day, "$name: asks again within an interval of 30 days");
        if ($before eq 'activated') {
            is($s->{licence}, 'activated', "$name: what it had stays");
            cmp_ok($s->{'next-attempt'}, '<', $s->{expires}, "$name: asks again before its lease ends");
        }
        $r = kmsclient('renew', @at_own);
        is("$r->{exit} $r->{status} $r->{licence}", '0 KMS_OK activated', "$name: well again") or diag $r->{stderr};
        is(kmsclient('verify', @state)->{status}, 'KMS_OK', "$name: and verifies");
        open my $f, '<:raw', "$state[1].key" or die;
        read $f, my $key, 160;
        cmp_ok(unpack('Q>', substr $key, 48, 8), '<', 1 << 33, "$name: numbers enough are left");
        open $f, '<:raw', $state[1] or die;
        read $f, my $fixed, 104;
        my ($activation, $renewal, $retry) = unpack 'x92 N3', $fixed;
        is("$activation $renewal $retry", '120 10080 0', "$name: and its own host's intervals are kept");
        stop($own);
        is(unpack('x48 Q>', $fixed) > time + 60 ? 'ahead' : 'local', 'local', "$name: the latest time seen is its own");
    }
}

# A host that uses up the one correction of a restored state file must not keep the next host from correcting it too.
my $second = standin('-s', 3, '-n', 700, 'good');
my $evil = standin(@foreign, 'sequence');
my @state = ('-s', "$dir/restored");
is(kmsclient('activate', @state, '-H', "127.0.0.1:$evil->{port}")->{status}, 'KMS_E_SEQUENCE', 'corrected, and corrected again');
is(kmsclient('activate', @state, '-H', "127.0.0.1:$second->{port}")->{status}, 'KMS_OK', 'its own host corrects it too');
stop($_) for $second, $evil;

# A foreign host that agrees to a release does not take its own host's lease; its own host, however short its new leases are, does.
$second = standin('-s', 3, 'long,good,good');
$evil = standin(@foreign, 'good');
@state = ('-s', "$dir/released");
is(kmsclient('activate', @state, '-H', "127.0.0.1:$second->{port}")->{status}, 'KMS_OK', 'a lease of ten days');
my $released = kmsclient('release', @state, '-H', "127.0.0.1:$evil->{port}");
is("$released->{exit} $released->{status} $released->{licence}", '4 KMS_E_LEASE_OTHER activated', 'a foreign host agrees to a release');
like($released->{stderr}, qr/the lease is not from this host/, 'and it is said why that is nothing');
my $long = kmsclient('status', @state)->{expires};
is(kmsclient('renew', @state, '-H', "127.0.0.1:$second->{port}")->{status}, 'KMS_OK', 'a shorter lease of its own host');
cmp_ok(kmsclient('status', @state)->{expires}, '<', $long, 'takes the place of the long one');
is(kmsclient('release', @state, '-H', "127.0.0.1:$second->{port}")->{licence}, 'grace', 'its own host releases it');
stop($_) for $second, $evil;

# Pins.
my $own = standin('-s', 3, 'long');
my ($mine, $other) = ('Test Customer', 'Somebody Else');
my ($my_key, $other_key) = map { my $b = $_ x 16; $b =~ s/^(.{8})(.{4})(.{4})(.{4})/$1-$2-$3-$4-/r } '77', '78';
$evil = standin(@foreign, 'good');
for my $pin ([ '--customer', $mine ], [ '--host-key', $my_key ], [ '--customer', $mine, '--host-key', $my_key ]) {
    my @at = ('-s', $dir . '/' . $n++, '--grace', 'none');
    my $r = kmsclient('activate', @at, @$pin, '-H', "127.0.0.1:$evil->{port}");
    is("$r->{exit} $r->{status} $r->{licence}", '4 KMS_E_PINNED unlicensed', "@$pin: another customer's host is refused");
    like($r->{stderr}, qr/host certificate/, 'and it is said what of it');
    $r = kmsclient('activate', @at, @$pin, '-H', "127.0.0.1:$own->{port}");
    is("$r->{exit} $r->{licence}", '0 activated', "@$pin: its own host serves it") or diag $r->{stderr};
    $r = kmsclient([ 'export-lease', "$dir/lease" ], @at, @$pin);
    is($r->{exit}, 0, 'the lease is exported');
}
my $r = kmsclient([ 'verify-lease', "$dir/lease" ]);
is("$r->{customer} $r->{'host-key'}", "$mine $my_key", 'a lease file names what can be pinned');
@state = ('-s', "$dir/taken", '--grace', 'none');
is(kmsclient('activate', @state, '-H', "127.0.0.1:$evil->{port}")->{exit}, 0, 'without a pin, a foreign host serves it');
for my $pin ([ '--customer', $mine ], [ '--host-key', $my_key ]) {
    $r = kmsclient('verify', @state, @$pin);
    is("$r->{exit} $r->{status}", '4 KMS_E_PINNED', "@$pin: a lease that is there already is refused");
    is(kmsclient('status', @state, @$pin)->{licence}, 'unlicensed', 'and does not count');
    is(kmsclient([ 'export-lease', "$dir/no" ], @state, @$pin)->{status}, 'KMS_E_PINNED', 'nor is it exported');
}
is(kmsclient('verify', @state, '--customer', $other)->{status}, 'KMS_OK', 'under the other pin it is good');
$r = kmsclient('renew', @state, '--customer', $mine, '-H', "127.0.0.1:$own->{port}");
is("$r->{exit} $r->{licence}", '0 activated', 'its own host replaces it') or diag $r->{stderr};
is(kmsclient('status', @state, '--customer', '')->{exit}, 1, 'an empty customer is no pin, and refused');
is(kmsclient('status', @state, '--host-key', 'x')->{exit}, 4, 'nor is a host key that is no UUID taken');
stop($_) for $evil, $own;
done_testing;
