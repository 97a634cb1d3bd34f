#!/usr/bin/perl
# kmsctl ledger backup beside a kmsd under load, again and again: each copy is whole, holds all that was acknowledged before it began,
# and makes a ledger; closed segments are copied once.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Path qw(remove_tree);
use KMS::Test;
use Test::More;

my $product = '11111111-1111-4111-8111-111111111111';
my $p = publisher(products => [ { name => 'Under Siege', id => $product, threshold => 1, group => 'client', pool => 'desktops' } ]);
my $a = start_appliance(publisher => $p);
$a->enable(group => 'client');
my $dir = $a->dir;
my ($acks, $copy) = ("$dir/acks", "$dir/copy");
my $siege = start_siege(churn => 1, port => $a->port, publisher => $p, product => $product, clients => 24,
    state => "$dir/siege.state", acks => $acks, log => "$dir/siege.log");
my $kept = 0;
for my $round (1 .. 6) {
    my $before = -s $acks // 0;
    wait_for(60, sub { (-s $acks // 0) > $before + 500_000 }, "round $round: more was acknowledged");
    # A record that is half written is not one of these.
    my $known = slurp($acks);
    my $whole = 0;
    while ($whole + 4 <= length $known) {
        my $size = 4 + unpack 'N', substr $known, $whole, 4;
        last if $whole + $size > length $known;
        $whole += $size;
    }
    spew("$dir/acks.$round", substr $known, 0, $whole);
    my ($json, $exit) = $a->kmsctl_json('ledger', 'backup', $copy);
    is($exit, 0, "round $round: a backup under load") or diag(explain $json);
    $kept = $json->{segments_kept};
    run([ 'cp', '-a', $copy, "$dir/copy.$round" ]);
}
cmp_ok($kept, '>', 0, 'closed segments are not copied again');
kill 'TERM', $siege;
is(wait_exit($siege, 60), 0, 'the siege was answered correctly');
is($a->stop, 0, 'kmsd stops');
for my $round (1 .. 6) {
    rename "$dir/state/kmsdb", "$dir/kmsdb.away" or die "rename: $!";
    remove_tree("$dir/kmsdb.away");
    my $r = $a->kmsctl('ledger', 'restore', "$dir/copy.$round");
    is($r->{exit}, 0, "copy $round is restored") or diag("$r->{out}$r->{err}");
    $r = $a->kmsctl('ledger', 'check');
    is($r->{exit}, 0, "and is sound") or diag("$r->{out}$r->{err}");
    $r = run([ "$BUILD/acks_in_journal", "$dir/state", "$dir/acks.$round" ]);
    is($r->{exit}, 0, 'what was acknowledged before it began is in it') or diag("$r->{out}$r->{err}");
}
$a->start;
ok(1, 'kmsd starts on the restored ledger');
is($a->client('new', 'activate', product => $product)->{exit}, 0, 'and activates');

my ($damaged) = sort glob "$dir/copy.6/kmsdb/journal/*.seg";
my $octets = slurp($damaged);
substr($octets, 700, 1) ^.= "\1";
spew($damaged, $octets);
is($a->stop, 0, 'kmsd stops');
is($a->kmsctl('ledger', 'restore', "$dir/copy.6")->{exit}, 2, 'not over a ledger that is there');
rename "$dir/state/kmsdb", "$dir/kmsdb.good" or die;
is($a->kmsctl('ledger', 'restore', "$dir/copy.6")->{exit}, 2, 'a damaged copy is not restored');
ok(!-e "$dir/state/kmsdb" && !-e "$dir/state/kmsdb.restoring", 'and leaves nothing behind');

# A copy that somebody else kept, and a journal that is the activation user's: what root reads there is files.
for my $what ('a link', 'a FIFO') {
    my $made = "$dir/made";
    run([ 'cp', '-a', "$dir/copy.5", $made ]);
    my @segments = sort glob "$made/kmsdb/journal/*.seg";
    for my $segment ($segments[0], $segments[-1]) {
        rename $segment, "$segment.was" or die;
        if ($what eq 'a link') { symlink "$segment.was", $segment or die }
        else { run([ 'mkfifo', $segment ])->{exit} == 0 or die }
        is($a->kmsctl('ledger', 'restore', $made)->{exit}, 2, "$what is not restored");
        ok(!-e "$dir/state/kmsdb" && !-e "$dir/state/kmsdb.restoring", 'and leaves nothing behind');
        rename "$made/kmsdb", "$dir/state/kmsdb" or die;
        is($a->kmsctl('ledger', 'backup', "$dir/of.state")->{exit}, 2, "$what is not backed up");
        rename "$dir/state/kmsdb", "$made/kmsdb" or die;
        rename "$segment.was", $segment or die;
    }
    remove_tree($made, "$dir/of.state");
}

# kmsd goes on in a directory that was moved away.
rename "$dir/kmsdb.good", "$dir/state/kmsdb" or die;
$a->start;
rename "$dir/state/kmsdb", "$dir/kmsdb.good" or die;
my $running = $a->kmsctl('ledger', 'restore', "$dir/copy.5");
is($running->{exit}, 2, 'nothing is restored while kmsd runs');
like($running->{err}, qr/kmsd is still running and uses the ledger that you moved away: stop kmsd first/, 'which it says');
ok(!-e "$dir/state/kmsdb", 'and nothing is there');
is($a->stop, 0, 'kmsd stops');
is($a->kmsctl('ledger', 'restore', "$dir/copy.5")->{exit}, 0, 'then it is');
done_testing;
