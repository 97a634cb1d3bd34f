#!/usr/bin/perl
# The relay end to end: kmsd before a stand-in for a KMS host (t/lib/relay/standin_host.py), with clients by impacket, by
# Samba's NDR and by hand (t/lib/relay/rpc_client.py). The payload is arbitrary.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use JSON::PP ();
use Test::More;

my $python = '/usr/bin/python3';
run([ $python, '-c', 'import impacket.dcerpc.v5.rpcrt, samba.dcerpc.dcerpc' ])->{exit} == 0
    or BAIL_OUT('needs python3-impacket and python3-samba: ./bootstrap deps');

my $publisher = publisher();
my $dir = workspace();

sub standin ($name, @args) {
    my $host = { map { $_ => "$dir/$name.$_" } qw(mode log port) };
    $host->{pid} = spawn([ $python, "$SRC/t/lib/relay/standin_host.py", '--mode', $host->{mode},
        '--log', $host->{log}, '--port-file', $host->{port}, @args ], log => "$dir/$name.err");
    wait_for(20, sub { -s $host->{port} }, 'the stand-in listens');
    ($host->{number}) = slurp($host->{port}) =~ /(\d+)/;
    return $host;
}

sub appliance ($relay, %opt) {
    return start_appliance(publisher => $publisher, fronts => $opt{fronts} // 1, ini => <<"INI");
[relay]
connect_timeout = 1
answer_timeout = 3
backoff = 1
connections_per_source = 0
$relay
[limits]
connections_per_source = 0
frame_timeout = 1
first_timeout = 2
INI
}

# Runs cases, each of them a test.
sub cases ($a, $hosts, $names, @args) {
    my ($first, $second) = @$hosts;
    my $r = run([ $python, "$SRC/t/lib/relay/rpc_client.py", @$names, '--port', $a->port,
        $first ? ('--mode', $first->{mode}, '--log', $first->{log}) : (),
        $second ? ('--mode2', $second->{mode}, '--log2', $second->{log}) : (), @args ]);
    my $result = eval { JSON::PP->new->decode($r->{out}) } // {};
    diag($r->{err}) if !is_deeply([ grep { defined $result->{$_} || !exists $result->{$_} } @$names ], [],
        "all cases were run and held: @$names");
    ok(exists $result->{$_} && !defined $result->{$_}, $_) or diag($result->{$_} // 'not run') for @$names;
    return $result;
}

my $host = standin('host');
my $other = standin('other');
my $a = appliance("upstream = 127.0.0.1:$host->{number}\nidle_timeout = 2");

subtest 'what passes' => sub {
    cases($a, [$host], [ qw(plain byte_for_byte big_endian several_contexts alter_context fragmented_request
        fragmented_response bytes_from_client bytes_from_host pipelined half_closed shutdown host_fault
        early_fault host_nak) ]);
};
subtest 'other implementations of DCE/RPC' => sub {
    cases($a, [$host], [ qw(impacket impacket_ndr64 impacket_fragments impacket_wrong_interface impacket_authenticates samba) ]);
};
subtest 'what is refused and does not reach the host' => sub {
    cases($a, [$host], [ qw(wrong_interface wrong_interface_version wrong_interface_alter wrong_opnum
        wrong_rpc_version auth malformed mixed_fragments endless_request too_many_contexts) ]);
    like($a->log, qr/^kmsd-front\[\d+\]: $_: /m, "log event $_")
        for qw(relay-interface relay-operation relay-version relay-auth relay-bad-pdu);
};
subtest 'a host that fails' => sub {
    cases($a, [$host], [ qw(host_closes host_silent host_dies_in_call host_dies_between host_late host_floods odd_bind) ]);
    like($a->log, qr/^kmsd-front\[\d+\]: $_: /m, "log event $_")
        for qw(relay-no-host relay-host-lost relay-late relay-bad-host);
    unlike($a->log, qr/relay-host-down/, 'the only host is not taken from anybody');
};
subtest 'ports towards the host' => sub {
    # one that waits after its end (TIME_WAIT, 06) is lost for a minute, and there are only so many towards one host
    my $waiting = sub {
        scalar grep { /^\s*\d+: \S+ 0100007F:(\S+) 06 / && hex($1) == $host->{number} } split /^/, slurp('/proc/net/tcp')
    };
    my $before = $waiting->();
    my $closed = () = slurp($host->{log}) =~ /^closed$/mg;
    cases($a, [$host], ['serve'], '--version', ('6.0') x 20);
    wait_for(20, sub { (() = slurp($host->{log}) =~ /^closed$/mg) >= $closed + 20 }, 'the host has seen the end of each');
    cmp_ok($waiting->(), '<=', $before, 'none is kept');
};
subtest 'slow clients' => sub { cases($a, [$host], [qw(slow_sender idle_client)]) };
subtest 'the ledger' => sub {
    cases($a, [$host], ['serve'], '--version', '4.0', '5.0', '6.0', '6.0');
    cases($a, [$host], ['serve'], '--ndr', '--version', '6.1');
    my ($status, $exit) = $a->kmsctl_json('relay', 'status');
    is($exit, 0, 'relay status');
    my %by = map { ("$_->{major}.$_->{minor}" => $_->{requests}) } @{ $status->{versions} };
    is($by{'4.0'}, 1, 'one of 4.0') or diag(explain $status);
    is($by{'5.0'}, 1, 'one of 5.0');
    is($by{'6.1'}, 1, 'one of 6.1, behind the lengths of an NDR array');
    cmp_ok($by{'6.0'}, '>', 2, 'many of 6.0');
    is($status->{hosts}[0]{port}, $host->{number}, 'by KMS host');
    is($status->{hosts}[0]{address}, '127.0.0.1', 'with its address');
    cmp_ok($status->{hosts}[0]{$_}, '>', 0, "$_ are counted") for qw(answered faults lost late refused);
    cmp_ok($status->{no_host}, '>', 0, 'no-host is counted');

    my ($seen) = $a->kmsctl_json('clients', '--relayed');
    is(scalar @{ $seen->{relayed} }, 1, 'one source');
    my $row = $seen->{relayed}[0];
    is($row->{address}, '127.0.0.1', 'its address');
    ok($row->{observed}, 'marked observed');
    is($row->{answered}, $status->{answered}, 'the ledger has every exchange that was answered');
    like($row->{hosts}, qr/127\.0\.0\.1 port $host->{number} x \d+/, 'and by which host');
    is_deeply(($a->kmsctl_json('clients'))[0]{clients}, [], 'none of them is a client of ours');
    is($a->kmsctl('ledger', 'check')->{exit}, 0, 'the ledger is whole');
    my ($check, $code) = $a->kmsctl_json('relay', 'check');
    is($code, 4, 'relay check finds something wrong');
    is_deeply([ map { "$_->{level} $_->{what}" } @{ $check->{findings} } ], [ 'ok reach', 'problem port' ],
        'the host serves, and listens on another port than the appliance') or diag(explain $check);

    my $log = spew("$dir/12290.csv", '"0x0,25,localhost,1ab2c3d4-0000-4000-8000-0123456789ab,2026/11/23 10:15,0,1,43200"' . "\n"
        . '"0x0,25,nobody.invalid,2ab2c3d4-0000-4000-8000-0123456789ab,2026/11/23 10:15,0,1,43200"' . "\n"
        . '"0xC004F042,25,localhost,3ab2c3d4-0000-4000-8000-0123456789ab,2026/11/23 10:15,0,1,43200"' . "\n");
    my ($import, $how) = $a->kmsctl_json('relay', 'import', $log);
    is($how, 0, 'the KMS host\'s log is imported');
    is_deeply([ @$import{qw(events joined unknown refused)} ], [ 3, 1, 1, 1 ], 'one of its events is joined');
    is($a->kmsctl('relay', 'import', $a->ini)->{exit}, 2, 'a file without events is refused');
    ($seen) = $a->kmsctl_json('clients', '--relayed');
    is($seen->{relayed}[0]{name}, 'localhost', 'the observed row has a name');
    is($seen->{relayed}[0]{cmid}, '1ab2c3d40000400080000123456789ab', 'and a CMID');
    is($seen->{relayed}[0]{count}, 25, 'and a count');

    # the row is what the journal says, also after a kill and a replay
    end_process($a->pid, 'KILL');
    $a->start;
    my ($again) = $a->kmsctl_json('clients', '--relayed');
    is_deeply($again->{relayed}, $seen->{relayed}, 'the same after a kill');
    is($a->kmsctl('ledger', 'check')->{exit}, 0, 'the ledger is whole');
};
subtest 'thousands of idle clients' => sub {
    my $many = 5000;
    my ($limit) = `sh -c 'ulimit -Hn'` =~ /(\d+)/;
    if (defined $limit && $limit < 2 * $many + 200) {
        $many = int($limit / 2) - 200;
        diag("ONLY $limit DESCRIPTORS ARE ALLOWED HERE: $many idle clients, not 5000");
    }
    my $b = appliance("upstream = 127.0.0.1:$host->{number}\nidle_timeout = 600");
    cases($b, [$host], ['idle_thousands'], '--many', $many);
    is($b->stop, 0, 'stopped cleanly');
};
subtest 'the native protocol on the same port' => sub {
    $a->enable;
    like($a->client('c1', 'activate')->{out}, qr/1 of 5|count|threshold/i, 'a client of ours is answered');
    cases($a, [$host], ['plain']);
};
unlike($a->log, qr/sandbox-violation|front-died|channel-lost/, 'no front has died');
is($a->stop, 0, 'stopped cleanly');

subtest 'two hosts' => sub {
    my $b = appliance("upstream = 127.0.0.1:$host->{number} 127.0.0.1:$other->{number}/1");
    spew($host->{mode}, "normal\n");
    spew($other->{mode}, "normal\n");
    cases($b, [ $host, $other ], [qw(priority failover strikes both_down)]);
    like($b->log, qr/^kmsd-front\[\d+\]: $_: /m, "log event $_") for qw(relay-host-down relay-host-up);
    is($b->stop, 0, 'stopped cleanly');
};

subtest 'a host that answers in big-endian' => sub {
    my $big = standin('big', '--big');
    my $b = appliance("upstream = 127.0.0.1:$big->{number}");
    cases($b, [$big], [qw(plain big_endian several_contexts fragmented_response wrong_opnum)]);
    is($b->stop, 0, 'stopped cleanly');
};

subtest 'who may' => sub {
    my $b = appliance("upstream = 127.0.0.1:$host->{number}\nallow = 10.0.0.0/8");
    cases($b, [$host], ['refused_source']);
    like($b->log, qr/relay-source-refused: 127\.0\.0\.1/, 'the log says so');
    is($b->stop, 0, 'stopped cleanly');

    $b = appliance("upstream = 127.0.0.1:$host->{number}");
    spew($b->ini, slurp($b->ini) =~ s/connections_per_source = 0/connections_per_source = 2/r);
    kill 'HUP', $b->pid;
    wait_for(20, sub { $b->log =~ /front-reloaded/ }, 'reloaded');
    cases($b, [$host], ['source_limit']);
    is($b->stop, 0, 'stopped cleanly');
};

subtest 'no host at all' => sub {
    my $gone = standin('gone');
    end_process($gone->{pid});
    my $b = appliance("upstream = 127.0.0.1:$gone->{number}");
    cases($b, [], [qw(no_host no_host)]);
    like($b->log, qr/relay-host-down: 127\.0\.0\.1 port $gone->{number}: Connection refused/, 'the log says why');
    is($b->stop, 0, 'stopped cleanly');
};

subtest 'one address that has too many connections' => sub {
    my $b = start_appliance(publisher => $publisher, fronts => 1, ini => "[relay]\nupstream = 127.0.0.1:$host->{number}\nconnections_per_source = 3\n");
    my $r = run([ $python, '-c', <<'PYTHON', "$SRC/t/lib/relay", $b->port ]);
import sys, types
sys.path.insert(0, sys.argv[1])
import rpc_client as r
r.opt = types.SimpleNamespace(address='127.0.0.1', port=int(sys.argv[2]))
held, naks = [], 0
for i in range(8):
    c = r.Client(); c.send(c.bind_pdu()); naks += c.recv()['type'] == 13; held.append(c)
print(naks)
PYTHON
    is($r->{out}, "5\n", 'five of eight get a bind_nak') or diag($r->{err});
    is(($b->kmsctl_json('status'))[0]{fronts}[0]{refused_connections}, 5, 'status counts them');
    my ($found) = grep { $_->{check} eq 'connections' } @{ ($b->kmsctl_json('doctor'))[0]{findings} };
    like($found->{text}, qr/^5 connections were refused since kmsd started/, 'doctor tells it');
    like($b->kmsctl('why', '127.0.0.1')->{out}, qr/5 connections were refused before the clients could name themselves/, 'why too');
    like($b->kmsctl('relay', 'status')->{out}, qr/5 connections were refused/, 'relay status too');
    is($b->stop, 0, 'stopped cleanly');
};

subtest 'not to itself' => sub {
    # what it listens on, and a name of that: its own, any of the loopback's, and nobody's, which connect(2) takes for it
    for my $row ([qw(127.0.0.1 127.0.0.1)], [qw(0.0.0.0 127.0.0.9)], [qw(127.0.0.1 0.0.0.0)], ['0.0.0.0 ::', '[::]']) {
        my ($address, $upstream) = @$row;
        my $probe = standin('probe');
        end_process($probe->{pid});    # a port that was free a moment ago
        unlink $probe->{port};
        my $b = start_appliance(publisher => $publisher, fronts => 1,
            ini => "[relay]\nupstream = $upstream:$probe->{number}\n");
        $b->stop;
        spew($b->ini, slurp($b->ini) =~ s/^port = 0/port = $probe->{number}/mr =~ s/^address = .*/address = $address/mr);
        $b->start;
        like($b->log, qr/relay-loop: /, "$upstream is no host");
        cases($b, [], ['no_host']);
        is(($b->kmsctl_json('relay', 'status'))[0]{no_host}, 1, 'asked once');
        is($b->stop, 0, 'stopped cleanly');
    }
};

subtest 'without a relay' => sub {
    my $b = start_appliance(publisher => $publisher, fronts => 1);
    cases($b, [], ['refused_source']);
    like($b->log, qr/relay-not-configured/, 'closed, and the log says so');
    is($b->stop, 0, 'stopped cleanly');
};

done_testing;
