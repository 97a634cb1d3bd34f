#!/usr/bin/perl
# kmsctl at a terminal: what it prints is no wider than the screen, long lists have a pager, a question waits for its answer. And what it
# lists for programs and spreadsheets, chosen, sorted and summed, for root and for the control group.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use Test::More;

delete @ENV{qw(PAGER KMSCTL_PAGER SUDO_UID DOAS_USER PKEXEC_UID LESS NO_COLOR COLUMNS)};
$ENV{TERM} = 'xterm';
my ($writer, $server) = ('11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222');
my $p = publisher(products => [
    { name => 'Example Writer', id => $writer, threshold => 1, group => 'client', pool => 'desktops' },
    { name => 'Example Server', id => $server, threshold => 1, group => 'server', pool => 'servers' } ]);
my $a = start_appliance(publisher => $p, fronts => 1, ini => "[kms]\ncontrol_group = games\n[ledger]\ncheckpoint_interval = 1\n");
$a->enable(group => 'server', output => $a->dir . '/customer');
chmod 0755, $a->dir;
my $n = 0;
sub activate ($name, %opt) {
    is($a->client('c' . ++$n, 'activate', product => $opt{product} // $writer, args => [ '--name', $name, '--vm', $opt{vm} // 'no' ])->{exit}, 0, "$name is activated");
}
activate("pc$_.corp.example.com") for 1 .. 5;
activate('build-runner') for 1 .. 4;
activate('=HYPERLINK("http://x")');
activate('a-server-with-quite-a-long-name.north.example.org', product => $server, vm => 'yes');
activate('srv', product => $server);

sub plain ($text) { return $text =~ s/\e\[[0-9;?]*[A-Za-z]|\e[=>]//gr }
sub terminal ($columns, $rows, @args) {
    my @keys = @args && ref $args[0] ? ('--keys', @{ shift @args }) : ();
    my $r = run([ 'python3', "$SRC/t/lib/terminal.py", $columns, $rows, @keys, @args ]);
    $r->{out} = plain($r->{out});
    utf8::decode($r->{out});
    return $r;
}
my @kmsctl = (program('kmsctl'), '-c', $a->ini);
sub lines ($text) { return split /\n/, $text }
sub widest ($text) { my $w = 0; length > $w and $w = length for lines($text); return $w }
# As the control group, if we are root and may become others.
my @group = $> == 0 && getgrnam 'games' ? ('setpriv', '--reuid', 2, '--regid', scalar getgrnam('games'), '--clear-groups') : ();

subtest 'no line is wider than the terminal' => sub {
    local $ENV{PAGER} = 'cat';
    for my $args ([], ['help'], [qw(clients --help)], ['status'], [qw(status --all)], ['clients'], [qw(clients --full)], ['explain'],
        [qw(explain 9)], [qw(policy show)], [qw(key show)], [qw(client show srv)], [qw(why srv)], ['doctor'], [qw(statsu)], [qw(clients --clones)]) {
        for my $columns (40, 80) {
            my $r = terminal($columns, 24, @kmsctl, @$args);
            cmp_ok(widest($r->{out}), '<=', $columns, "@$args, in $columns columns") or diag($r->{out});
        }
    }
    my $wide = $a->kmsctl('explain')->{out};
    cmp_ok(widest($wide), '>', 80, 'a pipe gets whole lines');
    is(run([ 'env', 'COLUMNS=40', @kmsctl, 'explain' ])->{out}, $wide, 'whatever COLUMNS says');
    my $w = widest(terminal(0, 0, 'env', 'COLUMNS=70', @kmsctl, 'explain')->{out});
    cmp_ok($w, '<=', 70, 'a terminal without a size: COLUMNS');
    cmp_ok($w, '>', 60, 'which is used');
    cmp_ok(widest(terminal(0, 0, @kmsctl, 'explain')->{out}), '<=', 80, 'or 80');
};

subtest 'doctor, for the control group' => sub {
    my $checks = sub (@who) { return [ map { "$_->{check} $_->{level}" } grep { $_->{check} =~ /^(?:share|flock|clone|refused)$/ } @{ json_of(run([ @who, @kmsctl, '--json', 'doctor' ]))->{findings} } ] };
    is_deeply($checks->(@group), $checks->(), 'what is said of the clients, as root sees it') or diag(explain $checks->(@group));
};

subtest 'help' => sub {
    local $ENV{PAGER} = 'cat';
    my ($commands) = terminal(80, 24, @kmsctl, 'help')->{out} =~ /^usage:\n(.*?)\n\n/ms;
    my @lines = lines($commands);
    is(scalar(grep { /^    kmsctl [a-z]/ } @lines), scalar(grep { /^        \S/ } @lines), 'each command has two lines');
    is(scalar(@lines) % 2, 0, 'and no more');
    my $r = terminal(80, 24, program('kmsctl'));
    is($r->{exit}, 1, 'without a command: exit 1');
    like($r->{out}, qr/kmsctl \d.*kmsctl setup.*kmsctl status.*kmsctl doctor.*kmsctl clients.*kmsctl why.*kmsctl help.*man kmsctl/s, 'and where to begin');
    like(json_of(run([ program('kmsctl'), '--json' ]))->{error}{message}, qr/a command is missing/, 'a program gets an error');
    for my $name (qw(kmsctl kmsissue kmsclient kmsd kmsd-front kmsd-activate kmsd-resolve kmsd-web)) {
        for my $option ('--help', '--version') {
            my $r = run([ program($name), $option ]);
            is($r->{exit}, 0, "$name $option: exit 0");
            like($r->{out}, $option eq '--help' ? qr/usage|is started by kmsd/i : qr/\d+\.\d+/, "$name $option, on standard output") or diag($r->{err});
        }
    }
};

subtest 'status fits one screen' => sub {
    local $ENV{PAGER} = 'cat';
    for my $who ([], @group ? [@group] : ()) {
        my $r = terminal(80, 24, @$who, @kmsctl, 'status');
        is($r->{exit}, 0, "@$who status") or diag($r->{out});
        cmp_ok(scalar(lines($r->{out})), '<=', 23, 'a prompt has room below it') or diag($r->{out});
        unlike($r->{out}, qr/^(?:Sandbox|Fronts)/m, 'without sandbox and fronts');
        like(terminal(80, 60, @$who, @kmsctl, 'status', '--all')->{out}, qr/^Sandbox\n.*^Fronts\n.*Last batch's hash/ms, '--all has them');
    }
};

subtest 'a pager' => sub {
    my @explain = (@kmsctl, 'explain');
    like(terminal(80, 24, 'env', 'PAGER=tr a-z A-Z', @explain)->{out}, qr/KMS_E_TIME_SKEW.*THE CLOCKS/s, '$PAGER');
    like(terminal(80, 24, 'env', 'PAGER=false', 'KMSCTL_PAGER=tr a-z A-Z', @explain)->{out}, qr/THE CLOCKS/, '$KMSCTL_PAGER goes before it');
    is(terminal(80, 24, 'env', "PAGER=$_", @explain)->{out}, terminal(80, 24, 'env', 'PAGER=cat -', @explain)->{out}, "PAGER='$_': none") for '', 'cat';
    unlike(run([ 'env', 'PAGER=tr a-z A-Z', @explain ])->{out}, qr/THE CLOCKS/, 'none for a pipe');
    unlike(terminal(80, 24, 'env', 'PAGER=tr a-z A-Z', @kmsctl, '--json', 'explain')->{out}, qr/THE CLOCKS/, 'nor for JSON');
    my $r = terminal(80, 24, 'env', 'PAGER=head -1', @explain);
    is($r->{exit}, 0, 'a pager that has seen enough: no error');
    is(scalar(lines($r->{out})), 1, 'and no word');
    $r = terminal(80, 10, ['q'], @explain);
    is($r->{exit}, 0, 'less, and its key q') or diag($r->{out});
    like($r->{out}, qr/KMS_E_COUNT_TOO_LOW/, 'shows the first screen');
    unlike($r->{out}, qr/KMS_E_HISTORY/, 'and not the last');
    $r = terminal(80, 24, @kmsctl, qw(explain 9));
    is($r->{exit}, 0, 'what fits the screen asks for no key');
    $r = terminal(80, 24, @kmsctl, qw(why nobody-of-this-name));
    is($r->{exit}, 2, 'the exit code is that of the command');
    like($r->{out}, qr/no client has the name/, 'and its error is seen');
    SKIP: {
        skip 'not root', 4 if $> != 0;
        for my $by (qw(SUDO_UID=1000 DOAS_USER=me PKEXEC_UID=1000)) {
            unlike(terminal(80, 24, ['q'], 'env', $by, 'PAGER=tr a-z A-Z', 'KMSCTL_PAGER=tr a-z A-Z', @explain)->{out}, qr/THE CLOCKS/, "$by: not a program of the user's choice");
        }
        my $dir = workspace();
        terminal(80, 10, ["!touch $dir/escaped\\nqq"], 'env', 'SUDO_UID=1000', @explain);
        ok(!-e "$dir/escaped", 'and less starts no shell');
    }
};

subtest 'chosen, sorted, summed' => sub {
    my $names = sub (@args) { join ' ', map { $_->{name} =~ s/\..*//r } @{ ($a->kmsctl_json('clients', @args))[0]{clients} } };
    is($names->('--name', 'PC?', '--sort', 'name'), 'pc1 pc2 pc3 pc4 pc5', 'a pattern, sorted');
    is($names->('--name', 'pc?', '--sort', 'name', '--reverse', '--limit', 2), 'pc5 pc4', 'in the opposite order, with a limit');
    my @seen = map { $_->{last_seen} } @{ ($a->kmsctl_json(qw(clients --sort seen)))[0]{clients} };
    is_deeply(\@seen, [ sort @seen ], 'the one that was longest silent first');
    is($names->('--pool', 'servers', '--sort', 'name'), 'a-server-with-quite-a-long-name srv', 'a pool by its name');
    is($names->('--pool', 'ACME/servers', '--sort', 'name'), 'a-server-with-quite-a-long-name srv', 'by its publisher and its name');
    is($a->kmsctl(qw(clients --pool nobody/servers))->{exit}, 2, 'another publisher has none');
    is($names->('--pool', 2, '--name', 'a-*'), 'a-server-with-quite-a-long-name', 'by its number');
    is($names->('--flag', $_), '', "none is $_") for qw(clone overdraft stateless);
    is($names->('--product', 'example server', '--name', 's*'), 'srv', 'a product');
    is($names->('--unseen', '1h'), '', 'all were heard from');
    is($names->('--borrowed'), '', 'no seat is borrowed');
    is($names->('--address', '127.0.0.0/8', '--name', 'srv'), 'srv', 'a network');
    is($names->('--address', '10.0.0.0/8'), '', 'another one');
    my ($all) = $a->kmsctl_json('clients');
    is_deeply([ sort map { "$_->{by} $_->{name} $_->{clients} $_->{counted}" } @{ $all->{sums} } ],
        [ 'pool desktops 10 10', 'pool servers 2 2', 'product Example Server 2 2', 'product Example Writer 10 10', 'state activated 12 12' ], 'sums');
    like($a->kmsctl('clients', '--limit', 3)->{out}, qr/^3 clients, and there may be more.*\nOf these, counted now: 3\nBy state: activated 3\n/m, 'the sums of a part say so');
    like($a->kmsctl('clients')->{out}, qr/^12 clients\nCounted now: 12\nBy state: activated 12\nBy product: .*Example Writer 10.*\nBy pool: .*desktops 10/m, 'also for a person');
    is($a->kmsctl(@$_)->{exit}, 2, "@$_: exit 2") for [qw(clients --pool nosuch)], [qw(clients --address 10.1.2.3/8)], [qw(clients --csv --json)],
        [qw(clients --clones --name x)], [qw(clients --relayed --sort name)], [qw(clients --all)];
    is($a->kmsctl(@$_)->{exit}, 1, "@$_: exit 1") for [qw(clients --unseen 3)], [qw(clients --flag fast)], [qw(clients --sort size)], [ 'clients', '--older-than', '' ];
    like($a->kmsctl(qw(clients --pool nosuch))->{err}, qr/no installed policy pack has a pool of the name "nosuch"\. There are: desktops, servers$/m, 'which pools there are');
};

subtest 'CSV' => sub {
    my $csv = $a->kmsctl(qw(clients --csv --sort name))->{out};
    my @rows = split /\r\n/, $csv;
    like($rows[0], qr/^name,user,cmid,product_name,product,/, 'a line of names');
    is(scalar @rows, 13, 'and one for each client');
    is(scalar(() = $csv =~ /\n/g), scalar(() = $csv =~ /\r\n/g), 'each ends as RFC 4180 says');
    like($rows[1], qr/^"'=HYPERLINK\(""http:\/\/x""\)",/, 'a formula is none');
    is($_ =~ tr/,//, $rows[0] =~ tr/,//, 'as many cells as names') for @rows[ 2 .. 12 ];
    like($rows[2], qr/,\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ,.*,activated,/, 'times in their one form');
    is(run([ @group, @kmsctl, qw(clients --csv --sort name) ])->{out}, $csv, 'the control group gets the same');
    my $r = run([ @kmsctl, qw(clients --csv --name nobody) ]);
    is("$r->{exit}$r->{out}", "0$rows[0]\r\n", 'nobody: the line of names');
};

subtest 'names complete' => sub {
    my $words = sub (@args) { [ sort split /\n/, run([ @group, program('kmsctl'), '--completion', @args ])->{out} ] };
    is_deeply($words->('clients', $a->ini, 'PC'), [ map { "pc$_.corp.example.com" } 1 .. 5 ], 'those that begin so');
    is(scalar(grep { /HYPERLINK/ } @{ $words->('clients', $a->ini) }), 0, 'what a shell would have to quote does not');
    is_deeply($words->('pools', $a->ini), [qw(desktops servers)], 'pools too');
};

subtest 'doctor names a flock, and the command that frees it' => sub {
    for my $who ([], @group ? [@group] : ()) {
        my ($found) = grep { $_->{check} eq 'flock' } @{ json_of(run([ @$who, @kmsctl, '--json', 'doctor' ]))->{findings} };
        is($found->{level}, 'warning', "@$who a warning");
        like($found->{text}, qr/4 seats of one product have the name "build-runner" and the address 127\.0\.0\.1/, 'which');
        is($found->{next}, 'kmsctl client forget --name build-runner --address 127.0.0.1', 'what to type');
    }
};

subtest 'client forget: a list and a count, then a question' => sub {
    my @forget = (@group, @kmsctl, qw(client forget --name build-runner --pool desktops --address 127.0.0.1));
    my $count = sub { scalar grep { $_->{name} eq 'build-runner' } @{ ($a->kmsctl_json('clients'))[0]{clients} } };
    my $r = run([@forget]);
    is($r->{exit}, 0, 'a script that does not say --yes');
    like($r->{out}, qr/^4 clients are chosen\n.*Nothing was changed: to forget them, add --yes/ms, 'is told');
    is($count->(), 4, 'nothing is done');
    $r = run([ @forget, '--older-than', '1h', '--yes' ]);
    like($r->{out}, qr/No counted client matches these options/, 'none is so old');
    for my $answer ('n\n', '\n', 'no\n', 'yess\n') {
        $r = terminal(80, 24, [$answer], @forget);
        like($r->{out}, qr/(?:build-runner.*){4}4 clients are chosen.*Forget these 4 clients\? \[y\/N\].*Nothing was changed\./s, "a person who answers $answer");
    }
    is($count->(), 4, 'nothing is done');
    $r = terminal(80, 24, ['y\n'], @forget, '--name', 'build-*');
    like($r->{out}, qr/4 of 4 clients forgotten/, 'y') or diag($r->{out});
    is($count->(), 0, 'they are gone');
    $r = run([ @forget[ 0 .. $#forget - 6 ], qw(--name pc* --flag vm --yes) ]);
    like($r->{out}, qr/No counted client/, 'a flag chooses');
    $r = run([ @kmsctl, qw(client forget --name pc? --pool 1 --yes) ]);
    like($r->{out}, qr/^5 clients are chosen\n5 of 5 clients forgotten$/m, 'with --yes the list comes first, too') or diag($r->{out});
    $r = run([ @kmsctl, qw(client forget --yes) ]);
    is($r->{exit}, 2, 'without a choice: an error');
    like($r->{err}, qr/name a client, or choose clients by options/, 'that says so');
};
done_testing;
