#!/usr/bin/perl
# The appliance as a machine: the disk image boots in QEMU, is set up from a second disk by nobody, activates a client, is killed and comes back,
# is restarted by its watchdog, is updated by packages and by an image, and is restored on a fresh disk from the backup on another host.
# KMS_IMAGE=DIR is where make image has left kms.raw and kms-root.img; it is image/ of the build tree otherwise.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Debian;
use KMS::Qemu;
use KMS::Test;
use Test::More;
use Time::HiRes qw(sleep time);

skip_unless_possible(qw(qemu-system-x86_64 qemu-img mkfs.fat mcopy ssh scp ssh-keygen debugfs));
my $image = $ENV{KMS_IMAGE} // "$BUILD/image";
-e "$image/kms.raw" or BAIL_OUT("there is no $image/kms.raw: make image");
my $dir = workspace();
my $product = '11111111-1111-4111-8111-111111111111';
my $p = publisher(dir => "$dir/publisher", products => [ { name => 'Booted', id => $product, threshold => 1, group => 'client', pool => 'desktops' } ]);
my $folder = "$dir/from-acme";
mkdir $_ for $folder, "$dir/clients", "$dir/other";
issue_key($p, group => 'client', output => "$folder/customer");
KMS::Qemu::must('cp', "$p->{dir}/publisher.pub", $p->{pack}, "$p->{pack}.minisig", $folder);

# The other host, which keeps the backup: a sshd that lets in who has the key on the disk KMS-SETUP.
my $sshd = KMS::Qemu::free_port();
KMS::Qemu::must('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'other', '-f', "$dir/other/host");
mkdir '/run/sshd';
spew("$dir/other/sshd_config", <<"END");
Port $sshd
ListenAddress 127.0.0.1
HostKey $dir/other/host
AuthorizedKeysFile $dir/other/authorized
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
PidFile none
END
spawn([ '/usr/sbin/sshd', '-D', '-e', '-f', "$dir/other/sshd_config" ], log => "$dir/other/log");

sub settings ($m) {
    return spew("$dir/machine.conf", <<"END");
# By hand, on a PC.
name = kms.example.test
address = 10.0.2.15/24
gateway = 10.0.2.2
nameservers = 10.0.2.3
time_servers = 10.0.2.2
ssh_key = @{[ $m->public_key ]}
backup = root\@10.0.2.2:$sshd:$dir/other/backup
backup_host_key = @{[ slurp("$dir/other/host.pub") =~ s/\n//r ]}
END
}
sub client ($m, $n, $verb) {
    return run([ program('kmsclient'), '--publisher-key', $p->{key}, '--product', $product, '--state', "$dir/clients/$n", '--host', '127.0.0.1:' . $m->kms,
        '--name', "pc-$n", $verb ]);
}
sub done ($m, $name, $script) {
    my $r = $m->ssh($script);
    is($r->{exit}, 0, $name) or diag("$script\n$r->{out}$r->{err}");
    return $r->{out} =~ s/\n\z//r;
}
sub renews ($m, $name) { is(client($m, 1, 'renew')->{exit}, 0, "$name: client 1 renews") }
sub whole ($m, $name) {
    renews($m, $name);
    done($m, "$name: the ledger is whole", 'kmsctl ledger check');
    is($m->ssh('systemctl --failed --plain --no-legend')->{out}, '', "$name: no unit has failed");
}
sub part ($name, $code) {
    my $at = time;
    subtest $name => sub { eval { $code->(); 1 } or fail("died: $@") };
    note(sprintf '%s: %.0f s', $name, time - $at);
}

my $host;
my $m = KMS::Qemu->new("$dir/machine", "$image/kms.raw");
part 'the first boot, set up from a second disk' => sub {
    $m->setup_disk({ 'machine.conf' => settings($m), publisher => $folder });
    $m->start->up;
    is(done($m, 'its name', 'hostname'), 'kms.example.test', 'it has its name');
    like(done($m, 'its address', 'ip -4 -o addr show scope global'), qr{inet 10\.0\.2\.15/24 }, 'and its address');
    my $request = $m->from_setup('acme.kmsreq');
    ok(defined $request, 'the request to the publisher is on the disk') or diag($m->ssh('journalctl -b --no-pager -u kms-files -u kms-first-boot')->{out});
    spew("$dir/host.kmsreq", $request // '');
    like($m->from_setup('backup.pub') // '', qr/^ssh-ed25519 /, 'and the key by which the other host is to know it');
    spew("$dir/other/authorized", $m->from_setup('backup.pub') // '');
};

part 'the publisher confirms; the plug is pulled, and the answer comes with the next start' => sub {
    confirm($p, "$dir/host.kmsreq", output => "$dir/host");
    $m->kill;
    mkdir "$dir/answer";
    KMS::Qemu::must('sh', '-c', "cp $dir/host.kmscert* $folder/");
    $m->setup_disk({ publisher => $folder });
    $m->start->up;
    is(client($m, 1, 'activate')->{exit}, 0, 'a client is activated') or diag($m->ssh('journalctl -b --no-pager -u kms-files -u kmsd')->{out});
    whole($m, 'after it');
};

part 'what the machine is' => sub {
    isnt($m->ssh('touch /usr/x')->{exit}, 0, 'the root is read-only');
    like(done($m, 'mounts', 'cat /proc/mounts'), qr{ / ext4 ro,}, 'and is mounted so');
    my %size = map { split /=/ } split ' ', done($m, 'the disk', 'echo state=$(df --output=size -BM /state | tail -1)');
    cmp_ok($size{state} =~ s/M//r, '>', 3000, 'the state has the rest of the disk');
    is(done($m, 'units', 'systemctl is-active chrony nftables kmsd.socket kmsd kms-good apt-daily-upgrade.timer kms-backup.timer | sort -u'), 'active', 'all is active');
    like(done($m, 'chrony', 'chronyc -n sources'), qr/10\.0\.2\.2/, 'chrony asks the time server of the settings');
    like(done($m, 'the watchdog', 'wdctl; systemctl show -p RuntimeWatchdogUSec'), qr/i6300ESB.*RuntimeWatchdogUSec=30s/is, 'systemd keeps the watchdog');
    like(done($m, 'updates', 'apt-config dump'), qr/^APT::Periodic::Unattended-Upgrade "1";.*^Unattended-Upgrade::Automatic-Reboot "true";/ms, 'security updates come by themselves');
    my $doctor = $m->ssh('kmsctl doctor');
    unlike($doctor->{out}, qr/^\s+bad\b/m, 'kmsctl doctor finds nothing bad') or diag($doctor->{out});
    is($m->ssh('kmsctl plan --check')->{exit}, 0, 'and the machine is as kms.ini says') or diag($m->ssh('kmsctl plan')->{out});
};

part 'the plug is pulled while clients come' => sub {
    my $last = 1;
    my $until = time + 5;
    while (time < $until) { client($m, $last + 1, 'activate')->{exit} == 0 or last; $last++ }
    $m->kill;
    $m->start->up;
    whole($m, 'after it');
    is(client($m, $last, 'renew')->{exit}, 0, "client $last, which was activated last, renews");
};

part 'the kernel hangs, and the watchdog sees it' => sub {
    $m->reboot('(sleep 1; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 &');
    like($m->console, qr/Kernel panic|sysrq/, 'it was a panic');
    whole($m, 'after it');
};

# The same packages and the same root with another version: what they do is what they did, but dpkg and kms-machine see a newer or an older one.
sub other_root ($version, $name) {
    my $file = "$dir/$name.img";
    KMS::Qemu::must('cp', '--sparse=always', "$image/kms-root.img", $file);
    KMS::Qemu::must('debugfs', '-R', "dump /var/lib/dpkg/status $dir/status", $file);
    spew("$dir/status", slurp("$dir/status") =~ s/^(Package: kmsd\n(?:.+\n)*?Version: )(.*)/$1 . ($version =~ s{\+}{$2+}r)/mer);
    KMS::Qemu::must('debugfs', '-w', '-R', 'rm /var/lib/dpkg/status', $file);
    KMS::Qemu::must('debugfs', '-w', '-R', "write $dir/status /var/lib/dpkg/status", $file);
    return $file;
}

part 'updated by packages' => sub {
    my $debs = { debs => { map { m{/([^/_]+)_[^/]*\.deb$} ? ($1 => $_) : () } glob "$image/debs/*.deb" } };
    $m->copy_in($_, '/root/') for grep { m{/(?:kmsd|kmsctl)\.deb$} } newer($debs, $dir);
    done($m, 'apt', 'DEBIAN_FRONTEND=noninteractive apt-get install -y -o DPkg::Options::=--force-unsafe-io /root/kmsd.deb /root/kmsctl.deb');
    like(done($m, 'the version', q(dpkg-query -W -f '${Version}' kmsd)), qr/\+later$/, 'the newer kmsd is there');
    ok(eval { wait_for(60, sub { sleep 1; $m->ssh('touch /usr/x')->{exit} != 0 }, 'it is read-only') }, 'the root is read-only again');
    whole($m, 'after it');
};

part 'backed up to another host' => sub {
    done($m, 'kms-machine backup', 'kms-machine backup') or diag(slurp("$dir/other/log"));
    ok(-d "$dir/other/backup/kmsdb/journal", 'the journal is there');
    ok(-e "$dir/other/backup/keys/host.key" && !-e "$dir/other/backup/keys/exchange.key", 'the keys are, and not the one that opens what was recorded');
    done($m, 'another one', 'kms-machine backup');
};

part 'updated by an image' => sub {
    my $plug = sub (@disks) { $m->poweroff; $m->{disks} = [@disks]; $m->start->up };
    $plug->(other_root('0.0.1', 'older'));
    my $r = $m->ssh('kms-machine update /dev/disk/by-id/virtio-update');
    is($r->{exit}, 2, 'an older one is refused');
    like($r->{err}, qr/its kmsd is 0\.0\.1, older than /, 'and why');
    is($m->ssh('kms-machine update /etc/passwd')->{exit}, 2, 'what is no root is refused');
    $plug->(other_root('+later2', 'newer'));
    done($m, 'kms-machine update', 'kms-machine update /dev/disk/by-id/virtio-update');
    $m->reboot('systemctl reboot');
    like(done($m, 'which root', 'cat /proc/cmdline'), qr/kms-root-b/, 'the other root is booted');
    like(done($m, 'the version', q(dpkg-query -W -f '${Version}' kmsd)), qr/\+later2$/, 'it is the newer one');
    is(done($m, 'its name', 'hostname'), 'kms.example.test', 'and the same machine');
    whole($m, 'after it');
    $m->kill;
    $m->start->up;
    like(done($m, 'which root', 'cat /proc/cmdline'), qr/kms-root-b/, 'it stays');
    done($m, 'the backup before the end', 'kms-machine backup');
    is(client($m, 1, 'verify')->{exit}, 0, 'client 1 has its lease');
    $host = json_of($m->ssh('kmsctl --json status'))->{host_id};
    $m->kill;
};

part 'restored on a fresh image from its backup' => sub {
    my $new = KMS::Qemu->new("$dir/new", "$image/kms.raw");
    $new->setup_disk({ 'machine.conf' => settings($new), backup => "$dir/other/backup" });
    $new->start->up;
    is(json_of($new->ssh('kmsctl --json status'))->{host_id}, $host, 'it is the same host');
    whole($new, 'the new machine');
    is(client($new, 'late', 'activate')->{exit}, 0, 'a new client is activated');
    $new->kill;
};

done_testing;
