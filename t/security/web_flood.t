#!/usr/bin/perl
# Clients are served while a thousand slow readers, a scanner, pages of other sites and a flood of questions are at the page; and kmsd-web stays within its bounds.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use KMS::Web;
use Test::More;

use constant { CONNECTIONS => 1000, CLIENTS => 500, RENEWALS => 3000 };

my $web = KMS::Web->new(ini => 'connections = ' . CONNECTIONS . "\n[limits]\nexempt = 127.0.0.1\n");
my $p = publisher(products => [ { name => 'One', id => '11111111-1111-4111-8111-111111111111', threshold => 1, group => 'client', pool => 'desktops' } ]);
my $a = start_appliance(publisher => $p, ini => $web->ini);
$a->enable(group => 'client');
$web->wait;

sub load ($mode, $requests) {
    my $r = run([ program('load'), $mode, '--port', $a->port, '--publisher', $p->{key}, '--product', $p->{products}[0]{id}, '--clients-file', $a->dir . '/keys',
        '--clients', CLIENTS, '--connections', 8, '--sample', 100, '--requests', $requests ]);
    my %said = $r->{out} =~ /(\w+)=(\S+)/g;
    return $said{requests} && $said{leases} == $requests ? 'all' : "$r->{out}$r->{err}";
}
sub web_process () { return (run([ 'pgrep', '-P', $a->pid, 'kmsd-web' ])->{out} =~ /^(\d+)$/m)[0] }
is(load('activate', CLIENTS), 'all', 'clients are activated');
my $process = web_process();

for my $case ([ 'a thousand that are slow', 1000, qw(half half half deaf) ], [ 'a scanner', 50, 'scan' ], [ 'pages of other sites', 50, 'foreign' ], [ 'a flood of questions', 50, 'flood' ],
    [ 'all of them', 1000, qw(half deaf half deaf scan half deaf foreign half flood) ]) {
    my ($name, $count, @how) = @$case;
    my $log = workspace() . "/crowd $name";
    my $crowd = spawn([ $^X, "$SRC/t/lib/web_crowd.pl", $web->port, $count, @how ], log => $log);
    my $most = 0;
    # They are there, before the renewals begin.
    wait_for(60, sub { -e $log && slurp($log) =~ /^there$/m }, 'the crowd');
    for (1 .. 3) {
        is(load('renew', RENEWALS / 3), 'all', "$name: each renewal is answered with a lease");
        my @open = glob "/proc/$process/fd/*";
        $most = @open if @open > $most;
    }
    is($a->kmsctl('status')->{exit}, 0, "$name: and kmsctl");
    cmp_ok($most, '<=', CONNECTIONS + 24, "$name: kmsd-web keeps its bound of connections ($most descriptors)");
    end_process($crowd);
    like(slurp($log), qr/^there\nopened=\d+ closed=\d+$/m, "$name: they were there until the end");
    wait_for(30, sub { $web->get('/health')->{code} == 200 }, 'the page answers');
    is(web_process(), $process, "$name: kmsd-web lives on");
}
unlike($a->log, qr/(?:web|front|activate)-died|web-refused/, 'no process died, and none was refused');
is($a->stop, 0, 'the end');
is($a->kmsctl('ledger', 'check')->{exit}, 0, 'the ledger is sound');
done_testing;
