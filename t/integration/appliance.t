#!/usr/bin/perl
# The whole thing for real: a publisher, an appliance made of kmsd's three kinds of process, and
# clients over TCP, from the first key to a restart with nothing lost.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Copy qw(copy);
use KMS::Test;
use Test::More;

$ENV{TZ} = 'UTC';
my $publisher = publisher();
my $server = $publisher->{products}[0];
my $appliance = start_appliance(publisher => $publisher, fronts => 2);

sub product_now ($name = $server->{name}) {
    my ($status, $exit) = $appliance->kmsctl_json('status');
    my ($found) = grep { $_->{name} eq $name } @{ $status->{products} };
    return $found // {};
}

# kmsclient's answer, from its JSON and exit code.
sub client ($name, $verb, @args) {
    my $r = $appliance->client($name, $verb, args => [ '--json', @args ]);
    return { %{ json_of($r) }, exit => $r->{exit}, text => "$r->{out}$r->{err}" };
}

subtest 'before anything is installed' => sub {
    my ($status, $exit) = $appliance->kmsctl_json('status');
    is($exit, 0, 'status: exit 0');
    ok($status->{running}, 'running');
    is($status->{service}{port}, $appliance->port, 'status knows the port that the system chose')
        or diag($appliance->log);
    my ($acme) = grep { $_->{name} eq 'acme' } @{ $status->{publishers} };
    ok($acme && !$acme->{installed} && !$acme->{confirmed}, 'the publisher is known, nothing installed');
    is_deeply($status->{products}, [], 'no product');
    like($appliance->kmsctl('status')->{out}, qr/kmsctl policy install.*kmsctl key install/s, 'status says what to do');
    my %processes = map { $_->{process} => $_ } @{ $status->{sandbox} };
    for my $process (keys %processes) {
        like($processes{$process}{layers}, qr/no-new-privs.*seccomp/, "$process is confined");
    }
    cmp_ok(scalar keys %processes, '>=', 3, 'activation and both fronts are there');
    isnt(client('early', 'activate')->{exit}, 0, 'a client is not activated');
    is($appliance->kmsctl(qw(key request))->{exit}, 2, 'no request without a key');
};

subtest 'key and policy, through the real path' => sub {
    $appliance->do('policy', 'install', $publisher->{pack});
    my $r = $appliance->kmsctl('policy', 'install', $publisher->{pack});
    is($r->{exit}, 2, 'the same pack again is refused');
    like($r->{err}, qr/KMS_E_EXISTS/, 'and says why');
    my ($packs) = $appliance->kmsctl_json(qw(policy show));
    is($packs->{packs}[0]{version}, '1.0', 'policy show');
    is(product_now()->{required}, 5, 'status names the threshold');

    my $key = issue_key($publisher);
    copy($key, "$key.altered") or die;
    copy("$key.minisig", "$key.altered.minisig") or die;
    spew("$key.altered", slurp($key) =~ s/Example Customer/Somebody Else/r);
    $r = $appliance->kmsctl('key', 'install', "$key.altered");
    is($r->{exit}, 2, 'an altered key is refused');
    like($r->{err}, qr/KMS_E_(?:SIGNATURE|KEY_INVALID)/, 'and says why');
    $appliance->do('key', 'install', $key);
    my ($keys) = $appliance->kmsctl_json(qw(key show));
    is(scalar @{ $keys->{keys} }, 1, 'one key');
    is($keys->{keys}[0]{customer}, 'Example Customer', 'with its customer');
    ok(!$keys->{keys}[0]{confirmed}, 'not confirmed yet');
    like($appliance->kmsctl('status')->{out}, qr/not confirmed yet: kmsctl key request/, 'status says what to do');
    isnt(client('early', 'activate')->{exit}, 0, 'a client is still not activated');

    my $file = $appliance->dir . '/host.kmsreq';
    $r = $appliance->do('key', 'request', '-o', $file);
    like($r->{out}, qr/Installation id: +\d[\d-]{20,}/, 'an installation id');
    like($appliance->do('key', 'request', '--qr')->{out}, qr/\xe2\x96\x88/, 'a QR code of the real request');
    $appliance->do('key', 'confirm', confirm($publisher, $file));
    ($keys) = $appliance->kmsctl_json(qw(key show));
    ok($keys->{keys}[0]{confirmed}, 'confirmed');
    ok(product_now()->{covered}, 'the product is covered');
};

subtest 'five clients of a product with threshold five' => sub {
    for my $n (1 .. 4) {
        my $c = client("pc-$n", 'activate');
        is($c->{exit}, 5, "client $n is counted, not activated") or diag($c->{text});
        is($c->{count}, $n, "and told the count $n");
        is($c->{required}, 5, 'of five');
    }
    like($appliance->kmsctl('status')->{out}, qr/Example Server: 4 of 5, 1 more client needed/, 'status counts along');
    is(client('pc-5', 'activate')->{exit}, 0, 'the fifth is activated');
    for my $n (1 .. 4) {
        is(client("pc-$n", 'activate')->{exit}, 0, "client $n comes back and is activated");
    }
    is(product_now()->{counted}, 5, 'coming back took no second seat');
    like($appliance->kmsctl('status')->{out}, qr/Example Server: 5 of 5, activating/, 'status says so');
    for my $n (1 .. 5) {
        is(client("pc-$n", 'verify')->{exit}, 0, "lease $n verifies offline");
    }
    my $lease = $appliance->dir . '/pc-1.lease';
    is(client('pc-1', 'export-lease', $lease)->{exit}, 0, 'a lease is exported');
    my @verify = (program('kmsclient'), '--publisher-key', $publisher->{key}, 'verify-lease');
    is(run([ @verify, $lease ])->{exit}, 0, 'and verifies with the publisher\'s key alone');
    my $octets = slurp($lease);
    substr($octets, length($octets) / 2, 1) ^.= "\1";
    isnt(run([ @verify, spew("$lease.bad", $octets) ])->{exit}, 0, 'but not when an octet differs');
};

subtest 'release' => sub {
    is(client('pc-5', 'release')->{exit}, 0, 'client 5 gives its seat back');
    is(product_now()->{counted}, 4, 'four are counted');
    my $c = client('pc-1', 'renew');
    is($c->{exit}, 5, 'below the threshold there is no new lease');
    is(client('pc-1', 'verify')->{exit}, 0, 'and the old one stays good');
    is(client('pc-5', 'activate')->{exit}, 0, 'client 5 comes back');
    is(client('pc-1', 'renew')->{exit}, 0, 'and the first gets its lease');
    is(product_now()->{counted}, 5, 'five are counted');
};

subtest 'kmsctl clients and client show' => sub {
    my ($list, $exit) = $appliance->kmsctl_json('clients');
    is($exit, 0, 'clients: exit 0');
    my %by_name = map { $_->{name} => $_ } @{ $list->{clients} };
    is(join(' ', grep { /^pc-/ } sort keys %by_name), 'pc-1 pc-2 pc-3 pc-4 pc-5', 'all five');
    for my $name (sort grep { /^pc-/ } keys %by_name) {
        my $c = $by_name{$name};
        is($c->{state}, 'activated', "$name is activated");
        is($c->{address}, '127.0.0.1', "$name: its address");
        is($c->{product}, $server->{id}, "$name: its product");
        is($c->{product_name}, $server->{name}, "$name: the product's name");
        cmp_ok($c->{expires}, '>', time + 179 * 86400, "$name: its lease lives");
    }
    is(scalar @{ ($appliance->kmsctl_json(qw(clients --limit 2)))[0]{clients} }, 2, '--limit');
    is(scalar @{ ($appliance->kmsctl_json('clients', '--since', $_->[0]))[0]{clients} }, $_->[1], "--since $_->[0]")
        for [ '2020-01-01', scalar @{ $list->{clients} } ], [ '2999-12-31T23:59:59Z', 0 ];
    is(scalar @{ ($appliance->kmsctl_json('clients', '--active', '--product', $server->{name}))[0]{clients} }, 5, '--active --product NAME');
    is(scalar @{ ($appliance->kmsctl_json('clients', '--product', $publisher->{products}[1]{id}))[0]{clients} }, 0, '--product UUID of another');
    is($appliance->kmsctl(qw(clients --product Nonsense))->{exit}, 2, '--product of nobody');
    like($appliance->kmsctl('clients')->{out}, qr/^ *pc-3 +[0-9a-f]{12} +Example Server +127\.0\.0\.1 .* activated$/m, 'as text');

    my ($shown) = $appliance->kmsctl_json(qw(client show pc-3));
    my $cmid = $by_name{'pc-3'}{cmid};
    is($shown->{client}{cmid}, $cmid, 'client show by name');
    ($shown) = $appliance->kmsctl_json('client', 'show', substr $cmid, 0, 8);
    is($shown->{client}{name}, 'pc-3', 'client show by the beginning of the CMID');
    for my $key (qw(state expires product address first_seen sequence)) {
        is($shown->{client}{$key}, $by_name{'pc-3'}{$key}, "client show and clients agree on $key");
    }
    is($appliance->kmsctl(qw(client show pc-99))->{exit}, 2, 'client show of nobody');
    is($appliance->kmsctl('client', 'show', '0' x 32)->{exit}, 2, 'client show of a CMID of nobody');
};

subtest 'revoke and forget' => sub {
    is(client('pc-6', 'activate')->{exit}, 0, 'a sixth client');
    is($appliance->kmsctl(qw(client revoke pc-6))->{exit}, 0, 'is revoked');
    my $c = client('pc-6', 'renew');
    is($c->{exit}, 2, 'it gets no lease');
    like($c->{text}, qr/KMS_E_REVOKED/, 'and is told');
    my ($shown) = $appliance->kmsctl_json(qw(client show pc-6));
    is($shown->{client}{state}, 'revoked', 'client show says so');
    is($appliance->kmsctl(qw(client forget pc-6))->{exit}, 0, 'and forgotten');
    is($appliance->kmsctl(qw(client show pc-6))->{exit}, 2, 'its name is gone');
    my $cmid = $shown->{client}{cmid};
    ($shown) = $appliance->kmsctl_json('client', 'show', $cmid);
    is($shown->{client}{state}, 'revoked', 'the revocation is not');
    is(client('pc-6', 'renew')->{exit}, 2, 'so it gets no lease');
    is($appliance->kmsctl('client', 'unrevoke', $cmid)->{exit}, 0, 'the revocation is lifted');
    is($appliance->kmsctl('client', 'unrevoke', $cmid)->{exit}, 2, 'once');
    is(product_now()->{counted}, 5, 'which counts nobody');
    is(client('pc-6', 'renew')->{exit}, 0, 'it asks again and is served');
    is(product_now()->{counted}, 6, 'and counted');
    is($appliance->kmsctl(qw(client forget pc-6))->{exit}, 0, 'then it is forgotten again');
    is($appliance->kmsctl('client', 'show', $cmid)->{exit}, 2, 'and not there any more');
    is(product_now()->{counted}, 5, 'five are counted');
};

sub in_journal ($text) { return scalar grep { index(slurp($_), $text) >= 0 } glob $appliance->dir . '/state/kmsdb/journal/*.seg' }
subtest 'erase' => sub {
    is(client('pc-erased', 'activate')->{exit}, 0, 'a client');
    my ($shown) = $appliance->kmsctl_json(qw(client show pc-erased));
    my $cmid = $shown->{client}{cmid};
    ok(in_journal('pc-erased'), 'its name is in the journal');
    is($appliance->kmsctl(qw(client erase pc-erased))->{exit}, 0, 'is erased');
    wait_for(20, sub { !in_journal('pc-erased') }, 'the name leaves the disk');
    ($shown) = $appliance->kmsctl_json('client', 'show', $cmid);
    is(join(' ', @{ $shown->{client} }{qw(state counted)}), 'activated 1', 'the client stays, and counts');
    is($shown->{client}{name} // '', '', 'without a name');
    my ($check, $exit) = $appliance->kmsctl_json(qw(ledger check));
    is($exit, 0, 'ledger check finds nothing') or diag(explain $check);
    cmp_ok($check->{erased}, '>=', 1, 'but tells how many names are erased');
    sleep 1; # a name of the second in which it was erased stays erased
    is(client('pc-erased', 'renew')->{exit}, 0, 'it renews');
    is(($appliance->kmsctl_json('client', 'show', $cmid))[0]{client}{name}, 'pc-erased', 'and brings its name again');
    is($appliance->kmsctl(qw(client forget pc-erased))->{exit}, 0, 'it is forgotten');
    is($appliance->kmsctl('client', 'erase', $cmid)->{exit}, 0, 'and erased after that');
    wait_for(20, sub { !in_journal('pc-erased') }, 'which leaves nothing');
};

subtest 'SIGHUP' => sub {
    my $before = $appliance->children;
    spew($appliance->ini, slurp($appliance->ini) . "[limits]\nidle_timeout = 120\n");
    kill 'HUP', $appliance->pid;
    wait_for(20, sub { $appliance->log =~ /config-reloaded/ }, 'the ini file is read again');
    is(client('pc-2', 'renew')->{exit}, 0, 'and service goes on');
    is_deeply($appliance->children, $before, 'with the same processes');
};

subtest 'a front is killed' => sub {
    my ($victim, $other) = sort { $a <=> $b } @{ $appliance->children->{'kmsd-front'} };
    my $activate = $appliance->children->{'kmsd-activate'}[0];
    ok($victim && $other && $activate, 'two fronts and the activation process') or return;
    kill 'KILL', $victim;
    is(client("pc-$_", 'renew')->{exit}, 0, "client $_ renews") for 1 .. 5;
    wait_for(20, sub {
        my @fronts = @{ $appliance->children->{'kmsd-front'} };
        @fronts == 2 && !grep { $_ == $victim } @fronts;
    }, 'another front');
    ok((grep { $_ == $other } @{ $appliance->children->{'kmsd-front'} }), 'the other front was not touched');
    is($appliance->children->{'kmsd-activate'}[0], $activate, 'nor was the activation process');
    is(client("pc-$_", 'renew')->{exit}, 0, "client $_ renews again") for 1 .. 5;
};

subtest 'the ledger belongs to the running kmsd' => sub {
    my $r = $appliance->kmsctl(qw(ledger rebuild));
    is($r->{exit}, 2, 'ledger rebuild: exit 2');
    like($r->{err}, qr/kmsd is running and uses the ledger: stop kmsd/, 'and says what to do');
    my ($check, $exit) = $appliance->kmsctl_json(qw(ledger check));
    is($exit, 0, 'ledger check beside the running kmsd finds nothing') or diag(explain $check);
};

my ($before) = $appliance->kmsctl_json('clients');

subtest 'SIGTERM, and what kmsctl does without kmsd' => sub {
    my @children = map { @$_ } values %{ $appliance->children };
    is($appliance->stop, 0, 'kmsd ends with 0') or diag($appliance->log);
    is_deeply([ grep { kill 0, $_ } @children ], [], 'and none of its processes is left');
    my ($status, $exit) = $appliance->kmsctl_json('status');
    is($exit, 3, 'status: exit 3');
    ok(!$status->{running}, 'not running');
    is($status->{error}{symbol}, 'KMS_E_NOT_RUNNING', 'says why');
    is($status->{ledger}{clients}, 2 + @{ $before->{clients} }, 'and what the ledger holds, the forgotten clients too');
    is((grep { $_->{number} == 2 } @{ $status->{pools} })[0]{counted}, 5, 'five counted');
    is($appliance->kmsctl('status')->{exit}, 3, 'status as text: exit 3');

    my ($check, $check_exit) = $appliance->kmsctl_json(qw(ledger check));
    is($check_exit, 0, 'ledger check: exit 0') or diag(explain $check);
    ok($check->{sound}, 'sound');
    is_deeply([ rows($appliance->kmsctl_json('clients')) ], [ rows($before) ], 'clients: the same as before');
    is(($appliance->kmsctl_json(qw(client show pc-4)))[0]{client}{state}, 'activated', 'client show');
    my ($built, $rebuild_exit) = $appliance->kmsctl_json(qw(ledger rebuild));
    is($rebuild_exit, 0, 'ledger rebuild: exit 0') or diag(explain $built);
    is_deeply([ rows($appliance->kmsctl_json('clients')) ], [ rows($before) ], 'clients after it: the same');
    is($appliance->kmsctl(qw(ledger check))->{exit}, 0, 'ledger check after it: exit 0');
};

# What has to survive, of each client.
sub rows ($list, @) {
    return map { join ' ', map { $_ // '-' } @$_{qw(name cmid product state last_seen expires sequence batch leaf entries)} }
        @{ $list->{clients} };
}

subtest 'one octet of the journal differs' => sub {
    my ($segment) = sort glob $appliance->dir . '/state/kmsdb/journal/*';
    my $good = slurp($segment);
    my $bad = $good;
    substr($bad, 300, 1) ^.= "\1";
    spew($segment, $bad);
    my ($check, $exit) = $appliance->kmsctl_json(qw(ledger check));
    is($exit, 4, 'ledger check: exit 4');
    cmp_ok($check->{problem_count}, '>', 0, 'with its problems');
    ok(!$check->{sound}, 'not sound');
    like($check->{error}{symbol}, qr/^KMS_E_(?:ALTERED|CHAIN|SIGNATURE|TORN)$/, 'and a symbol');
    spew($segment, $good);
    is($appliance->kmsctl(qw(ledger check))->{exit}, 0, 'put back, it is sound');
};

subtest 'started again' => sub {
    $appliance->start;
    is(product_now()->{counted}, 5, 'the count was kept');
    ok(product_now()->{covered}, 'so were key and certificate');
    is_deeply([ rows($appliance->kmsctl_json('clients')) ], [ rows($before) ], 'and the clients');
    is(client('pc-1', 'renew')->{exit}, 0, 'a client renews');
    is($appliance->stop, 0, 'kmsd ends with 0');
};
done_testing;
