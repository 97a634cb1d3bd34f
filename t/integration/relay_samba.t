#!/usr/bin/perl
# The relay between Samba's DCE/RPC client and a stand-in for a KMS host (t/lib/relay/standin_host.py): what Samba says reaches
# the host as it does without the relay, byte by byte, in both byte orders.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use JSON::PP ();
use Test::More;

my $python = '/usr/bin/python3';
run([ $python, '-c', 'import samba.dcerpc.base' ])->{exit} == 0
    or BAIL_OUT('needs python3-samba: ./bootstrap deps');

my $publisher = publisher();
my @cases = qw(little_endian big_endian ndr64 ndr64_big_endian feature_negotiation association_group object second_context
    other_options fragmented_response smaller_fragments wrong_interface wrong_operation host_fault);

for my $order ([ 'a host that answers in little-endian' ], [ 'a host that answers in big-endian', '--big' ]) {
    my ($name, @args) = @$order;
    subtest $name => sub {
        my $dir = workspace();
        my $host = spawn([ $python, "$SRC/t/lib/relay/standin_host.py", '--mode', "$dir/mode", '--log', "$dir/log",
            '--port-file', "$dir/port", @args ], log => "$dir/err");
        wait_for(20, sub { -s "$dir/port" }, 'the stand-in listens');
        my ($port) = slurp("$dir/port") =~ /(\d+)/;
        my $a = start_appliance(publisher => $publisher, fronts => 1, ini => <<"INI");
[relay]
upstream = 127.0.0.1:$port
connect_timeout = 2
answer_timeout = 5
connections_per_source = 0
INI
        my $r = run([ $python, "$SRC/t/lib/relay/samba_client.py", '--relay', $a->port, '--server', $port,
            '--mode', "$dir/mode", '--log', "$dir/log", @cases ]);
        my $result = eval { JSON::PP->new->decode($r->{out}) } // {};
        ok(exists $result->{$_} && !defined $result->{$_}, $_) or diag($result->{$_} // "not run: $r->{err}") for @cases;
        like($a->log, qr/^kmsd-front\[\d+\]: $_: /m, "log event $_") for qw(relay-interface relay-operation);
        unlike($a->log, qr/relay-bad-|relay-host-|sandbox-violation|front-died|channel-lost/,
            'no front has died, and no PDU of Samba or of the host was found bad');
        is($a->stop, 0, 'stopped cleanly');
        end_process($host);
    };
}
done_testing;
