package KMS::Named;
# A real BIND on a free port, for integration tests.
#
#   my $n = KMS::Named->start(conf => "...", zones => { 'one.test' => { records => "...", options => "..." } });
#       conf: more of named.conf (keys); options: of the zone, or, beside zones, of the server; v6 => 1: on ::1 too
#       address: where it listens, 127.0.0.1 when not given
#   $n->port, $n->server ("ADDRESS:PORT"), $n->dig(@args) (its answer section, sorted lines), $n->log
#   $n->stop
use v5.36;
use IO::Socket::INET;
use KMS::Test;
use POSIX ();

sub start ($class, %opt) {
    my ($named) = grep { -x } map { "$_/named" } qw(/usr/sbin /usr/local/sbin /usr/bin);
    die "named is needed: install bind9\n" unless $named;
    my $self = bless { dir => workspace(), named => $named, address => '127.0.0.1', %opt }, $class;
    for my $zone (keys %{ $opt{zones} }) {
        spew("$self->{dir}/$zone", "\$TTL 60\n@ SOA ns root 1 60 60 60 60\n@ NS ns\nns A 127.0.0.1\n" . ($opt{zones}{$zone}{records} // ''));
    }
    # Another process may take the free port first: then named ends, and another port is tried.
    for (1 .. 5) {
        return $self if $self->try;
    }
    die 'named does not start: ' . $self->log;
}

sub try ($self) {
    my $s = IO::Socket::INET->new(Proto => 'tcp', LocalAddr => $self->{address}, LocalPort => 0, Listen => 1) or die;
    $self->{port} //= $s->sockport;
    close $s;
    my $dir = $self->{dir};
    my $conf = "options { directory \"$dir\"; listen-on port $self->{port} { $self->{address}; }; listen-on-v6 "
        . ($self->{v6} ? "port $self->{port} { ::1; };" : '{ none; };') . ($self->{options} // '') . "\n"
        . "recursion no; notify no; pid-file none; session-keyfile none; managed-keys-directory \"$dir\"; };\ncontrols { };\n"
        . ($self->{conf} // '');
    for my $zone (sort keys %{ $self->{zones} }) {
        $conf .= "zone \"$zone\" { type master; file \"$zone\"; " . ($self->{zones}{$zone}{options} // '') . " };\n";
    }
    spew("$dir/named.conf", $conf);
    $self->{pid} = spawn([ $self->{named}, '-g', '-n', 1, '-c', "$dir/named.conf" ], log => "$dir/log");
    my $up = eval {
        wait_for(20, sub {
            return 1 if IO::Socket::INET->new(PeerAddr => $self->{address}, PeerPort => $self->{port}) && $self->log =~ /all zones loaded/;
            die "ended\n" if waitpid($self->{pid}, POSIX::WNOHANG()) == $self->{pid};
            return 0;
        }, 'named answers');
    };
    $up or do { delete $self->{port}; };
    return $up;
}

sub port ($self) { $self->{port} }
sub server ($self) { "$self->{address}:$self->{port}" }
sub log ($self) { slurp("$self->{dir}/log") }
sub stop ($self) { end_process($self->{pid}) }

sub dig ($self, @args) {
    my $r = run([ 'dig', '+noall', '+answer', '+time=5', '+tries=3', '-p', $self->{port}, "\@$self->{address}", @args ]);
    return join "\n", sort map { s/\s+/ /gr } split /\n/, $r->{out};
}

1;
