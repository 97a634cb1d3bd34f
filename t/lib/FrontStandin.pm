# FrontStandin.pm - a kmsd-front run by standin_activate, and clients that speak to it.
package FrontStandin;
use strict;
use warnings;
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use IPC::Open3 qw(open3);
use Socket qw(AF_INET INADDR_LOOPBACK SOCK_STREAM SHUT_WR pack_sockaddr_in);

our $PATIENCE = 30;	# seconds; a bound on waiting, never what decides

sub build { return $ENV{KMS_BUILD} // 'build' }

# options: arguments of standin_activate; limits: lines of [limits]; ini: other text
sub start {
	my ($class, %o) = @_;
	my $dir = File::Temp->newdir('kms-front-XXXXXX', TMPDIR => 1);
	my $self = bless { dir => $dir, ini => "$dir/kms.ini", log => "$dir/log", lines => '' }, $class;

	$self->write_ini(%o);
	# a pipe to a copying cat would need reaping: the log is a file
	open my $log, '>', $self->{log} or die "$self->{log}: $!";
	$self->{pid} = open3($self->{to}, $self->{from}, '>&' . fileno($log),
	    build() . '/standin_activate', @{ $o{options} // [] }, build() . '/kmsd-front', $self->{ini});
	close $log;
	$self->{to}->autoflush(1);
	($self->{port}) = $self->expect(qr/^port (\d+)$/);
	return $self if $o{may_fail};
	($self->{layers}) = $self->expect(qr/^ready (\d+)$/);
	return $self;
}

sub write_ini {
	my ($self, %o) = @_;
	open my $ini, '>', $self->{ini} or die "$self->{ini}: $!";
	print $ini "[kms]\nruntime_directory = $self->{dir}\nfront_user = ", $o{user} // 'nobody',
	    "\n[limits]\n", map({ "$_\n" } @{ $o{limits} // [] }), $o{ini} // '';
	close $ini or die $!;
}

sub tell { my ($self, $command) = @_; print { $self->{to} } "$command\n"; }

# The next line that the stand-in prints and that matches; dies after PATIENCE.
sub expect {
	my ($self, $pattern) = @_;
	my $end = time + $PATIENCE;
	my $from = IO::Select->new($self->{from});
	while (time < $end) {
		while ($self->{lines} =~ s/^(.*)\n//) {
			my @got = $1 =~ $pattern;
			return @got if @got;
		}
		next unless $from->can_read(1);
		sysread($self->{from}, $self->{lines}, 65536, length $self->{lines}) or last;
	}
	die "the stand-in did not print $pattern; log:\n" . $self->log;
}

sub command { my ($self, $c) = @_; $self->tell($c); $self->expect(qr/^(ok) /); }

sub stats {
	my ($self) = @_;
	$self->tell('stats');
	my ($text) = $self->expect(qr/^stats (.*)$/);
	return { map { split /=/ } split / /, $text };
}

sub front_pid { my ($self) = @_; $self->tell('pid'); return ($self->expect(qr/^pid (\d+)$/))[0]; }

sub log {
	my ($self) = @_;
	open my $f, '<', $self->{log} or return '';
	local $/;
	return <$f> // '';
}

# Wait until the log has (at least) so many lines of an event.
sub logged {
	my ($self, $event, $count) = @_;
	my $end = time + $PATIENCE;
	while (time < $end) {
		my $n = () = $self->log =~ /^kmsd-front\[\d+\]: \Q$event\E: /mg;
		return 1 if $n >= ($count // 1);
		select undef, undef, undef, 0.02;
	}
	return 0;
}

# End it whatever it does; the stand-in takes the front along.
sub DESTROY {
	my ($self) = @_;
	local ($?, $!);
	return unless $self->{pid};
	close $self->{to};
	waitpid $self->{pid}, 0;
}

# Clients.
sub client {
	my ($self, %o) = @_;
	return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port},
	    ($o{from} ? (LocalAddr => $o{from}) : ()), Timeout => $PATIENCE) // die "connect: $@";
}

# Many of them, without what IO::Socket costs each.
sub idle_client {
	my ($self) = @_;
	socket my $s, AF_INET, SOCK_STREAM, 0 or die "socket: $!";
	connect $s, pack_sockaddr_in($self->{port}, INADDR_LOOPBACK) or die "connect: $!";
	return $s;
}

sub frame {
	my ($type, $payload, %o) = @_;
	return ($o{magic} // 'KMSD') . pack('C C n N', $o{version} // 2, $type, $o{flags} // 0,
	    $o{length} // length $payload) . $payload;
}

# All that comes until the connection closes or want bytes are there: (bytes, closed).
sub receive {
	my ($client, $want) = @_;
	my ($got, $end) = ('', time + $PATIENCE);
	my $s = IO::Select->new($client);
	while (time < $end && (!defined $want || length $got < $want)) {
		next unless $s->can_read(1);
		my $n = sysread $client, $got, 65536, length $got;
		return ($got, 1) unless $n;	# closed or reset
	}
	return ($got, 0);
}

# One whole frame: { type, payload }, or undef when the connection closed before.
sub reply {
	my ($client) = @_;
	my ($head) = receive_exactly($client, 12);
	return undef unless length $head == 12;
	my ($magic, $version, $type, $flags, $length) = unpack 'a4 C C n N', $head;
	return undef unless $magic eq 'KMSD' && ($version == 2 || $type == 5) && $flags == 0;
	return { type => $type, payload => receive_exactly($client, $length) };
}

sub receive_exactly {
	my ($client, $want) = @_;
	my ($got, $end) = ('', time + $PATIENCE);
	my $s = IO::Select->new($client);
	while (time < $end && length $got < $want) {
		next unless $s->can_read(1);
		sysread($client, $got, $want - length $got, length $got) or last;
	}
	return $got;
}

# Send one request and say whether its own echo came back.
sub served {
	my ($client, $text) = @_;
	local $SIG{PIPE} = 'IGNORE';
	syswrite $client, frame(3, $text);
	my $r = reply($client);
	return $r && $r->{type} == 4 && $r->{payload} eq $text;
}

sub error_status { my ($r) = @_; return $r && $r->{type} == 5 ? unpack('N', $r->{payload}) : -1; }
sub retry_after { my ($r) = @_; return (unpack 'N N', $r->{payload})[1]; }

1;
