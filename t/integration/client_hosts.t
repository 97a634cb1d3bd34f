#!/usr/bin/perl
# kmsclient against hosts that answer well and hosts that do not: whatever they
# do, a lease that was valid stays valid.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Client;
use Test::More;

my $host = standin('good');
my $r = kmsclient('status', '--grace', 'none');
is($r->{licence}, 'unlicensed', 'before the first activation: unlicensed');
is($r->{exit}, 4, 'and the exit code says so');
$r = kmsclient('verify');
is("$r->{exit} $r->{status}", '4 KMS_E_NO_LEASE', 'nothing to verify');
$r = kmsclient('activate', '-H', "127.0.0.1:$host->{port}");
is("$r->{exit} $r->{status}", '0 KMS_OK', 'activated') or diag $r->{stderr};
is($r->{licence}, 'activated', 'licence');
is($r->{host}, "127.0.0.1 port $host->{port}", 'host');
is("$r->{count}/$r->{required}", '25/25', 'count');
$r = kmsclient('renew', '-H', "127.0.0.1:$host->{port}", '--vm', 'yes');
is($r->{exit}, 0, 'renewed');
$r = kmsclient([ 'export-lease', "$dir/lease" ]);
is($r->{exit}, 0, 'exported');
$r = kmsclient([ 'verify-lease', "$dir/lease" ]);
is("$r->{exit} $r->{status}", '0 KMS_OK', 'the exported lease verifies');
is($r->{customer}, 'Test Customer', 'and tells whose host gave it');
my @asked = stop($host);
is_deeply([ map { $_->{sequence} } @asked ], [ 1, 2 ], 'two requests, the sequence goes up');
is_deeply([ map { $_->{flags} } @asked ], [ 0, 1 ], 'the virtual machine flag');
is_deeply([ map { $_->{state} } @asked ], [ 1, 2 ], 'the licence state: grace, activated');
isnt($asked[0]{id}, $asked[1]{id}, 'another request id');
is($asked[0]{name}, 'tester', 'the name');

my $lease = kmsclient('status');
my $valid = sub ($what) {
    my $v = kmsclient('verify');
    my $s = kmsclient('status');
    is("$v->{exit} $v->{status} $s->{expires}", "0 KMS_OK $lease->{expires}", "$what: the lease stays")
        or diag $v->{stderr};
};

# mode, seed of the host's keys, exit code, status, what stderr must name
my @bad = (
    [ 'close', 1, 3, 'KMS_E_NO_HOST' ],
    [ 'close-after-request', 1, 3, 'KMS_E_NO_HOST' ],
    [ 'half', 1, 3, 'KMS_E_NO_HOST' ],
    [ 'garbage', 1, 2, 'KMS_E_BAD_FRAME' ],
    [ 'oversize', 1, 2, 'KMS_E_TOO_LARGE' ],
    [ 'wrong-type', 1, 2, 'KMS_E_BAD_FRAME' ],
    [ 'wrong-version', 1, 2, 'KMS_E_BAD_VERSION' ],
    [ 'silent', 1, 3, 'KMS_E_TIMEOUT', '--reply-timeout', 0.2 ],
    [ 'drip-slow', 1, 3, 'KMS_E_TIMEOUT', '--reply-timeout', 0.3 ],
    [ 'bad-seal', 1, 2, 'KMS_E_BAD_SEAL' ],
    [ 'replayed', 1, 2, 'KMS_E_BAD_SEAL' ],
    [ 'unknown-host', 2, 2, 'KMS_E_UNKNOWN_HOST' ],
    [ 'wrong-certificate', 2, 4, 'KMS_E_SIGNATURE' ],
    [ 'wrong-signature', 1, 4, 'KMS_E_SIGNATURE' ],
    [ 'wrong-proof', 1, 4, 'KMS_E_PROOF' ],
    [ 'cut-lease', 1, 4, 'KMS_E_FORMAT' ],
    [ 'no-lease', 1, 4, 'KMS_E_NO_LEASE' ],
    [ 'not-a-lease', 1, 4, 'KMS_E_FORMAT' ],
    [ 'other-client', 1, 4, 'KMS_E_LEASE_OTHER' ],
    [ 'other-product', 1, 2, 'KMS_E_NOT_COVERED' ],
    [ 'other-request', 1, 4, 'KMS_E_LEASE_OTHER' ],
    [ 'other-name', 1, 4, 'KMS_E_LEASE_OTHER' ],
    [ 'wrong-names', 1, 4, 'KMS_E_LEASE_OTHER' ],
    [ 'does-not-count', 1, 4, 'KMS_E_FORMAT' ],
    [ 'early-lease', 1, 2, 'KMS_E_TIME_SKEW' ],
    [ 'late-lease', 1, 2, 'KMS_E_TIME_SKEW' ],
    [ 'other-sequence', 1, 4, 'KMS_E_LEASE_OTHER' ],
    [ 'expired', 1, 4, 'KMS_E_LEASE_EXPIRED' ],
    [ 'outlives-certificate', 1, 2, 'KMS_E_KEY_EXPIRED' ],
    [ 'overload', 1, 2, 'KMS_E_OVERLOAD' ],
    [ 'not-confirmed', 1, 2, 'KMS_E_NOT_CONFIRMED' ],
    [ 'clear-ok', 1, 2, 'KMS_E_BAD_FRAME' ],
    [ 'clear-count', 1, 2, 'KMS_E_BAD_FRAME' ],
    [ 'clear-revoked', 1, 2, 'KMS_E_BAD_FRAME' ],
    [ 'ledger', 1, 2, 'KMS_E_LEDGER' ],
    [ 'vm', 1, 2, 'KMS_E_VM_REFUSED' ],
    [ 'capacity', 1, 2, 'KMS_E_CAPACITY' ],
    [ 'revoked', 1, 2, 'KMS_E_REVOKED' ],
    [ 'bad-request', 1, 2, 'KMS_E_BAD_REQUEST' ],
    [ 'skew', 1, 2, 'KMS_E_TIME_SKEW' ],
    [ 'sequence', 1, 2, 'KMS_E_SEQUENCE' ],
    [ 'count', 1, 5, 'KMS_E_COUNT_TOO_LOW' ],
);
for my $case (@bad) {
    my ($mode, $seed, $exit, $status, @options) = @$case;
    my $h = standin('-s', $seed, $mode);
    my $got = kmsclient('renew', '-H', "127.0.0.1:$h->{port}", @options);
    is("$got->{exit} $got->{status}", "$exit $status", $mode) or diag $got->{stderr};
    like($got->{stderr}, qr/^kmsclient: .*\n  \Q$status\E \(\d+.*\): \w.*\n  [A-Z].*\.\n\z/m, "$mode: detail, symbol, meaning, remedy");
    $got->{retry} = $got->{'retry-after'};
    is($got->{retry}, 7, 'retry after, as told') if $mode eq 'overload';
    is($got->{retry}, 60, 'retry after, as told') if $mode eq 'ledger';
    is("$got->{count}/$got->{required}", '7/25', 'count, as told') if $mode eq 'count';
    is($got->{microsoft}, '0xC004F038', "Microsoft's code") if $mode eq 'count';
    like($got->{detail}, qr/this clock is 5 h [23] min behind the host's/, 'the skew') if $mode eq 'skew';
    my @requests = stop($h);
    is(scalar @requests, 2, 'caught up once, then no more') if $mode eq 'sequence';
    $valid->($mode);
}

my ($port, $keep) = dead_port();
$r = kmsclient('renew', '-H', "127.0.0.1:$port");
is("$r->{exit} $r->{status}", '3 KMS_E_NO_HOST', 'nobody listens');
$valid->('nobody listens');
$r = kmsclient('renew', '-H', 'no-such-host.invalid', '-n', "127.0.0.1:$port", '--timeout', 2);
is("$r->{exit} $r->{status}", '3 KMS_E_NO_HOST', 'no name server');
$valid->('no name server');

# An answer lost is asked for again unchanged, and comes one byte at a time.
$host = standin('close-after-request');
is(kmsclient('activate', '-H', "127.0.0.1:$host->{port}")->{exit}, 3, 'the answer is lost');
stop($host);
$host = standin('half,drip');
is(kmsclient('activate', '-H', "127.0.0.1:$host->{port}")->{exit}, 3, 'lost half way');
$r = kmsclient('activate', '-H', "127.0.0.1:$host->{port}");
is($r->{exit}, 0, 'an answer one octet at a time') or diag $r->{stderr};
@asked = stop($host);
is("$asked[0]{sequence} $asked[0]{id}", "$asked[1]{sequence} $asked[1]{id}", 'the request was repeated unchanged');
$lease = kmsclient('status');

# A full disk over there: the same request again, when it is asked again.
$host = standin('ledger,good');
is(kmsclient('renew', '-H', "127.0.0.1:$host->{port}")->{status}, 'KMS_E_LEDGER', 'cannot be written there');
is(kmsclient('renew', '-H', "127.0.0.1:$host->{port}")->{exit}, 0, 'later it can');
@asked = stop($host);
is("$asked[0]{sequence} $asked[0]{id}", "$asked[1]{sequence} $asked[1]{id}", 'the request was repeated unchanged');

# Confirmed anew: leases reach beyond the certificate that is cached, or its dates are past.
$host = standin('-s', 5, '-e', 2 * 86400, 'good');
is(kmsclient('renew', '-H', "127.0.0.1:$host->{port}")->{exit}, 0, 'a certificate that ends soon');
stop($host);
$host = standin('-s', 5, 'long');
$r = kmsclient('renew', '-H', "127.0.0.1:$host->{port}");
is($r->{exit}, 0, 'a lease beyond the cached certificate: the new one is fetched') or diag $r->{stderr};
is(scalar(stop($host)), 1, 'without another request');
$lease = kmsclient('status');
$host = standin('-s', 6, '-e', -100, 'good');
$r = kmsclient('renew', '-H', "127.0.0.1:$host->{port}");
is("$r->{exit} $r->{status}", '2 KMS_E_KEY_EXPIRED', 'a certificate past its dates');
stop($host);
$valid->('a certificate past its dates');
$host = standin('-s', 6, 'good');
is(kmsclient('renew', '-H', "127.0.0.1:$host->{port}")->{exit}, 0, 'and after the host was confirmed anew');
stop($host);
$lease = kmsclient('status');

# Seven answers were lost, the last of them to a request to borrow. It is sent again first, to learn what the host served, and borrows nothing:
# nobody waits for that lease.
$host = standin(join ',', 'good', ('bad-seal') x 7, 'good');
my @settle = ('-H', "127.0.0.1:$host->{port}", '-s', "$dir/settle");
is(kmsclient('activate', @settle)->{exit}, 0, 'activated');
is(kmsclient($_ % 2 ? 'activate' : 'renew', @settle)->{status}, 'KMS_E_BAD_SEAL', "answer $_ is lost") for 1 .. 6;
is(kmsclient([ 'borrow', '1d' ], @settle)->{status}, 'KMS_E_BAD_SEAL', 'the answer to a borrow is lost');
$r = kmsclient('renew', @settle);
is($r->{exit}, 0, 'renewed') or diag $r->{stderr};
@asked = stop($host);
is(scalar @asked, 10, 'with one request more');
is(join(' ', map { $_->{borrow} // 0 } @asked), '0 0 0 0 0 0 0 1440 0 0', 'one of all asks to borrow');
is("$asked[8]{request} $asked[8]{id}", "$asked[7]{request} $asked[7]{id}", 'that request is sent again');
isnt($asked[9]{id}, $asked[8]{id}, 'and then the renewal');

# A host that saw a higher sequence number (a restored state file): catch up.
$host = standin('-n', 5000, 'good');
$r = kmsclient('renew', '-H', "127.0.0.1:$host->{port}");
is($r->{exit}, 0, 'caught up') or diag $r->{stderr};
@asked = stop($host);
is($asked[1]{sequence}, 5001, 'with the highest plus one');
isnt($asked[0]{id}, $asked[1]{id}, 'and another request id');

# Another host of the same publisher: UNKNOWN_HOST, HELLO, its certificate.
$host = standin('-6', '-s', 3, 'good');
$r = kmsclient('renew', '-H', "[::1]:$host->{port}");
is($r->{exit}, 0, 'another host, over IPv6') or diag $r->{stderr};
is($r->{host}, "::1 port $host->{port}", 'it says which');
@asked = stop($host);
is(scalar @asked, 1, 'one request was for it');
$lease = kmsclient('status');

# What another host's refusal leaves: its certificate is cached now, the lease keeps its own.
$host = standin('-s', 4, 'vm');
is(kmsclient('renew', '-H', "127.0.0.1:$host->{port}")->{exit}, 2, 'refused by a fourth host');
stop($host);
$valid->('refused by another host');

$host = standin('-s', 4, 'revoked,good');
is(kmsclient('release', '-H', "127.0.0.1:$host->{port}")->{status}, 'KMS_E_REVOKED', 'a release refused');
$valid->('a release refused');
$r = kmsclient('release', '-H', "127.0.0.1:$host->{port}");
is("$r->{exit} $r->{licence}", '0 grace', 'released');
is(kmsclient('verify')->{status}, 'KMS_E_NO_LEASE', 'and no lease is left');
stop($host);

# A damaged state file is left alone, and the way out is said.
open my $f, '+<', "$dir/state" or die;
sysseek $f, 200, 0;
syswrite $f, 'damage';
close $f;
my $before = -s "$dir/state";
$r = kmsclient('status');
is("$r->{exit} $r->{status}", '4 KMS_E_STATE', 'a damaged state file');
like($r->{stderr}, qr/\Q$dir\E\/state: damaged, and left as it is. Restore it .* or move \Q$dir\E\/state and \Q$dir\E\/state\.key away/, 'the way out');
is(-s "$dir/state", $before, 'untouched');

# The command line.
for my $wrong ([], ['fly'], [ 'verify', 'x' ], ['export-lease'], [ '--vm', 'maybe', 'status' ],
    [ '--timeout', '0', 'status' ], [ '--timeout', '5x', 'status' ], [ '--grace', '-1', 'status' ],
    ['status'], [ '-k', '/nonexistent', 'status' ], ['verify-lease', 'x'], ['--unknown']) {
    my $out = `$build/kmsclient @$wrong 2>&1 </dev/null`;
    is($? >> 8, 1, "kmsclient @$wrong: usage");
    like($out, qr/kmsclient/, 'says why');
}
like(`$build/kmsclient --help`, qr/^    kmsclient verify-lease \[options\] FILE$/m, '--help');
like(`$build/kmsclient --version`, qr/^kmsclient \d/, '--version');
done_testing;
