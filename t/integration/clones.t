#!/usr/bin/perl
# Who holds a client's key: challenge and echo, holds, bindings, each by the rules of a policy pack. The clients are written here, and
# behave as kms-protocol(7) says: each new request has a higher number and an id of its own, and a challenge is echoed until a request is
# served.
use v5.36;
use Digest::SHA qw(sha256);
use FindBin;
use IO::Socket::INET;
use List::Util qw(max);
use lib "$FindBin::Bin/../lib";
use KMS::Asker qw(answer journal tlv);
use KMS::Clock;
use KMS::Sealer;
use KMS::Test;
use Test::More;

use constant { HELLO => 1, ACTIVATE => 1, RENEW => 2, RELEASE => 3, LEASE => 1, SEEN => 2, REFUSAL => 4, HOLD => 36, COUNTERS => 40 };
use constant { OK => 0, TOO_LOW => 1, KEY_INVALID => 6, TIME_SKEW => 9, CLONE => 11, SEQUENCE => 12, REVOKED => 13, BINDING => 26 };
use constant { MARK_CLONE => 2, CAUGHT_UP => 4, BOUND_OTHER => 0x80 };
use constant { ECHO => 3, TLV_BINDING => 4, AFTER => 7 };
use constant { HOUR => 3600, DAY => 86400 };

my $clock = KMS::Clock->start;
my %id = map { $_->[0] => "eeeeeeee-0000-4000-8000-00000000000$_->[1]" }
    [ refuse => 1 ], [ flag => 2 ], [ allow => 3 ], [ marked => 4 ], [ strict => 5 ], [ many => 6 ];
my %keys = (
    refuse => "threshold = 1\nclones = refuse\nclone-hold = 2h", flag => "threshold = 1\nclones = flag", allow => "threshold = 1\nclones = allow",
    marked => "threshold = 1\nbind = machine", strict => "threshold = 1\nbind = machine\nbind-change = refuse", many => 'threshold = 3',
);
my $ini = "[policy]\nid = p\ntitle = P\nversion = 1.0\nissued = 2026-01-01\nrequires-host = 0.1\n[group g]\n"
    . join '', map { "[pool $_]\nnumber = " . substr($id{$_}, -1) . "\n[product $id{$_}]\nname = Product $_\ngroup = g\npool = $_\n$keys{$_}\n" } sort keys %id;
my $publisher = publisher(ini => $ini, products => [ { id => $id{refuse} } ]);
my $a = start_appliance(publisher => $publisher, fronts => 1, environment => $clock->environment)->enable(group => 'g');

# -- frames --

# Another address is another machine, or somebody who has recorded what a client sent.
sub dial ($from = '127.0.0.1') {
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $a->port, LocalAddr => $from) || die "connect: $@";
}
sub meet () {
    my $s = dial();
    syswrite $s, pack 'a4 C C n N x8', 'KMSD', 2, HELLO, 0, 8;
    is((sealer_host(substr answer($s), 12))[1], 'ok', 'the host is known');
}

# Sends a frame, and reads the REPLY for that client.
sub sent ($key, $frame, $from = '127.0.0.1') {
    my $s = dial($from);
    syswrite $s, $frame;
    my ($hex) = sealer("read $key " . unpack 'H*', answer($s)) =~ /^text (\S+)/ or die 'no reply';
    my $text = pack 'H*', $hex;
    my %r = (status => unpack('N', $text), count => unpack 'N', substr $text, 32, 4);
    my $n = unpack 'N', substr $text, 48, 4;
    $r{lease} = substr $text, 52, $n if $n;
    my $tail = substr $text, 52 + $n;
    while (length $tail) {
        my ($type, $value, $rest) = unpack 'n n/a* a*', $tail;
        ($r{ [ undef, qw(highest retry challenge show) ]->[$type] }, $tail) = ($value, $rest);
    }
    $r{highest} = unpack 'Q>', $r{highest} if $r{highest};
    $r{retry} = unpack 'N', $r{retry} if $r{retry};
    return \%r;
}

# -- clients --

my $clients = 10;
sub client ($product, %more) {
    return { key => ++$clients, product => $product, name => "pc-$clients", from => '127.0.0.1', number => 0, echo => '', after => "\0" x 16, %more };
}
sub copy ($c, %more) { return { %$c, %more } }

# The frame of the client's request as it is now, with what is in %o otherwise.
sub frame ($c, %o) {
    my %t = (%$c, operation => ACTIVATE, id => $c->{id}, time => $clock->now, %o);
    my $tail = ($t{echo} ne '' ? tlv(ECHO, $t{echo}) : '') . ($t{binding} ? tlv(TLV_BINDING, $t{binding}) : '')
        . (defined $t{after} ? tlv(AFTER, $t{after}) : '');
    my $text = pack 'C C n N a16 Q> Q> H32 a16 C x7 a64 a*', $t{operation}, 0, 0, 0, $t{id}, $t{time}, $t{number},
        $id{ $t{product} } =~ tr/-//dr, "salt $t{key}", 2, $t{name}, $tail;
    return sealer_frame($t{key}, 'text=' . unpack 'H*', $text);
}
my $ids = 0;
sub fresh ($c, $number) { @$c{qw(number id)} = ($number, pack 'a16', 'request ' . ++$ids) }

# One request, as the client keeps it: the answer, and what was sent.
sub request ($c, %o) {
    my $frame = frame($c, %o);
    my $r = sent($c->{key}, $frame, $c->{from});
    $r->{frame} = $frame;
    if ($r->{status} == OK || $r->{status} == TOO_LOW) {
        $c->{echo} = '';
        $c->{after} = $c->{id} if defined $c->{after};
    }
    return $r if $r->{status} != SEQUENCE;
    $c->{echo} = $r->{challenge} // '';
    fresh($c, $r->{highest} + 1);
    return $r;
}

# An attempt: a new request, and after a challenge another one. {asked}: how many it took.
sub attempt ($c, %o) {
    fresh($c, $c->{number} + 1);
    my $r = request($c, %o);
    return { %$r, asked => 1 } if $r->{status} != SEQUENCE;
    return { %{ request($c, %o) }, asked => 2 };
}
sub is_told ($r, $status, $what) { is($r->{status}, $status, $what) or diag(explain { %$r, frame => '' }) }

# -- the journal and its views --

# Entries of that client, or of all; those of clients with { address, bound } also.
sub entries ($c = undef) {
    my @all = journal($a);
    @$_{qw(address bound)} = (join('.', unpack 'x29 C4', $_->{aside}), substr $_->{octets}, 168) for grep { $_->{kind} < 16 } @all;
    return $c ? grep { ($_->{cmid} // '') eq $c->{cmid} } @all : @all;
}
sub kinds ($c) { my %n; $n{ $_->{kind} }++ for entries($c); return \%n }
# COUNTERS says how many were refused, once a minute, and nothing of whom.
sub written () { return scalar grep { $_->{kind} != COUNTERS } entries() }
sub shown ($c) { return ($a->kmsctl_json('client', 'show', $c->{cmid}))[0]{client} // {} }
sub counted ($product) { return (grep { $_->{name} eq $product } @{ ($a->kmsctl_json('status'))[0]{pools} })[0]{counted} }

# Its CMID, from the lease with its name: the last entry of all may be kmsd's own.
sub identified ($c) {
    my ($first) = grep { $_->{kind} == LEASE && $_->{name} eq $c->{name} } entries();
    $c->{cmid} = $first->{cmid};
    return $c;
}
# A client that was served once.
sub served ($product, %more) {
    my $c = client($product, %more);
    is_told(attempt($c), OK, "$c->{name} is activated");
    return identified($c);
}

meet();

subtest 'what the pack says' => sub {
    my %shown = map { $_->{name} => $_ } @{ ($a->kmsctl_json('policy', 'show'))[0]{products} };
    is_deeply([ map { $shown{"Product $_"}{clone_hold} } qw(refuse flag) ], [ 120, 7 * 24 * 60 ], 'policy show: clone_hold');
    is_deeply([ map { $shown{"Product $_"}{bind} } qw(refuse marked strict) ], [qw(no machine machine)], 'bind');
    is_deeply([ map { $shown{"Product $_"}{bind_change} } qw(refuse marked strict) ], [ undef, 'mark', 'refuse' ], 'bind_change');
    my $read = json_of(run([ program('kmsissue'), '--json', 'show', '-d', $publisher->{dir}, $publisher->{pack} ]));
    my ($strict) = grep { $_->{name} eq 'Product strict' } @{ $read->{products} };
    is("@$strict{qw(clone_hold_minutes bind bind_change)}", '10080 machine refuse', 'kmsissue show');
};

# -- ten machines with one state --

# The statuses of one attempt of each.
sub round (@machines) { return map { attempt($_)->{status} } @machines }
sub by_number : prototype($$) ($x, $y) { return $x->{number} <=> $y->{number} }
sub of ($status, @all) { return scalar grep { $_ == $status } @all }
sub ten ($c) { return map { copy($c, name => "copy-$_", from => "127.0.1.$_") } 1 .. 10 }

subtest 'clones = refuse' => sub {
    my $c = served('refuse');
    my @copies = ten($c);
    my @told = map { attempt($_) } @copies;
    is(join(' ', map { $_->{status} } @told), join(' ', OK, OK, (CLONE) x 8), 'the first is served, the second catches up, the others are refused');
    is(join(' ', map { $_->{asked} } @told[ 0 .. 2 ]), '1 2 2', 'the second and the third were challenged');
    for my $t (@told[ 2 .. 9 ]) {
        ok(!$t->{lease}, 'no lease');
        cmp_ok($t->{retry}, '>', 2 * HOUR - 120, 'and the rest of the hold');
        cmp_ok($t->{retry}, '<=', 2 * HOUR, 'which is two hours');
    }
    # One tries once a round, the next twice, and so on: their numbers come apart.
    for my $n (1 .. 3) {
        my @all = map { my $k = $_; map { attempt($copies[$k])->{status} } 0 .. $k } 0 .. 9;
        is(of(CLONE, @all), scalar @all, "round $n of attempts: all refused");
    }
    my $kinds = kinds($c);
    is($kinds->{ +LEASE }, 3, 'leases: the first of all, and two since');
    is($kinds->{ +HOLD }, 1, 'one hold');
    my ($hold) = grep { $_->{kind} == HOLD } entries($c);
    is($hold->{value} - $hold->{time}, 2 * HOUR, 'of clone-hold');
    is($hold->{status}, CLONE, 'because of KMS_E_CLONE');
    is(join(' ', map { $_->{flags} } grep { $_->{kind} == LEASE } entries($c)), '0 0 ' . CAUGHT_UP, 'the last lease is marked as caught up');
    is(counted('refuse'), 1, 'ten machines count as one client');

    my $show = shown($c);
    cmp_ok(abs($show->{held_until} - $hold->{value}), '<', 2, 'client show: held until');
    ok($show->{caught_up} && $show->{last_clone}, 'when it caught up, and that there was a collision');
    my $said = $a->kmsctl('client', 'show', $c->{cmid})->{out};
    like($said, qr/Two machines use this client's key in turn\. Neither gets a lease until 20\d\d-/, 'in words');
    like($said, qr/kmsctl client forget $c->{cmid}/, 'with what to type');
    like($a->kmsctl('why', $c->{cmid})->{out}, qr/Two machines use this client's key in turn\. .*kmsctl client forget $c->{cmid}/s, 'why says it too');
    is((($a->kmsctl_json('why', $c->{cmid}))[0]{held_until}), $hold->{value}, 'also in JSON');
    is(($a->kmsctl_json('clients'))[0]{held}, 1, 'clients: one is held');
    like($a->kmsctl('clients')->{out}, qr/Of these, 1 gets no lease.*kmsctl clients --clones/, 'in words');
    $said = $a->kmsctl('clients', '--clones')->{out};
    like($said, qr/copy-3/, 'clients --clones names a copy');
    like($said, qr/1 of these keys is held/, 'and that the key is held');
    my ($found) = grep { $_->{check} eq 'clone' } @{ ($a->kmsctl_json('doctor'))[0]{findings} };
    is("$found->{level}: $found->{text}", 'warning: 1 client is held, because two machines use the same key in turn', 'doctor finds it');
    like($found->{next}, qr/kmsctl clients --clones, .*kmsctl client forget $c->{cmid}/, 'and says what to do');
    like($a->log, qr/clone-hold: two machines use the key of client $c->{cmid} in turn.*kmsctl client forget $c->{cmid}/, 'the log says it');
    my ($state) = grep { $_->{cmid} eq $c->{cmid} } @{ ($a->kmsctl_json('clients'))[0]{clients} };
    is($state->{state}, 'activated', 'the lease that was given stays valid');

    # kmsd is started again: the hold is in the journal, the key of the challenges is another.
    is($a->stop, 0, 'kmsd stops');
    $a->start;
    meet();
    is(of(CLONE, round(@copies)), 10, 'after a restart all are refused');

    $clock->to($clock->now + 2 * HOUR + 60);
    my @upwards = sort by_number @copies;
    cmp_ok($upwards[-1]{number} - $upwards[0]{number}, '>', 20, 'the numbers are far apart');
    my @next = map { attempt($_) } @upwards;
    is(join(' ', map { $_->{status} } @next), join(' ', OK, (CLONE) x 9), 'when the hold is over, one catches up, and the next begins another hold');
    is($next[0]{asked}, 2, 'also the first was challenged');
    is(kinds($c)->{ +HOLD }, 2, 'which is the second');
    $clock->to($clock->now + 2 * HOUR + 60);
    my $alone = $copies[3];
    is_told(attempt($alone), OK, 'after that a machine that is alone is served');
    is_told(attempt($alone), OK, 'and again') for 1 .. 5;
    is(kinds($c)->{ +HOLD }, 2, 'without a hold');
};

# Each copy has its number raised elsewhere, by a second host for example, so that it is the highest here.
sub in_order ($c, $renewals) {
    my @copies = ten($c);
    my $highest = $c->{number};
    my @told;
    for (1 .. $renewals) {
        for my $copy (@copies) {
            fresh($copy, $highest = max($highest, map { $_->{number} } @copies) + 10);
            my $r = request($copy);
            $r = request($copy) if $r->{status} == SEQUENCE;
            push @told, $r->{status};
        }
        $clock->to($clock->now + 60);
    }
    return @told;
}

subtest 'copies in order' => sub {
    my $c = served('refuse');
    is(join(' ', in_order($c, 3)), join(' ', OK, OK, (CLONE) x 28), 'one is served, one catches up, and all others are refused');
    is(kinds($c)->{ +HOLD }, 1, 'a hold');
    is(join(' ', map { $_->{flags} } grep { $_->{kind} == LEASE } entries($c)), '0 0 ' . CAUGHT_UP, 'and the mark');
    $a->do('client', 'forget', $c->{cmid});
    $c = served('flag');
    is(of(OK, in_order($c, 1)), 10, 'clones = flag: all are served');
    is(join(' ', map { $_->{flags} } grep { $_->{kind} == LEASE } entries($c)), '0 0 ' . join(' ', CAUGHT_UP, (CAUGHT_UP | MARK_CLONE) x 8),
        'and marked');
    $a->do('client', 'forget', $c->{cmid});
};

subtest 'what a request comes after' => sub {
    my $c = served('refuse');
    my @ids = map { pack 'a16', "other $_" } 1 .. 7;
    my $last = $c->{after};
    for my $said ([ 'the last alone', $last ], [ 'among others', @ids, $last ], [ 'before others', $last, @ids ]) {
        my ($what, @list) = @$said;
        fresh($c, $c->{number} + 1);
        is_told(request($c, after => join '', map { $_ eq $last ? $c->{after} : $_ } @list), OK, $what);
    }
    my $before = written();
    for my $said ([ 'none', "\0" x 16 ], [ 'one that was served before the last', $last ], [ 'others', join '', @ids ]) {
        my $copy = copy($c);
        fresh($copy, $c->{number} + 1);
        my $r = request($copy, after => $said->[1]);
        is("$r->{status} $r->{highest}", SEQUENCE . ' ' . ($c->{number} + 1), "$said->[0]: challenged, and told its own number");
    }
    is(written(), $before, 'nothing of it was written');
    for my $bad ('', 'x' x 15, "\0" x 32, $last . "\0" x 16, 'x' x 144) {
        fresh($c, $c->{number} + 1);
        is_told(request($c, after => $bad), 20, length($bad) . ' octets: malformed');
    }
    fresh($c, $c->{number} + 1);
    is_told(request($c, echo => "\7" x 16), OK, 'who knows what was served last need not echo rightly');
    fresh($c, $c->{number} + 1);
    is_told(request($c, operation => RELEASE, after => $last), SEQUENCE, 'a release is challenged too');
    is_told(request($c, operation => RELEASE), OK, 'and served with the echo');
    $a->do('client', 'forget', $c->{cmid});
    fresh($c, $c->{number} + 1);
    is_told(request($c, after => $last), OK, 'of one that was forgotten no id is known');
    $a->do('client', 'forget', $c->{cmid});
};

# A client of before says nothing of it: what kms.policy(5) does not promise for it.
subtest 'copies in order, of clients of before' => sub {
    my $c = served('refuse', after => undef);
    is(of(OK, in_order($c, 3)), 30, 'all are served');
    is(kinds($c)->{ +HOLD } // 0, 0, 'no hold');
    is(scalar(grep { $_->{flags} & (MARK_CLONE | CAUGHT_UP) } entries($c)), 0, 'and no mark');
};

# In each state that a machine may be in: that which was served last, with an echo that is right still, without one.
subtest 'forget ends a hold' => sub {
    for my $which (1, 2, 5) {
        my $c = served('refuse');
        my @copies = ten($c);
        round(@copies);
        is_told(attempt($copies[$which]), CLONE, 'held') for 1 .. 2;
        my $count = counted('refuse');
        $a->do('client', 'forget', $c->{cmid});
        is(counted('refuse'), $count - 1, 'it counts no more');
        is_told(attempt($copies[$which]), OK, 'the machine that asks then is served') for 1 .. 2;
        ok(!shown($c)->{held_until}, 'and not held');
        my ($found) = grep { $_->{check} eq 'clone' } @{ ($a->kmsctl_json('doctor'))[0]{findings} };
        is($found->{level}, 'good', 'doctor finds none') if $which == 1;
        is(shown($c)->{state}, 'activated', 'client show');
        unlike($a->kmsctl('client', 'show', $c->{cmid})->{out}, qr/Two holders/, 'nothing is said of two');
        # It may have used the one catch-up already, if it had an echo to show.
        my @more = round(@copies[ 8, $which, 8, $which ]);
        cmp_ok(of(OK, @more), '<=', 1, 'another one catches up at most once');
        is(of(CLONE, @more[ 1 .. 3 ]), 3, 'and then there are two again');
    }
};

subtest 'clones = flag' => sub {
    my $c = served('flag');
    my @copies = ten($c);
    is(of(OK, round(@copies)), 10, 'all are served');
    my @leases = grep { $_->{kind} == LEASE } entries($c);
    is(join(' ', map { $_->{flags} } @leases), join(' ', 0, 0, CAUGHT_UP, (CAUGHT_UP | MARK_CLONE) x 8), 'marked from the second that catches up');
    ok(shown($c)->{last_clone} && !shown($c)->{held_until}, 'a collision, and no hold');
    like($a->kmsctl('clients', '--clones')->{out}, qr/copy-10/, 'clients --clones has them');
    is(counted('flag'), 1, 'one client');
};

subtest 'clones = allow' => sub {
    my $c = served('allow');
    is(of(OK, round(ten($c))), 10, 'all are served');
    is(join(' ', map { $_->{flags} } grep { $_->{kind} == LEASE } entries($c)), join(' ', 0, 0, (CAUGHT_UP) x 9), 'no mark');
    ok(!shown($c)->{last_clone}, 'no collision');
};

# A copy that catches up with a product of another rule, and goes on with its own.
subtest 'another product is no way around' => sub {
    my $c = served('refuse');
    my $leases = 0;
    for my $copy (ten($c)) {
        $copy->{product} = 'allow';
        attempt($copy);
        $copy->{product} = 'refuse';
        $leases++ if attempt($copy)->{status} == OK;
    }
    cmp_ok($leases, '<=', 2, 'at most two of ten get a lease for the strict product') or diag($leases);
    ok(shown($c)->{held_until}, 'and then it is held');
};

# -- an honest client --

subtest 'a state restored from a backup' => sub {
    my $c = served('refuse');
    my $backup = copy($c);
    is_told(attempt($c), OK, 'it goes on') for 1 .. 3;
    my $r = attempt($backup);
    is_told($r, OK, 'the backup catches up');
    is($r->{asked}, 2, 'after a challenge');
    is_told(attempt($backup), OK, 'and goes on');
    my @entries = entries($c);
    is(scalar(grep { $_->{flags} & MARK_CLONE } @entries), 0, 'without a mark');
    is(scalar(grep { $_->{kind} == HOLD || $_->{kind} == REFUSAL } @entries), 0, 'a hold or a refusal');
    ok(shown($c)->{caught_up}, 'client show says when it caught up');
    ok(!shown($c)->{last_clone}, 'and of no collision');
};

subtest 'an answer to a challenge that is lost' => sub {
    my $c = served('refuse');
    my $backup = copy($c);
    attempt($c);
    fresh($backup, $backup->{number} + 1);
    is_told(request($backup), SEQUENCE, 'challenged');
    my $kept = copy($backup);
    my $r = request($backup);
    is_told($r, OK, 'served, but the client does not hear of it');
    my $again = request($kept);
    is_told($again, OK, 'it repeats the request with the same echo');
    is($again->{lease}, $r->{lease}, 'and gets the same lease');
    is_told(attempt($kept), OK, 'and goes on without a challenge');
    is(kinds($c)->{ +LEASE }, 4, 'nothing more was written');
};

subtest 'an echo that is wrong or old' => sub {
    my $c = served('refuse');
    my $old = copy($c);
    attempt($c);
    my $before = written();
    fresh($old, 50);
    $old->{echo} = "\7" x 16;
    my $r = request($old);
    is_told($r, SEQUENCE, 'an invented echo is challenged, whatever its number');
    is($r->{highest}, 50, 'with its own number, which is higher than the host\'s');
    is(length $r->{challenge}, 16, 'and another challenge');
    fresh($old, 2);
    $r = request($old, echo => '');
    is("$r->{status} $r->{highest}", '12 2', 'a lower number is told the host\'s');
    my $first = $r->{challenge};
    fresh($old, 2);
    is_told(request($old), SEQUENCE, 'the right echo is not enough for a number that was used');
    is(written(), $before, 'nothing of it was written');
    $clock->to($clock->now + 15 * 60);
    fresh($old, 60);
    $old->{echo} = $first;
    $r = request($old);
    is_told($r, SEQUENCE, 'after 15 minutes an echo is too old');
    isnt($r->{challenge}, $first, 'there is a new challenge');
    is_told(request($old), OK, 'whose echo is right');
    fresh($old, 70);
    $old->{echo} = $r->{challenge};
    is_told(request($old, after => "\0" x 16), SEQUENCE, 'it serves once');
};

# -- what a bystander has recorded --

# What a host has written of a client.
sub trace ($c) { return { shown => shown($c), entries => written() } }

subtest 'recorded requests leave no trace' => sub {
    my $c = served('refuse');
    my @frames = map { attempt($c)->{frame} } 1 .. 3;
    my $before = trace($c);
    for my $n (0, 1) {
        is_told(sent($c->{key}, $frames[$n], '127.0.9.9'), SEQUENCE, "an old one, played from elsewhere");
    }
    my $r = sent($c->{key}, $frames[2], '127.0.9.9');
    is_told($r, OK, 'the last one again');
    is_deeply(trace($c), $before, 'no entry, no mark, and the client is where it was');
    is_told(attempt($c), OK, 'which goes on');

    # Hours later they are too old, and that is not written either.
    $before = trace($c);
    $clock->to($clock->now + 5 * HOUR);
    is_told(sent($c->{key}, $_, '127.0.9.9'), TIME_SKEW, 'five hours later') for @frames;
    is_deeply(trace($c), $before, 'no trace');

    # Of a client that is held or revoked.
    my @copies = ten($c);
    my @of_copy = map { fresh($_, $_->{number} + 1); request($_)->{frame} } @copies[ 0, 1 ];
    round(@copies);
    ok(shown($c)->{held_until}, 'held');
    $before = trace($c);
    is_told(sent($c->{key}, $_, '127.0.9.9'), CLONE, 'held: an old one') for $of_copy[1];
    is_deeply(trace($c), $before, 'no trace');
    $a->do('client', 'revoke', $c->{cmid});
    $before = trace($c);
    is_told(sent($c->{key}, $_, '127.0.9.9'), REVOKED, 'revoked: an old one') for @of_copy;
    is_deeply(trace($c), $before, 'no trace');
    $a->do('client', 'unrevoke', $c->{cmid});
};

subtest 'a forgotten client is not counted again' => sub {
    my $c = served('refuse');
    my @frames = map { attempt($c)->{frame} } 1 .. 2;
    my $count = counted('refuse');
    $a->do('client', 'forget', $c->{cmid});
    is(counted('refuse'), $count - 1, 'forgotten');
    for my $later (0, 3 * HOUR, HOUR - 60, 4 * HOUR, HOUR) {
        $clock->to($clock->now + $later);
        my $batch = written();
        for my $frame (@frames) {
            my $r = sent($c->{key}, $frame, '127.0.9.9');
            ok($r->{status} == SEQUENCE || $r->{status} == TIME_SKEW, 'an old request is not served') or diag($r->{status});
            ok(!$r->{lease}, 'no lease');
        }
        is(counted('refuse'), $count - 1, 'and not counted');
        is(written(), $batch, 'nothing is written');
    }
    is_told(attempt($c), OK, 'the client itself comes back');
    is(counted('refuse'), $count, 'and counts');
};

# Refusals are told at the end of a run at the latest.
subtest 'what kmsd tells of refusals comes after what it told of a client' => sub {
    my $c = client('refuse');
    is_told(attempt($c, time => $clock->now - DAY), TIME_SKEW, 'a clock that is a day late');
    is_told(attempt($c), OK, 'and one that is right');
    is($a->stop, 0, 'kmsd stops');
    is((entries())[-1]{kind}, COUNTERS, 'the last entry is of refusals');
    identified($c);
    $a->start;
    meet();
    $a->do('client', 'forget', $c->{cmid});
    is(kinds($c)->{ +LEASE }, 1, 'which does not hide the lease');
};

# A request may be as late as four hours after its time, by a clock that was four hours ahead. That the row stays for as long:
# t/unit/test_keep_names.c.
subtest 'the last second at which a recorded request is accepted' => sub {
    my $c = served('refuse');
    my $recorded = $clock->now;
    my $r = attempt($c, time => $recorded + 4 * HOUR - 5);
    is_told($r, OK, 'a clock that is ahead');
    $a->do('client', 'forget', $c->{cmid});
    my $count = counted('refuse');
    $clock->to($recorded + 8 * HOUR - 60);
    is($a->stop, 0, 'kmsd stops');
    $a->start;
    meet();
    is_told(sent($c->{key}, $r->{frame}, '127.0.9.9'), SEQUENCE, 'the recorded request is challenged, as the row is there');
    is(counted('refuse'), $count, 'and not counted');
    $clock->to($recorded + 8 * HOUR);
    is_told(sent($c->{key}, $r->{frame}, '127.0.9.9'), TIME_SKEW, 'a little later it is too old');
};

subtest 'forget does not undo a revocation' => sub {
    my $c = served('refuse');
    $a->do('client', 'revoke', $c->{cmid});
    is_told(attempt($c), REVOKED, 'revoked');
    $a->do('client', 'forget', $c->{cmid});
    is_told(attempt($c), REVOKED, 'forgotten, and still revoked');
    ok(shown($c)->{revoked}, 'client show');
    is($a->stop, 0, 'kmsd stops');
    is($a->kmsctl('ledger', 'rebuild')->{exit}, 0, 'the index is made anew');
    $a->start;
    meet();
    is_told(attempt($c), REVOKED, 'and still');
    $a->do('client', 'unrevoke', $c->{cmid});
    is_told(attempt($c), OK, 'until it is lifted');
};

# -- binding --

sub id_of ($machine) { return pack 'a16', "machine $machine" }

subtest 'bind = machine, marked' => sub {
    my $c = served('marked', binding => id_of(1));
    is((entries($c))[-1]{bound}, tlv(1, id_of(1)), 'the machine is in the entry');
    is_told(attempt($c), OK, 'again');
    is((entries($c))[-1]{flags}, 0, 'nothing to mark');
    is_told(attempt($c, binding => id_of(2)), OK, 'another machine');
    is((entries($c))[-1]{flags}, BOUND_OTHER, 'is marked');
    ok(shown($c)->{bound_other}, 'client show');
    is_told(attempt($c, binding => undef), OK, 'without an id');
    is((entries($c))[-1]{flags}, BOUND_OTHER, 'is marked');
    is((entries($c))[-1]{bound}, '', 'and not bound');
    is_told(attempt($c), OK, 'bound anew');
    is((entries($c))[-1]{flags}, 0, 'without a mark');
};

subtest 'bind = machine, refused' => sub {
    my $c = client('strict');
    is_told(attempt($c), BINDING, 'a machine without an id');
    $c = served('strict', binding => id_of(1));
    is_told(attempt($c), OK, 'again');
    my $two = copy($c, binding => id_of(2), from => '127.0.2.2', name => 'other');
    is_told(attempt($two), BINDING, 'another machine');
    my ($refusal) = grep { $_->{kind} == REFUSAL } entries($c);
    is("$refusal->{status} $refusal->{flags} $refusal->{address}", join(' ', BINDING, BOUND_OTHER, '127.0.2.2'), 'the refusal is in the journal');
    is_told(attempt($two, binding => undef), BINDING, 'nor without an id');
    is_told(attempt($c), OK, 'the first goes on');
    is((entries($c))[-1]{flags} & BOUND_OTHER, 0, 'a refusal binds nothing');
    like($a->log, qr/binding: 127\.0\.2\.2 port \d+ \(other\)/, 'the log has it');
    $a->do('client', 'forget', $c->{cmid});
    $two->{number} = $c->{number} + 5;
    is_told(attempt($two), OK, 'after forget the other machine is bound');
    my $r = attempt($c);
    is_told($r, BINDING, 'and the first is not') if $r->{status} != CLONE;
    is_told(attempt($two, operation => RELEASE, binding => undef), OK, 'a release needs no machine');
};

subtest 'no binding without bind' => sub {
    my $c = served('refuse', binding => id_of(1));
    is((entries($c))[-1]{bound}, '', 'the machine is not in the entry');
    ok(!shown($c)->{bound}, 'nor in the index');
    is_told(attempt($c, binding => id_of(2)), OK, 'another one is served');
    is((entries($c))[-1]{flags}, 0, 'without a mark');
};

# -- other faults --

subtest 'a repeated "too low" after the threshold was reached' => sub {
    my @c = map { client('many') } 1 .. 3;
    my $r = attempt($c[0]);
    is_told($r, TOO_LOW, 'the first of three');
    is(sent($c[0]{key}, $r->{frame})->{status}, TOO_LOW, 'asks again, as it heard nothing: still too few');
    is_told(attempt($c[1]), TOO_LOW, 'the second');
    is_told(attempt($c[2]), OK, 'the third');
    my $again = sent($c[0]{key}, $r->{frame});
    is_told($again, OK, 'the first repeats its request');
    ok($again->{lease}, 'and gets a lease');
    is($again->{count}, 3, 'it is counted once');
    is(sent($c[0]{key}, $r->{frame})->{lease}, $again->{lease}, 'the same one when it repeats that');
    is_told(attempt($c[0]), OK, 'it goes on');
};

subtest 'a release at a host whose key is revoked' => sub {
    my $c = served('allow');
    my $count = counted('allow');
    my ($keys) = $a->kmsctl_json(qw(key show));
    is(run([ program('kmsissue'), @$_ ])->{exit}, 0, "kmsissue $_->[0]") for
        [ qw(revoke key -d), $publisher->{dir}, '--reason', 'not paid', $keys->{keys}[0]{id} ],
        [ qw(revocations -d), $publisher->{dir}, '-o', "$publisher->{dir}/list" ];
    $a->do('revocations', 'install', "$publisher->{dir}/list.kmsrevoked");
    is_told(attempt($c), KEY_INVALID, 'no lease');
    is_told(attempt($c, operation => RELEASE), OK, 'but a release');
    is(counted('allow'), $count - 1, 'which counts');
};

is($a->kmsctl('ledger', 'check')->{exit}, 0, 'the ledger is sound');
is($a->stop, 0, 'the host ends well');
is($a->kmsctl('ledger', 'rebuild')->{exit}, 0, 'and its index is made again');
is($a->kmsctl('ledger', 'check')->{exit}, 0, 'and sound');
done_testing;
