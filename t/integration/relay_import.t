#!/usr/bin/perl
# kmsctl relay import: what it says of a KMS host's log, what it writes, and how it looks names up. The forms of a log are in
# t/unit/test_relay_events.c.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(time);

my $python = '/usr/bin/python3';
run([ $python, '-c', 'import impacket.dcerpc.v5.rpcrt' ])->{exit} == 0 or BAIL_OUT('needs python3-impacket: ./bootstrap deps');

my $dir = workspace();
my %host = map { $_ => "$dir/host.$_" } qw(mode log port);
spawn([ $python, "$SRC/t/lib/relay/standin_host.py", '--mode', $host{mode}, '--log', $host{log}, '--port-file', $host{port} ], log => "$dir/host.err");
wait_for(20, sub { -s $host{port} }, 'the stand-in listens');
my ($number) = slurp($host{port}) =~ /(\d+)/;
my $a = start_appliance(publisher => publisher(), fronts => 1, ini => "[relay]\nupstream = 127.0.0.1:$number\n");

my $ID = '1ab2c3d4-0000-4000-8000-0123456789ab';

sub event (%e) {
    %e = (status => '0x0', count => 25, name => 'localhost', id => $ID, date => '2024/11/23 10:15', %e);
    return "$e{status},$e{count},$e{name},$e{id},$e{date},0,1,43200\r\n";
}

# Nobody was relayed yet: no name is looked up, and it is said why nothing is joined.
my $r = $a->kmsctl('relay', 'import', spew("$dir/events", event() . event(name => 'pc1.example.com')));
is($r->{exit}, 0, 'nobody was observed yet');
like($r->{out}, qr/^Not observed, or without an address: +2$/m, 'so nobody is joined');
like($r->{out}, qr/has not observed any client yet\. Run kmsctl relay check/, 'and it is said why');

$r = run([ $python, "$SRC/t/lib/relay/rpc_client.py", '--port', $a->port, '--mode', $host{mode}, '--log', $host{log}, 'plain' ]);
is($r->{out}, qq({"plain": null}\n), 'a client is relayed, and so observed') or diag($r->{err});

sub import_log ($text, @options) {
    return $a->kmsctl_json('relay', 'import', @options, spew("$dir/events", $text));
}

sub row () { return (($a->kmsctl_json('clients', '--relayed'))[0]{relayed} // [])->[0] // {} }

subtest 'the newest event of a client is written, once' => sub {
    # Event Viewer exports the newest first.
    my ($i, $exit) = import_log(join '', event(count => 5, date => '2024/11/23 10:15'), map { event(date => "2024/$_/1 9:05") } reverse 1 .. 10);
    is($exit, 0, 'nothing is wrong with them');
    is_deeply([ @$i{qw(events joined clients written unknown refused ambiguous unread late)} ], [ 11, 11, 1, 1, 0, 0, 0, 0, 0 ], 'eleven events of one client')
        or diag(explain $i);
    is(row()->{count}, 5, 'its row has what the newest says');
    is(row()->{cmid}, $ID =~ tr/-//dr, 'and its CMID');
    ($i) = import_log(event(count => 5) . event(count => 7, date => '2024/11/22 10:15'));
    is_deeply([ @$i{qw(joined clients written)} ], [ 2, 1, 0 ], 'the same again, and an older one, are not written');
    is(row()->{count}, 5, 'and set nothing back');
    ($i) = import_log(event(count => 6, date => '2024/11/24 10:15'));
    is($i->{written}, 1, 'a newer one is');
    is(row()->{count}, 6, 'and the row has it');
    import_log(event(count => 9, date => '2090/1/1 0:00'));
    is(row()->{count}, 9, 'a client whose clock is wrong');
    import_log(event(count => 6, date => '2024/11/24 10:15'));
    is(row()->{count}, 6, 'does not keep its row from the next one');
};

subtest 'what cannot be read is named' => sub {
    my $text = event() . "\r\n" . event(date => '1405/9/2 10:15') . event(date => '03/04/2026 10:15:00', count => 7) . "Information,12290,None\r\n";
    my ($i, $exit) = import_log($text);
    is($exit, 4, 'exit status');
    is_deeply([ @$i{qw(events joined ambiguous unread)} ], [ 2, 1, 1, 2 ], 'counted') or diag(explain $i);
    is_deeply([ map { "$_->{line}/$_->{event} $_->{why}" } @{ $i->{problems} } ],
        [ '3/2 its date cannot be read', '4/3 its date is ambiguous: day and month cannot be told apart', '5/4 its fields are missing' ], 'and named by line');
    my $said = $a->kmsctl('relay', 'import', "$dir/events")->{out};
    like($said, qr{^\Q$dir\E/events: line 4, event 3: not imported: its date is ambiguous}m, 'a person sees the line');
    like($said, qr/--dates dmy if 3\/4 means the 3rd of April/, 'and what to type');
    ($i) = import_log($text, '--dates', 'mdy');
    is_deeply([ @$i{qw(events joined ambiguous unread)} ], [ 2, 2, 0, 2 ], 'and types it');
    my ($many) = import_log(event() . "12290\n" x 50);
    is(scalar @{ $many->{problems} }, 20, 'of many, the first are named');
    like($a->kmsctl('relay', 'import', "$dir/events")->{out}, qr/and 30 more/, 'and the others counted');
};

subtest 'what is no export' => sub {
    for my $case ([ "ElfFile\0" . "\0" x 100, qr/\.evtx.*wevtutil query-events/s, 'an .evtx' ], [ "PK\3\4xxxxxxxx", qr/workbook/, 'a workbook' ],
        [ "hello\n", qr/contains no event 12290/, 'a text' ], [ "12290\n", qr/none of the 1 events 12290 can be read; line 1: its fields are missing/, 'a log without data' ]) {
        my ($text, $said, $what) = @$case;
        my $r = $a->kmsctl('relay', 'import', spew("$dir/events", $text));
        is($r->{exit}, 2, $what);
        like($r->{err}, $said, "$what: what it is");
    }
    for (['--dates', 'ymd'], ['--dates', 'DMY'], [ '--lookup-time', '0' ], [ '--lookup-time', '1m' ], [ '--lookup-time', '86401' ]) {
        is($a->kmsctl('relay', 'import', @$_, "$dir/events")->{exit}, 1, "@$_ is refused");
    }
};

subtest 'names' => sub {
    # Lost letters, and letters that no name here has: counted, and nobody is asked about the first.
    my ($i, $exit) = import_log(event(name => 'b?ro.invalid') . event(name => "b\xfcro.invalid") . event());
    is_deeply([ @$i{qw(events joined unknown late)} ], [ 3, 1, 2, 0 ], 'names that are not ASCII') or diag(explain $i);
    is($exit, 0, 'are no failure');
};

subtest 'a terminal sees progress' => sub {
    spew("$dir/events", join '', event(), map { event(name => "a-$_.localhost") } 1 .. 40);
    my $on = run([ $python, '-c', 'import pty, sys; sys.exit(pty.spawn(sys.argv[1:]))', KMS::Test::program('kmsctl'), '-c', $a->ini, 'relay', 'import', "$dir/events" ]);
    like($on->{out}, qr/Looking up names: \d+ of 41/, 'how many are done');
    unlike($a->kmsctl('relay', 'import', "$dir/events")->{err}, qr/Looking up/, 'and a file does not');
};

SKIP: {
    skip 'NOT AS ROOT: a name server that is silent is not tried', 1 if $> != 0;
    my ($address, $silent);
    for (1 .. 20) {
        $address = '127.' . join '.', map { 1 + int rand 250 } 1 .. 3;
        last if $silent = IO::Socket::INET->new(Proto => 'udp', LocalAddr => $address, LocalPort => 53);
    }
    $silent or BAIL_OUT('no address for a name server');
    my $conf = spew("$dir/resolv.conf", "nameserver $address\n");
    my @import = ('unshare', '-m', 'sh', '-ec', "mount --bind $conf /etc/resolv.conf; exec \"\$@\"", 'sh', KMS::Test::program('kmsctl'), '-c', $a->ini, '--json',
        'relay', 'import');

    subtest 'a name server that is silent' => sub {
        # One after the other they would take 14 minutes.
        spew("$dir/events", join '', event(), map { event(name => "pc$_.example.com") } 1 .. 200);
        my $begin = time;
        my $r = run([ @import, '--lookup-time', 2, "$dir/events" ]);
        my $i = json_of($r);
        is($r->{exit}, 4, 'not all could be looked up') or diag($r->{err});
        is($i->{joined}, 1, 'the name that is in /etc/hosts is joined all the same');
        cmp_ok($i->{late}, '>', 100, 'the others are counted');
        cmp_ok(time - $begin, '<', 60, 'within the time');
        $begin = time;
        $r = run([ @import, '--lookup-time', 3600, spew("$dir/events", join '', map { event(name => "pc$_.example.com") } 1 .. 2000) ]);
        $i = json_of($r);
        is($i->{unknown}, 2000, 'when no name at all is answered');
        cmp_ok($i->{late}, '>', 1000, 'the others are not tried');
        cmp_ok(time - $begin, '<', 300, 'and the time is not waited for');
    };
}
is($a->kmsctl('ledger', 'check')->{exit}, 0, 'the ledger is whole');
is($a->stop, 0, 'stopped cleanly');
done_testing;
