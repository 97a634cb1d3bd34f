#!/usr/bin/perl
# A kms.ini of exactly the maximal size is taken by every process, at the start and at a reload; with one byte more kmsd does not
# start, a running one goes on as before, and both say why.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use Test::More;

my $MAX = 256 * 1024;
my $publisher = publisher(products => [ { name => 'Example', id => '9f3c1d60-52a7-4a6e-9b1c-0d5e8a7f4b21', threshold => 1,
    group => 'server', pool => 'servers' } ]);

# The ini text with comments up to a size, and a last line that counts.
sub filled ($ini, $size, $last) {
    my $room = $size - length("$ini$last");
    my $line = ';' . 'x' x 98 . "\n";
    return $ini . $line x int($room / length $line) . "\n" x ($room % length $line) . $last;
}

sub count ($a, $event) { return scalar(() = $a->log =~ /: $event: /g) }

# kmsd-resolve starts too: a name that is looked up.
my $a = start_appliance(publisher => $publisher, fronts => 2, ini => "[relay]\nupstream = localhost:1\n");
my $ini = slurp($a->ini);
$a->enable;
is($a->stop, 0, 'started and stopped with a short one');

spew($a->ini, filled($ini, $MAX, "[limits]\nidle_timeout = 301\n"));
is(run([ program('kmsd'), '-n', '-f', $a->ini ])->{exit}, 0, "kmsd -n: $MAX bytes are valid");
is($a->kmsctl(qw(config check))->{exit}, 0, 'and kmsctl config check says so');
$a->start;
is($a->client('one', 'activate')->{exit}, 0, 'started with it, it serves');
wait_for(20, sub { $a->log =~ /relay-resolve|relay-resolved/ }, 'the names were looked up');
unlike($a->log, qr/config-refused|config-error|kmsd-resolve failed/, 'no process refused it');

my @events = qw(activate-reloaded front-reloaded config-reloaded);
my %before = map { ($_ => count($a, $_)) } @events;
spew($a->ini, filled($ini, $MAX, "[limits]\nidle_timeout = 302\n"));
kill 'HUP', $a->pid;
wait_for(30, sub { count($a, 'front-reloaded') == $before{'front-reloaded'} + 2
    && 2 == grep { count($a, $_) == $before{$_} + 1 } qw(activate-reloaded config-reloaded) }, 'every process takes it at a reload');
unlike($a->log, qr/config-refused|config-error/, 'and none refuses it');

my $large = filled($ini, $MAX + 1, "[limits]\nidle_timeout = 303\n");
spew($a->ini, $large);
kill 'HUP', $a->pid;
wait_for(30, sub { count($a, 'config-kept') == 1 }, 'one byte more is not taken');
like($a->log, qr/config-error: \S+: the file is larger than $MAX bytes/, 'the log says why');
is($a->client('two', 'activate')->{exit}, 0, 'and kmsd serves as before');
is($a->stop, 0, 'it stops');

for ([ 'kmsd', '-f', $a->ini ], [ 'kmsd', '-n', '-f', $a->ini ]) {
    my $r = run([ program($_->[0]), @$_[ 1 .. $#$_ ] ]);
    is($r->{exit}, 1, "@$_[0 .. 1]: does not start");
    like($r->{err}, qr/^kmsd: \S+kms\.ini: the file is larger than $MAX bytes$/m, 'and says why');
}
my $r = $a->kmsctl(qw(config check));
isnt($r->{exit}, 0, 'kmsctl config check refuses it');
like($r->{err}, qr/kms\.ini: the file is larger than $MAX bytes/, 'with the same words');

done_testing;
