#!/usr/bin/perl
# kmsd as root of a container that was given fewer capabilities than it needs: the log names the layer of the sandbox that cannot be applied,
# and the capability with which it could; and kmsd does not start without it.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use Test::More;

plan skip_all => 'NOT TESTED: capabilities are for root to give up: run as root' if $> != 0;
my $dir = workspace();

sub start_without ($capability, $ini = '') {
    run([ 'rm', '-rf', "$dir/state", "$dir/run" ]);
    spew("$dir/kms.ini", "[kms]\nstate_directory = $dir/state\nruntime_directory = $dir/run\nactivate_user = nobody\nfront_user = daemon\n"
        . "[listen]\naddress = 127.0.0.1\nport = 0\n$ini");
    # One that starts after all is ended.
    return run([ 'timeout', 20, 'setpriv', '--bounding-set', '-' . lc $capability, program('kmsd'), '-f', "$dir/kms.ini", '-L', $BUILD ]);
}

for (
    [ SYS_ADMIN => 'netns' ], [ SYS_CHROOT => 'chroot' ], [ SETUID => 'uid' ], [ SETGID => 'uid' ],
) {
    my ($capability, $layer) = @$_;
    my $r = start_without($capability);
    is($r->{exit}, 69, "without CAP_$capability, kmsd does not start") or diag($r->{err});
    like($r->{err}, qr/sandbox: sandbox layers not in force: $layer; /, 'the layer is named');
    like($r->{err}, qr/sandbox: kmsd was started without CAP_$capability: docker and podman give it with --cap-add=$capability$/m, 'and the capability');
}

my $r = start_without('SYS_ADMIN', "[sandbox]\nallow_missing = netns\n");
like($r->{err}, qr/kmsd-ready/, 'a layer that may be missing keeps it from nothing');
unlike($r->{err}, qr/was started without/, 'and then the capability is not missed');
done_testing;
