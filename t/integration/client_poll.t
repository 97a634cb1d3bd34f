#!/usr/bin/perl
# Asking without blocking: kms_start, kms_poll and kms_fd, each mode of a stand-in host with the same outcome as the call that blocks; what
# may be called meanwhile; and when kms_next says to ask.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Cwd qw(abs_path);
use IPC::Open2;
use KMS::Client;
use Test::More;

delete @ENV{qw(KMS_HOST KMS_DOMAIN)};
my $program = abs_path("$build/product_steps");
my $states = 0;
sub begin (@options) {
    my $pid = open2(my $out, my $in, $program, $KMS::Client::key, $KMS::Client::product, 'name=tester', @options);
    return { pid => $pid, in => $in, out => $out };
}
sub does ($p, $step) {
    my $in = $p->{in};
    print $in "$step\n";
    $in->flush;
    chomp(my $line = readline($p->{out}) // 'ended');
    return $line;
}
sub end ($p) { close $p->{in}; waitpid $p->{pid}, 0; return $? }
sub product ($options, @steps) {
    my $p = begin(@$options);
    my @said = map { does($p, $_) } @steps;
    is(end($p), 0, "(@steps) ended well");
    return @said;
}
sub masked ($text) { return $text =~ s/port \d+/port/gr }

# Whatever a host does, the two ways end alike, ask alike, and the descriptor is what woke the product.
my @modes = qw(good close close-after-request half garbage oversize wrong-type bad-seal wrong-certificate wrong-signature no-lease
    other-product overload not-confirmed ledger vm capacity count skew revoked sequence silent drip-slow drip);
push @modes, 'other-product,good', 'sequence,good';
for my $mode (@modes) {
    my (@ends, @asked);
    for my $way ([qw(open activate)], [qw(open start-activate loop)]) {
        my $host = standin($mode);
        my @said = product([ "state=$dir/s" . $states++, "host=127.0.0.1:$host->{port}", 'reply=300' ], @$way);
        push @ends, $said[-1];
        push @asked, [ map { "$_->{request} $_->{sequence} $_->{flags}" } stop($host) ];
    }
    my ($end, $how) = $ends[1] =~ /^(.*) \((.*)\)$/;
    is(masked($end), masked($ends[0] =~ s/ $//r), "$mode: the same end");
    is($how, 'in steps, woken, quiet', "$mode: in steps, and quiet afterwards");
    is_deeply($asked[1], $asked[0], "$mode: the same requests");
}
for my $state ('', "state=$dir/s" . $states++) {
    my $host = standin('good');
    my @said = product([ $state || 'total=30000', "host=127.0.0.1:$host->{port}" ],
        qw(open start-activate loop start-renew loop start-release loop), $state ? () : 'close');
    is_deeply([ map { (split / /)[0] } @said ], [ ('KMS_OK') x 7, $state ? () : 'closed' ], 'activated, renewed and released in steps');
    is(join(' ', map { $_->{request} } stop($host)), '1 2 3', 'and a close gives nothing back twice');
}

# Nobody there; no host found; no time.
my ($port, $socket) = dead_port();
like((product([ "state=$dir/s" . $states++, "host=127.0.0.1:$port" ], qw(open start-activate loop)))[2], qr/^KMS_E_NO_HOST 127\.0\.0\.1 port $port: .*refused/, 'refused');
like((product([ "state=$dir/s" . $states++, 'domain=nowhere.invalid', 'nameserver=127.0.0.1:1', 'total=3000' ], qw(open start-activate loop)))[2],
    qr/^KMS_E_NO_HOST SRV _kms\._tcp\.nowhere\.invalid: .*woken, quiet/, 'DNS is asked in steps');

# What may be called, and what may not, while a host is silent.
my $host = standin('silent,good');
my $state = "$dir/s" . $states++;
my @common = ("state=$state", "host=127.0.0.1:$host->{port}");
my $p = begin(@common);
my $other = begin(@common);
is(does($_, 'open'), 'KMS_OK ', 'opened') for $p, $other;
like(does($p, 'step'), qr/^KMS_E_ARGUMENT/, 'nothing was started');
is(does($p, 'next'), '0 operation 1', 'it is time to activate');
is(does($p, 'start-activate'), 'KMS_OK', 'started');
like(does($p, 'step'), qr/^KMS_E_PENDING/, 'the host is silent') for 1 .. 3;
is(does($p, 'next'), '-1 operation 0', 'the descriptor says when');
like(does($p, 'status'), qr/^KMS_OK licence 1 /, 'the licence can be asked for');
is(does($p, 'start-renew'), 'KMS_E_EXISTS', 'another request cannot');
like(does($p, 'renew'), qr/^KMS_E_EXISTS this client object is already waiting for an answer/, 'nor one that blocks');
like(does($other, 'activate'), qr/^KMS_E_EXISTS .*another process is using it/, 'nor by another process');
like(does($other, 'status'), qr/^KMS_OK licence 1 /, 'which may ask for the licence, too');
is(does($p, 'cancel'), 'cancelled', 'given up');
is(does($p, 'cancel'), 'cancelled', 'once more, which does nothing');
like(does($p, 'step'), qr/^KMS_E_ARGUMENT/, 'nothing is started then');
like(does($p, 'start-activate'), qr/^KMS_OK/, 'started again');
like(does($p, 'step'), qr/^KMS_E_PENDING/, 'on its way');
like(does($p, 'loop'), qr/^KMS_OK/, 'activated');
like(does($p, 'status'), qr/^KMS_OK licence 2 /, 'licensed');
my ($wait, $operation) = does($p, 'next') =~ /^(\d+) operation (\d)$/;
is($operation, 2, 'the next one renews');
cmp_ok($wait, '>', 0, 'later');
cmp_ok($wait, '<=', 86400_000, 'in a day at most');
like(does($other, 'renew'), qr/^KMS_OK/, 'the state file is free again');
is(end($_), 0, 'ended well') for $p, $other;
my @asked = stop($host);
is_deeply([ map { $_->{sequence} } @asked ], [ 1, 2 ], 'what was given up had not been sent, and is asked as it was');

# Closed on its way: the lock is free, and the next process repeats the request.
$host = standin('silent,good');
$state = "$dir/s" . $states++;
@common = ("state=$state", "host=127.0.0.1:$host->{port}");
$p = begin(@common);
does($p, $_) for qw(open start-activate step);
like(does($p, 'close'), qr/^closed/, 'closed while it asks');
like((product(\@common, qw(open activate)))[1], qr/^KMS_OK/, 'and asked by another');
end($p);
stop($host);

# A child that is forked while a request is on its way closes its copy of the object, and the parent's request goes on.
$host = standin('silent,good');
$state = "$dir/s" . $states++;
my @child = product([ "state=$state", "host=127.0.0.1:$host->{port}", 'reply=500' ], qw(open start-activate step fork loop start-activate loop));
like($child[2], qr/^KMS_E_PENDING/, 'on its way');
is($child[3], 'child 0', 'a child closes its copy');
like($child[4], qr/^KMS_E_TIMEOUT .*\(in steps, woken, quiet\)$/, 'the parent is still woken');
like($child[6], qr/^KMS_OK .*woken, quiet/, 'and asks again');
stop($host);
done_testing;
