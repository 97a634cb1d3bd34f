#!/usr/bin/perl
# The container image, built from etc/container/Containerfile on a fresh Debian and run as compose.yaml and kubernetes.yaml run it: a plain user, no
# capability, a read-only root, the state on a volume. A client is activated, /health says so, a new container on the same volume goes on. The layers of
# the sandbox that are left are those of the table in etc/container/README.md. buildah builds it and podman runs it, and the rows of the table are
# also those of a Docker that the test starts, with its own default profile. Where the machine does not let them, the same steps are done in a
# chroot, and the rows of the table that need a container are not tested, which is said.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::INET;
use KMS::Debian;
use KMS::Test;
use POSIX ();
use Test::More;

skip_unless_possible(qw(debootstrap dpkg-buildpackage dh setpriv unshare ip));
my $packages = prepare();
my $slim = slim($packages, qw(kmsd kmsctl));
my $dir = apart($packages, 'net');
# An interface beside lo, as a container has: without one, there is no network for the activation process to leave.
run([qw(ip link set lo up)]);
is(run([qw(ip link add kms0 type veth peer name kms1)])->{exit}, 0, 'a network');
my $product = '11111111-1111-4111-8111-111111111111';
my $p = publisher(dir => "$dir/publisher", products => [ { name => 'Contained', id => $product, threshold => 1, group => 'client', pool => 'desktops' } ]);
my $key = issue_key($p, group => 'client', output => "$dir/publisher/customer");
run([ 'chmod', '-R', 'a+rX', "$dir/publisher" ]);
my ($USER) = slurp("$SRC/etc/container/Containerfile") =~ /^USER (\d+:\d+)$/m or BAIL_OUT('no USER');
my $ini = slurp("$SRC/etc/container/kms.ini");
my $enough = "[limits]\nrenewals_per_interval = 1000000\n[ledger]\nsegment_size = 1M\nmap_size = 16M\n[publisher acme]\nkey = $p->{key}\n";

# The context of a build, as ./bootstrap packages and the tree give it.
run([ 'mkdir', '-p', "$dir/context/deb", "$dir/context/etc" ]);
run([ 'cp', '-r', "$SRC/etc/container", "$dir/context/etc/" ]);
run([ 'cp', @{ $packages->{debs} }{qw(kmsd kmsctl)}, "$dir/context/deb/" ]);

my @storage = ('--root', "$dir/storage", '--runroot', "$dir/storage.run", '--storage-driver', 'vfs');
my @podman = ('podman', @storage, '--cgroup-manager', 'cgroupfs', '--events-backend', 'none');
sub built () {
    run([qw(mount -t cgroup2 none /sys/fs/cgroup)]);
    for my $step ([ qw(from --name base scratch) ], [ qw(add base), $slim, '/' ], [ qw(commit -q base localhost/slim) ], [ qw(rm base) ],
        [ qw(bud --isolation chroot --format docker --pull-never --build-arg BASE=localhost/slim -t kmsd -f etc/container/Containerfile .) ]) {
        my $r = run([ 'env', '-C', "$dir/context", 'buildah', @storage, @$step ]);
        return "buildah $step->[0]: " . ($r->{err} =~ /^(.*\S)\s*\z/s ? substr $1, -300 : "exit $r->{exit}") if $r->{exit} != 0;
    }
    my $r = run([ @podman, qw(run --rm --network=host --cgroups=disabled --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --entrypoint /bin/true kmsd) ]);
    return $r->{exit} == 0 ? '' : "podman run: $r->{err}";
}

# A Docker of our own, which has the image, and ends with this test: its command, or why there is none.
sub docker () {
    my $log = "$dir/dockerd.log";
    my $pid = spawn([ 'dockerd', '--data-root', "$dir/docker", qw(--exec-root /run/docker -p /run/docker.pid -H unix:///run/docker.sock --bridge none --iptables=false
        --ip6tables=false --storage-driver vfs) ], log => $log);
    my @docker = qw(docker -H unix:///run/docker.sock);
    eval { wait_for(60, sub { waitpid($pid, POSIX::WNOHANG()) == 0 or die "it ended\n"; run([ @docker, 'version' ])->{exit} == 0 }, 'dockerd answers'); 1 }
        or return (undef, "dockerd: $@" . substr(-e $log ? slurp($log) : '', -300));
    my $r = run([ 'buildah', @storage, 'push', '-q', 'kmsd', "docker-archive:$dir/kmsd.tar:localhost/kmsd:latest" ]);
    $r = run([ @docker, 'load', '-q', '-i', "$dir/kmsd.tar" ]) if $r->{exit} == 0;
    $r = run([ @docker, 'tag', 'localhost/kmsd:latest', 'kmsd:latest' ]) if $r->{exit} == 0;
    unlink "$dir/kmsd.tar";
    $r = run([ @docker, qw(run --rm --network host --entrypoint /bin/true kmsd) ]) if $r->{exit} == 0;
    return $r->{exit} == 0 ? (\@docker, undef) : (undef, $r->{err});
}

# The same steps without buildah: what RUN and COPY say, in a chroot.
sub built_in_chroot () {
    my $root = "$dir/chroot";
    mkdir $root;
    run([ 'tar', 'xf', $slim, '--numeric-owner', '-C', $root ]);
    # A mount point, which can be made read-only later.
    run([ 'mount', '--bind', $root, $root ]);
    run([ 'mount', '--bind', $_, "$root$_" ]) for '/dev', '/proc';
    my $text = slurp("$dir/context/etc/container/Containerfile") =~ s/\\\n//gr;
    for (split /\n/, $text) {
        my $r = /^RUN (.*)/ ? run([ 'chroot', $root, '/bin/sh', '-c', $1 ])
            : /^COPY (.*) ((\S*\/)\S*)$/ ? run([ 'sh', '-c', "cd '$dir/context' && mkdir -p '$root$3' && cp $1 '$root$2'" ])
            : next;
        is($r->{exit}, 0, "in the chroot: $_") or diag("$r->{out}$r->{err}");
    }
}

my $why = built();
my $contained = $why eq '';
if ($contained) { pass('the image is built, and a container starts') }
else {
    diag("*** NOT TESTED: $0: no container here, a chroot in its place: $why");
    built_in_chroot();
}

my $containers = 0;
sub start (%opt) {
    my $name = 'kms' . ++$containers;
    my $volume = $opt{volume} // volume();
    my $file = spew("$dir/$name.ini", $ini . ($opt{ini} // '') . $enough);
    my $c = { name => $name };
    if ($contained) {
        $c->{engine} = $opt{engine} // \@podman;
        my @options = ('--network=' . ($opt{network} // 'host'), $opt{engine} ? () : '--cgroups=disabled', qw(--ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --read-only --security-opt no-new-privileges),
            '--tmpfs', '/run:mode=1777,size=16m', '-v', "$volume:/var/lib/kms", '-v', "$file:/etc/kms/kms.ini:ro", '-v', "$dir/publisher:/from-publisher:ro");
        my $r = run([ @{ $c->{engine} }, 'run', '-d', '--name', $name, @options, @{ $opt{options} // [qw(--cap-drop ALL)] }, 'kmsd' ]);
        is($r->{exit}, 0, "$name is started") or diag($r->{err});
    } else {
        my $root = "$dir/chroot";
        run([ 'umount', "$root$_" ]) for qw(/run /var/lib/kms /etc/kms/kms.ini /from-publisher);
        mkdir "$root/from-publisher";
        run([qw(mount -t tmpfs -o mode=1777 none), "$root/run" ]);
        run([ 'mount', '--bind', $$_[0], "$root$$_[1]" ]) for [ $volume, '/var/lib/kms' ], [ $file, '/etc/kms/kms.ini' ], [ "$dir/publisher", '/from-publisher' ];
        run([ 'mount', '-o', 'remount,bind,ro', $root ]);
        $c->{pid} = spawn([ 'chroot', "--userspec=$USER", '--groups=', $root, '/usr/sbin/kmsd' ], log => "$dir/$name.log");
    }
    eval { wait_for(30, sub { inside($c, qw(kmsctl status))->{exit} == 0 || $opt{fails} && said($c) =~ /kmsd-stopped/ }, 'kmsd serves') } or diag($@ . said($c));
    return $c;
}
sub inside ($c, @command) {
    return $contained ? run([ @{ $c->{engine} }, 'exec', $c->{name}, @command ]) : run([ 'chroot', "--userspec=$USER", '--groups=', "$dir/chroot", @command ]);
}
sub said ($c) { return $contained ? do { my $r = run([ @{ $c->{engine} }, 'logs', $c->{name} ]); $r->{out} . $r->{err} } : -e "$dir/$c->{name}.log" ? slurp("$dir/$c->{name}.log") : '' }
sub stop ($c) {
    if ($contained) {
        run([ @{ $c->{engine} }, qw(stop -t 20), $c->{name} ]);
        my $log = said($c);
        run([ @{ $c->{engine} }, qw(rm -f), $c->{name} ]);
        return $log;
    }
    end_process($c->{pid});
    return said($c);
}
# As a storage driver of Kubernetes gives it (fsGroup): root's, and the group's.
sub volume () {
    my $volume = "$dir/volume" . ++$containers;
    mkdir $volume;
    chown 0, (split /:/, $USER)[1], $volume;
    chmod 02775, $volume;
    return $volume;
}
sub client ($n, $verb) {
    return run([ program('kmsclient'), '--publisher-key', $p->{key}, '--product', $product, '--state', "$dir/client.$n", '--host', '127.0.0.1:1688', '--name', $n, $verb ]);
}

# A host in a container, from nothing to a client, and its successor.
my $volume = volume();
my $c = start(volume => $volume);
my $health = inside($c, 'kms-health');
is($health->{exit}, 1, 'nobody can be activated yet');
like($health->{out}, qr/\Ano host key is installed/, 'and the health check says why');
is(inside($c, qw(kmsctl policy install), '/from-publisher/' . $p->{pack} =~ s{.*/}{}r)->{exit}, 0, 'a pack');
is(inside($c, qw(kmsctl key install /from-publisher/customer.kmskey))->{exit}, 0, 'a key');
is(inside($c, qw(kmsctl key request -o /run/host.kmsreq))->{exit}, 0, 'a request');
spew("$dir/host.kmsreq", inside($c, qw(cat /run/host.kmsreq))->{out});
confirm($p, "$dir/host.kmsreq", output => "$dir/publisher/host");
run([ 'chmod', '-R', 'a+rX', "$dir/publisher" ]);
is(inside($c, qw(kmsctl key confirm /from-publisher/host.kmscert))->{exit}, 0, 'and its confirmation');
wait_for(30, sub { ($health = inside($c, 'kms-health'))->{exit} == 0 }, 'the host is healthy');
like($health->{out}, qr/^ok$/, 'the health check says so');
my $activated = client('pc', 'activate');
is($activated->{exit}, 0, 'a client is activated') or diag("$activated->{out}$activated->{err}");
isnt(inside($c, qw(touch /usr/x))->{exit}, 0, 'the root file system cannot be written');
isnt(inside($c, qw(touch /etc/kms/x))->{exit}, 0, 'nor the configuration');
like(inside($c, qw(cat /proc/1/status))->{out}, qr/^Uid:\t1688\t1688\t.*^CapEff:\t0+\n.*^CapBnd:\t0+\n.*^NoNewPrivs:\t1\n/ms, 'process 1 is a plain user without rights, and gets none') if $contained;
my $log = stop($c);
like($log, qr/kmsd-stopped: exit code 0/, 'it stops as it should') or diag($log);
$c = start(volume => $volume);
is(client('pc', 'renew')->{exit}, 0, 'the next container on the volume knows the client');
is(inside($c, qw(kmsctl ledger check))->{exit}, 0, 'its ledger is whole');
my $doctor = inside($c, qw(kmsctl doctor))->{out};
like($doctor, qr/^\s*warning\s+sandbox\s+kmsd-activate runs without uid netns/m, 'doctor says what a plain user has not');
like($doctor, qr/^\s*warning\s+sandbox\s+kmsd-front 0 runs without uid chroot/m, 'of each process');
stop($c);

# The table.
if ($contained) {
    my @root = qw(--user 0:0);
    my @ROWS = (
        [ 'as in the image: user 1688, `--cap-drop ALL`' => [qw(--cap-drop ALL)], '' ],
        [ '`--user 0:0`' => [@root], '' ],
        [ '`--user 0:0`, `allow_missing = netns` in `[sandbox]`' => [@root], "[sandbox]\nallow_missing = netns\n" ],
        [ '`--user 0:0 --cap-add SYS_ADMIN`' => [ @root, '--cap-add', 'SYS_ADMIN' ], '' ],
        [ '`--user 0:0 --network none`' => [@root], '', 'none' ],
    );
    my ($table) = slurp("$SRC/etc/container/README.md") =~ /^(\| how it is started .*?)\n\n/ms or BAIL_OUT('no table');
    my %told = map { my (undef, @cell) = split /\s*\|\s*/; ($cell[0] => \@cell) } grep { !/^\|-|^\| how/ } split /\n/, $table;
    is_deeply([ sort keys %told ], [ sort map { $_->[0] } @ROWS ], 'README.md has the rows that are measured');
    my ($docker, $why_not) = docker();
    diag("*** NOT TESTED: $0: no Docker here: $why_not") if !$docker;
    for my $with ([ podman => undef ], $docker ? [ docker => $docker ] : ()) {
        for my $row (@ROWS) {
            my ($name, $options, $more, $network) = @$row;
            my $c = start(engine => $with->[1], options => $options, ini => $more, network => $network, fails => 1);
            my $log = stop($c);
            my %layers = map { $_ => 1 } map { split / / } $log =~ /(?:ready: confined|sandbox): (no-new-privs .*)$/mg;
            my ($missing) = $log =~ /sandbox layers not in force: ([\w -]+);/;
            my @cell = map { $missing && $missing =~ /\b$_\b/ ? 'no: kmsd does not start' : $missing ? 'yes' : $layers{$_} ? 'yes' : 'no' } qw(uid chroot netns);
            my $rest = $missing || !grep({ !$layers{$_} } qw(no-new-privs landlock seccomp rlimits no-core)) ? 'yes' : 'no';
            my @told = map { s/^(yes): .*/$1/r } @{ $told{$name} }[ 1 .. 4 ];
            is(join(', ', @cell, $rest), join(', ', @told), "$with->[0]: $name") or diag($log);
        }
    }
}
done_testing;
