#!/usr/bin/perl
# Clients written from kms-protocol(7) alone (t/independent) against the whole appliance, and
# their leases against kmsclient's: what the page says is what kmsd and libkms do.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Clock;
use KMS::Test;
use Test::More;

my $PYTHON = '/usr/bin/python3';
my ($SERVER, $OTHER) = map { "$_-2222-4222-8222-222222222222" } qw(22222222 33333333);
my $publisher = publisher(products => [ map { { name => "Server $_", id => $_, threshold => 3,
    group => 'server', pool => 'servers', clones => $_ eq $OTHER ? 'flag' : 'refuse' } }
    $SERVER, $OTHER ]);
my $appliance = start_appliance(publisher => $publisher);
my $dir = $appliance->dir;

# Runs a Python client; what it printed as a hash, with its exit code under "exit".
sub python ($name, $command, %opt) {
    my @program = $opt{how} ? ("$SRC/t/independent/misbehave.py", $opt{how})
        : "$SRC/t/independent/kms_client.py";
    my $r = run([ $PYTHON, @program, '--publisher', $opt{publisher} // $publisher->{key},
        '--product', $opt{product} // $SERVER, '--host', '127.0.0.1:' . ($opt{on} // $appliance)->port,
        '--state', "$dir/$name.json", '--name', $name, @{ $opt{args} // [] },
        $command, @{ $opt{file} // [] } ]);
    diag($r->{err}) if $r->{err} ne '';
    my %said = map { /^([\w-]+): (.*)$/ ? ($1 => $2) : () } split /\n/, $r->{out};
    return { %said, exit => $r->{exit}, out => $r->{out} };
}

sub says ($got, $status, $exit, $name) {
    is("$got->{status}, exit $got->{exit}", "$status, exit $exit", $name) or diag($got->{out});
    return $got;
}

sub copy ($from, $to) { spew("$dir/$to.json", slurp("$dir/$from.json")) }

subtest 'a host that is not ready' => sub {
    says(python('a', 'activate'), 'KMS_E_NOT_ENABLED', 1, 'no host key');
    my $pending = python('a', 'status')->{pending};
    says(python('a', 'activate'), 'KMS_E_NOT_ENABLED', 1, 'still none');
    is(python('a', 'status')->{pending}, $pending, 'ERROR changes nothing that is kept');
};
$appliance->enable;

subtest 'count too low, then activated' => sub {
    my $first = says(python('a', 'activate'), 'KMS_E_COUNT_TOO_LOW', 1, 'the first client');
    is("$first->{count} of $first->{required}", '1 of 3', 'is counted');
    is("$first->{'activation-minutes'} $first->{'renewal-minutes'}", '120 10080', 'intervals');
    says(python('a', 'status'), 'KMS_E_NO_LEASE', 4, 'and has no lease');
    is(python('b', 'activate')->{count}, 2, 'the second client');
    my $third = says(python('c', 'activate'), 'KMS_OK', 0, 'the third client');
    is("$third->{count} of $third->{required}", '3 of 3', 'reaches the threshold');
    is($third->{name}, 'c', 'its name is in the lease');
    cmp_ok($third->{expires} - $third->{issued}, '==', 180 * 86400, 'for 180 days');
    says(python('c', 'status'), 'KMS_OK', 0, 'the lease is kept and verifies');
    says(python('a', 'activate'), 'KMS_OK', 0, 'the first client asks again');
    is(python('b', 'activate')->{count}, 3, 'nobody is counted twice');
};

subtest 'renewal' => sub {
    my $before = python('c', 'status');
    my $renewed = says(python('c', 'renew'), 'KMS_OK', 0, 'renewed');
    is($renewed->{sequence}, $before->{sequence} + 1, 'with the next sequence number');
    isnt($renewed->{'lease-sha256'}, $before->{'lease-sha256'}, 'another lease');
};

subtest 'an answer that is lost' => sub {
    my $lost = says(python('c', 'renew', how => 'lose-answer'), 'KMS_OK', 0, 'served');
    is(python('c', 'status')->{pending}, $lost->{'request-id'}, 'the request is under way still');
    my $again = says(python('c', 'renew'), 'KMS_OK', 0, 'repeated');
    is($again->{'request-id'}, $lost->{'request-id'}, 'the same request');
    is($again->{'lease-sha256'}, $lost->{'lease-sha256'}, 'the identical lease, octet by octet');
    is($again->{count}, 3, 'and counted once');
    is(python('c', 'status')->{pending}, 'none', 'nothing is under way');
};

subtest 'lease files, both ways' => sub {
    says(python('c', 'export-lease', file => ["$dir/c.lease"]), 'KMS_OK', 0, 'written in Python');
    my $r = run([ program('kmsclient'), '--publisher-key', $publisher->{key}, 'verify-lease',
        "$dir/c.lease" ]);
    is($r->{exit}, 0, 'kmsclient verifies it') or diag("$r->{out}$r->{err}");

    is($appliance->client('k', 'activate')->{exit}, 0, 'kmsclient activates');
    $r = $appliance->client('k', 'export-lease', args => ["$dir/k.lease"]);
    is($r->{exit}, 0, 'and exports') or diag("$r->{out}$r->{err}");
    my $lease = says(python('c', 'verify-lease-file', file => ["$dir/k.lease"]), 'KMS_OK', 0,
        'Python verifies it');
    is("$lease->{name} $lease->{product}", "k $SERVER", 'and reads the same in it');

    for my $name (qw(c k)) {
        my $octets = slurp("$dir/$name.lease");
        substr($octets, -200, 1) ^.= "\1";
        spew("$dir/$name.bad", $octets);
        $r = run([ program('kmsclient'), '--publisher-key', $publisher->{key}, 'verify-lease',
            "$dir/$name.bad" ]);
        isnt($r->{exit}, 0, "$name.lease altered: kmsclient refuses it");
        is(python('c', 'verify-lease-file', file => ["$dir/$name.bad"])->{exit}, 4,
            'and so does Python');
    }
    my $stranger = publisher();
    says(python('c', 'verify-lease-file', publisher => $stranger->{key}, file => ["$dir/k.lease"]),
        'KMS_E_PUBLISHER', 4, 'a lease of another publisher');
};

subtest 'two machines with one state file' => sub {
    copy('b', 'clone');
    says(python('b', 'renew'), 'KMS_OK', 0, 'the first of them');
    my $clone = says(python('clone', 'renew'), 'KMS_OK', 0, 'the second, same number, another request: it answers a challenge');
    is($clone->{marked}, 'no', 'as a client that was restored from a backup, without a mark');
    says(python('b', 'renew'), 'KMS_E_CLONE', 1, 'then the first is refused: they are two');
    says(python('clone', 'renew'), 'KMS_E_CLONE', 1, 'and so is the second');
    says(python('clone', 'status'), 'KMS_OK', 0, 'a lease once verified stays');
    says(python('b', 'renew', how => 'low-sequence'), 'KMS_E_CLONE', 1, 'a number gone back');
};

subtest 'refusals' => sub {
    my $hours = 5 * 3600;
    # Before the exchange key was made the client sees it itself; afterwards the host says so.
    for ([ -$hours, 4 ], [ $hours, 1 ]) {
        my ($offset, $exit) = @$_;
        says(python('t', 'activate', args => ["--clock-offset=$offset"]), 'KMS_E_TIME_SKEW', $exit,
            "clock $offset seconds off");
    }
    says(python('u', 'activate', product => '44444444-2222-4222-8222-222222222222'),
        'KMS_E_UNKNOWN_PRODUCT', 1, 'a product that no pack names');
    is(python('c', 'renew')->{count}, 4, 'and none of them was counted');
};

subtest 'requests that cannot be opened' => sub {
    for my $how (qw(bad-tag bad-text)) {
        says(python('c', 'renew', how => $how), 'KMS_E_BAD_SEAL', 1, $how);
    }
    says(python('c', 'renew', how => 'wrong-host'), 'KMS_E_UNKNOWN_HOST', 1, 'another host id');
    my $pending = python('c', 'status')->{pending};
    my $got = says(python('c', 'renew', how => 'stale-host'), 'KMS_OK', 0,
        'another host id once: HELLO, and asked again');
    is($got->{'request-id'}, $pending, 'with the request that was under way all along');
};

subtest 'another product of the same pool' => sub {
    my $moved = says(python('a', 'activate', product => $OTHER), 'KMS_OK', 0, 'the client moves');
    is($moved->{count}, 4, 'with its seat');
    says(python('a', 'status'), 'KMS_E_LEASE_OTHER', 4, 'its lease is for the other product only');
};

subtest 'a product that is lenient with clones' => sub {
    my %other = (product => $OTHER);
    copy('a', 'restored');
    for my $n (1, 2) { says(python('a', 'renew', %other), 'KMS_OK', 0, "renewal $n") }
    my $sequence = python('a', 'status', %other)->{sequence};
    my $back = says(python('restored', 'renew', %other), 'KMS_OK', 0, 'a state restored from a backup');
    is($back->{sequence}, $sequence + 1, 'KMS_E_SEQUENCE said where to go on');
    is($back->{marked}, 'no', 'a number that was new');
    my $same = says(python('a', 'renew', %other), 'KMS_OK', 0, 'the other one, with the same number, is challenged too');
    is("$same->{sequence} $same->{marked}", $sequence + 2 . ' yes', 'is served and marked');
    is($same->{count}, 4, 'and they are one seat');
};

subtest 'a clock that was wrong' => sub {
    my @ahead = (args => ['--clock-offset=' . 5 * 3600]);
    says(python('c', 'renew', @ahead), 'KMS_E_TIME_SKEW', 1, 'five hours ahead');
    says(python('c', 'status'), 'KMS_E_CLOCK_BACK', 4, 'set right: for the client it went back');
    says(python('c', 'renew'), 'KMS_OK', 0, 'a host says that it is right');
    says(python('c', 'status'), 'KMS_OK', 0, 'and the lease holds again');
};

subtest 'release' => sub {
    my $gone = says(python('c', 'release', how => 'lose-answer'), 'KMS_OK', 0, 'given back');
    is($gone->{count}, 3, 'and no longer counted');
    says(python('c', 'release'), 'KMS_OK', 0, 'the answer was lost: the same one again');
    says(python('c', 'release'), 'KMS_E_UNKNOWN_CLIENT', 1, 'a second release');
    says(python('c', 'status'), 'KMS_E_NO_LEASE', 4, 'no lease is held');
    says(python('c', 'activate'), 'KMS_OK', 0, 'it may come back');
    says(python('never', 'release'), 'KMS_E_UNKNOWN_CLIENT', 1, 'a client never seen');
    says(python('t', 'release'), 'KMS_E_UNKNOWN_CLIENT', 1, 'a client that was only ever refused');
};

# A pool that floats and lends, for clients without state and for those that borrow.
my $FLOAT = '44444444-2222-4222-8222-222222222222';
my $floating = publisher(name => 'floating', products => [ { id => $FLOAT } ], ini => floating_pack($FLOAT));
my $clock = KMS::Clock->start;
my $second = start_appliance(publisher => $floating, environment => $clock->environment)->enable(group => 'all');
sub floating ($name, $command, %opt) {
    return python($name, $command, product => $FLOAT, publisher => $floating->{key}, on => $second, %opt);
}
sub pool () { return ($second->kmsctl_json('status'))[0]{pools}[0] }

subtest 'a client without state' => sub {
    my $seat = says(floating('x', 'visit'), 'KMS_OK', 0, 'it gets a seat');
    cmp_ok($seat->{expires} - $seat->{issued}, '==', 3600, 'and a lease of an hour');
    # The first request under a new certificate is served at once.
    like("$seat->{renew} $seat->{release}", qr/^KMS_(?:OK|E_TOO_SOON) KMS_OK$/, 'asks to renew it, and gives it back');
    ok(!-e "$dir/x.json", 'it leaves no file');
    is(pool()->{counted}, 0, 'no seat is left');
    isnt(floating('x', 'visit')->{cmid}, $seat->{cmid}, 'it has another key each time');
    is_deeply([ map { !!$_->{stateless} } @{ ($second->kmsctl_json('clients'))[0]{clients} } ], [ !!1, !!1 ], 'the host knows that it keeps no state');
};

subtest 'a client that borrows' => sub {
    my $lease = says(floating('lap', 'activate', args => [ '--borrow', 1440 ]), 'KMS_OK', 0, 'lent');
    cmp_ok($lease->{expires} - $lease->{issued}, '==', 86400, 'for a day');
    is(pool()->{borrowed}, 1, 'the host counts it as lent');
    $clock->to($clock->now + 600);
    my $kept = says(floating('lap', 'renew', args => [ '--clock-offset', 600 ]), 'KMS_OK', 0, 'a plain renewal');
    is($kept->{expires}, $lease->{expires}, 'keeps the end');
    says(floating('lap', 'renew', args => [ '--borrow', 2881 ]), 'KMS_E_BORROW', 1, 'not for longer than the pool lends');
    says(floating('lap', 'status'), 'KMS_OK', 0, 'the lease that it has stays');
    says(floating('lap', 'release'), 'KMS_OK', 0, 'given back early');
    is(pool()->{counted}, 0, 'and no seat is left');
};
is($second->stop, 0, 'the floating one ends well');
is($appliance->stop, 0, 'the appliance ends well');
says(python('c', 'renew'), 'KMS_E_NO_HOST', 3, 'then nobody answers');
says(python('c', 'status'), 'KMS_OK', 0, 'and the lease holds');
done_testing;
