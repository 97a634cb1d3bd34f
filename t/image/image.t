#!/usr/bin/perl
# The appliance as a machine: the disk image boots in QEMU, is set up from a second disk by nobody, or by a person at the console, activates a client, is killed and comes back,
# is restarted by its watchdog, is updated by packages and by an image over a live ledger of the version before, refuses an older one, and is restored on a
# fresh disk from the backup on another host. KMS_IMAGE=DIR is where make image has left kms.raw and kms-root.img; it is image/ of the build tree otherwise.
#
# KMS_IMAGE_PARTS names the parts that are tried (setup restore before console accidents packages update); all of them otherwise. setup and before
# leave the machines that they set up in tried/ of that directory, one of this version and one of the version before. The others begin with a copy of one.
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
my @PARTS = qw(setup restore before console accidents packages update);
my %wanted = map { $_ => 1 } split ' ', $ENV{KMS_IMAGE_PARTS} || "@PARTS";
for my $name (keys %wanted) { BAIL_OUT("there is no part $name: @PARTS") if !grep { $_ eq $name } @PARTS }
my $dir = workspace();
my $product = '11111111-1111-4111-8111-111111111111';
my $tried = "$image/tried";
my $debs = { map { m{/([^/_]+)_[^/]*\.deb$} ? ($1 => $_) : () } glob "$image/debs/*.deb" };
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
# The machine's key, which it has left on its disk KMS-SETUP; the folder is the machine's own.
sub let_in ($m) {
    my $folder = "$dir/other/" . $m->{dir} =~ s{.*/}{}r;
    mkdir $folder;
    open my $keys, '>>', "$dir/other/authorized" or die "$dir/other/authorized: $!\n";
    print $keys "restrict,command=\"cd $folder && eval \\\"\$SSH_ORIGINAL_COMMAND\\\"\" ", $m->from_setup('backup.pub') // "\n";
}

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
# Client 1 and so on of a host, which is a machine or what was restored from it.
sub client ($m, $n, $verb) {
    return run([ program('kmsclient'), '--publisher-key', $p->{key}, '--product', $product, '--state', "$dir/clients/$m->{host}-$n", '--host', '127.0.0.1:' . $m->kms,
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
sub host_id ($m) { return json_of($m->ssh('kmsctl --json status'))->{service}{host_id} // '' }
sub root_of ($m) { return done($m, 'which root', 'cat /proc/cmdline') }
sub schema ($m) { return done($m, 'its ledger', q(sed -n 's/^index //p' /var/lib/kms/kmsdb/version)) }
sub read_only_again ($m) {
    ok(eval { wait_for(300, sub { sleep 5; $m->ssh('touch /usr/x')->{exit} != 0 }, 'it is read-only') }, 'the root is read-only again');
}
# How long each takes, on standard error, because it is long.
sub part ($name, $code) {
    my $at = time;
    subtest $name => sub { eval { $code->(); 1 } or fail("died: $@") };
    diag(sprintf '%s: %.0f s', $name, time - $at);
}

# The root of the image, changed: { path => FILE or undef, which removes it }, and the status of dpkg by a function of its text.
sub other_root ($name, $files, $status) {
    my $file = "$dir/$name.img";
    KMS::Qemu::must('cp', '--sparse=always', "$image/kms-root.img", $file);
    KMS::Qemu::must('debugfs', '-R', "dump /var/lib/dpkg/status $dir/status", $file);
    my %new = ($files->%*, '/var/lib/dpkg/status' => spew("$dir/status", $status->(slurp("$dir/status"))));
    # debugfs itself does not fail.
    my $said = KMS::Qemu::must('debugfs', '-w', '-f',
        spew("$dir/commands", join '', map { ("rm $_\n", defined $new{$_} ? "write $new{$_} $_\n" : ()) } sort keys %new), $file);
    for my $path (grep { defined $new{$_} } keys %new) {
        KMS::Qemu::must('debugfs', '-R', "dump $path $dir/written", $file);
        -s "$dir/written" == -s $new{$path} or die "$path is not in $file: $said\n";
    }
    return $file;
}

# The root of the version before: its programs, and what dpkg knows of them. setup leaves its packages in older/.
sub root_before () {
    KMS::Qemu::must('dpkg-deb', '-x', "$dir/older/$_.deb", "$dir/programs") for qw(kmsd kmsctl);
    my @programs = map { s{^\Q$dir/programs\E}{}r } glob "$dir/programs/usr/sbin/kmsd $dir/programs/usr/bin/kmsctl $dir/programs/usr/libexec/kms/kmsd-*";
    return other_root('before', { map { $_ => "$dir/programs$_" } @programs },
        sub ($text) { return $text =~ s/^(Package: (?:kmsd|kmsctl)\n(?:.+\n)*?Version: ).*/${1}0.0.9/mgr =~ s/ kmsctl \(= \K[^)]*/0.0.9/r });
}

# The machines, for the parts that follow.
sub keep () {
    run([ 'rm', '-rf', $tried, glob "$dir/programs $dir/*.img" ]);
    spew("$dir/publisher.json", JSON::PP->new->encode($p) =~ s/\Q$dir\E/\@DIR\@/gr);
    KMS::Qemu::must('cp', '-r', '--sparse=always', $dir, $tried);
}

# The part begins with one of the machines that setup left: machine, or before, which has the version before.
sub begin ($part, $name, $code) {
    return if !$wanted{$part};
    if (!$wanted{setup} || defined $m) {
        $m->kill if $m && $m->{pid};
        -d "$tried/$name" or BAIL_OUT("there is no $tried/$name: the part " . ($name eq 'machine' ? 'setup' : $name) . ' makes it');
        run([ 'find', $dir, '-mindepth', '1', '-delete' ]);
        KMS::Qemu::must('cp', '-r', '--sparse=always', "$tried/.", $dir);
        $p = JSON::PP->new->decode(slurp("$dir/publisher.json") =~ s/\@DIR\@/$dir/gr);
        $m = KMS::Qemu->new("$dir/$name", undef, host => $name, sshd => other_host());
        unlink "$dir/other/authorized";
        let_in($m);
    }
    return $code->();
}

begin setup => 'machine', sub {
    $p = publisher(dir => "$dir/publisher", products => [ { name => 'Booted', id => $product, threshold => 1, group => 'client', pool => 'desktops' } ]);
    my $folder = "$dir/from-acme";
    mkdir $_ for $folder, "$dir/clients", "$dir/other";
    issue_key($p, group => 'client', output => "$folder/customer");
    KMS::Qemu::must('cp', "$p->{dir}/publisher.pub", $p->{pack}, "$p->{pack}.minisig", $folder);
    KMS::Qemu::must('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'other', '-f', "$dir/other/host");
    $m = KMS::Qemu->new("$dir/machine", $image, host => 'machine', sshd => other_host());

    part 'the first boot, by GRUB, set up from a second disk' => sub {
        $m->setup_disk({ 'machine.conf' => settings($m), publisher => $folder });
        $m->start(loader => 1)->up;
        is(done($m, 'its name', 'hostname'), 'kms.example.test', 'it has its name');
        like(done($m, 'its address', 'ip -4 -o addr show scope global'), qr{inet 10\.0\.2\.15/24 }, 'and its address');
        my $request = $m->from_setup('acme.kmsreq');
        ok(defined $request, 'the request to the publisher is on the disk') or diag($m->ssh('journalctl -b --no-pager -u kms-files -u kms-first-boot')->{out});
        spew("$dir/host.kmsreq", $request // '');
        like($m->from_setup('backup.pub') // '', qr/^ssh-ed25519 /, 'and the key by which the other host is to know it');
        let_in($m);
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

    keep();
};

begin restore => 'machine', sub {
    my $host;
    part 'backed up to another host' => sub {
        $m->start->up;
        done($m, 'kms-machine backup', 'kms-machine backup');
        ok(-d "$dir/other/machine/backup/kmsdb/journal", 'the journal is there');
        ok(-e "$dir/other/machine/backup/keys/host.key" && !-e "$dir/other/machine/backup/keys/exchange.key", 'the keys are, and not the one that opens what was recorded');
        is(client($m, 2, 'activate')->{exit}, 0, 'another client');
        done($m, 'another one', 'kms-machine backup');
        $host = host_id($m);
        like($host, qr/^[0-9a-f]{32}$/, 'it is a host');
        $m->kill;
    };

    part 'restored on a fresh image from its backup' => sub {
        my $new = $m = KMS::Qemu->new("$dir/new", $image, host => 'machine', sshd => "$dir/other/sshd_config");
        $new->setup_disk({ 'machine.conf' => settings($new), backup => "$dir/other/machine/backup" });
        $new->start->up;
        is(host_id($new), $host, 'it is the same host');
        let_in($new);
        whole($new, 'the new machine');
        is(client($new, 2, 'renew')->{exit}, 0, 'client 2 renews');
        is(client($new, 'late', 'activate')->{exit}, 0, 'a new client is activated');
        is($new->ssh('kmsctl plan --check')->{exit}, 0, 'and the machine is as kms.ini says') or diag($new->ssh('kmsctl plan; journalctl -b -1 --no-pager -u kms-first-boot')->{out});
        $new->kill;
    };
};

begin before => 'machine', sub {
    part 'a machine of the version before' => sub {
        my $older = older({ debs => $debs });
        mkdir "$dir/older";
        KMS::Qemu::must('cp', @$older{qw(kmsd kmsctl)}, "$dir/older");
        $m = KMS::Qemu->new("$dir/before", $image, root => root_before(), host => 'before', sshd => other_host());
        unlink glob "$dir/from-acme/host.kmscert*";
        $m->setup_disk({ 'machine.conf' => settings($m), publisher => "$dir/from-acme" });
        $m->start->up;
        spew("$dir/before.kmsreq", $m->from_setup('acme.kmsreq') // '');
        let_in($m);
        confirm($p, "$dir/before.kmsreq", output => "$dir/before-host");
        $m->copy_in("$dir/before-host.$_", '/root/') for qw(kmscert kmscert.minisig);
        done($m, 'the answer, by hand', 'cd /root && kmsctl setup --yes before-host.kmscert');
        is(client($m, 1, 'activate')->{exit}, 0, 'a client is activated');
        is(version($m), '0.0.9', 'it is the version before');
        whole($m, 'and it');
        is($m->poweroff, 0, 'it is switched off');
    };
    keep();
};

begin console => 'machine', sub {
    part 'set up by a person at the serial line' => sub {
        $m = KMS::Qemu->new("$dir/asked", $image, host => 'asked');
        $m->start->answer('press Enter to answer some questions', '');
        my $ask = sub ($name, $key, $password) {
            $m->answer('Name of this machine.*: ', $name)->answer('Address .*: ', '')->answer('Time servers.*: ', '')->answer('Public ssh key.*: ', $key)
                ->answer('Backup to.*: ', '')->answer('Password of root.*: ', $password);
        };
        $ask->('kms box', '', '');
        $ask->('asked.example.test', $m->public_key, 'correct horse');
        $m->up;
        like($m->console, qr/name cannot be "kms box".*Once more/s, 'a wrong name is said, and asked for again');
        unlike($m->console, qr/correct horse/, 'the password is not shown');
        is(done($m, 'its name', 'hostname'), 'asked.example.test', 'it has its name');
        like(done($m, 'its address', 'ip -4 -o addr show scope global'), qr{inet 10\.0\.2\.15/24 }, 'and an address by DHCP');
        is(done($m, 'kmsd', 'systemctl is-active kmsd'), 'active', 'kmsd serves');
        # Who has the password can log in there.
        $m->answer('asked login: ', 'root')->answer('Password: ', 'correct horse')->answer('root@asked:~# ', 'kmsctl status >/root/by-hand');
        ok(eval { wait_for(300, sub { sleep 2; $m->ssh('test -s /root/by-hand')->{exit} == 0 }, 'it is written') }, 'root logs in with the password');
        $m->kill;
    };
};

begin accidents => 'machine', sub {
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

begin packages => 'before', sub {
    my $apt = 'DEBIAN_FRONTEND=noninteractive apt-get install -y -o DPkg::Lock::Timeout=900 -o DPkg::Options::=--force-unsafe-io';
    my ($schema);

    part 'updated by packages, over a ledger of the version before' => sub {
        $m->start->up;
        is(version($m), '0.0.9', 'the version before');
        $schema = schema($m);
        renews($m, 'before');
        done($m, 'a folder', 'mkdir /root/now /root/before');
        $m->copy_in($debs->{$_}, "/root/now/$_.deb") for qw(kmsd kmsctl);
        done($m, 'apt', "$apt /root/now/*.deb");
        is(version($m), deb_version(), 'the newer kmsd is there');
        is(schema($m), $schema + 1, 'its ledger is of this version');
        read_only_again($m);
        whole($m, 'after it');
        is(client($m, 2, 'activate')->{exit}, 0, 'a new client is activated');
    };

    part 'the older packages over the newer ledger' => sub {
        $m->copy_in("$dir/older/$_.deb", "/root/before/$_.deb") for qw(kmsd kmsctl);
        my $r = $m->ssh("$apt --allow-downgrades /root/before/*.deb");
        isnt($r->{exit}, 0, 'they are refused');
        like("$r->{out}$r->{err}", qr/^kmsctl: version \S+ is not installed, and nothing was changed/m, 'and say why') or diag("$r->{out}$r->{err}");
        is(version($m), deb_version(), 'the newer kmsd is there');
        read_only_again($m);
        whole($m, 'kmsd goes on');
        $m->kill;
    };
};

sub deb_version () { return KMS::Qemu::must('dpkg-deb', '-f', $debs->{kmsd}, 'Version') =~ s/\n//r }

begin update => 'before', sub {
    # No kmsd is in the last one: nobody says that it is good.
    $m->{disks} = { before => root_before(), now => "$image/kms-root.img",
        broken => other_root('broken', { '/usr/sbin/kmsd' => undef }, sub ($text) { $text =~ s/^(Package: kmsd\n(?:.+\n)*?Version: .*)/$1+later/mr }) };
    my $update = 'kms-machine update /dev/disk/by-id/virtio';
    my $schema;

    part 'updated by an image, over a ledger of the version before' => sub {
        $m->start(loader => 1)->up;
        is(version($m), '0.0.9', 'the version before');
        $schema = schema($m);
        renews($m, 'before');
        is($m->ssh('kms-machine update /etc/passwd')->{exit}, 2, 'what is no root is refused');
        done($m, 'kms-machine update', "$update-now");
        $m->reboot('systemctl reboot');
        like(root_of($m), qr/kms-root-b/, 'the other root is booted');
        is(version($m), deb_version(), 'it is the newer one');
        is(schema($m), $schema + 1, 'its ledger is of this version');
        is(done($m, 'its name', 'hostname'), 'kms.example.test', 'and the same machine');
        whole($m, 'after it');
        is(client($m, 2, 'activate')->{exit}, 0, 'a new client is activated');
    };

    part 'an older image is refused' => sub {
        my $r = $m->ssh("$update-before");
        is($r->{exit}, 2, 'an older one is refused');
        like($r->{err}, qr/its kmsd is 0\.0\.9, older than /, 'and why');
        renews($m, 'the machine goes on');
    };

    part 'an image that does not come up' => sub {
        done($m, 'kms-machine update', "$update-broken");
        $m->reboot('systemctl reboot');
        like(root_of($m), qr/kms-root-a.* panic=60/, 'it is tried');
        isnt($m->ssh('systemctl is-active -q kmsd')->{exit}, 0, 'and serves nobody');
        $m->reboot('systemctl reboot');
        like(root_of($m), qr/kms-root-b/, 'the one before is booted then, which was kept');
        is(version($m), deb_version(), 'with its version');
        whole($m, 'after it');
        is(client($m, 2, 'renew')->{exit}, 0, 'client 2 renews');
        $m->kill;
    };
};

done_testing;
