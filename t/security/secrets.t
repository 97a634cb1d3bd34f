#!/usr/bin/perl
# The host's secrets are where they belong and nowhere else. The test makes the keys itself, so that it knows them (and by
# them the exchange key that kmsd makes), and searches for them: in the memory of the fronts and of kmsd, in the log, the
# journal, the index, and a backup of the state directory without keys/. Each kind of search is shown to find what it looks
# for where it is. What becomes of an exchange key later is t/security/exchange_secret.t's.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Digest::SHA qw(sha256 sha512);
use KMS::Memory;
use KMS::Test;
use Test::More;

my $root = $> == 0;
diag('AS A PLAIN USER: the memory of the confined processes cannot be read, which is tested; it is not searched') if !$root;

sub random_octets ($n) {
    open my $fh, '<:raw', '/dev/urandom' or die $!;
    read($fh, my $octets, $n) == $n or die $!;
    return $octets;
}

my $seed = random_octets(32);
my $passphrase = 'Zwölf Boxkämpfer ' . unpack 'H*', random_octets(12);
my $expanded = sha512($seed);    # what Ed25519 signs with
my $scalar = substr $expanded, 0, 32;
substr($scalar, 0, 1) = chr(ord(substr $scalar, 0, 1) & 0xf8);
substr($scalar, 31, 1) = chr(ord(substr $scalar, 31, 1) & 0x7f | 0x40);
my %keys = ('signing seed' => $seed, 'signing scalar' => $scalar, 'signing nonce key' => substr($expanded, 32));
my %all = (%keys, passphrase => $passphrase);

# A host whose keys we know.
my $dir = workspace();
my $file = pack('a8 C C x6 Q> a32', 'KMSHOSTK', 2, 0, time, $seed);
mkdir "$dir/$_", 0700 or die "$dir/$_: $!" for qw(state state/keys other);
spew("$dir/state/keys/host.key", $file . sha256($file));
chmod 0600, "$dir/state/keys/host.key";
if ($root) {
    my ($uid, $gid) = (getpwnam 'nobody')[ 2, 3 ];
    chown $uid, $gid, "$dir/state", "$dir/state/keys", "$dir/state/keys/host.key";
}
spew("$dir/other/passphrase", "$passphrase\n");
my $publisher = publisher(products => [ { name => 'Writer', id => '11111111-1111-4111-8111-111111111111', threshold => 1,
    group => 'client', pool => 'desktops' } ]);
my $a = start_appliance(publisher => $publisher, dir => $dir, ini => "[keys]\nmachine_file = $dir/other/machine.key\n");
$a->enable(group => 'client');
# The one secret that kmsd makes, by the keys that the test made.
my $exchange = json_of(run([ '/usr/bin/python3', "$SRC/t/security/recorded.py", 'keys', "$dir/state" ]))->{keys}[0];
$all{'exchange secret'} = pack 'H*', $exchange->{secret};
my $clients = 0;

sub work () {
    for (1 .. 3) {
        my $r = $a->client('pc-' . ++$clients, 'activate');
        $r->{exit} == 0 or die $r->{out} . $r->{err} . $a->log;
    }
    $a->do('clients');    # the index has it all
}

sub sealed () { return ($a->kmsctl_json('status'))[0]{service} }

# Everything outside kmsd-activate and keys/.
sub everything_is_clean ($needles, $when) {
    my $children = $a->children;
    memory_is_clean($a->pid, $needles, "kmsd, $when");
    cmp_ok(scalar @{ $children->{'kmsd-front'} }, '==', 2, 'two fronts');
    memory_is_clean($_, $needles, "a front, $when") for @{ $children->{'kmsd-front'} };
    is(join(' ', found_in($needles, $a->log)), '', "the log, $when: nothing in it");
    cmp_ok(length $a->log, '>', 500, 'and there is a log');
    my $backup = workspace() . '/backup';
    system('cp', '-a', "$dir/state", $backup) == 0 or die 'cp';
    ok(-d "$backup/keys", 'the backup has keys/');
    system('rm', '-r', "$backup/keys") == 0 or die 'rm';
    ok((grep { m{/journal/} } files_below($backup)) && (grep { m{/index/} } files_below($backup)), 'journal and index are in it');
    files_are_clean($backup, $needles, "backup without keys/, $when");
}

my $needles = needles(%all);
work();
subtest 'the search finds what is there' => sub {
    my %there = map { $_ => 1 } found_in($needles, slurp("$dir/state/keys/host.key"));
    ok($there{"$_ (first half)"} && $there{"$_ (second half)"}, "a plain host.key has the $_") for 'signing seed';
    # A process that has them: another perl, given them through a pipe, that says when it has.
    my $pid = open(my $back, '-|') // die "fork: $!";
    if ($pid == 0) {
        my $held = join '', map { $all{$_} } sort keys %all;
        syswrite STDOUT, "ready\n";
        sleep 60;
        exit length $held;
    }
    is(scalar <$back>, "ready\n", 'a process holds the secrets');
    my %seen = map { $_ => 1 } in_memory($pid, $needles);
    ok($seen{"$_ (first half)"} && $seen{"$_ (second half)"}, "the $_ is found in its memory") for sort keys %all;
    kill 'KILL', $pid;
    close $back;
    return if !$root;
    my ($activate) = @{ $a->children->{'kmsd-activate'} };
    %seen = map { $_ => 1 } in_memory($activate, $needles);
    ok($seen{"$_ (first half)"} && $seen{"$_ (second half)"}, "kmsd-activate has the $_, and the search sees its guarded pages")
        for 'signing seed', 'exchange secret';
};
subtest 'plain' => sub {
    is(sealed()->{key_sealed}, 'no', 'status says so');
    everything_is_clean($needles, 'plain');
};

my @with = ('--passphrase-file', "$dir/other/passphrase");
subtest 'sealed with a passphrase' => sub {
    my $id = sealed()->{host_id};
    $a->do('key', 'seal', '--passphrase', @with);
    is(sealed()->{key_sealed}, 'passphrase', 'status says so');
    files_are_clean("$dir/state", $needles, 'the whole state directory, keys/ too');
    work();
    everything_is_clean($needles, 'sealed while it ran');
    my ($activate) = @{ $a->children->{'kmsd-activate'} };
    my $only = needles(passphrase => $passphrase);
    is(join(' ', in_memory($activate, $only)), '', 'not even kmsd-activate keeps the passphrase') if $root;

    is($a->stop, 0, 'stopped');
    $a->start;
    ok(sealed()->{locked}, 'started again it is locked');
    is(sealed()->{host_id}, $id, 'and knows who it is');
    ($activate) = @{ $a->children->{'kmsd-activate'} };
    is(join(' ', in_memory($activate, $needles)), '', 'kmsd-activate has no secret in its memory while it is locked') if $root;
    $a->do('unlock', @with);
    work();
    everything_is_clean($needles, 'unlocked by hand');
    is(join(' ', in_memory($activate, $only)), '', 'kmsd-activate has forgotten the passphrase') if $root;
    is($a->stop, 0, 'stopped');
};

subtest 'the passphrase from a file' => sub {
    chmod 0600, "$dir/other/passphrase";
    my $ini = slurp($a->ini);
    spew($a->ini, $ini =~ s/^\[keys\]\n/[keys]\npassphrase_file = $dir\/other\/passphrase\n/mr);
    $a->start;
    ok(!sealed()->{locked}, 'not locked');
    work();
    everything_is_clean($needles, 'unlocked by a file');
    my ($activate) = @{ $a->children->{'kmsd-activate'} };
    is(join(' ', in_memory($activate, needles(passphrase => $passphrase))), '', 'kmsd-activate has forgotten the passphrase') if $root;
    is($a->stop, 0, 'stopped');
    spew($a->ini, $ini);
    $a->start;
    $a->do('unlock', @with);
};

subtest 'bound to the machine' => sub {
    my $machine = slurp("$dir/other/machine.key");
    is((stat "$dir/other/machine.key")[2] & 07777, 0600, 'the machine file is its owner\'s alone');
    my ($digits) = $machine =~ /\AKMS machine key 1\n([0-9a-f]{64})\n\z/ or die $machine;
    my $with_machine = needles(%all, 'machine secret' => pack 'H*', $digits);
    $a->do('key', 'seal', '--machine', '--current-file', "$dir/other/passphrase");
    is($a->stop, 0, 'stopped');
    $a->start;
    is(sealed()->{key_sealed}, 'machine', 'status says so');
    ok(!sealed()->{locked}, 'and it starts by itself');
    work();
    files_are_clean("$dir/state", $with_machine, 'the whole state directory, keys/ too');
    everything_is_clean($with_machine, 'bound to the machine');
};

subtest 'no core' => sub {
    my $children = $a->children;
    my ($activate) = @{ $children->{'kmsd-activate'} };
    for my $pid ($activate, @{ $children->{'kmsd-front'} }) {
        like(slurp("/proc/$pid/limits"), qr/^Max core file size\s+0\s+0\s/m, "process $pid: limit of core files 0, soft and hard");
        # The kernel gives /proc/PID of what is not dumpable to root.
        is((stat "/proc/$pid/maps")[4], 0, "process $pid is not dumpable");
        isnt((slurp("/proc/$pid/status") =~ /^Uid:\s+(\d+)/m)[0], 0, '(and is not root\'s)') if $root;
    }
    my @before = glob "core* $dir/core* $dir/state/core* /core*";
    kill 'ABRT', $activate;
    is(wait_exit($a->pid, 30) >> 8, 70, 'ended by a signal that leaves cores; kmsd says so');
    like($a->log, qr/activate-died: kmsd-activate: signal 6/, 'by that signal');
    is_deeply([ glob "core* $dir/core* $dir/state/core* /core*" ], \@before, 'no core file came to be');
    unlike(`dmesg 2>/dev/null | tail -50`, qr/core dump.*kmsd-activate/, 'nor does the kernel speak of one');
    $a->start;
    ok(!sealed()->{locked}, 'it starts again');
    is($a->stop, 0, 'and stops');
};
done_testing;
