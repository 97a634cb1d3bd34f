#!/usr/bin/perl
# kmsctl dns against a real BIND with TSIG: publishing, publishing again, changing, unpublishing, in several zones, beside
# foreign records; every way in which a server says no; and what clients find, read back by dig and by kmsclient.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Named;
use KMS::Test;
use IO::Socket::INET;
use Test::More;

my $dir = workspace();
my $ini = "$dir/kms.ini";
my $publisher = publisher();
my $appliance = start_appliance(publisher => $publisher, fronts => 1);
$appliance->enable;
my $port = $appliance->port;

# Keys: one that may, one that the server knows and does not let, one that it does not know, one with another secret.
my %secret;
for my $name (qw(good weak unknown)) {
    my $text = run([ 'tsig-keygen', $name ])->{out};
    spew("$dir/$name.key", $text);
    $secret{$name} = $text;
}
spew("$dir/other.key", $secret{unknown} =~ s/"unknown"/"good"/r);
spew("$dir/empty.key", '');

my $foreign = "_kms._tcp 60 SRV 7 8 1688 other.elsewhere.test.\n_kms._tcp 60 TXT \"not ours\"\nmail 60 A 192.0.2.25\nalias CNAME mail\n";
my $named = KMS::Named->start(
    conf => $secret{good} . $secret{weak},
    zones => {
        (map { $_ => { records => $foreign, options => 'allow-update { key good; };' } } qw(one.test two.test)),
        'static.test' => { records => $foreign },
        'alias.test' => { records => "_kms._tcp CNAME elsewhere.test.\n", options => 'allow-update { key good; };' },
        'dead.test' => { records => '' },
        'addr.test' => { records => "kms 60 A 192.0.2.99\nmail 60 A 192.0.2.25\n", options => 'allow-update { key good; };' },
    });

mkdir "$dir/state";
sub ini (%dns) {
    my $listen = delete $dns{port} // $port;
    $dns{server} //= $named->server;
    $dns{host} //= 'kms.one.test';
    $dns{tsig_key_file} //= "$dir/good.key";
    my @lines = map { my $k = $_; map { "$k = $_\n" } ref $dns{$k} ? @{ $dns{$k} } : $dns{$k} } grep { $dns{$_} ne '' } sort keys %dns;
    spew($ini, "[kms]\nstate_directory = $dir/state\nruntime_directory = $dir/run\n[listen]\nport = $listen\n[dns]\n"
        . join('', @lines) . "[publisher acme]\nkey = $publisher->{key}\n");
}
sub kmsctl (@args) { run([ program('kmsctl'), '-c', $ini, @args ]) }
sub good (@args) {
    my $r = kmsctl(@args);
    is($r->{exit}, 0, "@args") or diag "$r->{out}$r->{err}";
    return $r;
}
# A busy machine may keep dig waiting beyond its patience: no answer is not a serial number.
sub serial ($zone) { wait_for(30, sub { ($named->dig($zone, 'SOA') =~ /root\S* (\d+)/)[0] }, "the SOA record of $zone") }
sub srv ($name) { $named->dig($name, 'SRV') =~ s/^\S+ \d+ IN SRV //mgr }

# show, in each of its forms.
ini(domains => [ 'one.test', 'two.test' ], port => 1688, ttl => 90061, priority => 1, weight => 2,
    addresses => '192.0.2.10 2001:db8::10', publish_vlmcs => 'yes');
is(good(qw(dns show))->{out}, <<'ZONE', 'show: lines of a zone file');
_kms._tcp.one.test. 90061 IN SRV 1 2 1688 kms.one.test.
_vlmcs._tcp.one.test. 90061 IN SRV 1 2 1688 kms.one.test.
_kms._tcp.two.test. 90061 IN SRV 1 2 1688 kms.one.test.
_vlmcs._tcp.two.test. 90061 IN SRV 1 2 1688 kms.one.test.
kms.one.test. 90061 IN A 192.0.2.10
kms.one.test. 90061 IN AAAA 2001:db8::10
ZONE
spew("$dir/zone", "\$ORIGIN .\n\$TTL 60\ntest. SOA ns.test. root.test. 1 60 60 60 60\ntest. NS ns.test.\nns.test. A 127.0.0.1\n" . kmsctl(qw(dns show))->{out});
my $checked = run([ 'named-checkzone', 'test', "$dir/zone" ]);
is($checked->{exit}, 0, 'show: named-checkzone takes them') or diag $checked->{out};
is(good(qw(dns show --format powershell))->{out} =~ s/ -TimeToLive '1\.01:01:01'$//mgr, <<'POWERSHELL', 'show: PowerShell, each with its TTL');
Add-DnsServerResourceRecord -Srv -ZoneName 'one.test' -Name '_kms._tcp' -DomainName 'kms.one.test.' -Priority 1 -Weight 2 -Port 1688
Add-DnsServerResourceRecord -Srv -ZoneName 'one.test' -Name '_vlmcs._tcp' -DomainName 'kms.one.test.' -Priority 1 -Weight 2 -Port 1688
Add-DnsServerResourceRecord -Srv -ZoneName 'two.test' -Name '_kms._tcp' -DomainName 'kms.one.test.' -Priority 1 -Weight 2 -Port 1688
Add-DnsServerResourceRecord -Srv -ZoneName 'two.test' -Name '_vlmcs._tcp' -DomainName 'kms.one.test.' -Priority 1 -Weight 2 -Port 1688
Add-DnsServerResourceRecordA -ZoneName 'one.test' -Name 'kms' -IPv4Address '192.0.2.10'
Add-DnsServerResourceRecordAAAA -ZoneName 'one.test' -Name 'kms' -IPv6Address '2001:db8::10'
POWERSHELL
is(good(qw(dns show --format dnsmasq))->{out}, <<'DNSMASQ', 'show: dnsmasq');
srv-host=_kms._tcp.one.test,kms.one.test,1688,1,2
srv-host=_vlmcs._tcp.one.test,kms.one.test,1688,1,2
srv-host=_kms._tcp.two.test,kms.one.test,1688,1,2
srv-host=_vlmcs._tcp.two.test,kms.one.test,1688,1,2
host-record=kms.one.test,192.0.2.10,90061
host-record=kms.one.test,2001:db8::10,90061
DNSMASQ
# dnsmasq itself serves what it is given.
my $free = IO::Socket::INET->new(Proto => 'tcp', LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1)->sockport;
spew("$dir/dnsmasq.conf", "port=$free\nlisten-address=127.0.0.1\nbind-interfaces\nno-resolv\nno-hosts\nkeep-in-foreground\nuser=\n" . kmsctl(qw(dns show --format dnsmasq))->{out});
my ($dnsmasq) = grep { -x } map { "$_/dnsmasq" } qw(/usr/sbin /usr/bin);
die "dnsmasq is needed: install dnsmasq-base\n" unless $dnsmasq;
my $served = spawn([ $dnsmasq, '-C', "$dir/dnsmasq.conf", '--pid-file=' ], log => "$dir/dnsmasq.log");
my @dig = ('dig', '+short', '+time=2', '+tries=1', '-p', $free, '@127.0.0.1');
my $asked = '';
eval { wait_for(20, sub { ($asked = run([ @dig, '_vlmcs._tcp.two.test', 'SRV' ])->{out}) =~ /^\d/ }, 'dnsmasq answers') };
is($asked, "1 2 1688 kms.one.test.\n", 'dnsmasq serves the service') or diag slurp("$dir/dnsmasq.log");
is(run([ @dig, 'kms.one.test', 'AAAA' ])->{out}, "2001:db8::10\n", 'dnsmasq serves the address');
end_process($served);

my $json = json_of(kmsctl(qw(dns show --json)));
is(join('|', map { "$_->{type} $_->{name} $_->{data} $_->{ttl} " . ($_->{port} // '-') } @{ $json->{records} }[ 0, 5 ]),
    'SRV _kms._tcp.one.test kms.one.test 90061 1688|AAAA kms.one.test 2001:db8::10 90061 -', 'show --json');
is(kmsctl(qw(dns show --format bind))->{exit}, 1, 'show: no such format');
ini(port => 1688, host => 'kms.branch.example.org');
like(good(qw(dns show))->{out}, qr/^_kms\._tcp\.branch\.example\.org\. 3600 IN SRV 0 0 1688 kms\.branch\.example\.org\.$/, "show: without domains, the host's own");

# Publish in two zones.
ini(domains => [ 'one.test', 'two.test' ], addresses => '127.0.0.1', ttl => 300);
my $before = $named->dig('one.test', 'ANY', '+tcp');
my $r = kmsctl('dns', 'check', '--nameserver', $named->server);
is($r->{exit}, 4, 'check before: a problem');
like($r->{out}, qr/^ *missing +_kms\._tcp\.$_ +SRV 0 0 $port kms\.one\.test\./m, "check before: missing in $_") for qw(one.test two.test);
like($r->{out}, qr/^ *missing +kms\.one\.test +A 127\.0\.0\.1/m, 'check before: the address is missing');
$r = json_of(good(qw(dns publish --json)));
is(join(' ', map { "$_->{action} $_->{done} $_->{type}" } @{ $r->{records} }), 'publish 1 SRV publish 1 SRV publish 1 A', 'publish --json: what was done')
    or diag explain $r;
for my $zone (qw(one.test two.test)) {
    is(srv("_kms._tcp.$zone"), "0 0 $port kms.one.test.\n7 8 1688 other.elsewhere.test.", "dig: ours beside the foreign one in $zone");
    is($named->dig("_kms._tcp.$zone", 'TXT'), qq{_kms._tcp.$zone. 60 IN TXT "not ours"}, "dig: other types of the name in $zone as they were");
    is($named->dig("mail.$zone", 'A'), "mail.$zone. 60 IN A 192.0.2.25", "dig: other names in $zone as they were");
}
is($named->dig('kms.one.test', 'A'), 'kms.one.test. 300 IN A 127.0.0.1', 'dig: the address');
my $found = json_of(run([ program('kmsclient'), '--json', '-k', $publisher->{key}, '-p', $publisher->{products}[0]{id},
    '-s', "$dir/client", '-n', $named->server, '-d', 'two.test', 'discover' ]));
is($found->{hosts}[0], "kms.one.test $port", 'kmsclient discover: this host first');
$r = run([ program('kmsclient'), '-k', $publisher->{key}, '-p', $publisher->{products}[0]{id}, '-s', "$dir/client", '-N', 'pc',
    '-n', $named->server, '-d', 'two.test', 'activate' ]);
like("$r->{out}$r->{err}", qr/count/i, 'a client finds the host by that and is counted');

# Again: nothing changes, no new version of the zone.
my %serial = map { $_ => serial($_) } qw(one.test two.test);
good(qw(dns publish));
is(serial($_), $serial{$_}, "publish again: $_ is as it was") for sort keys %serial;

# What clients see.
$r = kmsctl('dns', 'check', '--nameserver', $named->server);
is($r->{exit}, 4, 'check: the foreign record leads nowhere');
like($r->{out}, qr/^ *ours +_kms\._tcp\.$_ +SRV 0 0 $port kms\.one\.test\. +127\.0\.0\.1 port $port +serves$/m, "check: ours in $_ serves") for qw(one.test two.test);
like($r->{out}, qr/^ *unreachable +_kms\._tcp\.one\.test +SRV 7 8 1688 other\.elsewhere\.test\./m, 'check: the foreign one is unreachable');
like($r->{out}, qr/^ *ours +kms\.one\.test +A 127\.0\.0\.1/m, 'check: the address');
ini(domains => 'addr.test', host => 'kms.one.test');
good(qw(dns publish));
is(srv('_kms._tcp.one.test'), '7 8 1688 other.elsewhere.test.', 'publish elsewhere: what is not wanted any more is taken back');
is($named->dig('kms.one.test', 'A'), '', 'publish elsewhere: the address too');
is(srv('_kms._tcp.addr.test'), "0 0 $port kms.one.test.", 'publish elsewhere: ours is there');
$r = kmsctl('dns', 'check', '--nameserver', $named->server);
like($r->{out}, qr/^ *unreachable +_kms\._tcp\.addr\.test .*the target has no address/m, 'check: a target without address');
is($r->{exit}, 4, 'check: a target without address is a problem');

# Addresses beside foreign ones of the same name; new numbers in place of old ones.
ini(domains => 'addr.test', host => 'kms.addr.test', addresses => '127.0.0.1');
good(qw(dns publish));
is($named->dig('kms.addr.test', 'A') =~ s/ \d+ IN / /gr, "kms.addr.test. A 127.0.0.1\nkms.addr.test. A 192.0.2.99", 'an address beside a foreign one');
ini(domains => 'addr.test', host => 'kms.addr.test', addresses => '127.0.0.1', priority => 5);
$r = json_of(kmsctl('dns', 'check', '--json', '--nameserver', $named->server, '-t', 20));
my %kinds = map { ("$_->{kind} $_->{name}" => $_) } @{ $r->{records} };
ok($kinds{'stale _kms._tcp.addr.test'}{problem}, 'check: other numbers for our host are stale') or diag explain $r;
ok($kinds{'missing _kms._tcp.addr.test'}{problem}, 'check: and the right ones missing');
ok(!$kinds{'foreign kms.addr.test'}{problem}, 'check: a foreign address is told, and no problem by itself');
good(qw(dns publish));
is(srv('_kms._tcp.addr.test'), "5 0 $port kms.addr.test.", 'publish: the new numbers in place of the old');

# The timer's case: somebody took the record away.
run([ 'nsupdate', '-k', "$dir/good.key" ], in => "server 127.0.0.1 " . $named->port . "\nupdate delete _kms._tcp.addr.test SRV\nsend\n");
is(srv('_kms._tcp.addr.test'), '', 'a record that is gone');
good(qw(dns publish));
is(srv('_kms._tcp.addr.test'), "5 0 $port kms.addr.test.", 'is there again');
good(qw(dns unpublish));
is(srv('_kms._tcp.addr.test'), '', 'unpublish: the record is gone');
is($named->dig('kms.addr.test', 'A') =~ s/ \d+ IN / /r, 'kms.addr.test. A 192.0.2.99', 'unpublish: the foreign address stays');
good(qw(dns unpublish));
is(serial('one.test'), $serial{'one.test'} + 2, 'each transaction was one version of the zone');
is(join("\n", grep { !/SOA|SRV/ } split /\n/, $named->dig('one.test', 'ANY', '+tcp')), join("\n", grep { !/SOA|SRV/ } split /\n/, $before), 'the zone is as it was');

# A healthy network: no problem at all, exit 0; _vlmcs beside it.
ini(domains => 'addr.test', host => 'kms.addr.test', publish_vlmcs => 'yes', addresses => '127.0.0.1');
run([ 'nsupdate', '-k', "$dir/good.key" ], in => "server 127.0.0.1 " . $named->port . "\nupdate delete kms.addr.test A\nsend\n");
good(qw(dns publish));
$r = kmsctl('dns', 'check', '--nameserver', $named->server);
is($r->{exit}, 0, 'check: no problem') or diag $r->{out};
like($r->{out}, qr/^ *ours +_vlmcs\._tcp\.addr\.test .*accepts$/m, 'check: _vlmcs accepts');
like($r->{out}, qr/Clients find this host/, 'check: says so');

# What listens there and is no kmsd; what does not listen; a name server that does not answer.
my $mute = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5) or die;
my $child = fork // die;
if ($child == 0) {
    while (my $c = $mute->accept) { sysread $c, my $hello, 512; syswrite $c, "HTTP/1.1 400 Bad Request\r\n\r\n"; close $c }
    POSIX::_exit(0);
}
ini(domains => 'addr.test', host => 'kms.addr.test', port => $mute->sockport, addresses => '127.0.0.1');
good(qw(dns publish));
$r = kmsctl('dns', 'check', '--nameserver', $named->server);
is($r->{exit}, 4, 'check: something else on the port is a problem');
like($r->{out}, qr/answers, but is not a kmsd/, 'check: and named as that');
kill 'TERM', $child;
waitpid $child, 0;
close $mute;
$r = kmsctl('dns', 'check', '--nameserver', $named->server);
is($r->{exit}, 4, 'check: nobody on the port');
like($r->{out}, qr/^ *unreachable .*Connection refused/m, 'check: nobody on the port is said');
my $closed = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1') or die;
$r = kmsctl('dns', 'check', '-t', 4, '--nameserver', '127.0.0.1:' . $closed->sockport);
is($r->{exit}, 4, 'check: a name server that is silent');
like($r->{out}, qr/^ *unknown +_kms\._tcp\.addr\.test/m, 'check: a silent name server is not a missing record');
is(kmsctl(qw(dns check --nameserver nonsense:x))->{exit}, 1, 'check: no name server address');
good(qw(dns unpublish));

# Every way of saying no. What is not known to be done stays noted; the zones stay as they were.
my $state = sub { -e "$dir/state/dns.published" ? join '', grep { !/^;/ } split /^/, slurp("$dir/state/dns.published") : '' };
is($state->(), '', 'nothing is published now');
my @no = (
    [ 'wrong secret', { tsig_key_file => "$dir/other.key" }, qr/another secret/ ],
    [ 'unknown key', { tsig_key_file => "$dir/unknown.key" }, qr/does not know this TSIG key/ ],
    [ 'a key that may not', { tsig_key_file => "$dir/weak.key" }, qr/refuses: the zone accepts no updates, or none with this key/ ],
    [ 'no key', { tsig_key_file => '' }, qr/refuses/ ],
    [ 'no key file', { tsig_key_file => "$dir/nowhere.key" }, qr/nowhere\.key: No such file/ ],
    [ 'an empty key file', { tsig_key_file => "$dir/empty.key" }, qr/contains no TSIG key/ ],
    [ 'no ticket', { tsig_key_file => '', gss_tsig => 'yes' }, qr/Kerberos ticket/ ],
    [ 'a zone that is not dynamic', { domains => 'static.test' }, qr/the zone accepts no updates/ ],
    [ 'a zone of others', { domains => 'elsewhere.example' }, qr/does not serve this name's zone/ ],
    [ 'an alias', { domains => 'alias.test' }, qr/is an alias \(CNAME\)/ ],
);
for my $case (@no) {
    my ($what, $dns, $words) = @$case;
    ini(domains => 'one.test', %$dns);
    my $zone = $dns->{domains} // 'one.test';
    my $srv = $named->dig("_kms._tcp.$zone", 'SRV');
    $r = kmsctl(qw(dns publish));
    is($r->{exit}, 2, "publish, $what: exit 2");
    like($r->{err}, $words, "publish, $what: in words");
    $r = json_of(kmsctl(qw(dns publish --json)));
    ok($r->{error}{symbol} && !$r->{records}[0]{done}, "publish, $what: in JSON");
    is($named->dig("_kms._tcp.$zone", 'SRV'), $srv, "publish, $what: the zone is as it was");
    unlink "$dir/state/dns.published";
}

# One domain that fails does not keep the other back, and is tried again.
ini(domains => [ 'static.test', 'two.test' ]);
$r = kmsctl(qw(dns publish));
is($r->{exit}, 2, 'one of two domains: exit 2');
like($r->{out}, qr/^published: _kms\._tcp\.two\.test\. /m, 'one of two domains: the other is published');
like($r->{err}, qr/_kms\._tcp\.static\.test: the server refuses/, 'one of two domains: the one is named');
ini(domains => 'two.test');
is(kmsctl(qw(dns publish))->{exit}, 2, 'what may be there of earlier is tried to be taken away');
unlink "$dir/state/dns.published";
good(qw(dns unpublish));
is(srv('_kms._tcp.two.test'), '7 8 1688 other.elsewhere.test.', 'unpublish without the file: the service that leads here goes, the other stays');

# No server; no host name; no fixed port; no state directory; a file of rubbish.
ini(domains => 'one.test', server => '127.0.0.1:' . $closed->sockport);
close $closed;
$r = kmsctl(qw(dns publish));
is($r->{exit}, 2, 'server down: exit 2');
like($r->{err}, qr/no name server answers/, 'server down: in words');
unlink "$dir/state/dns.published";
ini(domains => 'one.test', port => 0);
for my $verb (qw(publish show check)) {
    $r = kmsctl('dns', $verb);
    is($r->{exit}, 2, "$verb with port 0");
    like($r->{err}, qr/\[listen\] port is 0/, "$verb with port 0: in words");
}
ini(domains => 'one.test');
for my $bad ("nonsense\n", "_kms._tcp.one.test. 300 IN SRV 0 0 99999 kms.one.test.\n", "_kms._tcp.one.test. 300 IN SRV 0 0 1 kms;one.test.\n",
    "a.test. 300 IN A 1.2.3\n", "a.test. 300 IN TXT x\n", "x\nsend\n") {
    spew("$dir/state/dns.published", "; comment\n$bad");
    $r = kmsctl(qw(dns publish));
    is($r->{exit}, 2, 'dns.published damaged');
    like($r->{err}, qr/dns\.published:2: not a record of this host/, 'dns.published damaged: file and line');
}
rename "$dir/state", "$dir/gone";
$r = kmsctl(qw(dns publish));
is($r->{exit}, 2, 'no state directory');
like($r->{err}, qr{\Q$dir\E/state: No such file}, 'no state directory: in words');
is(srv('_kms._tcp.one.test'), '7 8 1688 other.elsewhere.test.', 'and nothing was sent without a note of it');
is($appliance->stop, 0, 'kmsd ends');
done_testing;
