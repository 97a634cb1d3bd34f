#!/usr/bin/perl
# The network process does not even contain the code that touches keys: what kmsd-front
# links, and what symbols it holds, is checked in the executable itself.
use strict;
use warnings;
use Test::More;

my $build = $ENV{KMS_BUILD} // 'build';

# libtool may leave a wrapper script at the top of the build directory.
sub executable {
	my ($name) = @_;
	return (grep { -x && -f && `head -c4 $_` eq "\x7fELF" } "$build/.libs/$name", "$build/$name")[0]
	    // die "$name is not built in $build\n";
}

sub needed { return [sort map { /\(NEEDED\).*\[(.*)\]/ ? $1 : () } `readelf -dW $_[0]`]; }
sub symbols { return grep { !/^\s*$/ } map { (split)[-1] } `nm -a $_[0] 2>/dev/null`, `nm -D $_[0]`; }

my $front = executable('kmsd-front');
my @needed = @{ needed($front) };
my @may = (qr/^libevent_core-/, qr/^libseccomp\b/, qr/^libc\.so/, qr/^ld-linux/,
	qr/^lib(?:asan|ubsan|gcc_s|m|dl|rt|pthread|resolv|stdc\+\+)\b/);	# the sanitizers' own

ok(scalar(grep { /^libevent_core/ } @needed), 'readelf sees what it links: ' . join ' ', @needed);
for my $library (@needed) {
	ok(scalar(grep { $library =~ $_ } @may), "may link $library");
}
my @symbols = symbols($front);
cmp_ok(scalar(grep { /^ipc_channel_/ } @symbols), '>', 3, 'nm sees its symbols');
for my $foreign (
	[libsodium => qr/^(?:sodium_|crypto_|randombytes)/],
	[LMDB => qr/^mdb_/],
	[nettle => qr/^(?:nettle_|fast_sha256)/],
	['the ledger' => qr/^(?:kmsdb_|journal_|overlay_)/],
	[policy => qr/^(?:policy_|pack_)/],
	['seals, leases and signatures' => qr/^(?:seal_|lease_|minisig_|certificate_|merkle_|batch_|host_key)/],
	['another program to start' => qr/^(?:exec[lv]|posix_spawn|system|popen)/],
) {
	my ($what, $pattern) = @$foreign;
	# the sanitizers bring wrappers of much of libc
	next if $what =~ /program/ && grep { $_ eq '__asan_init' } @symbols;
	is(join(' ', grep { $_ =~ $pattern } @symbols), '', "no symbol of $what");
}

# nettle hashes whole journals. A product does not get it.
my $activate = executable('kmsd-activate');
ok(scalar(grep { /^libnettle\b/ } @{ needed($activate) }), 'kmsd-activate hashes with nettle');
my ($libkms) = grep { -e } "$build/.libs/libkms.so";
SKIP: {
	skip 'libkms was built without a shared library', 1 if !$libkms;
	is(join(' ', grep { /nettle/ } @{ needed($libkms) }), '', 'libkms does not');
}

done_testing;
