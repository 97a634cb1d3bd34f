#!/usr/bin/perl
# A customer's journal, exported by kmsctl beside a running daemon and proved by kmsissue with
# nothing but the publisher's public key; then every way to cheat, one by one.
use v5.36;
use Cwd qw(abs_path);
use FindBin;
use lib "$FindBin::Bin/../lib";
use Digest::SHA qw(sha256_hex);
use KMS::AuditFile;
use KMS::Clock;
use KMS::Test;
use Test::More;

my $dir = workspace();
my $publisher = publisher(
    dir => "$dir/publisher",
    products => [
        { name => 'Example Server', id => '22222222-2222-4222-8222-222222222222', threshold => 1,
            group => 'server', pool => 'servers' },
        { name => 'Example Writer', id => '11111111-1111-4111-8111-111111111111', threshold => 1,
            group => 'client', pool => 'desktops' },
    ]);
my $a = start_appliance(publisher => $publisher);
$a->enable;
my ($server, $writer) = map { $_->{id} } @{ $publisher->{products} };
is($a->client("s$_", 'activate', product => $server)->{exit}, 0, "server $_ is activated") for 1 .. 3;
is($a->client("w$_", 'activate', product => $writer)->{exit}, 0, "writer $_ is activated") for 1 .. 5;
is($a->client('s1', 'renew', product => $server)->{exit}, 0, 'one renews');

# The register takes part where a test is about it.
sub verify ($file, @args) { run([ program('kmsissue'), 'audit', 'verify', '-P', $publisher->{key}, '--json', @args, $file ]) }
sub proved ($name, $file, @args) {
    my $r = verify($file, @args);
    is($r->{exit}, 0, $name) or diag($r->{err});
    return json_of($r);
}
sub not_proved ($name, $file, @args) {
    my $r = verify($file, @args);
    is($r->{exit}, 1, "$name: not proved") or diag($r->{out});
    my $said = json_of($r);
    is($said->{status}, 'KMS_E_NOT_PROVED', "$name: KMS_E_NOT_PROVED");
    is($said->{beginning}, 'not proved', "$name: and the report is there");
    like($r->{err}, qr/nothing proves the batches before it: ask the customer for kmsctl audit export/, "$name: and what to ask for");
    return $said;
}
sub refused ($name, $status, $words, $file, @args) {
    my $r = verify($file, @args);
    is($r->{exit}, 1, "$name: refused") or diag($r->{out});
    is(json_of($r)->{status}, $status, "$name: $status") or diag($r->{err});
    like($r->{err}, $words, "$name: says what is wrong");
}

# -- what it proves --

my ($export, $code) = $a->kmsctl_json('audit', 'export', '-o', "$dir/all.kmsaudit");
is($code, 0, 'audit export beside a running kmsd');
is((stat "$dir/all.kmsaudit")[2] & 0777, 0600, 'its owner\'s alone');
my $all = proved('audit verify', "$dir/all.kmsaudit", '--policy', $publisher->{pack});
is($all->{clients}, 8, 'eight clients were activated');
is($all->{leases}, 9, 'with nine leases');
is($all->{leases_not_covered}, 0, 'all of them covered by the certificate');
is_deeply([ map { [ @{$_}{qw(id name clients leases)} ] } @{ $all->{products} } ],
    [ [ $writer, 'Example Writer', 5, 5 ], [ $server, 'Example Server', 3, 4 ] ], 'product by product');
is($all->{first_batch}, 1, 'from the first batch');
is($all->{last_batch}, $export->{last_batch}, 'to the last');
is($all->{batches}, $all->{last_batch}, 'without a gap');
is($all->{last}, $export->{last}, 'the host and the publisher see the same last hash');
is(scalar @{ $all->{certificates} }, 1, 'one certificate signed for it');
is_deeply([ @{ $all->{certificates}[0] }{qw(serial customer group confirmation)} ], [ 1, 'Example Customer', 'server', 1 ],
    'and is the one that was issued');
my ($status) = $a->kmsctl_json('status');
is($all->{host}, $status->{service}{host_id} // $status->{service}{'host-id'}, 'of this host');
my $r = run([ program('kmsissue'), 'audit', 'verify', '-P', $publisher->{key}, "$dir/all.kmsaudit" ]);
is($r->{exit}, 0, 'the public key alone is enough');
like($r->{out}, qr/^clients\s+8$/m, 'in words too');

is_deeply([ map { [ @{$_}{qw(pool most_counted most_holding)} ] } @{ $all->{pools} } ], [ [ 1, 5, 5 ], [ 2, 3, 3 ] ], 'and pool by pool');
ok(!exists $all->{days}, 'days are printed when they are asked for');
is_deeply([ map { [ @{$_}{qw(pool counted holding)} ] } @{ proved('day by day', "$dir/all.kmsaudit", '--days')->{days} } ], [ [ 1, 5, 5 ], [ 2, 3, 3 ] ],
    'each day on which a figure changes');

# -- periods --

my $first = proved('a period long ago', "$dir/all.kmsaudit", qw(--to 2020-01-01));
is($first->{clients}, 0, 'has no clients');
ok($first->{goes_beyond_period}, 'and surely ended');
ok(!proved('until now', "$dir/all.kmsaudit")->{goes_beyond_period}, 'what has not ended is not said to have');
is($all->{beginning}, 'batch 1', 'the beginning is proved');
ok(!(grep { /not proved/ } @{ $all->{not_shown} }), 'and not among what is not shown');
like("@{ $all->{proved} }", qr/begins with batch 1/, 'but among what is proved');
export_tail();
not_proved('a stretch from before the period', "$dir/tail.kmsaudit", '--from', '2020-01-01');
sub export_tail () {
    # A stretch from the middle: made by hand, as a period of seconds would depend on the clock.
    my ($head, @batches) = parts(slurp("$dir/all.kmsaudit"));
    spew("$dir/tail.kmsaudit", join '', rehead($head, @batches[ 3 .. $#batches ]));
    return 1;
}
# A batch from before the period is a statement of the host: one step of its clock makes one.
my $tail = not_proved('a stretch whose first batch is before the period', "$dir/tail.kmsaudit", '--from', '2090-01-01');
is($tail->{first_batch}, 4, 'is a stretch');
like("@{ $tail->{not_shown} }", qr/The batches before batch 4/, 'and says what is not shown');
my ($future, $future_code) = $a->kmsctl_json('audit', 'export', '--from', '2090-01-01', '-o', "$dir/future.kmsaudit");
is($future_code, 0, 'an export of a period in which nothing happened');
is($future->{batches}, 1, 'holds the batch before it');
is(not_proved('by itself', "$dir/future.kmsaudit", '--from', '2090-01-01')->{clients}, 0, 'nothing happened in it');
is(proved('after the audit before it', "$dir/future.kmsaudit", '--from', '2090-01-01', '--last', $all->{last})->{beginning}, 'known batch',
    'it proves that nothing happened');
my ($past) = $a->kmsctl_json('audit', 'export', '--to', '2020-01-01', '-o', "$dir/past.kmsaudit");
is($past->{batches}, 1, 'and one of long ago the batch after it');

# -- the end that is known from elsewhere --

my ($known, $hash) = split /:/, $all->{last};
proved('--last of the last batch', "$dir/all.kmsaudit", '--last', $all->{last});
is(proved('--last of the batch before what is there', "$dir/tail.kmsaudit", '--last', last_of(3))->{beginning}, 'known batch', 'joins it');
sub last_of ($n) {
    my ($head, @batches) = parts(slurp("$dir/all.kmsaudit"));
    return "$n:" . sha256_hex(substr $batches[ $n - 1 ], 4, 108);
}
is(last_of($known), $all->{last}, 'the hash is SHA-256 of the header');
proved('--last of a batch in the middle', "$dir/all.kmsaudit", '--last', last_of(4));
{
    my ($head, @batches) = parts(slurp("$dir/all.kmsaudit"));
    spew("$dir/short.kmsaudit", join '', rehead($head, @batches[ 0 .. $#batches - 1 ]));
    proved('a shorter export by itself is one of an earlier moment', "$dir/short.kmsaudit");
    refused('but not with --last', 'KMS_E_MISSING', qr/the end was cut off/, "$dir/short.kmsaudit", '--last', $all->{last});
    refused('another hash for the last batch', 'KMS_E_CHAIN', qr/differs from the known batch/, "$dir/all.kmsaudit",
        '--last', "$known:" . '0' x 64);
    refused('another hash for the batch before the first', 'KMS_E_CHAIN', qr/differs from the known batch/,
        "$dir/tail.kmsaudit", '--from', '2090-01-01', '--last', '3:' . '0' x 64);
    refused('a known batch too far back', 'KMS_E_MISSING', qr/after the known batch 2 are missing/, "$dir/tail.kmsaudit",
        '--from', '2090-01-01', '--last', last_of(2));
}

# -- what was done to it --

{
    my $whole = slurp("$dir/all.kmsaudit");
    my ($head, @batches) = parts($whole);
    my $try = sub ($name, $status, $words, $text) {
        spew("$dir/bad.kmsaudit", $text);
        refused($name, $status, $words, "$dir/bad.kmsaudit");
    };
    cmp_ok(scalar @batches, '>', 6, 'there are batches to take away');
    for my $n (1 .. $#batches - 1) {
        my @left = @batches;
        splice @left, $n, 1;
        $try->('batch ' . ($n + 1) . ' taken out', 'KMS_E_CHAIN', qr/batch @{[ $n + 1 ]} is missing/, join '', $head, @left);
    }
    not_proved('the first batches taken out', spew("$dir/bad.kmsaudit", join '', rehead($head, @batches[ 2 .. $#batches ])));
    $try->('two batches exchanged', 'KMS_E_CHAIN', qr/batch 3 is missing/, join '', $head, @batches[ 0, 1, 3, 2, 4 .. $#batches ]);
    $try->('a batch twice', 'KMS_E_CHAIN', qr/batch 2 follows batch 2/, join '', $head, @batches[ 0, 1, 1 .. $#batches ]);
    $try->('no batch', 'KMS_E_MISSING', qr/no batch/, $head);
    $try->('no certificate', 'KMS_E_NOT_CONFIRMED', qr/no host certificate/, join '', substr($head, 0, 60), "\0\0", @batches);
    $try->('an entry taken out', 'KMS_E_FORMAT', qr/something other than a batch follows/, join '', $head, @batches[ 0 .. $#batches - 1 ], less($batches[-1]));
    $try->('nothing', 'KMS_E_FORMAT', qr/not an audit file/, '');
    $try->('something else', 'KMS_E_FORMAT', qr/not an audit file/, slurp($publisher->{pack}));
    $try->('octets after the end', 'KMS_E_TRUNCATED', qr/cut off after batch $known/, "$whole\0");
    # Any byte: a hundred places in every part, and each of the head's.
    my @bad;
    my $step = int(length($whole) / 200) || 1;
    for (my $at = 0; $at < length $whole; $at += $at < length $head ? 1 : $step) {
        my $changed = $whole;
        substr($changed, $at, 1) ^.= "\x01";
        spew("$dir/bad.kmsaudit", $changed);
        my $exit = verify("$dir/bad.kmsaudit")->{exit};
        # The period that the head claims is not signed; all else is an error or a finding.
        push @bad, $at if $exit != 1 && $exit != ($at >= 11 && $at < 44 ? 3 : 1) && !($at >= 44 && $at < 60);
    }
    is("@bad", '', 'an octet changed is found, wherever it is');
    @bad = ();
    for my $n (map { $_ * 97 } 1 .. length($whole) / 97) {
        next if grep { $n == $_ } boundaries($head, @batches);
        spew("$dir/bad.kmsaudit", substr $whole, 0, $n);
        push @bad, $n if verify("$dir/bad.kmsaudit")->{exit} != 1;
    }
    is("@bad", '', 'and so is a cut anywhere within a batch');
}

# -- what the head claims, and names --

{
    my ($head, @batches) = parts(slurp("$dir/all.kmsaudit"));
    my $find = sub ($name, $words, $at, $octets) {
        my $changed = $head;
        substr $changed, $at, length $octets, $octets;
        spew("$dir/claims.kmsaudit", join '', $changed, @batches);
        my $r = verify("$dir/claims.kmsaudit");
        is($r->{exit}, 3, "$name: a finding, exit 3") or diag($r->{err});
        my $said = json_of($r);
        is($said->{finding_count}, 1, "$name: one");
        is("$said->{worst} $said->{findings}[0]{grade}", 'unexplained unexplained', "$name: unexplained");
        like($said->{findings}[0]{finding}, $words, "$name: which");
    };
    $find->('another host', qr/the head names another host/, 12, "\0" x 16);
    $find->('another first batch', qr/names batches 2 to $known, but the file has 1 to $known/, 28, pack 'Q>', 2);
    $find->('a period that ends before it begins', qr/names a period/, 44, pack 'Q> Q>', 9, 8);
    my $version = sub ($name, $words, $text) {
        spew("$dir/bad.kmsaudit", $text);
        refused($name, 'KMS_E_SCHEMA', $words, "$dir/bad.kmsaudit");
    };
    $version->('version 1', qr/audit file version 1; this is kmsissue \S+, which reads audit file version 2/, "KMSAUDI1\0\0");
    $version->('version 3', qr/audit file version 3; this is/, join '', substr($head, 0, 8), "\0\3", substr($head, 10), @batches);
    $version->('a flag of later', qr/a flag that this kmsissue/, join '', substr($head, 0, 10), "\0\2", substr($head, 12), @batches);
    $version->('a document of later', qr/a document of a kind/, join '', substr($head, 0, 62), "\7", substr($head, 63), @batches);
}
ok(!$all->{names}, 'no names are in it');
# As an aside has them: two letters alone are somewhere in so many random octets.
my %named = map { $_ => qr/\x02\Q$_\E\x00/ } qw(s1 w5);
unlike(slurp("$dir/all.kmsaudit"), $named{$_}, "not $_") for qw(s1 w5);
$a->do('audit', 'export', '--names', '-o', "$dir/names.kmsaudit");
my $named = proved('an export with names', "$dir/names.kmsaudit");
ok($named->{names}, 'says that they are there');
is($named->{finding_count}, 0, 'and they are those that the entries commit to');
is($named->{$_}, $all->{$_}, "the same $_") for qw(clients leases last host);
like(slurp("$dir/names.kmsaudit"), $named{$_}, "$_ is there") for qw(s1 w5);
like(slurp("$dir/names.kmsaudit"), qr/s1.*w5/s, 'there they are');
{
    spew("$dir/bad.kmsaudit", slurp("$dir/names.kmsaudit") =~ s/\x02w5\x00/\x02w6\x00/r);
    my $r = verify("$dir/bad.kmsaudit");
    is($r->{exit}, 3, 'another name: a finding');
    like(json_of($r)->{findings}[0]{finding}, qr/names do not match/, 'which');
    my $bare = slurp("$dir/names.kmsaudit");
    substr $bare, 10, 2, "\0\0";
    spew("$dir/bad.kmsaudit", $bare);
    refused('names without the flag', 'KMS_E_FORMAT', qr/something other than a batch/, "$dir/bad.kmsaudit");
}

# -- others' journals --

my $other = start_appliance(publisher => $publisher, dir => do { mkdir "$dir/other"; chmod 0755, "$dir/other"; "$dir/other" });
$other->do('policy', 'install', $publisher->{pack});
$other->do('key', 'install', "$publisher->{dir}/customer.kmskey");
$other->do('key', 'request', '-o', "$dir/other.kmsreq");
refused('the journal of a host that was never confirmed', 'KMS_E_NOT_FOUND', qr/other\.kmsaudit/, "$dir/other.kmsaudit");
my $none = $other->kmsctl('audit', 'export', '-o', "$dir/other.kmsaudit");
isnt($none->{exit}, 0, 'an unconfirmed host has nothing to prove');
like($none->{err}, qr/no host certificate.*KMS_E_NOT_CONFIRMED/s, 'and says so');
ok(!-e "$dir/other.kmsaudit", 'and makes no file');
$other->do('key', 'confirm', confirm($publisher, "$dir/other.kmsreq", output => "$dir/other"));
$other->do('audit', 'export', '-o', "$dir/other.kmsaudit");
proved('another host\'s journal with its own certificate', "$dir/other.kmsaudit");
refused('when this host\'s was expected', 'KMS_E_UNKNOWN_HOST', qr/journal of another host/, "$dir/other.kmsaudit", '--host', $all->{host});
{
    my ($mine) = parts(slurp("$dir/all.kmsaudit"));
    my (undef, @its) = parts(slurp("$dir/other.kmsaudit"));
    spew("$dir/bad.kmsaudit", join '', rehead($mine, @its));
    refused('another host\'s journal under this certificate', 'KMS_E_UNKNOWN_HOST', qr/batch 1 .*another host/, "$dir/bad.kmsaudit");
}
my $stranger = publisher(dir => "$dir/stranger");
refused('another publisher\'s key', 'KMS_E_PUBLISHER', qr/another publisher/, "$dir/all.kmsaudit", '-P', $stranger->{key});

# -- command lines --

for my $row (
    [ 'an invalid date', [ '--from', 'yesterday' ], qr/--from/ ],
    [ 'an invalid end', [ '--to', '2026-13-01' ], qr/--to/ ],
    [ 'an end before the start', [qw(--from 2026-02-01 --to 2026-01-01)], qr/before --from/ ],
    [ 'a last without a hash', [ '--last', '7' ], qr/--last/ ],
    [ 'a last of batch 0', [ '--last', '0:' . '0' x 64 ], qr/--last/ ],
    [ 'a hash too short', [ '--last', '7:00' ], qr/--last/ ],
    [ 'an invalid host', [ '--host', 'kms1' ], qr/--host/ ],
) {
    refused($row->[0], 'KMS_E_ARGUMENT', $row->[2], "$dir/all.kmsaudit", @{ $row->[1] });
}
for my $row (
    [ 'without -o', [], qr/-o FILE is needed/ ],
    [ 'with an invalid date', [ '-o', "$dir/x", '--from', 'x' ], qr/--from takes/ ],
    [ 'with an end before the start', [ '-o', "$dir/x", qw(--from 2026-02-01 --to 2026-01-01) ], qr/before --from/ ],
    [ 'for a publisher who is not', [ '-o', "$dir/x", '--publisher', 'nobody' ], qr/no \[publisher nobody\]/ ],
    [ 'into no directory', [ '-o', "$dir/nowhere/x" ], qr/No such file/ ],
) {
    my $said = $a->kmsctl('audit', 'export', @{ $row->[1] });
    isnt($said->{exit}, 0, "audit export $row->[0] is refused");
    like($said->{err}, $row->[2], 'and says why');
}
ok(!-e "$dir/x", 'none of them made a file');
# -- the register remembers --

sub issue (@args) { my $r = run([ program('kmsissue'), @args ]); return ($r, scalar json_of($r)) }
sub registered ($file, @args) { issue('audit', 'verify', '-d', $publisher->{dir}, '--json', @args, $file) }
sub hosts (@args) {
    my ($r, $said) = issue('audit', 'list', '-d', $publisher->{dir}, '--json', @args);
    is($r->{exit}, 0, 'audit list') or diag($r->{err});
    return ($said, map { $_->{host} => $_ } @{ $said->{hosts} });
}
{
    my ($said, %host) = hosts();
    is("$said->{host_count} $said->{never_audited} $said->{overdue}", '2 2 0', 'two hosts are confirmed, and neither was audited');
    is("@{ $host{ $all->{host} } }{qw(customer audited last_batch)}", 'Example Customer never 0', 'which it says');
    my ($r, $first) = registered("$dir/all.kmsaudit", '--no-record');
    ok($r->{exit} == 0 && !$first->{recorded}, '--no-record leaves the register alone');
    (undef, $first) = registered("$dir/future.kmsaudit");
    is($first->{status}, 'KMS_E_NOT_PROVED', 'a file whose beginning is not proved');
    ok(!$first->{recorded}, 'is not recorded');
    is((hosts())[0]{never_audited}, 2, 'so nobody was audited yet');
    ($r, $first) = registered("$dir/all.kmsaudit");
    ok($r->{exit} == 0 && $first->{recorded}, 'a good one is');
    ($said, %host) = hosts();
    is($said->{never_audited}, 1, 'one host is left');
    my $row = $host{ $all->{host} };
    is($row->{last_batch}, $known, 'up to its last batch');
    like($row->{audited}, qr/^20\d\d-.*Z$/, 'and when');
    is($row->{most_counted}, 5, 'with the most clients of a pool on one day');
    ok(!$row->{overdue}, 'it is not overdue');
    my ($overdue) = issue('audit', 'list', '-d', $publisher->{dir}, '--json', '--overdue', 'soon');
    like($overdue->{err}, qr/--overdue needs an age/, 'an age must be one');
    # What was recorded needs no typing.
    ($r, $said) = registered("$dir/future.kmsaudit", '--from', '2090-01-01');
    is("$r->{exit} $said->{beginning}", '0 known batch', 'the next file joins it without --last');
    (undef, %host) = hosts();
    my $until = $host{ $all->{host} }{until};
    ($r, $said) = registered("$dir/future.kmsaudit", '--to', '2099-12-31');
    (undef, %host) = hosts();
    is($host{ $all->{host} }{until}, $until, 'with a period that is longer than the file, it goes no further');
    ($r, $said) = registered("$dir/short.kmsaudit");
    is("$r->{exit} $said->{status}", '1 KMS_E_MISSING', 'a shorter file does not reach it');
    like($r->{err}, qr/batch $known is known: the end was cut off, or the file is older than the last audit/, 'and is told from an older one');
    proved('with -P alone the register takes no part', "$dir/short.kmsaudit");
    ($r) = issue('ledger', '-d', $publisher->{dir}, '--json');
    my @audits = grep { $_->{event} eq 'audit' } @{ json_of($r)->{events} };
    is(scalar @audits, 3, 'the ledger has the audits');
    is_deeply([ @{ $audits[0] }{qw(host serial capacity customer)} ], [ $all->{host}, $known, 5, 'Example Customer' ], 'with host, batch and count');
    is("$audits[0]{serial}:$audits[0]{request}", $all->{last}, 'and the hash of that batch');
    # A year later, both are to be asked for; a revoked one is not.
    {
        local %ENV = %ENV;
        my $clock = KMS::Clock->start;
        $clock->to(time + 399 * 86400);
        is((hosts())[0]{overdue}, 0, 'after 399 days nobody is overdue');
        is((hosts('--overdue', '90d'))[0]{overdue}, 2, 'unless less is allowed');
        $clock->to(time + 401 * 86400);
        ($said, %host) = hosts();
        is($said->{overdue}, 2, 'after 401 days the one that was audited is, and so is the one that never was');
        ($r, $said) = registered("$dir/future.kmsaudit");
        ok($r->{exit} == 0 && $said->{recorded}, 'its old file once more');
        ($said, %host) = hosts();
        is($said->{overdue}, 2, 'shows nothing new, and it is overdue as before');
        run([ program('kmsissue'), 'revoke', 'host', '-d', $publisher->{dir}, '--reason', 'sold', $all->{host} ]);
        ($said, %host) = hosts();
        ok($said->{overdue} == 1 && $host{ $all->{host} }{revoked}, 'a revoked host is not asked for');
    }
    my $plain = run([ program('kmsissue'), 'audit', 'list', '-d', $publisher->{dir} ]);
    like($plain->{out}, qr/audited\s+never$/m, 'for a person too');
}

# -- leases that the publisher was sent --

$a->client('w1', 'export-lease', product => $writer, args => ["$dir/w1.lease"]);
$other->client('o1', 'activate', product => $server);
$other->client('o1', 'export-lease', product => $server, args => ["$dir/o1.lease"]);
{
    my ($r, $lease) = issue('show', '-P', $publisher->{key}, '--json', "$dir/w1.lease");
    is("$r->{exit} $lease->{kind} $lease->{signature}", '0 lease verified', 'kmsissue show reads a lease');
    is("$lease->{host} $lease->{customer} $lease->{product}", "$all->{host} Example Customer $writer", 'and whose it is');
    my ($number, $of) = split /:/, $lease->{batch};
    is($lease->{batch}, last_of($number), 'with number and hash of its batch');
    ($r, $lease) = issue('show', '--json', "$dir/w1.lease");
    like($lease->{signature}, qr/^not checked/, 'without a key, the signature is not checked');
    my $octets = slurp("$dir/w1.lease");
    for my $row ([ 'altered', $octets =~ s/Example Customer/Example Customes/r, 'KMS_E_SIGNATURE' ], [ 'cut', substr($octets, 0, -1), 'KMS_E_TRUNCATED' ],
        [ 'of a later version', $octets =~ s/^KMSLEAS3/KMSLEAS4/r, 'KMS_E_SCHEMA' ]) {
        spew("$dir/bad.lease", $row->[1]);
        ($r, $lease) = issue('show', '-P', $publisher->{key}, '--json', "$dir/bad.lease");
        is("$r->{exit} $lease->{status}", "1 $row->[2]", "a lease that is $row->[0] is refused");
    }
    my $said = proved('with leases', "$dir/all.kmsaudit", '--lease', "$dir/w1.lease", '--lease', "$dir/o1.lease");
    is(join(', ', map { $_->{place} } @{ $said->{lease_files} }), 'in the chain, of another host', 'which are where they are');
    $a->client('w1', 'renew', product => $writer);
    $a->client('w1', 'export-lease', product => $writer, args => ["$dir/w1.lease"]);
    $r = verify("$dir/all.kmsaudit", '--lease', "$dir/w1.lease");
    $said = json_of($r);
    is("$r->{exit} $said->{findings}[0]{kind} $said->{findings}[0]{grade}", '3 lease unexplained', 'a lease that is newer than the file');
    like($said->{findings}[0]{finding}, qr/the file ends before it, and no restore explains that/, 'and how');
    refused('a lease of another publisher', 'KMS_E_PUBLISHER', qr/lease of another publisher/, "$dir/all.kmsaudit", '-P', publisher(dir => "$dir/third")->{key},
        '--lease', "$dir/w1.lease");
}

is($a->stop, 0, 'the daemon ends as ever');
is($other->stop, 0, 'and the other one');
is($a->kmsctl('audit', 'export', '-o', "$dir/after.kmsaudit")->{exit}, 0, 'an export without the daemon');
cmp_ok(proved('is verified', "$dir/after.kmsaudit", '--last', $all->{last})->{last_batch}, '>=', $known, 'and goes on from the one before');
done_testing;

sub boundaries (@parts) {
    my $at = 0;
    return map { $at += length } @parts;
}

# A batch without its first entry, lengths and all set right.
sub less ($batch) {
    my $n = unpack 'N', $batch;
    my $gone = 3 + unpack 'n', substr $batch, 176, 2;
    return pack('N', $n - $gone) . substr($batch, 4, 172) . substr $batch, 176 + $gone;
}
