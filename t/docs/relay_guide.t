#!/usr/bin/perl
# The relay guide, command by command: a stand-in for the KMS host, a real BIND, impacket for a Windows client. The network is one
# of the test's own, and so is /etc/resolv.conf.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Guide;
use KMS::Named;
use KMS::Test;
use Test::More;

plan skip_all => 'the guide is for root' if $> != 0;
KMS::Guide->apart('--mount');
my $python = '/usr/bin/python3';
run([ $python, '-c', 'import impacket.dcerpc.v5.rpcrt' ])->{exit} == 0 or BAIL_OUT('needs python3-impacket: ./bootstrap deps');

my $g = KMS::Guide->new(place => { '192.0.2.53' => '127.0.0.1' });
my $dir = $g->dir;
run([ 'ip', 'addr', 'add', '192.0.2.10/24', 'dev', 'lo' ])->{exit} == 0 or die;
spew("$dir/resolv.conf", "nameserver 127.0.0.1\n");
run([ 'mount', '--bind', "$dir/resolv.conf", '/etc/resolv.conf' ])->{exit} == 0 or BAIL_OUT('/etc/resolv.conf cannot be another one here');

my $tsig = run([ 'tsig-keygen', 'appliance' ])->{out};
spew("$dir/etc/kms/dns.key", $tsig);
my $named = KMS::Named->start(port => 53, conf => $tsig, zones => { 'example.com' => { options => 'allow-update { key appliance; };',
    records => "kms1 A 127.0.0.1\nappliance A 192.0.2.10\n_vlmcs._tcp SRV 0 0 1688 kms1\n" } });
my $standin = spawn([ $python, "$SRC/t/lib/relay/standin_host.py", '--port', 1688, '--port-file', "$dir/port", '--log', "$dir/host.log" ], log => "$dir/host.err");
wait_for(20, sub { -s "$dir/port" }, 'the stand-in for the KMS host listens');

# A Windows client, as far as DCE/RPC goes; the payload is arbitrary.
my $windows = <<'PYTHON';
import sys
from impacket.dcerpc.v5.transport import DCERPCTransportFactory
from impacket.uuid import uuidtup_to_bin
dce = DCERPCTransportFactory('ncacn_ip_tcp:%s[1688]' % sys.argv[1]).get_dce_rpc()
dce.connect()
dce.bind(uuidtup_to_bin(('51c82175-844e-4750-b0d8-ec255555bc06', '1.0')))
stub = bytes([0, 0, 6, 0]) + bytes(range(60))
dce.call(0, stub)
sys.exit(dce.recv() != stub[::-1] * 2)
PYTHON
sub windows ($address) { run([ $python, '-c', $windows, $address ])->{exit} }

my $commands = $g->follow("$SRC/doc/relay-guide.md", {
    'a Windows client tries the appliance' => sub {
        unlike($g->said('kmsctl relay check'), qr/clients find this appliance/, 'clients do not find the appliance yet');
        is(windows('192.0.2.10'), 0, 'the host behind the appliance answers it');
    },
    'the KMS host\'s record is deleted' => sub {
        like($g->said('kmsctl relay status'), qr/kms1\.example\.com/, 'the exchange was seen');
        like($g->said('kmsctl clients --relayed'), qr/192\.0\.2\.10/, 'and who it was');
        my $r = run([ 'nsupdate' , '-k', "$dir/etc/kms/dns.key" ], in => "server 127.0.0.1\nupdate delete _vlmcs._tcp.example.com SRV\nsend\n");
        is($r->{exit}, 0, 'the name server deletes it') or diag($r->{err});
    },
    'the KMS host\'s log arrives' => sub {
        like($g->said('kmsctl relay check'), qr/clients find this appliance/, 'clients find the appliance');
        like($named->dig('_vlmcs._tcp.example.com', 'SRV'), qr/SRV 0 0 1688 appliance\.example\.com\.\z/, 'and it alone, says dig');
        is(windows('192.0.2.10'), 0, 'they are served');
        spew($g->work . '/kms-events.xml', "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><EventID>12290</EventID></System>"
            . '<EventData><Data>0x0,25,appliance.example.com,1ab2c3d4-0000-4000-8000-0123456789ab,2026/11/23 10:15,0,1,43200</Data></EventData></Event>');
    },
    'relay and dns are taken out of kms.ini' => sub {
        like($g->said('kmsctl relay import kms-events.xml'), qr/^Joined: +1$/m, 'the host\'s event is joined');
        like($g->said('kmsctl clients --relayed'), qr/appliance\.example\.com/, 'and the client has a name');
        is($named->dig('_vlmcs._tcp.example.com', 'SRV'), '', 'the appliance is not to be found any more');
        spew($g->ini, slurp($g->ini) =~ s/^\[(?:relay|dns)\]\n(?:(?!\[).*\n)*//mgr);
    },
});
cmp_ok($commands, '>', 15, 'the guide has commands');
isnt(windows('192.0.2.10'), 0, 'the appliance relays nobody any more');
is(windows('127.0.0.1'), 0, 'the host itself does');
like($g->log, qr/relay-not-configured/, 'and the log says so');
done_testing;
