#!/usr/bin/perl
# The systemd unit: systemd understands every line of it, rates its exposure below 2.0, and it has what a service of ours
# needs: notification, watchdog, restart, limits.
use v5.36;
use File::Temp qw(tempdir);
use Test::More;

my $src = $ENV{KMS_SRC} // '.';
my $dir = tempdir(CLEANUP => 1);
my $text = do { local (@ARGV, $/) = "$src/etc/systemd/kmsd.service.in"; <> };
# A program that is there, for verify.
my %place = (sbindir => '/usr/sbin', sysconfdir => '/etc', localstatedir => '/var');
$text =~ s/\@(\w+)\@/$place{$1} or die "no value for $1"/ge;
(my $verified = $text) =~ s{/usr/sbin/kmsd}{/bin/true}g;

sub spew ($file, $octets) {
    open my $fh, '>', $file or die "$file: $!";
    print {$fh} $octets;
    close $fh or die;
}

# What make installs.
my $build = $ENV{KMS_BUILD} // 'build';
my $built = do { local (@ARGV, $/) = "$build/etc/systemd/kmsd.service"; <> };
unlike($built, qr/\@\w+\@/, 'the unit as built: every place is filled in');
like($built, qr{^ExecStart=/\S*/sbin/kmsd -f /\S*/kms/kms\.ini$}m, 'and is that of this build');

my %set = map { /^(\w+)=(.*)/ ? ($1 => $2) : () } split /\n/, $text;
is($set{Type}, 'notify', 'kmsd tells when it is ready');
cmp_ok($set{WatchdogSec}, '>', 0, 'and that it lives');
is($set{Restart}, 'on-failure', 'a failure is followed by another start');
cmp_ok($set{LimitNOFILE}, '>=', 2 * 20000 + 1024, 'descriptors for the default connections');
is($set{LimitMEMLOCK}, 'infinity', 'session keys can be locked in memory');
# systemd counts chroot as @mount: what is taken with that comes back only after it.
like($text, qr/^SystemCallFilter=~.*\@mount\b(?!.*^SystemCallFilter=~).*^SystemCallFilter=.*\bchroot\b/ms, 'the fronts may have an empty root');
like($text, qr/^ExecReload=.* -n .*\nExecReload=.*HUP/m, 'a reload checks the file first');

die "systemd-analyze is not installed: ./bootstrap deps\n" if !grep { -x "$_/systemd-analyze" } split /:/, $ENV{PATH};
spew("$dir/kmsd.service", $text);
my $said = `systemd-analyze security --offline=yes --no-pager $dir/kmsd.service 2>&1`;
my ($exposure) = $said =~ /Overall exposure level for \S+: ([0-9.]+)/;
ok(defined $exposure && $exposure < 2.0, 'exposure below 2.0') or diag($said);
unlike($said, qr/kmsd\.service:\d+:/, 'no line that systemd would ignore');

spew("$dir/kmsd.service", $verified);
spew("$dir/$_", do { local (@ARGV, $/) = "$src/etc/systemd/$_"; <> }) for qw(kmsd.socket);
my $verify = `systemd-analyze verify --man=no $dir/kmsd.service $dir/kmsd.socket 2>&1`;
is(join("\n", grep { m{\Q$dir\E|kmsd} } split /\n/, $verify), '', 'systemd-analyze verify has nothing to say');
done_testing;
