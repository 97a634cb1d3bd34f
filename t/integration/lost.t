#!/usr/bin/perl
# What a host must not lose without a word: its identity, its state directory, the end of its journal. Each time it does not start, says
# what to type, and that works.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Path qw(make_path remove_tree);
use IO::Socket::INET;
use KMS::Test;
use Test::More;

my $p = publisher(products => [ { name => 'Kept', id => '11111111-1111-4111-8111-111111111111', threshold => 1, group => 'client', pool => 'desktops' } ]);
my $a = start_appliance(publisher => $p, fronts => 1, ini => "[ledger]\ncheckpoint_interval = 1\n");
my ($state, $run) = map { $a->dir . "/$_" } qw(state run);
$a->enable(group => 'client', output => $a->dir . '/customer');
is($a->client('one', 'activate')->{exit}, 0, 'a client is activated');
my ($before) = $a->kmsctl_json('status');
my $id = $before->{service}{host_id} // $before->{service}{'host-id'};
like($id, qr/^[0-9a-f]{32}$/, 'the host has an id');

# How a start ends: exit code, and what was logged.
sub start_fails () {
    my $r = run([ program('kmsd'), '-f', $a->ini, '-L', $BUILD ]);
    return ($r->{exit}, $r->{err});
}

sub refused ($what, $says) {
    my ($exit, $log) = start_fails;
    cmp_ok($exit, '>=', 69, "$what: no start");
    like($log, $says, "$what: the log says what to do") or diag $log;
    return;
}

is($a->stop, 0, 'kmsd stops');
ok(-e "$run/host", 'the runtime directory remembers the host');

# -- the key alone --
rename "$state/keys/host.key", $a->dir . '/host.key' or die;
refused('without host.key', qr/host-lost: .*keys\/host\.key is missing.*restore keys\/.*NEW host/);
unlink "$run/host" or die;
refused('without host.key, after a reboot', qr/host-key-refused: .*a journal of this host is still there: restore keys\/ from a backup.*NEW host/);
ok(!-e "$state/keys/host.key", 'no new key was made');
rename "$state/kmsdb", $a->dir . '/kmsdb' or die;
refused('without journal too', qr/host-key-refused: .*a confirmation of this host is still there/);
rename $a->dir . '/kmsdb', "$state/kmsdb" or die;
rename $a->dir . '/host.key', "$state/keys/host.key" or die;
$a->start;
is($a->client('one', 'renew')->{exit}, 0, 'with the key back, clients are served');
is($a->stop, 0, 'kmsd stops');

# -- the state directory: a disk that is not mounted --
my ($uid, $gid) = (stat $state)[4, 5];
rename $state, "$state.disk" or die;
mkdir $state, 0700 or die;
chown $uid, $gid, $state;
refused('an empty state directory', qr/host-lost: .*findmnt.*restore keys\/.*rm \Q$run\E\/host/);
is_deeply([ glob "$state/*" ], [], 'nothing is made in it');
my ($plan) = $a->kmsctl_json('plan');
my ($found) = grep { $_->{aspect} eq 'files' && $_->{what} =~ /host\.key/ } @{ $plan->{differences} };
is($found->{state}, 'by-hand', 'plan leaves it to the administrator') or diag explain $plan->{differences};
like($found->{due}, qr/mount/, 'and says what to do');
ok(!(grep { $_->{aspect} eq 'service' && $_->{state} ne 'by-hand' } @{ $plan->{differences} }), 'apply would not start kmsd');
my ($doctor) = $a->kmsctl_json('doctor');
ok((grep { $_->{check} eq 'identity' && $_->{level} eq 'bad' } @{ $doctor->{findings} }), 'doctor says so');
unlink "$run/host" or die;
SKIP: {
    skip 'needs root and /etc/fstab, for a mount of its own', 3 if $> != 0 || !-e '/etc/fstab';
    spew($a->dir . '/fstab', "/dev/nothing $state ext4 defaults 0 2\n");
    my $apart = sub (@args) { json_of(run([ 'unshare', '-m', 'sh', '-c', 'mount --bind "$1" /etc/fstab && shift && exec "$@"', 'sh', $a->dir . '/fstab', program('kmsctl'), '-c', $a->ini, @args, '--json' ])) };
    my $j = $apart->('plan');
    my ($d) = grep { $_->{aspect} eq 'files' && $_->{what} =~ /host\.key/ } @{ $j->{differences} };
    is($d->{state}, 'by-hand', 'after a reboot, a file system of /etc/fstab that is not mounted is left to the administrator') or diag explain $j->{differences};
    like($d->{due}, qr/^mount \Q$state\E, then run kmsctl apply/, 'and he is told to mount it');
    $j = $apart->('apply');
    is_deeply([ glob "$state/*" ], [], 'apply makes nothing there') or diag explain $j;
}
$a->start;
my ($after) = $a->kmsctl_json('status');
isnt($after->{service}{host_id} // $after->{service}{'host-id'}, $id, 'as the message says: without the file, it is a new host');
is($a->stop, 0, 'kmsd stops');
remove_tree($state);
rename "$state.disk", $state or die;

# -- copies of files, made while kmsd ran: the journal first, the index later --
sub copy_live () {
    $a->start;
    my $copy = $a->dir . '/copy';
    remove_tree($copy);
    make_path("$copy/kmsdb");
    run([ 'cp', '-a', "$state/kmsdb/journal", "$copy/kmsdb/" ]);
    is($a->client($_, 'activate')->{exit}, 0, 'meanwhile a client is activated') for 'c' . time . int rand 1e6;
    is($a->kmsctl('clients')->{exit}, 0, 'and the index is written');
    run([ 'cp', '-a', "$state/kmsdb/index", "$copy/kmsdb/" ]);
    is($a->stop, 0, 'kmsd stops');
    for (glob "$state/*") { run([ 'cp', '-a', $_, $copy ]) if !/kmsdb$/ }
    chown $uid, $gid, $copy, "$copy/kmsdb";
    remove_tree($state);
    rename $copy, $state or die;
    return;
}
copy_live;
refused('a live copy', qr/ledger-refused: .*not in the journal; .*kmsctl ledger rebuild/);
my ($check) = $a->kmsctl_json('ledger', 'check');
is($check->{error}{symbol}, 'KMS_E_INDEX', 'ledger check names the same cause');
is($a->kmsctl('ledger', 'rebuild')->{exit}, 0, 'ledger rebuild');
ok(-e "$state/kmsdb/restored", 'the record will say that it went back');
$a->start;
is($a->client('one', 'renew')->{exit}, 0, 'then it starts and serves');
my ($s) = $a->kmsctl_json('status');
cmp_ok($s->{ledger}{restores}, '>=', 1, 'and the journal has an entry of it') or diag explain $s->{ledger};
is($a->stop, 0, 'kmsd stops');

# A damaged index is not a damaged journal.
open my $fh, '+<:raw', "$state/kmsdb/index/data.mdb" or die;
print {$fh} "\xff" x 8192;
close $fh;
refused('a damaged index', qr/ledger-refused: .*the index \(kmsdb\/index\) is damaged.*kmsctl ledger rebuild/);
is($a->kmsctl('ledger', 'rebuild')->{exit}, 0, 'ledger rebuild');
$a->start;
is($a->client('one', 'renew')->{exit}, 0, 'then it starts and serves');
is($a->stop, 0, 'kmsd stops');

# -- the port is taken: kmsd says so, and doctor names who has it --
my $taker = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die;
my ($port, $me) = ($taker->sockport, $$);
spew($a->ini, slurp($a->ini) =~ s/^port = 0$/port = $port/mr);
like(slurp($a->ini), qr/^port = $port$/m, 'a fixed port');
refused('a port that is taken', qr/start-failed: cannot listen on .* port $port: Address already in use/);
($doctor) = $a->kmsctl_json('doctor');
my ($who) = grep { $_->{check} eq 'port' } @{ $doctor->{findings} };
is($who->{level}, 'bad', 'doctor has a finding') or diag explain $doctor->{findings};
SKIP: {
    skip 'only root sees whose socket it is', 1 if $> != 0;
    like($who->{text}, qr/^port $port is taken by .+, process $me\z/, 'which names the program and its process');
}
ok((grep { $_->{check} eq 'identity' && $_->{level} eq 'good' } @{ $doctor->{findings} }), 'and the identity is there');
close $taker;

# -- systemd does not start it any more: a systemctl that says so, on a machine that looks as if systemd ran it --
SKIP: {
    skip 'needs root, for a /run of its own', 10 if $> != 0;
    my $bin = $a->dir . '/bin';
    mkdir $bin or die "$bin: $!";
    my $units = sub (%result) {
        spew("$bin/systemctl", "#!/bin/sh\n[ \"\$1\" = show ] || exit 1\ncat <<END\n"
            . join("\n", map { "Result=$result{$_}\nId=$_\n" =~ s/(Result.*\n)(Id.*\n)/$2$1/r } sort keys %result) . "END\n");
        chmod 0755, "$bin/systemctl";
        my $j = json_of(run([ 'unshare', '-m', 'sh', '-c', 'mount -t tmpfs none /run && mkdir -p /run/systemd/system && PATH=$1:$PATH && shift && exec "$@"', 'sh', $bin,
            program('kmsctl'), '-c', $a->ini, '--json', 'doctor' ]));
        return grep { $_->{check} eq 'start' } @{ $j->{findings} };
    };
    for my $row ([ 'kmsd.service', 'start-limit-hit' ], [ 'kmsd.socket', 'trigger-limit-hit' ], [ 'kmsd.socket', 'service-start-limit-hit' ]) {
        my ($unit, $result) = @$row;
        my ($limit, @more) = $units->('kmsd.service' => 'success', 'kmsd.socket' => 'success', $unit => $result);
        is($limit->{level}, 'bad', "$unit, $result: doctor has a finding");
        like("$limit->{text} -> $limit->{next}", qr/no longer starts \Q$unit\E: .*\($result\) -> .*systemctl reset-failed kmsd\.socket kmsd\.service, then systemctl start kmsd$/,
            'which says why, and how to reset it');
        is(scalar @more, 0, 'one');
    }
    is_deeply([ $units->('kmsd.service' => 'exit-code', 'kmsd.socket' => 'success') ], [], 'a start that failed for another reason is no limit');
}
done_testing;
