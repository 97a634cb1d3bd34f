#!/usr/bin/perl
# kmsd with [share] before three real members of etcd with TLS: it starts kmsd-share, and another one when that dies, when a certificate is
# replaced and when a member has another address; and what it says of files, names and certificates that are wrong. A stand-in
# (share_activate) is in the place of kmsd-activate: it tells what kmsd-share says.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Copy qw(copy);
use KMS::Engine;
use KMS::Named;
use KMS::Test;
use POSIX qw(mkfifo);
use Test::More;

my $PATIENCE = 20;
my $dir = workspace();
mkdir "$dir/$_" for qw(libexec tls);
symlink program($_ eq 'kmsd-activate' ? 'share_activate' : $_), "$dir/libexec/$_" or die "symlink: $!\n" for qw(kmsd-activate kmsd-front kmsd-resolve kmsd-share);
my $tls = KMS::Engine::certificates($dir);
my $etcd = KMS::Engine->start($dir, $tls);
my @ports = @{ $etcd->{ports} };

# What kms.ini names: copies, which come and go.
sub put ($name, $from, $mode = 0600) {
    copy($from, "$dir/tls/$name.new") && chmod $mode, "$dir/tls/$name.new" or die "$from: $!\n";
    rename "$dir/tls/$name.new", "$dir/tls/$name" or die "$name: $!\n";
}
sub put_all () {
    put('authority.pem', $tls->{authority}, 0644);
    put('host.pem', $tls->{client}, 0644);
    put('host.key', $tls->{client_key});
}
put_all();

my $user = getpwnam('_kmsshare');
diag('NO USER _kmsshare: the layer uid is not in force here') if $> == 0 && !$user;
my $users = $> == 0 ? "activate_user = nobody\nfront_user = daemon\n" : '';
$users .= "[sandbox]\nallow_missing = uid\n" if $> == 0 && !$user;

sub ini ($members, $more = '') {
    return <<"INI";
[kms]
state_directory = $dir/state
runtime_directory = $dir/run
libexec_directory = $dir/libexec
$users\[listen]
address = 127.0.0.1
port = 0
fronts = 1
[share]
name = site-1
members = $members
authority = $dir/tls/authority.pem
certificate = $dir/tls/host.pem
key = $dir/tls/host.key
$more
INI
}
my @addresses = map { "127.0.0.1:$_" } @ports;

my $pid;
my $log = "$dir/log";
my $seen = 0;    # bytes of the log that were read
sub text () { return -e $log ? substr slurp($log), $seen : '' }
sub mark () { $seen = -s $log // 0; return }
sub said ($pattern, $what) {
    my $came = eval { wait_for($PATIENCE, sub { text() =~ $pattern }, $what); 1 };
    ok($came, $what) or diag(text());
    return;
}
sub begin ($ini) {
    mark();
    spew("$dir/kms.ini", $ini);
    # The stand-in makes no identity: without the second file, kmsd does not miss one.
    unlink "$dir/run/port", "$dir/run/host";
    $pid = spawn([ program('kmsd'), '-f', "$dir/kms.ini" ], log => $log);
    eval { wait_for($PATIENCE, sub { -s "$dir/run/port" }, 'kmsd is ready') } // die "$@" . text();
    return;
}
sub reload () {
    mark();
    kill 'HUP', $pid;
    wait_for($PATIENCE, sub { text() =~ /config-reloaded/ }, 'the reload');
    return;
}
sub finish () {
    mark();
    my $status = end_process($pid);
    is($status, 0, 'kmsd stops') or diag(text());
    unlike(text(), qr/stop-forced|child-ended|share-died/, 'and each process ends when it is asked to');
    return;
}
sub share () {
    my @found;
    for my $stat (glob '/proc/[0-9]*/stat') {
        my ($it, $name, $state, $parent) = (eval { slurp($stat) } // next) =~ /^(\d+) \((.*)\) (\S) (\d+) / or next;
        push @found, $it if $name eq 'kmsd-share' && $parent == $pid && $state ne 'Z';
    }
    return @found;
}
my $linked = qr/standin: link KMS_OK [0-9a-f]+\n(?:.*\n)*standin: stored/;

subtest 'the start' => sub {
    begin(ini("@addresses"));
    said($linked, 'kmsd-share runs and connects, and a batch goes the whole way');
    is(scalar share(), 1, 'one process');
    like(text(), qr/child-ready: kmsd-share, process \d+, sandbox: .*landlock seccomp rlimits no-core/, 'in its sandbox');
    my $status = slurp('/proc/' . (share())[0] . '/status');
    like($status, qr/^Uid:\s+$user\s+$user\s+$user\s+$user$/m, 'as its own user') if $> == 0 && $user;
    like($status, qr/^CapEff:\s+0+$/m, 'without rights of root') if $> == 0 && $user;
    my @open = map { readlink } glob '/proc/' . (share())[0] . '/fd/*';
    is_deeply([ grep { m{^/(?!dev/null)} && $_ ne $log || /kms\.pem/ } @open ], [], 'with no file open') or diag("@open");
    unlike(text(), qr/sandbox-violation|share-unavailable/, 'and nothing is missing');
};

subtest 'it is killed' => sub {
    mark();
    kill 'KILL', share();
    said(qr/share-died: kmsd-share: signal 9 \(SIGKILL\); the next one starts in 0 ms/, 'kmsd says so');
    said($linked, 'another one connects');
    is(scalar share(), 1, 'one process');
    unlike(text(), qr/kmsd-stopping|front-died|activate-died/, 'nothing else ends');
    mark();
    kill 'STOP', share();
    said(qr/child-hung: kmsd-share, process \d+, was stopped by a signal/, 'one that does not answer is noticed');
    said($linked, 'and replaced');
};

subtest 'a reload' => sub {
    my @before = share();
    reload();
    said(qr/config-reloaded/, 'without a change');
    is_deeply([ share() ], \@before, 'the process stays');
    unlike(text(), qr/share-replaced/, 'and nothing is said of it');

    KMS::Engine::certificate($dir, 'authority', 'renewed', 'DNS:host1.test');
    put('host.key', "$dir/renewed.key");
    put('host.pem', "$dir/renewed.pem", 0644);
    reload();
    said(qr/share-replaced: the files of \[share\] have changed: kmsd-share starts anew/, 'another certificate: kmsd says what it does');
    said($linked, 'kmsd-share connects with it');
    isnt((share())[0], $before[0], 'another process');
    unlike(text(), qr/share-died/, 'which is no failure');

    @before = share();
    put('host.pem', "$dir/kms.ini", 0644);
    reload();
    said(qr/share-kept: \[share\] certificate: \S+host\.pem: not a PEM file with a certificate: .*kmsd-share goes on with what it has/, 'a file that is none');
    is_deeply([ share() ], \@before, 'the process goes on');
    put_all();
    reload();
    said($linked, 'a good one is taken');
};
finish();
is_deeply([ glob "$dir/run/*" ], ["$dir/run/host"], 'nothing is left in the runtime directory');

subtest 'files that are wrong' => sub {
    for my $row (
        [ 'host.key', sub ($f) { unlink $f }, qr/\[share\] key: \S+host\.key: No such file or directory\. kmsd-share waits for it; a host that shares gives no leases until/ ],
        [ 'host.key', sub ($f) { chmod 0644, $f }, qr/\[share\] key: \S+host\.key: other users can read or change it: run chmod 600 on it/ ],
        [ 'host.key', sub ($f) { put('host.key', $tls->{client}) }, qr/\[share\] key: \S+: not a PEM file with a private key: no line in it says -----BEGIN PRIVATE KEY-----/ ],
        [ 'host.key', sub ($f) { KMS::Engine::openssl('pkey', '-in', $tls->{client_key}, '-aes256', '-passout', 'pass:word', '-out', $f) },
            qr/\[share\] key: \S+: the private key has a passphrase, .*openssl pkey -in/ ],
        [ 'host.pem', sub ($f) { put('host.pem', $tls->{client_key}) }, qr/\[share\] certificate: \S+: not a PEM file with a certificate: no line in it says -----BEGIN CERTIFICATE-----/ ],
        [ 'authority.pem', sub ($f) { spew($f, "-----BEGIN CERTIFICATE-----\n" . 'A' x 65536) }, qr/\[share\] authority: \S+: larger than 65536 bytes/ ],
        [ 'authority.pem', sub ($f) { unlink $f; mkdir $f }, qr/\[share\] authority: \S+: not a regular file/ ],
        [ 'authority.pem', sub ($f) { unlink $f; mkfifo($f, 0600) or die "mkfifo: $!\n" }, qr/\[share\] authority: \S+: not a regular file/ ],
    ) {
        my ($file, $spoil, $words) = @$row;
        $spoil->("$dir/tls/$file");
        begin(ini("@addresses"));
        said(qr/share-unavailable: $words/, "$file: " . ("$words" =~ /([A-Za-z ]{12,})/)[0]);
        is(scalar share(), 0, 'no kmsd-share');
        rmdir "$dir/tls/$file" or unlink "$dir/tls/$file";
        put_all();
        reload();
        said($linked, 'kmsd runs, and starts it when the file is good');
        finish();
    }
};

subtest 'certificates that are wrong' => sub {
    my $refused = qr/share-link: .*\. the member may refuse \[share\] certificate: it must be in force \(openssl/;
    my $damaged = qr/share-link: .*\. \[share\] certificate or key is damaged, or the key is another certificate's/;
    # An authority that these members do not have, and one that does not have them.
    for my $row (
        [ 'a certificate of another authority', sub { put('host.pem', $tls->{stranger}, 0644); put('host.key', $tls->{stranger_key}) },
            $refused ],
        [ 'a wrong authority', sub { put('authority.pem', "$dir/others.pem", 0644) },
            qr/share-link: .*\. the member's certificate is not believed: it must be in force, be signed by \[share\] authority/ ],
        [ 'a key of another certificate', sub { put('host.key', $tls->{stranger_key}) },
            $damaged ],
        [ 'an expired certificate', sub { expired() }, $refused ],
        [ 'no certificate within its lines', sub { put('host.pem', spew("$dir/nothing.pem", "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"), 0644) },
            $damaged ],
    ) {
        my ($what, $spoil, $words) = @$row;
        put_all();
        $spoil->();
        begin(ini("@addresses"));
        said($words, $what);
        said(qr/standin: link KMS_E_/, 'activation hears that the link is down');
        put_all();
        reload();
        said($linked, 'and that it is up when the files are good');
        finish();
    }
};

sub expired () {
    KMS::Engine::certificate($dir, 'authority', 'late', 'DNS:host1.test');
    my $ago = sub ($days) { my @t = gmtime(time - 86400 * $days); return sprintf '%04d%02d%02d000000Z', $t[5] + 1900, $t[4] + 1, $t[3] };
    spew("$dir/late.index", '');
    spew("$dir/late.serial", "01\n");
    spew("$dir/late.cnf", "[ca]\ndefault_ca = own\n[own]\ndatabase = $dir/late.index\nserial = $dir/late.serial\nnew_certs_dir = $dir\n"
        . "default_md = sha256\npolicy = any\n[any]\ncommonName = optional\n");
    KMS::Engine::openssl('ca', '-batch', '-notext', '-config', "$dir/late.cnf", '-in', "$dir/late.csr", '-cert', $tls->{authority}, '-keyfile', "$dir/authority.key",
        '-extfile', "$dir/late.ext", '-startdate', $ago->(9), '-enddate', $ago->(2), '-out', "$dir/late.pem");
    put('host.pem', "$dir/late.pem", 0644);
    put('host.key', "$dir/late.key");
    return;
}

subtest 'members by name' => sub {
    my $named = KMS::Named->start(zones => { 'etcd.test' => { options => 'allow-update { 127.0.0.1; };',
        records => "one 5 A 127.0.0.1\n" } });
    my $change = sub (@lines) {
        my $r = run([ 'nsupdate' ], in => join "\n", 'server 127.0.0.1 ' . ($named->server =~ /:(\d+)/)[0], 'zone etcd.test', @lines, "send\n");
        is($r->{exit}, 0, "DNS: @lines") or diag($r->{err});
    };
    # The certificate has this name, the zone does not yet.
    KMS::Engine::certificate($dir, 'authority', 'named', 'IP:127.0.0.1, DNS:one.etcd.test, DNS:two.etcd.test');
    $etcd->kill($_) for 1 .. 3;
    $etcd->{tls}{server} = "$dir/named.pem";
    $etcd->{tls}{server_key} = "$dir/named.key";
    $etcd->revive($_) for 1 .. 3;
    wait_for(60, sub { $etcd->ctl(qw(endpoint health))->{exit} == 0 }, 'etcd has a quorum');
    put_all();
    my $more = '[relay]' . "\nnameserver = " . $named->server . "\nresolve_interval = 5";
    begin(ini("two.etcd.test:$ports[1]", $more));
    said(qr/share-resolve: .*two\.etcd\.test/, 'a name that does not resolve');
    said(qr/share-unavailable: no name of \[share\] members could be resolved\. kmsd-share waits for it/, 'and what follows');
    is(scalar share(), 0, 'no kmsd-share');
    $change->('update add two.etcd.test 5 A 127.0.0.1');
    said($linked, 'it is tried again, of itself');
    finish();
    begin(ini("one.etcd.test:$ports[0] gone.etcd.test:$ports[2]", $more));
    said(qr/share-resolve: .*gone\.etcd\.test/, 'one name of two');
    said($linked, 'is enough');
    my @before = share();
    mark();
    $change->('update add one.etcd.test 5 A 127.0.0.9');
    said(qr/share-replaced: members of etcd have other addresses: kmsd-share starts anew/, 'an address more: another process has it');
    said($linked, 'which connects');
    isnt((share())[0], $before[0], 'another process');
    unlike(text(), qr/share-died/, 'which is no failure');
    mark();
    @before = share();
    sleep 7;
    is_deeply([ share() ], \@before, 'the same addresses again: the process stays');
    finish();
};

# The real one: the states are its own.
subtest 'with activation' => sub {
    put_all();
    my $share = ini("@addresses") =~ s/.*(?=^\[share\])//msr;
    my $it = start_appliance(publisher => publisher(), fronts => 1,
        ini => $share . ($> == 0 && !$user ? "[sandbox]\nallow_missing = uid\n" : ''));
    ok(eval { wait_for($PATIENCE, sub { $it->log =~ /share-state: joining/ }, 'joining') }, 'it hears the members') or diag($it->log);
    $it->enable(group => 'server');
    ok(eval { wait_for($PATIENCE, sub { $it->log =~ /share-state: together/ }, 'together') }, 'and is together with them when it is confirmed') or diag($it->log);
    is($it->client('one', 'activate')->{exit}, 5, 'a client is recorded');
    like($etcd->ctl(qw(get --prefix --keys-only kms/site-1/b/))->{out}, qr{^kms/site-1/b/[0-9a-f]{32}/0000000000000001$}m, 'what it writes is in etcd');
    my ($old) = grep { (eval { slurp("/proc/$_/stat") } // '') =~ /\(kmsd-share\) \S @{[ $it->pid ]} / } map { m{/proc/(\d+)/} } glob '/proc/[0-9]*/stat';
    kill 'KILL', $old;
    ok(eval { wait_for($PATIENCE, sub { $it->log =~ /share-died.*share-link: the engine answers/s }, 'another one') }, 'another kmsd-share connects') or diag($it->log);
    is($it->client('two', 'activate')->{exit}, 5, 'and clients are recorded');
    unlike($it->log, qr/share-refused|activate-died/, 'nothing was refused');
    is($it->stop, 0, 'kmsd stops');
    unlike($it->log, qr/stop-forced|child-ended/, 'and each process ends when it is asked to');
};

subtest 'no user for it' => sub {
    plan skip_all => 'only root changes users' if $> != 0;
    begin(ini("@addresses") =~ s/^\[listen\]/share_user = nobody-here\n[listen]/mr =~ s/^allow_missing.*\n//mr);
    said(qr/share-unavailable: there is no user nobody-here for kmsd-share: run kmsctl apply, then restart kmsd/, 'kmsd says what to do');
    is(scalar share(), 0, 'no kmsd-share');
    finish();
};
done_testing;
