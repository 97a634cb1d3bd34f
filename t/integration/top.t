#!/usr/bin/perl
# kmsctl top: seats, requests and refusals of a running host, once for a pipe or a program, and again and again in a terminal, which is
# always left as it was. For root and for the groups that may only look.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use Test::More;

delete @ENV{qw(PAGER KMSCTL_PAGER NO_COLOR COLUMNS)};
$ENV{TERM} = 'xterm';
my ($desk, $rack) = ('dddddddd-0000-4000-8000-000000000001', 'dddddddd-0000-4000-8000-000000000002');
my $p = publisher(products => [ { id => $desk }, { id => $rack } ],
    ini => "[policy]\nid = p\ntitle = P\nversion = 1.0\nissued = 2026-01-01\n[group client]\n[pool desktops]\nnumber = 1\ncapacity = 3\n[pool racks]\nnumber = 2\n"
        . "[product $desk]\nname = Desk\ngroup = client\npool = desktops\nthreshold = 1\n[product $rack]\nname = Rack\ngroup = client\npool = racks\nthreshold = 5\n");
my $a = start_appliance(publisher => $p, fronts => 1, ini => "[kms]\nmonitor_group = daemon\n");
my @kmsctl = (program('kmsctl'), '-c', $a->ini);
chmod 0755, $a->dir;

sub terminal ($columns, $rows, @args) { return run([ 'python3', "$SRC/t/lib/terminal.py", $columns, $rows, @args ]) }
# The screens that were drawn, as lines of text.
sub screens ($r) {
    my ($all) = $r->{out} =~ /\e\[\?1049h(.*)\e\[\?1049l/s or return;
    return grep { /\S/ } map { s/\e\[[0-9;?]*[A-Za-z]|\r//gr } split /\e\[H/, $all;
}

my $r = $a->kmsctl('top');
is($r->{exit}, 0, 'before there is a pack: exit 0') or diag $r->{err};
like($r->{out}, qr/acme: every client is refused: .*kmsctl key install/, 'what refuses every client, and what to do');

$a->enable(group => 'client', output => $a->dir . '/customer');
is($a->client("pc$_", 'activate', product => $desk)->{exit}, 0, "pc$_ is activated") for 1 .. 3;
isnt($a->client("pc$_", 'activate', product => $desk)->{exit}, 0, "pc$_ is one too many") for 4, 5;
isnt($a->client("x\e[2Jy", 'activate', product => $desk)->{exit}, 0, 'and one with a name that moves the cursor');
$a->client('rack', 'activate', product => $rack);

subtest 'for a program' => sub {
    my ($j) = $a->kmsctl_json('top');
    is_deeply([ map { join ' ', @{$_}{qw(pool counted capacity threshold peak first)} } @{ $j->{pools} } ], [ 'desktops 3 3 1 3 3', 'racks 1 0 5 1 1' ], 'the pools')
        or diag explain $j->{pools};
    my ($cause) = grep { $_->{symbol} eq 'KMS_E_CAPACITY' } @{ $j->{causes} };
    is($cause->{refusals}, 2, 'how often, and why') or diag explain $j->{causes};
    like($cause->{remedy}, qr/\w/, 'what to do');
    is_deeply([ sort map { "$_->{name} $_->{symbol} $_->{times} " . length $_->{cmid} } @{ $j->{clients} } ],
        [ 'pc4 KMS_E_CAPACITY 1 32', 'pc5 KMS_E_CAPACITY 1 32' ], 'who') or diag explain $j->{clients};
    cmp_ok($j->{requests}, '>=', 6, 'requests since the start');
    like($j->{$_}, qr/^\d+\.\d$/, $_) for qw(requests_per_second refusals_per_second);
    is($j->{requests_per_second} =~ s/\..*//r, 0, 'nobody asks at this moment');
};

subtest 'for a pipe: one screen' => sub {
    my $r = $a->kmsctl('top');
    is($r->{exit}, 0, 'exit 0');
    like($r->{out}, qr/^Requests: \d+\.\d a second, refused: \d+\.\d a second\. Since \S+Z: \d+, \d+ of them refused$/m, 'how much is asked');
    like($r->{out}, qr/desktops .* 3 +3 +1 /, 'a pool');
    like($r->{out}, qr/pc5 .*KMS_E_CAPACITY/, 'who was refused');
    unlike($r->{out}, qr/\e/, 'and no sequence of a terminal');
    isnt($a->kmsctl(qw(top --interval), $_)->{exit}, 0, "--interval $_ is refused") for '0', '3601', 'x';
};

subtest 'in a terminal' => sub {
    my $r = terminal(80, 24, '--keys', ' q', @kmsctl, 'top');
    is($r->{exit}, 0, 'q ends it');
    like($r->{out}, qr/^\e\[\?1049h\e\[\?25l\e\[\?7l.*\e\[\?7h\e\[\?25h\e\[\?1049l$/s, 'on the other screen, and back, with a cursor');
    my @screens = screens($r);
    cmp_ok(scalar @screens, '>=', 2, 'a key draws it again');
    for my $screen (@screens) {
        my @lines = split /\n/, $screen;
        cmp_ok(scalar @lines, '<=', 24, 'no more lines than there are');
        is(scalar(grep { length > 80 } @lines), 0, 'none wider than the terminal') or diag $screen;
    }
    like($screens[-1], qr/desktops.*KMS_E_CAPACITY.*pc5.*q: quit/s, 'seats, why and who') or diag $screens[-1];
    for my $size ([ 40, 10 ], [ 132, 50 ], [ 0, 0 ]) {
        my ($columns, $rows) = @$size;
        my $r = terminal($columns, $rows, '--keys', 'xq', @kmsctl, 'top');
        is($r->{exit}, 0, "$columns columns and $rows lines");
        my @lines = map { split /\n/ } (screens($r))[-1];
        cmp_ok(scalar @lines, '<=', $rows || 24, 'fits');
        is(scalar(grep { length > ($columns || 80) } @lines), 0, 'in width, too');
    }
    $r = terminal(80, 24, '--keys', '\x03', @kmsctl, 'top');
    is($r->{exit}, 0, 'Ctrl-C ends it, too');
    like($r->{out}, qr/\e\[\?1049l$/, 'and puts the screen back');
    is(terminal(80, 24, '--keys', 'q', 'sh', '-c', 'stty -g >"$0.a"; "$@"; stty -g >"$0.b"; cmp "$0.a" "$0.b"', $a->dir . '/tty', @kmsctl, 'top')->{exit}, 0,
        'which leaves the terminal as it was');
    $r = terminal(80, 24, '--resize', '50x12', '--keys', 'q', @kmsctl, 'top', '--interval', 3600);
    @screens = screens($r);
    is(scalar @screens, 2, 'another size: it is drawn again');
    my @lines = split /\n/, $screens[-1];
    cmp_ok(scalar @lines, '<=', 12, 'to the new height');
    is(scalar(grep { length > 50 } @lines), 0, 'and width') or diag $screens[-1];
    $r = terminal(80, 24, @kmsctl, '--json', 'top');
    unlike($r->{out}, qr/\e/, '--json: one object, in a terminal too');
};

SKIP: {
    skip 'needs root, to run as other users', 2 if $> != 0 || !defined getgrnam 'daemon';
    my $r = run([ 'setpriv', '--reuid', 2, '--regid', scalar getgrnam('daemon'), '--clear-groups', @kmsctl, 'top' ]);
    is($r->{exit}, 0, 'the monitor group') or diag $r->{err};
    like($r->{out}, qr/desktops .*pc5 /s, 'sees the same');
}

is($a->stop, 0, 'kmsd stops');
$r = $a->kmsctl('top');
is($r->{exit}, 3, 'without kmsd: exit 3');
like($r->{err}, qr/kmsd is not running/, 'and why');
$r = terminal(80, 24, '--keys', 'q', @kmsctl, 'top');
is($r->{exit}, 0, 'in a terminal it waits for one');
like((screens($r))[0], qr/kmsd is not running/, 'and says so');
done_testing;
