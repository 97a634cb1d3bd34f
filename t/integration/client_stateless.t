#!/usr/bin/perl
# A client without state: its key pair and its seat are an object's, kms_close gives the seat back, and nothing is left on the disk. And what
# the environment says to a product that says nothing: where its host is.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Client;
use Cwd qw(abs_path);
use IPC::Open2;
use Test::More;

delete @ENV{qw(KMS_HOST KMS_DOMAIN)};

# A product of these steps (product_steps.c), in an empty directory of its own: what it answered, and the files that it left.
my ($places, $program) = (0, abs_path("$build/product_steps"));
sub product ($options, @steps) {
    my $place = "$dir/place" . $places++;
    mkdir $place or die "$place: $!";
    my @run = ($program, $KMS::Client::key, $KMS::Client::product, 'name=tester', @$options);
    my $pid = open2(my $out, my $in, 'sh', '-c', 'cd "$0" && exec "$@"', $place, @run);
    local $SIG{PIPE} = 'IGNORE';
    print $in "$_\n" for @steps;
    close $in;
    chomp(my @said = readline $out);
    waitpid $pid, 0;
    is($?, 0, "(@steps) ended well");
    is_deeply([ glob "$place/* $place/.??*" ], [], 'and left no file');
    return @said;
}
sub asked (@requests) { return join ' ', map { $_->{request} } @requests }
my ($activate, $renew, $release) = 1 .. 3;

# What happens to an object, and which requests its host has had at the end.
my @rows = (
    [ 'activated, renewed, closed', 'good', [qw(open activate renew close)], [qw(KMS_OK KMS_OK KMS_OK closed)], "$activate $renew $release" ],
    [ 'ended without a close of its own', 'good', [qw(open activate)], [qw(KMS_OK KMS_OK)], "$activate $release" ],
    [ 'nothing was asked', 'good', [qw(open status close)], [qw(KMS_OK KMS_OK closed)], '' ],
    [ 'released by itself', 'good', [qw(open activate release close)], [qw(KMS_OK KMS_OK KMS_OK closed)], "$activate $release" ],
    [ 'activated again after that', 'good', [qw(open activate release activate close)], [ ('KMS_OK') x 4, 'closed' ], "$activate $release $activate $release" ],
    [ 'counted, too few yet', 'count', [qw(open activate close)], [qw(KMS_OK KMS_E_COUNT_TOO_LOW closed)], "$activate $release" ],
    [ 'refused, no seat', 'capacity', [qw(open activate close)], [qw(KMS_OK KMS_E_CAPACITY closed)], "$activate" ],
    [ 'a renewal is refused, the seat stays', 'good,capacity,good', [qw(open activate renew close)], [qw(KMS_OK KMS_OK KMS_E_CAPACITY closed)], "$activate $renew $release" ],
    [ 'the answer was lost, a seat is possible', 'close-after-request,good', [qw(open activate close)], [qw(KMS_OK KMS_E_NO_HOST closed)], '' ],
    [ 'the sealed answer was lost', 'bad-seal,good', [qw(open activate close)], [qw(KMS_OK KMS_E_BAD_SEAL closed)], "$activate $release" ],
    [ 'crashed', 'good', [qw(open activate crash)], [qw(KMS_OK KMS_OK)], "$activate" ],
    [ 'a child has no seat', 'good', [qw(open activate fork renew close)], [qw(KMS_OK KMS_OK child KMS_OK closed)], "$activate $renew $release" ],
);
for my $row (@rows) {
    my ($what, $modes, $steps, $says, $requests) = @$row;
    my $host = standin($modes);
    my @said = map { (split / /)[0] } product([ "host=127.0.0.1:$host->{port}", 'user=ann' ], @$steps);
    is_deeply(\@said, $says, "$what: what it is told");
    my @asked = stop($host);
    is(asked(@asked), $requests, "$what: what it asks");
    is_deeply([ grep { $_->{flags} != 2 } @asked ], [], "$what: each request says that there is no state");
    is_deeply([ map { $_->{sequence} } @asked ], [ 1 .. @asked ], "$what: the numbers go up");
    is_deeply([ grep { $_->{user} ne 'ann' || $_->{name} ne 'tester' } @asked ], [], "$what: and who uses it");
}

# A host that says nothing keeps nobody who closes: 300 ms are asked for, and an answer may take 10 s.
my $host = standin('good,silent');
my @said = product([ "host=127.0.0.1:$host->{port}", 'close=300' ], qw(open activate close));
my ($ms) = ($said[2] // '') =~ /^closed in (\d+) ms$/;
ok(defined $ms && $ms < 8000, 'a release is given up') or diag $said[2];
stop($host);

# With a state file, a close asks nobody.
$host = standin('good');
my $state = "$dir/kept";
product([ "state=$state", "host=127.0.0.1:$host->{port}", 'user=' . 'u' x 70 ], qw(open activate close));
my @asked = stop($host);
is(asked(@asked), $activate, 'a seat with a state file outlives its object');
is("$asked[0]{flags} $asked[0]{user}", '0 ' . 'u' x 64, 'no flag; of a long user what fits');
ok(-e $state, 'and its state is there');

# -- the environment --

$host = standin('good');
my $other = standin('good');
sub with ($env, $options, @steps) {
    local @ENV{ keys %$env } = values %$env;
    return product($options, @steps);
}
my $here = "127.0.0.1:$host->{port}";
@said = with({ KMS_HOST => $here }, [], qw(open activate close));
like($said[1], qr/^KMS_OK 127\.0\.0\.1 port $host->{port}:/, 'KMS_HOST says where the host is');
@said = with({ KMS_HOST => $here, KMS_DOMAIN => 'nowhere.invalid' }, [], qw(open activate close));
like($said[1], qr/^KMS_(?:OK|E_SEQUENCE) 127\.0\.0\.1 port $host->{port}:/, 'and comes before KMS_DOMAIN');
@said = with({ KMS_HOST => $here }, [ "host=127.0.0.1:$other->{port}" ], qw(open activate close));
like($said[1], qr/^KMS_OK 127\.0\.0\.1 port $other->{port}:/, 'a product that names its host is not asked');
for (
    [ 'KMS_DOMAIN says where to look', { KMS_DOMAIN => 'nowhere.invalid' }, [], 'nowhere.invalid' ],
    [ 'an empty KMS_HOST is none', { KMS_HOST => '', KMS_DOMAIN => 'nowhere.invalid' }, [], 'nowhere.invalid' ],
    [ 'a product that names its domain is not asked', { KMS_HOST => $here }, ['domain=other.invalid'], 'other.invalid' ],
) {
    my ($what, $env, $options, $domain) = @$_;
    @said = with($env, [ @$options, 'total=500' ], qw(open activate));
    like($said[1], qr/^KMS_E_NO_HOST SRV _kms\._tcp\.\Q$domain\E:/, $what);
}
@said = with({ KMS_HOST => 'no:port' }, [], qw(open));
like($said[0], qr/^KMS_E_ARGUMENT KMS_HOST: "no:port" is not a name or an address\./, 'a wrong one is named');
@said = with({ KMS_DOMAIN => 'x' x 300 }, [], qw(open));
like($said[0], qr/^KMS_E_ARGUMENT KMS_DOMAIN: it is longer than 255 bytes/, 'so is one that is too long');
stop($_) for $host, $other;
done_testing;
