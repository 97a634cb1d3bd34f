#!/usr/bin/perl
# kmsctl dns with GSS-TSIG, as Active Directory wants it: a real BIND and a real Kerberos. By a ticket and by a keytab, as the
# timer does it; every way in which Kerberos or the server says no, and that nothing is left half-done by it.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Kerberos;
use KMS::Named;
use KMS::Test;
use IO::Socket::INET;
use Test::More;

my $dir = workspace();
my $ini = "$dir/kms.ini";
my $krb = KMS::Kerberos->start;
my $realm = $krb->realm;
my @service = map { "DNS/ns.$_.test" } qw(one two self service static spn);
$krb->principal($_) for @service, 'host/kms.one.test', 'host/kms.self.test', 'KMS$', 'gone';
$krb->principal($_, password => 'secret') for qw(allowed stranger);

my $foreign = "_kms._tcp 60 SRV 7 8 1688 other.elsewhere.test.\n_kms._tcp 60 TXT \"not ours\"\nmail 60 A 192.0.2.25\n";
my $policy = 'update-policy { grant "KMS$@KMS.TEST" zonesub ANY; grant "allowed@KMS.TEST" zonesub ANY; };';
my $service = $krb->keytab(@service);
my $named = KMS::Named->start(
    options => "tkey-gssapi-keytab \"$service\";",
    zones => {
        (map { $_ => { records => $foreign, options => $policy } } qw(one.test two.test)),
        # What every host may, and what one account may and no more.
        'self.test' => { records => $foreign, options => 'update-policy { grant KMS.TEST krb5-self . A; grant "host/kms.self.test@KMS.TEST" name _kms._tcp.self.test SRV; };' },
        'service.test' => { records => $foreign, options => 'update-policy { grant "KMS$@KMS.TEST" name _kms._tcp.service.test. SRV; };' },
        # Their primaries have no DNS service in Kerberos, or one that this server has no key of.
        'nospn.test' => { records => $foreign, options => $policy },
        'spn.test' => { records => $foreign, options => $policy },
        'static.test' => { records => $foreign },
    });
# New keys: what the server has for ns.spn.test is not what Kerberos has any more.
$krb->keytab('DNS/ns.spn.test');
my $keytab = $krb->keytab('host/kms.one.test', 'KMS$');
my $account = "KMS\$\@$realm";

mkdir "$dir/$_" for qw(state tmp);
$ENV{TMPDIR} = "$dir/tmp";
sub ini (%dns) {
    $dns{server} //= $named->server;
    $dns{host} //= 'kms.one.test';
    $dns{domains} //= [ 'one.test', 'two.test' ];
    $dns{gss_tsig} = 'yes';
    my @lines = map { my $k = $_; map { "$k = $_\n" } ref $dns{$k} ? @{ $dns{$k} } : $dns{$k} } sort keys %dns;
    spew($ini, "[kms]\nstate_directory = $dir/state\nruntime_directory = $dir/run\n[dns]\n" . join '', @lines);
}
sub kmsctl ($env, @args) {
    local @ENV{ keys %$env } = values %$env;
    return run([ program('kmsctl'), '-c', $ini, @args ]);
}
sub good ($env, @args) {
    my $r = kmsctl($env, @args);
    is($r->{exit}, 0, "@args") or diag "$r->{out}$r->{err}" . join "\n", (split /\n/, $named->log)[ -3 .. -1 ];
    return $r;
}
sub serial ($zone) { wait_for(30, sub { ($named->dig($zone, 'SOA') =~ /root\S* (\d+)/)[0] }, "the SOA record of $zone") }
sub srv ($zone) { $named->dig("_kms._tcp.$zone", 'SRV') =~ s/^\S+ \d+ IN SRV //mgr }
sub noted () { -e "$dir/state/dns.published" ? join '', grep { !/^;/ } split /^/, slurp("$dir/state/dns.published") : '' }
my $ours = '0 0 1688 kms.one.test.';
my $theirs = '7 8 1688 other.elsewhere.test.';

# Publish, publish again, unpublish.
sub round ($how, $env, %dns) {
    ini(%dns);
    good($env, qw(dns publish));
    for my $zone (qw(one.test two.test)) {
        is(srv($zone), "$ours\n$theirs", "$how: ours beside the foreign one in $zone");
        is($named->dig("_kms._tcp.$zone", 'TXT'), qq{_kms._tcp.$zone. 60 IN TXT "not ours"}, "$how: other types in $zone as they were");
        is($named->dig("mail.$zone", 'A'), "mail.$zone. 60 IN A 192.0.2.25", "$how: other names in $zone as they were");
    }
    is(noted(), join('', map { "_kms._tcp.$_. 3600 IN SRV $ours\n" } qw(one.test two.test)), "$how: noted");
    my $serial = serial('one.test');
    good($env, qw(dns publish));
    is(serial('one.test'), $serial, "$how: again changes nothing");
    good($env, qw(dns unpublish));
    is(srv($_), $theirs, "$how: ours is gone from $_, the foreign one not") for qw(one.test two.test);
    is(noted(), '', "$how: nothing is noted");
}
my $ticket = { KRB5CCNAME => 'FILE:' . $krb->ticket('allowed', 'secret') };
round('with a ticket', $ticket);
like($named->log, qr/key allowed\\\@KMS\.TEST: updating zone 'one\.test/, 'with a ticket: in its name');
round('server by its name', $ticket, server => 'localhost:' . $named->port);

# A ticket of somebody who may not does not matter: the keytab's goes before it.
my $other = { KRB5CCNAME => 'FILE:' . $krb->ticket('stranger', 'secret') };
my $before = slurp($other->{KRB5CCNAME} =~ s/^FILE://r);
round('with a keytab', $other, keytab => $keytab, principal => $account);
is(slurp($other->{KRB5CCNAME} =~ s/^FILE://r), $before, "with a keytab: the user's credential cache is as it was");
like($named->log, qr/key KMS\\\$\\\@KMS\.TEST: updating zone 'one\.test/, 'with a keytab: in the name of its principal');
my $single = $krb->keytab('allowed');    # its password is another one from here on
round('with a keytab of one', {}, keytab => $single);
round('with a keytab and no default realm', { KRB5_CONFIG => $krb->conf(sub { s/^default_realm.*\n//m }) }, keytab => $keytab, principal => $account);
# As in kms-dns.service: almost no environment, and as root its capabilities only.
my @confined = $> == 0 ? ('setpriv', '--bounding-set=-all,+setuid,+setgid,+dac_override', '--no-new-privs') : ();
ini(keytab => $keytab, principal => $account);
my $bare = run([ @confined, 'env', '-i', "KRB5_CONFIG=$ENV{KRB5_CONFIG}", program('kmsctl'), '-c', $ini, qw(dns publish) ]);
is($bare->{exit}, 0, 'as in the unit') or diag $bare->{err};
good({}, qw(dns unpublish));

# Narrower grants.
my $hosts = $krb->keytab('host/kms.one.test', 'host/kms.self.test');
$keytab = $krb->keytab('host/kms.one.test', 'KMS$');
my @self = (keytab => $hosts, domains => 'self.test', host => 'kms.self.test', addresses => '127.0.0.1');
ini(@self, principal => "host/kms.self.test\@$realm");
good({}, qw(dns publish));
is($named->dig('kms.self.test', 'A'), 'kms.self.test. 3600 IN A 127.0.0.1', "krb5-self: the host's own address");
good({}, qw(dns unpublish));
ini(@self, principal => "host/kms.one.test\@$realm");
my $r = kmsctl({}, qw(dns publish));
is($r->{exit}, 2, "krb5-self: not another host's");
is($named->dig('kms.self.test', 'A') . srv('self.test'), $theirs, 'krb5-self: and nothing is there');
unlink "$dir/state/dns.published";
ini(keytab => $keytab, principal => $account, domains => 'service.test');
good({}, qw(dns publish));
is(srv('service.test'), "$ours\n$theirs", 'one name and one type are enough of a grant');
good({}, qw(dns unpublish));

# Every way of saying no: exit 2, what to do, and the zone as it was. What is not known to be done stays noted.
my $expired = $krb->ticket('stranger', 'secret', '-l', '1s');
my $expires = time + 1;
my $old = $krb->keytab('gone');
$krb->keytab('gone');
my $junk = spew("$dir/junk.keytab", "junk\n");
my $removed = do { $krb->principal('removed'); my $k = $krb->keytab('removed'); $krb->remove('removed'); $k };
my %kt = (keytab => $keytab, principal => $account);
my $nobody_there = $krb->conf(sub { s/127\.0\.0\.1:\d+/127.0.0.1:1/ });
wait_for(30, sub { time > $expires + 1 }, 'the ticket expires');
sub refused ($what, $env, $dns, $words) {
    ini(domains => 'one.test', %$dns);
    my $zone = $dns->{domains} // 'one.test';
    my ($records, $serial) = (srv($zone), serial($zone));
    my $r = kmsctl($env, qw(dns publish));
    is($r->{exit}, 2, "$what: exit 2");
    like($r->{err}, $words, "$what: in words");
    my $j = json_of(kmsctl($env, qw(dns publish --json)));
    ok($j->{error}{symbol} && !$j->{records}[0]{done}, "$what: in JSON");
    is(srv($zone) . serial($zone), "$records$serial", "$what: the zone is as it was");
    is(noted(), "_kms._tcp.$zone. 3600 IN SRV $ours\n", "$what: what may be there is noted");
    unlink "$dir/state/dns.published";
}
refused('no ticket', {}, {}, qr/_kms\._tcp\.one\.test: gss_tsig needs a Kerberos ticket: get one with kinit, or give \[dns\] keytab/);
refused('an expired ticket', { KRB5CCNAME => "FILE:$expired" }, {}, qr/ticket has expired: get one with kinit, or give \[dns\] keytab/);
refused('a principal that may not', $other, {}, qr/server refuses: .*none from the ticket's principal .*allow it there/);
refused("the keytab's first", {}, { keytab => $keytab }, qr/server refuses: .*or set another one in \[dns\] principal/);
refused('a zone that is not dynamic', {}, { %kt, domains => 'static.test' }, qr/server refuses: the zone accepts no updates/);
refused('a keytab of rubbish', {}, { %kt, keytab => $junk, principal => '' }, qr/the keytab gives no Kerberos ticket: see klist -k/);
refused('a principal that the keytab has not', {}, { %kt, principal => "other\@$realm" }, qr/the keytab has no key of \[dns\] principal: see klist -k .*other\@KMS\.TEST/);
refused('a key of earlier', {}, { keytab => $old }, qr/the account's key has changed since the keytab was exported: export it again/);
refused('an account that is gone', {}, { keytab => $removed }, qr/does not accept the keytab's account: .*removed\@KMS\.TEST/);
refused('a primary that Kerberos does not know', {}, { %kt, domains => 'nospn.test' }, qr/no DNS service for the zone's primary.*DNS\/ns\.nospn\.test\@KMS\.TEST/);
refused("another key than the server's", {}, { %kt, domains => 'spn.test' }, qr/does not accept the Kerberos ticket: the clocks differ, or/);
refused('no KDC, with a keytab', { KRB5_CONFIG => $nobody_there }, \%kt, qr/no Kerberos server \(KDC\) answers: check the realm in krb5\.conf/);
refused('no KDC, with a ticket', { %$other, KRB5_CONFIG => $nobody_there }, { domains => 'nospn.test' }, qr/no Kerberos server \(KDC\) answers: check the realm in krb5\.conf/);
refused('no default realm', { KRB5_CONFIG => $krb->conf(sub { s/^default_realm.*\n//m }) }, { keytab => $keytab }, qr/no default_realm: set it, or give \[dns\] principal/);

# A KDC that is silent: kmsctl waits as long as it was told, and tidies up behind the nsupdate that it ends.
my $silent = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1') or die;
my $deaf = IO::Socket::INET->new(Proto => 'tcp', LocalAddr => '127.0.0.1', LocalPort => $silent->sockport, Listen => 1);
ini(%kt, domains => 'one.test');
$r = kmsctl({ KRB5_CONFIG => $krb->conf(sub { s/127\.0\.0\.1:\d+/'127.0.0.1:' . $silent->sockport/e }) }, '-t', 3, qw(dns publish));
is($r->{exit}, 2, 'a silent KDC: exit 2');
like($r->{err}, qr/no answer was received/, 'a silent KDC: in words');
unlink "$dir/state/dns.published";

# A keytab that is not there is said before anything is asked.
ini(keytab => "$dir/nowhere.keytab", domains => 'one.test');
$r = kmsctl({}, qw(dns publish));
is($r->{exit}, 2, 'no keytab: exit 2');
like($r->{err}, qr/keytab \Q$dir\E\/nowhere\.keytab: No such file/, 'no keytab: in words');
unlink "$dir/state/dns.published";

# One domain that fails does not keep the other back.
ini(%kt, domains => [ 'nospn.test', 'two.test' ]);
$r = kmsctl({}, qw(dns publish));
is($r->{exit}, 2, 'one of two domains: exit 2');
is(srv('two.test'), "$ours\n$theirs", 'one of two domains: the other is published');
is(srv('nospn.test'), $theirs, 'one of two domains: the one is as it was');
# Kerberos goes away: what is published is still noted, and taken away when it is back.
$krb->stop;
is(kmsctl({}, qw(dns unpublish))->{exit}, 2, 'unpublish without a KDC: exit 2');
like(noted(), qr/^_kms\._tcp\.two\.test\. /m, 'unpublish without a KDC: still noted');
is(srv('two.test'), "$ours\n$theirs", 'unpublish without a KDC: still there');

# A Kerberos server whose clock is an hour ahead.
spew("$dir/state/dns.published", join '', grep { /two\.test/ } split /^/, noted());
$krb->again(ahead => 3600);
$r = kmsctl({}, qw(dns unpublish));
is($r->{exit}, 2, 'a clock that differs: exit 2');
like($r->{err}, qr/does not accept the Kerberos ticket: the clocks differ, or/, 'a clock that differs: in words');
$r = kmsctl({ KRB5_CONFIG => $krb->conf(sub { s/^default_realm/kdc_timesync = 0\n$&/m }) }, qw(dns unpublish));
like($r->{err}, qr/clocks of this machine and of the Kerberos server \(KDC\) differ: set them/, 'a clock that differs: found here, in words');
is(srv('two.test'), "$ours\n$theirs", 'a clock that differs: still there');
$krb->stop;
$krb->again;
good({}, qw(dns unpublish));
is(srv('two.test'), $theirs, 'unpublish when Kerberos is back');
is_deeply([ glob "$dir/tmp/{*,.[!.]*}" ], [], 'no file of ours stays');
done_testing;
