#!/usr/bin/perl
# The appliance as a machine: the disk image boots in QEMU, is set up from a second disk by nobody, activates a client, is killed and comes back,
# is restarted by its watchdog, is updated by packages and by an image, refuses an older one, and is restored on a fresh disk from the backup on
# another host. KMS_IMAGE=DIR is where make image has left kms.raw and kms-root.img; it is image/ of the build tree otherwise.
#
# KMS_IMAGE_PARTS names the parts that are tried (setup accidents packages update restore); all of them otherwise. setup leaves the machine that it set up
# in tried/ of that directory, and each of the others begins with a copy of it.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP ();
use KMS::Debian;
use KMS::Qemu;
use KMS::Test;
use Test::More;
use Time::HiRes qw(sleep time);

skip_unless_possible(qw(qemu-system-x86_64 mkfs.fat mcopy ssh scp ssh-keygen debugfs rsync));
my $image = $ENV{KMS_IMAGE} // "$BUILD/image";
-e "$image/kms.raw" or BAIL_OUT("there is no $image/kms.raw: make image");
my @PARTS = qw(setup accidents packages update restore);
my %wanted = map { $_ => 1 } split ' ', $ENV{KMS_IMAGE_PARTS} || "@PARTS";
for my $name (keys %wanted) { BAIL_OUT("there is no part $name: @PARTS") if !grep { $_ eq $name } @PARTS }
my $dir = workspace();
my $product = '11111111-1111-4111-8111-111111111111';
my $tried = "$image/tried";
my ($p, $m);

# The other host, which keeps the backup: a sshd for each connection, in which the key on the disk KMS-SETUP may write into one folder.
sub other_host () {
    mkdir '/run/sshd';
    spew("$dir/other/sshd_config", <<"END");
HostKey $dir/other/host
AuthorizedKeysFile $dir/other/authorized
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
PidFile none
END
    return "$dir/other/sshd_config";
}
sub let_in ($key) { spew("$dir/other/authorized", "restrict,command=\"cd $dir/other && eval \\\"\$SSH_ORIGINAL_COMMAND\\\"\" $key\n") }

sub settings ($m) {
    return spew("$dir/machine.conf", <<"END");
# By hand, on a PC.
name = kms.example.test
address = 10.0.2.15/24
gateway = 10.0.2.2
nameservers = 10.0.2.3
time_servers = 10.0.2.2
ssh_key = @{[ $m->public_key ]}
backup = root\@10.0.2.100:backup
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
sub version ($m) { return done($m, 'the version', q(dpkg-query -W -f '${Version}' kmsd)) }
# How long each takes, on standard error, because it is long.
sub part ($name, $code) {
    my $at = time;
    subtest $name => sub { eval { $code->(); 1 } or fail("died: $@") };
    diag(sprintf '%s: %.0f s', $name, time - $at);
}
# Each of the parts begins with the machine as setup left it.
sub begin ($part, $code) {
    return if !$wanted{$part};
    if (!$wanted{setup} || defined $m) {
        $m->kill if $m && $m->{pid};
        -e "$tried/publisher.json" or BAIL_OUT("there is no $tried: the part setup makes it");
        run([ 'find', $dir, '-mindepth', '1', '-delete' ]);
        KMS::Qemu::must('cp', '-r', '--sparse=always', "$tried/.", $dir);
        $p = JSON::PP->new->decode(slurp("$dir/publisher.json") =~ s/\@DIR\@/$dir/gr);
        $m = KMS::Qemu->new("$dir/machine", undef, sshd => other_host());
        let_in(slurp("$dir/other/backup.pub"));
    }
    return $code->();
}

begin setup => sub {
    $p = publisher(dir => "$dir/publisher", products => [ { name => 'Booted', id => $product, threshold => 1, group => 'client', pool => 'desktops' } ]);
    my $folder = "$dir/from-acme";
    mkdir $_ for $folder, "$dir/clients", "$dir/other";
    issue_key($p, group => 'client', output => "$folder/customer");
    KMS::Qemu::must('cp', "$p->{dir}/publisher.pub", $p->{pack}, "$p->{pack}.minisig", $folder);
    KMS::Qemu::must('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'other', '-f', "$dir/other/host");
    $m = KMS::Qemu->new("$dir/machine", $image, sshd => other_host());

    part 'the first boot, by GRUB, set up from a second disk' => sub {
        $m->setup_disk({ 'machine.conf' => settings($m), publisher => $folder });
        $m->start(loader => 1)->up;
        is(done($m, 'its name', 'hostname'), 'kms.example.test', 'it has its name');
        like(done($m, 'its address', 'ip -4 -o addr show scope global'), qr{inet 10\.0\.2\.15/24 }, 'and its address');
        my $request = $m->from_setup('acme.kmsreq');
        ok(defined $request, 'the request to the publisher is on the disk') or diag($m->ssh('journalctl -b --no-pager -u kms-files -u kms-first-boot')->{out});
        spew("$dir/host.kmsreq", $request // '');
        like($m->from_setup('backup.pub') // '', qr/^ssh-ed25519 /, 'and the key by which the other host is to know it');
        spew("$dir/other/backup.pub", $m->from_setup('backup.pub') // '');
    };

    part 'the publisher confirms; the plug is pulled, and the answer comes with the next start' => sub {
        confirm($p, "$dir/host.kmsreq", output => "$dir/host");
        $m->kill;
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
        like(done($m, 'the watchdog', 'wdctl; systemctl show -p RuntimeWatchdogUSec'), qr/i6300ESB.*RuntimeWatchdogUSec=2min/is, 'systemd keeps the watchdog');
        like(done($m, 'updates', 'apt-config dump'), qr/^APT::Periodic::Unattended-Upgrade "1";.*^Unattended-Upgrade::Automatic-Reboot "true";/ms, 'security updates come by themselves');
        my $doctor = $m->ssh('kmsctl doctor');
        unlike($doctor->{out}, qr/^\s+bad\b/m, 'kmsctl doctor finds nothing bad') or diag($doctor->{out});
        is($m->ssh('kmsctl plan --check')->{exit}, 0, 'and the machine is as kms.ini says') or diag($m->ssh('kmsctl plan')->{out});
    };
    is($m->poweroff, 0, 'it is switched off');
    run([ 'rm', '-rf', $tried ]);
    spew("$dir/publisher.json", JSON::PP->new->encode($p) =~ s/\Q$dir\E/\@DIR\@/gr);
    KMS::Qemu::must('cp', '-r', '--sparse=always', $dir, $tried);
};

begin accidents => sub {
    part 'the plug is pulled while clients come' => sub {
        $m->start->up;
        my $last = 1;
        my $until = time + 20;
        while (time < $until) { client($m, $last + 1, 'activate')->{exit} == 0 or last; $last++ }
        cmp_ok($last, '>', 1, "$last clients came");
        $m->kill;
        $m->start->up;
        whole($m, 'after it');
        is(client($m, $last, 'renew')->{exit}, 0, "client $last, which was activated last, renews");
    };

    part 'the kernel hangs, and the watchdog sees it' => sub {
        # Not the restart that the kernel makes by itself after a minute.
        done($m, 'no other restart', 'sysctl -q kernel.panic=0');
        $m->reboot('(sleep 1; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 &');
        like($m->console, qr/Kernel panic|sysrq/, 'it was a panic');
        whole($m, 'after it');
    };
};

sub read_only_again ($m) {
    ok(eval { wait_for(300, sub { sleep 5; $m->ssh('touch /usr/x')->{exit} != 0 }, 'it is read-only') }, 'the root is read-only again');
}

begin packages => sub {
    part 'updated by packages' => sub {
        $m->start->up;
        my $debs = { debs => { map { m{/([^/_]+)_[^/]*\.deb$} ? ($1 => $_) : () } glob "$image/debs/*.deb" } };
        $m->copy_in($_, '/root/') for grep { m{/(?:kmsd|kmsctl)\.deb$} } newer($debs, $dir);
        done($m, 'apt', 'DEBIAN_FRONTEND=noninteractive apt-get install -y -o DPkg::Options::=--force-unsafe-io /root/kmsd.deb /root/kmsctl.deb');
        like(version($m), qr/\+later$/, 'the newer kmsd is there');
        read_only_again($m);
        whole($m, 'after it');
    };

    part 'older packages over a newer ledger' => sub {
        # As a kmsd of a later version leaves it.
        done($m, 'a later version', q(sed -i 's/^index .*/index 1000/' /var/lib/kms/kmsdb/version));
        my $r = $m->ssh('DEBIAN_FRONTEND=noninteractive apt-get install -y --reinstall -o DPkg::Options::=--force-unsafe-io /root/kmsd.deb /root/kmsctl.deb');
        isnt($r->{exit}, 0, 'they are refused');
        like("$r->{out}$r->{err}", qr/^kmsd: version \S+ is not installed, and nothing was changed/m, 'and say why');
        read_only_again($m);
        renews($m, 'kmsd goes on');
    };
};

# The same root with another version: it does what it did, but kms-machine sees a newer or an older one.
sub other_root ($version, $name) {
    my $file = "$dir/$name.img";
    KMS::Qemu::must('cp', '--sparse=always', "$image/kms-root.img", $file);
    KMS::Qemu::must('debugfs', '-R', "dump /var/lib/dpkg/status $dir/status", $file);
    spew("$dir/status", slurp("$dir/status") =~ s/^(Package: kmsd\n(?:.+\n)*?Version: )(.*)/$1 . ($version =~ s{\A\+}{$2+}r)/mer);
    KMS::Qemu::must('debugfs', '-w', '-R', 'rm /var/lib/dpkg/status', $file);
    KMS::Qemu::must('debugfs', '-w', '-R', "write $dir/status /var/lib/dpkg/status", $file);
    return $file;
}

begin update => sub {
    # No kmsd is in the last one: nobody says that it is good.
    my $broken = other_root('+later3', 'broken');
    KMS::Qemu::must('debugfs', '-w', '-R', 'rm /usr/sbin/kmsd', $broken);
    $m->{disks} = { older => other_root('0.0.1', 'older'), newer => other_root('+later2', 'newer'), broken => $broken };
    my $update = 'kms-machine update /dev/disk/by-id/virtio';

    part 'an older image is refused' => sub {
        $m->start(loader => 1)->up;
        my $r = $m->ssh("$update-older");
        is($r->{exit}, 2, 'an older one is refused');
        like($r->{err}, qr/its kmsd is 0\.0\.1, older than /, 'and why');
        is($m->ssh('kms-machine update /etc/passwd')->{exit}, 2, 'what is no root is refused');
        renews($m, 'the machine goes on');
    };

    part 'updated by an image' => sub {
        done($m, 'kms-machine update', "$update-newer");
        $m->reboot('systemctl reboot');
        like(done($m, 'which root', 'cat /proc/cmdline'), qr/kms-root-b/, 'the other root is booted');
        like(version($m), qr/\+later2$/, 'it is the newer one');
        is(done($m, 'its name', 'hostname'), 'kms.example.test', 'and the same machine');
        whole($m, 'after it');
    };

    part 'an image that does not come up' => sub {
        done($m, 'kms-machine update', "$update-broken");
        $m->reboot('systemctl reboot');
        like(done($m, 'which root', 'cat /proc/cmdline'), qr/kms-root-a.* panic=60/, 'it is tried');
        isnt($m->ssh('systemctl is-active -q kmsd')->{exit}, 0, 'and serves nobody');
        $m->reboot('systemctl reboot');
        like(done($m, 'which root', 'cat /proc/cmdline'), qr/kms-root-b/, 'the one before is booted then, which was kept');
        like(version($m), qr/\+later2$/, 'with its version');
        whole($m, 'after it');
    };
};

begin restore => sub {
    my $host;
    part 'backed up to another host' => sub {
        $m->start->up;
        done($m, 'kms-machine backup', 'kms-machine backup');
        ok(-d "$dir/other/backup/kmsdb/journal", 'the journal is there');
        ok(-e "$dir/other/backup/keys/host.key" && !-e "$dir/other/backup/keys/exchange.key", 'the keys are, and not the one that opens what was recorded');
        is(client($m, 2, 'activate')->{exit}, 0, 'another client');
        done($m, 'another one', 'kms-machine backup');
        $host = json_of($m->ssh('kmsctl --json status'))->{host_id};
        like($host, qr/^[0-9a-f]{32}$/, 'it is a host');
        $m->kill;
    };

    part 'restored on a fresh image from its backup' => sub {
        my $new = $m = KMS::Qemu->new("$dir/new", $image, sshd => "$dir/other/sshd_config");
        $new->setup_disk({ 'machine.conf' => settings($new), backup => "$dir/other/backup" });
        $new->start->up;
        is(json_of($new->ssh('kmsctl --json status'))->{host_id}, $host, 'it is the same host');
        whole($new, 'the new machine');
        is(client($new, 2, 'renew')->{exit}, 0, 'client 2 renews');
        is(client($new, 'late', 'activate')->{exit}, 0, 'a new client is activated');
        $new->kill;
    };
};

done_testing;
