#!/usr/bin/perl
# Strangers at the port of kmsd-web, until SIGTERM: then it says what they did, as "opened=N closed=N". It prints "there" when half of COUNT
# have been opened.
#
#   web_crowd.pl PORT COUNT HOW...
#
# COUNT connections are kept open; one that kmsd-web closes is opened again. Each does one of HOW, in turn:
#   half      says half a request, and waits                     deaf      asks for much, and never reads
#   scan      asks for what is not there, or in a way that no browser does, and goes on to the next
#   flood     asks for /metrics, reads it, and asks again        foreign   asks as a page of another site does, or under another name
use v5.36;
use IO::Poll qw(POLLIN POLLHUP POLLERR);
use Socket;

my ($port, $count, @how) = @ARGV;
@how && $count or die "usage: web_crowd.pl PORT COUNT HOW...\n";
my @paths = qw(/ /.git/config /admin /cgi-bin/x /../../etc/passwd /login?token=0 /api/clients /api/state /wp-login.php //////// /%00 /health%2f..);
my $own = "Host: 127.0.0.1:$port\r\n";
my %says = (
    half => sub { "GET /hea" },
    deaf => sub { "GET /api/state HTTP/1.1\r\n$own\r\n" },
    flood => sub { "GET /metrics HTTP/1.1\r\n$own\r\n" },
    scan => sub ($n) {
        my $path = $paths[ $n % @paths ];
        return (map { $_ } "GET $path HTTP/1.1\r\n$own\r\n", "POST $path HTTP/1.1\r\n${own}Content-Length: 3\r\n\r\nabc", "\x16\x03\x01\x02\r\n\r\n", "GET $path" . 'x' x 9000, "\0" x 200)[ $n % 5 ];
    },
    foreign => sub ($n) { "GET /api/state HTTP/1.1\r\n" . ($n % 2 ? "Host: evil.example\r\n" : "${own}Origin: http://evil.example\r\n") . "\r\n" },
);
my $address = pack_sockaddr_in($port, inet_aton('127.0.0.1'));
my ($opened, $closed, $end, $there, %at) = (0, 0, 0, 0);
my $poll = IO::Poll->new;
$SIG{TERM} = sub { $end = 1 };
$SIG{PIPE} = 'IGNORE';
$| = 1;

my @waiting = (0 .. $count - 1);
sub begin ($slot) {
    socket(my $s, AF_INET, SOCK_STREAM, 0) or die "socket: $!\n";
    # What is not read soon fills it.
    setsockopt $s, SOL_SOCKET, SO_RCVBUF, 1024;
    # A full queue of the listener keeps a connect waiting for a second or longer; a signal ends the wait.
    if (!connect($s, $address)) {
        push @waiting, $slot;
        return close $s;
    }
    my $how = $how[ $slot % @how ];
    syswrite $s, $says{$how}->($opened++);
    $at{$s} = [ $slot, $how ];
    $poll->mask($s, $how eq 'deaf' || $how eq 'half' ? POLLHUP | POLLERR : POLLIN);
}

until ($end) {
    begin(shift @waiting) for 1 .. (@waiting < 50 ? scalar @waiting : 50);
    say 'there' if !$there && ($there = $opened >= $count / 2);
    $poll->poll(0.05) >= 0 || $!{EINTR} or die "poll: $!\n";
    for my $s ($poll->handles(POLLIN | POLLHUP | POLLERR)) {
        my ($slot, $how) = $at{$s}->@*;
        # Until kmsd-web closes it; the others have gone already.
        next if $how !~ /half|deaf/ && (sysread($s, my $piece, 65536) // 0) > 0;
        $poll->remove($s);
        delete $at{$s};
        close $s;
        $closed++;
        push @waiting, $slot;
    }
}
say "opened=$opened closed=$closed";
