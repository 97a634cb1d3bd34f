#!/usr/bin/perl
# The life of a KMS host key as its administrator sees it, on a real appliance: installed from a code that was
# typed, pasted or read from standard input, requested as text and as a QR code that is scanned back, confirmed by a code,
# shown, removed, installed again. Mistakes are named by their group.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use Test::More;

$ENV{TZ} = 'UTC';
my $publisher = publisher();
my $server = $publisher->{products}[0];
my $appliance = start_appliance(publisher => $publisher, fronts => 1);
my $dir = $appliance->dir;
my @kmsctl = (program('kmsctl'), '-c', $appliance->ini);

sub kmsctl (@args) { return $appliance->kmsctl(@args) }
sub with_input ($text, @args) { return run([ @kmsctl, @args ], in => $text) }

sub issue (@args) {
    my $r = run([ program('kmsissue'), @args, '--json' ]);
    is($r->{exit}, 0, "kmsissue @args[0, 1]") or diag("$r->{out}$r->{err}");
    return json_of($r);
}

# kmsctl with a terminal as its standard input, and these lines typed on it.
sub typed ($lines, @args) {
    open my $master, '+<', '/dev/ptmx' or die "/dev/ptmx: $!\n";
    my ($unlock, $number) = (pack('i', 0), pack 'I', 0);
    ioctl($master, 0x40045431, $unlock) or die "unlock: $!\n";
    ioctl($master, 0x80045430, $number) or die "number: $!\n";
    open my $slave, '+<', '/dev/pts/' . unpack('I', $number) or die "pts: $!\n";
    my $log = "$dir/typed." . ++our $typed;
    syswrite $master, "$_\n" for @$lines;
    my $pid = spawn([ @kmsctl, @args ], in => $slave, log => $log);
    my $status = wait_exit($pid, 20);
    return { exit => $status >> 8, out => slurp($log) };
}

# One character of the n-th group (from 1) made another.
sub mistyped ($code, $n) {
    my @groups = split /-/, $code;
    substr($groups[ $n - 1 ], 2, 1) =~ tr/0-9A-HJKMNP-TV-Z/1-9A-HJKMNP-TV-Z0/;
    return join '-', @groups;
}

sub client ($name, $verb = 'activate') {
    my $r = $appliance->client($name, $verb, args => ['--json']);
    return json_of($r)->{status};
}

sub keys_now () { return (kmsctl_json(qw(key show)))[0]{keys} }
sub kmsctl_json (@args) { return $appliance->kmsctl_json(@args) }

$appliance->do('policy', 'install', $publisher->{pack});
my $issued = issue('key', 'issue', '--code', '-d', $publisher->{dir}, '--customer', "K\xc3\xbche & S\xc3\xb6hne",
    '--group', 'server', '-p', $publisher->{pack}, '-o', "$dir/customer");
my $code = $issued->{code};
my @groups = split /-/, $code;

subtest 'the code of a host key' => sub {
    cmp_ok(scalar @groups, '>=', 50, 'more than fifty groups: it holds the signature');
    is(scalar(grep { !/^[0-9A-HJKMNP-TV-Z]{5}$/ } @groups), 0, 'each of five characters');
    my $text = run([ program('kmsissue'), qw(key issue --code --customer x --group server -d), $publisher->{dir}, '-o', "$dir/other" ])->{out};
    like($text, qr/^    (?:[0-9A-Z]{5}-){4}[0-9A-Z]{5}\n    /m, 'for a person, five groups a line');
};

subtest 'another kind of file is named for what it is' => sub {
    my $key = "$dir/customer.kmskey";
    for my $row ([ $publisher->{pack}, 'policy pack', 'KMS host key', [qw(key install)], 'policy install' ], [ $key, 'KMS host key', 'policy pack', [qw(policy install)], 'key install' ],
        [ $key, 'KMS host key', 'host certificate', [qw(key confirm)], 'key install' ], [ $key, 'KMS host key', 'revocation list', [qw(revocations install)], 'key install' ],
        [ $publisher->{pack}, 'policy pack', 'key rotation', [qw(publisher rotate)], 'policy install' ]) {
        my ($file, $is, $wanted, $command, $takes) = @$row;
        my $r = kmsctl(@$command, $file);
        is($r->{exit}, 2, "kmsctl @$command, of a $is: refused");
        like($r->{err}, qr/\Q$file is a $is, not a $wanted: use kmsctl $takes $file\E$/m, 'and what takes it');
        $r = with_input(slurp($file) . slurp("$file.minisig"), @$command, '-');
        like($r->{err}, qr/standard input is a $is, not a $wanted: use kmsctl $takes$/m, 'from standard input, too');
    }
    is(scalar @{ keys_now() }, 0, 'nothing was installed');
};

subtest 'mistakes are named' => sub {
    my @bad = (
        [ mistyped($code, 7), qr/group 7 \(\w{5}\) is mistyped/, 'a wrong character' ],
        [ mistyped(mistyped($code, 3), 21), qr/groups 3 \(\w+\) and 21 \(\w+\) are mistyped/, 'two of them' ],
        [ join('-', @groups[ 0 .. 4, 6 .. $#groups ]), qr/group 6 is missing/, 'a group left out' ],
        [ join('-', @groups[ 0 .. 4, 4 .. $#groups ]), qr/group 6 is there twice/, 'a group twice' ],
        [ join('-', @groups[ 0, 2, 1, 3 .. $#groups ]), qr/groups 2 and 3 are exchanged/, 'two groups exchanged' ],
        [ join('-', @groups[ 0 .. 9 ]), qr/only 10 of \d+ groups: the end is missing/, 'the end left out' ],
        [ $code =~ s/^(.{12})./$1/r, qr/group 3 has 4 characters where 5 are expected/, 'a character left out' ],
        [ $code =~ s/^(.{12})./$1*/r, qr/group 3 contains '\*', which no code contains/, 'a character outside the alphabet' ],
    );
    for my $row (@bad) {
        my ($text, $says, $name) = @$row;
        for my $r (kmsctl(qw(key install), $text), kmsctl(qw(key install), split /-/, $text), with_input($text, qw(key install -))) {
            is($r->{exit}, 2, "$name: exit 2");
            like($r->{err}, $says, "$name: says where");
        }
    }
    is_deeply(keys_now(), [], 'none of it was installed');
    my $r = kmsctl(qw(key confirm), $code);
    like($r->{err}, qr/this is the code of a KMS host key: use kmsctl key install/, 'key confirm knows a host key by its code');
};

subtest 'typed at a prompt' => sub {
    my @lines = map { join ' ', map { lc } grep { defined } @groups[ 5 * $_ .. 5 * $_ + 4 ] } 0 .. $#groups / 5;
    my @wrong = @lines;
    splice @wrong, 2, 0, mistyped(join('-', @groups[ 10 .. 14 ]), 3) =~ tr/-/ /r;
    splice @wrong, 5, 0, join ' ', @groups[ 25 .. 29 ];    # a line skipped ahead
    my $r = typed(\@wrong, qw(key install));
    is($r->{exit}, 0, 'installed') or diag($r->{out});
    like($r->{out}, qr/group 13 \(\w+\) is mistyped: type this line again/, 'the mistyped group was named at once');
    like($r->{out}, qr/(?:groups? 2\d).*: type this line again/, 'so was the wrong line');
    like($r->{out}, qr/KMS host key installed: acme: host key for K\xc3\xbche/, 'and the key is in');
    my ($key) = @{ keys_now() };
    is($key->{id}, $issued->{host_key}, 'it is the key that was issued');
    is($key->{customer}, "K\x{fc}he & S\x{f6}hne", 'with its customer');
    my $file = "$dir/state/keys/$issued->{host_key}.kmskey";
    is(slurp($file), slurp("$dir/customer.kmskey"), 'stored as the file that the publisher signed');
    is(typed([ $groups[0], '' ], qw(key install))->{exit}, 2, 'an empty line gives up');
    like(kmsctl(qw(key install), $code)->{err}, qr/KMS_E_EXISTS/, 'the same key again is refused');
};

subtest 'from another publisher' => sub {
    my $other = publisher(dir => workspace() . '/p');
    my $foreign = issue('key', 'issue', '--code', '-d', $other->{dir}, '--customer', 'x', '--group', 'server', '-o', "$dir/foreign");
    my $r = kmsctl(qw(key install), $foreign->{code});
    is($r->{exit}, 2, 'refused');
    like($r->{err}, qr/KMS_E_PUBLISHER/, 'as another publisher\'s');
};

my $request;
subtest 'the request: text, QR code in the terminal, picture' => sub {
    my $all = kmsctl(qw(key request --qr));
    is($all->{exit}, 0, 'key request --qr');
    my ($json) = kmsctl_json(qw(key request -o), "$dir/host.kmsreq", '--png', "$dir/host.png");
    $request = slurp("$dir/host.kmsreq");
    is($json->{request}, $request, 'the file holds the text');
    is($json->{png}, "$dir/host.png", 'the picture is named');
    like($json->{installation_id}, qr/^\d{7}(?:-\d{7}){8}$/, 'an installation id of nine groups');
    for my $group (split /-/, $json->{installation_id}) {
        my ($sum, $double) = (0, 0);
        for my $d (reverse split //, $group) {
            my $n = $double++ % 2 ? 2 * $d : $d;
            $sum += $n > 9 ? $n - 9 : $n;
        }
        is($sum % 10, 0, "$group: its check digit is right");
    }
    is(scanned("$dir/host.png"), $request, 'a scanner reads the request from the picture');
    my ($shown) = $all->{out} =~ /(\[confirmation-request\].*?signature = \S+\n)/s;
    like(scanned(picture_of($all->{out})), qr/\Q$shown\E/, 'and from the terminal');
    is(kmsctl(qw(key request --png), "$dir/none/x.png")->{exit}, 2, 'a picture that cannot be written: exit 2');
    is_deeply([ glob "$dir/host.png.*" ], [], 'nothing is left beside it');
};

sub scanned ($picture) {
    my $r = run([ 'zbarimg', '--quiet', '--raw', '--oneshot', $picture ]);
    is($r->{exit}, 0, "zbarimg reads $picture") or diag($r->{err});
    return $r->{out} =~ s/\n\n\z/\n/r;
}

# The half blocks of a terminal as a picture that zbarimg takes.
sub picture_of ($text) {
    utf8::decode($text);
    my (@rows, $picture);
    for my $line (grep { /^[\x{2588}\x{2580}\x{2584} ]{20,}$/ } split /\n/, $text) {
        my @upper = map { /[\x{2588}\x{2580}]/ ? 255 : 0 } split //, $line;
        my @lower = map { /[\x{2588}\x{2584}]/ ? 255 : 0 } split //, $line;
        push @rows, \@upper, \@lower;
    }
    my $width = @{ $rows[0] };
    $picture = sprintf "P5\n%d %d\n255\n", 4 * $width, 4 * @rows;
    for my $row (@rows) {
        $picture .= pack('C*', map { ($_) x 4 } @$row) x 4;
    }
    return spew("$dir/terminal.pgm", $picture);
}

my $confirmed;
subtest 'confirmed by a code' => sub {
    is(client('early'), 'KMS_E_NOT_CONFIRMED', 'not confirmed: a client is told so');
    $confirmed = issue('confirm', '--code', '-d', $publisher->{dir}, '-p', $publisher->{pack}, '-o', "$dir/host", "$dir/host.kmsreq");
    my ($shown) = kmsctl_json(qw(key request));
    is($confirmed->{installation_id}, $shown->{installation_id}, 'both ends have the same installation id');
    my $r = with_input(mistyped($confirmed->{code}, 11), qw(key confirm));
    is($r->{exit}, 2, 'a mistyped code: exit 2');
    like($r->{err}, qr/group 11 \(\w+\) is mistyped/, 'and its group');
    like(kmsctl(qw(key install), $confirmed->{code})->{err}, qr/this is the code of a confirmation: use kmsctl key confirm/, 'key install knows it');
    $r = with_input("Dear customer,\n\n" . $confirmed->{code}, qw(key confirm -));
    is($r->{exit}, 2, 'words before the code are no code');
    $r = with_input($confirmed->{code} =~ s/-/\n/gr, qw(key confirm -));
    is($r->{exit}, 0, 'pasted') or diag($r->{err});
    is(keys_now()->[0]{confirmed}, 1, 'confirmed');
    my ($certificate) = glob "$dir/state/certs/*.kmscert";
    is(slurp($certificate), slurp("$dir/host.kmscert"), 'the certificate is the publisher\'s, octet by octet');
    is(client("c$_"), 'KMS_E_COUNT_TOO_LOW', "client $_ is counted") for 1 .. 4;
    is(client('c5'), 'KMS_OK', 'the fifth is activated');
    is(kmsctl(qw(key confirm), "$dir/host.kmscert")->{exit}, 2, 'the file of the same certificate is not needed any more');
};

subtest 'of another host' => sub {
    my $second = start_appliance(publisher => $publisher, fronts => 1);
    my $r = $second->kmsctl(qw(key confirm), $confirmed->{code});
    like($r->{err}, qr/KMS_E_NOT_ENABLED/, 'without the host key');
    $second->do(qw(key install), $code);
    $r = $second->kmsctl(qw(key confirm), $confirmed->{code});
    like($r->{err}, qr/made with policy pack 1\.0 .* not installed/, 'without the policy pack');
    like($r->{err}, qr/KMS_E_PREREQUISITE/, 'as a prerequisite');
    $second->do(qw(policy install), $publisher->{pack});
    $r = $second->kmsctl(qw(key confirm), $confirmed->{code});
    is($r->{exit}, 2, 'the first host\'s code does not confirm the second');
    like($r->{err}, qr/belongs to another host.*KMS_E_SIGNATURE/s, 'and why');
    is(($second->kmsctl_json(qw(key show)))[0]{keys}[0]{confirmed}, 0, 'not confirmed');
    $second->stop;
};

subtest 'shown, in short and in detail' => sub {
    my $short = kmsctl(qw(key show));
    like($short->{out}, qr/License: +licensed/, 'license status');
    like($short->{out}, qr/Partial key: +\Q${\ substr $issued->{host_key}, -5}\E\n/, 'partial key');
    like($short->{out}, qr/Remaining: +10\d\d days|Remaining: +\d+/, 'remaining time');
    unlike($short->{out}, qr/Installation id/, 'no more than that');
    my $long = kmsctl(qw(key show --detailed));
    is($long->{exit}, 0, 'key show --detailed');
    for my $what (qr/Installation id: +\d{7}-/, qr/Port: +\d+/, qr/Activates: +.*Example Server/, qr/DNS publishing: +no record is published/,
        qr/Certificate serial: +\d/, qr/Host id: +[0-9a-f]{32}/, qr/Requests: +\d/, qr/Thresholds and intervals/, qr/Example Server +.*server/) {
        like($long->{out}, $what, "detail: $what");
    }
    spew($appliance->dir . '/state/dns.published', "; by kmsctl dns publish\n_kms._tcp.one.test. 60 IN SRV 0 0 1688 kms.one.test.\n");
    my ($json) = kmsctl_json(qw(key show --detailed));
    like($json->{service}{dns_publishing}, qr/^1 record, for example _kms\._tcp\.one\.test\./, 'what was published, in JSON');
    is($json->{service}{port}, $appliance->port, 'the port, in JSON');
    my ($product) = grep { $_->{name} eq 'Example Server' } @{ $json->{products} };
    is($product->{counted}, 5, 'the count, in JSON');
    my ($interval) = grep { $_->{name} eq 'Example Server' } @{ $json->{intervals} };
    is($interval->{renewal_interval}, 10080, 'the interval, in JSON');
    is($json->{keys}[0]{license}, 'licensed', 'the license, in JSON');
    cmp_ok($json->{keys}[0]{remaining}, '>', 1000 * 1440, 'and what remains, in minutes');
};

subtest 'removed, and installed again' => sub {
    my $r = kmsctl(qw(key remove));
    is($r->{exit}, 2, 'nobody to ask: refused');
    like($r->{err}, qr/add --yes/, 'and how to go on');
    is(typed(['no'], qw(key remove))->{exit}, 2, 'another word than yes: nothing is removed');
    like(kmsctl(qw(key remove --yes 00000000))->{err}, qr/KMS_E_NOT_FOUND/, 'no such key');
    is(client('c6'), 'KMS_OK', 'it serves');
    my $before = (kmsctl_json('status'))[0];
    $r = typed(['yes'], qw(key remove), substr $issued->{host_key}, 0, 8);
    is($r->{exit}, 0, 'removed') or diag($r->{out});
    like($r->{out}, qr/This host will then activate no product/, 'it was said what that means');
    is_deeply(keys_now(), [], 'no key');
    is(client('c6'), 'KMS_E_NOT_ENABLED', 'a client is told 0xC004F039');
    is(client('c6', 'verify'), 'KMS_OK', 'its lease stays good');
    is_deeply([ glob("$dir/state/keys/*.kmskey*"), glob("$dir/state/certs/*") ], [], 'no file of it is left');
    my $after = (kmsctl_json('status'))[0];
    my %counted = map { $_->{name} => $_->{counted} } @{ $after->{products} };
    is($counted{'Example Server'}, 6, 'the count stays');
    is($after->{ledger}{clients}, $before->{ledger}{clients}, 'so do the clients');
    is($appliance->stop, 0, 'a restart');
    $appliance->start;
    is_deeply(keys_now(), [], 'does not bring it back');
    is(client('c6'), 'KMS_E_NOT_ENABLED', 'nor the service');
    like(kmsctl(qw(key remove --yes))->{err}, qr/no host key is installed/, 'there is nothing to remove');

    is(kmsctl(qw(key install), split /-/, $code)->{exit}, 0, 'installed again, the groups as arguments');
    is(client('c6'), 'KMS_E_NOT_CONFIRMED', 'not confirmed yet');
    is(kmsctl(qw(key confirm), "$dir/host.kmscert")->{exit}, 0, 'confirmed by the certificate it had');
    is(client('c7'), 'KMS_OK', 'it serves, above its threshold at once');
    is($appliance->stop, 0, 'a restart');
    $appliance->start;
    is(keys_now()->[0]{license}, 'licensed', 'finds the key that came as a code, and its certificate');
    is(client('c8'), 'KMS_OK', 'and serves');
    is(kmsctl(qw(ledger check))->{exit}, 0, 'the ledger is sound, the removal in it');
};

subtest 'files that were altered on disk' => sub {
    is($appliance->stop, 0, 'stopped');
    my $file = "$dir/state/keys/$issued->{host_key}.kmskey";
    my $text = slurp($file);
    like(slurp("$file.minisig"), qr/\Auntrusted comment: from a code\n\S+\n\z/, 'a typed key has a signature of two lines');
    spew($file, $text =~ s/hosts = 6/hosts = 9/r);
    $appliance->start;
    is_deeply(keys_now(), [], 'an altered key is not taken');
    like($appliance->log, qr/file-refused.*\.kmskey/, 'and the log says so');
};
is($appliance->stop, 0, 'ends well');
done_testing;
