#!/usr/bin/perl
# What `make bench` measures with does what it says: the durable echo writes before it answers, the open loop keeps its rate, a
# ledger that was filled without clients is one, and a figure is called met only when it is.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Bench;
use KMS::Test;
use Test::More;

my $product = '11111111-1111-4111-8111-111111111111';

sub load (@args) {
    my $r = KMS::Test::must([ "$BUILD/load", @args ]);
    return { $r->{out} =~ /(\w+)=(\S+)/g };
}

subtest 'the durable echo has what it answered in its file' => sub {
    my $dir = workspace();
    my $pid = spawn([ "$BUILD/echo_server", '-q', 252, '-r', 300, '-d', "$dir/file" ], log => "$dir/log");
    my $port = wait_for(10, sub { -e "$dir/log" && slurp("$dir/log") =~ /port (\d+)\npids .*\n/ && $1 }, 'echo server');
    my $r = load('echo', '--port', $port, '--echo-reply', 300, '--requests', 1000, '--connections', 20, '--pid', $pid);
    is($r->{requests}, 1000, 'all requests were answered');
    is($r->{reply_octets}, 300, 'with so many bytes');
    is($r->{request_octets}, 252, 'the load generator sends what the echo server waits for');
    my $written = () = slurp("$dir/file") =~ /KMSD/g;
    is(-s "$dir/file", 64 << 20, 'the file was filled in advance');
    cmp_ok($written, '>=', 1000, 'each request was written') or diag(unpack 'H64', substr slurp("$dir/file"), 0, 32);
    end_process($pid);
};

subtest 'the open loop' => sub {
    my $dir = workspace();
    my $pid = spawn([ "$BUILD/echo_server", '-q', 252, '-r', 300 ], log => "$dir/log");
    my $port = wait_for(10, sub { -e "$dir/log" && slurp("$dir/log") =~ /port (\d+)\npids .*\n/ && $1 }, 'echo server');
    my $r = load('echo', '--port', $port, '--echo-reply', 300, '--requests', 101, '--rate', 200, '--connections', 8);
    cmp_ok($r->{seconds}, '>=', 0.5, 'the last of 101 requests at 200 a second is due after half a second');
    ok($r->{median_us} <= $r->{p99_us} && $r->{p99_us} <= $r->{p999_us}, 'percentiles ascend');
    # One connection to a server that never answers in time: each request waits for those before it.
    $r = load('echo', '--port', $port, '--echo-reply', 300, '--requests', 1000, '--rate', 1e9, '--connections', 1);
    cmp_ok($r->{p99_us} + 1, '>=', $r->{seconds} * 1e6 * 0.9, 'a latency begins when the request was due, not when it was sent');
    end_process($pid);
};

subtest 'a ledger that was filled without clients' => sub {
    my $a = start_appliance(publisher => publisher(), fronts => 1);
    $a->enable(group => 'server');
    my @client = ('--publisher', $a->{publisher}{key}, '--product', $product);
    $a->stop;
    my $r = KMS::Test::must([ "$BUILD/fill_ledger", @client, '--clients', 3000, '--live', 500, $a->dir . '/state' ]);
    like($r->{out}, qr/^clients=3000 seconds=\d+ journal_octets=\d+ index_octets=\d+$/, 'it says what it made');
    $a->start;
    my ($status) = $a->kmsctl_json('status');
    is($status->{ledger}{clients} // $status->{clients}, 3000, 'kmsd knows all of them');
    is($a->kmsctl('ledger', 'check')->{exit}, 0, 'the ledger is whole, and its index is what the journal says');
    my $renewed = load('renew', '--port', $a->port, @client, '--clients-file', $a->dir . '/keys', '--clients', 500,
        '--requests', 500, '--sample', 1);
    is("$renewed->{leases} $renewed->{verified}", '500 500', 'those that load plays renew, and their leases verify');
    $renewed = load('renew', '--port', $a->port, @client, '--clients-file', $a->dir . '/keys', '--clients', 500,
        '--first', 300, '--requests', 500, '--sample', 1);
    is($renewed->{leases}, 500, 'and again, from another one on');
    ($status) = $a->kmsctl_json('status');
    is($status->{ledger}{clients} // $status->{clients}, 3000, 'and no client came');
    isnt(run([ "$BUILD/fill_ledger", @client, $a->dir . '/state' ])->{exit}, 0, 'it wants to know how many');
    isnt(run([ "$BUILD/fill_ledger", @client, '--clients', 1, $a->dir . '/state' ])->{exit}, 0, 'not while kmsd runs');
    $a->stop;
};

subtest 'verdicts' => sub {
    my $b = KMS::Bench->new;
    my @cases = (
        [ 0.86, '>=', 0.72, 0.85, 'goal met' ], [ 0.85, '>=', 0.72, 0.85, 'goal met' ], [ 0.84, '>=', 0.72, 0.85, 'met' ],
        [ 0.72, '>=', 0.72, 0.85, 'met' ], [ 0.71, '>=', 0.72, 0.85, 'MISSED' ], [ 1.3, '<=', 2, 1.3, 'goal met' ],
        [ 1.4, '<=', 2, 1.3, 'met' ], [ 2.1, '<=', 2, 1.3, 'MISSED' ], [ 16, '<=', 16, undef, 'met' ]);
    is($b->verdict(@$_[ 0 .. 3 ]), $_->[4], "$_->[0] is to be $_->[1] $_->[2]") for @cases;
    $b->note('echo', $_) for 100, 100, 110, 120, 124;
    $b->yardstick('echo');
    is($b->median('echo'), 110, 'the median');
    is($b->verdict(1, '>=', 0.72, 0.85), 'goal met', 'a spread of 22 % of the echo');
    $b->note('echo', $_) for 100, 140;
    $b->yardstick('echo');
    is($b->verdict(1, '>=', 0.72, 0.85), 'machine too busy', 'with 36 %, nothing is met');
    $b->note('echo double', 200);
    $b->note_ratio('ratio', 'echo double', 'echo');
    is($b->last('ratio'), 200 / 140, 'a ratio is one within a round');
};

done_testing;
