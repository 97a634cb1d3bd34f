#!/usr/bin/perl
# Reload, stop and restart under load: no connection is dropped, nobody is refused, and what was in flight is answered.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::INET;
use Fcntl qw(F_SETFD);
use KMS::Test;
use POSIX ();
use Test::More;

my $product = '11111111-1111-4111-8111-111111111111';
my $p = publisher(products => [ { name => 'Under Siege', id => $product, threshold => 1, group => 'client',
    pool => 'desktops' } ]);
my $clients = 24;
my $sieges = 0;

# As systemd does it: the socket is ours, and kmsd finds it as descriptor 3.
my $socket = IO::Socket::INET->new(Listen => 1024, LocalAddr => '127.0.0.1', ReuseAddr => 1) or die "socket: $!";
my @kept;
my $as_three = sub ($fh) {
    POSIX::dup2(fileno $fh, 3) or die "dup2: $!";
    open my $three, '+<&=', 3 or die "descriptor 3: $!";
    fcntl $three, F_SETFD, 0 or die "fcntl: $!";    # exec does not close it
    push @kept, $three;
};
my $give = sub {
    $as_three->($socket);
    $ENV{LISTEN_PID} = $$;
    $ENV{LISTEN_FDS} = 1;
};

sub appliance (%opt) {
    my $a = start_appliance(publisher => $p, %opt);
    $a->enable(group => 'client', output => $a->dir . '/customer');
    return $a;
}

# Clients that come, ask and go, until siege_end.
sub siege_begin ($a) {
    my $log = $a->dir . '/siege.' . ++$sieges;
    my $acks = "$log.acks";
    my $pid = start_siege(churn => 1, port => $a->port, publisher => $p, product => $product, clients => $clients,
        state => "$log.state", acks => $acks, log => $log);
    wait_for(20, sub { -s $acks }, 'the siege is answered');
    return { pid => $pid, log => $log, acks => $acks };
}

sub more_answers ($s, $what) {
    my $before = -s $s->{acks};
    wait_for(30, sub { -s $s->{acks} > $before + 1000 }, $what);
}

sub siege_end ($s, $what) {
    kill 'TERM', $s->{pid};
    my $status = wait_exit($s->{pid}, 60);
    my $said = slurp($s->{log});
    is($status, 0, "$what: every answer was right") or diag($said);
    my %n = $said =~ /(\w+)=(\d+)/g;
    is($n{dropped}, 0, "$what: no connection was refused or dropped") or diag($said);
    is($n{refused}, 0, "$what: no request was refused");
    cmp_ok($n{acknowledged} // 0, '>=', $clients, "$what: the load was real");
    return %n;
}

# Connections of the port, and how many of them have bytes that nobody has read yet.
sub connections ($port) {
    my ($open, $unread) = (0, 0);
    for (split /\n/, slurp('/proc/net/tcp')) {
        my ($local, $state, $rx) = /^ *\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F:]+ ([0-9A-F]{2}) [0-9A-F]+:([0-9A-F]+) / or next;
        next if hex $local != $port || $state ne '01';
        $open++;
        $unread++ if hex $rx;
    }
    return ($open, $unread);
}

subtest 'reload' => sub {
    my $a = appliance();
    my $ini = slurp($a->ini);
    my $before = $a->children;
    my $s = siege_begin($a);
    for my $round (1 .. 25) {
        my $broken = $round % 5 == 0;
        spew($a->ini, $ini . "[limits]\n" . ($broken ? "idle_timout = 1\n" : 'idle_timeout = ' . (100 + $round) . "\n"));
        my $event = $broken ? 'config-kept' : 'config-reloaded';
        my $count = () = $a->log =~ /$event/g;
        kill 'HUP', $a->pid;
        wait_for(20, sub { (() = $a->log =~ /$event/g) > $count }, "reload $round: $event");
        more_answers($s, "answers after reload $round");
    }
    siege_end($s, 'twenty-five reloads');
    is(() = $a->log =~ /config-error: \S+kms\.ini:\d+: unknown key "idle_timout" in \[limits\]: did you mean "idle_timeout"\?/g, 5,
        'the log says what was wrong with each erroneous file');
    is_deeply($a->children, $before, 'by the same processes: an erroneous file took nothing down');
    is(() = $a->log =~ /front-reloaded/g, 40, 'both fronts took each of the twenty good files');
    is($a->stop, 0, 'kmsd stops');
};

subtest 'stop' => sub {
    my $a = appliance();
    my $s = siege_begin($a);
    my ($activate) = @{ $a->children->{'kmsd-activate'} };
    kill 'STOP', $activate;
    # Every client has asked, and no answer can have come.
    wait_for(20, sub { my ($open, $unread) = connections($a->port); $open >= $clients && !$unread },
        'the fronts have read what all clients asked');
    kill 'TERM', $s->{pid};
    kill 'TERM', $a->pid;
    wait_for(20, sub { $a->log =~ /kmsd-stopping/ }, 'kmsd stops');
    kill 'CONT', $activate;
    siege_end($s, 'in flight at SIGTERM');
    is(wait_exit($a->pid, 20), 0, 'kmsd ends with 0');
    unlike($a->log, qr/stop-forced|front-stopped|not answered/, 'and had to give nothing up');
};

subtest 'restart on the service manager\'s socket' => sub {
    my $a = appliance(setup => $give);
    is($a->port, $socket->sockport, 'kmsd serves the socket that it was given');
    my $s = siege_begin($a);
    for my $round (1 .. 3) {
        is($a->stop, 0, "restart $round: kmsd stops");
        $a->start;
        more_answers($s, "answers after restart $round");
    }
    siege_end($s, 'three restarts');
    unlike($a->log, qr/listen-differs/, 'the socket is the one that [listen] asks for');
    is($a->kmsctl(qw(ledger check))->{exit}, 0, 'the ledger is whole');
    is($a->stop, 0, 'kmsd stops');
    spew($a->ini, slurp($a->ini) =~ s/address = 127.0.0.1/address = 127.0.0.2/r);
    $a->start;
    like($a->log, qr/listen-differs: .*kmsctl apply/, 'another address in the ini file is said');
    is($a->stop, 0, 'kmsd stops');
};

subtest 'what is no listening socket is refused' => sub {
    my $dir = workspace();
    spew("$dir/kms.ini", "[kms]\nstate_directory = $dir/state\nruntime_directory = $dir/run\n"
        . ($> == 0 ? "activate_user = nobody\nfront_user = daemon\n" : '')
        . "[listen]\naddress = 127.0.0.1\nport = 0\n");
    my $kmsd = spawn([ program('kmsd'), '-L', $BUILD, '-f', "$dir/kms.ini" ], log => "$dir/log", setup => sub {
        open my $null, '<', '/dev/null' or die;
        $as_three->($null);
        ($ENV{LISTEN_PID}, $ENV{LISTEN_FDS}) = ($$, 1);
    });
    is(wait_exit($kmsd, 20) >> 8, 69, 'kmsd does not start');
    like(slurp("$dir/log"), qr/start-failed: descriptor 3 of the service manager is not/, 'and says why');
};
done_testing;
