#!/usr/bin/perl
# The Debian packages on a machine that is booted: a fresh Debian with its own systemd (systemd-nspawn), one cable away from the test. The
# administrator's commands are the real ones, systemd keeps the sockets, starts, watches and confines, the kernel drops what
# kms.ini does not allow: also before kmsd is there after a restart of the machine, and beside firewalld and ufw.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Select;
use IO::Socket::INET;
use KMS::Debian;
use KMS::Machine;
use KMS::Named;
use KMS::Test;
use POSIX ();
use Socket qw(pack_sockaddr_in inet_aton SO_ERROR);
use Test::More;
use Time::HiRes qw(sleep time);

skip_unless_possible(qw(debootstrap dpkg-buildpackage dh systemd-nspawn nsenter setpriv ip named));
my $packages = prepare();
my $dir = apart($packages, 'net');
# The test is at .1, on a network that is allowed and on one that is not.
my ($machine_at, $not_allowed_at, $test_at, $not_allowed) = ('10.77.0.2', '198.51.100.2', '10.77.0.1', '198.51.100.1');
my $m = KMS::Machine->new(make_root($packages, "$dir/root"), there => [ "$machine_at/24", "$not_allowed_at/24" ],
    here => [ "$test_at/24", "$not_allowed/24" ]);
my $product = '11111111-1111-4111-8111-111111111111';
my $p = publisher(dir => "$dir/publisher", products => [ { name => 'Booted', id => $product, threshold => 1, group => 'client', pool => 'desktops' } ]);
my @options = ('--publisher-key', $p->{key}, '--product', $product);
mkdir "$dir/clients";

sub good ($name, @command) {
    my $r = $m->run(@command);
    is($r->{exit}, 0, $name) or diag("@command: $r->{out}$r->{err}" . $m->run(qw(journalctl --no-pager -n 30))->{out});
    return $r->{out};
}
sub client ($n, $verb, $at = $machine_at) {
    return run([ program('kmsclient'), @options, '--state', "$dir/clients/$n", '--host', "$at:1688", '--name', "pc-$n", $verb ])->{exit};
}
# How a connection ends: connected, timeout, or what the kernel says.
sub reach ($at, $seconds = 1) {
    my $s = IO::Socket::INET->new(Proto => 'tcp') or die "socket: $!";
    $s->blocking(0);
    connect $s, pack_sockaddr_in(1688, inet_aton($at)) or $!{EINPROGRESS} or return "$!";
    IO::Select->new($s)->can_write($seconds) or return 'timeout';
    $! = $s->sockopt(SO_ERROR) or return 'connected';
    return "$!";
}
# Somebody on the network that is not allowed, who tries until the code is done: { how it ended => how often }
sub tries_during ($code) {
    my $seen = "$dir/seen";
    unlink $seen;
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open my $fh, '>', $seen or POSIX::_exit(1);
        $fh->autoflush(1);
        while (1) { print {$fh} reach($not_allowed_at, 0.3), "\n"; sleep 0.01 }
    }
    wait_for(20, sub { -s $seen }, 'somebody tries');
    $code->();
    my $before = -s $seen;
    wait_for(30, sub { -s $seen > $before + 40 }, 'somebody still tries');
    kill 'KILL', $pid;
    waitpid $pid, 0;
    my %how;
    $how{$_}++ for split /\n/, slurp($seen);
    note(join ', ', map { "$_: $how{$_}" } sort keys %how);
    return \%how;
}
sub serves () { return $m->run(qw(kmsctl status))->{exit} == 0 }
sub status () { return json_of($m->run(qw(kmsctl --json status))) }
sub ini ($more = '') {
    spew($m->host('/etc/kms/kms.ini'), "[firewall]\nallow = 10.77.0.0/24\nrate = 0\n[limits]\nrenewals_per_interval = 1000000\n[publisher acme]\nkey = $p->{key}\n$more");
}
my $sieges = 0;
sub siege_begin () {
    my $log = "$dir/siege." . ++$sieges;
    my $s = { log => $log, acks => "$log.acks" };
    $s->{pid} = spawn([ program('siege'), '--churn', '--host', $machine_at, '--port', 1688, '--publisher', $p->{key}, '--product', $product,
        '--clients', 16, '--state', "$dir/siege.state", '--acks', $s->{acks} ], log => $log);
    siege_goes_on($s);
    return $s;
}
sub siege_goes_on ($s) {
    my $before = -s $s->{acks} // 0;
    eval { wait_for(60, sub { (-s $s->{acks} // 0) > $before + 10_000 }, 'clients are served') } or fail("$@" . slurp($s->{log}));
}
sub siege_end ($s, $what) {
    kill 'TERM', $s->{pid};
    my $exit = eval { wait_exit($s->{pid}, 60) } // $@;
    is($exit, 0, "$what: every answer was right");
    like(slurp($s->{log}), qr/refused=0 dropped=0/, "$what: nobody was refused or dropped");
    note("$what: " . slurp($s->{log}));
}
sub main_pid () { return $m->show('kmsd', 'MainPID') }
sub comes_back ($old, $what) {
    ok(eval { wait_for(60, sub { my $now = main_pid(); $now && $now != $old && serves() }, $what) }, $what)
        or diag($m->systemctl(qw(status kmsd kmsd.socket)) . $m->run(qw(journalctl --no-pager -n 40))->{out});
}
# Three for each process, root's but for the children.
sub confined ($what) {
    my %layers = map { $_->{process} => $_ } @{ status()->{sandbox} };
    is(join(' ', sort keys %layers), 'kmsd-activate kmsd-front 0 kmsd-front 1', "$what: three processes are confined");
    for my $name (sort keys %layers) {
        is($layers{$name}{layers}, $name =~ /front/ ? 'no-new-privs uid chroot landlock seccomp rlimits no-core'
            : 'no-new-privs uid netns landlock seccomp rlimits no-core', "$what: $name has every layer");
        is($layers{$name}{missing}, '', "$what: $name misses none");
    }
}

my $state = eval { $m->boot };
if (!$state) {
    not_tested("systemd-nspawn does not boot here: $@");
}
my $began = time;
sub part ($name, $code) {
    my $at = time;
    subtest $name => sub { eval { $code->(); 1 } or fail("died: $@") };
    note(sprintf '%s: %.1f s', $name, time - $at);
}

part 'installed with dpkg on the running machine' => sub {
    run([ 'cp', @{ $packages->{debs} }{@PACKAGES}, $m->host('/root/') ]);
    my $said = good('dpkg -i', qw(sh -c), 'dpkg -i --force-unsafe-io /root/*.deb 2>&1');
    unlike($said, qr/Could not execute|failed/i, 'no maintainer script complains') or diag($said);
    is($m->systemctl('is-active', $_), 'active', "$_ is active") for qw(kmsd.socket kmsd.service);
    is($m->systemctl('is-enabled', $_), 'enabled', "$_ is enabled") for qw(kmsd.socket kmsd.service);
    is($m->show('kmsd', 'StatusText'), 'serving on port 1688', 'kmsd told systemd that it is ready');
    my $pid = main_pid();
    is($m->run('ps', '-o', 'user=,args=', '--pid', $pid, '--ppid', $pid)->{out} =~ s/ +/ /gr,
        "root /usr/sbin/kmsd -f /etc/kms/kms.ini\n_kms kmsd-activate\n_kmsnet kmsd-front\n_kmsnet1 kmsd-front\n", 'whose processes they are');
    confined('installed');
    is($m->systemctl(qw(--failed --plain --no-legend)), '', 'no unit has failed');
    is($m->systemctl('is-system-running'), 'running', 'the machine is not degraded');
    is(reach($not_allowed_at), 'connected', 'without a firewall everybody reaches the port');
};

part 'the way of the administrator' => sub {
    ini();
    good('kmsctl config check', qw(kmsctl config check));
    like(good('kmsctl plan', qw(kmsctl plan)), qr/kms-firewall\.service: disabled.*table inet kms/s, 'plan says what is missing');
    good('kmsctl apply', qw(kmsctl apply));
    is($m->systemctl('is-enabled', 'kms-firewall'), 'enabled', 'the firewall comes with the machine');
    is($m->systemctl('is-active', 'kms-firewall'), 'active', 'and is active already: nftables.service takes it along');
    good('systemctl restart kmsd', qw(systemctl restart kmsd));
    my $key = issue_key($p, group => 'client', output => "$dir/customer");
    run([ 'cp', $p->{pack}, "$p->{pack}.minisig", $key, "$key.minisig", $m->host('/root/') ]);
    my ($pack_there, $key_there) = map { s{.*/}{/root/}r } $p->{pack}, $key;
    good('kmsctl policy install', qw(kmsctl policy install), $pack_there);
    good('kmsctl key install', qw(kmsctl key install), $key_there);
    good('kmsctl key request', qw(kmsctl key request -o /root/host.kmsreq));
    confirm($p, $m->host('/root/host.kmsreq'), output => $m->host('/root/host'));
    good('kmsctl key confirm', qw(kmsctl key confirm /root/host.kmscert));
    good('nothing is left to do', qw(kmsctl plan --check));
    is(client($_, 'activate'), 0, "client $_ is activated over the network") for 1 .. 3;
    is(reach($machine_at), 'connected', 'an allowed network reaches the port');
    is(reach($not_allowed_at), 'timeout', 'another one is dropped');
    good('nftables.service starts', qw(systemctl start nftables));
    good('and reloads, which flushes all rules', qw(systemctl reload nftables));
    ok(eval { wait_for(20, sub { $m->run(qw(kmsctl firewall check))->{exit} == 0 }, 'ours') }, 'ours follow');
    is(reach($not_allowed_at), 'timeout', 'and are in force');
    good('nftables.service stops, and takes them along', qw(systemctl stop nftables));
    like(good('kmsctl apply', qw(kmsctl apply)), qr/kms-firewall\.service: enabled, but not active\. Done: started/, 'kmsctl apply brings them back');
    is(reach($not_allowed_at), 'timeout', 'and they are in force');
    my $doctor = $m->run(qw(kmsctl doctor));
    is($doctor->{exit}, 0, 'kmsctl doctor finds nothing bad') or diag($doctor->{out});
};

part 'reload and restart under load' => sub {
    my $s = siege_begin();
    for (1 .. 3) {
        good("reload $_", qw(systemctl reload kmsd));
        siege_goes_on($s);
        good("restart $_", qw(systemctl restart kmsd));
        siege_goes_on($s);
    }
    spew($m->host('/etc/kms/kms.ini'), slurp($m->host('/etc/kms/kms.ini')) . "[limits]\nidle_timout = 1\n");
    isnt($m->run(qw(systemctl reload kmsd))->{exit}, 0, 'an erroneous file: the reload fails');
    siege_goes_on($s);
    ini();
    siege_end($s, 'three reloads, three restarts and an erroneous file');
};

part 'watched and restarted' => sub {
    for my $time (1 .. 6) {
        my $pid = main_pid();
        $m->run('kill', '-KILL', $pid);
        comes_back($pid, "kill -9, for the ${time}th time: kmsd is started again");
    }
    is(client(1, 'renew'), 0, 'and serves');
    is($m->show('kmsd', 'NRestarts'), 6, 'by systemd, which does not give up');
    $m->run(qw(mkdir -p /run/systemd/system/kmsd.service.d));
    $m->sh('printf "[Service]\nWatchdogSec=2\n" >/run/systemd/system/kmsd.service.d/watchdog.conf; systemctl daemon-reload; systemctl restart kmsd');
    my $pid = main_pid();
    my $at = time;
    $m->run('kill', '-STOP', $pid);
    comes_back($pid, 'SIGSTOP: the watchdog notices, and kmsd is started again');
    cmp_ok(time - $at, '<', 25, 'without waiting for the process that hangs');
    like($m->run(qw(journalctl --no-pager -u kmsd -b))->{out}, qr/Watchdog timeout \(limit 2s\)/, 'systemd says so');
    is(client(1, 'renew'), 0, 'and serves');
    $m->sh('rm -r /run/systemd/system/kmsd.service.d; systemctl daemon-reload; systemctl restart kmsd');
    confined('started again');
};

part 'journald, timers, exposure' => sub {
    my ($entry) = map { JSON::PP->new->decode($_) } (split /\n/, good('journalctl KMS_EVENT=kmsd-ready', qw(journalctl -b -o json KMS_EVENT=kmsd-ready)))[-1];
    is_deeply({ map { $_ => $entry->{$_} } qw(SYSLOG_IDENTIFIER PRIORITY KMS_EVENT SYSLOG_FACILITY _SYSTEMD_UNIT MESSAGE) },
        { SYSLOG_IDENTIFIER => 'kmsd', PRIORITY => 5, KMS_EVENT => 'kmsd-ready', SYSLOG_FACILITY => 3, _SYSTEMD_UNIT => 'kmsd.service',
            MESSAGE => 'kmsd-ready: serving on port 1688' }, 'the fields of an event');
    for my $of (qw(front-ready activate-ready)) {
        like($m->run(qw(journalctl -b -o json), "KMS_EVENT=$of")->{out}, qr/"SYSLOG_IDENTIFIER":"kmsd-(?:front|activate)"/, "$of too");
    }
    # Of the unit as it is in force here.
    for my $of ([ 'kmsd', 2.0 ], [ 'kms-firewall', 3.0 ], [ 'kms-dns', 3.0 ], [ 'kms-doctor', 4.0 ]) {
        my ($exposure) = $m->run(qw(systemd-analyze security --no-pager), "$of->[0].service")->{out} =~ /Overall exposure level for \S+: ([0-9.]+)/;
        cmp_ok($exposure // 99, '<', $of->[1], "exposure of $of->[0].service: " . ($exposure // 'not said'));
    }
    my $said = $m->sh('systemd-analyze verify --man=no /lib/systemd/system/kms*.* 2>&1');
    is("$said->{exit} $said->{out}", '0 ', 'systemd-analyze verify has nothing to say');
};

part 'DNS from within its unit' => sub {
    my $key = run([ 'tsig-keygen', 'kms' ])->{out};
    my $named = KMS::Named->start(address => $test_at, conf => $key, zones => { 'example.test' => { options => 'allow-update { key kms; };' } });
    $m->sh('umask 077; cat >/etc/kms/tsig.key <<"END"' . "\n${key}END\n");
    ini("[dns]\ndomains = example.test\nhost = kms.example.test\naddresses = $machine_at\nserver = @{[ $named->server ]}\ntsig_key_file = /etc/kms/tsig.key\n");
    good('kms-dns.service', qw(systemctl start kms-dns.service));
    is($named->dig('_kms._tcp.example.test', 'SRV') =~ s/^\S+ \d+ IN //r, 'SRV 0 0 1688 kms.example.test.', 'the record is published');
    is($named->dig('kms.example.test', 'A') =~ s/^\S+ \d+ IN //r, "A $machine_at", 'and the address');
    good('kmsctl apply', qw(kmsctl apply --nameserver), $named->server);
    like($m->systemctl(qw(list-timers --no-legend kms-dns.timer)), qr/kms-dns\.service/, 'kms-dns.timer waits for tomorrow');
    good('nothing is left to do', qw(kmsctl plan --check --nameserver), $named->server);
    is(run([ program('kmsclient'), @options, '--state', "$dir/clients/dns", '--domain', 'example.test', '--nameserver', $named->server,
        '--name', 'pc-dns', 'activate' ])->{exit}, 0, 'a client finds the host by it');
    good('kmsctl dns unpublish', qw(kmsctl dns unpublish));
    is($named->dig('_kms._tcp.example.test', 'SRV'), '', 'and it is gone');
    $named->stop;
    $m->run(qw(systemctl disable --now kms-dns.timer));
    ini();
};

part 'a relay' => sub {
    my $host = { map { $_ => "$dir/standin.$_" } qw(log mode port) };
    my $pid = spawn([ 'python3', "$SRC/t/lib/relay/standin_host.py", '--address', $test_at, '--log', $host->{log}, '--mode', $host->{mode},
        '--port-file', $host->{port} ], log => "$dir/standin.err");
    wait_for(20, sub { -s $host->{port} }, 'the stand-in listens');
    my ($number) = slurp($host->{port}) =~ /(\d+)/;
    # By its name: kmsd-resolve has to get out of the unit too.
    my $named = KMS::Named->start(address => $test_at, zones => { 'example.test' => { records => "windows A $test_at\n" } });
    ini("[relay]\nupstream = windows.example.test:$number\nnameserver = @{[ $named->server ]}\nallow = 10.77.0.0/24\n");
    like(good('kmsctl apply', qw(kmsctl apply)), qr{kmsd\.service\.d/50-kms-ini\.conf: missing.*kmsd\.service: started before}s,
        'the drop-in is written and kmsd restarted');
    my $r = run([ 'python3', "$SRC/t/lib/relay/rpc_client.py", '--address', $machine_at, '--port', 1688, '--log', $host->{log}, '--mode', $host->{mode},
        qw(plain byte_for_byte wrong_interface) ]);
    is_deeply(JSON::PP->new->decode($r->{out} || '{}'), { plain => undef, byte_for_byte => undef, wrong_interface => undef }, 'what passes and what is refused')
        or diag($r->{err} . $m->run(qw(journalctl --no-pager -u kmsd -n 60))->{out});
    like(slurp($host->{log}), qr/^bind/m, 'the KMS host got a bind');
    confined('with a relay');
    is(client(1, 'renew'), 0, 'native clients are served beside it');
    end_process($pid);
    $named->stop;
    ini();
    like(good('kmsctl apply', qw(kmsctl apply)), qr/removed: the unit already has these settings.*Done: restarted/s, 'without one the drop-in goes');
    is($m->show('kmsd', 'PrivateNetwork'), 'yes', 'and with it the network');
    good('nothing is left to do', qw(kmsctl plan --check));
};

part 'the machine restarts' => sub {
    my ($row) = grep { $_->{id} eq $product } @{ status()->{products} };
    cmp_ok($row->{counted}, '>=', 3, 'clients are counted');
    my $up_again = sub {
        is($m->reboot, 'running', 'the machine is up again');
        wait_for(60, \&serves, 'kmsd serves');
    };
    my $how = tries_during($up_again);
    ok($how->{timeout} && !$how->{connected} && !$how->{'Connection refused'}, 'who is not allowed was never let in, nor told that nobody listens');
    is($m->systemctl('is-active', $_), 'active', "$_ is active") for qw(kmsd.socket kmsd.service kms-firewall.service);
    my %at = map { $_ => $m->show($_, 'ActiveEnterTimestampMonotonic') } qw(kms-firewall.service network-pre.target kmsd.service);
    ok($at{'kms-firewall.service'} <= $at{'network-pre.target'} && $at{'network-pre.target'} < $at{'kmsd.service'},
        'first the firewall, then the network, then kmsd');
    like(good('nft list', qw(nft list table inet kms)), qr/10\.77\.0\.0\/24.*tcp dport 1688 jump guard/s, 'the rules are there');
    good('nothing is left to do', qw(kmsctl plan --check));
    good('the ledger is whole', qw(kmsctl ledger check));
    my ($after) = grep { $_->{id} eq $product } @{ status()->{products} };
    is($after->{counted}, $row->{counted}, 'the count is what it was');
    is(client($_, 'verify'), 0, "the lease of client $_ is valid") for 1 .. 3;
    is(client($_, 'renew'), 0, "and renewed") for 1 .. 3;
    confined('after the restart');
    # nftables.service flushes all rules at its start and its end: nothing listens before ours are back, or after they are gone.
    good('nftables.service comes with the machine', qw(systemctl enable nftables));
    $how = tries_during($up_again);
    ok($how->{timeout} && !$how->{connected}, 'who is not allowed was never let in');
    is(reach($machine_at), 'connected', 'who is allowed is');
    good('nftables.service goes', qw(systemctl disable --now nftables));
    good('kmsctl apply', qw(kmsctl apply));
};

part 'upgrade under load' => sub {
    my $s = siege_begin();
    my $pid = main_pid();
    run([ 'sh', '-c', 'rm "$0"/*.deb', $m->host('/root') ]);
    run([ 'cp', newer($packages, $dir), $m->host('/root/') ]);
    note(good('dpkg -i', qw(sh -c), 'dpkg -i --force-unsafe-io /root/*.deb 2>&1'));
    isnt(main_pid(), $pid, 'kmsd was restarted by the package');
    siege_goes_on($s);
    siege_end($s, 'the upgrade');
    is($m->systemctl('is-enabled', $_), 'enabled', "$_ is enabled as before") for qw(kmsd.socket kmsd.service kms-firewall.service);
    like(slurp($m->host('/etc/kms/kms.ini')), qr/publisher acme/, 'the ini file was kept');
    good('the ledger is whole', qw(kmsctl ledger check));
    good('nothing is left to do', qw(kmsctl plan --check));
};

part 'without kmsd.socket' => sub {
    good('mask', qw(systemctl mask --now kmsd.socket));
    is(reach($machine_at), 'Connection refused', 'nobody listens');
    good('kmsctl apply', qw(kmsctl apply));
    wait_for(60, \&serves, 'kmsd serves');
    is($m->systemctl('is-active', 'kmsd.service'), 'active', 'kmsd runs');
    is($m->run('sh', '-c', 'ls /proc/1/fd -l | grep -c :1688')->{exit}, 1, 'without systemd');
    like($m->run(qw(journalctl --no-pager -b -u kmsd KMS_EVENT=listening))->{out}, qr/listening: 0\.0\.0\.0 port 1688/, 'and binds by itself');
    confined('without kmsd.socket');
    is(client(1, 'renew'), 0, 'clients are served');
    is(reach($not_allowed_at), 'timeout', 'and the firewall is what it was');
    good('nothing is left to do', qw(kmsctl plan --check));
    good('unmask', qw(systemctl unmask kmsd.socket));
    good('kmsctl apply', qw(kmsctl apply));
    is($m->systemctl('is-active', 'kmsd.socket'), 'active', 'and back');
    is($m->show('kmsd', 'PrivateNetwork'), 'yes', 'without a network again');
    is(client(1, 'renew'), 0, 'clients are served');
    # Another address: the socket has to be made anew.
    ini("[listen]\naddress = $machine_at\nport = 1689\n");
    like(good('kmsctl apply', qw(kmsctl apply)), qr/kmsd\.socket: started before.*Done: restarted/s, '[listen] changed: kmsd.socket is restarted');
    is(good('port', qw(cat /run/kms/port)), "1689\n", 'kmsd serves the new port');
    ini();
    good('kmsctl apply', qw(kmsctl apply));
    is(client(1, 'renew'), 0, 'and the old one again');
};

part 'kms.ini is changed' => sub {
    my $pid = main_pid();
    ini("[limits]\nidle_timeout = 301\n");
    like(good('kmsctl apply', qw(kmsctl apply)), qr/kms\.ini has changed since kmsd read it.*Done: reloaded/, 'a key for a reload');
    good('nothing is left to do', qw(kmsctl plan --check));
    is(main_pid(), $pid, 'by a reload');
    ini("[listen]\nfronts = 3\n");
    like(good('kmsctl apply', qw(kmsctl apply)), qr/kms\.ini has changed since kmsd started.*Done: restarted/, 'a key for a start');
    good('nothing is left to do', qw(kmsctl plan --check));
    isnt(main_pid(), $pid, 'by a restart');
    # A socket that was masked, while a drop-in gives kmsd the network anyway.
    ini("[relay]\nupstream = $test_at\n");
    good('a relay', qw(kmsctl apply));
    good('mask', qw(systemctl mask --now kmsd.socket));
    $m->run(qw(kmsctl apply));
    wait_for(60, \&serves, 'kmsd serves by itself');
    good('unmask', qw(systemctl unmask kmsd.socket));
    like(good('kmsctl apply', qw(kmsctl apply)), qr/kmsd\.socket: .*Done: /, 'a socket that is there again is used');
    is($m->systemctl('is-active', 'kmsd.socket'), 'active', 'systemd has it');
    good('nothing is left to do', qw(kmsctl plan --check));
    ini();
    good('kmsctl apply', qw(kmsctl apply));
    is(client(1, 'renew'), 0, 'clients are served');
};

for my $other (
    { name => 'firewalld', refuses => qr/No route to host|timeout/, start => [],
        knows => [qw(firewall-cmd --info-service=kms)], says => qr{kms\n  ports: 1688/tcp},
        opens => [qw(firewall-cmd --add-service=kms)], stop => [qw(systemctl disable --now firewalld)] },
    { name => 'ufw', refuses => qr/timeout/, start => [qw(ufw --force enable)],
        knows => [qw(ufw app info KMS)], says => qr{Profile: KMS\nTitle: Key Management Service host.*1688/tcp}s,
        opens => [qw(ufw allow KMS)], stop => [qw(ufw --force disable)] },
) {
    part $other->{name} => sub {
        my $installed = $m->run(qw(apt-get -y -q --no-download --no-install-recommends -o Dpkg::Options::=--force-unsafe-io install), $other->{name});
        is($installed->{exit}, 0, 'installed from Debian') or diag("$installed->{out}$installed->{err}");
        my $started = $other->{start}->@* ? $m->run($other->{start}->@*) : $m->run(qw(systemctl start), $other->{name});
        is($started->{exit}, 0, 'started') or diag("$started->{out}$started->{err}");
        like(good('it knows our service', $other->{knows}->@*), $other->{says}, 'as we ship it');
        like(reach($machine_at), $other->{refuses}, 'it refuses by itself');
        good('its own command', $other->{opens}->@*);
        is(reach($machine_at), 'connected', 'lets an allowed network in');
        is(client(1, 'renew'), 0, 'clients are served');
        is(reach($not_allowed_at), 'timeout', 'which opens nothing that [firewall] does not allow');
        good('ours is as it should be', qw(kmsctl firewall check));
        good('stopped', $other->{stop}->@*);
        is(reach($machine_at), 'connected', 'without it ours alone decides');
    };
}

part 'purge' => sub {
    my $said = $m->run('dpkg', '--purge', @PACKAGES);
    is($said->{exit}, 0, 'dpkg --purge') or diag("$said->{out}$said->{err}");
    like($said->{err}, qr/is kept: remove it by hand/, 'the ledger is kept, and it says so');
    ok(-e $m->host('/var/lib/kms/keys/host.key'), 'with the keys');
    is($m->systemctl(qw(list-units --all --plain --no-legend), 'kms*'), '', 'no unit is left');
    is($m->systemctl(qw(list-unit-files --no-legend), 'kms*'), '', 'nor a file of one');
    is($m->run(qw(pgrep kmsd))->{exit}, 1, 'no process');
    is(join(' ', glob $m->host('/etc/systemd/system/{kms*,*.wants/kms*}')), '', 'no drop-in and no link');
    isnt($m->run(qw(nft list table inet kms))->{exit}, 0, 'no rule of the firewall');
};

$m->poweroff;
note(sprintf 'all together: %.1f s', time - $began);
done_testing;
