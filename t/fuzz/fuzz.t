#!/usr/bin/perl
# Every fuzz target on its seeds; with --enable-fuzzing also three seconds of
# libFuzzer each, on a copy of the seeds. And the night (./bootstrap fuzz), of a second.
use strict;
use warnings;
use File::Copy qw(copy);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use Test::More;

my $src = $ENV{KMS_SRC} // '.';
my $build = $ENV{KMS_BUILD} // 'build';
my $seconds = $ENV{KMS_FUZZ_SECONDS} // 3;

# Whether libFuzzer is in the programs is configure's word, kept in the Makefile.
open my $makefile, '<', "$build/Makefile" or die "$build/Makefile: $!\n";
my $fuzzing = grep { /^FUZZ_LDFLAGS = *-fsanitize=fuzzer/ } <$makefile>;

# libFuzzer works by the clock: one target for each processor.
my $at_once = $fuzzing ? 0 + `nproc` || 1 : 1;

my @targets = map { m{(fuzz_\w+)\.c$} } glob "$src/t/fuzz/fuzz_*.c";
cmp_ok(scalar @targets, '>=', 7, 'fuzz targets found: ' . join ' ', @targets);

my @built;
for my $target (@targets) {
	my @seeds = grep { -f } glob "$src/t/fuzz/corpus/$target/*";
	unless (ok(-x "$build/t/fuzz/$target" && @seeds > 0, "$target is built and has seeds")) {
		diag("build it: make t/fuzz/$target; seeds belong in t/fuzz/corpus/$target/");
		next;
	}
	my $dir = tempdir(CLEANUP => 1);
	copy($_, $dir) or die "$_: $!\n" for @seeds;
	push @built, { name => $target, dir => $dir, seeds => scalar @seeds };
}
while (my @some = splice @built, 0, $at_once) {
	for my $t (@some) {
		my @args = $fuzzing
		    ? ("-max_total_time=$seconds", '-max_len=8192', '-timeout=10', '-rss_limit_mb=1024',
			"-artifact_prefix=$t->{dir}/", $t->{dir})
		    : glob "$t->{dir}/*";
		$t->{out} = start("$build/t/fuzz/$t->{name}", @args);
	}
	for my $t (@some) {
		my $output = finish($t->{out});
		is($?, 0, $fuzzing ? "$t->{name}: $seconds s of libFuzzer" : "$t->{name}: $t->{seeds} seeds")
		    or diag($output);
		like($output, $fuzzing ? qr/DONE/ : qr/^replayed $t->{seeds} files$/m, "$t->{name} says what it ran");
	}
}
my $nightly = "$src/t/fuzz/nightly";
my $corpus = tempdir(CLEANUP => 1);
for my $wrong ([], [qw(--hours 0)], [qw(--hours 1 --minutes 1)], [qw(--hours 1e9)], ['--hours', 1, '--jobs', 0], [qw(--hours 1 fuzz_nothing)]) {
	like(run($nightly, '--check', '--corpus', $corpus, @$wrong), qr/^usage: nightly/m, "nightly refuses '@$wrong'");
}
like(run($nightly, '--check', qw(--hours 1)), qr/--corpus DIR is missing/, 'nightly needs a corpus');
is(run($nightly, '--check', qw(--hours 1 --corpus), $corpus), '', 'nightly takes hours and a corpus');
# A stand-in for a target that finds something, whatever the build.
my $fake = tempdir(CLEANUP => 1);
make_path("$fake/t/fuzz");
open my $script, '>', "$fake/t/fuzz/fuzz_frame" or die "$fake: $!\n";
print $script <<'END';
#!/bin/sh
for a; do case $a in -artifact_prefix=*) echo bad > "${a#*=}crash-1" ;; esac; done
exit 77
END
close $script;
chmod 0755, "$fake/t/fuzz/fuzz_frame";
my $told = run($nightly, '--build', $fake, '--corpus', $corpus, qw(--seconds 1 fuzz_frame));
is($? >> 8, 1, 'nightly fails when a target finds something');
my ($where) = $told =~ /^fuzz_frame .* FOUND (\S+)$/m;
ok(defined $where && -f $where, 'and names the input') or diag($told);
cmp_ok(scalar(() = glob "$corpus/fuzz_frame/*"), '>', 0, 'the corpus is kept all the same');
SKIP: {
	skip 'the targets have no libFuzzer: --enable-fuzzing', 3 unless $fuzzing;
	my $said = run($nightly, '--build', $build, '--corpus', $corpus, qw(--seconds 1 fuzz_frame));
	is($?, 0, 'nightly finds nothing in a second') or diag($said);
	like($said, qr/^fuzz_frame .* nothing found$/m, 'nightly says what it did');
	my @kept = glob "$corpus/fuzz_frame/*";
	cmp_ok(scalar @kept, '>', 0, 'nightly keeps a corpus');
}
done_testing;

sub start {
	my @command = @_;
	my $pid = open(my $out, '-|') // die "fork: $!\n";
	if ($pid == 0) {
		open STDERR, '>&', \*STDOUT;
		exec { $command[0] } @command or die "$command[0]: $!\n";
	}
	return $out;
}

sub finish {
	my ($out) = @_;
	local $/;
	my $text = <$out>;
	close $out;
	return $text;
}

sub run {
	return finish(start(@_));
}
