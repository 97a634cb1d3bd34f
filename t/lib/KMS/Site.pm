package KMS::Site;

# Machines of a site, each with a network, a name, an /etc and disks of its own: namespaces that end with the test. As root. On each one, the
# packages are as after their installation, and systemctl starts the real kmsd and the real etcd with the settings of /etc/default/etcd.
#
#   KMS::Site->apart;                    first of all: a network of the test's own
#   my $site = KMS::Site->new(3);        kms1.site.test 10.77.0.1, kms2.site.test 10.77.0.2, ...
#   my $m = $site->machine(1)
#       $m->run(@command)                run() there; in => TEXT as the last two
#       $m->kmsctl(@args)                the same of kmsctl
#       $m->path('/etc/kms')             where a file of /etc, /var/lib or /root is outside
#       $m->name, $m->address, $m->pid   pid: the process that holds its namespaces
#       $m->processes                    pids of its etcd and kmsd
#       $m->cut, $m->plug                from the network, and back
#       $m->end                          stops them
# In PATH there: kmsctl with /etc/kms/kms.ini, and systemctl.

use v5.36;
use KMS::Test;

sub apart ($class) {
    return if $ENV{KMS_SITE_APART};
    $ENV{KMS_SITE_APART} = 1;
    exec 'unshare', '--mount', '--net', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', $^X, $0 or die "unshare: $!";
}

sub sh ($command) {
    my $r = run([ 'sh', '-ec', $command ]);
    $r->{exit} == 0 or die "$command: $r->{err}\n";
}

sub new ($class, $count) {
    my $dir = workspace();
    my $self = bless { dir => $dir, machines => [] }, $class;
    sh('ip link add site type bridge && ip link set site up');
    push @{ $self->{machines} }, KMS::Site::Machine->new($dir, $_, $count) for 1 .. $count;
    return $self;
}

sub machine ($self, $i) { $self->{machines}[ $i - 1 ] }

package KMS::Site::Machine;

use v5.36;
use File::Path qw(make_path);
use KMS::Test qw(program spawn end_process wait_for spew $BUILD);

sub new ($class, $site, $i, $count) {
    my $dir = "$site/$i";
    my $self = bless { dir => $dir, i => $i, name => "kms$i.site.test", address => "10.77.0.$i" }, $class;
    make_path("$dir/etc/default", "$dir/etc/kms", "$dir/lib/etcd", "$dir/lib/kms", "$dir/root", "$dir/bin");
    KMS::Test::run([ 'sh', '-c', "cp -a /etc/alternatives /etc/passwd /etc/group /etc/shadow /etc/gshadow /etc/nsswitch.conf /etc/login.defs $dir/etc/ 2>/dev/null; chown etcd: $dir/lib/etcd; chmod 700 $dir/root" ]);
    spew("$dir/etc/hosts", "127.0.0.1 localhost\n" . join('', map { "10.77.0.$_ kms$_.site.test kms$_\n" } 1 .. $count));
    spew("$dir/etc/default/etcd", "## etcd(1) daemon options\n##\n");
    spew("$dir/etc/kms/kms.ini", "[kms]\nstate_directory = /var/lib/kms\nruntime_directory = /run/kms\n[listen]\naddress = $self->{address}\n");
    $self->script('kmsctl', "exec @{[ program('kmsctl') ]} -c /etc/kms/kms.ini \"\$@\"\n");
    $self->script('systemctl', <<"SH");
# kmsd and etcd are started, the other units are as they should be.
verb= unit=
for word in "\$@"; do case \$word in --*) ;; *.*|etcd|kmsd) unit=\${word%.service} ;; *) verb=\$word ;; esac; done
alive() { [ -e /run/\$1.pid ] && kill -0 "\$(cat /run/\$1.pid)" 2>/dev/null; }
stop() { alive \$1 || return 0; kill "\$(cat /run/\$1.pid)"; while alive \$1; do sleep 0.05; done; }
start() {
	alive \$1 && return 0
	case \$1 in
	kmsd) @{[ program('kmsd') ]} -f /etc/kms/kms.ini -L $BUILD >>$dir/kmsd.log 2>&1 </dev/null & ;;
	etcd) (ETCD_NAME=\$(hostname) ETCD_DATA_DIR=/var/lib/etcd/default; export ETCD_NAME ETCD_DATA_DIR
		set -a; . /etc/default/etcd; exec setpriv --reuid etcd --regid etcd --clear-groups etcd >>$dir/etcd.log 2>&1 </dev/null) & ;;
	esac
	echo \$! >/run/\$1.pid
	if [ \$1 = kmsd ]; then for i in \$(seq 300); do kmsctl status >/dev/null 2>&1 && return 0; sleep 0.05; done; return 1; fi
}
case \$verb,\$unit in
is-enabled,etcd) [ -e /run/etcd.enabled ] && echo enabled || echo disabled ;;
is-active,etcd|is-active,kmsd) alive \$unit || exit 3 ;;
enable,etcd) : >/run/etcd.enabled ;;
start,etcd|start,kmsd) start \$unit ;;
stop,etcd|stop,kmsd) stop \$unit ;;
restart,etcd|restart,kmsd) stop \$unit; start \$unit ;;
reload,kmsd) kill -HUP \$(cat /run/kmsd.pid) ;;
is-enabled,*) echo enabled ;;
esac
SH
    $self->{pid} = spawn([ 'unshare', '--mount', '--net', '--uts', 'sh', '-ec',
        "mount --bind $dir/etc /etc; mount --bind $dir/lib /var/lib; mount --bind $dir/root /root; mount -t tmpfs none /run
        mkdir -p /run/systemd/system /run/kms; hostname kms$i; ip link set lo up; : >$dir/ready; exec sleep infinity" ], log => "$dir/holder.log");
    wait_for(20, sub { -e "$dir/ready" }, "machine $i has namespaces");
    KMS::Site::sh("ip link add kms$i type veth peer name eth0 netns $self->{pid} && ip link set kms$i master site up");
    my $up = $self->run('sh', '-ec', "ip addr add $self->{address}/24 dev eth0 && ip link set eth0 up");
    $up->{exit} == 0 or die "machine $i has no network: $up->{err}\n";
    $self->{owner} = $$;
    return $self;
}

sub script ($self, $name, $text) {
    chmod 0755, spew("$self->{dir}/bin/$name", "#!/bin/sh\n$text") or die "$name: $!\n";
}

sub name ($self) { $self->{name} }
sub address ($self) { $self->{address} }
sub pid ($self) { $self->{pid} }

sub path ($self, $path) {
    return $self->{dir} . ($path =~ s{^/var/lib}{/lib}r);
}

sub run ($self, @command) {
    my @in = @command > 2 && $command[-2] eq 'in' ? splice(@command, -2) : ();
    return KMS::Test::run([ 'nsenter', '-t', $self->{pid}, '-m', '-n', '-u', 'env', "PATH=$self->{dir}/bin:$ENV{PATH}", 'sh', '-c', 'cd /root && exec "$@"', 'sh',
        @command ], @in);
}

sub kmsctl ($self, @args) { return $self->run('kmsctl', @args) }

sub processes ($self) {
    my $r = $self->run('sh', '-c', 'cat /run/etcd.pid /run/kmsd.pid 2>/dev/null');
    return split ' ', $r->{out};
}

sub cut ($self) { KMS::Site::sh("ip link set kms$self->{i} down") }
sub plug ($self) { KMS::Site::sh("ip link set kms$self->{i} up") }

sub end ($self) {
    return if !$self->{pid};
    $self->run('systemctl', 'stop', $_) for qw(kmsd etcd);
    end_process(delete $self->{pid}, 'KILL');
}

sub DESTROY ($self) {
    local ($?, $@, $!);
    $self->end if ($self->{owner} // 0) == $$;
}

1;
