package KMS::Debian;

# Debian packages and machines to try them on, for t/packages. In a test, before its workspace:
#
#   skip_unless_possible(@tools)    not_tested without root, Debian or a tool
#   not_tested($why)                skips the whole test, loudly
#   $d = prepare()                  { debs => { name => path }, base => tar of a fresh Debian }; made once for all tests of a build tree,
#                                   in packages/ of it. KMS_DEBS=DIR takes packages that are built already
#   $d = fresh()                    { base => tar of a fresh Debian that has nothing on it that kmsd needs }
#   $tar = slim($d, @names)         a tar of a fresh Debian as containers have it, with what these of the packages need
#   contained(@command)             run() in a mount and a pid namespace of its own
#   ($place, $lock) = place()       the directory of what is made once, for one process at a time
#   $dir = apart($d, 'net')         goes on in namespaces of its own (mount, pid, and what is named) and a cgroup of its own, with a
#                                   directory in memory: what is mounted, started and written there is gone when the test is, however it ends
#   make_root($d, $dir)             unpacks the base into $dir
#   newer($d, $dir)                 paths of the same packages with a higher version
#   older($d)                       { name => path } of kmsd and kmsctl of a version before, 0.0.9: programs of the same tree, but for the version and the
#                                   schema of the index, which is one less. Made once, as prepare() does it
use v5.36;
use Digest::SHA ();
use Exporter qw(import);
use Fcntl qw(:flock);
use KMS::Test;
use POSIX ();
use Test::More;

our @EXPORT = qw(skip_unless_possible not_tested prepare fresh slim contained place apart make_root newer older @PACKAGES);
our @PACKAGES = qw(kmsd kmsctl kmsissue kmsclient libkms1 libkms-dev python3-kms);
# What an administrator's machine has; and what is installed into it later, without a network.
my @INSTALLED = qw(systemd-sysv dbus nftables bind9-dnsutils iproute2 netbase procps);
my @LATER = qw(firewalld ufw);

sub skip_unless_possible (@tools) {
    my $why = $> != 0 ? 'it needs root'
        : !eval { release() } ? 'it needs Debian, with a mirror in /etc/apt'
        : join ', ', map { "$_ is not installed: ./bootstrap deps" } grep { my $t = $_; !grep { -x "$_/$t" } split /:/, "$ENV{PATH}:/usr/sbin" } @tools;
    not_tested($why) if $why;
}

# Said where prove shows it, whatever it is told to show.
sub not_tested ($why) {
    diag("*** NOT TESTED: $0: $why");
    plan skip_all => $why;
}

sub release () { return slurp('/etc/os-release') =~ /^VERSION_CODENAME=(\w+)/m ? $1 : die "no codename\n" }
sub mirror () {
    my ($mirror) = map { /^URIs:\s*(\S+)/m ? $1 : /^deb\s+(?:\[.*?\]\s*)?(\S+)/m ? $1 : () }
        map { slurp($_) } grep { -e } '/etc/apt/sources.list.d/debian.sources', '/etc/apt/sources.list';
    return $mirror // die "no mirror\n";
}

# A command in a mount and a pid namespace: nothing of it outlives this process.
sub contained (@command) {
    return run([ qw(setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc), @command ]);
}

# What is in the tree, in one number.
sub tree () {
    return run([ 'sh', '-c', <<'SH', $SRC ])->{out} =~ /^(\w{16})/ ? $1 : die "no tree\n";
cd "$0" && { git ls-files -co --exclude-standard 2>/dev/null || find . -type f ! -path './build*'; } | sort | tar cf - --mtime=@0 --sort=name --owner=0 --group=0 -T - 2>/dev/null | sha256sum
SH
}

# The place of what is made once, for this process alone while $lock lives.
sub place () {
    my $place = "$BUILD/packages";
    mkdir $place;
    open my $lock, '>', "$place/lock" or die "$place/lock: $!\n";
    flock $lock, LOCK_EX or die "flock: $!\n";
    return ($place, $lock);
}

# A tar of a fresh Debian with these packages, made again when it is a day old.
sub base ($name, @packages) {
    my $place = "$BUILD/packages";
    my @base = (release(), mirror(), @packages);
    my $file = "$place/$name-" . substr(Digest::SHA::sha256_hex("@base" . slurp("$SRC/t/packages/make_base")), 0, 16) . '.tar';
    return $file if -e $file && -M _ <= 1;
    unlink grep { $_ ne $file } glob "$place/$name-*";
    my $r = contained("$SRC/t/packages/make_base", $file, @base);
    my $said = "$r->{out}$r->{err}";
    not_tested("no fresh Debian from $base[1]: " . ($said =~ /^(E: .*)/m)[0] // '')
        if $r->{exit} != 0 && !-e $file && $said =~ /Failed getting release file|Couldn't download|Failed to fetch|Could not (?:connect|resolve)|Temporary failure/;
    -e $file or die 'no fresh Debian: ' . substr($said, -2000) . "\n";
    return $file;
}

sub needs ($debs, @names) {
    my %needs = map { s/[\s:].*//r => 1 } map { split /,\s*/ } map { run([ 'dpkg-deb', '-f', $_, 'Depends' ])->{out} =~ s/\n//gr } @$debs{@names};
    delete @needs{@PACKAGES};
    return sort keys %needs;
}

# These two programs of systemd in place of all of it.
sub slim ($d, @names) {
    my ($place, $lock) = place();
    return base('slim', join(',', qw(systemd-standalone-sysusers systemd-standalone-tmpfiles), grep { $_ ne 'systemd' } needs($d->{debs}, @names)), '');
}

# One with nothing on it that kmsd needs.
sub fresh () {
    my ($place, $lock) = place();
    return { base => base('fresh', join(',', qw(systemd-sysv dbus iproute2 netbase)), '') };
}

sub prepare () {
    my ($place, $lock) = place();
    my $debs = $ENV{KMS_DEBS} // "$place/debs-" . tree();
    if (!-d $debs) {
        run([ 'rm', '-rf', glob "$place/debs-*" ]);
        my $r = contained("$SRC/debian/build", "$debs.new");
        $r->{exit} == 0 or die "the packages are not built: $r->{out}$r->{err}\n";
        rename "$debs.new", $debs or die "$debs: $!\n";
    }
    my %deb = map { m{/([^/_]+)_[^/]*\.deb$} ? ($1 => $_) : () } glob "$debs/*.deb";
    my $self = { debs => \%deb };
    $self->{base} = base('base', join(',', @INSTALLED, needs(\%deb, @PACKAGES)), "@LATER");
    return $self;
}

# The programs alone are built again, and put into the packages of this version.
sub older ($d) {
    my ($place, $lock) = place();
    my $at = "$place/older-" . tree();
    my %older = map { $_ => "$at/$_.deb" } qw(kmsd kmsctl);
    return \%older if -d $at;
    run([ 'rm', '-rf', glob "$place/older-*" ]);
    my $new = "$at.new";
    my $r = contained('sh', '-ec', <<'SH', $SRC, $new);
mkdir -p "$1/tree/build"
tar cf - -C "$0" --exclude-vcs --exclude='./build*' --exclude=./deb --exclude=./autom4te.cache . | tar xf - -C "$1/tree"
cp -r "$0/build-aux" "$1/tree/"
cd "$1/tree"
schema=$(sed -n 's/^#define INDEX_SCHEMA //p' kmsdb/version.h)
sed -i "s/^#define INDEX_SCHEMA .*/#define INDEX_SCHEMA $((schema - 1))/" kmsdb/version.h
cd build
../configure -q --prefix=/usr --sysconfdir=/etc --localstatedir=/var --libexecdir=/usr/libexec CFLAGS=-O1
sed -i 's/^#define PACKAGE_VERSION .*/#define PACKAGE_VERSION "0.0.9"/' config.h
make -s -j"$(nproc)" kmsd/supervisor/kmsd kmsd-activate kmsd-front kmsd-resolve kmsd-web kmsctl/kmsctl
mkdir -p "$1/kmsd/usr/sbin" "$1/kmsd/usr/libexec/kms" "$1/kmsctl/usr/bin"
strip -o "$1/kmsd/usr/sbin/kmsd" kmsd/supervisor/kmsd
strip -o "$1/kmsctl/usr/bin/kmsctl" kmsctl/kmsctl
for name in activate front resolve web; do strip -o "$1/kmsd/usr/libexec/kms/kmsd-$name" kmsd-$name; done
SH
    $r->{exit} == 0 or die "the programs of the version before are not built: $r->{out}$r->{err}\n";
    for my $name (sort keys %older) {
        repacked($d->{debs}{$name}, "$new/$name.deb", sub ($tree) {
            run([ 'cp', '-r', "$new/$name/.", $tree ]);
            spew("$tree/DEBIAN/control", slurp("$tree/DEBIAN/control") =~ s/^(Version: ).*/${1}0.0.9/mr =~ s/(kmsctl \(= )[^)]*/${1}0.0.9/r);
            spew("$tree/DEBIAN/preinst", slurp("$tree/DEBIAN/preinst") =~ s/^known=\K(\d+)/$1 - 1/mer);
            unlink "$tree/DEBIAN/md5sums";
        });
    }
    run([ 'rm', '-rf', map { "$new/$_" } qw(tree kmsd kmsctl) ]);
    rename $new, $at or die "$at: $!\n";
    return \%older;
}

# Directories of our own in the cgroup hierarchies that systemd uses.
sub cgroups () {
    my %own = map { /^\d+:(name=systemd|):(.*)$/ ? ($1 => $2) : () } split /\n/, slurp('/proc/self/cgroup');
    my @found;
    for (split /\n/, slurp('/proc/self/mountinfo')) {
        my ($root, $point, $type, $options) = /^\d+ \d+ \S+ (\S+) (\S+) .* - (cgroup2?) \S+ (\S+)$/ or next;
        my $own = $own{ $type eq 'cgroup2' ? '' : $options =~ /name=systemd/ ? 'name=systemd' : next } // next;
        push @found, "$point" . ($own =~ s/^\Q$root\E(?=\/|$)//r) =~ s{/$}{}r . "/kms-test-$$";
    }
    return @found;
}

sub remove_cgroup ($dir) {
    run([ 'find', $dir, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';' ]) if -d $dir;
    return !-d $dir;
}

sub apart ($d, @more) {
    if (my $dir = delete $ENV{KMS_APART}) {
        sh('mount', '-t', 'tmpfs', '-o', 'mode=755', 'none', $dir);
        # nspawn's own places, and what would tell it of a service manager that is not here.
        sh('mount', '-t', 'tmpfs', '-o', 'mode=755', 'none', '/run');
        $ENV{KMS_WORKSPACES} = $dir;
        return $dir;
    }
    my @cgroups = cgroups();
    # Of one that was killed.
    remove_cgroup($_) for grep { /-(\d+)$/ && !-d "/proc/$1" } map { glob s/\d+$/*/r } @cgroups;
    my $dir = workspace();
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        for my $c (@cgroups) { mkdir $c and spew("$c/cgroup.procs", $$) }
        $ENV{KMS_APART} = $dir;
        exec qw(setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc), (map { "--$_" } @more), $^X, $0
            or POSIX::_exit(127);
    }
    # Whatever ends this process ends the other first.
    local @SIG{qw(INT TERM HUP)} = (sub { kill 'KILL', $pid }) x 3;
    1 while waitpid($pid, 0) == -1 && $!{EINTR};
    my $status = $?;
    # The last of its processes may still be going.
    eval { wait_for(20, sub { !grep { !remove_cgroup($_) } @cgroups }, 'the cgroups are empty'); 1 } or warn $@;
    rmdir $dir;
    POSIX::_exit($status & 127 ? 1 : $status >> 8);
}

sub sh (@command) {
    my $r = run(\@command);
    $r->{exit} == 0 or die "@command: $r->{out}$r->{err}\n";
}

sub make_root ($d, $dir) {
    mkdir $dir;
    sh('tar', 'xf', $d->{base}, '--numeric-owner', '-C', $dir);
    return $dir;
}

# A package with its files changed by $change, which is given their directory.
sub repacked ($deb, $to, $change) {
    my $tree = "$to.tree";
    sh('dpkg-deb', '-R', $deb, $tree);
    $change->($tree);
    sh('dpkg-deb', '-Znone', '--root-owner-group', '-b', $tree, $to);
    run([ 'rm', '-r', $tree ]);
    return $to;
}

sub newer ($d, $dir) {
    return map {
        repacked($d->{debs}{$_}, "$dir/$_.deb", sub ($tree) {
            spew("$tree/DEBIAN/control", slurp("$tree/DEBIAN/control") =~ s/^(Version: \S+)/$1+later/mr =~ s/\(= (\S+)\)/(= $1+later)/gr);
        });
    } @PACKAGES;
}

1;
