package KMS::Recorder;
# Somebody who records the network: between clients and a host, passing all octets on.
#
#   my $r = KMS::Recorder->start($file)    the file has the host's port; $r->port is for the clients
#   $r->sent         the frames that clients sent since the last call, in order
#   frame_type($frame); exchange_frames($port, @frames)        sends each by its own connection, all at once; the answers
use v5.36;
use Exporter qw(import);
use IO::Select;
use IO::Socket::INET;
use KMS::Test;
use POSIX ();

our @EXPORT = qw(frame_type exchange_frames);
use constant HEADER => 12;

sub frame_type ($frame) { return unpack 'x5 C', $frame }

# Takes the first frame out of the octets; undef: it is not whole yet.
sub take_frame ($octets) {
    return undef if length $$octets < HEADER;
    my $len = HEADER + unpack 'x8 N', $$octets;
    return length $$octets < $len ? undef : substr $$octets, 0, $len, '';
}

sub connect_to ($port) {
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) // die "port $port: $!\n";
}

sub read_frame ($socket) {
    my $got = '';
    while (IO::Select->new($socket)->can_read(30) && sysread $socket, $got, 65536, length $got) {
        my $frame = take_frame(\$got);
        return $frame if defined $frame;
    }
    return '';
}

sub exchange_frames ($port, @frames) {
    my @sockets = map { connect_to($port) } @frames;
    for my $i (keys @frames) {
        syswrite($sockets[$i], $frames[$i]) == length $frames[$i] or die "port $port: $!\n";
    }
    return map { read_frame($_) } @sockets;
}

# The file has a line for each frame before the host has the frame.
sub record ($out, $frame) { syswrite $out, unpack('H*', $frame) . "\n" }

sub serve ($listener, $parent, $out, $port) {
    my $select = IO::Select->new($listener, $parent);
    my (%other, %said);
    while (1) {
        for my $fh ($select->can_read) {
            return if $fh == $parent;    # the test has ended
            if ($fh == $listener) {
                my $client = $listener->accept // next;
                my $host = eval { connect_to($port->()) } // next;
                @other{ fileno $client, fileno $host } = ($host, $client);
                $said{ fileno $client } = '';
                $select->add($client, $host);
                next;
            }
            next if !defined fileno $fh;    # closed with the other side
            my $other = $other{ fileno $fh };
            my $n = sysread $fh, my $octets, 65536;
            if (!$n) {
                delete @$_{ fileno $fh, fileno $other } for \%other, \%said;
                $select->remove($fh, $other);
                close $_ for $fh, $other;
                next;
            }
            if (defined $said{ fileno $fh }) {
                my $heard = \$said{ fileno $fh };
                $$heard .= $octets;
                while (defined(my $frame = take_frame($heard))) { record($out, $frame) }
            }
            syswrite $other, $octets;
        }
    }
}

sub start ($class, $port_file) {
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 16) or die "listen: $!\n";
    my $self = bless { file => workspace() . '/sent', port => $listener->sockport, read => 0 }, $class;
    open my $out, '>>', $self->{file} or die "$self->{file}: $!\n";
    pipe my $parent, my $ours or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        close $ours;
        $SIG{PIPE} = 'IGNORE';
        serve($listener, $parent, $out, sub { (slurp($port_file) =~ /(\d+)/)[0] });
        POSIX::_exit(0);
    }
    @$self{qw(pid held)} = ($pid, $ours);    # closed, it ends
    return $self;
}

sub port ($self) { $self->{port} }

sub sent ($self) {
    my @frames = map { pack 'H*', $_ } split /\n/, slurp($self->{file});
    my @new = @frames[ $self->{read} .. $#frames ];
    $self->{read} = @frames;
    return @new;
}

sub DESTROY ($self) {
    local ($?, $!);
    close $self->{held};
    waitpid $self->{pid}, 0;
}

1;
