#!/usr/bin/perl
# Discovery against a real BIND: SRV priorities and weights, targets with IPv4
# and IPv6 addresses, a dead target first, and domains where there is nothing.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Client;
use IO::Socket::INET;
use Test::More;

my ($named) = grep { -x } map { "$_/named" } qw(/usr/sbin /usr/local/sbin /usr/bin);
die "named is needed: install bind9\n" unless $named;

my $four = standin('good');
my $six = standin('-6', 'good');
my $full = standin('-s', 2, 'ledger');
my $refuses = standin('-s', 3, 'vm');
# Two equal hosts for each of two clients: a stand-in keeps one highest number for all clients that ask it.
my @pairs = map { [ standin('-s', $_, 'good'), standin('-s', $_ + 1, 'good') ] } 4, 6;
my @equal = map { standin('-s', $_, 'good') } 12 .. 14;
# The first of each two is away once.
my @aways = map { (standin('-s', $_->[0], 'good,close,good'), standin('-s', $_->[0] + 1, $_->[1])) } [ 8, 'capacity' ], [ 10, 'unknown-client' ];
my ($dead, $keep) = dead_port();

sub spill ($name, $text) {
    open my $f, '>', "$dir/$name" or die "$name: $!";
    print $f $text;
    close $f;
}

# One zone a case, so that a case cannot lean on another's records.
my %zones = (
    'order.test' => "_kms._tcp SRV 20 0 1689 c\n_kms._tcp SRV 10 0 1690 a\n"
        . "_kms._tcp SRV 10 100 1691 b\n_kms._tcp SRV 0 0 1688 z\n",
    'weight.test' => "_kms._tcp SRV 0 0 1 never\n_kms._tcp SRV 0 60000 2 often\n",
    'dead.test' => "_kms._tcp SRV 0 0 $dead dead\ndead A 127.0.0.1\n"
        . "_kms._tcp SRV 1 0 1 nowhere\n_kms._tcp SRV 2 0 $four->{port} live\nlive A 127.0.0.1\n",
    'six.test' => "_kms._tcp SRV 0 0 $six->{port} live\nlive AAAA ::1\n",
    # The first address family leads nowhere: only the other one is listened on.
    'both4.test' => "_kms._tcp SRV 0 0 $four->{port} live\nlive A 127.0.0.1\nlive AAAA ::1\n",
    'both6.test' => "_kms._tcp SRV 0 0 $six->{port} live\nlive A 127.0.0.1\nlive AAAA ::1\n",
    'full.test' => "_kms._tcp SRV 0 0 $full->{port} live\n_kms._tcp SRV 1 0 $four->{port} live\nlive A 127.0.0.1\n",
    'refuses.test' => "_kms._tcp SRV 0 0 $refuses->{port} live\n_kms._tcp SRV 1 0 $four->{port} live\nlive A 127.0.0.1\n",
    'fulldead.test' => "_kms._tcp SRV 0 0 $full->{port} live\n_kms._tcp SRV 1 0 $dead live\nlive A 127.0.0.1\n",
    map({ ("two$_.test" => join('', map { "_kms._tcp SRV 0 1 $_->{port} live\n" } @{ $pairs[$_] }) . "live A 127.0.0.1\n") } 0, 1),
    'equal.test' => join('', map { "_kms._tcp SRV 0 1 $_->{port} live\n" } @equal[0, 1]) . "live A 127.0.0.1\n",
    'unequal.test' => "_kms._tcp SRV 0 1 $equal[2]{port} live\n" . join('', map { "_kms._tcp SRV 1 1 $_->{port} live\n" } @equal[0, 1]) . "live A 127.0.0.1\n",
    'capacity.test' => "_kms._tcp SRV 0 0 $aways[0]{port} live\n_kms._tcp SRV 1 0 $aways[1]{port} live\nlive A 127.0.0.1\n",
    'unknown-client.test' => "_kms._tcp SRV 0 0 $aways[2]{port} live\n_kms._tcp SRV 1 0 $aways[3]{port} live\nlive A 127.0.0.1\n",
    'none.test' => "www A 127.0.0.1\n",
    'not.test' => "_kms._tcp SRV 0 0 0 .\n",
    'alldead.test' => "_kms._tcp SRV 0 0 $dead dead\ndead A 127.0.0.1\n",
    'many.test' => join('', map { "_kms._tcp SRV $_ 0 1688 host-number-$_-with-a-rather-long-name\n" } 1 .. 40),
);

sub start_named () {
    my ($s, $port);
    $s = IO::Socket::INET->new(Proto => 'tcp', LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1)
        or die;
    $port = $s->sockport;
    close $s;
    my $conf = "options { directory \"$dir\"; listen-on port $port { 127.0.0.1; }; listen-on-v6 { none; };\n"
        . "recursion no; pid-file none; session-keyfile none; managed-keys-directory \"$dir\"; };\ncontrols { };\n";
    for my $zone (sort keys %zones) {
        spill($zone, "\$TTL 60\n@ SOA ns root 1 60 60 60 60\n@ NS ns\nns A 127.0.0.1\n$zones{$zone}");
        $conf .= "zone \"$zone\" { type master; file \"$zone\"; };\n";
    }
    spill('named.conf', $conf);
    my $pid = fork // die;
    if ($pid == 0) {
        open STDOUT, '>', "$dir/named.log";
        open STDERR, '>&', \*STDOUT;
        exec $named, '-g', '-n', 1, '-c', "$dir/named.conf" or POSIX::_exit(127);
    }
    return ($pid, $port);
}

# Another process may take the free port first: then named ends, and another port is tried.
my ($pid, $port);
for my $try (1 .. 5) {
    ($pid, $port) = start_named();
    my $up;
    for (1 .. 200) {
        $up = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) and last;
        last if waitpid($pid, POSIX::WNOHANG()) == $pid;
        select undef, undef, undef, 0.05;
    }
    last if $up;
    kill 'TERM', $pid and waitpid $pid, 0;
    undef $pid;
}
die "named does not start: " . `tail -5 $dir/named.log` unless $pid;

my @dns = ('-n', "127.0.0.1:$port");
my $hosts = sub ($domain) {
    my $got = kmsclient('discover', @dns, '-d', $domain);
    return $got->{hosts} // "$got->{exit} $got->{status}";
};

my %seen;
$seen{ join ' ', map { s/\.order\.test//r } @{ $hosts->('order.test') } }++ for 1 .. 4;
for my $order (keys %seen) {
    like($order, qr/^z 1688 (a 1690 b 1691|b 1691 a 1690) c 1689$/, 'priorities in order');
}
%seen = ();
$seen{ $hosts->('weight.test')[0] }++ for 1 .. 8;
ok($seen{'often.weight.test 2'}, 'the heavier target comes first'); # never in 8 draws: once in 10^38
my $many = $hosts->('many.test');
is(scalar @$many, 32, 'an answer too large for UDP: the 32 hosts kept');
is($hosts->('none.test'), '3 KMS_E_NO_HOST', 'no SRV record');
is($hosts->('not.test'), '3 KMS_E_NO_HOST', 'the service is decidedly not here');
is($hosts->('elsewhere.example'), '3 KMS_E_NO_HOST', 'a name server that refuses');
is(kmsclient('discover', '-n', 'nonsense', '-d', 'order.test')->{exit}, 4, 'no name server address');
{
    local $ENV{LOCALDOMAIN} = 'none.test six.test'; # resolv.conf(5): overrides its search list
    my $got = kmsclient('discover', @dns);
    is("@{ $got->{hosts} // [] }", "live.six.test $six->{port}", 'without a domain: the search list in turn');
}

my $r = kmsclient('activate', @dns, '-d', 'dead.test');
is("$r->{exit} " . ($r->{host} // ''), "0 127.0.0.1 port $four->{port}",
    'a dead target and one without address first: the next one answers') or diag $r->{stderr};
$r = kmsclient('renew', @dns, '-d', 'six.test');
is("$r->{exit} " . ($r->{host} // ''), "0 ::1 port $six->{port}", 'a target with IPv6 only') or diag $r->{stderr};
$r = kmsclient('renew', @dns, '-d', 'both4.test');
is("$r->{exit} " . ($r->{host} // ''), "0 127.0.0.1 port $four->{port}", 'IPv6 refused, IPv4 answers') or diag $r->{stderr};
$r = kmsclient('renew', @dns, '-d', 'both6.test');
is("$r->{exit} " . ($r->{host} // ''), "0 ::1 port $six->{port}", 'IPv4 refused, IPv6 answers') or diag $r->{stderr};
$r = kmsclient('renew', @dns, '-H', "live.dead.test:$four->{port}");
is($r->{exit}, 0, 'a fixed host by name') or diag $r->{stderr};
$r = kmsclient('renew', @dns, '-d', 'full.test');
is("$r->{exit} " . ($r->{host} // ''), "0 127.0.0.1 port $four->{port}", 'a host whose ledger is full: the next one') or diag $r->{stderr};
$r = kmsclient('renew', @dns, '-d', 'refuses.test');
is("$r->{exit} $r->{status}", '2 KMS_E_VM_REFUSED', 'a refusal of the policy is final');
$r = kmsclient('renew', @dns, '-d', 'fulldead.test');
is("$r->{exit} $r->{status}", '2 KMS_E_LEDGER', 'what a host said counts more than a dead one after it');
$r = kmsclient('renew', @dns, '-d', 'alldead.test');
is("$r->{exit} $r->{status}", '3 KMS_E_NO_HOST', 'every target dead');
is(kmsclient('verify')->{exit}, 0, 'and the lease stays');

# A client without state is counted by one of two equal hosts: it renews there, and gives the seat back there. In steps, too.
for my $i (0, 1) {
    my $way = ('activate', 'start-activate loop')[$i];
    my $steps = join ' ', 'open', $way, (map { s/activate/renew/r } ($way) x 8), 'close';
    my $said = `printf '%s\n' $steps | '$build/product_steps' $KMS::Client::key $KMS::Client::product name=tester domain=two$i.test nameserver=127.0.0.1:$port`;
    is(() = $said =~ /^KMS_OK 127\.0\.0\.1 port/mg, 9, "$way: asked nine times") or diag $said;
    is_deeply([ sort { $a <=> $b } map { scalar stop($_) } @{ $pairs[$i] } ], [ 0, 10 ],
        "$way: all requests, and the release, are at one host");
}

# A client with state stays where it was answered last, as long as that is of the first priority. If each request drew a host, all would be at one
# once in 4096 runs.
{
    my @at = map { kmsclient($_ ? 'renew' : 'activate', @dns, '-d', 'equal.test', '-s', "$dir/equal")->{host} // 'none' } 0 .. 12;
    is_deeply([ grep { $_ ne $at[0] } @at ], [], 'thirteen requests at one of two equal hosts');
    my ($here, $there) = map { my $p = $_; grep { $at[0] =~ /port $_->{port}$/ ? $p : !$p } @equal[0, 1] } 1, 0;
    is(kmsclient('renew', @dns, '-d', 'unequal.test', '-s', "$dir/equal")->{host}, "127.0.0.1 port $equal[2]{port}", 'another one of a better priority comes first');
    stop($here);
    like(kmsclient('renew', @dns, '-d', 'equal.test', '-s', "$dir/equal")->{host}, qr/port $there->{port}$/, 'when it is gone, the other one');
    stop($there);
    stop($equal[2]);
}

# The host that counts it is away once: what another one says, which did not serve it, changes nothing.
for my $row ([ 'a refused renewal', 'renew', 'capacity', 'KMS_E_CAPACITY', '1 3' ], [ 'a release there', 'release', 'unknown-client', 'KMS_E_UNKNOWN_CLIENT', '1 3' ]) {
    my ($what, $verb, $mode, $status, $requests) = @$row;
    my ($first, $second) = (shift @aways, shift @aways);
    my $said = `printf '%s\n' open activate $verb close | '$build/product_steps' $KMS::Client::key $KMS::Client::product name=tester domain=$mode.test nameserver=127.0.0.1:$port`;
    like($said, qr/^KMS_OK .*\nKMS_OK .*\n$status .*\nclosed/s, "$what: what it is told");
    is(join(' ', map { $_->{request} } stop($first)), $requests, "$what: the seat is given back where it is");
    is(scalar(stop($second)), 1, "$what: the other host is asked once");
}

kill 'TERM', $pid;
waitpid $pid, 0;
undef $pid;
$r = kmsclient('renew', @dns, '-d', 'dead.test', '--timeout', 1);
is("$r->{exit} $r->{status}", '3 KMS_E_NO_HOST', 'the name server is gone');
is(kmsclient('verify')->{exit}, 0, 'and the lease stays');
stop($_) for $four, $six, $full, $refuses;
done_testing;

END { kill 'TERM', $pid and waitpid $pid, 0 if $pid; }
