#!/usr/bin/perl
# kmsctl firewall with real nftables and real traffic: two network namespaces joined by a cable, a
# listener on the port of kms.ini and one on another, clients with allowed and with refused
# addresses, foreign rules that must be the same before and after.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use IO::Socket::IP;
use Test::More;

my $dir = workspace();
my $ini = "$dir/kms.ini";

sub ini ($firewall, $listen = '') {
    spew($ini, "[listen]\n$listen\[firewall]\n$firewall");
}

# What needs no rights: the rules as text, and what is shipped for other front ends.
ini("allow = 10.0.0.0/8 10.1.0.0/16 2001:db8::/32\nallow = 192.0.2.7\nrate = 60\ninterface = eth0\n", "port = 1700\n");
my $show = run([ program('kmsctl'), '-c', $ini, qw(firewall show) ]);
is($show->{exit}, 0, 'show') or diag $show->{err};
like($show->{out}, qr/^table inet kms\ndelete table inet kms\ntable inet kms \{\n/, 'show: a transaction of one table of our own');
is(() = $show->{out} =~ /^table/mg, 2, 'show: names no other table');
like($show->{out}, qr/tcp dport 1700 jump guard/, 'show: the port of [listen]');
like($show->{out}, qr/10\.0\.0\.0\/8,\s+192\.0\.2\.7\s+\}/, 'show: networks in one another are given once');
unlike($show->{out}, qr/10\.1\.0\.0/, 'show: without the inner one');
unlike($show->{out}, qr/\t|\?/, 'show: can be copied from a terminal');
my $json = json_of(run([ program('kmsctl'), '-c', $ini, qw(firewall show --json) ]));
is("$json->{port} $json->{rate} $json->{interface} " . join(' ', map { $_->{network} } @{ $json->{allow} }),
    '1700 60 eth0 10.0.0.0/8 10.1.0.0/16 2001:db8::/32 192.0.2.7', 'show --json');
is($json->{ruleset}, $show->{out}, 'show --json: the same rules');
ini("rate = 0\n", "port = 0\n");
for my $verb (qw(show apply check)) {
    my $r = run([ program('kmsctl'), '-c', $ini, 'firewall', $verb ]);
    is($r->{exit}, 2, "$verb: port 0 cannot be guarded");
    like($r->{err}, qr/\[listen\] port is 0/, "$verb: and says why");
}

is(system('xmllint', '--noout', "$SRC/etc/firewalld/kms.xml"), 0, 'firewalld service: well-formed');
my $xpath = sub ($what) { chomp(my $s = `xmllint --xpath '$what' '$SRC/etc/firewalld/kms.xml' 2>&1`); $s };
is($xpath->('concat(name(/*), " ", /service/port/@protocol, " ", /service/port/@port)'), 'service tcp 1688', 'firewalld service: the port');
is($xpath->('string-length(/service/short) > 0 and string-length(/service/description) > 0 and count(/service/*) = 3'), 'true', 'firewalld service: names itself');
# ufw(8): an ini file of sections with title, description and ports, "N[,N...]/proto" joined by |.
my ($section, %ufw);
for my $line (split /\n/, slurp("$SRC/etc/ufw/kms")) {
    if ($line =~ /^\[([A-Za-z0-9 ._+-]{1,64})\]$/) { $section = $1 }
    elsif ($line =~ /^(title|description|ports)=(\S.*)$/ && $section) { $ufw{$section}{$1} = $2 }
    else { fail("ufw profile: $line") }
}
is(join(' ', keys %ufw), 'KMS', 'ufw profile: one application');
is(join(' ', sort keys %{ $ufw{KMS} }), 'description ports title', 'ufw profile: all that ufw asks for');
like($ufw{KMS}{ports}, qr{^\d+(?:[,:]\d+)*(?:/(?:tcp|udp))?(?:\|\d+(?:[,:]\d+)*(?:/(?:tcp|udp))?)*$}, 'ufw profile: ports');
for my $unit (qw(kms-firewall.service kms-dns.service kms-dns.timer kms-doctor.service kms-doctor.timer)) {
    my @said = grep { !/kmsctl is not executable/ } split /\n/, `systemd-analyze verify --man=no '$SRC/etc/systemd/$unit' 2>&1`;
    is("@said", '', "systemd: $unit");
}

if ($> != 0) {
    ini("rate = 0\n");
    my $r = run([ program('kmsctl'), '-c', $ini, qw(firewall apply) ]);
    is($r->{exit}, 2, 'apply by a plain user');
    like($r->{err}, qr/only root may/, 'apply by a plain user: says why');
    diag('*** NOT TESTED: the firewall in force. It needs root, for network namespaces: sudo prove t/integration/firewall.t');
    done_testing;
    exit 0;
}

my ($host, $client) = ("kmsfh$$", "kmsfc$$");
my $owner = $$;
END {
    if (defined $owner && $$ == $owner && $host) {
        my $status = $?;
        system "ip netns del $_ 2>/dev/null" for $host, $client;
        $? = $status;
    }
}
sub sh ($command) { system($command) == 0 or die "$command: $?\n" }

sh("ip netns add $_") for $host, $client;
sh("ip -n $host link add kms0 type veth peer name kms0 netns $client");
sh("ip -n $_ link set lo up; ip -n $_ link set kms0 up") for $host, $client;
for my $net (qw(10.91.0 198.51.100)) {
    sh("ip -n $host addr add $net.1/24 dev kms0; ip -n $client addr add $net.2/24 dev kms0; ip -n $client addr add $net.3/24 dev kms0");
}
for my $net (qw(fd91: 2001:db8:91:)) {
    sh("ip -n $host addr add $net:1/64 dev kms0 nodad; ip -n $client addr add $net:2/64 dev kms0 nodad");
    sh("ip -n $client addr add $net:3/64 dev kms0 nodad");
}
my @in = ('ip', 'netns', 'exec', $host);

sub kmsctl (@args) { run([ @in, program('kmsctl'), '-c', $ini, @args ]) }
sub rules () { my $r = run([ @in, qw(nft -s list ruleset) ]); $r->{exit} == 0 or die $r->{err}; $r->{out} }
sub nft ($text) { my $r = run([ @in, qw(nft -f -) ], in => $text); is($r->{exit}, 0, 'nft takes the foreign rules') or diag $r->{err} }

# Two ports: ours and another. Each connection is answered with one byte.
my $listen = q{
    use v5.36; use IO::Socket::IP; use IO::Select;
    my @s = map { IO::Socket::IP->new(LocalHost => '::', LocalPort => $_, Listen => 64, V6Only => 0, ReuseAddr => 1) or die "$_: $@" } @ARGV;
    open my $f, '>', $ENV{READY}; close $f;
    my $sel = IO::Select->new(@s);
    while (1) { for my $s ($sel->can_read) { my $c = $s->accept or next; syswrite $c, '!'; close $c } }
};
$ENV{READY} = "$dir/ready";
spawn([ @in, $^X, '-e', $listen, 1688, 1689 ], log => "$dir/listener");
wait_for(20, sub { -e "$dir/ready" }, 'the listener listens');

# Connects from one address to another; what is let in answers, what is dropped never does: the bound only says how
# long to look for an answer that must not come.
my $connect = q{
    use v5.36; use IO::Socket::IP;
    my ($from, $to, $port, $bound) = @ARGV;
    my $s = IO::Socket::IP->new(LocalHost => $from, PeerHost => $to, PeerPort => $port, Timeout => $bound) or exit 1;
    exit(sysread($s, my $octet, 1) ? 0 : 2);
};
sub connects ($from, $to, $port, $bound) {
    return run([ 'ip', 'netns', 'exec', $client, $^X, '-e', $connect, $from, $to, $port, $bound ])->{exit} == 0;
}
my %ours = (4 => '10.91.0', 6 => 'fd91:');
my %others = (4 => '198.51.100', 6 => '2001:db8:91:');
my %dot = (4 => '.', 6 => ':');
sub let_in ($what, $from, $to, $port = 1688) { ok(connects($from, $to, $port, 20), "let in: $what") }
sub dropped ($what, $from, $to) { ok(!connects($from, $to, 1688, 1.5), "dropped: $what") }
# How many packets the rules of the guard that hold $words have dropped.
sub count_of ($words) {
    my $sum = 0;
    for (split /\n/, run([ @in, qw(nft list chain inet kms guard) ])->{out}) { $sum += $1 if /\Q$words\E/ && /counter packets (\d+)/ }
    return $sum;
}

nft(<<'RULES');
table inet filter {
    set friends { type ipv4_addr; flags interval; elements = { 192.0.2.0/24 }; }
    chain input {
        type filter hook input priority filter; policy accept;
        tcp dport 9 drop
        ip saddr @friends accept
    }
    chain guard {
        tcp dport 10 drop
    }
}
table ip kms {
    chain input {
        type filter hook input priority 10; policy accept;
        tcp dport 11 drop
    }
}
RULES
my $foreign = rules();
like($foreign, qr/table inet filter.*dport 9 drop.*table ip kms.*dport 11 drop/s, 'foreign rules are in force');
for my $v (4, 6) {
    let_in("IPv$v before there are rules", "$others{$v}$dot{$v}2", "$others{$v}$dot{$v}1");
}

ini("rate = 0\n");
my $r = kmsctl(qw(firewall check));
is($r->{exit}, 4, 'check before: a problem');
like($r->{out}, qr/not in force: table inet kms\n/, 'check before: says that nothing is in force');
$r = kmsctl(qw(firewall remove --json));
is("$r->{exit} " . (json_of($r)->{removed} ? 'yes' : 'no'), '0 no', 'remove before: nothing to do');
is(rules(), $foreign, 'remove before: nothing done');

$r = kmsctl(qw(firewall apply --json));
is($r->{exit}, 0, 'apply') or diag $r->{err}, $r->{out};
is(json_of($r)->{changed} ? 'yes' : 'no', 'yes', 'apply: changed');
my $applied = rules();
(my $rest = $applied) =~ s/^table inet kms \{.*?^\}\n//ms;
is($rest, $foreign, 'apply: foreign rules as they were');
is(kmsctl(qw(firewall check))->{exit}, 0, 'check after apply');
for my $v (4, 6) {
    let_in("IPv$v from an allowed network", "$ours{$v}$dot{$v}2", "$ours{$v}$dot{$v}1");
    my $before = count_of($v == 4 ? 'ip saddr' : 'ip6 saddr');
    dropped("IPv$v from elsewhere", "$others{$v}$dot{$v}2", "$others{$v}$dot{$v}1");
    cmp_ok(count_of($v == 4 ? 'ip saddr' : 'ip6 saddr'), '>', $before, "dropped: by the rule for IPv$v");
    let_in("IPv$v from elsewhere to another port", "$others{$v}$dot{$v}2", "$others{$v}$dot{$v}1", 1689);
}
is(run([ @in, $^X, '-e', $connect, '198.51.100.1', '198.51.100.1', 1688, 20 ])->{exit}, 0, 'let in: the machine itself, whatever its address');

$r = kmsctl(qw(firewall apply --json));
is("$r->{exit} " . (json_of($r)->{changed} ? 'yes' : 'no'), '0 no', 'apply twice: nothing to change');
cmp_ok(count_of('ip saddr'), '>', 0, 'apply twice: the counters go on');
is(rules(), $applied, 'apply twice: the same rules');

# A transaction that fails in the middle leaves what was: a real nft that gets one rule too many.
mkdir "$dir/bin";
my $nft = (grep { -x } qw(/usr/sbin/nft /sbin/nft))[0];
spew("$dir/bin/nft", "#!/bin/sh\nif [ \"\$1\" = -f ]; then { cat; echo 'add rule inet kms guard jump nowhere'; } | $nft -f -; else exec $nft \"\$@\"; fi\n");
chmod 0755, "$dir/bin/nft";
ini("rate = 0\nallow = 203.0.113.0/24\n");
{
    local $ENV{PATH} = "$dir/bin:$ENV{PATH}";
    $r = kmsctl(qw(firewall apply));
}
is($r->{exit}, 2, 'apply that nft refuses: fails');
like($r->{err}, qr/^kmsctl: nft: /, 'apply that nft refuses: in its words');
is(rules(), $applied, 'apply that nft refuses: the rules are those of before');
spew($ini, "[firewall]\nallow = 10.0.0.1/8\n");
$r = kmsctl(qw(firewall apply));
is($r->{exit}, 2, 'apply with a bad ini file');
like($r->{err}, qr/no bit set beyond BITS/, 'apply with a bad ini file: says what');
is(rules(), $applied, 'apply with a bad ini file: the rules are those of before');

# Drift, one change at a time.
ini("rate = 5\n");
my @drift = (
    [ 'add rule inet kms guard accept', qr/^not in kms\.ini: accept$/m ],
    [ 'insert rule inet kms input tcp dport 1688 accept', qr/^not in kms\.ini: tcp dport 1688 accept$/m ],
    [ 'flush chain inet kms guard', qr/^not in force: ip saddr != \@allow4 counter drop$/m ],
    [ 'delete element inet kms allow4 { 172.16.0.0/12 }', qr/^not in force: .*172\.16\.0\.0\/12/m ],
    [ 'add element inet kms allow6 { ::/1 }', qr/^not in kms\.ini: .*::\/1/m ],
    [ 'add chain inet kms more', qr/^not in kms\.ini: chain more/m ],
    [ 'add table inet kms { flags dormant; }', qr/^not in kms\.ini: flags dormant/m ],
    [ 'delete table inet kms', qr/^not in force: table inet kms$/m ],
);
for my $d (@drift) {
    is(kmsctl(qw(firewall apply))->{exit}, 0, "drift: $d->[0]: from rules in force");
    is(kmsctl(qw(firewall check))->{exit}, 0, "drift: $d->[0]: that are right");
    run([ @in, 'nft', $d->[0] ])->{exit} == 0 or fail("nft $d->[0]");
    $r = kmsctl(qw(firewall check));
    is($r->{exit}, 4, "drift: $d->[0]: a problem");
    like($r->{out}, $d->[1], "drift: $d->[0]: named");
    $r = json_of(kmsctl(qw(firewall check --json)));
    ok(!$r->{in_force} && @{ $r->{differences} } > 0, "drift: $d->[0]: in JSON");
}

# One a minute: the second is dropped, whatever the machine's load; others are not concerned.
ini("rate = 1\n");
is(kmsctl(qw(firewall apply))->{exit}, 0, 'apply with a rate');
for my $v (4, 6) {
    let_in("IPv$v, the first of a minute", "$ours{$v}$dot{$v}2", "$ours{$v}$dot{$v}1");
    dropped("IPv$v, the second of a minute", "$ours{$v}$dot{$v}2", "$ours{$v}$dot{$v}1");
    cmp_ok(count_of("\@rate$v"), '>', 0, "dropped: by the rate for IPv$v");
    let_in("IPv$v, from another address meanwhile", "$ours{$v}$dot{$v}3", "$ours{$v}$dot{$v}1");
    let_in("IPv$v, to another port meanwhile", "$ours{$v}$dot{$v}2", "$ours{$v}$dot{$v}1", 1689);
}
is(kmsctl(qw(firewall check))->{exit}, 0, 'sources that are counted are no drift');

ini("rate = 0\nallow = 0.0.0.0/0 ::/0\ninterface = other0\n");
is(kmsctl(qw(firewall apply))->{exit}, 0, 'apply with an interface that is not there yet');
dropped("IPv$_ through another interface", "$ours{$_}$dot{$_}2", "$ours{$_}$dot{$_}1") for 4, 6;
ini("rate = 0\nallow = 0.0.0.0/0 ::/0\ninterface = kms0\n");
is(kmsctl(qw(firewall apply))->{exit}, 0, 'apply with the right interface') or diag $r->{err};
let_in("IPv$_ from anywhere through it", "$others{$_}$dot{$_}2", "$others{$_}$dot{$_}1") for 4, 6;
is(kmsctl(qw(firewall check))->{exit}, 0, 'check: all addresses');
ini("rate = 0\nallow = 10.91.0.2\n");
is(kmsctl(qw(firewall apply))->{exit}, 0, 'apply with one address');
let_in('the one address', '10.91.0.2', '10.91.0.1');
dropped('its neighbour', '10.91.0.3', '10.91.0.1');
dropped('IPv6, of which nothing is allowed', 'fd91::2', 'fd91::1');

# A relay: its network processes, whose user is daemon here, connect to KMS hosts and to nothing else; others as before.
ini("rate = 0\n", "port = 1700\n[kms]\nfront_user = daemon\n[relay]\nupstream = 10.91.0.1:1688\n");
is(kmsctl(qw(firewall apply))->{exit}, 0, 'apply with a relay');
is(kmsctl(qw(firewall check))->{exit}, 0, 'check with a relay');
sub as_user ($user, $port) {
    return run([ @in, 'setpriv', "--reuid=$user", '--regid=nogroup', '--clear-groups', $^X, '-e', $connect, '10.91.0.1', '10.91.0.1', $port, $port == 1688 ? 20 : 1.5 ])->{exit};
}
is(as_user('daemon', 1688), 0, 'the relay: to the port of the KMS host');
isnt(as_user('daemon', 1689), 0, 'the relay: to no other');
like(run([ @in, qw(nft list chain inet kms output) ])->{out}, qr/counter packets [1-9]/, 'dropped: by the rule for its user');
is(as_user('nobody', 1689), 0, 'another user: to any port');

# Adjacent networks, as many as there may be.
ini("allow = " . join(' ', map { "10.0.$_.0/25 10.0.$_.128/25" } 0 .. 5) . "\nallow = " . join(' ', map { "2001:db8:$_\::/48" } 1 .. 9)
    . "\nallow = " . join(' ', map { "192.0.2.$_" } 1 .. 11) . "\n");
is(kmsctl(qw(firewall apply))->{exit}, 0, 'apply with 32 networks');
is(kmsctl(qw(firewall check))->{exit}, 0, 'check with 32 networks');

$r = run([ @in, 'setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups', program('kmsctl'), '-c', $ini, qw(firewall apply) ]);
is($r->{exit}, 2, 'apply by a plain user');
like($r->{err}, qr/only root may/, 'apply by a plain user: says why');

$r = kmsctl(qw(firewall remove));
is($r->{exit}, 0, 'remove');
is(rules(), $foreign, 'remove: what is left is what was there before');
let_in("IPv$_ from elsewhere, after remove", "$others{$_}$dot{$_}2", "$others{$_}$dot{$_}1") for 4, 6;
done_testing;
