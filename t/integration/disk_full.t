#!/usr/bin/perl
# A full disk under load, on a small tmpfs: clients are told to try again later, leases they hold stay good, nothing that was
# acknowledged is lost, and the appliance goes on by itself when there is room again.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use Test::More;

if ($> != 0) {
    diag('*** NOT TESTED: a full disk. It needs root, to mount a small tmpfs: sudo prove t/integration/disk_full.t');
    plan skip_all => 'needs root to mount a tmpfs';
}

my $product = '11111111-1111-4111-8111-111111111111';
my $p = publisher(products => [ { name => 'On a small disk', id => $product, threshold => 1,
    group => 'client', pool => 'desktops' } ]);
my $dir = workspace();
system('mount', '-t', 'tmpfs', '-o', 'size=12m,mode=755', 'kmsd-test', $dir) == 0 or die "mount: $?\n";
END { system('umount', '-l', $dir) if $dir }

my $outside = workspace();    # what the clients write is not on that disk
mkdir "$outside/clients";
symlink "$outside/clients", "$dir/clients" or die "symlink: $!\n";
my $a = start_appliance(publisher => $p, dir => $dir, ini => "[limits]\ndisk_reserve = 0\n");
$a->enable(group => 'client');
is($a->client('holder', 'activate')->{exit}, 0, 'a client is activated while there is room');

# Ballast takes what is left but for the segments that are already written.
sub ballast () {
    open my $fh, '>>:raw', "$dir/ballast" or die "ballast: $!\n";
    my $block = "\1" x 65536;
    1 while syswrite($fh, $block) == 65536;
    close $fh;
}
my ($acks, $log) = ("$outside/acks", "$outside/siege");
ballast();
my $siege = start_siege(port => $a->port, publisher => $p, product => $product, clients => 16,
    state => "$outside/state", acks => $acks, log => $log);

# The journal has room for some time; then every commit fails.
my $size = -1;
wait_for(120, sub {
    sleep 1;
    my $now = -s $acks // 0;
    my $still = $now > 0 && $now == $size;
    $size = $now;
    return $still;
}, 'the disk fills up');
ok(-s $acks, 'clients were answered until then');
my $refused = $a->client('late', 'activate', args => [ '--timeout', 10 ]);
isnt($refused->{exit}, 0, 'another client is not activated');
like($refused->{out} . $refused->{err}, qr/KMS_E_LEDGER/, 'and is told that the ledger cannot be written');
like($refused->{err}, qr/later|again|retry/i, 'and what to do');
is($a->client('holder', 'verify')->{exit}, 0, 'the lease of the first client is as good as before');
like($a->log, qr/ledger-\w+: .*(?:space|full)/i, 'the log says that there is no room');
is($a->kmsctl('status')->{exit}, 0, 'the appliance is up and can be asked');

unlink "$dir/ballast";
wait_for(60, sub { (-s $acks) > $size }, 'clients are answered again when there is room');
pass('clients are answered again when there is room, without a restart');
is($a->client('late', 'activate')->{exit}, 0, 'the late client too');
is($a->stop, 0, 'a clean stop');
is(wait_exit($siege, 20), 0, 'every answer was right') or diag(slurp($log));
my $in = run([ "$BUILD/acks_in_journal", "$dir/state", $acks ]);
is($in->{exit}, 0, 'all that was acknowledged is in the journal') or diag("$in->{out}$in->{err}");
my $check = $a->kmsctl('ledger', 'check');
is($check->{exit}, 0, 'the ledger is whole') or diag("$check->{out}$check->{err}");
done_testing;
