#!/usr/bin/perl
# The sockets of kmsd-web from the service manager: they are used as they are, and survive a restart with those who wait at them. What kmsctl plan says of
# [web], and that a socket which kms.ini no longer asks for keeps no client from being served.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Fcntl qw(F_SETFD);
use File::Copy qw(copy);
use File::Path qw(make_path);
use IO::Socket::INET;
use KMS::Test;
use KMS::Web;
use POSIX ();
use Test::More;

# As systemd does it: descriptors from 3 on.
my @sockets = map { IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1', ReuseAddr => 1) // die "socket: $!" } 1 .. 2;
my ($port, $page) = map { $_->sockport } @sockets;
my @kept;
sub give () {
    for my $n (0 .. $#sockets) {
        POSIX::dup2(fileno $sockets[$n], 3 + $n) or die "dup2: $!";
        open my $fh, '+<&=', 3 + $n or die "descriptor: $!";
        fcntl $fh, F_SETFD, 0 or die "fcntl: $!";
        push @kept, $fh;
    }
    @ENV{qw(LISTEN_PID LISTEN_FDS)} = ($$, scalar @sockets);
}
my $web = bless { port => $page, extra => '' }, 'KMS::Web';
my $a = start_appliance(publisher => publisher(), ini => $web->ini, setup => \&give);
$web->wait;
is($a->port, $port, 'clients have the first socket');
is($a->enable->client('one', 'activate')->{exit}, 5, 'and are served');
wait_for(20, sub { $web->get('/health')->{code} == 200 }, 'the page knows that');
pass('the page has the second');
unlike($a->log, qr/web-unavailable|listen-differs/, 'and nothing is missing');

subtest 'a restart' => sub {
    is($a->stop, 0, 'kmsd ends');
    my $early = $web->connection;
    ok($early, 'a browser connects meanwhile');
    syswrite $early, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    $a->start;
    is($web->send_request($early, '')->{code}, 200, 'and is answered by the next kmsd');
};

subtest 'an address of its own beside one that is given' => sub {
    my $other = KMS::Web->new;
    $a->stop;
    spew($a->ini, slurp($a->ini) =~ s/^(listen = 127\.0\.0\.1:$page)$/$1 127.0.0.1:@{[ $other->port ]}/mr);
    $a->start;
    $other->wait;
    is($_->get('/health')->{code}, 200, 'the page is on port ' . $_->port) for $web, $other;
};

subtest 'a socket that kms.ini no longer asks for' => sub {
    $a->stop;
    spew($a->ini, slurp($a->ini) =~ s/^listen = 127\.0\.0\.1:.*\n//mr);
    $a->start;
    is($a->client('two', 'activate')->{exit}, 5, 'clients are served');
    like($a->log, qr/listen-differs: the service manager has a socket on 127\.0\.0\.1 port $page, which kms\.ini does not ask for: run "kmsctl apply"/, 'the log says what is to be done');
    is(run([ 'pgrep', '-P', $a->pid, 'kmsd-web' ])->{out}, '', 'and there is no page');
    is($a->stop, 0, 'the end');
};

subtest 'kmsctl plan' => sub {
    my $root = workspace();
    make_path("$root/etc", "$root/usr/lib/systemd/system");
    copy($_, "$root/usr/lib/systemd/system/") or die "$_: $!" for "$BUILD/etc/systemd/kmsd.service", glob "$SRC/etc/systemd/*.{socket,service,timer}";
    my $drop_in = '/etc/systemd/system/kmsd.socket.d/50-kms-ini.conf';
    my $plan = sub ($text) {
        my $r = run([ program('kmsctl'), '-c', spew("$root/kms.ini", $text), '--json', 'plan', '--root', $root ]);
        return { map { ("$_->{aspect} $_->{what}" => $_) } @{ json_of($r)->{differences} } };
    };
    my $ini = "[kms]\nstate_directory = /var/lib/kms\n";
    my $none = $plan->($ini);
    ok(!$none->{'users _kmsweb'} && !$none->{"units $drop_in"}, 'without [web], nothing of it is planned');
    my $some = $plan->("$ini\[web]\nlisten = 127.0.0.1:1690 [::1]:1690\n");
    is($some->{'users _kmsweb'}{state}, 'due', '[web]: its user');
    like($some->{'users _kmsweb'}{why}, qr/page/, 'and why');
    is($some->{"units $drop_in"}{state}, 'due', 'and its sockets');
    my $named = $plan->("$ini" . "web_user = pagers\n[web]\nsocket_group = staff\n");
    is($named->{'users pagers'}{state}, 'due', 'another user') or diag explain [ sort keys %$named ];
    ok(!$named->{"units $drop_in"}, 'a Unix socket alone needs none of systemd');
};
done_testing;
