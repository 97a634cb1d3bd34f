#!/usr/bin/perl
# Hosts with histories: honest restores from backups, virtual machines set back to a snapshot, and two copies of one state that run at
# once. Clients of libkms go from one to the other, as a seed says. The test knows what was signed and who saw it; from that follows what
# the clients must have been told, and what each audit must find. Strangers and clients of the host claim histories that never were.
#
#     KMS_SEEDS='7 8 9' prove t/integration/histories.t     other seeds
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Digest::SHA qw(sha256_hex);
use File::Path qw(remove_tree);
use IO::Socket::INET;
use KMS::Sealer;
use KMS::Test;
use Test::More;

use constant { CLIENTS => 6, STEPS => 14 };
my @seeds = split ' ', $ENV{KMS_SEEDS} // '1 2';

my $product = '11111111-1111-4111-8111-111111111111';
my $p = publisher(products => [ { name => 'Historian', id => $product, threshold => 1, group => 'client', pool => 'desktops' } ]);
my $clients = workspace();
my %total;

# -- one branch of a host: a state directory and the kmsd that runs on it --

sub branch (%opt) {
    return { appliance => start_appliance(publisher => $p, fronts => 1, %opt), name => $opt{name} };
}
sub copy_state ($from, $to) { run([ 'cp', '-a', $from, $to ])->{exit} == 0 or die "cp -a $from $to" }

# [number, SHA-256, time] of each batch in the journal, and of each START.
sub journal ($branch) {
    my $file = $branch->{appliance}->dir . '/journal.audit';
    unlink $file;
    $branch->{appliance}->do('audit', 'export', '-o', $file);
    my $text = slurp($file);
    my ($at, %of, @starts) = 62;
    $at += 3 + unpack 'n', substr $text, $at + 1, 2 for 1 .. unpack 'n', substr $text, 60, 2;
    while ($at < length $text) {
        my $n = unpack 'N', substr $text, $at, 4;
        my $header = substr $text, $at + 4, 108;
        my ($number, $time) = (unpack('Q>', substr $header, 24, 8), unpack 'Q>', substr $header, 100, 8);
        $of{$number} = { hash => sha256_hex($header), time => $time };
        my $items = substr $text, $at + 176, $n;
        while (length $items) {
            (my $entry, $items) = unpack 'n/a* x a*', $items;
            push @starts, { number => $number, time => $time } if ord(substr $entry, 1, 1) == 16;
            $of{$number}{witness}++ if ord(substr $entry, 1, 1) == 28;
        }
        $at += 176 + $n;
    }
    return { batches => \%of, starts => \@starts, file => $file, last => (sort { $b <=> $a } keys %of)[0] };
}

# -- clients --

# The batch header of the lease in a client's state file: kms.state(5).
sub lease_header ($file) {
    my $s = slurp($file);
    my $at = 200;
    my $field = sub ($size) { my $v = substr $s, $at, $size; $at += $size; return $v };
    $field->(232 * ord $field->(1));
    $field->(unpack 'n', $field->(2));
    $field->(160) if ord $field->(1);
    $field->(unpack 'n', $field->(2));
    my $bundle = $field->(unpack 'n', $field->(2));
    return undef if $bundle eq '';
    my $header = substr $bundle, 2 + unpack('n', $bundle), 108;
    return { number => unpack('Q>', substr $header, 24, 8), hash => sha256_hex($header), time => unpack('Q>', substr $header, 100, 8) };
}

# A client asks, and the test remembers what it saw, and whether that must have been strange to it.
sub ask ($world, $client, $b) {
    my $state = "$clients/$world->{name}.$client";
    my $r = run([ program('kmsclient'), '--publisher-key', $p->{key}, '--product', $product, '--state', $state,
        '--host', '127.0.0.1:' . $b->{appliance}->port, '--name', $client, $world->{seen}{$client} ? 'renew' : 'activate' ]);
    is($r->{exit}, 0, "$world->{name}: $client is served by $b->{name}") or diag("$r->{out}$r->{err}" . $b->{appliance}->log);
    my $h = lease_header($state) or die 'no lease';
    my $known = $world->{known}{$client};
    if ($known && ($h->{number} < $known->{number} || ($h->{number} == $known->{number} && $h->{hash} ne $known->{hash}))) {
        $world->{strange}{$client} //= "batch $h->{number} after $known->{number}";
    }
    $world->{known}{$client} = $h if !$known || $h->{number} > $known->{number};
    push @{ $world->{seen}{$client} }, { %$h, branch => $b->{name} };
}

# Each was answered twice by each branch in the end: what it knows was asked for, and shown.
sub closing_rounds ($world, @branches) {
    for my $round (1, 2) {
        for my $client (sort keys %{ $world->{seen} }) { ask($world, $client, $_) for @branches }
    }
}

# -- claims that are not true --

sub claim ($b, $client, $witness, $header) {
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $b->{appliance}->port) or die "connect: $!";
    my $take = sub ($n) {
        my $octets = '';
        while (length $octets < $n) { sysread($s, $octets, $n - length $octets, length $octets) or die 'closed' }
        return $octets;
    };
    my $answer = sub { my $head = $take->(12); return $head . $take->(unpack 'N', substr $head, 8) };
    syswrite $s, pack 'a4 C C n N x8', 'KMSD', 2, 1, 0, 8;
    my ($id, $said) = sealer_host(substr $answer->(), 12);
    $said eq 'ok' or die "HELLO: $said";
    $b->{claims}{$client} += 2;
    my $tail = pack('n n/a*', 1, $witness) . ($header ne '' ? pack 'n n/a*', 2, $header : '');
    my $text = pack 'C C n N a16 Q> Q> H32 a16 C x7 a64 a*', 1, 2, 0, 0, "claim $client $b->{claims}{$client}", time, $b->{claims}{$client},
        $product =~ tr/-//dr, "salt $client", 2, "claims-$client", $tail;
    syswrite $s, sealer_frame($client, 'text=' . unpack 'H*', $text);
    my ($status) = sealer("open $client " . unpack 'H*', $answer->()) =~ /^status (\d+)/ or die 'no reply';
    return $status;
}

sub false_claims ($world, $b) {
    my $signature = 'S' x 64;
    my $header = pack 'a8 a16 Q> a32 N a32 Q>', 'KMSBATCH', 'another host id!', 9_999, 'p' x 32, 1, 'r' x 32, time;
    my ($info) = $b->{appliance}->kmsctl_json('status');
    my $ours = pack 'a8 a16 Q> a32 N a32 Q>', 'KMSBATCH', pack('H*', $info->{service}{host_id} // $info->{host_id} // die 'no host id'), 9_999,
        'p' x 32, 1, 'r' x 32, time;
    my $before = $info->{ledger}{last_batch};
    my $client = 'f' . ++$world->{false};
    for my $claim (
        [ 'a number', pack('Q> a32', 9_999, 'h' x 32), '' ],
        [ 'a header of another host', pack('Q> a32', 9_999, pack 'H*', sha256_hex($header)), $header . $signature ],
        [ 'a header that nobody signed', pack('Q> a32', 9_999, pack 'H*', sha256_hex($ours)), $ours . $signature ],
        [ 'a hash under a number that is there', pack('Q> a32', 1, 'h' x 32), $ours . $signature ],
    ) {
        is(claim($b, $client, @$claim[ 1, 2 ]), 0, "$world->{name}: a client claims $claim->[0], and is served");
        $total{'false claims'}++;
    }
    ($info) = $b->{appliance}->kmsctl_json('status');
    is($info->{ledger}{last_batch}, $before + 4, "$world->{name}: four leases, and nothing else, were written");
}

# -- audits --

my %above = (note => 0, unexplained => 1, contradiction => 2);

sub audit ($world, $b) {
    my $j = journal($b);
    my $r = run([ program('kmsissue'), 'audit', 'verify', '--json', '-P', $p->{key}, $j->{file} ]);
    my $said = json_of($r);
    my %grades = (note => 0, unexplained => 0, contradiction => 0);
    my ($worst) = (-1);
    for my $f (@{ $said->{findings} }) {
        $grades{ $f->{grade} }++;
        $worst = $above{ $f->{grade} } if $above{ $f->{grade} } > $worst;
    }
    $total{"$world->{kind}: $_"} += $grades{$_} for keys %grades;
    is($r->{exit}, $worst > 0 ? 3 : 0, "$world->{name}: the exit status of the audit of $b->{name} follows from its findings") or diag(explain $said);
    return { %$j, said => $said, worst => $worst };
}

# What of the clients' headers a journal does not have: [client, header].
sub strange_headers ($world, $j) {
    return map {
        my $client = $_;
        map { [ $client, $_ ] } grep { my $own = $j->{batches}{ $_->{number} }; !$own || $own->{hash} ne $_->{hash} } @{ $world->{seen}{$client} };
    } sort keys %{ $world->{seen} };
}

# Each client was told exactly what it could see for itself, and kept it.
sub told ($world) {
    for my $client (sort keys %{ $world->{seen} }) {
        my $r = run([ program('kmsclient'), '--publisher-key', $p->{key}, '--product', $product, '--state', "$clients/$world->{name}.$client", 'evidence' ]);
        my $headers = () = $r->{out} =~ /4b4d534241544348[0-9a-f]{200}/g;
        is($headers, $world->{strange}{$client} ? 2 : 0, "$world->{name}: $client has " . ($world->{strange}{$client} ? "evidence: $world->{strange}{$client}" : 'no evidence'))
            or diag("$r->{out}$r->{err}");
        $total{'clients with evidence'}++ if $world->{strange}{$client};
    }
}

# -- histories --

sub any (@list) { return $list[ rand @list ] }
sub name ($n) { return "pc$n" }

# Backups, restores of them by the book, restarts.
sub restores ($seed) {
    my $world = { name => "restores-$seed", kind => 'restored by the book' };
    my $b = branch(name => 'host');
    my ($a, $copy, $restored) = ($b->{appliance}, $b->{appliance}->dir . '/copy', 0);
    $a->enable(group => 'client', output => $a->dir . '/customer');
    ask($world, name($_), $b) for 1 .. 2;
    $a->do('ledger', 'backup', $copy);
    for my $step (1 .. STEPS) {
        my $what = $step == STEPS - 4 ? 10 : rand 10;
        if ($what < 7) { ask($world, name(1 + int rand CLIENTS), $b) }
        elsif ($what < 8) { $a->do('ledger', 'backup', $copy) }
        elsif ($what < 9) { $a->stop; $a->start }
        else {
            ask($world, name(1), $b);
            $a->stop;
            remove_tree($a->dir . '/state/kmsdb');
            $a->do('ledger', 'restore', $copy);
            $a->start;
            $restored++;
        }
    }
    false_claims($world, $b);
    closing_rounds($world, $b);
    my $j = audit($world, $b);
    cmp_ok($j->{worst}, '<=', 0, "$world->{name}: an honest restore is a note") or diag(explain $j->{said}{findings});
    cmp_ok(scalar(grep { $_->{finding} =~ /restored/i } @{ $j->{said}{findings} }), '>=', 1, "$world->{name}: each restore is in the list");
    $total{restores} += $restored;
    told($world);
    is($a->stop, 0, "$world->{name}: kmsd ends well");
}

# A virtual machine that is set back: the whole state directory, behind the back of everybody.
sub snapshots ($seed) {
    my $world = { name => "snapshots-$seed", kind => 'set back to a snapshot' };
    my $b = branch(name => 'host');
    my ($a, $back) = ($b->{appliance}, 0);
    my $snapshot = sub {
        $a->stop;
        remove_tree($a->dir . '/snapshot');
        copy_state($a->dir . '/state', $a->dir . '/snapshot');
        $a->start;
    };
    $a->enable(group => 'client', output => $a->dir . '/customer');
    ask($world, name($_), $b) for 1 .. 2;
    $snapshot->();
    for my $step (1 .. STEPS) {
        my $what = $step == STEPS - 4 ? 10 : rand 10;
        if ($what < 8) { ask($world, name(1 + int rand CLIENTS), $b) }
        elsif ($what < 9) { $snapshot->() }
        else {
            ask($world, name(1), $b);
            $a->stop;
            remove_tree($a->dir . '/state');
            copy_state($a->dir . '/snapshot', $a->dir . '/state');
            $a->start;
            $back++;
        }
    }
    false_claims($world, $b);
    closing_rounds($world, $b);
    my $j = audit($world, $b);
    is($j->{worst}, 1, "$world->{name}: what was lost is unexplained, and no contradiction") or diag(explain $j->{said}{findings});
    $total{'set back'} += $back;
    told($world);
    is($a->stop, 0, "$world->{name}: kmsd ends well");
}

# Two copies of one state at once; clients are sent to either.
sub forks ($seed) {
    my $world = { name => "forks-$seed", kind => 'run twice' };
    my $x = branch(name => 'the one');
    $x->{appliance}->enable(group => 'client', output => $x->{appliance}->dir . '/customer');
    ask($world, name($_), $x) for 1 .. CLIENTS / 2;
    $x->{appliance}->stop;
    my $dir = workspace();
    copy_state($x->{appliance}->dir . '/state', "$dir/state");
    $x->{appliance}->start;
    my $y = branch(name => 'its copy', dir => $dir);
    ask($world, name(1 + int rand CLIENTS), any($x, $y)) for 1 .. STEPS;
    # Two at least go both ways.
    ask($world, name(1), $_) for $x, $y;
    ask($world, name(2), $_) for $y, $x;
    false_claims($world, any($x, $y));
    closing_rounds($world, $x, $y);
    for my $b ($x, $y) {
        my $j = audit($world, $b);
        my @strange = strange_headers($world, $j);
        cmp_ok(scalar @strange, '>', 0, "$world->{name}: clients know what $b->{name} never signed");
        is($j->{worst}, 2, "$world->{name}: the fork is a contradiction in the audit of $b->{name}") or diag(explain $j->{said}{findings});
        $total{'headers of another branch'} += @strange;
    }
    $total{forks}++;
    told($world);
    is($_->{appliance}->stop, 0, "$world->{name}: kmsd ends well") for $x, $y;
}

for my $seed (@seeds) {
    for my $history (\&restores, \&snapshots, \&forks) {
        srand $seed;
        $history->($seed);
    }
}
is($total{"$_: contradiction"}, 0, "$_: no contradiction") for 'restored by the book', 'set back to a snapshot';
is($total{'restored by the book: unexplained'}, 0, 'restored by the book: nothing unexplained');
note("$_: $total{$_}") for sort keys %total;
done_testing;
