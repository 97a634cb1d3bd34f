#!/usr/bin/perl
# kmsissue from end to end, beside the real minisign: what the one signs the
# other verifies, and keys of either work in both. Then bad input for every command, and the
# register through crashes, damage and several publishers at once.
use v5.36;
use Cwd qw(abs_path);
use File::Copy qw(copy);
use File::Temp qw(tempdir);
use JSON::PP qw(decode_json);
use POSIX qw(setsid SIGINT ECHO);
use Test::More;

my $src = abs_path($ENV{KMS_SRC} // '.');
my $build = abs_path($ENV{KMS_BUILD} // 'build');
my $kmsissue = "$build/kmsissue";
my $dir = tempdir(CLEANUP => 1);
chdir $dir or die "$dir: $!\n";

sub slurp ($path) { open my $f, '<:raw', $path or die "$path: $!\n"; local $/; <$f> // '' }
sub spew ($path, $text) { open my $f, '>:raw', $path or die "$path: $!\n"; print $f $text; close $f }

# (exit code, standard output, standard error); without a terminal unless one is given.
sub run ($input, @command) {
    spew('stdin', $input);
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        $SIG{INT} = 'DEFAULT';    # a shell that put this test into the background had it ignored
        setsid();
        open STDIN, '<', 'stdin' or die;
        open STDOUT, '>', 'stdout' or die;
        open STDERR, '>', 'stderr' or die;
        exec { $command[0] } @command or POSIX::_exit(127);
    }
    waitpid $pid, 0;
    return ($? & 127 ? "signal " . ($? & 127) : $? >> 8, slurp('stdout'), slurp('stderr'));
}
sub issue (@args) { run('', $kmsissue, @args) }

sub ok_issue ($name, @args) {
    my ($code, $out, $err) = issue(@args);
    is($code, 0, $name) or diag($err);
    is($err, '', "$name: nothing on standard error");
    return $out;
}
# Fails with this status; says these words; with --json says it there too.
sub bad_issue ($name, $status, $words, @args) {
    my ($code, $out, $err) = issue(@args, '--json');
    is($code, 1, "$name: refused");
    # The remedy of a status that is about all kinds of things does not follow words that are about this one.
    my $rest = $status =~ /^KMS_E_(?:ARGUMENT|NOT_FOUND|CONFIG|EXISTS|PASSPHRASE)$/ ? qr/\(\d+\)\n/ : qr/\([^\n]*\n  [A-Z][^\n]*\.\n/;
    like($err, qr/^kmsissue [^\n]*\n  \Q$status\E $rest\z/, "$name: $status") or diag($err);
    like($err, $words, "$name: says what is wrong");
    my $json = eval { decode_json($out) } // {};
    is($json->{status}, $status, "$name: the same in JSON");
}
sub minisign_verifies ($name, $file, $public) {
    my ($code, $out, $err) = run('', 'minisign', '-Vm', $file, '-x', "$file.minisig", '-p', $public);
    is($code, 0, "minisign verifies $name") or diag($err);
    return $out;
}

# -- key pairs --

ok_issue('init', qw(init --no-passphrase --name), 'Example GmbH', 'pub');
is((stat 'pub/publisher.key')[2] & 0777, 0600, 'the secret key is its owner\'s');
is((stat 'pub')[2] & 0077, 0, 'and so is the directory');
like(slurp('pub/publisher.pub'), qr/^untrusted comment: Example GmbH: minisign public key [0-9A-F]{16}\nRW\S{54}\n\z/,
    'the public key is minisign\'s text');
my $before = slurp('pub/publisher.key');
bad_issue('init again', 'KMS_E_EXISTS', qr/exists already/, qw(init --no-passphrase pub));
is(slurp('pub/publisher.key'), $before, 'and the key stays');
unlink 'pub/publisher.pub.moved';
rename 'pub/publisher.key', 'kept.key' or die;
bad_issue('init beside a public key', 'KMS_E_EXISTS', qr/publisher\.pub/, qw(init --no-passphrase pub));
rename 'kept.key', 'pub/publisher.key' or die;

spew('passphrase', "correct horse\n");
spew('wrong', "battery staple\n");
spew('empty', "\n");
spew('file', 'x');
bad_issue('init without a terminal', 'KMS_E_ARGUMENT', qr/no terminal/, qw(init x1));
bad_issue('init with an empty passphrase', 'KMS_E_PASSPHRASE', qr/empty/, qw(init --passphrase-file empty x1));
bad_issue('init without its passphrase file', 'KMS_E_NOT_FOUND', qr/nowhere/, qw(init --passphrase-file nowhere x1));
bad_issue('init with both', 'KMS_E_ARGUMENT', qr/exclude each other/, qw(init --no-passphrase --passphrase-file passphrase x1));
bad_issue('init below a file', 'KMS_E_IO', qr/Not a directory/, qw(init --no-passphrase file));
bad_issue('init in no directory', 'KMS_E_NOT_FOUND', qr/No such file/, qw(init --no-passphrase a/b));
bad_issue('init with a name of two lines', 'KMS_E_ARGUMENT', qr/--name/, qw(init --no-passphrase --name), "a\nb", 'x2');
ok(!-e 'x1/publisher.key' && !-e 'x2', 'nothing was made by any of them');

# -- policy packs --

copy("$src/policy/packs/example-1.0.ini", 'e.kmspolicy') or die;
my $signed = decode_json(ok_issue('policy sign', qw(policy sign -d pub --json e.kmspolicy)));
is($signed->{products}, 2, 'policy sign counts the products');
like(minisign_verifies('a pack', 'e.kmspolicy', 'pub/publisher.pub'),
    qr/^Trusted comment: kms policy pack example-writer version 1\.0 signed \d{4}-\d\d-\d\dT/m,
    'the trusted comment names pack, version and time');
bad_issue('policy sign again', 'KMS_E_EXISTS', qr/e\.kmspolicy\.minisig exists already/, qw(policy sign -d pub e.kmspolicy));
ok_issue('policy sign --force', qw(policy sign -d pub -f e.kmspolicy));
{
    my $pack = slurp('e.kmspolicy');
    for ([ 'quoted', '"', '"', qr/e2\.kmspolicy:\d+: name: "/ ], [ 'quoted once', "'", '', qr/quotation mark '/ ], [ 'quoted by a word processor', "\xe2\x80\x9c", "\xe2\x80\x9d", qr/quotation mark/ ],
        [ 'a comment', '', ' # the flagship', qr/"# the flagship" would be part of it/ ], [ 'a C comment', '', ' // it', qr/"\/\/ it" would be part/ ]) {
        my ($what, $before, $behind, $says) = @$_;
        spew('e2.kmspolicy', $pack =~ s/^(name = )(.*)$/$1$before$2$behind/mr);
        bad_issue("policy sign, $what", 'KMS_E_FORMAT', $says, qw(policy sign -d pub e2.kmspolicy));
        ok(!-e 'e2.kmspolicy.minisig', "$what: nothing is signed");
    }
    ok_issue('policy sign --literal', qw(policy sign -d pub --literal e2.kmspolicy));
    spew('e2.kmspolicy', $pack =~ s/^(name = .*)$/$1 C# "Pro"/mr);
    ok_issue('policy sign, a name with # and quotation marks inside', qw(policy sign -d pub -f e2.kmspolicy));
    unlink 'e2.kmspolicy', 'e2.kmspolicy.minisig';
}

spew('bad.kmspolicy', slurp('e.kmspolicy') =~ s/threshold = 5/treshold = 5/r);
bad_issue('a pack with a typo', 'KMS_E_FORMAT', qr/bad\.kmspolicy:\d+: unknown key "treshold" in \[product UUID\]: did you mean "threshold"\?/,
    qw(policy sign -d pub bad.kmspolicy));
ok(!-e 'bad.kmspolicy.minisig', 'is not signed');
bad_issue('no pack', 'KMS_E_NOT_FOUND', qr/nowhere/, qw(policy sign -d pub nowhere));
bad_issue('no key', 'KMS_E_NOT_FOUND', qr{x9/publisher\.key}, qw(policy sign -d x9 -f e.kmspolicy));
bad_issue('no secret key inside', 'KMS_E_FORMAT', qr/not a minisign secret key/,
    qw(policy sign -s pub/publisher.pub -f e.kmspolicy));
spew('damaged.key', slurp('pub/publisher.key') =~ s/\n(.{120})(.)/"\n$1" . ($2 eq 'A' ? 'B' : 'A')/er);
bad_issue('a damaged secret key', 'KMS_E_FORMAT', qr/damaged/, qw(policy sign -s damaged.key -f e.kmspolicy));

# -- keys of minisign in kmsissue, keys of kmsissue in minisign --

mkdir 'mini';
is((run('', qw(minisign -G -W -p mini/publisher.pub -s mini/publisher.key)))[0], 0, 'minisign -G -W');
copy('e.kmspolicy', 'mini/e.kmspolicy');
ok_issue('a key of minisign -W signs', qw(policy sign -d mini mini/e.kmspolicy));
minisign_verifies('what it signed', 'mini/e.kmspolicy', 'mini/publisher.pub');

is((run('', qw(minisign -Sm file -s pub/publisher.key)))[0], 0, 'minisign signs with a key of kmsissue');
minisign_verifies('its own signature by our key', 'file', 'pub/publisher.pub');

mkdir 'scrypt';
is((run("correct horse\ncorrect horse\n", qw(minisign -G -p scrypt/publisher.pub -s scrypt/publisher.key)))[0], 0,
    'minisign -G with a passphrase');
copy('e.kmspolicy', 'scrypt/e.kmspolicy');
bad_issue('an encrypted key without a terminal', 'KMS_E_ARGUMENT', qr/--passphrase-file/,
    qw(policy sign -d scrypt scrypt/e.kmspolicy));
bad_issue('the wrong passphrase', 'KMS_E_PASSPHRASE', qr/wrong passphrase/,
    qw(policy sign -d scrypt --passphrase-file wrong scrypt/e.kmspolicy));
bad_issue('a passphrase file that is not there', 'KMS_E_NOT_FOUND', qr/nowhere/,
    qw(policy sign -d scrypt --passphrase-file nowhere scrypt/e.kmspolicy));
ok(!-e 'scrypt/e.kmspolicy.minisig', 'nothing was signed');
ok_issue('the right one', qw(policy sign -d scrypt --passphrase-file passphrase scrypt/e.kmspolicy));
minisign_verifies('what it signed', 'scrypt/e.kmspolicy', 'scrypt/publisher.pub');

ok_issue('init with a passphrase', qw(init --passphrase-file passphrase locked));
is((run("correct horse\n", qw(minisign -Sm file -x file.sig -s locked/publisher.key)))[0], 0,
    'minisign opens it with the same passphrase');
is((run('', qw(minisign -Vm file -x file.sig -p locked/publisher.pub)))[0], 0, 'and its public key fits');

# The terminal: asked twice, without echo.
{
    my ($code, $said) = on_terminal([ "first words\n", "other words\n" ], $kmsissue, 'init', 'typed');
    is($code, 1, 'two passphrases that differ are refused');
    like($said, qr/Passphrase.*again.*two entries differ.*KMS_E_PASSPHRASE/s, 'the terminal was asked twice');
    unlike($said, qr/words/, 'without echo');
    ok(!-e 'typed/publisher.key', 'and nothing was made');
    ($code, $said, my $echo) = on_terminal(["\cC"], $kmsissue, 'init', 'typed');
    is($code, 'signal ' . SIGINT, 'control-C ends it');
    like($said, qr/\APassphrase[^\n]*: /, 'while it asked');
    ok($echo, 'and the terminal echoes again');
    ok(!-e 'typed/publisher.key', 'and nothing was made');
    ($code, $said) = on_terminal([ "correct horse\n" ], $kmsissue, qw(policy sign -f -d scrypt scrypt/e.kmspolicy));
    is($code, 0, 'the right passphrase, typed, signs') or diag($said);
    unlike($said, qr/horse/, 'without echo');
}

# -- KMS host keys --

my @key = (qw(key issue -d pub --customer), 'Müller & Söhne AG', qw(--group writer-server));
my $made = decode_json(ok_issue('key issue', @key, qw(--policy e.kmspolicy --hosts 2 --confirmations 2
    --capacity 500 --valid-to 2090-12-31 -o sold --json)));
minisign_verifies('a host key', 'sold.kmskey', 'pub/publisher.pub');
like(slurp('sold.kmskey'), qr/^customer = Müller & Söhne AG\n/m, 'it names the customer');
is($made->{not_after}, '2090-12-31T23:59:59Z', 'a date as its end means the whole day');
is_deeply([ @{$made}{qw(capacity hosts confirmations)} ], [ 500, 2, 2 ], 'and the limits');
is(slurp("pub/issued/$made->{host_key}.kmskey"), slurp('sold.kmskey'), 'a copy stays with the publisher');

my $text = slurp('sold.kmskey');
for my $row (
    [ 'no customer', 'KMS_E_ARGUMENT', qr/--customer and --group/, qw(key issue -d pub --group g) ],
    [ 'no group', 'KMS_E_ARGUMENT', qr/--customer and --group/, qw(key issue -d pub --customer c) ],
    [ 'an empty customer', 'KMS_E_ARGUMENT', qr/--customer/, qw(key issue -d pub --group g --customer), '' ],
    [ 'a customer of two lines', 'KMS_E_ARGUMENT', qr/--customer/, qw(key issue -d pub --group g --customer), "a\ngroup = x" ],
    [ 'a customer with a comment', 'KMS_E_ARGUMENT', qr/--customer/, qw(key issue -d pub --group g --customer), 'a ;b' ],
    [ 'a customer too long', 'KMS_E_ARGUMENT', qr/--customer/, qw(key issue -d pub --group g --customer), 'x' x 65 ],
    [ 'a group with a blank', 'KMS_E_ARGUMENT', qr/--group/, qw(key issue -d pub --customer c --group), 'a b' ],
    [ 'hosts 0', 'KMS_E_ARGUMENT', qr/--hosts needs a number from 1 to 65535/, @key, qw(--hosts 0) ],
    [ 'hosts in words', 'KMS_E_ARGUMENT', qr/--hosts/, @key, qw(--hosts six) ],
    [ 'too many confirmations', 'KMS_E_ARGUMENT', qr/--confirmations/, @key, qw(--confirmations 65536) ],
    [ 'a negative capacity', 'KMS_E_ARGUMENT', qr/--capacity/, @key, qw(--capacity=-1) ],
    [ 'an invalid date', 'KMS_E_ARGUMENT', qr/--valid-from/, @key, qw(--valid-from 2026-02-30) ],
    [ 'an invalid end', 'KMS_E_ARGUMENT', qr/--valid-to/, @key, qw(--valid-to tomorrow) ],
    [ 'an end before the start', 'KMS_E_ARGUMENT', qr/before --valid-from/, @key, qw(--valid-from 2080-01-01 --valid-to 2079-01-01) ],
    [ 'an end in the past', 'KMS_E_ARGUMENT', qr/in the past/, @key, qw(--valid-from 2020-01-01 --valid-to 2020-12-31) ],
    [ 'a group the pack does not know', 'KMS_E_NOT_FOUND', qr/no group 'nonesuch'/,
        qw(key issue -d pub --customer c --group nonesuch --policy e.kmspolicy) ],
    [ 'a pack of another publisher', 'KMS_E_PUBLISHER', qr/another publisher/, @key, qw(--policy mini/e.kmspolicy) ],
    [ 'a pack without signature', 'KMS_E_NOT_FOUND', qr/bad\.kmspolicy\.minisig/, @key, qw(--policy bad.kmspolicy) ],
    [ 'a file that is there', 'KMS_E_EXISTS', qr/sold\.kmskey exists already/, @key, qw(-o sold) ],
    [ 'a directory that is not', 'KMS_E_NOT_FOUND', qr/No such file/, @key, qw(-o nowhere/key) ],
) {
    my ($name, $status, $words, @args) = @$row;
    bad_issue("key issue: $name", $status, $words, @args);
}
is(slurp('sold.kmskey'), $text, 'the key that was there is as it was');

# -- confirmation --

sub request ($file, $key, $publisher, $host, $time) {
    my ($code, $out, $err) = run('', "$build/make_request", $key, $publisher, $host, $time);
    die $err if $code ne '0';
    spew($file, $out);
}
my ($publisher) = slurp('sold.kmskey') =~ /^publisher = (\S+)/m;
my $now = time;
my @confirm = qw(confirm -d pub --policy e.kmspolicy);
# Events of the register of one kind, in order.
sub events ($kind, $dir = 'pub') {
    my ($code, $out, $err) = issue('ledger', '-d', $dir, '--json');
    return "exit $code: $err" if $code ne '0';
    return grep { $_->{event} eq $kind } @{ decode_json($out)->{events} };
}
sub register { my @events = events('confirm'); return scalar @events }

request('h1.kmsreq', $made->{host_key}, $publisher, 1, $now);
my $first = decode_json(ok_issue('confirm', @confirm, qw(--json h1.kmsreq)));
is_deeply([ @{$first}{qw(serial confirmation products file)} ], [ 1, 1, 2, 'h1.kmscert' ], 'the first certificate');
minisign_verifies('a certificate', 'h1.kmscert', 'pub/publisher.pub');
is(register(), 1, 'one confirmation in the register');
is((events('confirm'))[0]{host_name}, 'kms1.example', 'with the name of the host');

bad_issue('confirm when its file is there', 'KMS_E_EXISTS', qr/h1\.kmscert exists already/, @confirm, 'h1.kmsreq');
my $certificate = slurp('h1.kmscert');
unlink 'h1.kmscert', 'h1.kmscert.minisig';
my $again = decode_json(ok_issue('the same request again', @confirm, qw(--json h1.kmsreq)));
is(slurp('h1.kmscert'), $certificate, 'gives the same certificate');
ok($again->{again}, 'and says so');
is(register(), 1, 'without another one in the register');

# A crash between register and certificate: here the certificate cannot be written.
request('h1b.kmsreq', $made->{host_key}, $publisher, 1, $now + 1);
bad_issue('confirm into no directory', 'KMS_E_NOT_FOUND', qr/No such file/, @confirm, qw(-o nowhere/c h1b.kmsreq));
is(register(), 2, 'the register has it');
my $late = decode_json(ok_issue('the same command later', @confirm, qw(--json h1b.kmsreq)));
is_deeply([ @{$late}{qw(serial confirmation)} ], [ 2, 2 ], 'gives that serial number');
is(register(), 2, 'and no other');
spew('h2.kmscert.minisig', 'left over');

request('h1c.kmsreq', $made->{host_key}, $publisher, 1, $now + 2);
bad_issue('a third confirmation of two', 'KMS_E_LIMIT', qr/confirmed 2 times, and the key allows 2/, @confirm, 'h1c.kmsreq');
request('h2.kmsreq', $made->{host_key}, $publisher, 2, $now);
is(decode_json(ok_issue('another host', @confirm, qw(--json h2.kmsreq)))->{serial}, 3, 'gets the next serial number');
minisign_verifies('a certificate whose signature file was there', 'h2.kmscert', 'pub/publisher.pub');
request('h3.kmsreq', $made->{host_key}, $publisher, 3, $now);
bad_issue('a third host of two', 'KMS_E_LIMIT', qr/2 hosts were confirmed, and the key allows 2/, @confirm, 'h3.kmsreq');
ok(!-e 'h3.kmscert' && !-e 'h1c.kmscert', 'no certificate past a limit');

# Files signed by minisign itself, with what kmsissue would not make.
sub key_file ($name, %change) {
    my $text = slurp('sold.kmskey');
    $text =~ s/^\Q$_\E = .*/$_ = $change{$_}/m or die for keys %change;
    spew("$name.kmskey", $text);
    is((run('', qw(minisign -Sm), "$name.kmskey", '-s', 'pub/publisher.key'))[0], 0, "minisign signs $name");
}
my $uuid = '00000000-0000-4000-8000-00000000000';
key_file('expired', id => "${uuid}1", 'not-before' => '2020-01-01', 'not-after' => '2021-01-01');
key_file('nogroup', id => "${uuid}2", group => 'nonesuch');
key_file('typo', id => "${uuid}3", hosts => 'many');
key_file('foreign', id => "${uuid}4", publisher => '0123456789abcdef');
request("n$_.kmsreq", "$uuid$_", $publisher, $_, $now) for 1 .. 4;
request('unknown.kmsreq', "${uuid}9", $publisher, 9, $now);
request('foreign.kmsreq', $made->{host_key}, '0123456789abcdef', 9, $now);
spew('altered.kmsreq', slurp('h3.kmsreq') =~ s/kms3/kms4/r);
spew('broken.kmsreq', slurp('h3.kmsreq') =~ s/^time = .*/time = noon/mr);
copy('sold.kmskey', 'forged.kmskey');
spew('forged.kmskey', slurp('sold.kmskey') =~ s/hosts = 2/hosts = 9/r);
copy('sold.kmskey.minisig', 'forged.kmskey.minisig');
spew('empty.kmspolicy', slurp('e.kmspolicy') . "[group lonely]\n");
ok_issue('a pack with a group of no product', qw(policy sign -d pub empty.kmspolicy));
key_file('lonely', id => "${uuid}5", group => 'lonely');
request('n5.kmsreq', "${uuid}5", $publisher, 5, $now);
for my $row (
    [ 'no policy', 'KMS_E_ARGUMENT', qr/--policy is needed/, qw(confirm -d pub h3.kmsreq) ],
    [ 'no request', 'KMS_E_NOT_FOUND', qr/nowhere/, @confirm, 'nowhere' ],
    [ 'an altered request', 'KMS_E_SIGNATURE', qr/altered on its way/, @confirm, 'altered.kmsreq' ],
    [ 'a broken request', 'KMS_E_FORMAT', qr/broken\.kmsreq:\d+: time = "noon"/, @confirm, 'broken.kmsreq' ],
    [ 'a key as the request', 'KMS_E_FORMAT', qr/unknown section \[host-key\]/, @confirm, 'sold.kmskey' ],
    [ 'a request for another publisher', 'KMS_E_PUBLISHER', qr/another publisher/, @confirm, 'foreign.kmsreq' ],
    [ 'a key that was never issued', 'KMS_E_NOT_FOUND', qr/${uuid}9\.kmskey/, @confirm, 'unknown.kmsreq' ],
    [ 'another key than the request\'s', 'KMS_E_KEY_INVALID', qr/request is for host key/, @confirm, qw(-k sold.kmskey n1.kmsreq) ],
    [ 'an expired key', 'KMS_E_KEY_EXPIRED', qr/expired/, @confirm, qw(-k expired.kmskey n1.kmsreq) ],
    [ 'a key of a group unknown', 'KMS_E_NOT_COVERED', qr/no group 'nonesuch'/, @confirm, qw(-k nogroup.kmskey n2.kmsreq) ],
    [ 'a key with a mistake', 'KMS_E_FORMAT', qr/typo\.kmskey:\d+: hosts = "many"/, @confirm, qw(-k typo.kmskey n3.kmsreq) ],
    [ 'another publisher\'s key', 'KMS_E_PUBLISHER', qr/a key of another publisher/, @confirm, qw(-k foreign.kmskey n4.kmsreq) ],
    [ 'a forged key', 'KMS_E_SIGNATURE', qr/altered after it was signed/, @confirm, qw(-k forged.kmskey h3.kmsreq) ],
    [ 'a group that covers nothing', 'KMS_E_NOT_COVERED', qr/covers no product/,
        qw(confirm -d pub -p empty.kmspolicy -k lonely.kmskey n5.kmsreq) ],
    [ 'another publisher\'s pack', 'KMS_E_PUBLISHER', qr/another publisher/, qw(confirm -d pub -p mini/e.kmspolicy h3.kmsreq) ],
    [ 'another publisher\'s secret key', 'KMS_E_PUBLISHER', qr/another publisher/,
        qw(confirm -d pub -s mini/publisher.key -p e.kmspolicy h3.kmsreq) ],
) {
    my ($name, $status, $words, @args) = @$row;
    bad_issue("confirm: $name", $status, $words, @args);
}
is(register(), 3, 'none of them is in the register');
is_deeply([ glob '*.kmscert' ], [ 'h1.kmscert', 'h1b.kmscert', 'h2.kmscert' ], 'and none has a certificate');

# The same request when the pack says something else now.
spew('newer.kmspolicy', slurp('e.kmspolicy') =~ s/^version = 1\.0/version = 1.1/mr
    =~ s/(\[product )5d2f6c1e/${1}6d2f6c1e/r);
ok_issue('a newer pack', qw(policy sign -d pub newer.kmspolicy));
bad_issue('the same request, another pack', 'KMS_E_EXISTS', qr/certificate 1, from another key or policy pack/,
    qw(confirm -d pub -p newer.kmspolicy -o other h1.kmsreq));

# -- the register --

ok_issue('a key for many', qw(key issue -d pub --customer Many --group writer --hosts 100 -o many));
my ($many) = slurp('many.kmskey') =~ /^id = (\S+)/m;
request('m1.kmsreq', $many, $publisher, 11, $now);
my $after = decode_json(ok_issue('confirm', @confirm, qw(--json m1.kmsreq)));
is($after->{serial}, 4, 'the next serial number');
is($after->{products}, 1, 'the narrow group covers its own product alone');

# Past the limits, with a reason.
for my $row ([ 'empty', '' ], [ 'of two lines', "a\nb" ], [ 'too long', 'x' x 101 ]) {
    bad_issue("an override whose reason is $row->[0]", 'KMS_E_ARGUMENT', qr/--override needs a reason/,
        @confirm, '--override', $row->[1], 'h3.kmsreq');
}
bad_issue('a third host of two, again', 'KMS_E_LIMIT', qr/0xC004C008.*--override REASON/, @confirm, 'h3.kmsreq');
my $past = decode_json(ok_issue('confirm --override', @confirm, qw(--json --override), 'disk died, "ticket" 7, paid', 'h3.kmsreq'));
is_deeply([ @{$past}{qw(serial confirmation override)} ], [ 5, 1, 'disk died, "ticket" 7, paid' ], 'goes past the limit');
my $recorded = (events('confirm'))[-1];
is_deeply([ @{$recorded}{qw(override reason host_name serial)} ], [ 1, 'disk died, "ticket" 7, paid', 'kms3.example', 5 ],
    'and is recorded with its reason');
request('h3b.kmsreq', $made->{host_key}, $publisher, 4, $now);
bad_issue('the next host', 'KMS_E_LIMIT', qr/2 hosts were confirmed/, @confirm, 'h3b.kmsreq');
ok_issue('a needless override', @confirm, qw(--override why-not -o spare), request_of('spare.kmsreq', $many, 13));
is((events('confirm'))[-1]{override}, 0, 'is not recorded as one');
sub request_of ($file, $key, $host) { request($file, $key, $publisher, $host, $now); return $file }

# The list itself: everything, filtered, as CSV that a spreadsheet reads.
{
    my @keys = events('key');
    is_deeply([ @{ $keys[0] }{qw(host_key customer group hosts confirmations capacity)} ],
        [ $made->{host_key}, "M\xfcller & S\xf6hne AG", 'writer-server', 2, 2, 500 ], 'the ledger has the keys that were issued');
    my $all = decode_json(ok_issue('ledger --json', qw(ledger -d pub --json)))->{events};
    is_deeply([ map { $_->{number} } @$all ], [ 1 .. @$all ], 'events without a gap');
    my $few = decode_json(ok_issue('ledger --key', qw(ledger -d pub --json --key), $many))->{events};
    is_deeply([ map { $_->{event} } @$few ], [qw(key confirm confirm)], 'ledger --key shows one key and what came of it');
    my $some = decode_json(ok_issue('ledger --customer', qw(ledger -d pub --json --customer), 'MANY'))->{events};
    is_deeply($some, $few, 'ledger --customer does not mind capitals');
    my $csv = ok_issue('ledger --csv', qw(ledger -d pub --csv));
    my @lines = split /\r\n/, $csv;
    is(scalar @lines, 1 + @$all, 'a line for each event and one of names');
    like($lines[0], qr/^number,event,time,publisher,host_key,customer,/, 'names first');
    is(scalar(grep { /,"disk died, ""ticket"" 7, paid",/ } @lines), 1, 'quotes and commas are quoted');
    like(ok_issue('ledger', qw(ledger -d pub)), qr/^events\n    number\s+1\n    event\s+key\n/, 'and in words');
    bad_issue('ledger --key with no UUID', 'KMS_E_ARGUMENT', qr/--key needs the UUID/, qw(ledger -d pub --key x));
    bad_issue('ledger --csv --json', 'KMS_E_ARGUMENT', qr/exclude each other/, qw(ledger -d pub --csv));
    bad_issue('ledger of no directory', 'KMS_E_NOT_FOUND', qr/nowhere/, qw(ledger -d nowhere));
    is(ok_issue('ledger of nothing', qw(ledger -d locked)), "events\n", 'an empty ledger is empty');
    ok(!-e 'locked/issued/ledger', 'and looking at it makes nothing');
}

# Damage is found, said, and left as it is.
{
    my $data = slurp('pub/issued/ledger/data.mdb');
    request('m2.kmsreq', $many, $publisher, 12, $now);
    for my $row (
        [ 'cut short', substr($data, 0, 8192) ],
        [ 'not a database', 'x' x length $data ],
    ) {
        my ($name, $damaged) = @$row;
        spew('pub/issued/ledger/data.mdb', $damaged);
        bad_issue("confirm with a register $name", 'KMS_E_ALTERED', qr/from a backup/, @confirm, 'm2.kmsreq');
        bad_issue("ledger with a register $name", 'KMS_E_ALTERED', qr/from a backup/, qw(ledger -d pub));
        is(slurp('pub/issued/ledger/data.mdb'), $damaged, 'and the register is left as it is');
    }
    my $at = rindex $data, 'kms3.example';
    my $changed = $data;
    while ($changed =~ s/kms3\.example/kms9.example/) { }
    spew('pub/issued/ledger/data.mdb', $changed);
    bad_issue('ledger with a letter changed', 'KMS_E_ALTERED', qr/event \d+: .*from a backup/, qw(ledger -d pub));
    spew('pub/issued/ledger/data.mdb', $data);
    is(register(), 6, 'whole again');
}

# Eight at once: every one gets a serial number of its own.
{
    my %running;
    for my $host (21 .. 28) {
        request("p$host.kmsreq", $many, $publisher, $host, $now);
        my $pid = fork // die "fork: $!\n";
        if ($pid == 0) {
            open STDOUT, '>', "p$host.json";
            exec $kmsissue, @confirm, '--json', "p$host.kmsreq" or POSIX::_exit(127);
        }
        $running{$pid} = $host;
    }
    my $failed = 0;
    for my $pid (keys %running) {
        waitpid $pid, 0;
        $failed++ if $? != 0;
    }
    is($failed, 0, 'eight confirmations at once');
    is_deeply([ sort { $a <=> $b } map { decode_json(slurp("p$_.json"))->{serial} } 21 .. 28 ], [ 7 .. 14 ],
        'have eight serial numbers');
    is_deeply([ map { $_->{serial} } events('confirm') ], [ 1 .. 14 ], 'in order in the register');
}

# Killed at any moment: the register stays whole, and the same command later gives what the register says.
{
    mkdir 'killed';
    ok_issue('a key for the killed', qw(key issue -d pub --customer Killed --group writer --hosts 100 -o killed/key));
    my ($id) = slurp('killed/key.kmskey') =~ /^id = (\S+)/m;
    my $finished = 0;
    for my $host (101 .. 130) {
        request("killed/$host.kmsreq", $id, $publisher, $host, $now);
        my $pid = fork // die "fork: $!\n";
        if ($pid == 0) {
            open STDOUT, '>', '/dev/null';
            exec $kmsissue, @confirm, "killed/$host.kmsreq" or POSIX::_exit(127);
        }
        select undef, undef, undef, 0.06 * rand() ** 2;
        kill KILL => $pid;
        waitpid $pid, 0;
        $finished++ if $? == 0;
        next if -e "killed/$host.kmscert";
        my ($code, undef, $err) = issue(@confirm, "killed/$host.kmsreq");
        is($code, 0, "after a kill, host $host is confirmed") or diag($err);
    }
    note("$finished of 30 finished before the kill");
    my @lines = events('confirm');
    is_deeply([ map { $_->{serial} } @lines ], [ 1 .. 44 ], 'serial numbers without a gap and without a double');
    is(scalar(grep { $_->{host_key} eq $id && $_->{confirmation} == 1 } @lines), 30, 'every host once');
    my %serial = map { $_->{serial} => $_->{host} } @lines;
    my @wrong = grep {
        my $json = decode_json((run('', $kmsissue, qw(show --json -P pub/publisher.pub), "killed/$_.kmscert"))[1]);
        ($serial{ $json->{serial} // 0 } // '') ne ($json->{host} // 'none');
    } 101 .. 130;
    is("@wrong", '', 'every certificate verifies and is the register\'s');
}

# -- show --

for my $row (
    [ 'e.kmspolicy', 'policy pack', qr/^\s+name\s+Example Writer Server\n/m, 'title', 'Example Writer volume activation' ],
    [ 'sold.kmskey', 'KMS host key', qr/^customer\s+Müller & Söhne AG\n/m, 'hosts', 2 ],
    [ 'h1.kmsreq', 'confirmation request', qr/^host name\s+kms1\.example\n/m, 'host', $first->{host} ],
    [ 'h1.kmscert', 'host certificate', qr/^serial\s+1\n/m, 'host', $first->{host} ],
) {
    my ($file, $kind, $line, $member, $value) = @$row;
    my $plain = ok_issue("show $file", 'show', $file);
    like($plain, qr/^kind\s+$kind\n/, "$file is a $kind");
    like($plain, $line, 'in words');
    my $json = decode_json(ok_issue("show --json $file", qw(show --json -P pub/publisher.pub), $file));
    is($json->{$member}, $value, 'and in JSON');
    like($json->{signature}, qr/^verified/, 'verified');
}
like(ok_issue('show without --publisher', qw(show h1.kmscert)), qr/^signature\s+not checked/m, 'says that nothing was checked');
my ($line) = slurp('pub/publisher.pub') =~ /^(RW\S+)/m;
ok_issue('show with the key itself', qw(show -P), $line, 'sold.kmskey');
copy('mini/e.kmspolicy', 'alien.kmspolicy');
copy('mini/e.kmspolicy.minisig', 'alien.kmspolicy.minisig');
for my $row (
    [ 'a forged key', 'KMS_E_SIGNATURE', qr/altered/, qw(show -P pub/publisher.pub forged.kmskey) ],
    [ 'another publisher\'s pack', 'KMS_E_PUBLISHER', qr/another publisher/, qw(show -P pub/publisher.pub alien.kmspolicy) ],
    [ 'no signature', 'KMS_E_NOT_FOUND', qr/minisig/, qw(show -P pub/publisher.pub bad.kmspolicy) ],
    [ 'no public key', 'KMS_E_FORMAT', qr/not a minisign public key/, qw(show -P file sold.kmskey) ],
    [ 'no public key file', 'KMS_E_NOT_FOUND', qr/nowhere/, qw(show -P nowhere sold.kmskey) ],
    [ 'something else', 'KMS_E_FORMAT', qr/not a policy pack/, qw(show passphrase) ],
    [ 'nothing', 'KMS_E_NOT_FOUND', qr/nowhere/, qw(show nowhere) ],
    [ 'a directory', 'KMS_E_IO', qr/Is a directory/, qw(show pub) ],
    [ 'an altered request', 'KMS_E_SIGNATURE', qr/altered/, qw(show altered.kmsreq) ],
) {
    my ($name, $status, $words, @args) = @$row;
    bad_issue("show: $name", $status, $words, @args);
}

# -- the command line --

for my $row ([], ['confrim'], ['policy'], [qw(policy sing x)], ['init'], [qw(init a b)], [qw(show --policy x y)],
    [qw(key issue x)], [qw(confirm --policy)], [qw(init --nonesuch x)], [qw(key issue --group)]) {
    my ($code, $out, $err) = issue(@$row);
    is($code, 2, "kmsissue @$row: usage, exit 2");
    like($err, qr/kmsissue/, 'shown on standard error');
    is($out, '', 'and nothing on standard output');
}
like(ok_issue('--help', '--help'), qr/kmsissue policy sign \[options\] FILE/, '--help names the commands');
like(ok_issue('--version', '--version'), qr/^kmsissue \d+\.\d+/, '--version');
like(ok_issue('confirm --help', qw(confirm --help)), qr/--policy FILE/, 'a command\'s --help names its options');
open my $full, '>', '/dev/full' or die;
{
    my $pid = fork // die;
    if ($pid == 0) {
        open STDOUT, '>&', $full;
        open STDERR, '>', 'stderr';
        exec $kmsissue, qw(show sold.kmskey) or POSIX::_exit(127);
    }
    waitpid $pid, 0;
    is($? >> 8, 1, 'a result that cannot be printed is a failure');
    like(slurp('stderr'), qr/could not be printed/, 'and is said');
}

# -- a directory that may not be written; root may write everywhere, so become nobody --
{
    my $other = tempdir(CLEANUP => 1);
    chmod 0755, $other;
    copy($kmsissue, "$other/kmsissue");
    chmod 0755, "$other/kmsissue";
    mkdir "$other/closed", 0555;
    copy('e.kmspolicy', "$other/closed/e.kmspolicy");
    copy('pub/publisher.key', "$other/publisher.key");
    chmod 0644, "$other/publisher.key";
    chmod 0444, "$other/closed/e.kmspolicy";
    chmod 0555, "$other/closed";
    for my $row (
        [ qw(init --no-passphrase), "$other/closed/new" ],
        [ qw(policy sign -s), "$other/publisher.key", "$other/closed/e.kmspolicy" ],
        [ qw(key issue --customer c --group g -s), "$other/publisher.key", '-d', "$other/closed", '-o', "$other/closed/k" ],
    ) {
        my $pid = open(my $said, '-|') // die "fork: $!\n";
        if ($pid == 0) {
            if ($> == 0) { POSIX::setgid(65534); POSIX::setuid(65534); }
            open STDERR, '>&', \*STDOUT;
            chdir '/';
            exec "$other/kmsissue", @$row or POSIX::_exit(127);
        }
        my $words = do { local $/; <$said> };
        close $said;
        is($? >> 8, 1, "$row->[0] in a closed directory: refused");
        like($words, qr/Permission denied\n  KMS_E_DENIED /, 'and said');
    }
    is_deeply([ glob "$other/closed/*" ], ["$other/closed/e.kmspolicy"], 'nothing is left there');
    chmod 0755, "$other/closed";
}
is_deeply([ grep { /\.[A-Za-z0-9]{6}$/ && !/\.(kmskey|kmsreq|policy|passphrase)$/ } glob '{.,pub,pub/issued}/*' ], [],
    'no half-written file is left anywhere');
done_testing;

# Run on a terminal of its own and type each answer when it asks. (exit code, all that was shown, does it echo)
sub on_terminal ($answers, @command) {
    open my $master, '+<', '/dev/ptmx' or die "/dev/ptmx: $!\n";
    my ($unlock, $number) = (pack('i', 0), pack 'I', 0);
    ioctl($master, 0x40045431, $unlock) or die "unlock: $!\n";        # TIOCSPTLCK
    ioctl($master, 0x80045430, $number) or die "number: $!\n";        # TIOCGPTN
    my $name = '/dev/pts/' . unpack 'I', $number;
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        $SIG{INT} = 'DEFAULT';    # a shell that put this test into the background had it ignored
        setsid();
        open my $slave, '+<', $name or POSIX::_exit(126);
        ioctl($slave, 0x540E, 0);                                    # TIOCSCTTY
        open STDIN, '<&', $slave;
        open STDOUT, '>&', $slave;
        open STDERR, '>&', $slave;
        close $master;
        exec { $command[0] } @command or POSIX::_exit(127);
    }
    my ($said, $asked) = ('', 0);
    my $end = time + 30;
    while (time < $end) {
        my $ready = '';
        vec($ready, fileno $master, 1) = 1;
        next if !select $ready, undef, undef, 1;
        my $got = sysread $master, my $piece, 4096;
        last if !$got;    # EIO: the other end is closed
        $said .= $piece;
        while ($asked < @$answers && (() = $said =~ /: \r?\n?|: \z/g) > $asked) {
            syswrite $master, $answers->[$asked++];
        }
    }
    waitpid $pid, 0;
    my $terminal = POSIX::Termios->new;
    $terminal->getattr(fileno $master);
    return ($? & 127 ? 'signal ' . ($? & 127) : $? >> 8, $said, $terminal->getlflag & ECHO);
}
