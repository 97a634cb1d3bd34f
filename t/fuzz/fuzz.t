#!/usr/bin/perl
# Every fuzz target on its seeds; with --enable-fuzzing also three seconds of
# libFuzzer each, on a copy of the seeds.
use strict;
use warnings;
use File::Copy qw(copy);
use File::Temp qw(tempdir);
use Test::More;

my $src = $ENV{KMS_SRC} // '.';
my $build = $ENV{KMS_BUILD} // 'build';
my $seconds = $ENV{KMS_FUZZ_SECONDS} // 3;

# Whether libFuzzer is in the programs is configure's word, kept in the Makefile.
open my $makefile, '<', "$build/Makefile" or die "$build/Makefile: $!\n";
my $fuzzing = grep { /^FUZZ_LDFLAGS = *-fsanitize=fuzzer/ } <$makefile>;

my @targets = map { m{(fuzz_\w+)\.c$} } glob "$src/t/fuzz/fuzz_*.c";
cmp_ok(scalar @targets, '>=', 7, 'fuzz targets found: ' . join ' ', @targets);

for my $target (@targets) {
	my $program = "$build/t/fuzz/$target";
	my @seeds = grep { -f } glob "$src/t/fuzz/corpus/$target/*";
	unless (ok(-x $program && @seeds > 0, "$target is built and has seeds")) {
		diag("build it: make $program; seeds belong in t/fuzz/corpus/$target/");
		next;
	}
	my $dir = tempdir(CLEANUP => 1);
	copy($_, $dir) or die "$_: $!\n" for @seeds;
	my @args = $fuzzing
	    ? ("-max_total_time=$seconds", '-max_len=8192', '-timeout=10', '-rss_limit_mb=1024',
		"-artifact_prefix=$dir/", $dir)
	    : glob "$dir/*";
	my $output = run($program, @args);
	is($?, 0, $fuzzing ? "$target: $seconds s of libFuzzer" : "$target: " . @seeds . ' seeds')
	    or diag($output);
	like($output, $fuzzing ? qr/DONE/ : qr/^replayed ${\scalar @seeds} files$/m,
	    "$target says what it ran");
}
done_testing;

sub run {
	my @command = @_;
	my $pid = open(my $out, '-|') // die "fork: $!\n";
	if ($pid == 0) {
		open STDERR, '>&', \*STDOUT;
		exec { $command[0] } @command or die "$command[0]: $!\n";
	}
	local $/;
	my $text = <$out>;
	close $out;
	return $text;
}
