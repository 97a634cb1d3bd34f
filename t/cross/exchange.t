#!/usr/bin/perl
# Files that go from processor to processor: exchange.t ARCH..., which t/cross/run built in KMS_CROSS; this machine's own build is KMS_BUILD.
# A host is set up here. Its backup is restored on each in turn, which adds leases that it signs with the host's keys, and backs up for the next;
# in the end each reads what all of them wrote, and the host here goes on with it. Client state files go the same way, against one kmsd.
use v5.36;
use File::Path qw(make_path remove_tree);
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use Test::More;

use constant MORE => 300;    # clients that each adds: more than one batch

my $cross = $ENV{KMS_CROSS} or BAIL_OUT('KMS_CROSS is not set: t/cross/run runs this');
my @there = @ARGV or BAIL_OUT('no processor is named');
my $shared = "$cross/exchange";
my %path = (kmsctl => 'kmsctl/kmsctl');
my %emulator = map { $_ => slurp("$cross/$_/emulator") =~ s/\n//r } @there;
remove_tree(glob "$shared/*");

# A program on a processor, or 'here'. Arguments are paths below /exchange.
sub on ($where, $program, @args) {
    return run([ program($program), map { s{^/exchange}{$shared}r } @args ]) if $where eq 'here';
    return run([ "$SRC/t/cross/inside", $cross, $where, qw(/build/libtool --silent --mode=execute), grep({ length } $emulator{$where}),
        '/build/' . ($path{$program} // $program), @args ]);
}
sub good ($name, $where, @command) {
    my $r = on($where, @command);
    is($r->{exit}, 0, "$where: $name") or diag("@command: signal $r->{signal}\n$r->{out}$r->{err}");
    return $r->{out};
}

my $product = '11111111-1111-4111-8111-111111111111';
my $p = publisher(products => [ { name => 'Travelled', id => $product, threshold => 1, group => 'client', pool => 'desktops' } ]);
my $a = start_appliance(publisher => $p, fronts => 1);
$a->enable(group => 'client');
my @everywhere = ('here', @there);

# One client each, whose state file every other one reads and goes on with.
my @client = ('--publisher-key', $p->{key}, '--product', $product, '--host', '127.0.0.1:' . $a->port, '--vm', 'no');
for my $first (@everywhere) {
    my @kept = (@client, '--state', "/exchange/client.$first", '--name', $first);
    good('activated', $first, 'kmsclient', @kept, 'activate');
    for my $other (@everywhere) {
        like(good("a state file of $first", $other, 'kmsclient', @kept, 'status'), qr/^licence: activated$/m, "$other: is licensed by it");
        good("renewed by a state file of $first", $other, 'kmsclient', @kept, 'renew');
    }
}
is($a->client('one', 'activate')->{exit}, 0, 'a client of the host here');

# What a processor has made of the ledger that was backed up there.
my $clients = @everywhere + 1;
sub state_of ($where) {
    my $dir = $where eq 'here' ? "$shared/here" : "/exchange/$where";
    my $made = "$shared/$where";
    remove_tree($made);
    make_path("$made/state");
    run([ 'cp', '-a', $a->dir . '/state/keys', "$made/state/" ]);
    my $nobody = getpwnam 'nobody';
    chown $nobody, -1, "$made/state";
    spew("$made/kms.ini", "[kms]\nstate_directory = $dir/state\nruntime_directory = $dir/run\nactivate_user = nobody\nfront_user = daemon\n"
        . "[ledger]\nsegment_size = 1M\nmap_size = 16M\n[publisher acme]\nkey = $p->{key}\n");
    return ('kmsctl', '-c', "/exchange/$where/kms.ini");
}
sub restored ($where, $backup) {
    my @kmsctl = state_of($where);
    good("the backup of $backup is restored", $where, @kmsctl, qw(ledger restore), "/exchange/backup.$backup");
    good('the ledger is whole, and its index is what the journal says', $where, @kmsctl, qw(ledger check));
    my $seen = good('its clients', $where, @kmsctl, qw(--json clients));
    is(scalar(() = $seen =~ /"cmid"/g), $clients, "$where: there are $clients");
    # But for where kmsd was looked for.
    return (\@kmsctl, $seen =~ s{^\s*"note":.*\n}{}mr);
}

is($a->stop, 0, 'kmsd stops');
is($a->kmsctl(qw(ledger backup), "$shared/backup.here")->{exit}, 0, 'here: a backup');
my $last = 'here';
for my $where (@there) {
    my ($kmsctl) = restored($where, $last);
    good('leases are added', $where, 'fill_ledger', '--publisher', $p->{key}, '--product', $product, '--clients', MORE, "/exchange/$where/state");
    $clients += MORE;
    good('a backup', $where, @$kmsctl, qw(ledger backup), "/exchange/backup.$where");
    $last = $where;
}
my %seen = map { $_ => (restored($_, $last))[1] } @everywhere;
is($seen{$_}, $seen{here}, "$_ reads of every client what is read here") for @there;

# Back at home.
my $state = $a->dir . '/state';
rename "$state/kmsdb", "$state/kmsdb.was" or die "rename: $!";
is($a->kmsctl(qw(ledger restore), "$shared/backup.$last")->{exit}, 0, "the backup of $last is restored at home");
$a->start;
is($a->client('one', 'renew')->{exit}, 0, 'its client renews');
my ($status) = $a->kmsctl_json('status');
is($status->{ledger}{clients} // $status->{clients}, $clients, 'and kmsd knows all the others');
is($a->stop, 0, 'kmsd stops');
is($a->kmsctl(qw(ledger check))->{exit}, 0, 'and what it wrote on the ledger is whole');
done_testing;
