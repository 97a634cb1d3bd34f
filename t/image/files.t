#!/usr/bin/perl
# What the appliance's image is made of, looked at without making one: its scripts, units and settings. t/image/image.t boots it.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use Test::More;

my $dir = workspace();
my $root = "$SRC/etc/image/root";
my @scripts = grep { slurp($_) =~ m{\A#!/bin/sh\n} } "$SRC/etc/image/make", "$SRC/etc/image/finish", glob("$root/usr/lib/kms-machine/* $root/usr/sbin/* $root/etc/initramfs-tools/*/* $root/etc/initramfs-tools/scripts/*/*");
cmp_ok(scalar @scripts, '>', 12, 'the scripts are there');
is(join(' ', grep { !-x } @scripts), '', 'each can be run');
# What is sourced is not followed; what a shell inside is to read is in single quotes.
my $said = run([ 'shellcheck', '-e', 'SC1091,SC2016,SC2013', @scripts, "$root/usr/lib/kms-machine/boot.sh" ]);
is("$said->{exit} $said->{out}", '0 ', 'shellcheck has nothing to say');

# Units, with programs that are there in place of those of the image.
my @units = glob "$root/etc/systemd/system/*.service $root/etc/systemd/system/*.timer";
cmp_ok(scalar @units, '>', 5, 'the units are there');
for my $unit (@units) {
    my $name = $unit =~ s{.*/}{}r;
    my $text = slurp($unit);
    for my $program ($text =~ m{^Exec\w+=(/usr/lib/kms-machine/[\w-]+)}mg) { ok(-x "$root$program", "$name: $program is there") }
    spew("$dir/$name", $text =~ s{^(Exec\w+)=\S+}{$1=/bin/true}mgr);
}
spew("$dir/kmsd.service", "[Service]\nExecStart=/bin/true\n");
spew("$dir/kmsd.socket", "[Socket]\nListenStream=1688\n");
my $verified = run([ 'systemd-analyze', 'verify', '--man=no', map { "$dir/" . s{.*/}{}r } @units ]);
is("$verified->{exit} " . join("\n", grep { /\Q$dir\E|kms-/ } split /\n/, "$verified->{out}$verified->{err}"), '0 ', 'systemd-analyze verify has nothing to say');
# Enabled by hand in the image, one by one.
for my $unit (grep { slurp($_) =~ /^\[Install\]/m } @units) {
    my $name = $unit =~ s{.*/}{}r;
    like(slurp("$SRC/etc/image/finish") . slurp("$root/usr/lib/kms-machine/apply"), qr/\Q$name\E/, "$name is enabled");
}

# The users have the numbers of the image under all of their names.
my %user = map { map { /^u\s+(\S+)\s+(\S+)/ ? ($1 => $2) : () } split /\n/, slurp($_) } "$SRC/etc/sysusers.d/kms.conf";
my %here = map { /^u\s+(\S+)\s+(\d+)/ ? ($1 => $2) : () } split /\n/, slurp("$root/etc/sysusers.d/kms.conf");
is_deeply([ sort keys %here ], [ sort keys %user ], 'the image numbers each user of kmsd');
is(scalar(keys %{ { reverse %here } }), scalar(keys %user), 'and each differently');

# The settings.
my $settings = "$root/usr/lib/kms-machine/settings";
sub check ($text) {
    my $r = run([ $settings, 'check', spew("$dir/machine.conf", $text) ]);
    return ($r->{exit}, $r->{err} =~ s{^\Q$dir\E/machine\.conf:}{}gmr =~ s/\n\z//r);
}
my $key = 'ssh-ed25519 ' . 'A' x 68 . ' admin@example';
my $good = "name = kms.example.com\naddress = 192.0.2.10/24\ngateway = 192.0.2.1\nnameservers = 192.0.2.2 2001:db8::2\ntime_servers = ntp.example.com\n"
    . "ssh_key = $key\nbackup = kms\@other.example.com:22:kms\nbackup_host_key = $key\npassword_hash = \$6\$abc\$" . 'x' x 86 . "\n";
is_deeply([ check($good) ], [ 0, '' ], 'every key');
is_deeply([ check("# a comment\r\n\r\n; another\r\n  name=kms  \r\n") ], [ 0, '' ], 'the least, as a PC writes it');
is(run([ $settings, 'get', "$dir/machine.conf", 'name' ])->{out}, "kms\n", 'a value without its blanks');
is(run([ $settings, 'get', "$dir/machine.conf", 'backup' ])->{out}, '', 'one that is not there');
for my $of (
    [ '', ' name is missing', 'nothing' ],
    [ "name\n", "1: expected KEY = VALUE\n name is missing", 'a word' ],
    [ "name = a\nname = b\n", '2: name is there twice', 'a key twice' ],
    [ "name = a\nport = 3\n", '2: there is no key port', 'a key that does not exist' ],
    [ "name = a b\n", '1: name cannot be "a b"', 'a name of two words' ],
    [ "name = -a\n", '1: name cannot be "-a"', 'a name that is an option' ],
    [ "name = \$(reboot)\n", '1: name cannot be "$(reboot)"', 'a command' ],
    [ 'name = ' . 'a' x 64 . "\n", '1: name cannot be "' . 'a' x 64 . '"', 'a name of 64 bytes' ],
    [ 'name = ' . 'a' x 1000 . "\n", '1: name cannot be "' . 'a' x 80 . '..."', 'a long name' ],
    [ "name = a\e[2J\n", '1: name cannot be "a?[2J"', 'a control character' ],
    [ "name = a\naddress = 192.0.2.1\n", '2: address cannot be "192.0.2.1"', 'an address without its bits' ],
    [ "name = a\naddress = 192.0.2.1/24\n", ' gateway is missing: the address has no DHCP', 'an address alone' ],
    [ "name = a\nbackup = root\@other:kms\n", ' backup_host_key is missing: the other host must be known', 'a backup to anybody' ],
    [ "name = a\nbackup = root\@-oProxyCommand=x:kms\nbackup_host_key = $key\n", '2: backup cannot be "root@-oProxyCommand=x:kms"', 'an option of ssh' ],
    [ "name = a\nssh_key = command=\"x\" $key\n", "2: ssh_key cannot be \"command=\"x\" " . substr($key, 0, 68) . '..."', 'a key with options' ],
    [ "name = a\n" . "#\n" x 40000, "settings: $dir/machine.conf: the file is longer than 64 KiB", 'a long file' ],
) {
    my ($text, $error, $name) = @$of;
    my ($exit, $said) = check($text);
    isnt($exit, 0, "$name: refused");
    is($said, $error, "$name: and why");
}
is_deeply([ check('name = ' . 'a' x 63 . "\n") ], [ 0, '' ], 'a name of 63 bytes');
done_testing;
