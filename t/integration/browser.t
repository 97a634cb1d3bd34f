#!/usr/bin/perl
# The page of kmsd-web in a real browser, with a real kmsd whose clients renew meanwhile: each part of it with no client, with 30 over a month, and
# with 10,000; on a telephone, in the dark, by keyboard, printed. And what kmsctl report usage --html draws with the same script. KMS_UPDATE=1 writes
# the pictures of README and the guide.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP ();
use KMS::Browser;
use KMS::Clock;
use KMS::Test;
use KMS::Web;
use MIME::Base64 qw(decode_base64);
use POSIX qw(strftime);
use Test::More;

use constant DAY => 86400;

if (my $tool = KMS::Browser::missing()) {
    diag("*** NOT TESTED: $0: $tool is not installed: ./bootstrap deps");
    plan skip_all => "$tool is not installed: ./bootstrap deps";
}

my $clock = KMS::Clock->start;
my $web = KMS::Web->new(ini => "[limits]\nexempt = 127.0.0.1\n[ledger]\ncheckpoint_interval = 1\n[keys]\nexchange_rotation = 30d\n");
my ($server, $writer) = ('22222222-2222-4222-8222-222222222222', '11111111-1111-4111-8111-111111111111');
my $ini = "[policy]\nid = example\ntitle = Example policy\nversion = 1.0\nissued = 2026-01-01\n[group client]\n[group server]\ncovers = client\n"
    . "[pool desktops]\nnumber = 1\nwindow = 30\n[pool servers]\nnumber = 2\nwindow = 30\ncapacity = 40\n"
    . "[product $server]\nname = Example Server\ngroup = server\npool = servers\nthreshold = 5\n"
    . "[product $writer]\nname = Example Writer\ngroup = client\npool = desktops\nthreshold = 25\n";
my $p = publisher(ini => $ini, products => [ { id => $server }, { id => $writer } ]);
my $a = start_appliance(publisher => $p, ini => $web->ini, environment => $clock->environment);
$web->wait;
# A name of somebody else's that means this machine.
my $b = KMS::Browser->new('--host-resolver-rules=MAP evil.test 127.0.0.1');
my $page = 'http://127.0.0.1:' . $web->port . '/';

# Activated, or counted and told to ask again.
sub served ($r) { $r->{exit} == 0 || $r->{exit} == 5 or fail($r->{command}), diag("$r->{out}$r->{err}") }
sub open_page ($url = $page) {
    $b->go($url);
    wait_for(30, sub { $b->js('return !!document.body.dataset.drawn') }, 'the page');
}
sub host_state () { return json_of({ out => $web->get('/api/state')->{body}, command => '/api/state', err => '' }) }
sub count_is ($pool, $count) {
    wait_for(60, sub { my ($found) = grep { $_->{name} eq $pool } @{ host_state()->{pools} }; $found && $found->{counted} == $count }, "$count in $pool");
}
# The last day of the pool of that number.
sub peak_is ($pool, $peak) {
    wait_for(60, sub { my @u = grep { $_->{pool} == $pool && !$_->{status} } @{ host_state()->{usage} }; @u && $u[-1]{peak} == $peak }, "a peak of $peak in the history");
}
sub card ($pool) { return (grep { /\Q$pool\E/ } @{ $b->js('return [...document.querySelectorAll("#pool-list .card")].map(c => c.innerText)') })[0] // '' }
# "PERIOD PEAK" of each bar of the nth chart, and of what the report says.
sub bars ($nth) { return $b->js('return [...document.querySelectorAll("figure.chart")][arguments[0]] ? [...[...document.querySelectorAll("figure.chart")][arguments[0]].querySelectorAll("rect")].map(r => r.dataset.period + " " + r.dataset.peak) : []', $nth) }
sub reported ($pool, @args) { return [ map { "$_->{period} $_->{peak}" } @{ ($a->kmsctl_json(qw(report usage --pool), $pool, @args))[0]{usage} } ] }
# What a person who reads with other means would stumble over: controls and regions without a name, ids that are twice, headings that skip a level, colours that are hard to read.
sub complaints () {
    return $b->js(<<'JS');
const found = [];
for (const x of ['main', 'nav', 'header', 'footer', 'h1']) if (document.querySelectorAll(x).length !== 1) found.push('landmark ' + x);
for (const x of document.querySelectorAll('section')) if (!document.getElementById(x.getAttribute('aria-labelledby'))) found.push('section ' + x.id);
for (const x of document.querySelectorAll('svg, [role=region]')) if (!x.getAttribute('aria-label')) found.push('no label: ' + x.outerHTML.slice(0, 60));
for (const x of document.querySelectorAll('input, button, a')) if (!x.hidden && !(x.innerText || '').trim() && !(x.labels || []).length) found.push('no name: ' + x.outerHTML.slice(0, 60));
const ids = [...document.querySelectorAll('[id]')].map(x => x.id);
for (const id of new Set(ids.filter((x, i) => ids.indexOf(x) !== i))) found.push('twice: ' + id);
for (const x of document.querySelectorAll('th')) if (!x.scope) found.push('a head without scope: ' + x.innerText);
let level = 1;
for (const x of document.querySelectorAll('h1, h2, h3')) { const n = Number(x.tagName[1]); if (n > level + 1) found.push('heading ' + x.innerText); level = n; }
const number = c => c.match(/[\d.]+/g).map(Number);
const light = c => { const [r, g, b] = number(c).map(v => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (number(c)[3] !== 0) return c; } return 'rgb(255, 255, 255)'; };
for (const x of document.querySelectorAll('body *')) {
  if (![...x.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || x.closest('svg, script, noscript, .skip, [hidden]')) continue;
  const [a, c] = [light(getComputedStyle(x).color), light(behind(x))].sort((m, n) => n - m);
  if ((a + 0.05) / (c + 0.05) < 4.5) found.push('contrast: ' + x.innerText.slice(0, 40));
}
return [...new Set(found)];
JS
}
# On a telephone and on a desk, light and dark.
sub anybody_can_read_it () {
    for my $scheme (qw(light dark)) {
        $b->scheme($scheme);
        is_deeply(complaints(), [], "$scheme: landmarks, names, headings, contrast");
    }
    for my $width (320, 390, 1280) {
        $b->size($width);
        cmp_ok($b->js('return document.documentElement.scrollWidth'), '<=', $width, "$width pixels: nothing is cut");
    }
    $b->scheme('light');
    is(join("\n", grep { !m{/api/clients} } $b->log), '', 'nothing breaks the policy, and no error');
}

subtest 'nothing is installed' => sub {
    open_page();
    like($b->text('verdict'), qr/cannot be served/, 'the verdict');
    like($b->text('problem-list'), qr/No host key of acme is installed\s+kmsctl key install/, 'what is wrong, and what to type');
    like($b->text($_->[0]), $_->[1], "$_->[0]") for [ 'pool-list', qr/No pack is installed/ ], [ 'answer-list', qr/No client has asked yet/ ],
        [ 'key-list', qr/No host key is installed/ ], [ 'pack-list', qr/No pack is installed/ ], [ 'publisher-list', qr/acme\s+no host key/ ], [ 'relay-list', qr/No relay is set up/ ];
    anybody_can_read_it();
};

subtest 'no client' => sub {
    $a->enable;
    wait_for(30, sub { @{ host_state()->{pools} } == 2 }, 'the pack');
    open_page();
    like($b->text('verdict'), qr/Clients are served, but look at the problems/, 'the verdict');
    like($b->text('problem-list'), qr/Warning: Example Server of acme has 0 of the 5 clients that it needs\s+It is activated once/, 'why nothing is activated yet');
    like(card('servers'), qr/0\s+counted\s+needed 5, at most 40.*5 more needed/s, 'the pool');
    like($b->text('answer-list'), qr/No client has asked yet/, 'no answer');
    my ($login) = $a->kmsctl_json('web', 'login');
    $b->go($login->{address});
    wait_for(30, sub { $b->text('client-list') =~ /No client/ }, 'no client');
    like($b->text('search-state'), qr/^0 found$/, 'and none is found');
    $a->do('web', 'logout');
    anybody_can_read_it();
};

subtest 'thirty clients, over a month' => sub {
    my $begin = $clock->now;
    for my $n (1 .. 30) {
        $clock->to($begin + ($n - 1) * DAY) if $n > 1;
        served($a->client("ward-$_.example", $_ == $n ? 'activate' : 'renew')) for grep { $_ % 7 == $n % 7 } 1 .. $n;
    }
    served($a->client("desk-$_.example", 'activate', product => $writer)) for 1 .. 3;
    $a->do('clients');
    count_is('servers', 30);
    count_is('desktops', 3);
    peak_is(2, 30);
    peak_is(1, 3);
    open_page();
    like(card('servers'), qr/30\s+counted\s+needed 5, at most 40.*Example Server: activated/s, 'the pool');
    like(card('desktops'), qr/3\s+counted.*Example Writer: 22 more needed/s, 'the other');
    my $days = bars(1);
    cmp_ok(scalar @$days, '>=', 30, 'a bar for each day');
    is_deeply($days, reported('servers'), 'its chart has what report --json says');
    like($b->js('return document.querySelectorAll("figure.chart svg")[1].getAttribute("aria-label")'), qr/^Highest count of each day, \S+ to \S+: at most 30, at the end 30, needed 5, capacity 40$/, 'and says so aloud');
    like($b->text('answer-list'), qr/refusals\s+Refusal.*not counted|refusals\s+.*What to do.*other answers/s, 'refusals, with what to do, and other answers');
    like($b->text('key-list'), qr/acme\s+server\s+licensed\s+\d{4}-\d\d-\d\d/, 'the key and its dates');
    like($b->text('pack-list'), qr/Example policy\s+1\.0\s+2026-01-01/, 'the pack');
    like($b->text('publisher-list'), qr/acme\s+confirmed\s+\d{4}-\d\d-\d\d.*\d{4}-\d\d-\d\d/, 'the confirmation and its dates');
    like($b->text('service-list'), qr/[0-9a-f]{32}.*not sealed/s, 'the host');
    like($b->text('front-list'), qr/0\s+yes/, 'its processes');
    like($b->text('ledger-list'), qr/33\s+\d+\s+\d+\s+\d+\s+yes/, 'its ledger');
    unlike($b->js('return document.body.innerText'), qr/ward-\d/, 'no name without a login');
    ok($b->js('return !document.getElementById("login").hidden'), 'and how to log in');
};

subtest 'names' => sub {
    my ($login) = $a->kmsctl_json('web', 'login');
    $b->go($login->{address});
    is($b->url, $page, 'the address of kmsctl web login leads to the page');
    wait_for(30, sub { $b->text('client-list') =~ /ward-30/ }, 'names');
    like($b->text('search-state'), qr/^33 found$/, 'all of them');
    is($b->js('return document.cookie'), '', 'no script sees the cookie');
    ok($b->js('return document.getElementById("login").hidden'), 'nothing more is said of logging in');
    $b->js('document.getElementById("pattern").focus()');
    $b->keys("WARD-1?.example\x{E007}");
    wait_for(30, sub { $b->text('search-state') =~ /^10 found$/ }, 'a search, by keyboard');
    $b->keys("\x{E003}" x 20 . "<img src=x onerror=alert(1)>\x{E007}");
    wait_for(30, sub { $b->text('search-state') =~ /^0 found$/ }, 'what is no name');
    pass('a search, by keyboard');
    anybody_can_read_it();
};

subtest 'by keyboard' => sub {
    open_page();
    $b->size(1280);
    # From the top: the first stop is the way past everything, and each stop is seen.
    my (@stops, %seen);
    for (1 .. 60) {
        $b->cdp('Input.dispatchKeyEvent', { type => $_, key => 'Tab', code => 'Tab', windowsVirtualKeyCode => 9 }) for qw(rawKeyDown keyUp);
        my $at = $b->js('const e = document.activeElement; if (e === document.body) return null; const s = getComputedStyle(e); return [(e.innerText || e.id || e.getAttribute("aria-label")).split("\n")[0], e.getAttribute("role") || e.tagName, s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 0 || s.boxShadow !== "none"]') // last;
        last if $seen{"@$at[0,1]"}++;
        push @stops, $at;
    }
    is($stops[0][0], 'Skip to the problems', 'the first stop') or diag explain \@stops;
    is(join(', ', map { $_->[0] } grep { !$_->[2] } @stops), '', 'each stop is seen');
    my %stop = map { $_->[0] => 1 } @stops;
    is(join(', ', grep { !$stop{$_} } 'Pools', 'Refusals', 'Clients', 'Keys and packs', 'Host', 'Relay', 'pattern', 'Search', '/metrics', '/health'), '', 'everything can be reached');
    $b->js('document.querySelector(".skip").focus()');
    $b->keys("\x{E007}");
    is($b->js('return location.hash'), '#problems', 'the way past everything leads there');
};

subtest 'what is drawn again stays' => sub {
    open_page();
    $b->js('window.kept = document.querySelector("#key-list .table"); kept.focus(); document.querySelector("#pool-list .card").dataset.old = 1');
    my $drawn = $b->js('return document.body.dataset.drawn');
    wait_for(60, sub { $b->js('return document.body.dataset.drawn') ne $drawn }, 'the page refreshes itself');
    ok($b->js('return document.activeElement === window.kept'), 'what has the focus keeps it');
};

# A page of somebody else's, in the browser that is logged in: on another port of this machine, under another name, and under a name that suddenly means
# the host. It tries each way in which a page can ask another site for something.
subtest 'a hostile page' => sub {
    my $dir = workspace();
    spew("$dir/index.html", <<'HTML');
<!DOCTYPE html><title>hostile</title><script>
const at = decodeURIComponent(location.hash.slice(1)), got = {};
const wait = (set) => new Promise((done) => { set(done); setTimeout(() => done('nothing'), 5000); });
const tag = (name, attributes) => wait((done) => { const e = document.createElement(name); e.onload = () => done('loaded'); e.onerror = () => done('refused');
  Object.assign(e, attributes); document.documentElement.append(e); });
async function ask(path, options) {
  try { const r = await fetch(at + path, options); return r.type === 'opaque' ? 'opaque' : 'read: ' + await r.text(); } catch (e) { return 'refused'; }
}
(async () => {
  got.fetch = await ask('api/clients', { credentials: 'include' });
  got.state = await ask('api/state');
  got.opaque = await ask('api/clients', { credentials: 'include', mode: 'no-cors' });
  got.post = await ask('login', { method: 'POST', credentials: 'include', mode: 'no-cors', body: 'x' });
  got.script = await tag('script', { src: at + 'api/clients' });
  got.code = await tag('script', { src: at + 'page.js' });
  got.image = await tag('img', { src: at + 'icon.svg' });
  const frame = document.createElement('iframe');
  frame.src = at;
  await wait((done) => { frame.onload = () => done(); document.documentElement.append(frame); });
  try { got.frame = frame.contentDocument ? 'read' : 'other'; } catch (e) { got.frame = 'other'; }
  const opened = window.open(at);
  await new Promise((done) => setTimeout(done, 1000));
  try { got.window = opened && !opened.closed && opened.document ? 'read' : 'apart'; } catch (e) { got.window = 'apart'; }
  window.got = got;
})();
</script>
HTML
    my $log = "$dir/log";
    my $server = spawn([ qw(python3 -u -m http.server 0 --bind 127.0.0.1 --directory), $dir ], log => $log);
    my $port = wait_for(30, sub { -e $log && slurp($log) =~ /port (\d+)/ && $1 }, 'the hostile server');
    my ($login) = $a->kmsctl_json('web', 'login');
    open_page($login->{address});
    wait_for(30, sub { $b->text('client-list') =~ /ward-/ }, 'the browser is logged in');
    for my $host ('127.0.0.1', 'localhost', 'evil.test') {
        $b->log;
        $b->go("http://$host:$port/#" . $page);
        my $got = wait_for(60, sub { $b->js('return window.got || null') }, "the hostile page of $host");
        is($got->{$_} // '', 'refused', "$host: $_ reads nothing") for qw(fetch state script code image);
        like($got->{$_} // '', qr/^(?:opaque|refused)$/, "$host: $_ reads nothing") for qw(opaque post);
        is($got->{frame}, 'other', "$host: no frame that it can read");
        is($got->{window}, 'apart', "$host: no window that it can read");
        like(join("\n", $b->log), qr/frame.*(?:Content Security Policy|refused to connect)|frame-ancestors/i, "$host: and none that shows the page");
    }
    # A name of theirs that now means this host: same origin for the browser, and no name of ours.
    $b->go('http://evil.test:' . $web->port . '/');
    like($b->js('return document.body.innerText'), qr/This host does not know this name/, 'a name that was bent to this host gets nothing');
    is($b->js('return document.querySelectorAll("script").length'), 0, 'and no script');
    is($b->js('const r = new XMLHttpRequest(); r.open("GET", "/api/state", false); r.send(); return r.status'), 421, 'whatever it asks for');
    end_process($server);
    open_page();
    wait_for(30, sub { $b->text('client-list') =~ /ward-/ }, 'and the browser is still logged in');
    pass('and the browser is still logged in');
    $b->log;
};

subtest 'a report' => sub {
    my $file = spew(workspace() . '/usage.html', $a->kmsctl(qw(report usage --html))->{out});
    $b->scheme('light');
    $b->size(1280);
    $b->go("file://$file");
    is($b->js('return document.querySelectorAll("figure.chart").length'), 2, 'a chart for each pool');
    is_deeply(bars($_->[0]), reported($_->[1]), "$_->[1]: the chart has what report --json says") for [ 0, 'desktops' ], [ 1, 'servers' ];
    is($b->js('return document.querySelectorAll("line.capacity").length'), 1, 'and a line at the capacity');
    is(join("\n", $b->log), '', 'it asks for nothing, and its policy lets its script draw');
    for my $by (qw(week month)) {
        $b->go('file://' . spew(workspace() . "/$by.html", $a->kmsctl(qw(report usage --html --by), $by)->{out}));
        is_deeply(bars(1), reported('servers', '--by', $by), "by $by");
    }
    for my $width (320, 1280) {
        $b->size($width);
        cmp_ok($b->js('return document.documentElement.scrollWidth'), '<=', $width == 320 ? 700 : $width, "$width pixels");
    }
    # On paper it is black on white, whatever the reader's screen is.
    $b->cdp('Emulation.setEmulatedMedia', { media => 'print', features => [ { name => 'prefers-color-scheme', value => 'dark' } ] });
    is($b->js('return getComputedStyle(document.body).backgroundColor + getComputedStyle(document.body).color'), 'rgb(255, 255, 255)rgb(0, 0, 0)', 'printed: black on white');
    my $pdf = decode_base64($b->cdp('Page.printToPDF', { printBackground => JSON::PP::false })->{data});
    like($pdf, qr/^%PDF-/, 'and it can be printed');
    $b->cdp('Emulation.setEmulatedMedia', { media => '', features => [] });
};

# The picture of a host that has a name; the machine's own is nobody's business.
sub picture ($name, $scheme, $width, $height) {
    $b->scheme($scheme);
    $b->size($width, $height);
    open_page();
    $b->js('for (const e of document.querySelectorAll("#host, #service-list td:first-child")) e.textContent = "kms.example.com"');
    my $png = $b->picture($width, $height);
    like($png, qr/^\x89PNG/, "$name: a picture");
    my $file = "$SRC/doc/$name";
    if ($ENV{KMS_UPDATE}) {
        open my $fh, '>:raw', $file or die "$file: $!\n";
        print {$fh} $png;
        close $fh;
    }
    ok(-s $file && -s $file < 150_000, "$name is in doc") or diag('KMS_UPDATE=1 writes it');
    ok(slurp("$SRC/doc/doc.am") =~ /\b\Qdoc\/$name\E\b/, "$name goes into the archive");
    ok(slurp("$SRC/README.md") . slurp("$SRC/doc/administrator-guide.md") =~ /\(\S*\Q$name\E\)/, "$name is shown");
}

subtest 'pictures' => sub {
    picture('page.png', 'light', 1000, 760);
    picture('page-dark.png', 'dark', 390, 760);
    $b->scheme('light');
};

subtest 'a pool that fills' => sub {
    for my $case ([ 36, 'Clients are served, but look at the problems', qr/^Warning: The pool servers of acme has 36 of 40 seats in use\s+kmsctl clients, to find/m ],
        [ 40, 'Clients cannot be served as they should', qr/^Bad: The pool servers of acme is full: all 40 seats are in use\s+kmsctl clients, then/m ],
        [ 41, 'Clients cannot be served as they should', qr/^Bad: The pool servers of acme was full today: [1-9]\d* requests were refused\s+kmsctl report refusals/m ]) {
        my ($count, $verdict, $problem) = @$case;
        $a->client("ward-$_.example", 'activate') for $count == 36 ? 31 .. 36 : $count == 40 ? 37 .. 40 : 41;
        count_is('servers', $count > 40 ? 40 : $count);
        if ($count == 41) {
            # The page keeps what the host said for some seconds.
            wait_for(60, sub { grep { $_->{refusal} && $_->{meaning} =~ /bought are in use/ } @{ host_state()->{answers} } }, 'the host tells of the refusal');
            open_page();
            like($b->text('answer-list'), qr/^refusals\s.*bought are in use/is, 'the refusal, with its remedy');
            # The numbers of a day are written within the hour, and at the end of a run.
            $a->stop;
            $a->start;
            $web->wait;
        }
        wait_for(60, sub { grep { "$_->{level}: $_->{text}" =~ ($problem =~ /full today/ ? qr/full today/ : qr/servers/) } @{ host_state()->{problems} } }, 'the host says so');
        open_page();
        is($b->text('verdict'), $verdict, "$count clients: the verdict");
        like($b->text('problem-list'), $problem, "$count clients: what is wrong, and what to type");
    }
};

subtest 'ten thousand clients that renew' => sub {
    my @load = (program('load'), '--port', $a->port, '--publisher', $p->{key}, '--product', $writer, '--clients-file', workspace() . '/clients',
        '--clients', 10_000, '--connections', 16, '--sample', 1000);
    my $filled = run([ $load[0], 'activate', @load[ 1 .. $#load ], '--requests', 10_000 ]);
    like($filled->{out}, qr/requests=10000\b/, 'ten thousand ask') or diag("$filled->{out}$filled->{err}");
    $a->do('clients');
    count_is('desktops', 10_003);
    my $log = workspace() . '/renewals';
    my $renewals = spawn([ $load[0], 'renew', @load[ 1 .. $#load ], '--requests', 60_000 ], log => $log);
    my ($login) = $a->kmsctl_json('web', 'login');
    $b->size(1280);
    open_page($login->{address});
    like(card('desktops'), qr/10003\s+counted/, 'the pool');
    wait_for(60, sub { $b->text('search-state') =~ /^50 found, and there may be more$/ }, 'the first of them');
    $b->js('document.getElementById("more").click()');
    wait_for(60, sub { $b->text('search-state') =~ /^100 found, and there may be more$/ }, 'and more');
    # One of them, wherever it is: nobody presses a button eleven times.
    $b->js('document.getElementById("pattern").focus()');
    $b->keys("ward-17.example\x{E007}");
    wait_for(60, sub { $b->text('search-state') =~ /^1 found/ }, 'one among ten thousand');
    like($b->text('client-list'), qr/ward-17\.example/, 'is found');
    anybody_can_read_it();
    wait_for(180, sub { slurp($log) =~ /requests=/ }, 'the renewals');
    my %r = slurp($log) =~ /(\w+)=(\S+)/g;
    is("$r{requests} $r{leases}", '60000 60000', 'and all the while every renewal was answered with a lease');
    end_process($renewals);
    peak_is(1, 10_003);
    open_page();
    $a->do('clients');
    is_deeply(bars(0), reported('desktops'), 'the chart has what report --json says');
};

$b->end;
is($a->stop, 0, 'the end');
done_testing;
