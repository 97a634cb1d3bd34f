#!/usr/bin/perl
# Two fronts are two users where the second user exists, and the firewall's rule for the relay is for both; else they share one. The
# users are in a passwd file of this test's own, bound over /etc/passwd in a mount namespace.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use Test::More;

plan skip_all => 'NOT TESTED: users are for root to give: run as root' if $> != 0;
my $dir = workspace();
my ($uid, $gid) = (getpwnam 'daemon')[ 2, 3 ];
my $passwd = spew("$dir/passwd", slurp('/etc/passwd') . "daemon1:x:64001:64001::/nonexistent:/usr/sbin/nologin\n");
my @in = ('unshare', '-m', 'sh', '-c', "mount --bind $passwd /etc/passwd && exec \"\$@\"", 'sh');

# Of each front, in the order of their starts: real, effective, saved and file system uid.
sub users ($appliance) {
    return map { slurp("/proc/$_/status") =~ /^Uid:\s+(.*)$/m } sort { $a <=> $b } @{ $appliance->children->{'kmsd-front'} };
}
my @all = map { join "\t", ($_) x 4 } $uid, 64001;

my $a = start_appliance(publisher => publisher(), through => \@in, ini => "[relay]\nupstream = 192.0.2.1:1700\n");
is_deeply([ sort +users($a) ], [ sort @all ], 'two fronts, two users');
my ($second) = grep { slurp("/proc/$_/status") =~ /^Uid:\s+64001\s/m } @{ $a->children->{'kmsd-front'} };
kill 'KILL', $second;
wait_for(30, sub { (() = $a->log =~ /child-ready: kmsd-front 1,/g) == 2 }, 'another second front');
is_deeply([ sort +users($a) ], [ sort @all ], 'and the next second front is the second user again');
is($a->stop, 0, 'kmsd stops');

my $show = sub (@through) { return run([ @through, program('kmsctl'), '-c', $a->ini, 'firewall', 'show' ]) };
spew($a->ini, slurp($a->ini) =~ s/^port = 0$/port = 1688/mr);
my $rules = $show->(@in);
like($rules->{out}, qr/meta skuid \{ $uid, 64001 \} tcp/, 'the rule for the relay is for both') or diag(explain $rules);
like($show->()->{out}, qr/meta skuid $uid tcp/, 'and for one where there is one');
my $checked = run([ 'unshare', '-n', 'nft', '-c', '-f', '-' ], in => $rules->{out});
is($checked->{exit}, 0, 'nft takes the rules') or diag($checked->{err});

my $b = start_appliance(publisher => $a->{publisher});
is_deeply([ users($b) ], [ ($all[0]) x 2 ], 'without a second user both are the first');
is($b->stop, 0, 'kmsd stops');
done_testing;
