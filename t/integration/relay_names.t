#!/usr/bin/perl
# The relay's KMS hosts by name: kmsd-resolve, confined, asks a real BIND over UDP, over TCP where an answer is truncated, over
# IPv6, and reads /etc/hosts.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Named;
use KMS::Test;
use IO::Socket::INET;
use IO::Socket::IP;
use Test::More;

my $python = '/usr/bin/python3';
run([ $python, '-c', 'import impacket.dcerpc.v5.rpcrt' ])->{exit} == 0 or BAIL_OUT('needs python3-impacket: ./bootstrap deps');

my $publisher = publisher();
my $dir = workspace();
my %host = map { $_ => "$dir/host.$_" } qw(mode log port);
spawn([ $python, "$SRC/t/lib/relay/standin_host.py", '--mode', $host{mode}, '--log', $host{log}, '--port-file', $host{port} ],
    log => "$dir/host.err");
wait_for(20, sub { -s $host{port} }, 'the stand-in listens');
my ($number) = slurp($host{port}) =~ /(\d+)/;

my $six = defined IO::Socket::IP->new(LocalHost => '::1', Listen => 1);
diag('NO IPv6 HERE: a name server of IPv6 is not tried') unless $six;
# More than any datagram holds here, so that the answer is truncated.
my $long = join '', map { sprintf "_vlmcs._tcp SRV %d 0 $number a-rather-long-name-so-that-it-fills-%02d.kms.example.test.\n", $_, $_ } 1 .. 30;
my $names = join '', map { sprintf "a-rather-long-name-so-that-it-fills-%02d.kms A 127.0.0.1\n", $_ } 1 .. 30;
my $named = KMS::Named->start(v6 => $six, options => 'max-udp-size 512;', zones => {
    'example.test' => { records => "kms1 A 127.0.0.1\nboth A 127.0.0.1\nboth AAAA ::1\n_vlmcs._tcp SRV 0 0 $number kms1\n"
        . "_vlmcs._tcp SRV 5 0 1 kms1\n$names" },
    'odd.test' => { options => 'check-names ignore;', records => "kms1 A 127.0.0.1\na\\032b A 127.0.0.1\n_vlmcs._tcp SRV 1 0 $number a\\032b\n"
        . "_vlmcs._tcp SRV 2 0 $number kms1\n" },
    'long.test' => { records => $long } });

sub appliance ($relay, %opt) {
    return start_appliance(publisher => $publisher, fronts => 1, %opt, ini => <<"INI");
[relay]
connect_timeout = 1
answer_timeout = 3
backoff = 1
connections_per_source = 0
$relay
INI
}

sub served ($a, $what) {
    my $r = run([ $python, "$SRC/t/lib/relay/rpc_client.py", '--port', $a->port, '--mode', $host{mode}, '--log', $host{log}, 'plain' ]);
    is($r->{out}, qq({"plain": null}\n), $what) or diag($r->{err});
}

# Resolved as it should be, by a process that its sandbox has not killed.
sub resolves ($relay, $addresses, $what, %opt) {
    my $a = appliance($relay, %opt);
    wait_for(20, sub { $a->log =~ /relay-hosts: $addresses addresses/ }, "$what: resolved")
        or diag($a->log);
    served($a, $what);
    unlike($a->log, qr/kmsd-resolve failed|sandbox[-]|sandbox:(?! no-)|too slow/, "$what: within its sandbox");
    return $a;
}

my $ns = 'nameserver = ' . $named->server;
for my $relay ("upstream = kms1.example.test:$number", "domain = example.test\nports = $number") {
    my $a = resolves("$relay\n$ns", 1, $relay =~ /^(\w+)/);
    like($a->log, qr/relay-port-refused: kms1\.example\.test\S* port 1 /, 'a port that DNS invents is refused') if $relay =~ /domain/;
    is_deeply([ map { $_->{'hosts'}[0]{name} } ($a->kmsctl_json('relay', 'status'))[0] ], ['kms1.example.test'], 'counted by name');
    is($a->stop, 0, 'stopped cleanly');
}
my $a = resolves("upstream = both.example.test:$number\n$ns", 2, 'IPv4 and IPv6 addresses');
is($a->stop, 0, 'stopped cleanly');

$a = resolves("domain = odd.test\nports = $number\n$ns", 1, 'beside a record that names no host');
like($a->log, qr/kmsd-resolve\[\d+\]: relay-resolve: a b\.odd\.test/, 'which the log tells');
is($a->stop, 0, 'stopped cleanly');

my $udp = run([ 'dig', '+ignore', '+notcp', '-p', $named->port, '@127.0.0.1', '_vlmcs._tcp.long.test', 'SRV' ]);
like($udp->{out}, qr/flags: [^;]*\btc\b/, 'the answer is truncated in a datagram');
$a = resolves("domain = long.test\nports = $number\n$ns", 1, 'a truncated answer, asked again over TCP');
is($a->stop, 0, 'stopped cleanly');

if ($six) {
    my $port = $named->port;
    for my $relay ("upstream = kms1.example.test:$number", "domain = long.test\nports = $number") {
        $a = resolves("$relay\nnameserver = [::1]:$port", 1, 'a name server of IPv6');
        is($a->stop, 0, 'stopped cleanly');
    }
}

if ($> != 0) {
    diag('NOT AS ROOT: /etc/hosts is not tried here');
} else {
    my $hosts = spew("$dir/hosts", "127.0.0.1 localhost in-hosts.example.net\n");
    $a = resolves("upstream = in-hosts.example.net:$number", 1, '/etc/hosts',
        through => [ 'unshare', '-m', 'sh', '-ec', "mount --bind $hosts /etc/hosts; exec \"\$@\"", 'sh' ]);
    is($a->stop, 0, 'stopped cleanly');
}

# Under systemd the log is no file: no file may be written then, and the answer still leaves the process.
my $piped = workspace();
$a = resolves("upstream = kms1.example.test:$number\n$ns", 1, 'a log that is a pipe',
    dir => $piped, through => [ 'bash', '-c', "exec \"\$@\" > >(exec cat >> $piped/log) 2>&1", 'bash' ]);
is($a->stop, 0, 'stopped cleanly');

for my $case ([ "upstream = nobody.example.test\n$ns", qr/nobody\.example\.test/, 'a name that is not there' ],
    [ "upstream = kms1.example.test\nnameserver = 127.0.0.1:" . IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1')->sockport,
        qr/kms1\.example\.test/, 'a name server that is not there' ]) {
    my ($relay, $said, $what) = @$case;
    $a = appliance($relay);
    wait_for(30, sub { $a->log =~ /kmsd-resolve\[\d+\]: relay-resolve: $said/ }, $what);
    unlike($a->log, qr/kmsd-resolve failed|sandbox-|sandbox:(?! no-)/, "$what: said, within the sandbox");
    is($a->stop, 0, 'stopped cleanly');
}
done_testing;
