#!/usr/bin/perl
# What a request says of its client: the challenge that a host brought, in each request until one is served, and which machine it is.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Client;
use Test::More;

sub slurp ($file) { open my $f, '<:raw', $file or die "$file: $!"; local $/; return <$f> }
my $clients = 0;
sub client () { return ('-s', "$dir/c" . $clients++) }
sub kept ($state) { return unpack 'H*', substr slurp("$state->[1].key"), 112, 16 }
my ($none, $a, $b) = map { sprintf('%02x', $_) x 16 } 0, 0x61, 0x62;

# Modes of the calls that follow one another, and then: what each request had as its echo, and what is kept after each call.
my @rows = (
    [ 'caught up at once', [qw(good:challenge=97 good)], [ '-', $a, '-' ], [ $none, $none ] ],
    [ 'no challenge, as of a host of before', [qw(good good)], [qw(- - -)], [ $none, $none ] ],
    [ 'the second request is lost: repeated with it', [qw(drop-echo:challenge=97 close-after-request good good)], [ '-', $a, $a, '-' ],
        [ $a, $a, $none, $none ] ],
    [ 'refused: the next new request has it too', [qw(vm:challenge=97 capacity revoked count good)], [ '-', $a, $a, $a, $a, '-' ],
        [ $a, $a, $a, $none, $none ] ],
    [ 'asked to wait: the same request has it', [qw(ledger:challenge=97 ledger good)], [ '-', $a, $a, $a ], [ $a, $a, $none ] ],
    [ 'a lease that does not verify was served', [qw(wrong-proof:challenge=97 good)], [ '-', $a, '-' ], [ $none, $none ] ],
    [ 'another challenge takes its place', [qw(vm:challenge=97 sequence:challenge=98 good good)], [ '-', $a, $a, $b, $b, '-' ],
        [ $a, $b, $none, $none ] ],
    [ 'a number without a challenge leaves it', [qw(vm:challenge=97 sequence good)], [ '-', $a, $a, $a, $a ], [ $a, $a, $none ] ],
);
for my $row (@rows) {
    my ($what, $modes, $echoes, $keys) = @$row;
    my @state = client();
    my $host = standin('-s', 3, '-n', 700, join ',', @$modes);
    my (@after, @numbers);
    for (@$modes) {
        kmsclient('activate', @state, '-H', "127.0.0.1:$host->{port}");
        push @after, kept(\@state);
    }
    my @asked = stop($host);
    is_deeply([ map { $_->{echo} // '-' } @asked ], $echoes, $what);
    is_deeply(\@after, $keys, "$what: what FILE.key has after each call");
    my @raised = grep { $_->{sequence} > 1 } @asked;
    ok(@raised > 0, "$what: a number was raised");
    my %first;
    $first{ $_->{sequence} } //= $_ for @raised;
    is_deeply([ grep { $_->{id} ne $first{ $_->{sequence} }{id} } @raised ], [], "$what: one request id for each number");
}

# The client that was written from the page: the same echoes.
for my $row (@rows) {
    my ($what, $modes, $echoes) = @$row;
    my $host = standin('-s', 3, '-n', 700, join ',', @$modes);
    my $state = "$dir/page" . $clients++;
    for (@$modes) {
        system "/usr/bin/python3 $src/t/independent/kms_client.py --publisher $KMS::Client::key --product $KMS::Client::product --timeout 5"
            . " --state $state --host 127.0.0.1:$host->{port} --name tester activate > $dir/said";
    }
    is_deeply([ map { $_->{echo} // '-' } stop($host) ], $echoes, "from the page: $what");
}

# Another host gets it too, and what that host serves ends it.
my @state = client();
my $host = standin('-s', 3, '-n', 700, 'drop-echo:challenge=97');
my $other = standin('-s', 4, 'good');
kmsclient('activate', @state, '-H', "127.0.0.1:$host->{port}");
kmsclient('activate', @state, '-H', "127.0.0.1:$other->{port}");
is((stop($other))[0]{echo}, $a, 'each request has it, whichever host it goes to');
is(kept(\@state), $none, 'until one is served');
stop($host);

# -- which machine --

my $id = '0123456789abcdef0123456789abcdef';
my $product = '6f1d2c3b-4a59-4687-9abc-def012345678';
my @machines = (
    [ 'an id', "$id\n", $id ],
    [ 'an id without an end of line', $id, $id ],
    [ 'an image before its first boot', "uninitialized\n", undef ],
    [ 'an empty file', '', undef ],
    [ 'zeros', '0' x 32 . "\n", undef ],
    [ 'no id, but a text', "workstation\n", undef ],
);

# Each runs in a mount namespace of its own, where that machine's id is.
sub on_machine ($text) {
    my @at = client();
    my $h = standin('-s', 3, 'good');
    my $file = "$dir/machine-id";
    open my $f, '>', $file or die;
    print {$f} $text;
    close $f;
    my $rc = system('unshare', '-m', 'sh', '-c', 'mount --bind "$1" /etc/machine-id && shift && exec "$@" > /dev/null', 'sh', $file, "$build/kmsclient",
        '-k', $KMS::Client::key, '-p', $product, @at, '-H', "127.0.0.1:$h->{port}", 'activate');
    is($rc, 0, 'activated');
    return (stop($h))[0]{binding};
}
SKIP: {
    skip 'a machine with another id: needs root and /etc/machine-id', 14 if $> != 0 || !-e '/etc/machine-id';
    my $blake = q{import sys, hashlib
print(hashlib.blake2b(b'KMS bind v1' + bytes.fromhex(sys.argv[1].replace('-', '')) + sys.argv[2].encode(), digest_size=16).hexdigest())};
    open my $p, '-|', '/usr/bin/python3', '-c', $blake, $product, $id or die;
    chomp(my $want = <$p>);
    for my $m (@machines) {
        my ($what, $text, $has) = @$m;
        is(on_machine($text), $has ? $want : undef, "$what: " . ($has ? 'its hash with the product' : 'no binding'));
    }
    isnt(on_machine("$id\n" =~ tr/0/1/r), $want, 'another machine, another hash');
}
done_testing;
