#!/usr/bin/perl
# kmsctl doctor: what it says of an appliance at every step of its life, and that each ill is found by the check that is named for it.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use POSIX ();
use Test::More;

# The firewall and the rules of this test are those of a network of its own.
if ($> == 0 && !$ENV{KMS_DOCTOR_APART}) {
    $ENV{KMS_DOCTOR_APART} = 1;
    exec 'unshare', '--net', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', $^X, $0 or die "unshare: $!";
}

my $p = publisher();
my $a = start_appliance(publisher => $p);

# (findings of one check as "level: text", the exit code)
sub doctor ($check) {
    my ($json, $exit) = $a->kmsctl_json('doctor');
    return (join("\n", map { "$_->{level}: $_->{text} -> " . ($_->{next} // '') } grep { $_->{check} eq $check } @{ $json->{findings} }), $exit);
}

my ($said, $exit) = doctor('key');
like($said, qr/^bad: no host key -> kmsctl key install/, 'no key');
is($exit, 4, 'exit 4');
like((doctor('count'))[0], qr/^bad: no policy pack.* -> kmsctl policy install/, 'no pack');
$a->do('policy', 'install', $p->{pack});
my $key = issue_key($p, valid_to => POSIX::strftime('%Y-%m-%d', gmtime(time + 10 * 86400)));
$a->do('key', 'install', $key);
like((doctor('key'))[0], qr/^bad: acme: this host is not confirmed -> kmsctl key request/, 'not confirmed');
$a->certify($p, $key);
like((doctor('key'))[0], qr/^warning: acme: the key expires in (?:9|10) days -> ask the publisher/, 'near its end');
like((doctor('count'))[0], qr/^warning: Example Server: 0 of 5 clients, 5 short/m, 'below the threshold');
$a->client("pc-$_", 'activate') for 1 .. 5;
like((doctor('count'))[0], qr/^good: Example Server: 5 of 5 clients/m, 'at the threshold');
like((doctor($_))[0], qr/^good: /, "$_ is well") for qw(service version ledger disk sandbox dns);
like((doctor('clock'))[0], qr/^(?:good|warning): /, 'the clock is looked at');

SKIP: {
    skip 'not root: the firewall and owners', 5 if $> != 0;
    like((doctor('firewall'))[0], qr/^bad: .*port.* -> kmsctl plan/, 'a port that changes at each start');
    spew($a->ini, slurp($a->ini) =~ s/port = 0/port = 1688/r);
    like((doctor('firewall'))[0], qr/^bad: .*difference.* -> kmsctl apply/, 'no firewall') or diag($a->kmsctl('doctor')->{out});
    $a->do('firewall', 'apply');
    like((doctor('firewall'))[0], qr/^good: /, 'with it');
    chmod 0755, $a->dir . '/state';
    like((doctor('files'))[0], qr/^bad: .*state.* -> kmsctl apply/, 'a state directory that all may read');
    chmod 0700, $a->dir . '/state';
    # A disk that is full: a small one over the state directory, which only this process and its children see.
    my $r = run([ 'unshare', '--mount', 'sh', '-c', 'mount -t tmpfs -o size=64k none "$0" && exec "$@"', $a->dir . '/state',
        program('kmsctl'), '-c', $a->ini, '--json', 'doctor' ]);
    my %level = map { ($_->{check} => $_->{level}) } @{ json_of($r)->{findings} };
    is($level{disk}, 'bad', 'a full disk');
}
like($a->kmsctl('doctor')->{out}, qr/^ *good +service +kmsd is running\n.*^ *warning +key +acme: .*: ask the publisher/ms, 'as text');
is($a->stop, 0, 'kmsd stops');
like((doctor('service'))[0], qr/^bad: kmsd is not running.* -> systemctl start kmsd/, 'not running');
like((doctor('ledger'))[0], qr/^good/, 'the ledger is looked at all the same');
my ($segment) = sort glob $a->dir . '/state/kmsdb/journal/*';
spew($segment, 'x' x 4096);
like((doctor('ledger'))[0], qr/^bad: .* -> kmsctl ledger check/, 'a damaged ledger');
done_testing;
