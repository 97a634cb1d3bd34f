package KMS::Engine;

# The engine of hosts that count together, and kmsd-share before it.
#
#   my $tls = KMS::Engine::certificates($dir)       an authority of its own: { authority, server, server_key, client, client_key,
#       stranger, stranger_key }, paths; the last two are another authority's
#   my $e = KMS::Engine->start($dir, $tls, count => 3)   members of etcd on loopback, with a quorum
#       $e->kill($i), $e->revive($i), $e->pause($i), $e->resume($i)
#       $e->members            words for share_drive: by name and by address
#       $e->ctl(@args)         run() of etcdctl at the members that run
#   my $d = KMS::Engine::Drive->start(own => 1, tls => $tls, members => [...], ini => FILE, log => FILE)   share_drive
#       $d->say($command)
#       $d->expect(qr/.../, $seconds)   the next line that matches; lines before it are gone. Dies with what came.
#       $d->pid                of kmsd-share
#       $d->quiet($seconds)    the lines that come in that time

use v5.36;
use IO::Socket::INET;
use KMS::Test;
use Time::HiRes qw(sleep time);

my @tools = qw(etcd etcdctl openssl);
for my $tool (@tools) {
    grep { -x "$_/$tool" } split /:/, $ENV{PATH} or die "$tool is not installed: ./bootstrap deps\n";
}

# A member that comes back has its port again: not one of those that the kernel gives to others in the meantime.
sub free_ports ($count) {
    my @open;
    while (@open < $count) {
        my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 10000 + int rand 22000, Listen => 1) or next;
        push @open, $socket;
    }
    return map { $_->sockport } @open;
}

sub openssl (@args) {
    my $r = run([ 'openssl', @args ]);
    $r->{exit} == 0 or die "$r->{command}: $r->{err}\n";
}

sub authority ($dir, $name) {
    openssl(qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj), "/CN=$name",
        '-keyout', "$dir/$name.key", '-out', "$dir/$name.pem");
}

# Names are SANs alone: etcd's gateway refuses a client certificate that has a CN once its accounts are on.
sub certificate ($dir, $authority, $name, $names) {
    spew("$dir/$name.ext", "subjectAltName = $names\nextendedKeyUsage = serverAuth, clientAuth\n");
    openssl(qw(req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /), '-keyout', "$dir/$name.key", '-out', "$dir/$name.csr");
    openssl(qw(x509 -req -days 30 -CAcreateserial), '-in', "$dir/$name.csr", '-CA', "$dir/$authority.pem", '-CAkey', "$dir/$authority.key",
        '-extfile', "$dir/$name.ext", '-out', "$dir/$name.pem");
}

sub certificates ($dir) {
    authority($dir, $_) for qw(authority others);
    certificate($dir, 'authority', 'server', 'IP:127.0.0.1, DNS:etcd1.test, DNS:etcd2.test, DNS:etcd3.test');
    certificate($dir, 'authority', 'client', 'DNS:host1.test');
    certificate($dir, 'others', 'stranger', 'IP:127.0.0.1, DNS:etcd1.test');
    return { map { ($_ => "$dir/$_.pem", "${_}_key" => "$dir/$_.key") } qw(authority server client stranger) };
}

sub start ($class, $dir, $tls, %opt) {
    my $count = $opt{count} // 3;
    my @ports = free_ports(2 * $count);
    my $self = bless { dir => $dir, tls => $tls, count => $count, ports => [ @ports[ 0 .. $count - 1 ] ], peers => [ @ports[ $count .. $#ports ] ],
        token => $opt{token} // 'share', pids => {} }, $class;
    $self->revive($_) for 1 .. $count;
    wait_for(60, sub { $self->ctl(qw(endpoint health))->{exit} == 0 }, 'etcd has a quorum');
    return $self;
}

sub revive ($self, $i) {
    my $at = sub ($n) { "http://127.0.0.1:$self->{peers}[ $n - 1 ]" };
    my $client = "https://127.0.0.1:$self->{ports}[ $i - 1 ]";
    $self->{pids}{$i} = spawn([ 'etcd', '--name', "m$i", '--data-dir', "$self->{dir}/$self->{token}.m$i", '--logger', 'zap', '--log-outputs', 'stderr',
        '--listen-client-urls', $client, '--advertise-client-urls', $client, '--listen-peer-urls', $at->($i),
        '--initial-advertise-peer-urls', $at->($i), '--initial-cluster', join(',', map { "m$_=" . $at->($_) } 1 .. $self->{count}),
        '--initial-cluster-token', $self->{token}, '--client-cert-auth', '--trusted-ca-file', $self->{tls}{authority},
        '--cert-file', $self->{tls}{server}, '--key-file', $self->{tls}{server_key}, '--experimental-initial-corrupt-check' ],
        log => "$self->{dir}/$self->{token}.m$i.log");
    return;
}

sub kill ($self, $i) {
    end_process(delete $self->{pids}{$i}, 'KILL');
    return;
}
sub pause ($self, $i) { CORE::kill('STOP', $self->{pids}{$i}); return }
sub resume ($self, $i) { CORE::kill('CONT', $self->{pids}{$i}); return }

# One by its address, the others by names that only its certificate knows.
sub members ($self) {
    return map { my $port = $self->{ports}[ $_ - 1 ]; $_ == 2 ? "127.0.0.1=127.0.0.1=$port" : "etcd$_.test=127.0.0.1=$port" } 1 .. $self->{count};
}

sub ctl ($self, @args) {
    local $ENV{ETCDCTL_API} = 3;
    return run([ 'etcdctl', '--cacert', $self->{tls}{authority}, '--cert', $self->{tls}{client}, '--key', $self->{tls}{client_key},
        '--command-timeout', '3s', '--endpoints', join(',', map { "127.0.0.1:$self->{ports}[ $_ - 1 ]" } sort keys %{ $self->{pids} }), @args ]);
}

package KMS::Engine::Drive;

use v5.36;
use File::Basename qw(dirname);
use IO::Select;
use KMS::Test;
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

sub start ($class, %opt) {
    my $tls = $opt{tls};
    pipe(my $in, my $to) or die "pipe: $!\n";
    pipe(my $from, my $out) or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        open STDIN, '<&', $in;
        open STDOUT, '>&', $out;
        open STDERR, '>>', $opt{log};
        $ENV{TMPDIR} = dirname($opt{log});
        close $_ for $to, $from;
        my @command = (program('share_drive'), program('kmsd-share'), $opt{ini}, $opt{own}, $tls->{authority}, $opt{certificate} // $tls->{client},
            $opt{key} // $tls->{client_key}, @{ $opt{members} });
        exec @command or POSIX::_exit(127);
    }
    $to->autoflush(1);
    my $self = bless { pid => $pid, to => $to, from => $from, text => '', log => $opt{log}, owner => $$ }, $class;
    my $ready = $self->expect(qr/^(?:ready|start-failed|exit|signal) .*/, 60);
    ($self->{layers}, $self->{share}) = $ready =~ /^ready (\d+) (\d+)/ or die "kmsd-share did not start: $ready\n" . slurp($opt{log});
    return $self;
}

sub pid ($self) { $self->{share} }

sub say ($self, $command) {
    print { $self->{to} } "$command\n";
    return $self;
}

# More of its output; false: the end, or the time is over.
sub more ($self, $until) {
    my $left = $until - time;
    return 0 if $left <= 0 || !IO::Select->new($self->{from})->can_read($left);
    return sysread $self->{from}, $self->{text}, 65536, length $self->{text};
}

sub expect ($self, $pattern, $seconds = 20) {
    my $until = time + $seconds;
    my @before;
    while (1) {
        while ($self->{text} =~ s/^(.*)\n//) {
            my $line = $1;
            return wantarray ? ($line, @before) : $line if $line =~ $pattern;
            push @before, $line;
        }
        $self->more($until) or die "no line like $pattern within $seconds s, but:\n" . join("\n", @before, $self->{text}) . "\n" . slurp($self->{log});
    }
}

sub quiet ($self, $seconds) {
    my $until = time + $seconds;
    1 while $self->more($until);
    my @lines = split /\n/, $self->{text};
    $self->{text} = '';
    return @lines;
}

# Closes its input, which stops kmsd-share; what it printed then.
sub stop ($self) {
    close delete $self->{to};
    my $end = $self->expect(qr/^(?:exit|signal) \d+/, 30);
    waitpid $self->{pid}, 0;
    delete $self->{pid};
    return $end;
}

sub DESTROY ($self) {
    return if !defined $self->{pid} || $self->{owner} != $$;
    local ($?, $@, $!);
    close delete $self->{to} if $self->{to};
    my $until = time + 10;
    sleep 0.02 while waitpid($self->{pid}, WNOHANG) == 0 && time < $until;
    if (CORE::kill(0, $self->{pid})) {
        CORE::kill('KILL', grep { defined } $self->{share}, $self->{pid});
        waitpid $self->{pid}, 0;
    }
}

1;
