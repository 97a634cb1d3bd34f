#!/usr/bin/perl
# From one version to the next, as an administrator does it on a machine that is booted (systemd-nspawn): kmsd 0.0.9 with an index of the
# schema before serves clients, apt upgrades it meanwhile, and kmsd makes the index again by itself. The older packages are then refused, because
# the ledger is newer, and kmsd goes on. t/integration/versions.t tries what leads back.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Debian;
use KMS::Machine;
use KMS::Test;
use Test::More;
use Time::HiRes qw(time);

skip_unless_possible(qw(debootstrap dpkg-buildpackage dh systemd-nspawn nsenter setpriv ip));
my $packages = prepare();
my $older = older($packages);
my $dir = apart($packages, 'net');
my ($machine_at, $test_at) = ('10.77.0.2', '10.77.0.1');
my $m = KMS::Machine->new(make_root($packages, "$dir/root"), there => ["$machine_at/24"], here => ["$test_at/24"]);
my $product = '11111111-1111-4111-8111-111111111111';
my $p = publisher(dir => "$dir/publisher", products => [ { name => 'Upgraded', id => $product, threshold => 1, group => 'client', pool => 'desktops' } ]);
mkdir "$dir/clients";
my ($version) = slurp("$SRC/debian/changelog") =~ /\(([^)]+)\)/;
my ($schema) = slurp("$SRC/kmsdb/version.h") =~ /^#define INDEX_SCHEMA (\d+)/m;

sub good ($name, @command) {
    my $r = $m->run(@command);
    is($r->{exit}, 0, $name) or diag("@command: $r->{out}$r->{err}" . $m->run(qw(journalctl --no-pager -n 30))->{out});
    return $r->{out};
}
sub client ($n, $verb) {
    return run([ program('kmsclient'), '--publisher-key', $p->{key}, '--product', $product, '--state', "$dir/clients/$n", '--host', "$machine_at:1688",
        '--name', "pc-$n", $verb ])->{exit};
}
sub apt (@options) { return $m->run(qw(apt-get install -y -q -o DPkg::Options::=--force-unsafe-io), @options) }
sub files ($debs, $folder) {
    my $there = $m->host("/root/$folder");
    mkdir $there;
    run([ 'cp', @$debs{qw(kmsd kmsctl)}, $there ]);
    return map { "/root/$folder/" . s{.*/}{}r } @$debs{qw(kmsd kmsctl)};
}
sub version_of ($package) { return $m->run('dpkg-query', '-W', '-f', '${Version} ${db:Status-Status}', $package)->{out} }
sub both_are ($version, $what) { is(join(', ', map { version_of($_) } qw(kmsd kmsctl)), "$version installed, $version installed", $what) }
sub log_of () { return $m->run(qw(journalctl --no-pager -b -o cat -u kmsd))->{out} }
sub goes_on ($acks, $what) {
    my $before = -s $acks // 0;
    ok(eval { wait_for(60, sub { (-s $acks // 0) > $before + 10_000 }, 'clients are served') }, $what) or diag("$@" . log_of());
}
my $at = time;
sub took ($what) { note(sprintf '%s: %.1f s', $what, time - $at); $at = time }

my $state = eval { $m->boot };
not_tested("systemd-nspawn does not boot here: $@") if !$state;
took('booted');
my @old = files($older, 'old');
my @new = files($packages->{debs}, 'new');
my $r = apt(@old);
is($r->{exit}, 0, 'the version before is installed') or diag("$r->{out}$r->{err}");
spew($m->host('/etc/kms/kms.ini'), "[limits]\nrenewals_per_interval = 1000000\n[ledger]\nsegment_size = 1M\n[publisher acme]\nkey = $p->{key}\n");
good('kmsctl apply', qw(kmsctl apply));
my $key = issue_key($p, group => 'client', output => "$dir/customer");
run([ 'cp', $p->{pack}, "$p->{pack}.minisig", $key, "$key.minisig", $m->host('/root/') ]);
good('a pack', qw(kmsctl policy install), $p->{pack} =~ s{.*/}{/root/}r);
good('a key', qw(kmsctl key install /root/customer.kmskey));
good('a request', qw(kmsctl key request -o /root/host.kmsreq));
confirm($p, $m->host('/root/host.kmsreq'), output => $m->host('/root/host'));
good('and its confirmation', qw(kmsctl key confirm /root/host.kmscert));
is(client($_, 'activate'), 0, "client $_ is activated") for 1 .. 3;
is(slurp($m->host('/var/lib/kms/kmsdb/version')), 'index ' . ($schema - 1) . "\nkmsd 0.0.9\n", 'the ledger is of the version before');
took('kmsd 0.0.9');

# Under load.
my $acks = "$dir/acks";
my $siege = spawn([ program('siege'), '--churn', '--host', $machine_at, '--port', 1688, '--publisher', $p->{key}, '--product', $product,
    '--clients', 16, '--state', "$dir/siege.state", '--acks', $acks ], log => "$dir/siege.log");
goes_on($acks, 'clients are served');
$r = apt(@new);
is($r->{exit}, 0, 'apt upgrades') or diag("$r->{out}$r->{err}");
both_are($version, 'both packages are the newer ones');
goes_on($acks, 'clients are served by the newer one');
my $log = log_of();
like($log, qr/index-rebuild: the index has schema ${\($schema - 1)}, and kmsd \S+ has $schema: it is made again from the journal, up to batch \d+/, 'kmsd made the index again');
like($log, qr/index-rebuild: the index has been made again/, 'and said when it was done');
unlike($log, qr/ledger-refused|child-not-ready/, 'and refused nothing meanwhile');
is(slurp($m->host('/var/lib/kms/kmsdb/version')), "index $schema\nkmsd $version\n", 'the ledger is of this version now');
took('the upgrade under load');

# An older package over the newer ledger.
my $pid = $m->show('kmsd', 'MainPID');
$r = apt('--allow-downgrades', @old);
isnt($r->{exit}, 0, 'the older packages are refused');
my $said = "$r->{out}$r->{err}";
like($said, qr/^$_: version 0\.0\.9 is not installed, and nothing was changed: kmsd \Q$version\E wrote the ledger/m, "$_ says why") for qw(kmsd kmsctl);
both_are($version, 'both packages are as before');
is($m->show('kmsd', 'MainPID'), $pid, 'kmsd was not even restarted');
goes_on($acks, 'clients are served');
kill 'TERM', $siege;
is(wait_exit($siege, 60), 0, 'every answer was right');
like(slurp("$dir/siege.log"), qr/refused=0 dropped=0/, 'nobody was refused or dropped by the upgrade, nor by the refused downgrade') or diag(slurp("$dir/siege.log"));
is(client($_, 'renew'), 0, "client $_, which the version before activated, renews") for 1 .. 3;
good('the ledger is whole', qw(kmsctl ledger check));
my $in = run([ "$BUILD/acks_in_journal", $m->host('/var/lib/kms'), $acks ]);
is($in->{exit}, 0, 'each lease that a client was given is in the journal') or diag("$in->{out}$in->{err}");
took('the refused downgrade');

$m->poweroff;
done_testing;
