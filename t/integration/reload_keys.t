#!/usr/bin/perl
# Every key of kms.ini(5) at a reload: one that takes effect on restart is named in the log, alone; one that takes effect on reload
# does. A wait that the old value would make longer than the test's patience proves the new one. What kmsctl alone
# reads ([dns], [firewall], most of [alerts], the files of [publisher NAME]) it reads each time.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use KMS::Named;
use KMS::Sealer;
use KMS::Test;
use KMS::Web;
use Test::More;

my $PATIENCE = 30;
my $dir = workspace();
my $publisher = publisher();

# "[section] key" => 'restart' or 'reload'
my (%effect, $section, $key);
for (split /\n/, slurp("$SRC/doc/kms.ini.5")) {
    $section = $1 if /^\.Ss (\[.*\])$/;
    $key = "$section $1" if /^\.It Cm (\S+) Li = /;
    $effect{$key} = $1 if /^Takes effect: on (\w+)\.$/;
}
cmp_ok(scalar keys %effect, '>', 50, 'the keys of kms.ini(5)');
my %tried;

# The ini text with another value of a key.
sub with ($ini, $name, $value) {
    my ($section, $key) = $name =~ /^\[(.*)\] (\S+)$/;
    my $at = '';
    my @lines = grep { $at = $1 if /^\[(.*)\]$/; !($at eq $section && /^\Q$key\E\s*=/) } split /\n/, $ini;
    return join("\n", @lines) . "\n[$section]\n$key = $value\n";
}

sub count ($a, $event) { return scalar(() = $a->log =~ /: $event: /g) }

# What the log says from the reload on, when every process has taken it.
sub reload ($a, $ini) {
    my @events = qw(config-reloaded activate-reloaded front-reloaded);
    my %before = map { ($_ => count($a, $_)) } @events;
    my $at = length $a->log;
    spew($a->ini, $ini);
    kill 'HUP', $a->pid;
    wait_for($PATIENCE, sub { 3 == grep { count($a, $_) > $before{$_} } @events }, 'the reload');
    return substr $a->log, $at;
}

sub connection ($a) { return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $a->port) || die "connect: $!" }

# Bytes that come, '' when the connection is closed; dies when neither happens.
sub heard ($s) {
    IO::Select->new($s)->can_read($PATIENCE) or die "nothing came in $PATIENCE seconds\n";
    my $n = sysread $s, my $octets, 65536;
    return defined $n ? $octets : '';
}
my $hello = pack 'a4 C C n N a8', 'KMSD', 2, 1, 0, 8, "\0" x 8;

# A share needs the rest of its section; without a name there is none.
my $a = start_appliance(publisher => $publisher, fronts => 1,
    ini => "[share]\nmembers = 192.0.2.9\nauthority = /authority\ncertificate = /certificate\nkey = /key\n");
my $ini = slurp($a->ini);
$a->enable(group => 'client');

subtest 'keys that take effect on restart' => sub {
    my %other = (
        '[kms] state_directory' => '/elsewhere', '[kms] runtime_directory' => '/run/elsewhere', '[kms] activate_user' => 'games',
        '[kms] front_user' => 'games', '[kms] web_user' => 'games', '[kms] share_user' => 'games', '[kms] control_group' => 'adm', '[kms] monitor_group' => 'adm', '[kms] libexec_directory' => '/elsewhere',
        '[keys] passphrase_credential' => 'word', '[keys] passphrase_file' => '/elsewhere', '[keys] machine_file' => '/elsewhere',
        '[listen] address' => '127.0.0.2', '[listen] port' => 1, '[listen] fronts' => 3, '[limits] credits' => 7,
        '[ledger] segment_size' => '2M', '[ledger] overlay_records' => 1000, '[ledger] map_size' => '32M',
        '[ledger] checkpoint_interval' => 7, '[ledger] batch' => 7, '[ledger] session_cache' => 7,
        '[sandbox] required' => 'no', '[sandbox] allow_missing' => 'landlock',
        '[relay] upstream' => '192.0.2.1', '[relay] domain' => 'example.test', '[relay] nameserver' => '192.0.2.1', '[relay] ports' => 7,
        '[log] target' => 'syslog', '[web] connections' => 7, '[web] listen' => '127.0.0.1:1', '[web] socket_group' => 'adm',
        '[share] name' => 'here', '[share] members' => '192.0.2.1',
    );
    is_deeply([ sort keys %other ], [ sort grep { $effect{$_} eq 'restart' } keys %effect ], 'another value of each');
    for my $name (sort keys %other) {
        my $said = reload($a, with($ini, $name, $other{$name}));
        is_deeply([ $said =~ /: config-restart-needed: (\[.*?\] \S+) has changed/g ], [$name], "$name: named, and nothing else");
    }
    unlike(reload($a, $ini), qr/config-restart-needed/, 'as it was: nothing to name');
    my $s = connection($a);
    syswrite $s, $hello;
    like(heard($s), qr/^KMSD/, 'and clients are served');
    $tried{$_} = 1 for keys %other;
};

subtest '[limits]' => sub {
    my $slow = $ini . "[limits]\nfirst_timeout = 3600\nframe_timeout = 3600\nidle_timeout = 3600\n";
    # Only a REPLY begins the idle time.
    my $asks = connection($a);
    syswrite $asks, $hello;
    sealer_host(substr heard($asks), 12);
    my $request_frame = sealer_frame(1, "product=$publisher->{products}[0]{id}", 'sequence=1');
    my @waits = (
        [ first_timeout => '' ],
        [ frame_timeout => substr $hello, 0, 9 ],
        [ idle_timeout => $request_frame ],
    );
    for my $row (@waits) {
        my ($key, $octets) = @$row;
        reload($a, $slow);
        my $said = reload($a, with($slow, "[limits] $key", 1));
        unlike($said, qr/config-restart-needed/, "$key: no restart is needed");
        my $s = connection($a);
        syswrite $s, $octets if length $octets;
        my $n = 0;
        $n++ while length heard($s);
        cmp_ok($n, '<', 3, "$key: a connection is closed, an hour before it was");
        $tried{"[limits] $key"} = 1;
    }
    for my $key (qw(connections connections_per_source)) {
        reload($a, $slow);
        my @held = map { my $s = connection($a); syswrite $s, $hello; heard($s); $s } 1 .. 2;
        syswrite $_, $hello for @held;
        is(scalar(grep { heard($_) =~ /^KMSD/ } @held), 2, "$key: two connections before");
        close $_ for @held;
        reload($a, with($slow, "[limits] $key", 1));
        my $first = connection($a);
        syswrite $first, $hello;
        like(heard($first), qr/^KMSD/, "$key: one is served after the reload");
        my $second = connection($a);
        syswrite $second, $hello;
        like(heard($second), qr/^KMSD/, "$key: a second one, too");
        is(heard($first), '', "$key: and the first gives way");
        $tried{"[limits] $key"} = 1;
    }
    # Of a connection that was let in.
    reload($a, with($slow, '[limits] proxies', '127.0.0.1'));
    my $balanced = connection($a);
    syswrite $balanced, "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n$hello";
    like(heard($balanced), qr/^KMSD/, 'proxies: a header is taken');
    reload($a, with(with($slow, '[limits] connections_per_source', 1), '[limits] exempt', '127.0.0.0/8'));
    my @exempt = map { connection($a) } 1 .. 2;
    syswrite $_, $hello for @exempt;
    is(scalar(grep { heard($_) =~ /^KMSD/ } @exempt), 2, 'exempt: no limit of an address');
    # The other half of these is t/integration/limits.t's: what they let be written.
    $tried{"[limits] $_"} = 1
        for qw(proxies exempt new_clients_per_source new_clients entries renewals_per_interval disk_reserve);
    reload($a, $ini);
};

subtest '[kms] ping_interval' => sub {
    reload($a, with($ini, '[kms] ping_interval', 3600));
    my ($front) = @{ $a->children->{'kmsd-front'} };
    my $said = reload($a, with($ini, '[kms] ping_interval', 1));
    unlike($said, qr/config-restart-needed/, 'no restart is needed');
    kill 'STOP', $front;
    wait_for($PATIENCE, sub { $a->log =~ /child-hung: kmsd-front 0, process $front, .* for 3 s/ }, 'a stopped front is noticed');
    wait_for($PATIENCE, sub { my @f = @{ $a->children->{'kmsd-front'} }; @f == 1 && $f[0] != $front }, 'another one');
    pass('an hour before it was');
    $tried{'[kms] ping_interval'} = 1;
    reload($a, $ini);
};

subtest '[log] level' => sub {
    my $before = count($a, 'activate-reloaded');
    spew($a->ini, with($ini, '[log] level', 'error'));
    kill 'HUP', $a->pid;
    # The next one is said: by then the one before was taken, in silence.
    wait_for($PATIENCE, sub { $a->kmsctl('status')->{exit} == 0 }, 'the host answers');
    reload($a, with($ini, '[log] level', 'info'));
    is(count($a, 'activate-reloaded'), $before + 1, 'error: what is less than an error is not written; info: it is again');
    $tried{'[log] level'} = 1;
};

subtest '[publisher NAME]' => sub {
    my $second = publisher(name => 'second', products => [ { name => 'Other', id => '33333333-3333-4333-8333-333333333333',
        threshold => 1, group => 'server', pool => 'servers' } ]);
    my $names = sub { return join ' ', map { $_->{name} } @{ ($a->kmsctl_json('status'))[0]{publishers} } };
    is($names->(), 'acme', 'one');
    reload($a, "$ini\[publisher second]\nkey = $second->{key}\n");
    is($names->(), 'acme second', 'two');
    $a->do('policy', 'install', $second->{pack});
    reload($a, $ini);
    is($names->(), 'acme', 'and one again');
    $tried{'[publisher NAME] key'} = 1;
};
subtest '[class NAME]' => sub {
    my $classes = sub { return join ' ', map { "$_->{name}:$_->{pool}:$_->{reserve}:" . ($_->{limit} // 0) } @{ ($a->kmsctl_json('status'))[0]{classes} // [] } };
    is($classes->(), '', 'none');
    my $of = "[class dev]\npool = servers\npublisher = acme\nnetworks = 10.0.0.0/8\nnames = build-*\nreserve = 3\nlimit = 5\n";
    unlike(reload($a, $ini . $of), qr/config-restart-needed|config-refused/, 'a class');
    is($classes->(), 'dev:servers:3:5', 'which counts at once');
    reload($a, $ini . $of =~ s/limit = 5/limit = 6/r =~ s/servers/desktops/r);
    is($classes->(), 'dev:desktops:3:6', 'and changes');
    reload($a, $ini);
    is($classes->(), '', 'and goes');
    $tried{"[class NAME] $_"} = 1 for qw(pool publisher networks names reserve limit);    # test_classes and seats.t have which clients match
};
# The next key is days away: what is left to see is that no restart is asked for (t/unit/test_exchange_keys has the rest).
# Names are kept for ever; from the reload on for ten years, and what is older goes with one entry.
{
    my ($before) = $a->kmsctl_json('status');
    unlike(reload($a, with($ini, '[ledger] keep_names', '3660d')), qr/config-restart-needed|config-error/, 'keep_names: no restart is needed');
    wait_for($PATIENCE, sub { ($a->kmsctl_json('status'))[0]{ledger}{last_batch} == $before->{ledger}{last_batch} + 1 }, 'names are erased');
    $tried{'[ledger] keep_names'} = 1;
}
# An hour of quiet comes first (retention.t has the rest).
unlike(reload($a, with($ini, '[ledger] keep', '1d')), qr/config-restart-needed|config-error/, 'keep: no restart is needed');
$tried{'[ledger] keep'} = 1;
unlike(reload($a, with($ini, '[keys] exchange_rotation', '3d')), qr/config-restart-needed|config-error/, 'exchange_rotation: no restart is needed');
$tried{'[keys] exchange_rotation'} = 1;

# Without a share, nothing shows them.
for my $row ([ authority => '/a' ], [ certificate => '/b' ], [ key => '/c' ], [ alone => 'refuse' ], [ alone_for => '1d' ], [ reserve => 7 ]) {
    unlike(reload($a, with($ini, "[share] $row->[0]", $row->[1])), qr/config-restart-needed|config-error/, "$row->[0]: no restart is needed");
    $tried{"[share] $row->[0]"} = 1;
}

is($a->stop, 0, 'kmsd stops');

# A host for Windows clients, in the mode that a file says.
my %host = map { ($_ => "$dir/host.$_") } qw(mode log port);
sub mode ($text) { spew("$host{mode}.new", "$text\n"); rename "$host{mode}.new", $host{mode} }
mode('normal');
my $port = 0;
sub host_begins () {
    unlink $host{port};
    $host{pid} = spawn([ '/usr/bin/python3', "$SRC/t/lib/relay/standin_host.py", '--mode', $host{mode}, '--log', $host{log}, '--port', $port,
        '--port-file', $host{port} ], log => "$dir/host.err");
    wait_for(20, sub { -s $host{port} }, 'the stand-in listens');
    ($port) = slurp($host{port}) =~ /(\d+)/;
}
host_begins();

sub pdu ($kind, $body, $call) { return pack('C4 V v v V', 5, 0, $kind, 3, 0x10, 16 + length $body, 0, $call) . $body }
my $bind = pdu(11, pack('v v V C x3 v C x', 5840, 5840, 0, 1, 0, 1)
    . pack('V v v H4 H12 V', 0x51c82175, 0x844e, 0x4750, 'b0d8', 'ec255555bc06', 1)
    . pack('V v v H4 H12 V', 0x8a885d04, 0x1ceb, 0x11c9, '9fe8', '08002b104860', 2), 1);
my $request = pdu(0, pack('V v v', 12, 0, 0) . pack('v v', 0, 6) . 'arbitrar', 2);

subtest '[relay]' => sub {
    my $b = start_appliance(publisher => $publisher, fronts => 1, ini => "[relay]\nupstream = 127.0.0.1:$port\n");
    my $slow = slurp($b->ini) . "[limits]\nfirst_timeout = 3600\nframe_timeout = 3600\n"
        . "[relay]\nconnect_timeout = 60\nanswer_timeout = 300\nidle_timeout = 3600\nbackoff = 300\nconnections_per_source = 0\n";
    my $bound = sub { my $s = connection($b); syswrite $s, $bind; return ($s, heard($s)) };
    my $kind = sub ($octets) { return length $octets ? ord substr $octets, 2, 1 : 'closed' };
    my $change = sub ($key, $value, $text = $slow) {
        reload($b, $text);
        unlike(reload($b, with($text, "[relay] $key", $value)), qr/config-restart-needed/, "$key: no restart is needed");
        $tried{"[relay] $key"} = 1;
    };
    reload($b, $slow);
    my ($s, $octets) = $bound->();
    is($kind->($octets), 12, 'a client is bound');

    $change->('allow', '10.0.0.0/8');
    ($s, $octets) = $bound->();
    is($kind->($octets), 'closed', 'allow: a client of another network is not any more');
    like($b->log, qr/relay-source-refused: 127\.0\.0\.1/, 'and the log says so');

    $change->('connections_per_source', 1);
    my ($first) = $bound->();
    my ($second, $said) = $bound->();
    is($kind->($said), 13, 'connections_per_source: the second one is refused');
    close $first;

    $change->('idle_timeout', 1);
    ($s, $octets) = $bound->();
    is($kind->($octets), 12, 'idle_timeout: a client is bound');
    is($kind->(heard($s)), 'closed', 'and closed, an hour before it was');

    mode('silent-request');
    $change->('answer_timeout', 1, with($slow, '[relay] connect_timeout', 1));
    ($s, $octets) = $bound->();
    syswrite $s, $request;
    is($kind->(heard($s)), 3, 'answer_timeout: a fault, minutes before it was');

    mode('silent');
    $change->('connect_timeout', 1);
    ($s, $octets) = $bound->();
    isnt($kind->($octets), 12, 'connect_timeout: a refusal, a minute before it was');
    mode('normal');
    is($b->stop, 0, 'kmsd stops');

    # A host that has failed already waits as it was told then.
    $b->start;
    $change->('backoff', 1);
    end_process($host{pid});
    my $at = length $b->log;
    wait_for($PATIENCE, sub { $bound->(); substr($b->log, $at) =~ /relay-host-down/ }, 'the host fails');
    host_begins();
    wait_for($PATIENCE, sub { substr($b->log, $at) =~ /relay-host-up/ }, 'and is used again');
    pass('backoff: a host that failed is used again, minutes before it was');
    is($b->stop, 0, 'kmsd stops');
};

subtest '[relay] resolve_interval' => sub {
    my $named = KMS::Named->start(conf => "logging { category queries { default_stderr; }; };\n",
        zones => { 'relay.test' => { records => "kms1 5 A 127.0.0.1\n", options => 'allow-update { 127.0.0.1; };' } });
    my $asked = sub { return scalar(() = $named->log =~ /query: kms1\.relay\.test IN A/g) };
    my $b = start_appliance(publisher => $publisher, fronts => 1,
        ini => "[relay]\nupstream = kms1.relay.test:$port\nnameserver = " . $named->server . "\nresolve_interval = 86400\n");
    wait_for($PATIENCE, sub { $b->log =~ /relay-hosts: 1 addresses/ }, 'the name is resolved');
    my $before = $asked->();
    reload($b, with(slurp($b->ini), '[relay] resolve_interval', 5));
    $tried{'[relay] resolve_interval'} = 1;
    # The reload itself asks once, for A and AAAA: only then there is something else to find.
    wait_for($PATIENCE, sub { $asked->() >= $before + 2 }, 'the name is asked for at the reload');
    my ($ns) = $named->server =~ /:(\d+)/;
    my $r = run([ 'nsupdate' ], in => "server 127.0.0.1 $ns\nzone relay.test\nupdate add kms1.relay.test 5 A 127.0.0.2\nsend\n");
    is($r->{exit}, 0, 'it gets a second address') or diag($r->{err});
    wait_for($PATIENCE, sub { $b->log =~ /relay-hosts: 2 addresses/ }, 'the name is asked for again, of itself');
    pass('which is found, a day before it was');
    is($b->stop, 0, 'kmsd stops');
};

subtest '[web] hosts' => sub {
    my $web = KMS::Web->new(ini => "hosts = before.example.test\n");
    my $b = start_appliance(publisher => $publisher, fronts => 1, ini => $web->ini);
    $web->wait;
    my $code = sub ($host) { $web->get('/health', Host => $host)->{code} };
    is($code->('after.example.test'), 421, 'a name that is not ours');
    reload($b, with(slurp($b->ini), '[web] hosts', 'after.example.test'));
    $tried{'[web] hosts'} = 1;
    wait_for($PATIENCE, sub { $code->('after.example.test') != 421 }, 'it is ours after the reload');
    is($code->('before.example.test'), 421, 'and the other no longer is');
};

subtest '[alerts] pool_used and key_left, of the page' => sub {
    my $web = KMS::Web->new;
    my $b = start_appliance(publisher => $publisher, fronts => 1, ini => $web->ini);
    $b->enable(group => 'server', capacity => 4, output => $b->dir . '/customer');
    $b->client('one', 'activate');
    $web->wait;
    my $warned = sub { join '|', map { $_->{text} } @{ JSON::PP::decode_json($web->get('/api/state')->{body})->{problems} } };
    unlike($warned->(), qr/seats in use|ends in/, 'one seat of four, and years to go: nothing to say');
    my $ini = slurp($b->ini);
    for my $row ([ 'pool_used', 25, qr/has 1 of 4 seats in use/ ], [ 'key_left', '3660d', qr/The confirmation of acme ends in \d+ days/ ]) {
        my ($key, $value, $says) = @$row;
        reload($b, with($ini, "[alerts] $key", $value));
        $tried{"[alerts] $key"} = 1;
        ok(eval { wait_for($PATIENCE, sub { $warned->() =~ $says }, 'the page') }, "$key: the page warns") or diag($warned->());
    }
    reload($b, with($ini, '[alerts] pool_used', 26));
    wait_for($PATIENCE, sub { $warned->() !~ /ends in/ }, 'the old values');
    unlike($warned->(), qr/seats in use/, 'one seat of four is less than 26 percent');
};

my @left = grep { !$tried{$_} && !/^\[(?:dns|firewall)\] |^\[alerts\] (?:disk_free|clock_error|strict|hourly)$|^\[publisher NAME\] (?:policy|host_key|confirmation)$/ } sort keys %effect;
is_deeply(\@left, [], 'every key that kmsd reads was tried');
# What plan says of a kmsd that was not told: comments and what it does not read are nothing, a reload or a restart takes the rest.
subtest 'plan compares kms.ini with what kmsd has taken' => sub {
    my $b = start_appliance(publisher => $publisher, fronts => 1);
    my $as_started = slurp($b->ini);
    my $service = sub {
        my ($json) = $b->kmsctl_json('plan');
        return join '|', map { "$_->{is}: $_->{due}" } grep { $_->{aspect} eq 'service' } @{ $json->{differences} };
    };
    is($service->(), '', 'nothing at first');
    spew($b->ini, "; a comment\n$as_started\n[firewall]\nrate = 7\n");
    is($service->(), '', 'nothing of what kmsd does not read');
    spew($b->ini, "$as_started\n[limits]\nidle_timeout = 301\n");
    like($service->(), qr/^kms\.ini has changed since kmsd read it: kill -HUP \$\(cat \S+\/kmsd\.pid\)$/, 'a key for a reload');
    reload($b, slurp($b->ini));
    is($service->(), '', 'which it is then');
    spew($b->ini, $as_started =~ s/^fronts = 1/fronts = 2/mr);
    like($service->(), qr/^kms\.ini has changed since kmsd started: stop it and start kmsd again: kill \$\(cat /, 'a key for a start');
    reload($b, slurp($b->ini));
    like($service->(), qr/^kms\.ini has changed since kmsd started/, 'which a reload is not');
    is($b->stop, 0, 'kmsd stops');
    $b->start;
    is($service->(), '', 'which it is then');
    is($b->stop, 0, 'kmsd stops');
};

done_testing;
