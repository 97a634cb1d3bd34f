#!/usr/bin/perl
# Two hosts of one customer. kmsctl ledger restore takes the host's own journal, and refuses the other's before it changes anything,
# whether the host's keys are plain or sealed, and whether or not there are any.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Path qw(remove_tree);
use KMS::Test;
use Test::More;

my $p = publisher(products => [ { name => 'Restored', id => '11111111-1111-4111-8111-111111111111', threshold => 1, group => 'client', pool => 'desktops' } ]);
my ($own, $other) = map { start_appliance(publisher => $p, fronts => 1) } 1 .. 2;
for my $a ($own, $other) {
    $a->enable(group => 'client', output => $a->dir . '/customer');
    is($a->client('one', 'activate')->{exit}, 0, 'a client is activated');
    is($a->kmsctl('ledger', 'backup', $a->dir . '/copy')->{exit}, 0, 'and backed up');
    is($a->stop, 0, 'kmsd stops');
}
my $state = $own->dir . '/state';
my ($mine, $theirs) = map { $_->dir . '/copy' } $own, $other;

sub tree () { return run([ 'sh', '-c', 'cd "$1" && find . -type f -o -type d | LC_ALL=C sort | xargs -d "\n" ls -ld --time-style=full-iso', 'sh', $state ])->{out} }

sub refused ($from, $what, $symbol, $says) {
    my $before = tree;
    my $r = $own->kmsctl('ledger', 'restore', $from);
    is($r->{exit}, 2, "$what: refused");
    like($r->{err}, qr/$symbol/, "$what: $symbol") or diag $r->{err};
    like($r->{err}, $says, "$what: why, and what to do");
    is(tree, $before, "$what: nothing was changed");
    my ($json) = $own->kmsctl_json('ledger', 'restore', $from);
    is($json->{error}{symbol}, $symbol, "$what: in JSON too");
}

rename "$state/kmsdb", "$state/kmsdb.was" or die;
my $host = qr/[0-9a-f]{32}/;
my $another = qr/\Q$theirs\E is the journal of host ($host), and \Q$state\E\/keys\/host\.key is that of host (?!\1)$host: nothing was changed\. Restore a backup of this host, or copy keys of that backup to/;
refused($theirs, "another host's journal, plain keys", 'KMS_E_UNKNOWN_HOST', $another);

# Sealed: the public key is in the clear.
is($own->kmsctl('ledger', 'restore', $mine)->{exit}, 0, 'its own journal is restored');
$own->start;
spew($own->dir . '/passphrase', "correct horse\n");
my $r = $own->kmsctl('key', 'seal', '--passphrase', '--passphrase-file', $own->dir . '/passphrase');
is($r->{exit}, 0, 'the keys are sealed') or diag $r->{err};
is($own->stop, 0, 'kmsd stops');
remove_tree("$state/kmsdb");
refused($theirs, "another host's journal, sealed keys", 'KMS_E_UNKNOWN_HOST', $another);
is($own->kmsctl('ledger', 'restore', $mine)->{exit}, 0, 'its own journal is restored, and no passphrase is asked for');
is($own->kmsctl('ledger', 'check')->{exit}, 0, 'and is sound');

# Without keys, or with keys that cannot be read.
remove_tree("$state/kmsdb");
rename "$state/keys/host.key", "$state/keys/away" or die;
refused($mine, 'no host key', 'KMS_E_NOT_FOUND', qr/keys\/host\.key is missing: kmsd would make another host identity .* Copy keys of the same backup to \Q$state\E\/keys first/);
spew("$state/keys/host.key", 'damaged');
refused($mine, 'a damaged host key', 'KMS_E_FORMAT', qr/keys\/host\.key: .*: copy it from a backup first/);
rename "$state/keys/away", "$state/keys/host.key" or die;
refused($own->dir, 'no backup', 'KMS_E_NOT_FOUND', qr/journal/);
is($own->kmsctl('ledger', 'restore', $mine)->{exit}, 0, 'with the keys back, it is restored');
refused($theirs, 'over a ledger', 'KMS_E_EXISTS', qr/move this directory away first/);
done_testing;
