package KMS::Qemu;

# A machine of QEMU that boots a disk image of the appliance, on a network of QEMU's own: no root is needed.
#
#   $m = KMS::Qemu->new($dir, $image, %opt)   a copy of the disk DIR/kms.raw of make image, of 8 GiB; not started yet. With $image undef, the
#                                   one that is in $dir already. %opt: disks => { NAME => FILE }: more disks, which are /dev/disk/by-id/virtio-NAME; root => FILE: root a, in place
#                                   of that of the image; sshd => FILE: a configuration of sshd, which is then at 10.0.2.100, port 22
#   $m->setup_disk($files)          makes the disk KMS-SETUP of { path => FILE or DIRECTORY } and keeps it
#   $m->from_setup($name)           the text of a file on it, or undef
#   $m->start(%how)                 switches it on. loader => 1: by the firmware and GRUB, as a real machine boots, uefi => FILE: with that firmware.
#                                   Otherwise the kernel of root a is given to QEMU, which saves a minute where software emulates
#   $m->up                          waits until ssh answers; dies with the console when it does not
#   $m->ssh($script)                run() of a shell script in it, as root
#   $m->copy_in($file, $path)       a file, into it
#   $m->kms                         the port on 127.0.0.1 that is 1688 there
#   $m->console                     what was said on the serial line since the start, and what QEMU itself said
#   $m->answer($prompt, $line)      waits until the serial line has said the prompt (a regex) after the last answer, and types the line
#   $m->kill                        the plug is pulled
#   $m->poweroff                    it is switched off
#   $m->reboot($script)             runs $script, which ends in another boot, and waits for that
#
# KVM is used where the processor itself runs guests (kvm_intel, kvm_amd): others run no firmware. Software does it elsewhere.
use v5.36;
use IO::Socket::INET;
use POSIX ();
use KMS::Test qw(slurp spew spawn end_process wait_exit wait_for);
use Time::HiRes qw(sleep time);

# Seconds. A first boot of a quarter of an hour was seen: software emulation, on a machine that others worked on.
use constant PATIENCE => 2400;

sub must (@command) {
    my $r = KMS::Test::run(\@command);
    $r->{exit} == 0 or die "@command: $r->{out}$r->{err}\n";
    return $r->{out};
}

sub free_port () { return IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')->sockport }

sub new ($class, $dir, $image, %opt) {
    mkdir $dir;
    my $self = bless { dir => $dir, disk => "$dir/disk.raw", disks => {}, starts => 0, %opt }, $class;
    $self->{setup} = "$dir/setup.img" if -e "$dir/setup.img";
    if (defined $image) {
        # Raw, and without waiting for the host's disk (cache=unsafe): what the machine wrote is the host's when its plug is pulled.
        must('cp', '--sparse=always', "$image/kms.raw", $self->{disk});
        must('truncate', '-s', '8G', $self->{disk});
        $self->put_root($opt{root}) if $opt{root};
        for my $name (map { /(vmlinuz|initrd\.img)-[^\/]*/g ? $& : () } split /\n/, must('debugfs', '-R', 'ls -p /boot', "$image/kms-root.img")) {
            must('debugfs', '-R', "dump /boot/$name $dir/" . $name =~ s/-.*//r, "$image/kms-root.img");
        }
    }
    must('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', "$dir/key") if !-e "$dir/key";
    return $self;
}

sub put_root ($self, $file) {
    my ($start) = map { /start=\s*(\d+).*name="kms-root-a"/ ? $1 * 512 : () } split /\n/, must('sfdisk', '-d', $self->{disk});
    must('fallocate', '-p', '-o', $start, '-l', -s $file, $self->{disk});
    must('dd', "if=$file", "of=$self->{disk}", 'bs=1M', "seek=$start", 'oflag=seek_bytes', 'conv=notrunc,sparse', 'status=none');
}

sub public_key ($self) { return slurp("$self->{dir}/key.pub") =~ s/\n//r }
sub kms ($self) { return $self->{kms} }
sub console ($self) { return join '', map { -e ? slurp($_) : () } "$self->{dir}/console.$self->{starts}" }

sub answer ($self, $prompt, $line) {
    eval {
        wait_for(PATIENCE, sub {
            sleep 1;
            pos(my $said = $self->console) = $self->{answered};
            $said =~ /$prompt/g or return 0;
            return $self->{answered} = pos $said;
        }, "\"$prompt\" on the serial line");
        1;
    } or die $@ . substr($self->console, -3000);
    syswrite $self->{in}, "$line\r";
    return $self;
}

sub setup_disk ($self, $files) {
    my $disk = "$self->{dir}/setup.img";
    if (!-e $disk) {
        must('truncate', '-s', '512M', $disk);
        must('mkfs.fat', '-n', 'KMS-SETUP', $disk);
    }
    for my $path (sort keys %$files) {
        # A folder that is there would get the other one inside.
        KMS::Test::run([ 'mdeltree', '-i', $disk, "::/$path" ]);
        must('mcopy', '-o', '-s', '-i', $disk, $files->{$path}, "::/$path");
    }
    $self->{setup} = $disk;
    return $self;
}

sub from_setup ($self, $name) {
    my $r = KMS::Test::run([ 'mcopy', '-n', '-i', $self->{setup}, "::/$name", '-' ]);
    return $r->{exit} == 0 ? $r->{out} : undef;
}

sub start ($self, %how) {
    @$self{qw(kms ssh)} = (free_port(), free_port());
    $self->{starts}++;
    my $kvm = -w '/dev/kvm' && (-d '/sys/module/kvm_intel' || -d '/sys/module/kvm_amd');
    my $number = 0;
    my @disks = map { $number++; ('-drive', "file=$_->[0],format=$_->[1],if=none,id=d$number,cache=unsafe", '-device', "virtio-blk-pci,drive=d$number,serial=$_->[2]") }
        [ $self->{disk}, 'raw', 'system' ], (map { [ $_, 'raw', 'setup' ] } $self->{setup} // ()), map { [ $self->{disks}{$_}, 'raw', $_ ] } sort keys %{ $self->{disks} };
    # What makes emulation slow and proves nothing: page tables of the kernel's own, and a serial line for each message. And on a busy machine, the
    # check of the timer may fail.
    my @boot = $how{loader} ? $how{uefi} ? ('-bios', $how{uefi}) : ()
        : ('-kernel', "$self->{dir}/vmlinuz", '-initrd', "$self->{dir}/initrd.img", '-append',
            'root=PARTLABEL=kms-root-a ro rootfstype=ext4 console=ttyS0,115200 quiet mitigations=off no_timer_check');
    my $other = $self->{sshd} ? ",guestfwd=tcp:10.0.2.100:22-cmd:/usr/sbin/sshd -i -f $self->{sshd}" : '';
    # The serial line: what is typed comes from a FIFO, which has no end.
    my $fifo = "$self->{dir}/typed";
    POSIX::mkfifo($fifo, 0600) or die "$fifo: $!\n";
    open $self->{in}, '+<', $fifo or die "$fifo: $!\n";
    # Of the machine that this one is a copy of.
    unlink $fifo, "$self->{dir}/console.$self->{starts}";
    $self->{answered} = 0;
    $self->{pid} = spawn([ 'setpriv', '--pdeathsig', 'KILL', 'qemu-system-x86_64', '-nodefaults', '-display', 'none', $kvm ? ('-accel', 'kvm') : (), '-accel', 'tcg,thread=multi,tb-size=256', '-m', '1024', '-smp', '2', '-no-user-config',
        @boot, '-chardev', 'stdio,id=serial,signal=off', '-serial', 'chardev:serial', '-device', 'virtio-rng-pci',
        '-netdev', "user,id=n,hostfwd=tcp:127.0.0.1:$self->{kms}-:1688,hostfwd=tcp:127.0.0.1:$self->{ssh}-:22$other", '-device', 'virtio-net-pci,netdev=n',
        '-device', 'i6300esb', '-action', 'watchdog=reset', @disks ], in => $self->{in}, log => "$self->{dir}/console.$self->{starts}");
    return $self;
}

sub ssh_options ($self, $port) {
    return ('-i', "$self->{dir}/key", $port, $self->{ssh}, qw(-o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR
        -o ConnectTimeout=60 -o ServerAliveInterval=20));
}

sub ssh ($self, $script) { return KMS::Test::run([ 'timeout', PATIENCE, 'ssh', $self->ssh_options('-p'), 'root@127.0.0.1', $script ]) }
sub copy_in ($self, $file, $path) { return must('timeout', PATIENCE, 'scp', '-q', $self->ssh_options('-P'), $file, "root\@127.0.0.1:$path") }

sub up ($self, $not_boot = '') {
    eval {
        wait_for(PATIENCE, sub {
            waitpid($self->{pid}, POSIX::WNOHANG()) == 0 or die 'qemu ended: ' . $self->console;
            sleep 1;
            my $r = $self->ssh('cat /proc/sys/kernel/random/boot_id');
            $r->{exit} == 0 && $r->{out} ne $not_boot or return 0;
            $self->{boot} = $r->{out};
            return 1;
        }, 'the machine answers');
        # The first boot's last unit is that of the publisher's files.
        wait_for(PATIENCE, sub { $self->ssh('systemctl is-system-running --wait')->{out} =~ /^(?:running|degraded)$/m }, 'all units have started');
        1;
    } or die $@ . substr($self->console, -6000);
    return $self;
}

sub reboot ($self, $script) {
    my $before = $self->{boot};
    $self->ssh($script);
    return $self->up($before);
}

sub kill ($self) { end_process($self->{pid}, 'KILL') }

sub poweroff ($self) {
    $self->ssh('systemctl poweroff --no-block');
    return wait_exit($self->{pid}, PATIENCE);
}

1;
