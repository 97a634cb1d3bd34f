#!/usr/bin/perl
# Every event name that the daemons write is in kmsd(8), with its level, and every name there is written somewhere.
use strict;
use warnings;
use Test::More;

my $src = $ENV{KMS_SRC} // '.';
sub slurp { my ($file) = @_; open my $f, '<', $file or die "$file: $!"; local $/; return scalar <$f> }

my $manual = slurp("$src/doc/kmsd.8");
my %documented = map { $_ => 1 } map { /Li ([a-z][a-z0-9-]*)/g } $manual =~ /^\.It (Li [a-z].*)$/mg;
cmp_ok(scalar keys %documented, '>', 40, 'the manual has events');

my (%written, %literal, %level);
for my $file (split /\n/, `find $src/kmsd $src/kmsdb -name "*.c"`) {
	my $text = slurp($file);
	$literal{$1} = 1 while $text =~ /"([a-z][a-z0-9-]*)"/g;
	# A log call: a level (or an expression with one), then one name or two of a condition.
	while ($text =~ /\b(?:log_event|log_limited|ledger_log|say|broken)\s*\(((?:[^";]|"[a-z][a-z0-9-]*"\s*:)*"[a-z][a-z0-9-]*")\s*,/g) {
		my $call = $1;
		$written{$1} = $file while $call =~ /"([a-z][a-z0-9-]*)"/g;
	}
	# Its level, or the two of a condition. A client's refusal is handed on by name, or is in a table.
	while ($text =~ /\b(log_event|log_limited|ledger_log|opt->log|say|broken|front_peer_broken|refuse|malformed|refuse_call)\s*\(((?:[^";]|"[a-z][a-z0-9-]*"\s*:)*(?:"[a-z][a-z0-9-]*"|\bFAILED\b))\s*,/g) {
		my ($function, $call) = ($1, $2);
		my @levels = $call =~ /\bLOG_([A-Z]+)/g;
		@levels = $function =~ /broken/ ? 'ERR' : 'NOTICE' if !@levels;
		for my $event ($call =~ /\bFAILED$/ ? 'start-failed' : $call =~ /"([a-z][a-z0-9-]*)"/g) { $level{$_}{$event} = 1 for @levels }
	}
	# What a process says of its start is in its role.
	while ($text =~ /struct child_role role = \{(.*?)\};/gs) {
		my $role = $1;
		my ($ready) = $role =~ /\.ready = "([a-z-]+)"/;
		my ($failed) = $role =~ /\.failed = "([a-z-]+)"/;
		$level{INFO}{$ready} = 1, $written{$ready} = $file if $ready;
		$level{ $role =~ /\.vital = true/ ? 'CRIT' : 'ERR' }{$failed} = 1, $written{$failed} = $file if $failed;
	}
	next if $file !~ m{front/connection|activate/refusal_log};
	$level{NOTICE}{$1} = 1 while $text =~ /\{\s*(?:KMS_E_\w+,\s*)?"([a-z]+(?:-[a-z]+)*)"(?:,\s*"| \})/g;
}
# The log's own word on itself.
$level{WARNING}{'log-lost'} = 1;
# const FAILED in directories.c means this one.
$written{'start-failed'} //= 'kmsd/supervisor/directories.c';
cmp_ok(scalar keys %written, '>', 40, 'the sources write events');
for my $event (sort keys %written) { ok($documented{$event}, "$event is in kmsd(8)") or diag("written by $written{$event}") }
for my $event (sort keys %documented) { ok($literal{$event}, "$event of kmsd(8) is in the sources") }
my ($levels) = $manual =~ /^\.Ss Levels$(.*?)^\.Ss /ms;
my %of = (CRIT => 'critical', ERR => 'error', WARNING => 'warning', NOTICE => 'notice', INFO => 'info', DEBUG => 'debug');
for my $l (sort keys %of) {
	my ($item) = $levels =~ /^\.It $of{$l}\n(.*?)(?=^\.(?:It|El)\b)/ms;
	is(join(' ', sort map { /([a-z][a-z0-9-]+)/g } $item =~ /^\.Li (.*)$/mg), join(' ', sort keys %{ $level{$l} }), "the events of level $of{$l}");
}
done_testing();
