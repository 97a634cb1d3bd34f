package KMS::Machine;

# A Debian that is booted with its own systemd (systemd-nspawn), on a network of its own with the test: one cable between them.
# To be used after KMS::Debian's apart('net').
#
#   $m = KMS::Machine->new($root, there => ADDRESS/BITS..., here => ADDRESS/BITS...)
#                                   addresses of the machine and of the test; not booted yet
#   $m->boot                        boots; returns how systemd is then: running, degraded ...; $m->log is the console
#   $m->run(@command)               run() in the machine; $m->sh($script)
#   $m->systemctl(@args)            the same, its output without the last newline
#   $m->show($unit, $property)      one property of a unit
#   $m->host($path)                 path of a file of the machine, for the test
#   $m->leader                      pid of its systemd, as the test sees it
#   $m->reboot, $m->poweroff        from within; waits; what reboot returns is what boot returns
use v5.36;
use POSIX qw(WNOHANG);
use KMS::Test qw(slurp spew spawn wait_for wait_exit);
use Test::More;

sub new ($class, $root, %opt) {
    my $self = bless { root => $root, %opt }, $class;
    mkdir "$root/etc/systemd/network";
    # The address is there when the network is, and not before: after it nothing is configured by hand.
    spew("$root/etc/systemd/network/10-host0.network",
        "[Match]\nName=host0\n[Link]\nRequiredForOnline=yes\n[Network]\nLinkLocalAddressing=no\nIPv6AcceptRA=no\nConfigureWithoutCarrier=yes\n"
            . join('', map { "Address=$_\n" } @{ $opt{there} }));
    spew("$root/etc/hostname", "kms\n");
    spew("$root/etc/hosts", "127.0.0.1 localhost\n" . join('', map { s{/.*}{}r . " kms.example.test kms\n" } $opt{there}[0]));
    KMS::Test::run([ 'systemctl', "--root=$root", 'enable', 'systemd-networkd.service', 'systemd-networkd-wait-online.service' ]);
    KMS::Test::run([ 'systemctl', "--root=$root", 'mask', 'console-getty.service', 'apt-daily.timer', 'apt-daily-upgrade.timer' ]);
    return $self;
}

sub host ($self, $path) { return "$self->{root}$path" }
sub log ($self) { return -e "$self->{root}.console" ? slurp("$self->{root}.console") : '' }
sub leader ($self) { return $self->{leader} }

# The machine's first process: the child of nspawn that is number 1 in a namespace of its own.
sub find_leader ($self) {
    for my $status (glob '/proc/[0-9]*/status') {
        my $text = eval { slurp($status) } // next;
        return $1 if $text =~ /^Name:\tsystemd$/m && $text =~ /^PPid:\t\Q$self->{pid}\E$/m && $text =~ /^NSpid:.*\b1$/m && $status =~ /(\d+)/;
    }
    return undef;
}

sub boot ($self) {
    $self->{pid} = spawn([ 'systemd-nspawn', '--quiet', '-D', $self->{root}, '--boot', '--register=no', '--keep-unit', '--machine=kms',
        '--network-veth', 
        '--system-call-filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self', '--link-journal=no', '--resolv-conf=off', '--timezone=off' ], log => "$self->{root}.console");
    my $alive = sub { waitpid($self->{pid}, WNOHANG) == 0 or die "nspawn ended\n" };
    eval { wait_for(30, sub { $alive->() && KMS::Test::run([qw(ip link show ve-kms)])->{exit} == 0 }, 'a cable'); 1 } or die $@ . $self->log;
    for my $command ((map { [ 'addr', 'add', $_, 'dev', 've-kms' ] } @{ $self->{here} }), [qw(link set ve-kms up)], [qw(link set lo up)]) {
        my $r = KMS::Test::run([ 'ip', @$command ]);
        $r->{exit} == 0 or die "ip @$command: $r->{err}";
    }
    my $state = '';
    eval {
        wait_for(120, sub {
            $alive->();
            $self->{leader} = $self->find_leader // return 0;
            $state = $self->systemctl('is-system-running');
            return $state =~ /^(?:running|degraded|maintenance)$/;
        }, 'systemd is up');
    } or die "the machine does not boot: $@" . $self->log;
    return $state;
}

sub run ($self, @command) {
    return KMS::Test::run([ 'nsenter', '-t', $self->{leader}, qw(-m -u -i -n -p -C -r -w), 'env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
        'DEBIAN_FRONTEND=noninteractive', 'HOME=/root', 'LC_ALL=C.UTF-8', @command ]);
}
sub sh ($self, $script) { return $self->run('sh', '-c', $script) }
sub systemctl ($self, @args) { return $self->run('systemctl', @args)->{out} =~ s/\n\z//r }
sub show ($self, $unit, $property) { return $self->systemctl('show', '--value', '-p', $property, $unit) }

sub down ($self, $verb) {
    $self->run('systemctl', '--no-block', $verb);
    my $status = eval { wait_exit($self->{pid}, 120) } // die "$verb: $@" . $self->log;
    delete @$self{qw(pid leader)};
    return $status >> 8;
}
sub poweroff ($self) { return $self->down('poweroff') }

# With --keep-unit nspawn leaves it to its caller to start it again, and says so by its exit code.
sub reboot ($self) {
    my $exit = $self->down('reboot');
    $exit == 133 or die "nspawn says $exit after a reboot\n" . $self->log;
    return $self->boot;
}

1;
