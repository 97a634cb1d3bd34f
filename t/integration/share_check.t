#!/usr/bin/perl
# kmsctl share check and share status: three machines with real etcd, and what can be wrong with each: names, ports, certificates, clocks,
# members. Each finding says what to type, and the exit code is that of doctor.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP ();
use KMS::Site;
use KMS::Test;
use Test::More;

plan skip_all => 'only root can mount: run as root' if $> != 0;
KMS::Site->apart;
my $site = KMS::Site->new(4);
my ($one, $two, $three, $four) = map { $site->machine($_) } 1 .. 4;

my $r = $one->kmsctl('share', 'check');
is($r->{exit}, 2, 'without a share there is nothing to check');
like($r->{err} =~ s/\s+/ /gr, qr/this host counts by itself.*kmsctl share init NAME begins a share, kmsctl share join FILE enters one/, 'and what to type');
sub must ($m, @command) {
    my $r = $m->run(@command);
    $r->{exit} == 0 or die "@command: $r->{out}$r->{err}\n";
    return $r;
}
sub ask_etcd ($m, $of, $path, $body = undef) {
    return $m->run('curl', '-s', '--cacert', '/etc/kms/share/authority.pem', '--cert', '/etc/kms/share/host.pem', '--key', '/etc/kms/share/host.key',
        defined $body ? ('-d', $body) : (), 'https://' . $of->name . ":2379$path")->{out};
}
must($one, 'kmsctl', 'share', 'init', '--yes', 'site-1');
wait_for(30, sub { ask_etcd($one, $one, '/health') =~ /true/ }, 'etcd serves');

# Findings of a member or of a whole; the last run.
my ($last, $code);
sub check ($m, @args) {
    my $r = $m->kmsctl('--json', 'share', 'check', @args);
    $code = $r->{exit};
    $last = json_of($r);
    return $last;
}
sub finding ($name, $level, $said, $what) {
    my @found = grep { $_->{check} eq $name && $_->{level} eq $level && ("$_->{text}: " . ($_->{next} // '')) =~ $said } @{ $last->{findings} };
    is(scalar @found, 1, $what) or diag(JSON::PP->new->pretty->canonical->encode($last));
}
my ($n1, $n2, $n3, $n4) = map { $_->name } $one, $two, $three, $four;

check($one);
is($code, 0, 'one host: exit 0');
finding($n1, 'good', qr/it answers, with TLS both ways, and etcd is healthy/, 'its member is healthy');
finding($n1, 'good', qr/its clock is this host's/, 'its clock is right');
finding($n1, 'good', qr/it runs etcd 3\.4/, 'its version');
finding('majority', 'good', qr/1 of 1 members/, 'and a majority');
finding('tls', 'good', qr/host\.pem ends on 20\d\d-/, 'the certificate');
finding('tls', 'good', qr/etcd\.pem ends on 20\d\d-/, 'and that of etcd');

# -- a second host --
must($one, 'kmsctl', 'share', 'invite', '--yes', $n2);
check($one);
finding($n2, 'warning', qr/nobody answers at its port.*systemctl status etcd/, 'one that was invited and has not joined does not answer');
finding($n2, 'warning', qr/it is no member of etcd: it was removed, or has not joined yet/, 'and is no member');
is($code, 0, 'which is a warning');
check($one, '--strict');
is($code, 4, 'and a problem with --strict');
my $invitation = slurp($one->path("/root/$n2.kmsshare"));
spew($two->path('/root/in'), $invitation);
must($two, 'kmsctl', 'share', 'join', '--yes', 'in');
check($two);
is($code, 0, 'both are well, from the second');
finding('majority', 'warning', qr/there are two members, so that neither may fail: a third member: kmsctl share init --witness/, 'two are too few');

# -- a third --
must($one, 'kmsctl', 'share', 'invite', '--yes', $n3);
spew($three->path('/root/in'), slurp($one->path("/root/$n3.kmsshare")));
must($three, 'kmsctl', 'share', 'join', '--yes', 'in');
check($three);
is($code, 0, 'three hosts: exit 0');
finding($n2, 'warning', qr/no answer in time.*kmsctl firewall check/, 'but the firewall of the second one does not let the third one in yet');
check($two);
finding($n3, 'warning', qr/it is a member of etcd, and not in \[share\] members of kms\.ini: kmsctl apply/, 'the second host does not know the third one yet');
$r = $two->kmsctl('plan');
like($r->{out}, qr/share: \[share\] members: kms3\.site\.test is missing\. Would be added/, 'which plan shows') or diag($r->{err});
must($two, 'kmsctl', 'apply');
like(slurp($two->path('/etc/kms/kms.ini')), qr/^members = kms2\.site\.test kms1\.site\.test kms3\.site\.test$/m, 'and apply corrects');
check($two);
is($last->{warnings}, 0, 'then all is well') or diag(JSON::PP->new->pretty->encode($last));
check($three);
finding('majority', 'good', qr/3 of 3 members/, 'from the third host, too');
is($last->{warnings}, 0, 'without a warning');

# -- the firewall --
$_->run('sh', '-c', 'kmsctl apply') for $one, $two, $three;
sub reaches ($from, $to, $port) { return $from->run('curl', '-sk', '-m', 2, '-o', '/dev/null', '-w', '%{exitcode}', 'https://' . $to->name . ":$port/")->{out} == 28 ? 0 : 1 }
is(join(' ', map { reaches($two, $one, $_) } 2379, 2380), '1 1', 'the firewall lets a member reach etcd');
is(join(' ', map { reaches($four, $one, $_) } 2379, 2380), '0 0', 'and no other machine');
is($one->kmsctl('firewall', 'check')->{exit}, 0, 'firewall check agrees');
$one->run('sh', '-c', 'cp /etc/hosts /root/hosts; sed -i /kms3/d /etc/hosts');
is($one->kmsctl('firewall', 'check')->{exit}, 4, 'a name without an address is a difference');
is($one->kmsctl('firewall', 'apply')->{exit}, 0, 'and does not keep the rules from being loaded');
is(reaches($three, $one, 2380), 1, 'which then let the member in all the same');
$one->run('sh', '-c', 'cat /root/hosts >/etc/hosts');
is($one->kmsctl('firewall', 'apply')->{exit}, 0, 'until it has one');
is(reaches($four, $one, 2379), 0, 'and others are out again');

# -- what can be wrong --
$three->run('systemctl', 'stop', 'etcd');
check($one);
finding($n3, 'warning', qr/nobody answers at its port.*systemctl status etcd on that machine/, 'etcd is stopped on one');
finding('majority', 'good', qr/2 of 3 members/, 'two of three are enough');
$two->run('systemctl', 'stop', 'etcd');
check($one);
is($code, 4, 'etcd is stopped on two: exit 4');
finding('majority', 'bad', qr/no member has a majority/, 'there is no majority');
finding($n1, 'warning', qr/it answers, but says that etcd has no majority|no answer in time/, 'the one that is left says so');
$_->run('systemctl', 'start', 'etcd') for $two, $three;
wait_for(40, sub { ask_etcd($one, $one, '/health') =~ /true/ && ask_etcd($one, $three, '/health') =~ /true/ && ask_etcd($one, $two, '/health') =~ /true/ }, 'all are back');

$three->cut;
check($one, '-t', 3);
finding($n3, 'warning', qr/no answer in time|nobody answers/, 'a machine that is cut off');
$three->plug;
my $hosts = slurp($one->path('/etc/hosts'));
$one->run('sh', '-c', "sed -i /kms3/d /etc/hosts");
check($one);
finding($n3, 'warning', qr/this name has no address.*enter the name in DNS, or in \/etc\/hosts/, 'a name without an address');
$one->run('sh', '-c', "cat >/etc/hosts <<'END'\n${hosts}END");
# A port that a firewall closes.
$three->run('nft', 'add table inet x; add chain inet x in { type filter hook input priority 0; }; add rule inet x in iifname != lo tcp dport 2380 drop');
check($one);
finding($n3, 'warning', qr/its port 2380, for the other members, does not answer.*kmsctl firewall check/, 'the port for members is closed');
$three->run('nft', 'delete table inet x');
# What answers has a certificate of another authority, of another name, or one that is expired.
$three->run('systemctl', 'stop', 'etcd');
sub with_certificate ($name, $days, $authority, $said, $what) {
    my $made = $one->run('sh', '-ec', "cd /root; openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 >x.key; echo 'subjectAltName = DNS:$name' >x.ext
        openssl req -new -key x.key -subj / -config /dev/null >x.csr; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -config /dev/null -subj /CN=other -keyout o.key -out o.pem 2>/dev/null
        openssl x509 -req -in x.csr -CA $authority.pem -CAkey $authority.key -days $days -extfile x.ext >x.pem");
    $made->{exit} == 0 or die $made->{err};
    spew($three->path("/root/x.$_"), slurp($one->path("/root/x.$_"))) for qw(pem key);
    my $server = spawn([ 'nsenter', '-t', $three->pid, '-m', '-n', 'openssl', 's_server', '-quiet', '-accept', 2379, '-cert', '/root/x.pem', '-key', '/root/x.key', '-naccept', 50 ],
        log => $three->path('/root/s_server.log'));
    wait_for(20, sub { $one->run('curl', '-sk', '-m', 1, '-o', '/dev/null', '-w', '%{exitcode}', "https://$n3:2379/")->{out} != 7 }, 'the port is open');
    check($one);
    finding($n3, 'warning', $said, $what);
    end_process($server, 'KILL');
}
my $own = '/etc/kms/share/authority';
with_certificate($n3, 9, '/root/o', qr/its certificate is not valid in this share.*kmsctl share invite for that host/, 'a certificate of another authority');
with_certificate('elsewhere.test', 9, $own, qr/its certificate is not valid in this share.*no alternative certificate subject name/, 'of another name');
with_certificate($n3, -1, $own, qr/its certificate is not valid in this share.*expired/, 'an expired one');
$three->run('systemctl', 'start', 'etcd');
# The own certificate: soon to end, then of another authority.
sub own_certificate ($days, $authority) {
    $one->run('sh', '-ec', "cd /root; cp -p /etc/kms/share/host.pem /root/; printf 'extendedKeyUsage = clientAuth' >y.ext; openssl req -new -key /etc/kms/share/host.key -subj / -config /dev/null >y.csr
        cd /root; openssl x509 -req -in y.csr -CA $authority.pem -CAkey $authority.key -days $days -extfile y.ext >/etc/kms/share/host.pem");
    check($one);
    $one->run('cp', '-p', '/root/host.pem', '/etc/kms/share/host.pem');
}
own_certificate(20, $own);
finding('tls', 'warning', qr/host\.pem ends on .*kmsctl share invite for this host.*kmsctl share join here/, 'a certificate that ends within 30 days');
own_certificate(-1, $own);
finding('tls', 'bad', qr/host\.pem has expired/, 'one that has ended');
finding($n2, 'warning', qr/it refuses the certificate of this host|what answers is no etcd/, 'the members refuse it');
own_certificate(20, '/root/o');
finding('tls', 'bad', qr/host\.pem is not from the authority of this share/, 'one of another authority');
is($code, 4, 'which is a problem');

# -- status, from the running kmsd --
$r = $one->kmsctl('share', 'status');
is($r->{exit}, 0, 'share status') or diag($r->{err});
like($r->{out}, qr/^Share: +site-1\nHost id: +[0-9a-f]{32}\n/m, 'the share and this host');
like($r->{out} =~ s/\s+/ /gr, qr/this host (?:waits until etcd answers, and gives no leases|counts together|waits until the other hosts).*, since 20/, 'its state in words');
my $j = json_of($one->kmsctl('--json', 'share', 'status'));
like($j->{state}, qr/^(?:waiting|joining|together)$/, 'and for a program');
is(ref $j->{members}, 'ARRAY', 'with a list of the other hosts');
is($four->kmsctl('share', 'status')->{exit}, 3, 'without kmsd: exit 3');
$r = $one->kmsctl('share', 'alone', '--yes');
is($r->{exit}, 2, 'share alone wants a reason');
like($r->{err}, qr/the journal needs to know why: add --reason TEXT/, 'and says so');
$r = $one->kmsctl('share', 'alone', '--reason', 'the line is down');
is($r->{exit}, 2, 'and a yes');
$_->run('systemctl', 'stop', 'etcd') for $one, $two, $three;
must($one, 'systemctl', 'restart', 'kmsd');
is(json_of($one->kmsctl('--json', 'share', 'status'))->{state}, 'waiting', 'after a start without etcd, kmsd waits');
$r = $one->kmsctl('doctor');
like($r->{out}, qr/bad +hosts +this host waits until etcd answers, and gives no leases, since .*kmsctl share check/, 'doctor says so');
$r = $one->kmsctl('share', 'alone', '--yes', '--reason', 'the line is down');
is($r->{exit}, 0, 'an administrator lets it go on') or diag($r->{err});
$j = json_of($one->kmsctl('--json', 'share', 'status'));
is("$j->{state} $j->{by_administrator}", 'alone 1', 'and it is alone');
$r = $one->kmsctl('doctor');
like($r->{out}, qr/(?:bad|warning|good) +hosts +this host /, 'doctor has the state of the share');
like($r->{out}, qr/good +tls +\/etc\/kms\/share\/host\.pem ends on/, 'and the certificates') or diag($r->{out});

$_->end for $one, $two, $three, $four;
done_testing;
