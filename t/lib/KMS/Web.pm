package KMS::Web;
# kmsd-web in tests.
#
#   my $web = KMS::Web->new;                     a free port; $web->ini are lines for start_appliance(ini => ...)
#   my $r = $web->get('/health', Accept => ...)  { code, head, headers (names in lower case), body }; code 0: no answer
#   $web->wait                                   until it answers
#   $web->connection                             an open connection
#   $web->open_metrics                           the text of /metrics as OpenMetrics
#   KMS::Web::value($text, $sample)              the value of one line, as 'kms_clients{publisher="acme",pool="servers"}'
use v5.36;
use IO::Socket::INET;
use KMS::Test;

# Another process may take the port before kmsd does; then web-unavailable is in the log.
sub new ($class, %opt) {
    my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1) or die "no port: $!\n";
    my $self = bless { port => $s->sockport, extra => $opt{ini} // '' }, $class;
    close $s;
    return $self;
}

sub port ($self) { return $self->{port} }

# As root kmsd changes users: a third one that every Debian has.
sub ini ($self) {
    return "[web]\nlisten = 127.0.0.1:$self->{port}\n" . $self->{extra} . "[kms]\nweb_user = games\n";
}

sub connection ($self) {
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}, Timeout => 10);
}

sub send_request ($self, $socket, $text) {
    local $SIG{PIPE} = 'IGNORE';
    syswrite $socket, $text;
    local $SIG{ALRM} = sub { die "no end of the answer\n" };
    alarm 30;
    my $all = '';
    while (sysread $socket, my $piece, 65536) { $all .= $piece }
    alarm 0;
    my ($head, $body) = split /\r\n\r\n/, $all, 2;
    my ($code) = ($head // '') =~ m{^HTTP/1\.\d (\d+)};
    my %headers = map { lc $_->[0] => $_->[1] } map { [ split /: */, $_, 2 ] } grep { /:/ } split /\r\n/, $head // '';
    return { code => $code // 0, head => $head // '', headers => \%headers, body => $body // '' };
}

sub request ($self, $method, $path, %headers) {
    my $socket = $self->connection // return { code => 0, head => '', headers => {}, body => '' };
    $headers{Host} //= "127.0.0.1:$self->{port}";
    return $self->send_request($socket, "$method $path HTTP/1.1\r\n" . join('', map { "$_: $headers{$_}\r\n" } grep { length $headers{$_} } sort keys %headers) . "\r\n");
}

sub get ($self, $path, %headers) { return $self->request('GET', $path, %headers) }

sub wait ($self) {
    wait_for(30, sub { $self->get('/health')->{code} }, 'kmsd-web answers');
    return $self;
}

sub open_metrics ($self) { return $self->get('/metrics', Accept => 'application/openmetrics-text;version=1.0.0')->{body} }

sub value ($text, $sample) { return $text =~ /^\Q$sample\E (\S+)$/m ? $1 : undef }

1;
