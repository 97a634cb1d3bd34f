#!/usr/bin/perl
# kmsctl share init, invite, join: machines that have nothing but their packages become members of a share, with real etcd and openssl. Each
# step may be interrupted and repeated, and each wrong use is told for what it is and changes nothing.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Site;
use JSON::PP ();
use KMS::Test;
use Test::More;

plan skip_all => 'only root can mount: run as root' if $> != 0;
KMS::Site->apart;
my $site = KMS::Site->new(4);
my ($one, $two, $three, $four) = map { $site->machine($_) } 1 .. 4;

sub mode ($m, $path) { return join ' ', map { s/\s+$//r } $m->run('stat', '-c', '%a %U', $path)->{out} }
# All that must not change when something is refused.
sub picture ($m) { return $m->run('sh', '-c', 'find /etc/kms /etc/default /var/lib/etcd -path "*/member/*" -prune -o -type f -exec sha256sum {} + | sort')->{out} }
sub refused ($m, $args, $said, $what) {
    my $before = picture($m);
    my $r = $m->kmsctl('share', @$args);
    is($r->{exit}, 2, "$what: exit 2") or diag("$r->{out}$r->{err}");
    like($r->{err} =~ s/\s+/ /gr, $said, "$what: it is told");
    is(picture($m), $before, "$what: nothing is changed");
}
sub members ($m) { return $m->run('curl', '-s', '--cacert', '/etc/kms/share/authority.pem', '--cert', '/etc/kms/share/host.pem', '--key', '/etc/kms/share/host.key',
    '-d', '{}', 'https://' . $m->name . ':2379/v3/cluster/member/list')->{out} }

# -- before there is a share --
refused($one, [ 'invite', 'kms2.site.test' ], qr/this host is in no share: kmsctl share init NAME/, 'an invitation to nothing');
refused($one, [ 'init', '--yes', 'Site 1' ], qr/the name of a share has 1 to 32 characters of a-z/, 'a bad name');
refused($one, [ 'init', '--yes', '--host', 'kms2.site.test', 'site-1' ], qr/kms2\.site\.test has no address of this machine/, 'another machine\'s name');
refused($one, [ 'init', '--yes', '--host', 'kms9.site.test', 'site-1' ], qr/kms9\.site\.test has no address.*\/etc\/hosts/, 'a name that nobody knows');
refused($one, [ 'init', 'site-1' ], qr/nothing was changed: to do all this, add --yes/, 'without a yes');
$one->run('sh', '-c', 'echo ETCD_NAME=mine >/etc/default/etcd');
refused($one, [ 'init', '--yes', 'site-1' ], qr/\/etc\/default\/etcd has settings of another use.*mv/, 'an etcd that has other work');
$one->run('sh', '-c', 'echo "# nothing" >/etc/default/etcd');

# -- the first host --
my $r = $one->kmsctl('share', 'init', '--yes', 'site-1');
is($r->{exit}, 0, 'share init') or diag("$r->{out}$r->{err}");
like($r->{out}, qr/\/etc\/default\/etcd: the settings of this host's etcd: would be written.*share: etcd\.service: disabled\. Done: enabled.*not active\. Done: started/s, 'etcd is started');
like($r->{out}, qr/The share site-1 begins on this host, kms1\.site\.test\./, 'it begins');
like($r->{out}, qr/Keep a copy of \/etc\/kms\/share\/authority\.key.*Next: kmsctl share check, then kmsctl share first, when the publisher has confirmed this host, and kmsctl share invite/s, 'what to keep and what is next');
is(mode($one, "/etc/kms/share/$_->[0]"), $_->[1], "$_->[0]: $_->[1]")
    for [ 'authority.pem', '644 root' ], [ 'authority.key', '600 root' ], [ 'host.pem', '644 root' ], [ 'host.key', '600 root' ], [ 'etcd.pem', '644 root' ], [ 'etcd.key', '600 etcd' ];
my $ini = slurp($one->path('/etc/kms/kms.ini'));
like($ini, qr{^\[kms\]\n.*\n\[share\]\nname = site-1\nmembers = kms1\.site\.test\nauthority = /etc/kms/share/authority\.pem\ncertificate = /etc/kms/share/host\.pem\nkey = /etc/kms/share/host\.key\n\z}s,
    'kms.ini has [share]');
is($one->kmsctl('config', 'check')->{exit}, 0, 'which kmsd takes');
wait_for(30, sub { members($one) =~ /kms1/ }, 'etcd of the first host serves');
pass('etcd serves, with its own names alone');
like($one->run('curl', '-s', '-o', '/dev/null', '-w', '%{http_code} %{errormsg}', '--cacert', '/etc/kms/share/authority.pem', '--cert', '/etc/kms/share/host.pem',
    '--key', '/etc/kms/share/host.key', 'https://kms1.site.test:2380/members')->{out}, qr/^000 /, 'kmsd\'s certificate is none of a peer');
like($one->run('curl', '-s', '-o', '/dev/null', '-w', '%{http_code} %{errormsg}', '--cacert', '/etc/kms/share/authority.pem', 'https://kms1.site.test:2379/health')->{out},
    qr/^000 /, 'nobody asks without a certificate');
my $before = picture($one);
$r = $one->kmsctl('share', 'init', '--yes', 'site-1');
is($r->{exit}, 0, 'once more') or diag("$r->{out}$r->{err}");
like($r->{out}, qr/This host has all of it already/, 'there is nothing to do');
is(picture($one), $before, 'and nothing is changed');
refused($one, [ 'init', '--yes', 'site-2' ], qr/this host is in the share site-1 already, and can be in one alone/, 'another name');
# Interrupted before kms.ini was written, and before the certificates of etcd.
$one->run('sh', '-c', 'cp /etc/kms/kms.ini /root/; sed -i "/share/,\$d" /etc/kms/kms.ini; rm /etc/kms/share/etcd.pem');
is($one->kmsctl('share', 'init', '--yes', 'site-1')->{exit}, 0, 'after an interruption: the rest is done');
is(slurp($one->path('/etc/kms/kms.ini')) =~ s/\n+/\n/gr, $ini =~ s/\n+/\n/gr, 'kms.ini is as before');
is($one->run('openssl', 'verify', '-CAfile', '/etc/kms/share/authority.pem', '/etc/kms/share/etcd.pem')->{exit}, 0, 'of the same authority');

# -- an invitation --
refused($one, [ 'invite', '--yes', 'kms2.site.test:99' ], qr/expected the name or the address of a host/, 'a port');
refused($one, [ 'invite', '--yes', 'nobody.site.test' ], qr/nobody\.site\.test has no address/, 'a host that nobody knows');
spew($one->path('/root/kms2.site.test.kmsshare'), "my notes\n");
refused($one, [ 'invite', '--yes', 'kms2.site.test' ], qr/kms2\.site\.test\.kmsshare is there already and is no invitation/, 'a file that is something else');
unlink $one->path('/root/kms2.site.test.kmsshare');
$r = $one->kmsctl('share', 'invite', '--yes', 'kms2.site.test');
is($r->{exit}, 0, 'share invite') or diag("$r->{out}$r->{err}");
like($r->{out} =~ s/\s+/ /gr, qr/It is a secret.*Next: bring it to kms2\.site\.test by a safe way, and there: apt install kmsd etcd-server curl, then kmsctl share join kms2\.site\.test\.kmsshare/, 'and what to do with it');
is(mode($one, '/root/kms2.site.test.kmsshare'), '600 root', 'it is for root alone');
like(slurp($one->path('/etc/kms/kms.ini')), qr/^members = kms1\.site\.test kms2\.site\.test$/m, 'the new member is in kms.ini');
is($one->kmsctl('share', 'invite', '--yes', 'kms2.site.test')->{exit}, 0, 'a second one takes the place of the first');
is(members($one) =~ /kms2/ ? 1 : 0, 0, 'etcd waits for nobody: the member is added when it joins');

# -- wrong files --
sub give ($m, $text, $name = 'in.kmsshare') { spew($m->path("/root/$name"), $text); return $name }
my $invitation = slurp($one->path('/root/kms2.site.test.kmsshare'));
refused($three, [ 'join', '--yes', give($three, $invitation) ], qr/is for kms2\.site\.test, and this machine has no address of that name/, 'a file for another host');
refused($two, [ 'join', '--yes', give($two, "hello\n") ], qr/this is no invitation, or a damaged one/, 'some other file');
refused($two, [ 'join', '--yes', give($two, '{"a":1}') ], qr/this is no invitation: name the file/, 'other JSON');
refused($two, [ 'join', '--yes', give($two, $invitation =~ s/"kms-share": 1/"kms-share": 2/r) ], qr/version 2.*install the same version of kmsd on both hosts/, 'of a newer kmsctl');
refused($two, [ 'join', '--yes', give($two, $invitation =~ s/("host-key": ").*?"/$1"/r) ], qr/"host-key" is missing or damaged: make another one/, 'without a key');
refused($two, [ 'join', '--yes', give($two, $invitation =~ s/kms1\.site\.test/kms1 x/gr) ], qr/"members" is missing or damaged/, 'with a bad member');
my ($swap) = $invitation =~ /"etcd-key": ("[^"]*")/;
refused($two, [ 'join', '--yes', give($two, $invitation =~ s/("host-key": )"[^"]*"/$1$swap/r) ], qr/the invitation is of no use.*the key .* does not belong to the certificate/, 'with another key');
refused($two, [ 'join', '--yes', 'nothing.kmsshare' ], qr/nothing\.kmsshare/, 'no file');
# Of another share of that name: its members do not know each other's authority.
is($three->kmsctl('share', 'init', '--yes', 'site-1')->{exit}, 0, 'somebody begins another share of the same name');
wait_for(30, sub { members($three) =~ /kms3/ }, 'which runs');
is($three->kmsctl('share', 'invite', '--yes', 'kms2.site.test')->{exit}, 0, 'and invites, too');
my $false = slurp($three->path('/root/kms2.site.test.kmsshare'));
refused($two, [ 'join', '--yes', give($two, $false =~ s/"kms3\.site\.test:/"kms1.site.test:/r) ], qr/no member of the share site-1 answers: member kms1\.site\.test: its certificate is not valid in this share/, 'an authority of another share');
my ($authority) = $invitation =~ /"authority": ("[^"]*")/;
refused($two, [ 'join', '--yes', give($two, $false =~ s/("authority": )"[^"]*"/$1$authority/r) ], qr/the invitation is of no use.*not from the authority of this share/, 'certificates of another share');
# An old one.
$one->run('sh', '-c', 'cd /root && openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 >o.key; '
    . 'openssl req -new -key o.key -subj / -config /dev/null >o.csr && openssl x509 -req -in o.csr -CA /etc/kms/share/authority.pem -CAkey /etc/kms/share/authority.key -days -1 >o.pem');
my %pem = map { $_ => slurp($one->path("/root/o.$_")) =~ s/\n/\\n/gr } qw(pem key);
refused($two, [ 'join', '--yes', give($two, $invitation =~ s/("host-certificate": )"[^"]*"/$1"$pem{pem}"/r =~ s/("host-key": )"[^"]*"/$1"$pem{key}"/r) ],
    qr/the invitation is of no use.*has expired/, 'an expired certificate');
# Nobody there.
$one->cut;
refused($two, [ 'join', '--yes', give($two, $invitation) ], qr/no member of the share site-1 answers: member kms1\.site\.test: (?:no answer in time|nobody answers).*systemctl status etcd/, 'members that do not answer');
refused($one, [ 'invite', '--yes', 'kms2.site.test' ], qr/./, 'an invitation when etcd is stopped') if $one->run('systemctl', 'stop', 'etcd')->{exit} == 0;
$one->run('systemctl', 'start', 'etcd');
$one->plug;
wait_for(30, sub { members($one) =~ /kms1/ }, 'etcd is back');

# -- joining --
refused($two, [ 'join', give($two, $invitation) ], qr/nothing was changed: to do all this, add --yes/, 'without a yes');
$two->script('systemctl.real', 'exit 0');
rename $two->{dir} . '/bin/systemctl', $two->{dir} . '/bin/systemctl.kept' or die;
$two->script('systemctl', "case \"\$*\" in *etcd*) exit 1 ;; esac; exec $two->{dir}/bin/systemctl.kept \"\$@\"\n");
$r = $two->kmsctl('share', 'join', '--yes', give($two, $invitation));
is($r->{exit}, 2, 'etcd cannot be started') or diag("$r->{out}$r->{err}");
rename $two->{dir} . '/bin/systemctl.kept', $two->{dir} . '/bin/systemctl' or die;
like(members($one), qr/"https:\/\/kms2\.site\.test:2380"\],"isLearner":true/, 'it was added without a vote');
is($one->run('curl', '-s', '--cacert', '/etc/kms/share/authority.pem', '--cert', '/etc/kms/share/host.pem', '--key', '/etc/kms/share/host.key', 'https://kms1.site.test:2379/health')->{out},
    '{"health":"true"}', 'so the share goes on without it');
$r = $two->kmsctl('share', 'join', '--yes', 'in.kmsshare');
is($r->{exit}, 0, 'the same command again: it joins') or diag("$r->{out}$r->{err}" . slurp("$two->{dir}/etcd.log"));
like($r->{out} =~ s/\s+/ /gr, qr/kms2\.site\.test is a member of the share site-1\. Next: delete the invitation; on each other host: kmsctl apply/, 'and says so');
unlike(members($one), qr/isLearner/, 'it has a vote');
is(scalar(() = members($two) =~ /"ID"/g), 2, 'both know both');
is(mode($two, '/etc/kms/share/etcd.key'), '600 etcd', 'the keys are for their users alone');
is(-e $two->path('/etc/kms/share/authority.key') ? 1 : 0, 0, 'the authority\'s key stays where it was');
is(-e $two->path('/etc/kms/share.new') ? 1 : 0, 0, 'nothing is left beside them');
like(slurp($two->path('/etc/kms/kms.ini')), qr/^members = kms2\.site\.test kms1\.site\.test$/m, 'kms.ini has all members, its own first');
$r = $two->kmsctl('share', 'join', '--yes', 'in.kmsshare');
is($r->{exit}, 0, 'and again: nothing happens twice') or diag("$r->{out}$r->{err}");
is(scalar(() = members($one) =~ /"ID"/g), 2, 'there are two members');
refused($two, [ 'invite', '--yes', 'kms4.site.test' ], qr/authority\.key is not on this host: run this on the host on which the share began/, 'an invitation by a host without the key');
refused($two, [ 'init', '--yes', 'site-1' ], qr/this host joined the share, which began on another host/, 'a second beginning');
refused($three, [ 'join', '--yes', give($three, slurp($one->path('/root/kms3.site.test.kmsshare')), 'x.kmsshare') ], qr/is of another authority: this host is in another share, or in one of the same name that was begun twice/, 'a host of another share of that name')
    if $one->kmsctl('share', 'invite', '--yes', 'kms3.site.test')->{exit} == 0;

# -- certificates are renewed --
my $old = slurp($two->path('/etc/kms/share/host.pem'));
$one->kmsctl('share', 'invite', '--yes', 'kms2.site.test');
is($two->kmsctl('share', 'join', '--yes', give($two, slurp($one->path('/root/kms2.site.test.kmsshare'))))->{exit}, 0, 'another invitation to a member');
isnt(slurp($two->path('/etc/kms/share/host.pem')), $old, 'renews its certificates');
is($one->kmsctl('share', 'invite', '--yes', 'kms1.site.test')->{exit}, 0, 'of the first host, too');
is($one->kmsctl('share', 'join', '--yes', 'kms1.site.test.kmsshare')->{exit}, 0, 'by an invitation to itself');

# -- a witness --
$r = $one->kmsctl('share', 'invite', '--etcd-only', '--yes', 'kms4.site.test');
is($r->{exit}, 0, 'a machine without kmsd') or diag("$r->{out}$r->{err}");
is(mode($one, '/root/kms4.site.test.witness.sh'), '600 root', 'its script is a secret, too');
give($four, slurp($one->path('/root/kms4.site.test.witness.sh')), 'w.sh');
$r = $four->run('sh', 'w.sh');
is($r->{exit}, 0, 'it runs there') or diag("$r->{out}$r->{err}");
like($r->{out}, qr/kms4\.site\.test is a member of the etcd of the share site-1/, 'and it is a member');
is(scalar(() = members($two) =~ /"ID"/g), 3, 'all know it');
unlike(members($two), qr/isLearner/, 'it has a vote');
is(mode($four, '/etc/kms-share/etcd.key'), '600 etcd', 'its key is etcd\'s alone');
is($four->run('sh', 'w.sh')->{exit}, 0, 'once more: nothing happens twice');
is(scalar(() = members($two) =~ /"ID"/g), 3, 'there are three members');

# -- one that was removed --
my ($id) = map { $_->{ID} } grep { $_->{name} eq 'kms2.site.test' } @{ JSON::PP::decode_json(members($one))->{members} };
# etcd refuses while it has only just connected to its members.
wait_for(40, sub {
    $one->run('curl', '-s', '--cacert', '/etc/kms/share/authority.pem', '--cert', '/etc/kms/share/host.pem', '--key', '/etc/kms/share/host.key',
        '-d', "{\"ID\":\"$id\"}", 'https://kms1.site.test:2379/v3/cluster/member/remove');
    members($one) !~ /kms2/;
}, 'it is removed');
refused($two, [ 'join', '--yes', 'in.kmsshare' ], qr/kms2\.site\.test was a member of this share and was removed.*mv \/var\/lib\/etcd\/kms-site-1/, 'a member that was removed');
$two->run('systemctl', 'stop', 'etcd');
rename $two->path('/var/lib/etcd/kms-site-1'), $two->path('/var/lib/etcd/old') or die;
$r = $two->kmsctl('share', 'join', '--yes', 'in.kmsshare');
is($r->{exit}, 0, 'it comes back when its old data are away') or diag("$r->{out}$r->{err}" . slurp("$two->{dir}/etcd.log"));
is(scalar(() = members($one) =~ /"ID"/g), 3, 'there are three members');
# A disk that was lost.
$two->run('systemctl', 'stop', 'etcd');
rename $two->path('/var/lib/etcd/kms-site-1'), $two->path('/var/lib/etcd/old2') or die;
refused($two, [ 'join', '--yes', 'in.kmsshare' ], qr/kms2\.site\.test is a member already, but \/var\/lib\/etcd\/kms-site-1 is missing here/, 'a disk that was lost');

$_->end for $one, $two, $three, $four;
done_testing;
