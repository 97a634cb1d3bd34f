#!/usr/bin/perl
# The host's keys at rest, as an administrator handles them: sealed and unsealed while clients are served, unlocked after
# a start by hand, by a file, by a credential, by the machine; and every wrong file or passphrase told apart.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use Test::More;

my $publisher = publisher(products => [ { name => 'Writer', id => '11111111-1111-4111-8111-111111111111', threshold => 1,
    group => 'client', pool => 'desktops' } ]);
my $a = start_appliance(publisher => $publisher, fronts => 1);
my $dir = $a->dir;
my $plain_ini = slurp($a->ini);
my $key = "$dir/state/keys/host.key";
mkdir "$dir/other" or die $!;
my %file;
for my $name (qw(right wrong other)) {
    $file{$name} = spew("$dir/other/$name", "passphrase $name\n");
    chmod 0600, $file{$name};
}
spew("$dir/other/empty", "\nsecond line\n");
chmod 0600, "$dir/other/empty";
$a->enable(group => 'client');

sub keys_ini (@lines) { spew($a->ini, $plain_ini . join '', "[keys]\n", map { "$_\n" } @lines) }
sub service () { return ($a->kmsctl_json('status'))[0]{service} }
sub failed ($symbol, $like, @args) {
    my ($answer, $exit) = $a->kmsctl_json(@args);
    is($exit, 2, "@args[0, 1]: exit 2");
    is($answer->{error}{symbol}, $symbol, "$symbol");
    like($answer->{error}{message}, $like, 'and says why');
}
# Wrong passphrases make the next one wait; the wait is what is waited for here.
sub done (@args) {
    my $r;
    KMS::Test::wait_for(30, sub { $r = $a->kmsctl(@args); $r->{err} !~ /KMS_E_OVERLOAD/ }, "@args");
    is($r->{exit}, 0, "@args[0, 1]: exit 0") or diag("$r->{out}$r->{err}");
    return $r;
}
sub client ($name, $verb, @args) {
    my $r = $a->client($name, $verb, args => [ '--json', @args ]);
    return { %{ json_of($r) }, exit => $r->{exit}, text => "$r->{out}$r->{err}" };
}
sub serves ($name, $verb, $what) { is(client($name, $verb)->{exit}, 0, $what) or diag($a->log) }
# kmsd with the ini as it is now must not start: exit code, and what its log says.
sub refused ($exit, $like, $what, %env) {
    my $log = workspace() . '/log';
    local @ENV{ keys %env } = values %env if %env;
    my $pid = spawn([ program('kmsd'), '-f', $a->ini ], log => $log);
    is(wait_exit($pid, 30) >> 8, $exit, "$what: kmsd exits $exit");
    like(slurp($log), $like, "$what: says why");
}

my $id = service()->{host_id};
serves('pc', 'activate', 'activated');
subtest 'seal and unseal while it serves' => sub {
    is(service()->{key_sealed}, 'no', 'plain');
    is(-s $key, 88, '88 octets');
    failed('KMS_E_CONFIG', qr/machine_file/, 'key', 'seal', '--machine');
    is($a->kmsctl('key', 'seal')->{exit}, 1, 'key seal says that it must be told how');
    is($a->kmsctl('key', 'seal', '--machine', '--none')->{exit}, 1, 'and only once');
    is($a->kmsctl('key', 'seal', '--none', '--passphrase-file', $file{right})->{exit}, 1, 'a passphrase that is not used is an error');
    failed('KMS_E_PASSPHRASE', qr/first line is empty/, 'key', 'seal', '--passphrase', '--passphrase-file', "$dir/other/empty");
    failed('KMS_E_NOT_FOUND', qr{other/none}, 'key', 'seal', '--passphrase', '--passphrase-file', "$dir/other/none");
    is(-s $key, 88, 'still plain');
    done('key', 'seal', '--passphrase', '--passphrase-file', $file{right});
    is(service()->{key_sealed}, 'passphrase', 'sealed');
    is(-s $key, 184, '184 octets');
    is((stat $key)[2] & 07777, 0600, 'mode 0600');
    ok(!-e "$key.new", 'nothing is left beside it');
    serves('pc', 'renew', 'and serves on');
    failed('KMS_E_PASSPHRASE', qr/wrong passphrase/, 'key', 'unseal', '--passphrase-file', $file{wrong});
    is(-s $key, 184, 'it takes the passphrase to take it away');
    failed('KMS_E_OVERLOAD', qr/try again in \d+ seconds/, 'key', 'unseal', '--passphrase-file', $file{wrong});
    unlike($a->kmsctl('key', 'unseal', '--passphrase-file', $file{wrong})->{err}, qr/too busy|Wait as long as the host/, 'and not that the host is busy');
    done('key', 'seal', '--passphrase', '--current-file', $file{right}, '--passphrase-file', $file{other});
    failed('KMS_E_PASSPHRASE', qr/wrong passphrase/, 'key', 'unseal', '--passphrase-file', $file{right});
    done('key', 'unseal', '--passphrase-file', $file{other});
    is(-s $key, 88, 'plain again');
    done('key', 'seal', '--passphrase', '--passphrase-file', $file{right});
    serves('pc', 'renew', 'and serves on');
    is($a->stop, 0, 'stopped');
};

subtest 'a locked start' => sub {
    $a->start;
    ok(service()->{locked}, 'locked');
    like($a->kmsctl('status')->{out}, qr/locked.*kmsctl unlock/, 'status says what to do');
    is(service()->{host_id}, $id, 'it knows who it is');
    my $r = client('pc', 'renew');
    is("$r->{exit} $r->{status}", '2 KMS_E_LOCKED', 'a client is told that it is locked') or diag($r->{text});
    is($r->{'retry-after'}, 30, 'and when to ask again');
    is(client('pc', 'verify')->{exit}, 0, 'its lease is good');
    is(client('new', 'activate')->{status}, 'KMS_E_LOCKED', 'so is a new one');
    failed('KMS_E_LOCKED', qr/kmsctl unlock/, @$_) for [ 'key', 'show' ], [ 'key', 'seal', '--none' ], [ 'policy', 'show' ],
        [ 'client', 'revoke', 'pc' ];
    is($a->kmsctl('clients')->{exit}, 0, 'clients shows what is on disk');
    failed('KMS_E_PASSPHRASE', qr/wrong passphrase/, 'unlock', '--passphrase-file', $file{wrong});
    ok(service()->{locked}, 'still locked');
    done('unlock', '--passphrase-file', $file{right});
    ok(!service()->{locked}, 'unlocked');
    serves('pc', 'renew', 'it serves its client');
    serves('new', 'activate', 'and the new one');
    is(done('unlock', '--passphrase-file', $file{right})->{out}, "The host is not locked.\n", 'once is enough');
    like($a->log, qr/^kmsd-activate\[\d+\]: host-locked: .*^kmsd-activate\[\d+\]: host-unlocked: /ms, 'the log has both');
    is($a->stop, 0, 'stopped');
    is($a->kmsctl('ledger', 'check')->{exit}, 0, 'the ledger is in order');
    $a->start;
    is($a->stop, 0, 'a locked host stops as well');
    is($a->kmsctl('ledger', 'check')->{exit}, 0, 'and its ledger is in order');
};

subtest 'by a file' => sub {
    keys_ini("passphrase_file = $file{wrong}");
    $a->start;
    ok(service()->{locked}, 'a wrong one: locked');
    like($a->log, qr/host-locked: the passphrase from kms\.ini \(\[keys\]\) is wrong/, 'and the log says so');
    is($a->stop, 0, 'stopped');
    keys_ini("passphrase_file = $file{right}");
    $a->start;
    ok(!service()->{locked}, 'the right one: not locked');
    serves('pc', 'renew', 'and serves');
    is($a->stop, 0, 'stopped');
    keys_ini("passphrase_file = $dir/other/none");
    refused(69, qr/start-failed: \[keys\] passphrase_file: .*No such file/, 'a missing file');
    chmod 0644, $file{right};
    keys_ini("passphrase_file = $file{right}");
    refused(69, qr/start-failed: \[keys\] passphrase_file: .*chmod 600/, 'a file that others can read');
    chmod 0600, $file{right};
    keys_ini("passphrase_file = $dir/other");
    refused(69, qr/passphrase_file: .*not a regular file/, 'a directory');
    keys_ini("passphrase_file = $dir/other/empty");
    refused(69, qr/passphrase-refused: .*is empty/, 'an empty one');
    spew("$dir/other/long", 'x' x 1025);
    chmod 0600, "$dir/other/long";
    keys_ini("passphrase_file = $dir/other/long");
    refused(69, qr/passphrase-refused: .*is too long/, 'one that is too long');
};

subtest 'by a credential' => sub {
    keys_ini('passphrase_credential = right');
    refused(69, qr/systemd gave no credentials/, 'no credentials');
    refused(69, qr/passphrase_credential: .*No such file/, 'another credential', CREDENTIALS_DIRECTORY => $dir);
    local $ENV{CREDENTIALS_DIRECTORY} = "$dir/other";
    $a->start;
    ok(!service()->{locked}, 'given: not locked');
    unlike(slurp("/proc/$_/environ"), qr/CREDENTIALS/, 'and not in a child\'s environment')
        for map { @$_ } values %{ $a->children };
    done('key', 'unseal', '--passphrase-file', $file{right});
    is($a->stop, 0, 'stopped');
    keys_ini('passphrase_credential = ../right');
    refused(1, qr/name of a credential/, 'a path');
    keys_ini('passphrase_credential = right', "passphrase_file = $file{right}");
    refused(1, qr/only one may be given/, 'two of them');
};

subtest 'by the machine' => sub {
    keys_ini("machine_file = $dir/state/machine.key");
    refused(69, qr/machine_file: .*in the state directory/, 'a file in the state directory');
    keys_ini("machine_file = $dir/none/machine.key");
    refused(69, qr/machine_file: .*No such file/, 'no directory');
    my $machine = "$dir/other/machine.key";
    keys_ini("machine_file = $machine");
    $a->start;
    like($a->log, qr/^kmsd\[\d+\]: machine-file-made: \Q$machine\E/m, 'the file is made');
    is((stat $machine)[2] & 07777, 0600, 'mode 0600');
    is((stat $machine)[4], $>, 'its owner is who starts kmsd');
    is(service()->{key_sealed}, 'no', 'the key that was there is as it was');
    done('key', 'seal', '--machine');
    is($a->stop, 0, 'stopped');
    my $text = slurp($machine);
    $a->start;
    is(slurp($machine), $text, 'the file stays');
    my $service = service();
    is("$service->{key_sealed} $service->{locked} $service->{host_id}", "machine 0 $id", 'it starts by itself')
        or diag(explain($service));
    serves('pc', 'renew', 'and serves');
    is($a->stop, 0, 'stopped');

    chmod 0640, $machine;
    refused(69, qr/machine_file: .*chmod 600/, 'a file that others can read');
    chmod 0600, $machine;
    spew($machine, substr($text, 0, -2) . "\n");
    refused(69, qr/machine-file-refused: /, 'a file cut short');
    spew($machine, $text . 'x');
    refused(69, qr/machine-file-refused: /, 'a file with something after it');
    spew($machine, $text =~ s/key 1/key 2/r);
    refused(69, qr/machine-file-refused: /, 'a file of a later version');
    rename $machine, "$machine.kept";
    refused(70, qr/host-key-refused: .*another machine file/, 'another machine');
    rename "$machine.kept", $machine;
    spew($machine, $text);
    spew($a->ini, $plain_ini);
    refused(70, qr/host-key-refused: .*machine_file/, 'no machine file in kms.ini');
    keys_ini("machine_file = $machine");
    my $good = slurp($key);
    my $bad = $good;
    substr($bad, 150, 1) ^.= "\x01";
    spew($key, $bad);
    refused(70, qr/host-key-refused: .*restore it from a backup/, 'a damaged host.key');
    spew($key, $good);
    $a->start;
    serves('pc', 'renew', 'all in order again: serves');
    is($a->stop, 0, 'stopped');
};

subtest 'sealed from the first octet' => sub {
    my $b_dir = workspace();
    my $pass = spew("$b_dir/pass", "from the start\n");
    chmod 0600, $pass;
    my $b = start_appliance(publisher => $publisher, fronts => 1, dir => $b_dir, ini => "[keys]\npassphrase_file = $pass\n");
    is(($b->kmsctl_json('status'))[0]{service}{key_sealed}, 'passphrase', 'a new host seals its key with what kms.ini names');
    is(-s "$b_dir/state/keys/host.key", 184, 'on disk too');
    is($b->stop, 0, 'stopped');
    $b->start;
    is(($b->kmsctl_json('status'))[0]{service}{locked}, JSON::PP::false, 'and opens it with that');
    is($b->stop, 0, 'stopped');
};
done_testing;
