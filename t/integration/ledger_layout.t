#!/usr/bin/perl
# The journal as kms.journal(5) describes it, read by a program that shares no
# code with kmsdb: the golden segment of t/fuzz/corpus, byte by byte.
use strict;
use warnings;
use Digest::SHA qw(sha256);
use Test::More;

my $src = $ENV{KMS_SRC} // '.';
my $name = "$src/t/fuzz/corpus/fuzz_journal/closed";
open my $in, '<:raw', $name or die "$name: $!\n";
my $segment = do { local $/; <$in> };
close $in;

sub zeros { return $_[0] =~ /\A\0*\z/ }

sub root {
	my @hashes = @_;
	return $hashes[0] if @hashes == 1;
	my $k = 1;
	$k *= 2 while $k * 2 < @hashes;
	return sha256("\1" . root(@hashes[0 .. $k - 1]) . root(@hashes[$k .. $#hashes]));
}

sub check_record {
	my ($at, $number, $previous) = @_;
	my ($length, $n) = unpack 'NN', substr($segment, $at + 8, 8);
	my $record = substr $segment, $at, $length;
	my $header = substr $record, 16, 108;
	my ($magic, $host, $is, $before, $size, $root) = unpack 'a8 a16 Q> a32 N a32', $header;
	is($length, int((216 + $n + 511) / 512) * 512, "batch $number: its length");
	is(substr($record, 188, 16), substr(sha256(substr $record, 0, 188), 0, 16), '  check octets');
	is("$magic $is", "KMSBATCH $number", '  its number');
	is($before, $previous, '  continues the batch before');
	my @leaves;
	for (my $e = 204; $e < 204 + $n;) {
		my $len = unpack 'n', substr($record, $e, 2);
		push @leaves, sha256("\0" . substr $record, $e + 2, $len);
		$e += 2 + $len;
		$e += 1 + ord substr $record, $e, 1;
	}
	is(scalar @leaves, $size, "  $size entries");
	is(root(@leaves), $root, '  which give its root');
	ok(zeros(substr $record, 204 + $n, $length - 216 - $n), '  zeros');
	is(substr($record, -12), pack('N a7 C', $length, 'KMSJEND', 0xa5), '  trailer');
	return ($length, sha256($header));
}

my ($magic, $schema, $octets, $number, $hash, $check) = unpack 'a8 N N Q> a32 a16', $segment;
is("$magic $schema $octets $number", 'KMSJSEG1 2 512 1', 'segment header');
is($check, substr(sha256(substr $segment, 0, 56), 0, 16), '  check octets');
like(substr($segment, 72, 24), qr/^\d+\.\d+\.\d+\0+$/, '  the version of kmsd that made it');
ok(zeros(substr $segment, 96, 416) && zeros($hash), '  zeros');

my $at = 512;
while (substr($segment, $at, 8) eq 'KMSJBAT1') {
	(my $length, $hash) = check_record($at, $number++, $hash);
	$at += $length;
}
is($number, 3, 'two batches');
my $footer = substr $segment, $at, 512;
is(substr($footer, 0, 48), pack('a8 Q> a32', 'KMSJNEXT', $number, $hash), 'footer');
is(substr($footer, 48, 16), substr(sha256(substr $footer, 0, 48), 0, 16), '  check octets');
ok(zeros(substr $footer, 64, 440), '  zeros');
is(substr($footer, 504), pack('a7 C', 'KMSJEND', 0xa5), '  trailer');
is($at + 512, length $segment, 'nothing behind it');
done_testing;
