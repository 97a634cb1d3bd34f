#!/usr/bin/perl
# kmsctl relay check: each of its findings, with stand-ins for KMS hosts (t/lib/relay/standin_host.py) on addresses of their own
# and the appliance's port, a real BIND, and what a firewall, a route or another service makes of a host.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Named;
use KMS::Test;
use IO::Socket::INET;
use Socket qw(SOCK_NONBLOCK SOCK_STREAM PF_INET pack_sockaddr_in inet_aton);
use Test::More;

my $python = '/usr/bin/python3';
my $dir = workspace();
my ($named, $port);

# A stand-in on an address of its own, and the port that the first one was given.
sub standin ($last, @args) {
    my $host = { map { $_ => "$dir/$last.$_" } qw(mode log port) };
    $host->{pid} = spawn([ $python, "$SRC/t/lib/relay/standin_host.py", '--address', "127.0.0.$last", '--port', $port // 0,
        '--mode', $host->{mode}, '--log', $host->{log}, '--port-file', $host->{port}, @args ], log => "$dir/$last.err");
    wait_for(20, sub { -s $host->{port} }, 'the stand-in listens');
    ($host->{number}) = slurp($host->{port}) =~ /(\d+)/;
    return $host;
}

# Runs relay check with that [relay]; no kmsd is needed. A list of "level what subject", and the texts by what.
sub check ($relay, %opt) {
    my $listen = $opt{listen} // "127.0.0.1";
    my $ini = spew("$dir/kms.ini", "[kms]\nstate_directory = $dir/state\nruntime_directory = $dir/run\n"
        . "[listen]\naddress = $listen\nport = " . ($opt{port} // $port) . "\n"
        . "[dns]\nhost = kms.example.test\n" . ($opt{dns} // '')
        . "[relay]\nnameserver = " . $named->server . "\n$relay\n");
    my $r = run([ @{ $opt{through} // [] }, program('kmsctl'), '-c', $ini, '--json', 'relay', 'check' ]);
    my $found = json_of($r);
    my @rows = @{ $found->{findings} // [] };
    is($found->{problems}, scalar(grep { $_->{level} eq 'problem' } @rows), 'problems are counted');
    is($r->{exit}, $found->{problems} ? 4 : 0, 'and decide the exit status');
    return ([ map { "$_->{level} $_->{what} $_->{subject}" } @rows ], { map { ($_->{what} => $_->{text}) } @rows });
}

my $first = standin(2);
$port = $first->{number};
my $second = standin(3);
my ($at2, $at3) = map { "127.0.0.$_ port $port" } 2, 3;

# Zones: what is published, and where it leads.
my $hosts = "kms A 127.0.0.1\nkms1 A 127.0.0.2\nkms2 A 127.0.0.3\nforeign A 127.0.0.9\nboth A 127.0.0.2\nboth A 127.0.0.4\n";
my %records = (
    both => "_vlmcs._tcp SRV 0 0 $port kms.example.test.\n_vlmcs._tcp SRV 0 0 $port kms1.example.test.\n",
    address => "_vlmcs._tcp SRV 0 0 $port us\n_vlmcs._tcp SRV 0 0 $port alias\nus A 127.0.0.1\nalias A 127.0.0.2\n",
    behind => "_vlmcs._tcp SRV 0 0 $port kms1.example.test.\n",
    us => "_vlmcs._tcp SRV 0 0 $port kms.example.test.\n",
    none => '',
    foreign => "_vlmcs._tcp SRV 0 0 $port foreign.example.test.\n",
    beside => "_vlmcs._tcp SRV 0 0 $port kms.example.test.\n_vlmcs._tcp SRV 0 0 $port foreign.example.test.\n",
    ordered => "_vlmcs._tcp SRV 20 0 $port kms2.example.test.\n_vlmcs._tcp SRV 10 0 $port kms1.example.test.\n",
    equal => "_vlmcs._tcp SRV 5 0 $port kms2.example.test.\n_vlmcs._tcp SRV 5 0 $port kms1.example.test.\n",
    self => "_vlmcs._tcp SRV 0 0 $port kms.example.test.\n_vlmcs._tcp SRV 1 0 $port kms1.example.test.\n",
    other => "_vlmcs._tcp SRV 0 0 9 kms1.example.test.\n",
    gone => "_vlmcs._tcp SRV 0 0 $port nobody.example.test.\n",
);
$named = KMS::Named->start(zones => { 'example.test' => { records => $hosts },
    map { ("$_.test" => { records => $records{$_} }) } keys %records });

subtest 'a host that serves' => sub {
    my ($rows, $text) = check("upstream = 127.0.0.2:$port");
    is_deeply($rows, ["ok reach $at2"], 'nothing is wrong');
    is($text->{reach}, 'can be reached, and serves the KMS interface', 'in words');
    my ($seen) = grep { /^bind/ } split /\n/, slurp($first->{log});
    is((split / /, $seen)[-1], '05000b03100000004800000001000000d016d01600000000010000000000010075'
        . '21c8514e845047b0d8ec255555bc0601000000045d888aeb1cc9119fe808002b10486002000000', 'a bind of the KMS interface was sent');
    unlike(slurp($first->{log}), qr/^request/m, 'and no request');
    is_deeply((check("upstream = both.example.test:$port"))[0], ["ok reach both.example.test port $port"], 'one of two addresses');
    like((check("upstream = both.example.test:$port"))[1]{reach}, qr/at 1 of its 2 addresses/, 'is told');
};

subtest 'a host that does not serve the KMS interface' => sub {
    for my $case ([ 'nak', qr/bind_nak, reason 2/ ], [ 'reject', qr/rejected \(result 2, reason 1\)/ ], [ 'close', qr/closed/ ],
        [ 'close-bind', qr/closed/ ], [ 'half-ack 20', qr/closed/ ], [ 'garbage', qr/not DCE\/RPC/ ], [ 'silent', qr/silent/ ]) {
        spew($first->{mode}, $case->[0]);
        my ($rows, $text) = check("upstream = 127.0.0.2:$port");
        is_deeply($rows, ["problem interface $at2"], "$case->[0]: a problem");
        like($text->{interface}, qr/^accepts, but does not serve the KMS interface: .*$case->[1]/, 'in words');
    }
    unlink $first->{mode};
};

subtest '0x800706BA: refused' => sub {
    my ($rows, $text) = check("upstream = 127.0.0.4:$port");
    is_deeply($rows, ["problem reach 127.0.0.4 port $port"], 'a problem');
    like($text->{reach}, qr/^0x800706BA: refused\./, 'in words');
};
subtest '0x800706BA: no answer' => sub {
    # a listener whose queue is full answers no SYN
    socket my $deaf, PF_INET, SOCK_STREAM, 0 or die;
    bind $deaf, pack_sockaddr_in($port, inet_aton('127.0.0.5')) or die "127.0.0.5 port $port: $!";
    listen $deaf, 0 or die;
    my @queue = map {
        socket my $s, PF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0 or die;
        connect $s, pack_sockaddr_in($port, inet_aton('127.0.0.5'));
        $s;
    } 1 .. 4;
    my ($rows, $text) = check("upstream = 127.0.0.5:$port");
    is_deeply($rows, ["problem reach 127.0.0.5 port $port"], 'a problem');
    like($text->{reach}, qr/^0x800706BA: no answer\./, 'in words');
};
subtest '0x800706BA: no route, and a firewall that drops' => sub {
    if ($> != 0) {
        diag('NOT AS ROOT: no route, and a firewall that drops, are not tried here');
        plan(skip_all => 'no network namespace');
    }
    my $through = sub ($how) { [ 'unshare', '-n', 'sh', '-ec', "ip link set lo up; $how; exec \"\$@\"", 'sh' ] };
    my $of = '192.0.2.7 port 1688';
    for my $case ([ 'true', qr/^0x800706BA: no route/ ], [ 'ip route add unreachable 192.0.2.7/32', qr/^0x800706BA: no route/ ],
        [ 'ip addr add 192.0.2.7/32 dev lo; nft "add table inet t; add chain inet t i { type filter hook input priority 0; };'
            . ' add rule inet t i tcp dport 1688 drop"', qr/^0x800706BA: no answer/ ],
        [ 'ip addr add 192.0.2.7/32 dev lo; nft "add table inet t; add chain inet t i { type filter hook input priority 0; };'
            . ' add rule inet t i tcp dport 1688 reject with tcp reset"', qr/^0x800706BA: refused/ ]) {
        my ($rows, $text) = check('upstream = 192.0.2.7', port => 1688, through => $through->($case->[0]));
        is_deeply($rows, ["problem reach $of"], "a problem: $case->[0]");
        like($text->{reach}, $case->[1], 'in words');
    }
};
subtest '0x800706BA: the name is not resolved' => sub {
    my ($rows, $text) = check("upstream = nobody.example.test:$port");
    is_deeply($rows, ["problem name nobody.example.test port $port"], 'a problem');
    like($text->{name}, qr/^0x800706BA: the name cannot be resolved: nobody\.example\.test: /, 'in words');
};

subtest 'ports' => sub {
    my ($rows, $text) = check("upstream = 127.0.0.2:$port", port => 1688);
    is_deeply($rows, [ "ok reach $at2", "problem port $at2" ], 'the host listens on another port: a problem');
    like($text->{port}, qr/connect to this appliance on port $port, .*listens on 1688\. Set port = $port under \[listen\] here/, 'with a remedy');
    my $before = slurp($first->{log});
    ($rows, $text) = check("domain = behind.test");
    is_deeply($rows, [ "problem port kms1.example.test port $port", 'problem hosts [relay]', 'ok srv behind.test' ],
        'a port that [relay] ports does not list');
    like($text->{port}, qr/Add $port to ports in \[relay\]/, 'says which key to change');
    is(scalar(() = slurp($first->{log}) =~ /^connection/mg), scalar(() = $before =~ /^connection/mg), 'and it is not tried');
};

subtest 'hosts found by DNS' => sub {
    my ($rows, $text) = check("domain = ordered.test\nports = $port");
    is_deeply($rows, [ "ok reach kms1.example.test port $port", "ok reach kms2.example.test port $port", 'ok srv ordered.test' ],
        'are tried, by priority');
    spew($second->{mode}, 'reject');
    is_deeply([ grep { /problem/ } @{ (check("domain = ordered.test\nports = $port"))[0] } ],
        ["problem interface kms2.example.test port $port"], 'each of them');
    unlink $second->{mode};
    ($rows, $text) = check("domain = equal.test\nports = $port");
    is_deeply([ grep { /problem/ } @$rows ], ['problem split [relay]'], 'two of one priority split the count');
    like($text->{split}, qr/^2 hosts .*in their SRV records/, 'in words');
    is_deeply([ grep { /problem/ } @{ (check("upstream = 127.0.0.3:$port/10\ndomain = ordered.test\nports = $port"))[0] } ],
        ['problem split [relay]'], "one of DNS and one of upstream, too");
    is_deeply([ grep { /problem/ } @{ (check("upstream = 127.0.0.2:$port/10\ndomain = ordered.test\nports = $port"))[0] } ],
        [], 'the same one twice does not');
    ($rows, $text) = check("domain = self.test\nports = $port");
    is_deeply($rows, [ "ok self kms.example.test port $port", "ok reach kms1.example.test port $port", 'problem srv self.test' ],
        'a record that names this appliance is passed over');
    is_deeply((check("upstream = 127.0.0.1:$port"))[0], [ "problem self 127.0.0.1 port $port", 'problem hosts [relay]' ],
        'in upstream it is a slip');
    is_deeply((check("domain = gone.test\nports = $port"))[0], [ "problem name nobody.example.test port $port", 'ok srv gone.test' ],
        'a target without an address');
    is_deeply((check("domain = none.test"))[0], [ 'problem domain none.test', 'problem hosts [relay]', 'ok srv none.test' ],
        'a domain without records');
    is_deeply([ grep { !/srv/ } @{ (check("upstream = 127.0.0.2:$port 127.0.0.3:$port"))[0] } ],
        [ "ok reach $at2", "ok reach $at3", 'problem split [relay]' ], 'two of upstream split the count');
};

subtest 'what clients find' => sub {
    my $up = "upstream = kms1.example.test:$port";
    for my $case (
        [ both => 'problem', qr/^both this appliance and a KMS host behind it publish/ ],
        [ address => 'problem', qr/^both this appliance/, 'by their addresses, under other names' ],
        [ behind => 'ok', qr/^clients find the KMS host itself, not this appliance/ ],
        [ us => 'ok', qr/^clients find this appliance/ ],
        [ none => 'ok', qr/^clients find no KMS host by DNS: SRV _vlmcs\._tcp\.none\.test/ ],
        [ foreign => 'problem', qr/^clients find a KMS host that is neither this appliance nor behind it/ ],
        [ beside => 'problem', qr/^this appliance and another KMS host, which is not behind it/ ],
    ) {
        my ($rows, $text) = check($up, dns => "domains = $case->[0].test\n");
        is_deeply($rows, [ "ok reach kms1.example.test port $port", "$case->[1] srv $case->[0].test" ], $case->[3] // $case->[0]);
        like($text->{srv}, $case->[2], 'in words');
    }
    is_deeply([ grep { /srv/ } @{ (check($up, dns => "domains = $_.test\npublish_vlmcs = yes\n"))[0] } ], ["problem srv $_.test"],
        "$_: a problem where this appliance is to be published") for qw(behind none);
    is_deeply([ grep { /srv/ } @{ (check("domain = behind.test\nports = $port", dns => "domains = behind.test\n"))[0] } ],
        ['ok srv behind.test'], 'a domain is told once');
    $named->stop;
    is_deeply([ grep { /srv/ } @{ (check("upstream = 127.0.0.2:$port", dns => "domains = us.test\n"))[0] } ],
        ['problem srv us.test'], 'DNS that does not answer');
};
done_testing;
