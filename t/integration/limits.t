#!/usr/bin/perl
# What a stranger can have written, and what he cannot keep from others: the limits of kms.ini with
# the real processes, each with its count in status, doctor and why.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use FrontStandin ();
use IO::Socket::INET;
use KMS::Sealer;
use KMS::Test;
use MIME::Base64 qw(decode_base64);
use Test::More;

use constant { OK => 0, OVERLOAD => 14, LEDGER => 15, TOO_SOON => 25, COUNT_TOO_LOW => 1, UNLICENSED => 0, ACTIVATED => 2, EXPIRED => 4, RELEASE => 3 };

my $writer = '11111111-1111-4111-8111-111111111111';
my $spare = '22222222-2222-4222-8222-222222222222';
my $p = publisher(products => [
    { name => 'Limited', id => $writer, threshold => 3, group => 'client', pool => 'desktops' },
    { name => 'Other', id => $spare, threshold => 1, group => 'client', pool => 'desktops' } ]);
my $a = start_appliance(publisher => $p, fronts => 1);
$a->enable(group => 'client');
my $shipped = slurp($a->ini) =~ s/^\[limits\]\n.*?(?=^\[)//msr;

sub limits (@lines) {
    my $before = () = $a->log =~ /front-reloaded/g;
    my $activate = () = $a->log =~ /activate-reloaded/g;
    spew($a->ini, $shipped . "[limits]\n" . join '', map {"$_\n"} @lines);
    kill 'HUP', $a->pid;
    wait_for(30, sub { (() = $a->log =~ /front-reloaded/g) > $before && (() = $a->log =~ /activate-reloaded/g) > $activate }, 'new limits');
}

sub dial ($from = undef) {
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $a->port, ($from ? (LocalAddr => $from) : ())) // die "connect: $@";
}

my $hello = FrontStandin::frame(1, substr decode_base64($p->{key}), 2, 8);
{
    my $s = dial();
    syswrite $s, $hello;
    is((sealer_host(FrontStandin::reply($s)->{payload}))[1], 'ok', 'the host is known');
}

my %sequence;

# What a client is told: (status, frame sent).
sub told ($client, $from, $before, $frame) {
    my $s = dial($from);
    syswrite $s, $before . $frame;
    my $r = FrontStandin::reply($s) or return -1;
    my ($status) = sealer("open $client " . unpack 'H*', FrontStandin::frame($r->{type}, $r->{payload})) =~ /^status (\d+)/;
    return wantarray ? ($status, $frame) : $status;
}

# With the fields of %o over those that all have.
sub request ($client, %o) {
    my %field = (product => $writer, sequence => ++$sequence{$client}, state => ACTIVATED, name => "c$client", %o);
    my ($from, $before) = delete @field{qw(from before)};
    return told($client, $from, $before // '', sealer_frame($client, map {"$_=$field{$_}"} sort keys %field));
}

sub status_limits () {
    my ($status) = $a->kmsctl_json('status');
    return { map { $_->{name} => $_ } @{ $status->{limits} } };
}

subtest 'a renewal too soon' => sub {
    limits();    # as shipped
    is(request(1, state => UNLICENSED), COUNT_TOO_LOW, 'one of three');
    is(request(1, state => UNLICENSED), COUNT_TOO_LOW, 'after "too low" it may ask at once');
    is(request(2, state => UNLICENSED), COUNT_TOO_LOW, 'two');
    is(request(3, state => UNLICENSED), OK, 'three: a lease');
    my ($told, $frame) = request(1);
    is($told, OK, 'after "too low", a lease at once');
    is(told(1, undef, '', $frame), OK, 'a repeat of that request is answered');
    is(request(1), TOO_SOON, 'a renewal is too soon');
    is(request(1), TOO_SOON, 'and again');
    is(request(1, state => EXPIRED), OK, 'but not for a client that has no valid lease');
    is(request(1, product => $spare), OK, 'nor for another product');
    is(request(1, product => $spare), TOO_SOON, 'which then is too soon itself');
    is(request(1, operation => RELEASE, product => $spare), OK, 'a release is never too soon');
    is(request(4, state => UNLICENSED), OK, 'a fourth, since one left');
    is(request(3), TOO_SOON, 'its lease is not older by that');
    my $journal = (($a->kmsctl_json('status'))[0])->{ledger}{last_batch};
    request(3) for 1 .. 50;
    is((($a->kmsctl_json('status'))[0])->{ledger}{last_batch}, $journal, 'what is too soon is not written');
    my $second = issue_key($p, group => 'client', output => $a->dir . '/second');
    $a->do('key', 'install', $second);
    $a->certify($p, $second);
    is(request(3), OK, 'under a new certificate, it is served once');
    my $limit = status_limits()->{renewals_per_interval};
    cmp_ok($limit->{refused}, '>=', 53, 'status counts them');
    like($a->log, qr/too-soon: 127\.0\.0\.1 /, 'the log says so');
    my $client = $a->client('real', 'activate');
    is($client->{exit}, 0, 'a real client') or diag("$client->{out}$client->{err}");
    $client = $a->client('real', 'renew');
    like("$client->{out}$client->{err}", qr/KMS_E_TOO_SOON/, 'is told, too');
    is($client->{exit}, 0, 'which is no failure');
    like($a->client('real', 'status')->{out}, qr/activated/, 'and stays activated');
};

subtest 'new clients of one address' => sub {
    limits('new_clients_per_source = 60/1', 'renewals_per_interval = 1000000');
    my %told;
    $told{ request($_, state => UNLICENSED, from => '127.0.0.5') }++ for 100 .. 199;
    cmp_ok($told{ +OK }, '>=', 60, "as many as the burst: $told{ +OK }");
    cmp_ok($told{ +OVERLOAD } // 0, '>', 20, 'the others are told to come later: ' . ($told{ +OVERLOAD } // 0));
    is(request(200, state => UNLICENSED, from => '127.0.0.6'), OK, 'another address is served');
    is(request(1, state => UNLICENSED), OK, 'a client from elsewhere');
    is(request(1, from => '127.0.0.5'), OK, 'and its renewal from there');
    my $limit = status_limits()->{new_clients_per_source};
    is($limit->{address}, '127.0.0.5', 'status names the address');
    is($limit->{refused}, $told{ +OVERLOAD }, 'and the number');
    like($a->kmsctl('status')->{out}, qr/new_clients_per_source/, 'a person reads it too');
    like($a->log, qr/limit-reached: 127\.0\.0\.5: \[limits\] new_clients_per_source/, 'the log has it');
    like($a->log, qr/source-share: 127\.0\.0\.5 made \d+ new clients in a short time, and pool desktops has \d+ seats.*kmsctl client forget --address 127\.0\.0\.5/, 'and the alarm of a large share');
    my ($doctor) = $a->kmsctl_json('doctor');
    my ($found) = grep { $_->{check} eq 'limit' } @{ $doctor->{findings} };
    like($found->{text}, qr/new_clients_per_source refused \d+ requests, the last one from 127\.0\.0\.5/, 'doctor has it');
    ($found) = grep { $_->{check} eq 'share' } @{ $doctor->{findings} };
    like($found->{text}, qr/127\.0\.0\.5 made \d+ of the \d+ clients/, 'and the share');
    like($found->{next}, qr/kmsctl client forget --address 127\.0\.0\.5/, 'with what to type');
    like($a->kmsctl('why', '127.0.0.5')->{out}, qr/the limit new_clients_per_source has refused \d+ requests/, 'why has it');
    limits('new_clients_per_source = 60/1', 'exempt = 127.0.0.0/24', 'renewals_per_interval = 1000000');
    is(request($_, state => UNLICENSED, from => '127.0.0.5'), OK, 'a network that is exempt') for 300 .. 305;
    ($doctor) = $a->kmsctl_json('doctor');
    ($found) = grep { $_->{check} eq 'share' } @{ $doctor->{findings} };
    is($found->{level}, 'good', 'has no share either');
};

subtest 'forgetting what one machine made' => sub {
    my $counted = sub { (($a->kmsctl_json('status'))[0])->{pools}[0]{counted} };
    my $before = $counted->();
    my $preview = $a->kmsctl('client', 'forget', '--address', '127.0.0.5');
    is($preview->{exit}, 0, 'a preview') or diag($preview->{err});
    my ($n) = $preview->{out} =~ /^(\d+) clients would be forgotten.*Nothing was changed: to forget them, add --yes/m;
    cmp_ok($n, '>=', 66, "it would be $n");
    is($counted->(), $before, 'nothing is done');
    is($a->kmsctl('client', 'forget', '--address', '127.0.0.5', '--until', '2020-01-01')->{out} =~ /No counted client/, 1, 'a time chooses, too');
    my $r = $a->kmsctl('client', 'forget', '--address', '127.0.0.5', '--yes');
    like($r->{out}, qr/^$n of $n clients forgotten/m, 'with --yes they are forgotten');
    is($counted->(), $before - $n, 'and count no longer');
    isnt($a->kmsctl('client', 'forget')->{exit}, 0, 'without a choice: an error');
    isnt($a->kmsctl('client', 'forget', 'c3', '--address', '127.0.0.1')->{exit}, 0, 'with two kinds of choice, too');
    isnt($a->kmsctl('client', 'forget', '--address', 'nowhere')->{exit}, 0, 'and with no address');
    is($a->kmsctl('ledger', 'check')->{exit}, 0, 'the ledger is sound');
};

subtest 'the ceiling for all' => sub {
    limits('entries = 5/1', 'renewals_per_interval = 1000000');
    my %told;
    $told{ request(3) }++ for 1 .. 40;
    cmp_ok($told{ +OVERLOAD } // 0, '>', 10, 'renewals are held to it');
    ok(status_limits()->{entries}{refused}, 'counted');
};

subtest 'a disk that is nearly full' => sub {
    limits('disk_reserve = 1024G', 'renewals_per_interval = 1000000');
    is(request(400, state => UNLICENSED), LEDGER, 'a new client is not written');
    is(request(3), OK, 'a renewal is');
    ok(status_limits()->{disk_reserve}{refused}, 'counted');
    my ($doctor) = $a->kmsctl_json('doctor');
    my ($found) = grep { $_->{check} eq 'limit' && $_->{text} =~ /disk_reserve/ } @{ $doctor->{findings} };
    is($found->{level}, 'bad', 'doctor: bad');
    like($a->log, qr/disk-low/, 'the log says so');
    limits('disk_reserve = 0', 'renewals_per_interval = 1000000');
    is(request(400, state => UNLICENSED), OK, 'with room, it is served');
    like($a->log, qr/disk-enough/, 'and the log says so');
};

# Balancers: a source is what they say.
subtest 'clients behind a balancer' => sub {
    limits('proxies = 127.0.0.9', 'new_clients_per_source = 1/1', 'renewals_per_interval = 1000000');
    my $header = sub ($address) { "PROXY TCP4 $address 192.0.2.250 40000 1688\r\n" };
    is(request(500 + $_, state => UNLICENSED, from => '127.0.0.9', before => $header->("192.0.2.$_")), OK, "client $_ behind it") for 1 .. 5;
    is(request(510, state => UNLICENSED, from => '127.0.0.9', before => $header->('192.0.2.5')), OVERLOAD, 'a second one of an address');
    my ($clients) = $a->kmsctl_json('clients');
    my ($one) = grep { ($_->{address} // '') eq '192.0.2.5' } @{ $clients->{clients} };
    ok($one, 'the ledger has the address of the client');
    is(request(511, state => UNLICENSED, from => '127.0.0.9'), -1, 'without a header: closed');
};

# A real one, with both versions of the protocol.
subtest 'HAProxy' => sub {
    my $dir = workspace();
    my $free = do { IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)->sockport };
    my $port = $a->port;
    limits('proxies = 127.0.0.1', 'renewals_per_interval = 1000000');
    for my $send ('send-proxy', 'send-proxy-v2') {
        spew("$dir/haproxy.cfg", <<"CFG");
global
    maxconn 64
defaults
    mode tcp
    timeout connect 3s
    timeout client 60s
    timeout server 60s
listen kms
    bind 127.0.0.1:$free
    server one 127.0.0.1:$port $send
CFG
        my $haproxy = spawn([ 'haproxy', '-db', '-q', '-f', "$dir/haproxy.cfg" ], log => "$dir/haproxy.log");
        wait_for(20, sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $free) }, 'HAProxy listens');
        my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $free, LocalAddr => '127.0.0.77') // die "connect: $@";
        my $client = $send eq 'send-proxy' ? 600 : 601;
        syswrite $s, sealer_frame($client, "product=$writer", 'sequence=1', "name=$send");
        my $r = FrontStandin::reply($s);
        ok($r && $r->{type} == 4, "$send: a client is served through it");
        my ($clients) = $a->kmsctl_json('clients');
        my ($one) = grep { ($_->{name} // '') eq $send } @{ $clients->{clients} };
        is($one->{address}, '127.0.0.77', "$send: and has its own address");
        end_process($haproxy, 'TERM');
    }
};

is($a->stop, 0, 'kmsd ends well');
unlike($a->log, qr/front-died|activate-died|sandbox-violation/, 'no process was lost');
done_testing;
