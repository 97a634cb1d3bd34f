#!/usr/bin/perl
# doc/publisher-guide.md, done as it is written: its indented blocks run in order in an empty directory, with the programs and the
# library of a make install into a directory of its own.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Cwd qw(abs_path);
use KMS::Test;
use Test::More;

my $dir = workspace();
my $root = "$dir/root";

# This make is no part of the one that runs the tests.
delete @ENV{qw(MAKEFLAGS MAKELEVEL MFLAGS DESTDIR)};
my $out = `make -C '$BUILD' install-exec install-includeHEADERS install-pkgconfigDATA DESTDIR='$root' 2>&1`;
is($?, 0, 'make install') or BAIL_OUT($out);
my %at = map { m{([^/]+)$} ? ($1 => $_) : () } split /\n/, `find '$root' -type f -o -type l`;
ok($at{$_}, "$_ is installed") or BAIL_OUT("no $_") for qw(kmsd kmsd-front kmsd-activate kmsctl kmsissue kmsclient kms.pc libkms.so);
my ($libdir) = $at{'libkms.so'} =~ m{^(.*)/};
my ($libexec) = $at{'kmsd-front'} =~ m{^(.*)/};
$ENV{PKG_CONFIG_SYSROOT_DIR} = $root;
$ENV{PKG_CONFIG_PATH} = "$libdir/pkgconfig";
$ENV{LD_LIBRARY_PATH} = $libdir;
$ENV{PYTHONPATH} = "$SRC/python";
$ENV{PYTHONDONTWRITEBYTECODE} = 1;
$ENV{PATH} = join ':', (map { $at{$_} =~ s{/[^/]+$}{}r } qw(kmsd kmsctl)), $ENV{PATH};

# What differs here from a machine where it all is installed in its place: where the other programs are, and root's users.
mkdir "$dir/guide" or die;
chdir "$dir/guide" or die;
my $kms = "libexec_directory = $libexec\n" . ($> == 0 ? "activate_user = nobody\nfront_user = daemon\n" : '');

# Blocks: what is indented by four blanks.
my (@blocks, $line);
for my $text (split /\n/, slurp("$SRC/doc/publisher-guide.md")) {
    $line++;
    if ($text =~ /^    / || ($text eq '' && @blocks && $blocks[-1]{open})) {
        push @blocks, { line => $line, text => '' } if !@blocks || !$blocks[-1]{open};
        $blocks[-1]{open} = 1;
        $blocks[-1]{text} .= ($text eq '' ? '' : substr $text, 4) . "\n";
    } elsif (@blocks) {
        $blocks[-1]{open} = 0;
    }
}
cmp_ok(scalar @blocks, '>=', 10, 'the guide has blocks of commands');
$ENV{CFLAGS} = '';
my $sanitized = slurp("$BUILD/config.h") =~ /define KMS_SANITIZED 1/;
my %said;
for my $block (@blocks) {
    next if $sanitized && $block->{text} =~ /^cc -static|^python3 /m; # sanitizers are shared libraries, which Python has not
    my $script = $block->{text};
    $script =~ s/^(state_directory = .*\n)/$1$kms/m;
    $script =~ s/^cc /cc -Wall -Werror /m;
    $script =~ s/^cc /cc -fsanitize=address,undefined /m if $sanitized;
    my $r = run([ 'bash', '-eu', '-o', 'pipefail', '-c', $script ]);
    is($r->{exit}, 0, "line $block->{line}: " . ($block->{text} =~ /^(.{1,60})/)[0])
        or diag("$r->{out}$r->{err}" . (-e 'kmsd.log' ? slurp('kmsd.log') : '')), last;
    $said{ $block->{line} } = "$r->{out}$r->{err}";
}
my $all = join '', map { $said{$_} } sort { $a <=> $b } keys %said;
like($all, qr/not activated: 1 of 3.*not activated: 2 of 3.*^activated: 3 of 3.*^activated: 3 of 3/ms, 'three machines, as the guide says');
like($all, qr/^not activated: 1 of 3.*?^Example Editor: the licence server waits until enough computers have asked\. .*?^Example Editor: this product has no licence yet/ms, 'what their users read');
like($all, qr/^Licensed to Customer Ltd$/m, 'and whose licence it is');
like($all, qr/^activated: 4 of 3 machines counted$/m, 'a fourth, with libkms in it') if !$sanitized;
like($all, qr/^Example Editor: this product is licensed\. Nothing to do\.\nLicensed to Customer Ltd\n.*^next: renew in .*^127\.0\.0\.1 port \d+: success$/ms, 'a product in Python') if !$sanitized;
my %ids = map { $_ => 1 } $all =~ /\b(\d{7}(?:-\d{7}){8})\b/g;
is(scalar keys %ids, 1, 'both ends showed one installation id');
like($all, qr/Customer Ltd/, 'the register knows the customer');
ok(-s 'host.png', 'the picture is there');

END {
    if (defined $dir && -s "$dir/guide/kmsd.pid") {
        my ($pid) = slurp("$dir/guide/kmsd.pid") =~ /(\d+)/;
        my $status = $?;
        for (1 .. 200) { # it was told to end by the guide itself, or is now
            last if !-e "/proc/$pid" || (eval { slurp("/proc/$pid/cmdline") } // '') !~ /kmsd/;
            kill 'TERM', $pid if $_ == 1;
            select undef, undef, undef, 0.05;
        }
        $? = $status;
    }
    chdir '/';
}
done_testing;
