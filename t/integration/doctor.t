#!/usr/bin/perl
# kmsctl doctor: what it says of an appliance at every step of its life, and that each ill is found by the check that is named for it,
# with what is wrong and what to type next.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::INET;
use KMS::Named;
use KMS::Test;
use POSIX ();
use Test::More;

# The firewall and the rules of this test are those of a network of its own.
if ($> == 0 && !$ENV{KMS_DOCTOR_APART}) {
    $ENV{KMS_DOCTOR_APART} = 1;
    exec 'unshare', '--net', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', $^X, $0 or die "unshare: $!";
}

my $dir = workspace();
my $p = publisher();
my $a = start_appliance(publisher => $p);

# Every finding that is not good says what to type next; the exit code is that of the worst.
sub examine ($r) {
    my $json = json_of($r);
    my %level = (good => 0, warning => 0, bad => 0);
    for my $f (@{ $json->{findings} }) {
        $level{ $f->{level} }++;
        ok($f->{level} eq 'good' || length($f->{next} // ''), "$f->{check} $f->{level}: what to type next") or diag(explain $f);
    }
    is($r->{exit}, $level{bad} ? 4 : 0, 'exit code: 4 when something is bad, 0 otherwise') or diag(explain $json);
    is_deeply([ @$json{qw(bad warnings)} ], [ @level{qw(bad warning)} ], 'and the sums');
    return $json->{findings};
}

# Of one check, as lines "level: text -> next".
sub of ($findings, $check) {
    return join "\n", map { "$_->{level}: $_->{text} -> " . ($_->{next} // '') } grep { $_->{check} eq $check } @$findings;
}
sub doctor_of ($appliance, $check, @args) { return of(examine($appliance->kmsctl('--json', 'doctor', @args)), $check) }
sub doctor ($check, @args) { return doctor_of($a, $check, @args) }
sub soon ($seconds) { return POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time + $seconds)) }

subtest 'keys and counts' => sub {
    like(doctor('key'), qr/^bad: no host key is installed -> kmsctl key install/, 'no key');
    like(doctor('count'), qr/^bad: no policy pack.* -> kmsctl policy install/, 'no pack');
    $a->do('policy', 'install', $p->{pack});
    my $key = issue_key($p, valid_to => soon(10 * 86400));
    $a->do('key', 'install', $key);
    like(doctor('key'), qr/^bad: acme: this host is not confirmed -> kmsctl key request/, 'not confirmed');
    $a->certify($p, $key);
    like(doctor('key'), qr/^warning: acme: the key expires in (?:9|10) days -> ask the publisher/, 'near its end');
    like(doctor('count'), qr/^warning: Example Server: 0 of 5 clients, 5 more needed -> more clients must contact this host/m, 'below the threshold');
    $a->client("pc-$_", 'activate') for 1 .. 5;
    like(doctor('count'), qr/^good: Example Server: 5 of 5 clients/m, 'at the threshold');
    like(doctor($_), qr/^good: /, "$_ is well") for qw(service version ledger disk port refused);
    like(doctor('listen'), qr/^warning: kmsd listens on loopback only: .* -> set \[listen\] address/, 'which no other machine reaches');
    like(doctor('dns'), qr/^warning: (?:no client finds this host|no name server answers)/, 'and nothing was published');
    like(doctor('clock'), qr/^(?:good: synchronised.* s off|warning: .* -> timedatectl)/, 'the clock is looked at');
    is(doctor($_), '', "nothing is said of $_, which nobody asked for") for qw(relay publishers);

    my $second = issue_key($p, output => "$dir/second");
    my ($id) = slurp($second) =~ /^id = (\S+)$/m;
    $a->do('key', 'install', $second);
    like(doctor('key'), qr/^warning: acme: this host is confirmed for another key.* -> kmsctl key request $id, or kmsctl key remove $id$/m,
        'a second key that is not used is no more than a warning');
    $a->do('key', 'remove', '--yes', $id);
};

subtest 'a pool that is full' => sub {
    my $q = publisher(products => [ { id => 'dddddddd-0000-4000-8000-000000000001' } ],
        ini => "[policy]\nid = p\ntitle = P\nversion = 1.0\nissued = 2026-01-01\n[group server]\n[pool first]\nnumber = 1\ncapacity = 20\n"
            . "[product dddddddd-0000-4000-8000-000000000001]\nname = One\ngroup = server\npool = first\nthreshold = 1\n");
    my $b = start_appliance(publisher => $q, fronts => 1);
    $b->enable(group => 'server');
    my $client = sub ($n) { $b->client("seat-$n", 'activate', product => 'dddddddd-0000-4000-8000-000000000001')->{exit} };
    is($client->($_), 0, "client $_") for 1 .. 17;
    like(doctor_of($b, 'capacity'), qr/^good: first: 17 of 20 seats/, 'room is left');
    like(doctor_of($b, 'refused'), qr/^good: no client was refused/, 'nobody was refused');
    my $ini = slurp($b->ini);
    spew($b->ini, "$ini\n[alerts]\npool_used = 85\n");
    like(doctor_of($b, 'capacity'), qr/^warning: first: 17 of 20 seats/, '[alerts] pool_used: a warning earlier');
    like($b->kmsctl('doctor', '--nagios')->{out}, qr/ 'first'=17;17;20;0;20$/, 'which --nagios says, too');
    spew($b->ini, "$ini\n[alerts]\npool_used = 86\n");
    like(doctor_of($b, 'capacity'), qr/^good: first: 17 of 20 seats/, 'a part of a seat is a whole one');
    spew($b->ini, "$ini\n[alerts]\nstrict = yes\n");
    is($b->kmsctl('doctor')->{exit}, 4, '[alerts] strict: a warning is a problem');
    spew($b->ini, "$ini\n[alerts]\ndisk_free = 100\n");
    like(doctor_of($b, 'disk'), qr/^warning: .* -> free disk space/, '[alerts] disk_free');
    spew($b->ini, "$ini\n[alerts]\nkey_left = 3660d\n");
    like(doctor_of($b, 'key'), qr/^warning: acme: the key expires in \d+ days/, '[alerts] key_left');
    spew($b->ini, $ini);
    is($client->(18), 0, 'client 18');
    my $nagios = $b->kmsctl('doctor', '--nagios');
    my %state = (OK => 0, WARNING => 1, CRITICAL => 2);
    is($nagios->{exit}, $state{ ($nagios->{out} =~ /^KMS (\w+)/)[0] }, '--nagios: the exit code is of the state') or diag($nagios->{out});
    is($b->kmsctl('doctor', '--strict')->{exit}, 4, '--strict: a warning is a problem');
    is($b->kmsctl(@$_)->{exit}, 3, "kmsctl @$_: UNKNOWN, as a monitor expects it of a wrong call")
        for [ '--json', 'doctor', '--nagios' ], [qw(doctor --nagios --bogus)], [qw(doctor --bogus --nagios)];
    is($b->kmsctl(qw(doctor --bogus))->{exit}, 1, 'and without --nagios the exit code of every command');
    SKIP: {
        skip 'needs root, to run as another user', 2 if $> != 0;
        chmod 0755, $b->dir;
        my $r = run([ 'setpriv', '--reuid', 2, '--regid', 2, '--clear-groups', program('kmsctl'), '-c', $b->ini, 'doctor', '--nagios' ]);
        is($r->{exit}, 3, '--nagios, for a user who may not look: UNKNOWN');
        like($r->{out}, qr/^KMS UNKNOWN - not allowed to use [^|\n]+ \| bad=\d+;;1;0 warnings=\d+;1;;0\n\z/, 'and why');
    }
    like($nagios->{out}, qr/^KMS [A-Z]+ - [^|\n]+ \| bad=\d+;;1;0 warnings=\d+;1;;0 'first'=18;18;20;0;20\n\z/, '--nagios: one line, with the count');
    like(doctor_of($b, 'capacity'), qr/^warning: first: 18 of 20 seats/, 'nine tenths');
    is($client->(19), 0, 'client 19');
    like(doctor_of($b, 'capacity'), qr/^warning: first: 19 of 20 seats/, 'nearly full');
    is($client->(20), 0, 'client 20');
    is($b->client("x'; reboot; echo '", 'activate', product => 'dddddddd-0000-4000-8000-000000000001')->{exit}, 2, 'a name that is a command');
    like(doctor_of($b, 'refused'), qr/ -> kmsctl why [0-9a-f]{32}$/m, 'a name from the network is not given to a shell');
    is($client->(21), 2, 'one too many');
    my $findings = examine($b->kmsctl('--json', 'doctor'));
    like(of($findings, 'capacity'), qr/^bad: first: the pool is full, .*KMS_E_CAPACITY: all 20 seats are taken.* -> kmsctl clients, then kmsctl client forget/, 'full');
    like(of($findings, 'refused'), qr/^bad: 2 clients were refused within a day with KMS_E_CAPACITY: .* -> kmsctl why (?:seat-21|[0-9a-f]{32})$/, 'and who was refused');
    like($b->kmsctl('status')->{out}, qr/first +20 +20$/m, 'status has the capacity');
    like($b->kmsctl('status')->{out}, qr/^  Clients: +2[0-2]$/m, 'and as many clients as asked');
};

subtest 'clones that hold the count down' => sub {
    my $b = start_appliance(publisher => publisher(), fronts => 1);
    $b->enable;
    is($b->client('first', 'activate')->{exit}, 5, 'a machine, below the threshold');
    my $clients = $b->dir . '/clients';
    for my $end ('', '.key') { spew("$clients/copy$end", slurp("$clients/first$end")); chmod 0600, "$clients/copy$end" }
    $b->client($_, 'activate') for qw(first copy first copy first);
    like(doctor_of($b, 'count'), qr/^warning: Example Server: 1 of 5 clients, 4 more needed -> kmsctl clients --clones: 1 key is used by several machines/m,
        'more requests of clones do not help');
};

subtest 'kms.ini with errors' => sub {
    my $ini = slurp($a->ini);
    spew($a->ini, "$ini\n[limits]\nconnnections = 4\n");
    my $findings = examine($a->kmsctl('--json', 'doctor'));
    like(of($findings, 'config'), qr/^bad: .* has 1 error: line \d+: .*connnections.* -> kmsctl config check/, 'is a finding');
    like(of($findings, 'service'), qr/^good/, 'and the rest is looked at all the same');
    my $status = $a->kmsctl('status');
    is($status->{exit}, 0, 'status works too');
    like($status->{out}, qr/has 1 error: line \d+: .*kmsctl config check.*activating/s, 'and says so first');
    spew($a->ini, $ini);
};

subtest 'no publisher' => sub {
    my $q = publisher();
    my $b = start_appliance(publisher => $q, fronts => 1);
    spew($b->ini, slurp($b->ini) =~ s/^\[publisher .*//msr);
    $b->stop;
    $b->start;
    like(doctor_of($b, $_), qr/^bad: no .* -> kmsctl setup FOLDER/, "$_: key install and policy install would fail") for qw(key count);
};

subtest 'a front that does not answer' => sub {
    my $b = start_appliance(publisher => $p, fronts => 2);
    my ($front) = grep { slurp("/proc/$_/comm") =~ /^kmsd-front/ } split ' ', slurp('/proc/' . $b->pid . '/task/' . $b->pid . '/children');
    kill STOP => $front;
    my @answer = sort map { $_->{answer} . (defined $_->{open} ? ' with figures' : '') } @{ ($b->kmsctl_json('status'))[0]{fronts} };
    is_deeply(\@answer, [ 'in time with figures', 'no answer' ], 'has no figures');
    like($b->kmsctl(qw(status --all))->{out}, qr/ no answer +- +- /, 'also as text');
    like($b->kmsctl('status')->{out}, qr/1 front did not answer in time: kmsctl status --all/, 'and in short');
    like(doctor_of($b, 'front'), qr/^warning: 1 front did not answer in time -> /, 'doctor says so');
    kill CONT => $front;
};

subtest 'a key at its end' => sub {
    my $b = start_appliance(publisher => $p, fronts => 1);
    my $until = time + 8;
    my $key = issue_key($p, output => "$dir/short", valid_to => POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $until));
    $b->do('policy', 'install', $p->{pack});
    $b->do('key', 'install', $key);
    $b->certify($p, $key);
    like(doctor_of($b, 'key'), qr/^warning: acme: the key expires in 0 days/, 'on its last day');
    wait_for(30, sub { time > $until + 1 }, 'the key runs out');
    my $status = $b->kmsctl('status')->{out};
    like($status, qr/Example Server: 0 of 5 counted, but every client is refused: the key expired at 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ/, 'status says that all are refused');
    unlike($status, qr/activating|more clients? needed/, 'and nothing else of the product');
    is(($b->kmsctl_json('status'))[0]{products}[0]{refused_with}, 'KMS_E_KEY_EXPIRED', 'also to a program');
    like(doctor_of($b, 'key'), qr/^bad: acme: the key has expired -> ask the publisher for a new key, then kmsctl key install/, 'expired');
};

subtest 'a key that is not valid yet, a key that is revoked' => sub {
    my $q = publisher();
    my $b = start_appliance(publisher => $q, fronts => 1);
    $b->do('policy', 'install', $q->{pack});
    is(run([ program('kmsissue'), qw(key issue -d), $q->{dir}, qw(--customer Later --group server --policy), $q->{pack},
        '--valid-from', soon(3 * 3600 - 60), '-o', "$dir/later" ])->{exit}, 0, 'a key for later');
    $b->do('key', 'install', "$dir/later.kmskey");
    $b->certify($q, "$dir/later.kmskey");
    like($b->kmsctl('status')->{out}, qr/every client is refused: the key becomes valid at 20/, 'status says so');
    like(doctor_of($b, 'key'), qr/^bad: acme: the key becomes valid in 3 hours -> wait/, 'not valid yet');
    my ($id) = slurp("$dir/later.kmskey") =~ /^id = (\S+)$/m;
    is(run([ program('kmsissue'), qw(revoke key -d), $q->{dir}, '--reason', 'not paid', $id ])->{exit}, 0, 'the publisher revokes it');
    is(run([ program('kmsissue'), qw(revocations -d), $q->{dir}, '-o', "$dir/list" ])->{exit}, 0, 'in a list');
    $b->do('revocations', 'install', "$dir/list.kmsrevoked");
    like($b->kmsctl('status')->{out}, qr/every client is refused: the publisher revoked the key: not paid/, 'status says that all are refused');
    is(($b->kmsctl_json("why", "127.0.0.1"))[0]{now}[0]{symbol}, 'KMS_E_KEY_INVALID', 'and why, what they get');
    like(doctor_of($b, 'key'), qr/^bad: acme: revoked by the publisher: not paid -> ask the publisher/, 'revoked');
};

subtest 'locked keys' => sub {
    my $b = start_appliance(publisher => $p, fronts => 1);
    my $secret = spew("$dir/secret", "correct horse\n");
    $b->do('key', 'seal', '--passphrase', '--passphrase-file', $secret);
    $b->stop;
    $b->start;
    my $findings = examine($b->kmsctl('--json', 'doctor'));
    like(of($findings, 'service'), qr/^bad: the host's keys are locked -> kmsctl unlock$/, 'locked');
    is(of($findings, $_), '', "and of $_ nothing is claimed") for qw(key count);
    $b->do('unlock', '--passphrase-file', $secret);
    like(doctor_of($b, 'service'), qr/^good/, 'unlocked');
};

subtest 'the publishers\' files' => sub {
    my $ini = slurp($a->ini);
    spew($a->ini, "$ini\npolicy = $p->{pack}\n");
    like(doctor('publishers'), qr/^good: /, 'as installed');
    my $text = slurp($p->{pack}) =~ s/^version = .*$/version = 1.7/mr;
    spew($a->ini, "$ini\npolicy = " . sign_pack($p, 'newer', $text) . "\n");
    like(doctor('publishers'), qr/^warning: 1 difference.*acme policy: example 1\.0 is installed, the file is 1\.7 -> kmsctl apply/, 'a newer pack lies there');
    spew($a->ini, "$ini\npolicy = $dir/none.kmspolicy\n");
    like(doctor('publishers'), qr/^warning: .*none\.kmspolicy: no such file -> kmsctl plan/, 'a file that is not there');
    spew($a->ini, $ini);
};

subtest 'a publisher that kmsd has not read' => sub {
    my $ini = slurp($a->ini);
    spew($a->ini, "$ini\[publisher other]\nkey = " . publisher(name => 'other')->{key} . "\n");
    like(doctor('service'), qr/^bad: kmsd is running, but has not read \[publisher other\] -> systemctl reload kmsd/, 'not read');
    spew($a->ini, $ini);
};

subtest 'the relay' => sub {
    my $ini = slurp($a->ini);
    my @host = map { spawn([ '/usr/bin/python3', "$SRC/t/lib/relay/standin_host.py", '--port-file', "$dir/host-$_" ]) } 1 .. 2;
    wait_for(20, sub { -s "$dir/host-1" && -s "$dir/host-2" }, 'the stand-ins for KMS hosts listen');
    my @port = map { slurp("$dir/host-$_") =~ /(\d+)/ } 1 .. 2;
    spew($a->ini, "$ini\[relay]\nupstream = 127.0.0.1:$port[0] 127.0.0.1:$port[1]/1\n");
    like(doctor('relay'), qr/^good: 2 KMS hosts can be reached/, 'both are up');
    my $standin = standin('good');
    my $said = of(examine(run([ program('kmsctl'), '-c', $a->ini, '-s', $standin->{socket}, '--json', 'doctor' ])), 'relay');
    like($said, qr/^bad: kmsctl can reach the KMS hosts, but kmsd found none for 7 clients -> kmsctl plan/, 'but not by kmsd');
    end_process($host[1]);
    like(doctor('relay'), qr/^warning: 1 of 2 KMS hosts cannot be used: 127\.0\.0\.1 port $port[1]: 0x800706BA: refused.* -> kmsctl relay check/, 'one is down');
    my $other = IO::Socket::INET->new(Listen => 4, LocalAddr => '127.0.0.1', LocalPort => $port[1]) or die "port $port[1]: $!";
    like(doctor('relay'), qr/^warning: 1 of 2 .*port $port[1]: accepts, but does not serve the KMS interface/, 'another service in its place');
    close $other;
    end_process($host[0]);
    like(doctor('relay'), qr/^bad: 2 of 2 KMS hosts cannot be used/, 'both are down');
    my $named = KMS::Named->start(zones => { 'relay.test' => { records => '' } });
    spew($a->ini, "$ini\[relay]\ndomain = relay.test\nnameserver = " . $named->server . "\n");
    like(doctor('relay'), qr/^bad: no KMS host is known: SRV _vlmcs\._tcp\.relay\.test: .* -> kmsctl relay check/, 'none in DNS');
    spew($a->ini, $ini);
};

sub standin ($scenario) {
    my $s = { socket => "$dir/$scenario.sock", log => "$dir/$scenario.log" };
    pipe my $in, $s->{hold} or die;
    $s->{pid} = spawn([ program('control_standin'), $s->{socket}, $scenario ], log => $s->{log}, in => $in);
    wait_for(10, sub { -s $s->{log} }, 'the stand-in listens');
    return $s;
}

subtest 'a host of another version, and one that cannot write' => sub {
    my $s = standin('failing');
    my $findings = examine(run([ program('kmsctl'), '-c', $a->ini, '-s', $s->{socket}, '--json', 'doctor' ]));
    like(of($findings, 'version'), qr/^bad: kmsd is 9\.9\.9, kmsctl is \S+ -> systemctl restart kmsd/, 'versions differ');
    like(of($findings, 'ledger'), qr/^bad: the ledger cannot be written -> df, then journalctl -u kmsd/, 'the ledger cannot be written');
    like(of($findings, 'sandbox'), qr/^warning: kmsd-activate runs without uid -> journalctl -u kmsd KMS_EVENT=sandbox-missing/, 'a layer is missing');
    my $deaf = standin('close');
    $findings = examine(run([ program('kmsctl'), '-c', $a->ini, '-s', $deaf->{socket}, '--json', 'doctor' ]));
    like(of($findings, 'service'), qr/^bad: .*closed the connection without an answer -> journalctl -u kmsd/, 'one that does not answer');
};

SKIP: {
    skip 'not root: sandbox, firewall, owners, disks, users', 1 if $> != 0;

    like(doctor('sandbox'), qr/^good: every layer/, 'the sandbox is whole');
    subtest 'a sandbox with a layer missing' => sub {
        my $b = start_appliance(publisher => $p, fronts => 1, as => 'nobody');
        like(doctor_of($b, 'sandbox'), qr/^warning: kmsd-activate runs without [a-z ]*uid.* -> journalctl -u kmsd KMS_EVENT=sandbox-missing/m, 'a plain user\'s kmsd');
    };

    subtest 'firewall' => sub {
        like(doctor('firewall'), qr/^bad: .*port.* -> kmsctl plan/, 'a port that changes at each start');
        is($a->stop, 0, 'kmsd stops');
        spew($a->ini, slurp($a->ini) =~ s/port = 0/port = 1688/r);
        $a->start;
        like(doctor('firewall'), qr/^bad: .*difference.* -> kmsctl apply/, 'no firewall') or diag($a->kmsctl('doctor')->{out});
        $a->do('firewall', 'apply');
        like(doctor('firewall'), qr/^good: /, 'with it');
        is(run([ 'nft', 'add', 'rule', 'inet', 'kms', 'input', 'counter' ])->{exit}, 0, 'somebody adds a rule');
        like(doctor('firewall'), qr/^bad: .*table inet kms: 1 line of it differs.* -> kmsctl apply/, 'altered');
        $a->do('firewall', 'apply');
    };

    subtest 'DNS' => sub {
        my $key = run([ 'tsig-keygen', 'doctor' ])->{out};
        my $named = KMS::Named->start(conf => $key, zones => { 'doctor.test' => { records => '', options => 'allow-update { key doctor; };' } });
        my $ini = slurp($a->ini);
        my @server = ('--nameserver', $named->server);
        spew($a->ini, "$ini\[dns]\ndomains = doctor.test\nhost = kms.doctor.test\naddresses = 127.0.0.1\nserver = " . $named->server
            . "\ntsig_key_file = " . spew("$dir/tsig", $key) . "\n");
        like(doctor('dns', @server), qr/^bad: 1 difference.*records: 2 missing, 0 stale, for example \S+.* -> kmsctl apply/, 'missing');
        $a->do('dns', 'publish');
        like(doctor('dns', @server), qr/^good: /, 'published');
        spew($a->ini, slurp($a->ini) =~ s/^host = kms\.doctor/host = new.doctor/mr);
        like(doctor('dns', @server), qr/^bad: .*stale.* -> kmsctl apply/, 'the old name is still there');
        spew($a->ini, slurp($a->ini) =~ s/^host = new\.doctor/host = kms.doctor/mr);
        $named->stop;
        like(doctor('dns', @server, '-t', 2), qr/^(?:bad|warning): .* -> kmsctl plan/, 'a name server that is down');
        spew($a->ini, $ini);
    };

    subtest 'owners, modes, users' => sub {
        my $state = $a->dir . '/state';
        chmod 0755, $state;
        like(doctor('files'), qr/^bad: .*\Q$state\E: mode 0755.* -> kmsctl apply/, 'a state directory that all may read');
        chmod 0700, $state;
        spew("$state/stray", 'x');
        like(doctor('files'), qr/^bad: .*1 belong to another user -> kmsctl apply/, 'a file of another user\'s in it');
        unlink "$state/stray";
        chmod 0666, $a->ini;
        my $ini = slurp($a->ini);
        spew($a->ini, $ini =~ s/^front_user = .*$/front_user = nosuchuser/mr =~ s/^(\[kms\])$/$1\ncontrol_group = nosuchgroup/mr);
        like(doctor('users'), qr/^bad: 2 differences.*nosuchuser: no such user -> kmsctl apply/, 'users that are not there');
        spew($a->ini, $ini);
        like(doctor('users'), qr/^good/, 'and that are');
    };

    # A small disk over the state directory, which only this process and its children see.
    subtest 'disk' => sub {
        for my $row (
            [ 'full', 'size=64k', 0, qr/^bad: .* MiB free, \d+ % -> free disk space/ ],
            [ 'nearly full', 'size=64m', 60, qr/^warning: .* 4 MiB free, 6 % -> free disk space/ ],
            [ 'roomy', 'size=64m', 1, qr/^good: .* 63 MiB free/ ],
        ) {
            my ($name, $size, $fill, $words) = @$row;
            my $r = run([ 'unshare', '--mount', 'sh', '-c', "mount -t tmpfs -o $size none \"\$0\" && head -c ${fill}M /dev/zero >\"\$0/fill\" && exec \"\$\@\"",
                $a->dir . '/state', program('kmsctl'), '-c', $a->ini, '--json', 'doctor' ]);
            like(of(examine($r), 'disk'), $words, "a disk that is $name");
        }
    };
}

like($a->kmsctl('doctor')->{out}, qr/^ *good +service +kmsd is running\n.*^ *warning +key +acme: .*: ask the publisher.*^\d+ bad, \d+ warnings?$/ms, 'as text');
is($a->stop, 0, 'kmsd stops');
like(doctor('service'), qr/^bad: kmsd is not running.* -> systemctl start kmsd/, 'not running');
like(doctor('ledger'), qr/^good/, 'the ledger is looked at all the same');
my ($segment) = sort glob $a->dir . '/state/kmsdb/journal/*';
spew($segment, 'x' x 4096);
like(doctor('ledger'), qr/^bad: .* -> kmsctl ledger check/, 'a damaged ledger');
done_testing;
