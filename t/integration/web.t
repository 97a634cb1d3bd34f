#!/usr/bin/perl
# kmsd-web: what it answers and to whom, what it may cost, and that its death, its silence and its misbehaviour disturb nobody.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use KMS::Web;
use IO::Socket::UNIX;
use Test::More;
use Time::HiRes qw(sleep);

my $web = KMS::Web->new(ini => "hosts = kms.example.test\nconnections = 8\nsocket_group = " . getgrgid($() . "\n");
my $p = publisher();
my $a = start_appliance(publisher => $p, ini => $web->ini . "[class lab]\npool = servers\nnames = host*\nreserve = 2\nlimit = 40\n");
$web->wait;

sub pids () {
    my ($pid) = run([ 'pgrep', '-P', $a->pid, 'kmsd-web' ])->{out} =~ /^(\d+)$/m;
    return $pid;
}
# What is known is a second old at most.
sub health_is ($code, $like, $name) {
    my $r;
    eval { wait_for(20, sub { ($r = $web->get('/health'))->{code} == $code && $r->{body} =~ $like }, $name) };
    is($r->{code}, $code, "$name: $code");
    like($r->{body}, $like, "$name: and in words");
}

subtest 'health' => sub {
    health_is(503, qr/^no host key is installed: .*kmsctl key install$/, 'nothing is installed');
    my $key = issue_key($p);
    $a->do('policy', 'install', $p->{pack});
    $a->do('key', 'install', $key);
    health_is(503, qr/^the host key is not confirmed by its publisher/, 'not confirmed');
    $a->certify($p, $key);
    health_is(200, qr/^ok$/, 'confirmed');
    unlike($web->get('/health')->{body}, qr/acme|Example/, 'no names');
};

subtest 'who may ask' => sub {
    my $port = $web->port;
    my @cases = (
        [ 'localhost', 200 ], [ "localhost:$port", 200 ], [ '127.0.0.1', 200 ], [ "[::1]:$port", 200 ], [ '192.0.2.1', 200 ],
        [ 'kms.example.test', 200 ], [ 'KMS.example.test:443', 200 ],
        [ 'evil.example.test', 421 ], [ 'kms.example.test.evil', 421 ], [ 'localhost.evil.test', 421 ], [ '127.0.0.1.evil.test', 421 ],
        [ 'kms.example.test:99999', 421 ], [ '[::1', 421 ], [ 'a b', 421 ], [ 'x' x 300, 421 ], [ '', 421 ],
    );
    is($web->get('/health', Host => $_->[0])->{code}, $_->[1], "Host \"" . substr($_->[0], 0, 40) . "\": $_->[1]") for @cases;
    my @origins = (
        [ "http://127.0.0.1:$port", 200 ], [ "https://127.0.0.1:$port", 200 ], [ 'http://evil.test', 403 ], [ 'null', 403 ],
        [ "http://127.0.0.1:$port.evil.test", 403 ], [ 'http://127.0.0.1:1', 403 ], [ "ftp://127.0.0.1:$port", 403 ],
    );
    is($web->get('/health', Origin => $_->[0])->{code}, $_->[1], "Origin $_->[0]: $_->[1]") for @origins;
    like($a->log, qr/^kmsd-web.*web-host: refused a request for the host "evil\.example\.test"/m, 'and the log says for which host');
};

subtest 'what is answered' => sub {
    my $r = $web->get('/health');
    like($r->{headers}{'content-security-policy'}, qr/default-src 'none'.*frame-ancestors 'none'/, 'a policy');
    unlike($r->{headers}{'content-security-policy'}, qr/unsafe/, 'with nothing unsafe');
    is($r->{headers}{'x-content-type-options'}, 'nosniff', 'no guessing of types');
    is($r->{headers}{'cache-control'}, 'no-store', 'nothing is kept');
    is($r->{headers}{connection}, 'close', 'one request a connection');
    is($r->{headers}{server}, undef, 'nothing of what serves it');
    my $head = $web->request('HEAD', '/health');
    is("$head->{code} $head->{headers}{'content-length'} $head->{body}", '200 3 ', 'HEAD: the length and no body');
    for my $path ('/', '/healthz', '/metrics/', '/../etc/passwd', '/%2e%2e/etc/passwd', '/health%00', '//health', '/HEALTH') {
        next if $path eq '/' && $web->get('/')->{code} == 200;
        like($web->get($path)->{code}, qr/^40[04]$/, "$path is not there");
    }
    is($web->get('/health?x=1')->{code}, 200, 'a question mark ends the path');
    for my $method (qw(POST PUT DELETE OPTIONS TRACE PATCH CONNECT BREW)) {
        like($web->request($method, '/health')->{code}, qr/^(?:40[05]|501|0)$/, "$method is refused");
    }
    my @bad = (
        [ 'no HTTP', "hello\r\n\r\n" ], [ 'another version', "GET /health HTTP/9.9\r\n\r\n" ], [ 'no Host', "GET /health HTTP/1.1\r\n\r\n" ],
        [ 'a header without a colon', "GET /health HTTP/1.1\r\nHost localhost\r\n\r\n" ],
        [ 'a body', "GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\nx" ],
        [ 'a negative length', "GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n" ],
        [ 'headers without end', "GET /health HTTP/1.1\r\nHost: localhost\r\n" . ("X-Y: " . 'z' x 100 . "\r\n") x 200 ],
        [ 'one long line', 'GET /' . 'a' x 20000 . " HTTP/1.1\r\nHost: localhost\r\n\r\n" ],
        [ 'zeros', "\0" x 100 . "\r\n\r\n" ], [ 'TLS', "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n" ],
    );
    for my $case (@bad) {
        my $got = $web->send_request($web->connection, $case->[1])->{code};
        like($got, qr/^(?:0|4\d\d|50[15])$/, "$case->[0]: $got");
    }
    is($web->get('/health')->{code}, 200, 'and it serves on');
};

subtest 'metrics' => sub {
    $a->client("host$_", 'activate') for 1 .. 6;
    my $text;
    my $pool = 'kms_clients{publisher="acme",pool="servers"}';
    wait_for(20, sub { (KMS::Web::value($text = $web->open_metrics, $pool) // 0) == 6 }, 'six clients');
    is(KMS::Web::value($text, 'kms_pool_threshold{publisher="acme",pool="servers"}'), 5, 'the threshold');
    my $class = '{publisher="acme",pool="servers",class="lab"}';
    is(KMS::Web::value($text, "kms_class_$_->[0]$class"), $_->[1], "class: $_->[0]") for [ clients => 6 ], [ reserve => 2 ], [ limit => 40 ];
    is(KMS::Web::value($text, 'kms_pool_borrowed{publisher="acme",pool="servers"}'), undef, 'none is borrowed');
    is(KMS::Web::value($text, 'kms_requests_total{status="KMS_E_COUNT_TOO_LOW"}'), 4, 'answers by status');
    is(KMS::Web::value($text, 'kms_requests_total{status="KMS_OK"}'), 2, 'and those that were an activation');
    is(KMS::Web::value($text, 'kms_refusals_total{status="KMS_OK"}'), undef, 'which is no refusal');
    is(KMS::Web::value($text, 'kms_sandbox_incomplete{process="kmsd-web"}'), 0, 'its own sandbox') if $> == 0;
    my ($status) = $a->kmsctl_json('status');
    my ($publisher) = @{ $status->{publishers} };
    is(KMS::Web::value($text, 'kms_certificate_expiry_timestamp_seconds{publisher="acme"}'), $publisher->{not_after}, 'the end of the confirmation') if $publisher->{not_after} =~ /^\d+$/;
    ok(KMS::Web::value($text, 'kms_commit_seconds_count') >= 6, 'commits');
    is(KMS::Web::value($text, 'kms_commit_seconds_bucket{le="+Inf"}'), KMS::Web::value($text, 'kms_commit_seconds_count'), 'each is in the last bucket');
    like($text, qr/\n# EOF\n\z/, 'OpenMetrics ends with EOF');
    unlike($text, qr/host[1-6]/, 'no name of a client');
    is($web->get('/metrics', Accept => 'application/openmetrics-text')->{headers}{'content-type'}, 'application/openmetrics-text; version=1.0.0; charset=utf-8', 'its type');
    my $plain = $web->get('/metrics');
    is($plain->{headers}{'content-type'}, 'text/plain; version=0.0.4; charset=utf-8', 'the older format');
    unlike($plain->{body}, qr/^# EOF/m, 'which has no EOF');
    my %seen;
    my @families = grep { $seen{$_}++ } $text =~ /^# TYPE (\S+)/mg;
    is("@families", '', 'no family twice');
    my $page = slurp("$SRC/doc/kmsd-web.8");
    for my $name (sort map { /^# TYPE (\S+) counter/ ? "$1_total" : /^# TYPE (\S+)/ ? $1 : () } split /\n/, $text) {
        like($page, qr/\b\Q$name\E\b/, "$name is in kmsd-web(8)");
    }
};

subtest 'the page' => sub {
    my $page = $web->get('/');
    is($page->{code}, 200, 'is there');
    my @asks = $page->{body} =~ /(?:src|href)="([^"#]*)"/g;
    is(join(' ', grep { !m{^/} } @asks), '', 'and needs nothing from elsewhere');
    is($web->get($_)->{code}, 200, "$_ is there") for grep { m{^/} } @asks;
    unlike($page->{body}, qr/<script>|<style|style=|\bon\w+=/, 'no script and no style in it');
    unlike($web->get('/page.js')->{body}, qr/innerHTML|eval|document\.write/, 'what comes from the network is only text to the script');
    my $state = json_of({ out => $web->get('/api/state')->{body}, command => '/api/state', err => '' });
    is((map { $_->{counted} } grep { $_->{name} eq 'servers' } @{ $state->{pools} })[0], 6, 'the count of a pool');
    is_deeply([ map { $_->{text} } @{ $state->{problems} } ], ['Example Writer of acme has 0 of the 25 clients that it needs'], 'what is wrong');
    is($state->{problems}[0]{level}, 'warning', 'is a warning');
    unlike($web->get('/api/state')->{body}, qr/host[1-6]|"address":"127/, 'no name and no address of a client');
};

subtest 'names' => sub {
    is($web->get('/api/clients')->{code}, 401, 'not without a login');
    is($web->get('/api/clients', Cookie => $_)->{code}, 401, "nor with \"$_\"") for 'kms_session=' . '0' x 32, 'kms_session=', 'kms_session=' . 'z' x 32, 'other=1';
    is($web->get("/login$_->[0]")->{code}, $_->[1], "/login$_->[0]: $_->[1]")
        for [ '', 400 ], [ '?token=', 400 ], [ '?token=zz', 400 ], [ '?token=' . '0' x 32, 403 ], [ '?token=' . '0' x 33, 400 ], [ '?other=1', 400 ];
    my ($login) = $a->kmsctl_json('web', 'login');
    like($login->{address}, qr{^http://127\.0\.0\.1:\d+/login\?token=[0-9a-f]{32}$}, 'kmsctl web login prints an address');
    is($login->{seconds}, 300, 'and how long it is good');
    my ($path) = $login->{address} =~ m{(/login.*)};
    is($web->get($path, Origin => 'http://evil.test')->{code}, 403, 'another site cannot use it');
    my $r = $web->get($path);
    is("$r->{code} $r->{headers}{location}", '303 /', 'it leads to the page');
    like($r->{headers}{'set-cookie'}, qr/^kms_session=[0-9a-f]{32}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/, 'with a cookie');
    is($web->get($path)->{code}, 403, 'and is good once');
    my ($cookie) = $r->{headers}{'set-cookie'} =~ /^([^;]+)/;
    my $find = sub ($query = '') {
        my $got = $web->get("/api/clients$query", Cookie => "a=b; $cookie");
        return $got->{code} == 200 ? json_of({ out => $got->{body}, command => '/api/clients', err => '' }) : $got->{code};
    };
    $a->do('clients');    # which writes the index
    is_deeply([ sort map { $_->{name} } @{ $find->()->{clients} } ], [ map { "host$_" } 1 .. 6 ], 'all clients');
    is_deeply([ map { $_->{name} } @{ $find->('?q=HOST4')->{clients} } ], ['host4'], 'one, by its name');
    is(scalar @{ $find->('?q=host%3F')->{clients} }, 6, 'a pattern');
    is(scalar @{ $find->('?q=host')->{clients} }, 6, 'a part');
    is(scalar @{ $find->('?q=127.0.0.*')->{clients} }, 6, 'an address');
    is(scalar @{ $find->('?q=nobody')->{clients} }, 0, 'none');
    my $one = $find->('?q=host1')->{clients}[0];
    is_deeply([ map { $_->{name} } @{ $find->("?q=$one->{cmid}")->{clients} } ], ['host1'], 'a CMID');
    is($one->{product_name}, 'Example Server', 'its product');
    is($find->('?q=' . 'x' x 64)->{next}, undef, 'the longest pattern');
    is($find->('?q=' . 'x' x 65), 400, 'a longer one');
    is($find->('?from=zz'), 400, 'a place that is none');
    is(scalar @{ $find->('?from=' . 'f' x 32)->{clients} }, 0, 'from the end on');
    is(scalar @{ $find->('?q=%00host1')->{clients} }, 6, 'a zero ends a pattern');
    # More than a question may have: the channel would be closed.
    my $before = pids();
    for my $query ('?q=' . 'x' x 4000, '?q=' . 'x' x 7000, '?from=' . 'f' x 5000, '?q=' . '%41' x 2000) {
        is($find->($query), 400, 'a query of ' . length($query) . ' bytes');
    }
    is($web->get('/api/clients?q=' . 'x' x 5000, Cookie => 'kms_session=' . '0' x 32)->{code}, 400, 'and that of a stranger');
    is(pids(), $before, 'end nothing');
    kill 'HUP', $a->pid;
    wait_for(20, sub { $a->log =~ /reload/ }, 'a reload');
    is(scalar @{ $find->()->{clients} }, 6, 'after a reload, the browser is still logged in');
    my ($other) = $a->kmsctl_json('web', 'login');
    is(($a->kmsctl_json('web', 'logout'))[0]{sessions}, 1, 'kmsctl web logout');
    is($find->(), 401, 'ends the session');
    is($web->get($other->{address} =~ s{^.*(?=/login)}{}r)->{code}, 403, 'and an address that nobody has used');
    is(($a->kmsctl_json('web', 'logout'))[0]{sessions}, 0, 'a second time');
    like($a->log, qr/^kmsd-activate.*control: web logout by uid \d+: done/m, 'the log says so');
    is($a->kmsctl('web', 'login')->{exit}, 0, 'more addresses') for 1 .. 9;
    like($a->log, qr/^kmsd-activate.*web-login: a browser logged in: it can see the names/m, 'the log says that a browser is in');
};

subtest 'a Unix socket' => sub {
    my $path = $a->dir . '/run/web.sock';
    is(sprintf('%o', (stat $path)[2] & 07777), '660', 'for its owner and its group');
    my $s = IO::Socket::UNIX->new(Peer => $path) or die "$path: $!";
    is($web->send_request($s, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")->{code}, 200, 'answers');
};

subtest 'slow ones and many' => sub {
    my @slow = map { my $s = $web->connection; syswrite $s, 'GET /heal'; $s } 1 .. 40;
    is($web->get('/health')->{code}, 200, 'forty that say half a request: another is answered');
    like($a->log, qr/^kmsd-web.*web-full: 8 connections are open/m, 'and the log says that the oldest were closed');
    my @asked = map { my $s = $web->connection; syswrite $s, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"; $s } 1 .. 40;
    is($web->get('/health')->{code}, 200, 'forty that do not read: another is answered');
    is($a->client('host1', 'renew')->{exit}, 0, 'and a client');
    $_->shutdown(1) for @slow, @asked;
    # The oldest of a few are ended by their age.
    @slow = @asked = ();
    my $s = $web->connection;
    syswrite $s, "GET /health HTTP/1.1\r\n";
    my $end = eval { local $SIG{ALRM} = sub { die }; alarm 40; my $n = sysread $s, my $piece, 1; alarm 0; $n // 0 };
    is($end, 0, 'one that says no more is closed after its time');
};

subtest 'death and silence' => sub {
    my $first = pids();
    ok($first, 'there is a process');
    kill 'KILL', $first;
    wait_for(20, sub { my $now = pids(); $now && $now != $first }, 'another one');
    $web->wait;
    is($web->get('/health')->{code}, 200, 'the next one answers on the same address');
    like($a->log, qr/^kmsd\[\d+\]: web-died: kmsd-web: signal 9/m, 'the log says so');
    my $second = pids();
    kill 'STOP', $second;
    is($a->client('host2', 'renew')->{exit}, 0, 'while it is stopped, clients are served');
    is($a->kmsctl('status')->{exit}, 0, 'and kmsctl');
    wait_for(60, sub { my $now = pids(); $now && $now != $second }, 'a silent one is replaced');
    $web->wait;
    is($a->client('host3', 'renew')->{exit}, 0, 'clients are served');
    is(scalar(() = $a->log =~ /front-died|activate-died/g), 0, 'no other process died');
};

subtest 'reload and stop' => sub {
    spew($a->ini, slurp($a->ini) =~ s/^hosts = .*/hosts = other.example.test/mr);
    kill 'HUP', $a->pid;
    wait_for(20, sub { $web->get('/health', Host => 'other.example.test')->{code} == 200 }, 'a new name is taken over');
    is($web->get('/health', Host => 'kms.example.test')->{code}, 421, 'the old one is not one any more');
    is($a->stop, 0, 'the end');
    ok(!-e $a->dir . '/run/web.sock', 'leaves no socket');
};

subtest 'an address that another program has' => sub {
    my $busy = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1) or die;
    spew($a->ini, slurp($a->ini) =~ s/^listen = .*/'listen = 127.0.0.1:' . $busy->sockport/mer =~ s/^socket_group.*\n//mr);
    $a->start;
    is($a->client('host4', 'renew')->{exit}, 0, 'clients are served');
    like($a->log, qr/web-unavailable: \[web\] listen: cannot listen on 127\.0\.0\.1:\d+: Address already in use; find/, 'the log says why there is no page');
    is(pids(), undef, 'and there is no kmsd-web');
    $a->stop;
};

subtest 'a locked host' => sub {
    spew($a->ini, slurp($a->ini) =~ s/^listen = 127.*/'listen = 127.0.0.1:' . $web->port/mer);
    $a->start;
    $web->wait;
    $a->do('key', 'seal', '--passphrase', '--passphrase-file', spew($a->dir . '/pass', "a long passphrase\n"));
    $a->stop;
    $a->start;
    $web->wait;
    health_is(503, qr/^the host is locked: kmsctl unlock$/, 'locked');
    is(KMS::Web::value($web->open_metrics, 'kms_locked'), 1, 'and a metric says so');
    $a->stop;
};
done_testing;
