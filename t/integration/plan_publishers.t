#!/usr/bin/perl
# kmsctl plan and apply with the files of publishers that kms.ini names: what is newer is installed by the running kmsd, in the
# right order and once; what cannot be is told, with what to do. One ini file and three files make a serving machine.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Copy qw(copy);
use File::Path qw(make_path);
use KMS::Test;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);

plan skip_all => 'only root can mount: run as root' if $> != 0;

# Nothing here may reach the machine that runs the test.
if (!$ENV{KMS_PLAN_APART}) {
    $ENV{KMS_PLAN_APART} = 1;
    exec 'unshare', '--mount', '--net', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', $^X, $0 or die "unshare: $!";
}

my $dir = workspace();
my $p = publisher();
my $kmsctl = program('kmsctl');

# A machine of its own: /etc is a copy, and systemd runs it or does not.
make_path("$dir/machine");
run([ 'cp', '-a', map({ -e "/etc/$_" ? "/etc/$_" : () } qw(passwd group shadow gshadow nsswitch.conf login.defs)), "$dir/machine/" ]);
my ($config) = json_of(run([ $kmsctl, '--json', 'version' ]))->{config} =~ m{(.*)/};
sub apart ($systemd, @command) {
    my $script = 'mount --bind "$0" /etc && mount -t tmpfs none /run && mount -t tmpfs none /usr/local/etc && '
        . "mkdir -p '$config' && $systemd && exec \"\$@\"";
    return ('unshare', '--mount', 'sh', '-c', $script, "$dir/machine", @command);
}

# ({ "acme policy" => row }, the whole answer)
sub rows ($ini, $command, %opt) {
    my $r = run([ apart($opt{systemd} // 'true', $kmsctl, '-c', $ini, '--json', $command) ]);
    my $json = json_of($r);
    return ({ map { ($_->{what} => $_) } grep { $_->{aspect} eq 'publishers' } @{ $json->{differences} } }, $json);
}

# Names and states, for is_deeply.
sub states ($rows) { return { map { ($_ => $rows->{$_}{state}) } keys %$rows } }

sub told ($rows, $what, $is, $due, $name) {
    my $row = $rows->{$what} // {};
    is($row->{state}, 'by-hand', "$name: left to the administrator") or diag(explain $rows);
    like($row->{is}, $is, "$name: what is wrong");
    like($row->{due}, $due, "$name: what to do");
}

sub entries ($a) { return ($a->kmsctl_json('status'))[0]{ledger}{last_batch} }
sub signed_copy ($from, $to) {
    copy($from, $to) && copy("$from.minisig", "$to.minisig") or die "$from: $!";
    return $to;
}
sub version ($text, $version, $more = '') { return $text =~ s/^version = .*$/version = $version$more/mr }

my $a = start_appliance(publisher => $p, fronts => 1);
my $plain = slurp($a->ini);
my $file = { map { ($_ => "$dir/acme.$_") } qw(kmspolicy kmskey kmscert) };
sub files (%key) { spew($a->ini, $plain . join('', map { "$_ = $key{$_}\n" } sort keys %key)) }
my $text = slurp($p->{pack});

subtest 'nothing is named' => sub {
    my ($rows) = rows($a->ini, 'plan');
    told($rows, 'acme policy', qr/none is installed/, qr/kmsctl policy install.*policy to the file in kms\.ini/, 'no pack');
    told($rows, 'acme host key', qr/none is installed/, qr/kmsctl key install.*host_key to the file in kms\.ini/, 'no key');
    is(scalar keys %$rows, 2, 'and a confirmation is not spoken of before there is a key');
};

subtest 'files that are not there' => sub {
    files(policy => $file->{kmspolicy}, host_key => $file->{kmskey}, confirmation => $file->{kmscert});
    my ($rows) = rows($a->ini, 'plan');
    told($rows, 'acme policy', qr/acme\.kmspolicy: no such file/, qr/put the publisher's file there/, 'no such file');
    told($rows, 'acme host key', qr/acme\.kmskey: no such file/, qr/put the publisher's file there/, 'no such file');
    told($rows, 'acme confirmation', qr/acme\.kmscert: no such file/, qr/kmsctl key request, and put/, 'no such file');
    copy($p->{pack}, $file->{kmspolicy});
    ($rows) = rows($a->ini, 'plan');
    told($rows, 'acme policy', qr/\.minisig: no such file: the publisher's signature must be beside/, qr/put/, 'no signature');
    mkdir "$file->{kmspolicy}.minisig";
    ($rows) = rows($a->ini, 'plan');
    told($rows, 'acme policy', qr/Is a directory/, qr/put/, 'a signature that cannot be read');
    rmdir "$file->{kmspolicy}.minisig";
};

my $before = entries($a);
signed_copy($p->{pack}, $file->{kmspolicy});
my $key = issue_key($p, output => "$dir/acme");

subtest 'pack and key, and the host is not confirmed' => sub {
    files(policy => $file->{kmspolicy}, host_key => $file->{kmskey});
    my ($rows) = rows($a->ini, 'plan');
    is_deeply(states($rows), { 'acme policy' => 'due', 'acme host key' => 'due', 'acme confirmation' => 'by-hand' }, 'plan');
    like($rows->{'acme policy'}{is}, qr/none is installed, the file is 1\.0/, 'how the pack is');
    like($rows->{'acme policy'}{due}, qr{^installed from $file->{kmspolicy}$}, 'and what would be done');
    like($rows->{'acme host key'}{is}, qr/not installed: for Example Customer, group server, until \d{4}-/, 'how the key is');
    is(entries($a), $before, 'plan changes nothing');
    is(run([ apart('true', $kmsctl, '-c', $a->ini, qw(plan --check)) ])->{exit}, 4, 'plan --check: exit 4');
    my $json;
    ($rows, $json) = rows($a->ini, 'apply');
    is_deeply(states($rows), { 'acme policy' => 'done', 'acme host key' => 'done', 'acme confirmation' => 'by-hand' }, 'apply')
        or diag(explain $json);
    like($rows->{'acme confirmation'}{due}, qr/^kmsctl key request.* then kmsctl key confirm/, 'what is left: kmsctl key request');
    is($json->{failed}, 0, 'nothing failed');
    is(entries($a), $before + 2, 'two entries in the journal, one each');
    ok(!($a->kmsctl_json('key', 'show'))[0]{keys}[0]{confirmed}, 'the key is there, not confirmed');
    ($rows) = rows($a->ini, 'apply');
    is_deeply(states($rows), { 'acme confirmation' => 'by-hand' }, 'again: no more than the confirmation');
    like($rows->{'acme confirmation'}{due}, qr/^kmsctl key request [0-9a-f-]{36}, then/, 'for this key');
    is(entries($a), $before + 2, 'and nothing new in the journal');
};

subtest 'the confirmation' => sub {
    my %all = (policy => $file->{kmspolicy}, host_key => $file->{kmskey}, confirmation => $file->{kmscert});
    files(%all);
    $a->do('key', 'request', '-o', "$dir/host.kmsreq");
    confirm($p, "$dir/host.kmsreq", output => "$dir/acme");
    my ($rows) = rows($a->ini, 'plan');
    is_deeply(states($rows), { 'acme confirmation' => 'due' }, 'plan');
    like($rows->{'acme confirmation'}{is}, qr/not confirmed, the file is serial \d+/, 'how it is');
    ($rows) = rows($a->ini, 'apply');
    is_deeply(states($rows), { 'acme confirmation' => 'done' }, 'apply');
    $before = entries($a);
    ($rows) = rows($a->ini, 'apply');
    is_deeply($rows, {}, 'again: nothing to do');
    is(entries($a), $before, 'and nothing new in the journal');
    $a->client("pc-$_", 'activate') for 1 .. 5;
    is($a->client('pc-5', 'activate')->{exit}, 0, 'clients are activated');
};

subtest 'another pack' => sub {
    my $next = sign_pack($p, 'next', version($text, '1.1', "\nreplaces = 1.0"));
    signed_copy($next, $file->{kmspolicy});
    my ($rows) = rows($a->ini, 'plan');
    is($rows->{'acme policy'}{state}, 'due', 'a newer one is to be installed');
    like($rows->{'acme policy'}{is}, qr/example 1\.0 is installed, the file is 1\.1/, 'and how it is');
    is_deeply(states((rows($a->ini, 'apply'))[0]), { 'acme policy' => 'done' }, 'apply installs it');
    is(($a->kmsctl_json('policy', 'show'))[0]{packs}[0]{version}, '1.1', 'the host has it');
    $before = entries($a);
    my @bad = (
        [ 'an older one', sub { signed_copy($p->{pack}, $file->{kmspolicy}) },
            qr/example 1\.0 is older than the installed 1\.1/, qr/set policy to a newer pack/ ],
        [ 'another one of the version', sub { signed_copy(sign_pack($p, 'same', version($text, '1.1') =~ s/threshold = 5/threshold = 6/r), $file->{kmspolicy}) },
            qr/a different pack called example 1\.1 is already installed/, qr/ask the publisher/ ],
        [ 'one that needs another one first', sub { signed_copy(sign_pack($p, 'far', version($text, '3.0', "\nrequires = 2.0")), $file->{kmspolicy}) },
            qr/example 3\.0 needs 2\.0, but 1\.1 is installed/, qr/first install the other pack \(kmsctl policy install\)/ ],
        [ 'one that was changed', sub { signed_copy($next, $file->{kmspolicy}); spew($file->{kmspolicy}, slurp($file->{kmspolicy}) . "\n") },
            qr/changed after publisher acme signed it/, qr/ask the publisher/ ],
        [ 'one with a malformed signature', sub { spew("$file->{kmspolicy}.minisig", "nothing\n") },
            qr/the \.minisig file is not a minisign signature/, qr/ask the publisher/ ],
        [ 'another publisher\'s', sub { signed_copy(publisher(name => 'other')->{pack}, $file->{kmspolicy}) },
            qr/not signed by any configured publisher/, qr/ask the publisher/ ],
        [ 'a host key in its place', sub { signed_copy($key, $file->{kmspolicy}) },
            qr/policy pack, line \d+: /, qr/ask the publisher/ ],
    );
    for my $row (@bad) {
        my ($name, $happen, $is, $due) = @$row;
        $happen->();
        ($rows) = rows($a->ini, 'apply');
        told($rows, 'acme policy', $is, $due, $name);
        is(scalar keys %$rows, 1, "$name: and nothing else");
    }
    is(entries($a), $before, 'none of them reached the host');
    signed_copy($next, $file->{kmspolicy});
    is_deeply((rows($a->ini, 'plan'))[0], {}, 'with the right one again, all is well');
};

subtest 'another key' => sub {
    my %all = (policy => $file->{kmspolicy}, host_key => $file->{kmskey}, confirmation => $file->{kmscert});
    my $soon = time + 4;
    my $short = issue_key($p, output => "$dir/short", valid_to => POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $soon));
    my $new = issue_key($p, output => "$dir/new", customer => 'Bought Later');
    files(%all, host_key => $new);
    my ($rows) = rows($a->ini, 'apply');
    is_deeply(states($rows), { 'acme host key' => 'done' }, 'is installed beside the old one, whose confirmation is in the file');
    files(policy => $file->{kmspolicy}, host_key => $new);
    ($rows) = rows($a->ini, 'plan');
    told($rows, 'acme confirmation', qr/confirmed for another host key/, qr/^kmsctl key request [0-9a-f-]{36}, /, 'not confirmed for the new one');
    my $other = issue_key(my $stranger = publisher(name => 'other'));
    files(%all, host_key => $other);
    told((rows($a->ini, 'plan'))[0], 'acme host key', qr/not signed by any configured publisher/, qr/ask the publisher/, 'another publisher\'s key');
    my $forged = "$dir/forged.kmskey";
    spew($forged, slurp($new) =~ s/^customer = .*$/customer = Somebody Else/mr);
    is(run([ 'minisign', '-Sm', $forged, '-s', "$p->{dir}/publisher.key" ])->{exit}, 0, 'the publisher signs');
    files(%all, host_key => $forged);
    told((rows($a->ini, 'plan'))[0], 'acme host key', qr/another host key of the same number is installed/, qr/kmsctl key remove/, 'the same number, another key');
    wait_for(20, sub { time > $soon + 1 }, 'a key runs out');
    files(%all, host_key => $short);
    told((rows($a->ini, 'plan'))[0], 'acme host key', qr/the host key expired on \d{4}-\d\d-\d\d/, qr/ask the publisher for a new key/, 'an expired key');
    files(%all);
};

subtest 'another confirmation' => sub {
    my %all = (policy => $file->{kmspolicy}, host_key => $file->{kmskey}, confirmation => $file->{kmscert});
    my $b = start_appliance(publisher => $p, fronts => 1);
    $b->do('key', 'install', $key);
    $b->do('key', 'request', '-o', "$dir/other.kmsreq");
    my $others = confirm($p, "$dir/other.kmsreq", output => "$dir/other");
    files(%all, confirmation => $others);
    my ($rows) = rows($a->ini, 'apply');
    told($rows, 'acme confirmation', qr/for another host, [0-9a-f]{32}/, qr/kmsctl key request/, 'another host\'s');

    my $old = signed_copy($file->{kmscert}, "$dir/old.kmscert");
    sleep 1.1;    # certificates are told apart by the second in which they were issued
    my ($id) = slurp($key) =~ /^id = (\S+)$/m;
    $a->do('key', 'request', '-o', "$dir/again.kmsreq", $id);
    signed_copy(confirm($p, "$dir/again.kmsreq", output => "$dir/again"), $file->{kmscert});
    files(%all);
    ($rows) = rows($a->ini, 'plan');
    like($rows->{'acme confirmation'}{is}, qr/serial (\d+) is installed, the file is (?!\1\b)\d+/, 'a newer one is to be installed');
    is_deeply(states((rows($a->ini, 'apply'))[0]), { 'acme confirmation' => 'done' }, 'and installed');
    files(%all, confirmation => $old);
    told((rows($a->ini, 'apply'))[0], 'acme confirmation', qr/is older than the installed one, serial \d+/, qr/put the newer file there/, 'an older one');

    files(%all, policy => $file->{kmspolicy}, confirmation => $file->{kmscert});
    $b->do('key', 'remove', '--yes');
    my $ini = slurp($b->ini);
    spew($b->ini, $ini . "confirmation = $others\n");
    told((rows($b->ini, 'plan'))[0], 'acme confirmation', qr/the host key for this confirmation is not installed/, qr/host_key to the file of that key in kms\.ini/, 'without its key');
    spew($b->ini, $ini . "host_key = $key\nconfirmation = $others\npolicy = $p->{pack}\n");
    is_deeply(states((rows($b->ini, 'apply'))[0]), { map { ("acme $_" => 'done') } 'policy', 'host key', 'confirmation' },
        'with it: both, in the right order');
    is_deeply((rows($b->ini, 'plan'))[0], {}, 'and all is well');
    is($b->stop, 0, 'kmsd stops');
    is_deeply((rows($b->ini, 'plan'))[0], {}, 'also while kmsd is down');
    spew($b->ini, $ini . "policy = " . sign_pack($p, 'down', version($text, '1.5')) . "\n");
    my ($down, $json) = rows($b->ini, 'apply');
    told($down, 'acme policy', qr/example 1\.0 is installed, the file is 1\.5/, qr/^start kmsd, then kmsctl apply$/, 'kmsd is down');
    is_deeply([ map { $_->{due} } grep { $_->{aspect} eq 'service' } @{ $json->{differences} } ], ['start kmsd'], 'which is said too');
};

subtest 'a second publisher' => sub {
    my $second = publisher(name => 'widgets', products => [ { name => 'Widget', id => '33333333-3333-4333-8333-333333333333',
        threshold => 1, group => 'server', pool => 'servers' } ]);
    my $bought = issue_key($second);
    my $ini = slurp($a->ini);
    spew($a->ini, "$ini\[publisher widgets]\nkey = $second->{key}\npolicy = $second->{pack}\nhost_key = $bought\n");
    my ($rows, $json) = rows($a->ini, 'apply');
    told($rows, 'widgets policy', qr/none is installed/, qr/^reload kmsd, then kmsctl apply$/, 'kmsd has not read it');
    my ($service) = grep { $_->{aspect} eq 'service' } @{ $json->{differences} };
    like($service->{is}, qr/\[publisher widgets\] has changed since kmsd read it/, 'the service does not match kms.ini');
    like($service->{due}, qr{^kill -HUP \$\(cat .*/run/kmsd\.pid\)$}, 'and what to type');
    run([ 'sh', '-c', $service->{due} ]);
    wait_for(20, sub { grep { $_->{name} eq 'widgets' } @{ ($a->kmsctl_json('status'))[0]{publishers} } }, 'the reload');
    ($rows) = rows($a->ini, 'apply');
    is_deeply(states($rows), { 'widgets policy' => 'done', 'widgets host key' => 'done', 'widgets confirmation' => 'by-hand' },
        'after it: its files, and not those of the first');
    my $thief = sign_pack($second, 'thief', version(slurp($second->{pack}), '2.0')
        . "[product 22222222-2222-4222-8222-222222222222]\nname = Theirs\ngroup = server\npool = servers\nthreshold = 1\n"
        . "activation-interval = 2h\nrenewal-interval = 7d\nvalidity = 180d\ngrace = 30d\nvirtual-machines = allow\nclones = allow\n");
    spew($a->ini, slurp($a->ini) =~ s/^policy = \Q$second->{pack}\E$/policy = $thief/mr);
    told((rows($a->ini, 'plan'))[0], 'widgets policy', qr/product \S+ \(Theirs\) belongs to publisher acme/, qr/a product may belong to only one/, 'a product of the first');
    spew($a->ini, $ini);
};

subtest 'during a rotation' => sub {
    is(run([ program('kmsissue'), 'rotate', '-d', $p->{dir}, '--no-passphrase', '--from', '2020-01-01', '--to', '2090-01-01' ])->{exit}, 0, 'a new key');
    $a->do('publisher', 'rotate', "$p->{dir}/publisher.kmsrotate");
    my $pack = spew("$dir/rotated.kmspolicy", version($text, '1.9'));
    is(run([ program('kmsissue'), 'policy', 'sign', '-d', $p->{dir}, '--new-key', $pack ])->{exit}, 0, 'signs a pack');
    files(policy => $pack, host_key => $file->{kmskey}, confirmation => $file->{kmscert});
    is_deeply(states((rows($a->ini, 'apply'))[0]), { 'acme policy' => 'done' }, 'which is installed');
    is_deeply((rows($a->ini, 'plan'))[0], {}, 'and recognised afterwards');
};

subtest 'damaged files in the state directory' => sub {
    is($a->stop, 0, 'kmsd stops');
    my ($pack) = glob $a->dir . '/state/policy/*/1.9.kmspolicy';
    my ($certificate) = glob $a->dir . '/state/certs/*.kmscert';
    spew($pack, slurp($pack) . "; more\n");
    spew($certificate, "nothing\n");
    unlink glob $a->dir . '/state/keys/*.kmskey';
    $a->start;
    my ($rows) = rows($a->ini, 'plan');
    like($rows->{'acme policy'}{is}, qr{^policy/\S+/1\.9\.kmspolicy: .*signature.*, the file is 1\.9$}i, 'a pack that was changed');
    like($rows->{'acme confirmation'}{is}, qr{^certs/\S+: .*, the file is serial \d+$}, 'a malformed confirmation');
    is_deeply(states($rows), { map { ("acme $_" => 'due') } 'policy', 'host key', 'confirmation' }, 'all of it is to be installed, the keys that are gone too');
    ($rows) = rows($a->ini, 'apply');
    is_deeply(states($rows), { map { ("acme $_" => 'done') } 'policy', 'host key', 'confirmation' }, 'and installed again') or diag(explain $rows);
    is_deeply((rows($a->ini, 'plan'))[0], {}, 'then all is well');
};
is($a->stop, 0, 'kmsd stops');

subtest 'what kmsd refuses, and when it is locked' => sub {
    my $q = publisher();
    my $c = start_appliance(publisher => $q, fronts => 1);
    my $bought = issue_key($q, output => "$dir/revoked");
    my ($id) = slurp($bought) =~ /^id = (\S+)$/m;
    is(run([ program('kmsissue'), @$_ ])->{exit}, 0, "kmsissue $_->[0]")
        for [ qw(revoke key -d), $q->{dir}, '--reason', 'not paid', $id ], [ qw(revocations -d), $q->{dir}, '-o', "$dir/list" ];
    $c->do('revocations', 'install', "$dir/list.kmsrevoked");
    my $ini = slurp($c->ini);
    spew($c->ini, "${ini}policy = $q->{pack}\nhost_key = $bought\n");
    my $in_the_way = spew($c->dir . '/state/policy', 'no directory');
    my ($rows, $json) = rows($c->ini, 'apply');
    is($rows->{'acme policy'}{state}, 'failed', 'a pack that cannot be stored') or diag(explain $json);
    like($rows->{'acme policy'}{problem}, qr/^kmsd: .*cannot be stored/, 'and kmsd says why');
    is($json->{failed}, 1, 'which is counted');
    is(run([ apart('true', $kmsctl, '-c', $c->ini, 'apply') ])->{exit}, 2, 'exit 2');
    unlink $in_the_way;
    ($rows) = rows($c->ini, 'apply');
    is($rows->{'acme policy'}{state}, 'done', 'the pack is installed');
    told($rows, 'acme host key', qr/revoked this host key: not paid/, qr/ask the publisher for a new key/, 'a key that is revoked is not');

    my $secret = spew("$dir/secret", "correct horse\n");
    $c->do('key', 'seal', '--passphrase', '--passphrase-file', $secret);
    $c->stop;
    spew($c->ini, "${ini}policy = " . sign_pack($q, 'later', version(slurp($q->{pack}), '1.1')) . "\n");
    $c->start;
    told((rows($c->ini, 'apply'))[0], 'acme policy', qr/1\.0 is installed, the file is 1\.1/, qr/^kmsctl unlock, then kmsctl apply$/, 'locked');
    $c->do('unlock', '--passphrase-file', $secret);
    is((rows($c->ini, 'apply'))[0]{'acme policy'}{state}, 'done', 'unlocked');
    is($c->stop, 0, 'kmsd stops');
};

my $m = "$dir/m";
END { if ($m && -e "$m/pid") { my $status = $?; kill 'TERM', slurp("$m/pid") =~ /(\d+)/; $? = $status } }

# systemctl is a script that starts, reloads and stops the real kmsd.
subtest 'one ini file and three files' => sub {
    make_path("$m/bin", "$m/clients");
    my $ini = "$m/kms.ini";
    my $q = publisher();
    my $bought = issue_key($q);
    spew($ini, "[kms]\nstate_directory = $m/state\nruntime_directory = $m/run\nactivate_user = nobody\nfront_user = daemon\n"
        . "[ledger]\nsegment_size = 1M\nmap_size = 16M\n[listen]\naddress = 127.0.0.1\nport = 1688\n"
        . "[publisher acme]\nkey = $q->{key}\npolicy = $q->{pack}\nhost_key = $bought\nconfirmation = $m/host.kmscert\n");
    chmod 0755, spew("$m/bin/systemctl", <<"SH") or die;
#!/bin/sh
case "\$1 \$2" in
start*) @{[ program('kmsd') ]} -f $ini -L $BUILD >>$m/log 2>&1 </dev/null & echo \$! >$m/pid
	for i in \$(seq 300); do $kmsctl -c $ini status >/dev/null 2>&1 && exit 0; sleep 0.05; done; echo did not start >&2; exit 1 ;;
reload*) kill -HUP \$(cat $m/pid) ;;
*is-enabled*) echo enabled ;;
esac
SH
    local $ENV{PATH} = "$m/bin:$ENV{PATH}";
    my @systemd = (systemd => 'mkdir -p /run/systemd/system');
    my ($rows, $json) = rows($ini, 'plan', @systemd);
    is_deeply(states($rows), { 'acme policy' => 'due', 'acme host key' => 'due', 'acme confirmation' => 'by-hand' }, 'planned while kmsd is down');
    ok(!-e "$m/log", 'plan starts nothing');
    ($rows, $json) = rows($ini, 'apply', @systemd);
    is_deeply(states($rows), { 'acme policy' => 'done', 'acme host key' => 'done', 'acme confirmation' => 'by-hand' },
        'apply starts kmsd and has them installed') or diag(explain $json);
    like($rows->{'acme confirmation'}{is}, qr/host\.kmscert: no such file/, 'the confirmation is still to come');
    my @kmsctl = ($kmsctl, '-c', $ini);
    run([ @kmsctl, 'key', 'request', '-o', "$m/host.kmsreq" ]);
    confirm($q, "$m/host.kmsreq", output => "$m/host");
    ($rows, $json) = rows($ini, 'apply', @systemd);
    is_deeply(states($rows), { 'acme confirmation' => 'done' }, 'when it has come, apply installs it');
    (undef, $json) = rows($ini, 'apply', @systemd);
    is($json->{changed}, 0, 'again: nothing to do') or diag(explain $json);
    is($json->{by_hand}, 0, 'and nothing is left to anybody');
    my @client = (program('kmsclient'), '--publisher-key', $q->{key}, '--product', $q->{products}[0]{id}, '--host', '127.0.0.1:1688');
    run([ @client, '--state', "$m/clients/$_", '--name', "pc-$_", 'activate' ]) for 1 .. 5;
    is(run([ @client, '--state', "$m/clients/5", '--name', 'pc-5', 'activate' ])->{exit}, 0, 'the machine serves');

    my $second = publisher(name => 'widgets', products => [ { name => 'Widget', id => '33333333-3333-4333-8333-333333333333',
        threshold => 1, group => 'server', pool => 'servers' } ]);
    spew($ini, slurp($ini) . "[publisher widgets]\nkey = $second->{key}\npolicy = $second->{pack}\n");
    ($rows, $json) = rows($ini, 'apply', @systemd);
    is_deeply([ map { "$_->{due} $_->{state}" } grep { $_->{aspect} eq 'service' } @{ $json->{differences} } ], ['reloaded done'],
        'a publisher that is new has kmsd reloaded') or diag(explain $json);
    is($rows->{'widgets policy'}{state}, 'done', 'and its pack is installed in the same run');

    # Killed at any moment, the next apply finishes it; each file is in the journal once.
    my $third = publisher(name => 'gadgets', products => [ { name => 'Gadget', id => '44444444-4444-4444-8444-444444444444',
        threshold => 1, group => 'server', pool => 'servers' } ]);
    my $third_key = issue_key($third);
    spew($ini, slurp($ini) . "[publisher gadgets]\nkey = $third->{key}\npolicy = $third->{pack}\nhost_key = $third_key\n");
    for my $round (1 .. 15) {
        my $pid = spawn([ apart('mkdir -p /run/systemd/system', @kmsctl, 'apply') ], log => "$m/killed.log");
        sleep 0.01 * $round;
        end_process($pid, 'KILL');
    }
    (undef, $json) = rows($ini, 'apply', @systemd);
    is($json->{failed}, 0, 'after being killed: finished') or diag(explain $json);
    (undef, $json) = rows($ini, 'plan', @systemd);
    is_deeply([ map { $_->{state} } @{ $json->{differences} } ], [ ('by-hand') x 2 ], 'no more than what gadgets and widgets still need')
        or diag(explain $json);
    my $history = json_of(run([ @kmsctl, '--json', 'policy', 'history' ]));
    is(scalar(grep { $_->{publisher} eq 'gadgets' } @{ $history->{packs} }), 1, 'the pack is in the journal once');
    is(run([ @kmsctl, 'ledger', 'check' ])->{exit}, 0, 'which is whole');
    my ($pid) = slurp("$m/pid") =~ /(\d+)/;
    kill 'TERM', $pid;
    wait_for(20, sub { !kill 0, $pid }, 'kmsd ends');
    unlink "$m/pid";
};

# An image: nothing runs there.
subtest 'below a root' => sub {
    my $root = "$dir/image";
    make_path("$root/etc/kms", "$root/usr/lib/systemd/system");
    signed_copy($p->{pack}, "$root/etc/kms/acme.kmspolicy");
    my $ini = spew("$root/kms.ini", "[kms]\nstate_directory = /var/lib/kms\n[publisher acme]\nkey = $p->{key}\npolicy = /etc/kms/acme.kmspolicy\n");
    my $json = json_of(run([ $kmsctl, '-c', $ini, '--json', 'plan', '--root', $root ]));
    my %rows = map { ($_->{what} => $_) } grep { $_->{aspect} eq 'publishers' } @{ $json->{differences} };
    told(\%rows, 'acme policy', qr/none is installed, the file is 1\.0/, qr/^start the machine, then kmsctl apply$/, 'a pack in the image');
    make_path("$root/var/lib");
    spew("$root/var/lib/kms", 'no directory');
    $json = json_of(run([ $kmsctl, '-c', $ini, '--json', 'plan', '--root', $root ]));
    %rows = map { ($_->{what} => $_) } grep { $_->{aspect} eq 'publishers' } @{ $json->{differences} };
    told(\%rows, 'publishers', qr/cannot be checked: .*: Not a directory/, qr/fix this/, 'a state directory that cannot be read');
    is(scalar keys %rows, 1, 'is not taken for an empty one');
};
done_testing;
