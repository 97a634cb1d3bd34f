#!/usr/bin/perl
# Ten thousand machines behind one address that are switched on together, with everything as shipped: the rules of
# kmsctl firewall, the limits of connections and of new clients. All of them have a lease within ten minutes.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use Test::More;

use constant { MACHINES => 10_000, MINUTES => 10 };

if ($> != 0) {
    diag('*** NOT TESTED: an office behind one address. It needs root, for network namespaces: sudo prove t/integration/shared_address.t');
    plan skip_all => 'needs root for network namespaces';
}
my ($host, $office) = ("kmssh$$", "kmsso$$");
my $owner = $$;
END {
    if (defined $owner && $$ == $owner && $host) {
        my $status = $?;
        system "ip netns del $_ 2>/dev/null" for $host, $office;
        $? = $status;
    }
}
sub sh ($command) { system($command) == 0 or die "$command: $?\n" }
sh("ip netns add $_") for $host, $office;
sh("ip link add v1 netns $host type veth peer name v1 netns $office");
sh("ip -n $host addr add 10.88.0.1/24 dev v1");
sh("ip -n $office addr add 10.88.0.2/24 dev v1");
for my $ns ($host, $office) { sh("ip -n $ns link set $_ up") for qw(lo v1) }

my $product = '11111111-1111-4111-8111-111111111111';
my $p = publisher(products => [ { name => 'Office', id => $product, threshold => 25, group => 'client', pool => 'desktops' } ]);
my $a = start_appliance(publisher => $p, through => [ 'ip', 'netns', 'exec', $host ]);
$a->enable(group => 'client');
is($a->stop, 0, 'stopped, for the configuration as shipped');
my $ini = slurp($a->ini) =~ s/^\[limits\]\n.*?(?=^\[)//msr =~ s/^address = .*/address = 10.88.0.1/mr =~ s/^port = 0$/port = 1688/mr;
spew($a->ini, $ini);
$a->start;
my $firewall = run([ 'ip', 'netns', 'exec', $host, program('kmsctl'), '-c', $a->ini, qw(firewall apply) ]);
is($firewall->{exit}, 0, 'the firewall is in force') or diag($firewall->{err});

# Each machine connects by itself. What the firewall drops, the kernel of the office sends again.
my $begin = time;
my ($leases, $refused) = (0, 0);

sub machines ($mode, $first, $count, $connections = 250) {
    my $r = run([ 'ip', 'netns', 'exec', $office, program('load'), $mode, '--host', '10.88.0.1', '--port', 1688,
        '--publisher', $p->{key}, '--product', $product, '--clients-file', $a->dir . '/office.keys', '--clients', $mode eq 'renew' ? $count : MACHINES,
        '--first', $first, '--requests', $count, '--connections', $connections, '--reconnect', '--sample', 1000 ]);
    my %said = $r->{out} =~ /(\w+)=(\S+)/g;
    is(($said{leases} // 0) + ($said{refused} // 0), $count, "machines $first to " . ($first + $count - 1) . " are answered: $mode")
        or diag("$r->{out}$r->{err}");
    $leases += $said{leases} // 0;
    $refused += $said{refused} // 0;
}
machines('activate', 0, 24, 1);
is($refused, 24, 'the first 24 are told that the count is too low');
machines('activate', 24, 2_476);
machines('activate', $_ * 2_500, 2_500) for 1 .. 3;
is($refused, 24, 'and no other');
machines('renew', 0, 24);
is($leases, MACHINES, 'everybody has a lease, with them');
cmp_ok(time - $begin, '<', MINUTES * 60, 'within ' . MINUTES . ' minutes: ' . (time - $begin) . ' s');
my ($status) = $a->kmsctl_json('status');
is($status->{pools}[0]{counted}, MACHINES, 'all of them count');
is_deeply($status->{limits}, [], 'and no limit was reached');
is($a->stop, 0, 'kmsd ends well');
done_testing;
