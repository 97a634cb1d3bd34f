#!/usr/bin/perl
# What was recorded from the network cannot be read any more once the host's exchange key has ended. Somebody records
# requests and gets all of the host later: its memory, its disk, its backup. While the key is in use that opens them, which
# is shown first; a second after the overlap nothing does: the old secret, and the session keys made of it, are nowhere, and
# none of the octets that are left is a key. Clients notice nothing but one HELLO: requests that were sent before the
# rotation are answered, and the first contact under a new key costs the host one key agreement.
# The clock of all processes is the test's (KMS::Clock): days pass at once.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Clock;
use KMS::Memory;
use KMS::Recorder;
use KMS::Sealer;
use KMS::Test;
use MIME::Base64 qw(decode_base64);
use Test::More;

use constant { HELLO => 1, REQUEST => 3, LATE => 12 };

my $root = $> == 0;
# A mount namespace, which leaves nothing behind.
if ($root && !$ENV{KMS_TEST_NAMESPACE}) {
    $ENV{KMS_TEST_NAMESPACE} = 1;
    exec 'unshare', '--mount', $^X, $0 or die "unshare: $!\n";
}
diag('AS A PLAIN USER: the memory of the confined processes cannot be read; it is not searched') if !$root;

# The appliance has a disk of its own, when the machine lets us: what files have been can be searched too.
my $dir = workspace();
my $image = workspace() . '/disk';
sub make_disk () {
    local $ENV{PATH} = "$ENV{PATH}:/usr/sbin:/sbin";
    spew($image, '');
    truncate $image, 2**30 or die "$image: $!\n";
    my $r = run([ 'sh', '-c', 'mkfs.ext4 -q "$1" && mount -o loop "$1" "$2"', 'sh', $image, $dir ]);
    return 1 if $r->{exit} == 0;
    diag("the disk below the files is not searched: $r->{err}");
    return 0;
}
my $disk = $root && make_disk();
END { system 'umount', '-l', $dir if $disk }

my $clock = KMS::Clock->start;
my $publisher = publisher(products => [ { name => 'Writer', id => '11111111-1111-4111-8111-111111111111', threshold => 1,
    group => 'client', pool => 'desktops' } ]);
my $a = start_appliance(publisher => $publisher, dir => $dir, environment => $clock->environment, ini => "[keys]\nexchange_rotation = 1d\n");
$a->enable(group => 'client');
my $state = "$dir/state";
my $network = KMS::Recorder->start("$dir/run/port");

# What somebody has who recorded and broke in.
sub recorded (@args) {
    my $r = run([ '/usr/bin/python3', "$SRC/t/security/recorded.py", @args ]);
    return $r->{exit} == 0 ? json_of($r) : undef;
}
# Undefined while kmsd replaces the file.
sub keys_of_host () { return recorded('keys', $state) }
sub key_in_file ($id) { my $k = keys_of_host() // return undef; return scalar grep { $_->{id} eq $id } @{ $k->{keys} } }

sub misses () { return ($a->kmsctl_json('status'))[0]{service}{session_misses} }
sub misses_of ($what) {
    my $before = misses();
    my @got = $what->();
    return (misses() - $before, @got);
}

# A real client, through the recorder: its result, and the types of its frames.
sub client ($name, $verb) {
    my $r = run([ program('kmsclient'), '--publisher-key', $publisher->{key}, '--product', $publisher->{products}[0]{id},
        '--state', "$dir/clients/$name", '--host', '127.0.0.1:' . $network->port, '--name', $name, $verb ]);
    my @frames = $network->sent;
    return ($r, join(' ', map { frame_type($_) } @frames), @frames);
}

# A client that says nothing by itself: its frame is sent as often as the test likes.
sub look_at_host () {
    my $hello = pack('a4 C C n N', 'KMSD', 2, HELLO, 0, 8) . substr decode_base64($publisher->{key}), 2, 8;
    my ($answer) = exchange_frames($a->port, $hello);
    my ($id, $said) = sealer_host(substr $answer, 12);
    is($said, 'ok', 'the host states its exchange key');
    return $id;
}
sub seal ($number, %fields) {
    return sealer_frame($number, "product=$publisher->{products}[0]{id}", map { "$_=$fields{$_}" } sort keys %fields);
}
sub answers ($key, @frames) {
    my @answers = exchange_frames($a->port, @frames);
    return map { recorded('reply', unpack('H*', $frames[$_]), $key->{secret}, unpack 'H*', $answers[$_]) // {} } keys @frames;
}
sub answer ($frame, $key) { return (answers($key, $frame))[0] }

# What must not be found: the secret, where the file had it, and the session keys of what was recorded.
sub needles_of ($key, %frames) {
    my %secret = ('exchange secret' => pack('H*', $key->{secret}), 'sealed exchange secret' => pack 'H*', $key->{sealed});
    for my $which (sort keys %frames) {
        my $session = recorded('session', unpack('H*', $frames{$which}), $key->{secret});
        $secret{"$_ key of $which"} = pack 'H*', $session->{$_} for qw(shared to_client to_host);
    }
    return needles(%secret);
}

my $tries = 0;

# All octets that are left, tried as every kind of key. Memory's keys are aligned, as its fields are.
sub attack ($frame, $key, %opt) {
    my $loot = workspace();
    spew("$loot/frame", $frame);
    my $k = wait_for(30, sub { keys_of_host() }, 'exchange.key is read');
    spew("$loot/opened", pack 'H*', $k->{text});
    my @try = (recorded('open', 1, "$loot/frame", $key->{public}, "$loot/opened", glob "$state/keys/*"));
    if ($root && $opt{memory}) {
        my ($activate) = @{ $a->children->{'kmsd-activate'} };
        is(dump_memory($activate, "$loot/memory"), undef, "kmsd-activate's memory is read");
        push @try, recorded('open', 8, "$loot/frame", $key->{public}, "$loot/memory");
    }
    $tries += $_->{tried} for @try;
    return map { $_->{opened} // 'closed' } @try;
}

sub on_disk ($needles) {
    system('sync', '-f', $state) == 0 or die "sync: $?\n";
    return join ' ', in_disk($image, $needles);
}

sub everything_is_clean ($needles, $when) {
    if ($root) {
        my $children = $a->children;
        memory_is_clean($a->pid, $needles, "kmsd, $when");
        memory_is_clean($_, $needles, "a front, $when") for @{ $children->{'kmsd-front'} };
        memory_is_clean($_, $needles, "kmsd-activate, $when") for @{ $children->{'kmsd-activate'} };
    }
    is(join(' ', found_in($needles, $a->log)), '', "the log, $when: nothing in it");
    files_are_clean($state, $needles, "the state directory, $when");
    is(on_disk($needles), '', "the disk below it, $when: nothing") if $disk;
    my $copy = workspace() . '/copy';
    $a->do('ledger', 'backup', $copy);
    files_are_clean($copy, $needles, "a backup, $when");
}

# The octets of a file that somebody holds open, or that the disk still has, are gone too.
sub is_overwritten ($fh, $what) {
    my $octets;
    ok(eval {
        wait_for(30, sub {
            sysseek $fh, 0, 0;
            sysread $fh, $octets, 4096;
            return $octets =~ /\A\0+\z/;
        }, $what);
    }, $what);
}
sub held () { open my $fh, '<:raw', "$state/keys/exchange.key" or die "exchange.key: $!\n"; return $fh }

my $first = wait_for(30, sub { keys_of_host() }, 'the first key')->{keys}[0];
my (%frames, $needles);

subtest 'the key in use' => sub {
    for my $name (qw(pc stale)) {
        my ($r, $types, @sent) = client($name, 'activate');
        is($r->{exit}, 0, "$name is activated") or diag($r->{out} . $r->{err} . $a->log);
        is($types, HELLO . ' ' . REQUEST, 'with a HELLO and a REQUEST, which are recorded');
        $frames{$name} = $sent[1];
    }
    look_at_host();
    $frames{sealer} = seal(1, name => 'sealer');
    is(answer($frames{sealer}, $first)->{status}, 'KMS_OK', 'another client is activated');
    $needles = needles_of($first, %frames);
    # What the search must be able to find, and all attacks open what was recorded.
    my %there = map { $_ => 1 } found_in($needles, slurp("$state/keys/exchange.key"));
    ok($there{'sealed exchange secret (first half)'}, 'the search finds the sealed secret in its file');
    like(on_disk($needles), qr/sealed exchange secret \(first half\)/, 'and on the disk') if $disk;
    if ($root) {
        %there = map { $_ => 1 } in_memory($a->children->{'kmsd-activate'}[0], $needles);
        ok($there{"$_ (first half)"} && $there{"$_ (second half)"}, "and in memory: $_")
            for 'exchange secret', map { "to_host key of $_" } sort keys %frames;
    }
    for my $which (sort keys %frames) {
        my ($files, $memory) = attack($frames{$which}, $first, memory => 1);
        is($files, 'exchange secret', "now the recorded request of $which opens with what is on the disk");
        isnt($memory, 'closed', 'and with what is in memory: ' . $memory) if $root;
    }
    memory_is_clean($_, $needles, 'a front, the key in use') for $root ? @{ $a->children->{'kmsd-front'} } : ();
    memory_is_clean($a->pid, $needles, 'kmsd, the key in use') if $root;
    is(join(' ', found_in($needles, $a->log)), '', 'the log: nothing in it');
};

my $old_file = held();
my $second;

subtest 'a rotation' => sub {
    $clock->to($first->{until} - 60);
    my $before = seal(2, name => 'repeats');
    my $lease = answer($before, $first);
    is($lease->{status}, 'KMS_OK', 'a request before the rotation');
    $frames{repeats} = $before;
    my ($cost, $r, $types) = misses_of(sub { client('pc', 'renew') });
    is($r->{exit}, 0, 'a client renews');
    is($types, REQUEST, 'without a HELLO');
    is($cost, 0, 'and without a key agreement');

    $clock->to($first->{until} + 1);
    $second = wait_for(30, sub { my $k = keys_of_host(); $k && @{ $k->{keys} } == 2 ? $k->{keys}[0] : undef }, 'a new key');
    isnt($second->{id}, $first->{id}, 'the host has a new key');
    is_overwritten($old_file, 'the old file is overwritten');
    $old_file = held();

    ($cost, my $again) = misses_of(sub { answer($before, $first) });
    is_deeply($again, $lease, 'the request repeated, the same octets, gets the same lease');
    is($cost, 0, 'without a key agreement');
    ($cost, $r, $types) = misses_of(sub { $clock->late(120, sub { client('pc', 'renew') }) });
    is($r->{exit}, 0, 'a client whose clock is late renews') or diag($r->{out} . $r->{err});
    is($types, REQUEST, 'under the key that it has');
    ($cost, $r, $types) = misses_of(sub { client('pc', 'renew') });
    is($r->{exit}, 0, 'a client renews across the rotation') or diag($r->{out} . $r->{err});
    is($types, HELLO . ' ' . REQUEST, 'with one HELLO more');
    is($cost, 1, 'for one key agreement');
    ($cost, $r, $types) = misses_of(sub { client('pc', 'renew') });
    is($r->{exit}, 0, 'and renews again');
    is($types, REQUEST, 'without a HELLO');
    is($cost, 0, 'for none');
    look_at_host();
    for my $expected (1, 0) {
        my $sequence = 3 - $expected;
        ($cost, my $got) = misses_of(sub { answer(seal(2, name => 'repeats', sequence => $sequence), $second) });
        is($got->{status}, 'KMS_OK', 'another client');
        is($cost, $expected, "costs $expected key agreements");
    }
    my ($files) = attack($frames{pc}, $first);
    is($files, 'exchange secret', 'during the overlap the old secret is still there');
};

my $now = $second;

subtest 'after the overlap' => sub {
    # The last that the host does before the end, some in one batch: nothing comes after it that would overwrite its memory.
    sealer('host ' . unpack('H*', look_at_host()) . " $first->{public}");
    $frames{"late $_"} = seal(10 + $_, name => "late-$_") for 1 .. LATE;
    is_deeply([ map { $_->{status} } answers($first, map { $frames{"late $_"} } 1 .. LATE) ], [ ('KMS_OK') x LATE ],
        'requests under the old key to its last moment');
    %$needles = (%$needles, %{ needles_of($first, %frames) });
    # The file has had it in two places.
    my ($moved) = grep { $_->{id} eq $first->{id} } @{ keys_of_host()->{keys} };
    %$needles = (%$needles, %{ needles('moved sealed secret' => pack 'H*', $moved->{sealed}) });
    $clock->to($first->{ends} + 1);
    wait_for(30, sub { my $has = key_in_file($first->{id}); defined $has && !$has }, 'the old key is destroyed');
    is_overwritten($old_file, 'the file of the overlap is overwritten');
    everything_is_clean($needles, 'after the overlap');
    $tries = 0;
    for my $which (sort keys %frames) {
        is(answer($frames{$which}, $first)->{status}, 'KMS_E_UNKNOWN_KEY', "$which: the host does not know the key");
        my @ways = attack($frames{$which}, $first, memory => $which eq 'sealer');
        is("@ways", join(' ', ('closed') x @ways), 'and none of what is left opens what was recorded');
    }
    cmp_ok($tries, '>', 500, "$tries keys were tried");
    $needles = needles_of($first, %frames);
    everything_is_clean($needles, 'after it was sent again');

    my ($cost, $r, $types) = misses_of(sub { client('stale', 'renew') });
    is($r->{exit}, 0, 'a client with the old statement is served in one call') or diag($r->{out} . $r->{err});
    is($types, HELLO . ' ' . REQUEST, 'with one HELLO');
    is($cost, 1, 'and one key agreement');
};

subtest 'a host that was off when it ended' => sub {
    $now = wait_for(30, sub { keys_of_host() }, 'a key')->{keys}[0];
    look_at_host();
    my %sent = (off => seal(3, name => 'off'));
    is(answer($sent{off}, $now)->{status}, 'KMS_OK', 'a request');
    is((attack($sent{off}, $now))[0], 'exchange secret', 'opens with what is on the disk');
    my $held = held();
    is($a->stop, 0, 'kmsd stops');
    $clock->to($now->{ends} + 1);
    $a->start;
    is(key_in_file($now->{id}), 0, 'started again it has another key');
    is_overwritten($held, 'the file is overwritten');
    is(answer($sent{off}, $now)->{status}, 'KMS_E_UNKNOWN_KEY', 'the host does not know the old one');
    is(join(' ', attack($sent{off}, $now, memory => 1)), $root ? 'closed closed' : 'closed', 'nothing opens what was recorded');
    everything_is_clean(needles_of($now, %sent), 'after a start');
};

subtest 'a damaged file is not kept' => sub {
    $now = wait_for(30, sub { keys_of_host() }, 'a key')->{keys}[0];
    look_at_host();
    my %sent = (damaged => seal(4, name => 'damaged'));
    is(answer($sent{damaged}, $now)->{status}, 'KMS_OK', 'a request');
    is((client('pc', 'renew'))[0]{exit}, 0, 'a client has the statement of the key');
    my $held = held();
    is($a->stop, 0, 'kmsd stops');
    # Its last octet, of the digest: the secret is as good as before.
    open my $fh, '+<:raw', "$state/keys/exchange.key" or die $!;
    sysseek $fh, -1, 2;
    sysread $fh, my $last, 1;
    sysseek $fh, -1, 2;
    syswrite $fh, $last ^. "\x01";
    close $fh;
    $a->start;
    is(key_in_file($now->{id}), 0, 'another key is made');
    is_overwritten($held, 'the damaged file is overwritten');
    is(answer($sent{damaged}, $now)->{status}, 'KMS_E_UNKNOWN_KEY', 'the host does not know the old one');
    everything_is_clean(needles_of($now, %sent), 'after the damage');
    # Its statement has not ended, so it learns by the host's answer that the key is no more.
    my ($cost, $r, $types) = misses_of(sub { client('pc', 'renew') });
    is($r->{exit}, 0, 'the client is served in one call') or diag($r->{out} . $r->{err});
    is($types, REQUEST . ' ' . HELLO . ' ' . REQUEST, 'which takes a refused request and one HELLO');
    is($cost, 1, 'and one key agreement');
};
is($a->kmsctl('ledger', 'check')->{exit}, 0, 'the ledger is sound');
is($a->stop, 0, 'kmsd stops');
done_testing;
