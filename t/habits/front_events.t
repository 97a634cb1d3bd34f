#!/usr/bin/perl
# Event names are an interface: each that kmsd-front writes is in kmsd-front(8), and no other does.
use strict;
use warnings;
use Test::More;

my $src = $ENV{KMS_SRC} // '.';

sub slurp { open my $f, '<', $_[0] or die "$_[0]: $!"; local $/; return <$f>; }

my $code = join '', map { slurp($_) } glob "$src/kmsd/front/*.c $src/kmsd/front/relay/*.c";
my %written;
# log_event(LEVEL, "name", ...), and the rows of the tables { ..., "name", "text" }
$written{$1}++ while $code =~ /log_(?:event|limited)\(\s*LOG_\w+,\s*"([a-z-]+)"/g;
$written{$1}++ while $code =~ /\{\s*(?:KMS_E_\w+,\s*)?"([a-z]+(?:-[a-z]+)+)",\s*"/g;
# the relay's refusals are handed on by name
$written{$1}++ while $code =~ /"(relay-[a-z-]+)"/g;
# its role, and what every process of kmsd's says of its start
$written{$1}++ while $code =~ /\.(?:ready|failed) = "([a-z-]+)"/g;
my $child = slurp("$src/kmsd/common/child.c");
$written{$1}++ while $child =~ /log_event\([^";]*"([a-z-]+)"/g;
cmp_ok(scalar keys %written, '>=', 18, 'events are found in the code: ' . keys %written);

my $page = slurp("$src/doc/kmsd-front.8");
my %documented = map { $_ => 1 } $page =~ /^\.It Li ([a-z-]+)$/mg, $page =~ /^\.It .* Ta ([a-z-]+)$/mg;
is_deeply([sort keys %documented], [sort keys %written], 'kmsd-front(8) lists exactly those');

done_testing;
