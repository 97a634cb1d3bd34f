#!/usr/bin/perl
# The relay between two ends that are both another's: impacket's DCE/RPC client, the appliance, impacket's DCE/RPC
# server. Every exchange is compared, byte by byte, with the same one straight to the server.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use JSON::PP ();
use Test::More;

my $python = '/usr/bin/python3';
run([ $python, '-c', 'import impacket.dcerpc.v5.rpcrt' ])->{exit} == 0
    or BAIL_OUT('needs python3-impacket: ./bootstrap deps');

my $dir = workspace();
my $server = spawn([ $python, "$FindBin::Bin/relay_impacket_server.py", '--port-file', "$dir/port",
    '--log', "$dir/log" ], log => "$dir/err");
wait_for(20, sub { -s "$dir/port" }, "impacket's server listens");
my ($port) = slurp("$dir/port") =~ /(\d+)/;

my $a = start_appliance(publisher => publisher(), fronts => 1, ini => <<"INI");
[relay]
upstream = 127.0.0.1:$port
connect_timeout = 2
answer_timeout = 5
connections_per_source = 0
INI

my @cases = qw(one_request several_requests fragmented_request fragmented_response fragmented_both_ways
    wrong_interface wrong_operation server_killed);
my $r = run([ $python, "$FindBin::Bin/relay_impacket_client.py", '--relay', $a->port, '--server', $port,
    '--pid', $server, '--log', "$dir/log", @cases ]);
my $result = eval { JSON::PP->new->decode($r->{out}) } // {};
ok(exists $result->{$_} && !defined $result->{$_}, $_) or diag($result->{$_} // "not run: $r->{err}") for @cases;
is(end_process($server), 9, 'the server was killed, and not before');

like($a->log, qr/^kmsd-front\[\d+\]: $_: /m, "log event $_")
    for qw(relay-interface relay-operation relay-host-down relay-no-host);
unlike($a->log, qr/relay-bad-|sandbox-violation|front-died|channel-lost/,
    'no front has died, and no PDU of impacket was found bad');
is($a->stop, 0, 'stopped cleanly');
done_testing;
