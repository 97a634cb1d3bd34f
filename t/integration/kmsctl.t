#!/usr/bin/perl
# kmsctl against a stand-in host: every command for people and for programs, every malformed reply,
# bad arguments; and the manual page beside the table of commands.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP ();
use KMS::Test;
use POSIX ();
use Test::More;

my $dir = workspace();
my $count = 0;
my $r;
mkdir "$dir/$_" for qw(state run);
my $ini = spew("$dir/kms.ini", "[kms]\nstate_directory = $dir/state\nruntime_directory = $dir/run\n");
my @kmsctl = (program('kmsctl'), '-c', $ini);
$ENV{TZ} = 'UTC';
delete $ENV{NO_COLOR};

# A stand-in for the length of one sub: what it answers with, and what it was asked.
sub with_host ($scenario, $code) {
    my ($name, $status) = ref $scenario ? @$scenario : ($scenario, 0);
    my $socket = "$dir/s" . ++$count;
    pipe my $in, my $keep or die "pipe: $!\n";
    my $pid = spawn([ program('control_standin'), $socket, $name, $status ],
        in => $in, log => "$socket.log");
    close $in;
    wait_for(10, sub { -s "$socket.log" }, 'the stand-in listens');
    $code->($socket);
    close $keep;    # its end
    end_process($pid);
    my @lines = split /\n/, slurp("$socket.log");
    shift @lines;
    return @lines;
}

sub kmsctl (@args) { return run([ @kmsctl, @args ]) }

spew("$dir/a.kmskey", "[host-key]\nid = x\n");
spew("$dir/a.kmscert", "[host-certificate]\nid = x\n");
spew("$dir/a.kmspolicy", "[policy]\nid = x\n");
spew("$dir/a.$_.minisig", "untrusted comment: x\nAAAA\n") for qw(kmskey kmscert kmspolicy);
my $signed = "[host-certificate]\ndata = x\nuntrusted comment: sig\nAAAA\n";
my $id = '0' x 31 . '7';

# Command, verb and arguments that the host gets, words for a person, keys for a program.
my @good = (
    [ [qw(status)], '1', qr/Example Writer: 24 of 25, 1 more client needed\n.*Example Server: 6 of 5, activating/s,
        { running => 1, service => { pid => 4711, brand_new => 7 }, products => [ { needed => 1, counted => 24 }, { needed => 0 } ],
            ledger => { journal_octets => 1536 } } ],
    [ [qw(key show)], '4', qr/Confirmed: +yes/, { keys => [ { publisher => 'acme', not_after => 1900000000, confirmed => 1 } ] } ],
    [ [qw(key request)], '5', qr/123456-789012-345678.*\[confirm-request\]\nhost = kms\.example/s,
        { installation_id => '123456-789012-345678', request => "[confirm-request]\nhost = kms.example\nsignature = AAAA\n" } ],
    [ [ qw(key request), 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee' ], '5 key=36:aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee', qr/Installation id/, { key => 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee' } ],
    [ [ qw(key install), "$dir/a.kmskey" ], '3 file=18:[host-key]_id_=_x_ signature=26:untrusted_comment:_x_AAAA_', qr/installed: acme: example 1\.2\n.*kmsctl key request/s,
        { installed => 1, what => 'acme: example 1.2' } ],
    [ [ qw(key confirm), "$dir/a.kmscert" ], '6 file=26:[host-certificate]_id_=_x_ signature=26:untrusted_comment:_x_AAAA_', qr/Host confirmed/, { confirmed => 1 } ],
    [ [ qw(policy install), "$dir/a.kmspolicy" ], '7 file=16:[policy]_id_=_x_ signature=26:untrusted_comment:_x_AAAA_', qr/pack installed: acme: example 1\.2/, { installed => 1 } ],
    [ [qw(policy show)], '8', qr/Example Writer.*25.*7 days/, { packs => [ { id => 'example' } ], products => [ { renewal_interval => 10080 } ], pools => [] } ],
    [ [ qw(client show), $id ], "9 cmid=32:$id", qr/Lease until: +2030-03-17T17:46:40Z/, { client => { name => 'pc-7', expires => 1900000000 } } ],
    [ [ qw(client revoke), uc $id ], "10 cmid=32:$id", qr/Client $id revoked/, { revoked => 1, cmid => $id } ],
    [ [ qw(client forget), $id ], "11 cmid=32:$id", qr/Client $id forgotten/, { forgotten => 1 } ],
);

# Every key of $part is in $whole with that value.
sub contains ($whole, $part, $at) {
    if (ref $part eq 'HASH') {
        return 0 if ref $whole ne 'HASH';
        for my $key (sort keys %$part) {
            contains($whole->{$key}, $part->{$key}, "$at.$key") or return 0;
        }
        return 1;
    }
    if (ref $part eq 'ARRAY') {
        return 0 if ref $whole ne 'ARRAY' || @$whole < @$part;
        contains($whole->[$_], $part->[$_], "$at\[$_]") or return 0 for 0 .. $#$part;
        return 1;
    }
    return 1 if defined $whole && $whole eq $part;
    diag("$at is " . ($whole // 'missing') . ", not $part");
    return 0;
}

for my $row (@good) {
    my ($args, $asked, $text, $keys) = @$row;
    my $name = join ' ', @$args[ 0 .. ($#$args > 1 ? 1 : $#$args) ];
    my @requests = with_host('good', sub ($socket) {
        my $r = kmsctl('-s', $socket, @$args);
        is($r->{exit}, 0, "$name: exit 0") or diag($r->{err});
        like($r->{out}, $text, "$name: text");
        is($r->{err}, '', "$name: nothing on standard error");
        unlike($r->{out}, qr/\e/, "$name: no escape sequence");
        $r = kmsctl('--json', '-s', $socket, @$args);
        is($r->{exit}, 0, "$name --json: exit 0");
        my $data = json_of($r);
        is(join(' ', grep { defined } @$data{qw(command verb)}), $name, "$name --json: says what it is");
        ok(contains($data, $keys, $name), "$name --json: its keys");
        ok(!exists $data->{error}, "$name --json: no error");
    });
    is_deeply(\@requests, [ ($asked) x 2 ], "$name: asks the host what it should");
}

with_host('good', sub ($socket) {
    my $r = run([ @kmsctl, '-s', $socket, qw(key confirm -) ], in => $signed);
    is($r->{exit}, 0, 'key confirm -: file and signature from standard input');
    $r = kmsctl('-s', $socket, qw(key request --qr));
    like($r->{out}, qr/^(?:[\x{2588}\x{2580}\x{2584} ]|\xe2\x96[\x80\x84\x88])+$/m, 'key request --qr draws a code');
    for my $row ([ [], [qw(DE US)], '' ], [ [qw(--country DE)], ['DE'], '' ], [ [qw(--country us)], ['US'], '' ],
        [ [qw(--country FR)], [qw(DE US)], 'The policy pack has no contact for FR.' ]) {
        my ($args, $countries, $says) = @$row;
        $r = kmsctl('-s', $socket, qw(key request), @$args);
        is(join(' ', $r->{out} =~ /^  ([A-Z]{2})  +\+\d/mg), "@$countries", "key request @$args shows the contacts of @$countries");
        like($r->{out}, qr/\Q$says\E/, "and says so: $says");
        is_deeply([ map { $_->{country} } @{ json_of(kmsctl('--json', '-s', $socket, qw(key request), @$args))->{contacts} } ], $countries, 'also in JSON');
    }
    for my $cc ('D', 'DEU', '', '49', 'd-') {
        is(kmsctl('-s', $socket, qw(key request --country), $cc)->{exit}, 1, "--country '$cc': a usage error");
    }
    $r = kmsctl('-s', $socket, qw(key request -o), "$dir/host.kmsreq");
    is(slurp("$dir/host.kmsreq"), "[confirm-request]\nhost = kms.example\nsignature = AAAA\n",
        'key request -o writes the request alone');
    unlike($r->{out}, qr/signature/, 'and does not print it');
    $r = kmsctl('-s', $socket, qw(key request -o), "$dir/nowhere/host.kmsreq");
    is($r->{exit}, 2, 'key request -o into a folder that is not there: exit 2');
    like($r->{err}, qr{nowhere/host\.kmsreq: cannot be written: No such file}, 'and says so');
    is_deeply([ glob "$dir/host.kmsreq.*" ], [], 'no temporary file is left');
    is(kmsctl('-s', $socket, qw(key show))->{out} =~ tr/\e//, 0, 'names from outside cannot move the cursor');
});

# What the host refuses.
my @refusals = (
    [ 6, 'KMS_E_KEY_INVALID', '0xC004F050' ],
    [ 267, 'KMS_E_PUBLISHER', undef ],
    [ 284, 'KMS_E_DENIED', undef ],
    [ 288, 'KMS_E_LIMIT', '0xC004C008' ],
);
for my $row (@refusals) {
    my ($status, $symbol, $microsoft) = @$row;
    with_host([ 'refuse', $status ], sub ($socket) {
        my $r = kmsctl('-s', $socket, qw(key install), "$dir/a.kmskey");
        is($r->{exit}, 2, "$symbol: exit 2");
        like($r->{err}, qr/^kmsctl: kmsd: because the stand-in says so\n  \Q$symbol\E \($status/,
            "$symbol: the host's words, then the symbol");
        like($r->{err}, qr/Microsoft $microsoft/, "$symbol: Microsoft's code") if $microsoft;
        like($r->{err}, qr/\n  \S.*\.\n\z/, "$symbol: what to do");
        my $error = json_of(kmsctl('--json', '-s', $socket, qw(key install), "$dir/a.kmskey"))->{error};
        is_deeply([ @$error{qw(status symbol microsoft message)} ],
            [ $status, $symbol, $microsoft, 'kmsd: because the stand-in says so' ], "$symbol: in JSON");
        ok(length $error->{meaning} && length $error->{remedy}, "$symbol: meaning and remedy in JSON");
    });
}

# What no honest host sends.
my @lies = (
    [ 'close', 'KMS_E_PEER', qr/closed the connection without an answer/ ],
    [ 'half-header', 'KMS_E_TRUNCATED', qr/cut short/ ],
    [ 'no-status', 'KMS_E_TRUNCATED', qr/cut short/ ],
    [ 'cut-rows', 'KMS_E_TRUNCATED', qr/cut short/ ],
    [ 'oversized', 'KMS_E_TOO_LARGE', qr/longer than 1048576 bytes/ ],
    [ 'huge', 'KMS_E_TOO_LARGE', qr/longer than 1048576 bytes/ ],
    [ 'short-length', 'KMS_E_FORMAT', qr/malformed/ ],
    [ 'trailing', 'KMS_E_TRAILING', qr/more bytes follow/ ],
    [ 'wrong-type', 'KMS_E_FORMAT', qr/field "counted" of row "product" has type 's' where 'u' is expected/ ],
    [ 'unknown-type', 'KMS_E_FORMAT', qr/field at byte 0 of/ ],
    [ 'bad-number', 'KMS_E_FORMAT', qr/field at byte 10 of/ ],
    [ 'field-before-row', 'KMS_E_FORMAT', qr/before the first row/ ],
    [ 'field-too-long', 'KMS_E_FORMAT', qr/field at byte 10 of/ ],
    [ 'error-without-row', 'KMS_E_KEY_INVALID', qr/kmsd: / ],
    [ 'unknown-status', undef, qr/kmsd: / ],
    [ 'silent', 'KMS_E_TIMEOUT', qr/no complete answer within 1 seconds?/ ],
);
for my $row (@lies) {
    my ($scenario, $symbol, $says) = @$row;
    with_host($scenario, sub ($socket) {
        my $r = kmsctl('-t', 1, '-s', $socket, 'status');
        is($r->{exit}, 4, "$scenario: exit 4, it cannot be known");
        like($r->{err}, $says, "$scenario: says what is wrong");
        like($r->{err}, qr/\Q$symbol\E/, "$scenario: $symbol") if $symbol;
        is($r->{out}, '', "$scenario: nothing is shown as if it were true");
        my $data = json_of(kmsctl('--json', '-t', 1, '-s', $socket, 'status'));
        ok(length $data->{error}{symbol}, "$scenario: an error in JSON");
    });
}
with_host('empty', sub ($socket) {
    is(kmsctl('-s', $socket, 'status')->{exit}, 0, 'a reply without rows is no error for status');
    is(kmsctl('-s', $socket, qw(key request))->{exit}, 2, 'but key request needs its row');
    is(kmsctl('-s', $socket, qw(client show), $id)->{exit}, 2, 'and client show its');
    like(kmsctl('-s', $socket, qw(key show))->{out}, qr/kmsctl key install/, 'key show says what to do');
});

# Nobody there.
for my $args ([qw(key show)], [qw(policy show)], [ qw(client revoke), $id ], [qw(status)],
    [ qw(key install), "$dir/a.kmskey" ]) {
    my $r = kmsctl(@$args);
    is($r->{exit}, 3, "@$args: exit 3 when kmsd is not running");
    like($r->{err}, qr/kmsd is not running.*\n.*KMS_E_NOT_RUNNING.*\n  Start kmsd/, "@$args: says so, and what to do");
}
spew("$dir/stale", '');
is(kmsctl('-s', "$dir/stale", 'status')->{exit}, 3, 'a file that is no socket: exit 3');
is(kmsctl('-s', 'x' x 200, 'status')->{exit}, 4, 'a socket path that is too long: exit 4');

# A ledger without kmsd.
is(run([ program('make_ledger'), "$dir/state", 2000 ])->{exit}, 0, 'a ledger of 2000 clients');
my $clients = json_of(kmsctl(qw(--json clients)));
is(scalar @{ $clients->{clients} }, 2000, 'clients --json: all of them');
is_deeply([ @$clients{qw(shown complete running)} ], [ 2000, JSON::PP::true(), JSON::PP::false() ], 'and says so');
is_deeply([ map { $_->{name} } @{ $clients->{clients} }[ 0, 999, 1996, 1997, 1998 ] ],
    [ qw(pc-0 pc-999 pc-1996 twin twin) ], 'in the order of their CMIDs');
# Root reads what another user wrote with that user's rights, and has none to take back: seen while its output waits.
SKIP: {
    skip 'not root: no other user to become', 3 if $> != 0;
    my $nobody = getpwnam 'nobody';
    run([ 'chown', '-R', 'nobody', "$dir/state/kmsdb" ]);
    POSIX::mkfifo("$dir/fifo", 0600) or die;
    my $pid = spawn([ @kmsctl, qw(--json clients --full) ], setup => sub { open STDOUT, '>', "$dir/fifo" });
    open my $waiting, '<', "$dir/fifo" or die;
    read $waiting, my $begun, 1;
    like(slurp("/proc/$pid/status"), qr/^Uid:(?:\s+$nobody){4}$/m, 'the ledger is read by its owner');
    like(slurp("/proc/$pid/status"), qr/^CapPrm:\s+0+$/m, 'who has no capability');
    1 while read $waiting, my $more, 65536;
    is(wait_exit($pid, 20), 0, 'and to its end');
    run([ 'chown', '-R', 'root', "$dir/state/kmsdb" ]);
}
my $one = $clients->{clients}[258];
is_deeply([ @$one{qw(cmid address product pool state)} ],
    [ '00000102' . '0' x 24, '10.0.1.2', '11111111-1111-1111-1111-111111111111', 1, 'activated' ], 'a row, field by field');
is($clients->{clients}[9]{state}, 'below-threshold', 'one below the threshold');
is($clients->{clients}[9]{expires}, undef, 'has no lease');
my @shown = (
    [ [qw(--active)], 1800 ], [ [qw(--limit 1)], 1 ], [ [qw(--limit 1999)], 1999 ], [ [qw(--limit 2001)], 2000 ],
    [ [qw(--product 11111111-1111-1111-1111-111111111111)], 2000 ], [ [qw(--product 11111111111111111111111111111111 --active --limit 7)], 7 ],
    [ [qw(--product 22222222-1111-1111-1111-111111111111)], 0 ],
);
for my $row (@shown) {
    is(json_of(kmsctl(qw(--json clients), @{ $row->[0] }))->{shown}, $row->[1], "clients @{ $row->[0] }: $row->[1]");
    my $text = kmsctl('clients', @{ $row->[0] })->{out};
    is(scalar(() = $text =~ /(?:activated|below-threshold)$/mg), $row->[1], "clients @{ $row->[0] }: $row->[1] lines");
}
my $text = kmsctl('clients');
is($text->{exit}, 0, 'clients: exit 0 without kmsd');
like($text->{out}, qr/^kmsd is not running: this is the state of the ledger$/m, 'and says whose word it is');
is(scalar(() = $text->{out} =~ /^  pc-\d+ +[0-9a-f]{12}  11111111-\S+ +10\.[\d.]+ +\d{4}-/mg), 1997, 'rows are aligned and whole');
like(kmsctl('explain', "red\xc2\x9b1m\xe2\x80\xae\e[0m")->{err}, qr/"red\?1m\?\?\[0m"/, 'what is printed follows the text rule');
like(kmsctl(qw(clients --full))->{out}, qr/ 0{8}0{24} .*\n.* 000000010{24} /, 'clients --full shows whole CMIDs');
for my $row (
    [ 'pc-77', 0, qr/CMID: +0000004d/ ], [ 'PC-77', 0, qr/CMID: +0000004d/ ], [ '000007cf', 0, qr/Name: +M\xc3\xbcller/ ],
    [ '000007CF' . '0' x 24, 0, qr/Name: +M/ ],
    [ 'twin', 2, qr/2 clients have the name "twin": use the CMID: 000007cd0{24} 000007ce0{24}/ ],
    [ '0000', 2, qr/2000 CMIDs begin with 0000: give more digits/ ],
    [ '000', 2, qr/no client has the name or CMID "000"/ ], [ 'ffffffff', 2, qr/no client/ ], [ 'f' x 32, 2, qr/no client has the CMID/ ], [ '', 2, qr/no client/ ],
) {
    my ($who, $exit, $says) = @$row;
    my $r = kmsctl(qw(client show), $who);
    is($r->{exit}, $exit, "client show $who: exit $exit");
    like("$r->{out}$r->{err}", $says, "client show $who: $says");
}
my $down = json_of(kmsctl(qw(--json status)));
is_deeply([ @{ $down->{ledger} }{qw(clients last_batch index_batch)} ], [ 2000, 3, 3 ], 'status: what the ledger holds');
is($down->{pools}[0]{counted}, 2000, 'status: how many are counted');
is_deeply([ @{ json_of(kmsctl(qw(--json ledger check))) }{qw(sound problem_count)} ], [ JSON::PP::true(), 0 ], 'ledger check');
is(json_of(kmsctl(qw(--json ledger rebuild)))->{clients}, 2000, 'ledger rebuild');
is_deeply(json_of(kmsctl(qw(--json clients))), $clients, 'after it the same clients, to the last field');
unlink glob "$dir/state/kmsdb/index/*";
$r = kmsctl('clients');
is($r->{exit}, 2, 'clients without an index: exit 2');
like($r->{err}, qr/the ledger cannot be read: /, 'and says so');
is(kmsctl(qw(ledger check))->{exit}, 4, 'ledger check: a missing index is a problem');
is(kmsctl(qw(ledger rebuild))->{exit}, 0, 'ledger rebuild makes it');
is_deeply(json_of(kmsctl(qw(--json clients))), $clients, 'from the journal alone');
my $nowhere = spew("$dir/nowhere.ini", "[kms]\nstate_directory = $dir/no\nruntime_directory = $dir/run\n");
for my $args ([qw(clients)], [qw(ledger check)], [qw(ledger rebuild)], [qw(client show pc-1)]) {
    my $r = run([ program('kmsctl'), '-c', $nowhere, @$args ]);
    is($r->{exit}, 2, "@$args without a state directory: exit 2");
    like($r->{err}, qr{\Q$dir/no\E: No such file or directory}, "@$args: names it");
}

# Files that are not as they should be.
spew("$dir/alone.kmskey", 'x');
spew("$dir/large.kmskey", 'x' x (256 * 1024 + 1));
POSIX::mkfifo("$dir/fifo.kmskey", 0600) or die;
for my $row (
    [ "$dir/none.kmskey", qr{none\.kmskey: no such file} ],
    [ "$dir/alone.kmskey", qr{alone\.kmskey\.minisig: no such file: the publisher's signature must be beside} ],
    [ "$dir/large.kmskey", qr{large\.kmskey: } ],
    [ "$dir/fifo.kmskey", qr{fifo\.kmskey\.minisig: no such file} ],    # and no wait for who would write into it
    [ $dir, qr{: Is a directory} ],
) {
    my $r = kmsctl(qw(key install), $row->[0]);
    is($r->{exit}, 2, "key install: exit 2");
    like($r->{err}, $row->[1], 'key install: ' . $row->[1]);
}
$r = run([ @kmsctl, qw(key confirm -) ], in => "[host-certificate]\nno signature in it\n");
is($r->{exit}, 2, 'key confirm - without a signature: exit 2');
like($r->{err}, qr/the file followed by its signature/, 'and says what it expects');

# Bad arguments: exit 1, one line that helps, and the same in JSON.
my @bad = (
    [ ['statsu'], qr/no command "statsu".*Did you mean "status"\?/ ],
    [ ['key'], qr/a command is missing after "key"\. One of: install show request confirm/ ],
    [ [qw(ledger chekc)], qr/no command "ledger chekc".*Did you mean "check"\?/ ],
    [ [qw(policy install)], qr/an argument is missing\. Usage: kmsctl policy install FILE/ ],
    [ [qw(policy install a b)], qr/too many arguments: "b"/ ],
    [ [qw(status x)], qr/too many arguments: "x"/ ],
    [ [qw(client show)], qr/an argument is missing/ ],
    [ [qw(status --limit 3)], qr/--limit N does not belong to this command/ ],
    [ [qw(clients --qr)], qr/--qr does not belong/ ],
    [ [qw(clients --limit 0)], qr/--limit takes a number from 1, not 0/ ],
    [ [qw(clients --limit -1)], qr/--limit takes a number from 1, not -1/ ],
    [ [qw(clients --limit 99999999999999999999)], qr/--limit takes a number/ ],
    [ [qw(clients --limit 1x)], qr/--limit takes a number/ ],
    [ [qw(clients --since yesterday)], qr/--since takes a date, or a time such as 2026-11-23T14:00:00Z, not yesterday/ ],
    [ [qw(-t 0 status)], qr/--timeout takes seconds/ ],
    [ [qw(-t 3601 status)], qr/--timeout takes seconds/ ],
    [ [qw(-t never status)], qr/--timeout takes seconds/ ],
    [ [qw(--colour status)], qr/no such option: --colour/ ],
    [ [qw(-x status)], qr/no such option: -x/ ],
    [ [qw(status -s)], qr/a value is missing after -s/ ],
    [ [qw(clients --product)], qr/a value is missing after --product/ ],
);
for my $row (@bad) {
    my ($args, $says) = @$row;
    my $name = "kmsctl @$args";
    my $said = run([ program('kmsctl'), @$args ]);
    my $code = (grep { $_ eq 'status' } @$args) ? 4 : 1; # as LSB has it: 1 would say that the service died
    is($said->{exit}, $code, "$name: exit $code");
    like($said->{err}, $says, "$name: says why");
    is($said->{out}, '', "$name: nothing on standard output");
    my $data = json_of(run([ program('kmsctl'), '--json', @$args ]));
    like($data->{error}{message}, $says, "$name: the same in JSON");
}

# config check.
$r = kmsctl(qw(config check));
is($r->{exit}, 0, 'config check: a good file, exit 0');
spew("$dir/bad.ini", "[kms]\nstate_directory = $dir/state\nstate_dirctory = x\n[listen]\nport = 70000\n");
$r = kmsctl(qw(config check), "$dir/bad.ini");
is($r->{exit}, 4, 'config check: a bad file, exit 4');
like($r->{out}, qr{^\Q$dir\E/bad\.ini:3: .*^\Q$dir\E/bad\.ini:5: }ms, 'config check: FILE:LINE: message, every error');
my $data = json_of(kmsctl('--json', qw(config check), "$dir/bad.ini"));
is_deeply([ map { $_->{line} } @{ $data->{errors} } ], [ 3, 5 ], 'config check --json: the lines');
ok(!$data->{valid}, 'config check --json: not valid');
# Section, key and value: the line, the name, and what was meant.
my $typos = spew("$dir/typos.ini", "; typos\n[lisen]\n[limits]\nidle_timout = 5\nconections = 7\nport = 1688\n"
    . "[log]\nlevel = warnign\n[sandbox]\nallow_missing = secomp\n[ledger]\nbatch = none\nbatch = 8\nsegment_size = 5T\n"
    . "[publisher acme]\npolcy = /a\nhost_key = a.kmskey\n[listen]\nport = 1688\n");
is(kmsctl(qw(config check), $typos)->{out} =~ s/^\Q$typos\E//mgr, <<'END', 'config check: every typo');
:2: unknown section [lisen]: did you mean [listen]?
:4: unknown key "idle_timout" in [limits]: did you mean "idle_timeout"?
:5: unknown key "conections" in [limits]: did you mean "connections"?
:6: unknown key "port" in [limits]: it belongs in [listen]
:8: level = "warnign": it must be error, warning, notice, info or debug: did you mean "warning"?
:10: allow_missing = "secomp": it must be some of: no-new-privs uid chroot netns landlock seccomp rlimits no-core: did you mean "seccomp"?
:12: batch = "none": it must be a number from 1 to 65536
:13: key "batch" is given twice in [ledger]
:14: segment_size = "5T": it must be a number from 1M to 4G bytes (suffixes K, M, G)
:16: unknown key "polcy" in [publisher NAME]: did you mean "policy"?
:17: host_key = "a.kmskey": it must be an absolute path without "..", 0 to 255 bytes long
:15: [publisher acme] has no valid key = RW...
12 errors
END
is(kmsctl(qw(config check), "$dir/none.ini")->{exit}, 2, 'config check: no such file, exit 2');
$r = run([ program('kmsctl'), '-c', "$dir/bad.ini", 'clients' ]);
is($r->{exit}, 2, 'another command with a bad file: exit 2');
like($r->{err}, qr{bad\.ini:3: .*kmsctl config check}, 'and names the line and the command');
is(run([ program('kmsctl'), '-c', "$dir/none.ini", 'clients' ])->{exit}, 2, '-c with a file that is not there: exit 2');
# LSB's codes 1 and 2 would say of a service that it died.
is(run([ program('kmsctl'), @$_ ])->{exit}, 4, "@$_: 4, nobody can tell")
    for [ '-c', "$dir/none.ini", 'status' ], [qw(status --foo)], [qw(--foo status)], [qw(status -t)], [qw(-t 0 status)], [qw(status of)], [qw(status --nameserver 1)],
    [ '-c', $ini, '-s', 'x' x 200, 'status' ];
is(run([ program('kmsctl'), @$_ ])->{exit}, 1, "@$_: 1, usage") for [qw(clients --foo)], [qw(--foo clients)], [qw(clients of)], ['state'];
is(run([ 'sh', '-c', '"$0" -c "$1" status >/dev/full 2>/dev/null', program('kmsctl'), $ini ])->{exit}, 4, 'nor does a status that cannot be written tell');

# explain, version, help need nothing.
my @explain = (
    [ '0xC004F038', 'KMS_E_COUNT_TOO_LOW' ], [ '0xc004f074', 'KMS_E_NO_HOST' ], [ '3221549112', 'KMS_E_COUNT_TOO_LOW' ],
    [ 'KMS_E_TIME_SKEW', 'KMS_E_TIME_SKEW' ], [ 'time_skew', 'KMS_E_TIME_SKEW' ], [ '9', 'KMS_E_TIME_SKEW' ], [ '0', 'KMS_OK' ],
);
for my $row (@explain) {
    $r = run([ program('kmsctl'), 'explain', $row->[0] ]);
    is($r->{exit}, 0, "explain $row->[0]: exit 0");
    like($r->{out}, qr/\b$row->[1]\b/, "explain $row->[0] is $row->[1]");
    my $found = json_of(run([ program('kmsctl'), '--json', 'explain', $row->[0] ]))->{errors};
    is($found->[0]{symbol}, $row->[1], "explain $row->[0] --json");
}
# Every row of the table is found by its number, its symbol, its short symbol and Microsoft's code.
for my $row (@{ json_of(run([ program('kmsctl'), qw(explain --json) ]))->{errors} }) {
    like($row->{remedy}, qr/^[A-Z].{3,}\.$/, "$row->{symbol} has a remedy");
    for my $what ($row->{status}, $row->{symbol}, $row->{symbol} =~ s/^KMS_E_//r, $row->{microsoft} // ()) {
        my $found = json_of(run([ program('kmsctl'), qw(explain --json), $what ]))->{errors} // [];
        is_deeply($found, [$row], "explain $what");
    }
}
# No page speaks of a code of Microsoft's that the table does not have.
my %microsoft = map { $_->{microsoft} ? ($_->{microsoft} => 1) : () } @{ json_of(run([ program('kmsctl'), qw(explain --json) ]))->{errors} };
for my $page (glob("$SRC/doc/*"), "$SRC/README.md") {
    my @strange = grep { !$microsoft{$_} } slurp($page) =~ /\b(0xC004[0-9A-F]{4})\b/g;
    is_deeply(\@strange, [], "$page: every code of Microsoft's is in the table");
}
is(run([ program('kmsctl'), 'explain', $_ ])->{exit}, 2, "explain $_: exit 2")
    for '0xC004FFFF', 'KMS_E_NONSENSE', '', '9x', '99999999999';
cmp_ok(scalar @{ json_of(run([ program('kmsctl'), qw(explain --json) ]))->{errors} }, '>', 50, 'explain lists all');
like(json_of(run([ program('kmsctl'), qw(version --json) ]))->{version}, qr/^\d+\.\d+/, 'version');
like(run([ program('kmsctl'), '--version' ])->{out}, qr/^kmsctl \d/, '--version');

# Nobody reads: that is an error, not a success.
if (-e '/dev/full') {
    my $exit = system("'" . program('kmsctl') . "' explain > /dev/full 2>/dev/null") >> 8;
    is($exit, 2, 'output that cannot be written: exit 2');
}

# Who reads no further has seen enough: no error, no word, and no signal, with pipefail too.
sub deaf (@command) {
    pipe my $in, my $out or die "pipe: $!";
    close $in;
    my $err = "$dir/deaf.err";
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        $SIG{PIPE} = 'DEFAULT';
        open STDOUT, '>&', $out;
        open STDERR, '>', $err;
        exec @command or POSIX::_exit(127);
    }
    close $out;
    waitpid $pid, 0;
    return ($?, slurp($err));
}
my $somebody = publisher();
for my $command ([ 'kmsctl', 'explain' ], [ 'kmsctl', '--json', 'help' ], [ 'kmsctl', '--help' ], [ 'kmsctl', '--completion' ],
    [ 'kmsissue', 'ledger', '-d', $somebody->{dir} ], [ 'kmsissue', '--json', 'show', $somebody->{pack} ], [ 'kmsissue', '--help' ],
    [ 'kmsclient', '--help' ], [ 'kmsclient', '--completion' ]) {
    my ($name, @args) = @$command;
    is_deeply([ deaf(program($name), @args) ], [ 0, '' ], "$name @args | head: no error");
}
is_deeply([ (deaf(program('kmsctl'), '-s', "$dir/nothing", 'status'))[0] >> 8 ], [ 3 ], 'a command that fails still does');

# The manual pages know every command (completion.t: what the shells offer).
my $commands = json_of(run([ program('kmsctl'), qw(help --json) ]))->{commands};
cmp_ok(scalar @$commands, '>=', 16, 'help --json lists the commands');
my %page = map { m{(kmsctl[^/]*)\.8$} => slurp($_) } glob "$SRC/doc/kmsctl*.8";
for my $c (@$commands) {
    my $words = join ' ', grep { defined } @$c{qw(noun verb)};
    my ($name) = $c->{manual} =~ /^(.*)\(8\)$/;
    like($page{$name}, qr/^\.It (?:Cm|Xo Cm) \Q$words\E\b/m, "$c->{manual} describes $words");
    like($page{kmsctl}, qr/^\.It Xr \Q$name\E 8\n[^:]*\b$c->{noun}\b/m, "kmsctl(8) leads there from $c->{noun}") if $name ne 'kmsctl';
    like(run([ program('kmsctl'), 'help', split / /, $words ])->{out}, qr/^The manual page is \Q$c->{manual}\E\.$/m, "so does help $words");
}
is_deeply([ sort keys %page ], [ sort keys %{ { map { $_->{manual} =~ s/\(8\)//r => 1 } @$commands } } ], 'each page is the page of some command');
like(run([ program('kmsctl'), '--help' ])->{out}, qr/^The manual page kmsctl\(8\) names the page of each group of commands\.$/m, 'kmsctl --help names the first page');
done_testing;
