#!/usr/bin/perl
# Who may use kmsctl: root, members of control_group, and those of monitor_group, who may only look. The ledger's files are closed to both.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use Test::More;

plan skip_all => 'needs root, to run as other users' if $> != 0;
plan skip_all => "there is no group $_" for grep { !defined getgrnam $_ } qw(nogroup games daemon);

my $p = publisher(products => [ { name => 'Desk', id => '11111111-1111-4111-8111-111111111111', threshold => 1, group => 'client', pool => 'desktops' } ]);
my $a = start_appliance(publisher => $p, fronts => 1, ini => "[kms]\ncontrol_group = games\nmonitor_group = daemon\n[ledger]\ncheckpoint_interval = 1\n");
$a->enable(group => 'client', output => $a->dir . '/customer');
chmod 0755, $a->dir;
is($a->client("pc$_", 'activate')->{exit}, 0, 'a client is activated') for 1 .. 3;

sub as ($group, @args) {
    return run([ 'setpriv', '--reuid', 2, '--regid', scalar getgrnam($group), '--clear-groups', program('kmsctl'), '-c', $a->ini, @args ]);
}

# A copy of pc2, so that the key is held.
spew($a->dir . "/clients/copy$_", slurp($a->dir . "/clients/pc2$_")) for '', '.key';
chmod 0600, $a->dir . '/clients/copy.key';
is($a->client($_->[0], 'renew')->{exit}, $_->[1], "$_->[0] renews: exit $_->[1]") for [ 'pc2', 0 ], [ 'copy', 0 ], [ 'pc2', 2 ];
my ($held) = map { $_->{cmid} } grep { $_->{held_until} } @{ ($a->kmsctl_json('clients'))[0]{clients} };
like($held, qr/^[0-9a-f]{32}$/, 'a client is held');

my @all = split /\n/, $a->kmsctl('clients', '--full')->{out};
my ($cmid) = grep { $_ ne $held } "@all" =~ /([0-9a-f]{32})/g;
like($cmid, qr/^[0-9a-f]{32}$/, 'root sees a CMID');
for my $group (qw(games daemon)) {
    is(as($group, 'status')->{exit}, 0, "$group: status");
    my $r = as($group, 'clients', '--full');
    is($r->{exit}, 0, "$group: clients") or diag $r->{err};
    is($r->{out}, join('', map { "$_\n" } @all), "$group: the same as root sees");
    $r = as($group, 'client', 'show', substr $cmid, 0, 8);
    like($r->{out}, qr/\Q$cmid\E/, "$group: client show, by the beginning of a CMID") or diag $r->{err};
    $r = as($group, 'why', '127.0.0.1');
    is($r->{exit}, 0, "$group: why") or diag $r->{err};
    is($r->{out}, $a->kmsctl('why', '127.0.0.1')->{out}, "$group: the same as root sees");
    $r = as($group, 'why', $held);
    like($r->{out}, qr/Two machines use this client's key in turn\. .*kmsctl client forget $held/s, "$group: why tells of a hold, and what to type") or diag $r->{err};
    is($r->{out}, $a->kmsctl('why', $held)->{out}, "$group: the same as root sees");
    like(as($group, 'client', 'show', $held)->{out}, qr/Two machines use this client's key in turn/, "$group: so does client show");
    is(as($group, 'clients', '--clones', '--all')->{exit}, 0, "$group: clients --clones");
    isnt(as($group, 'ledger', 'check')->{exit}, 0, "$group: the files of the ledger are closed");
    isnt(run([ 'setpriv', '--reuid', 2, '--regid', scalar getgrnam($group), '--clear-groups', 'ls', $a->dir . '/state/kmsdb' ])->{exit}, 0, "$group: for every program");
}
my $r = as('daemon', 'client', 'forget', $cmid);
is($r->{exit}, 2, 'the monitor group forgets nobody');
like($r->{err}, qr/monitor_group may only use commands that show something: run this as root or as a member of control_group/, 'and is told why');
like(as('daemon', @$_)->{err}, qr/may only use commands that show something/, "nor does it: @$_") for [ qw(client revoke), $cmid ], [ qw(client erase), $cmid ], [ qw(key request) ];
is(as('games', 'client', 'forget', $cmid)->{exit}, 0, 'the control group does');
unlike(as('games', 'clients', '--full')->{out}, qr/$cmid/, 'and the client is gone');
$r = as('nogroup', 'clients');
is($r->{exit}, 2, 'others may do nothing');
like($r->{err}, qr/only root, the user who started kmsd and members of/, 'and are told who may');
is(as('nogroup', 'status')->{exit}, 4, 'status: 4, unknown, as LSB has it');

is($a->stop, 0, 'kmsd stops');
$r = as('games', 'clients');
is($r->{exit}, 3, 'without kmsd, the group sees nothing, and exit 3 says that it does not run') or diag $r->{err};
is(as('games', 'status')->{exit}, 3, 'status: 3');
for my $who (substr($held, 0, 8), $held, 'copy') {
    for my $command ([ 'client', 'show' ], ['why']) {
        $r = as('games', @$command, $who);
        is($r->{exit}, 3, "@$command $who: 3");
        like($r->{err}, qr/while kmsd is not running, only root can read the ledger \(sudo kmsctl\): kmsd is not running.*\n.*\n  Start kmsd/, "@$command $who: why, and what to type");
    }
}
like($a->kmsctl('client', 'show', $held)->{out}, qr/this is the state of the ledger.*Two machines use this client's key in turn/s, 'root may look: at the hold, too');
like($a->kmsctl('client', 'show', 'f' x 32)->{err}, qr/no client has the CMID/, 'and is told when there is no such client');
done_testing;
