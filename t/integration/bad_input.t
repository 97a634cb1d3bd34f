#!/usr/bin/perl
# Bad input, against the whole appliance: every row of BAD INPUT in kms-protocol(7), which is read
# here, is done here, and nothing else is. For each: what the client gets, that an honest client
# beside it is served, and what the log says when it happens once and when it happens two hundred times.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Errno qw(EAGAIN);
use Fcntl qw(F_GETFL F_SETFL O_NONBLOCK);
use IO::Handle;
use IO::Select;
use KMS::Sealer;
use KMS::Test;
use MIME::Base64 qw(decode_base64);
use POSIX qw(strftime);
use Socket qw(AF_INET INADDR_LOOPBACK SHUT_WR SOCK_STREAM SOL_SOCKET SO_RCVBUF inet_aton pack_sockaddr_in);
use Test::More;
use Time::HiRes qw(sleep time);

use constant { HELLO => 1, HELLO_REPLY => 2, REQUEST => 3, REPLY => 4, ERROR => 5 };
use constant { PATIENCE => 60, MANY => 200, CONNECTIONS => 10_000, CREDITS => 2, HONEST => 1, BAD => 2 };

# Ten thousand connections need descriptors on both sides, and kmsd has its limit from us.
if (!$ENV{BAD_INPUT_FILES}) {
    $ENV{BAD_INPUT_FILES} = 1;
    exec 'sh', '-c', 'ulimit -n "$(ulimit -Hn)"; exec "$@"', 'sh', $^X, $0;
}
my $files = `sh -c 'ulimit -n'` =~ s/\s//gr;
$files = 1_000_000 if $files !~ /^\d+$/;
$SIG{PIPE} = 'IGNORE';
$ENV{TZ} = 'UTC';

# The page: the rows, and the numbers of the statuses.
my $page = slurp("$SRC/doc/kms-protocol.7");
my %number;
$number{$2} = $1 while $page =~ /^\.It (\d+) Dv (KMS_E_\w+)/mg;
my ($section) = $page =~ /^\.Sh BAD INPUT$(.*?)^\.El$/ms or die 'no BAD INPUT';
my %page;
for my $line ($section =~ /^\.It (.*)$/mg) {
    my ($name, $answer, $connection, $event) = split / Ta /, $line;
    next if $name eq 'Em input';
    ok(!$page{$name}, "the page has one row '$name'");
    $page{$name} = { answer => $answer, connection => $connection, event => $event };
}

# Publishers: one that is served, and one for each thing that can be missing.
sub product ($digit, $group = 'client') {
    my $id = "00000000-0000-4000-8000-000000000000" =~ s/0/$digit/gr;
    return { name => "Product $digit", id => $id, threshold => 1, group => $group,
        pool => $group eq 'client' ? 'desktops' : 'servers' };
}
my ($writer, $server) = (product(1), product(2, 'server'));
my $acme = publisher(products => [ $writer, $server ]);
my %other = map { $_->[0] => publisher(products => [ product($_->[1]) ]) }
    ([ bare => 3 ], [ waiting => 4 ], [ late => 5 ]);
my $appliance = start_appliance(publisher => $acme, fronts => 1,
    ini => join('', map {"[publisher $_]\nkey = $other{$_}{key}\n"} sort keys %other)
        . "[limits]\ncredits = @{[CREDITS]}\nconnections = 15000\n");
my $ini = slurp($appliance->ini) =~ s/^connections = .*\n//mr;
$appliance->enable(group => 'client');
$appliance->do('policy', 'install', $other{$_}{pack}) for sort keys %other;
$appliance->do('key', 'install', issue_key($other{waiting}));

# One that is confirmed until a moment from now; a slow machine needs a later moment.
my $expires;
for my $seconds (4, 30, 120) {
    $expires = int(time) + $seconds;
    last if eval {
        my $key = issue_key($other{late}, valid_to => strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $expires));
        my ($id) = slurp($key) =~ /^id = (\S+)/m or die;
        my $request = $appliance->dir . '/late.kmsreq';
        $appliance->do('key', 'install', $key);
        $appliance->do('key', 'request', '-o', $request, $id);
        $appliance->do('key', 'confirm', confirm($other{late}, $request));
        1;
    };
    diag("not within $seconds seconds: $@");
}

# Frames and connections.
sub frame ($type, $payload, %o) {
    return ($o{magic} // 'KMSD')
        . pack('C C n N', $o{version} // 2, $type, $o{flags} // 0, $o{length} // length $payload) . $payload;
}

sub key_id ($publisher) { return substr decode_base64($publisher->{key}), 2, 8 }
my $hello = frame(HELLO, key_id($acme));    # to the host spoken to

sub dial ($from = undef, $receive = undef) {
    socket my $s, AF_INET, SOCK_STREAM, 0 or die "socket: $!";
    setsockopt $s, SOL_SOCKET, SO_RCVBUF, $receive if $receive;
    bind $s, pack_sockaddr_in(0, inet_aton($from)) or die "bind: $!" if $from;
    connect $s, pack_sockaddr_in($appliance->port, INADDR_LOOPBACK) or die "connect: $!";
    return $s;
}

# Bytes until there are so many or the connection is closed; dies when neither comes.
sub take ($s, $want) {
    my ($got, $end, $select) = ('', time + PATIENCE, IO::Select->new($s));
    while (length $got < $want) {
        die sprintf "neither an answer nor a close; have '%s' of %d octets", unpack('H*', $got), $want if time > $end;
        next if !$select->can_read(1);
        sysread $s, $got, $want - length $got, length $got or last;
    }
    return $got;
}

# One frame, or undef when the connection is closed.
sub answer ($s) {
    my $head = take($s, 12);
    return undef if length $head == 0;
    my ($magic, $version, $type, $flags, $length) = unpack 'a4 C C n N', $head;
    return { type => 0, octets => $head } if $magic ne 'KMSD' || ($version != 2 && $type != ERROR) || $flags != 0;
    my $payload = take($s, $length);
    return { type => $type, payload => $payload, octets => $head . $payload };
}

# The pretend clients.
sub seal ($client, %field) { return sealer_frame($client, map {"$_=$field{$_}"} sort keys %field) }

sub learn_host () {
    my $s = dial();
    syswrite $s, $hello;
    my ($id, $said) = sealer_host(answer($s)->{payload});
    is($said, 'ok', 'the host is known');
    return $id;
}

# What a frame says, in the words of the page.
my %name = reverse %number;
sub words ($frame, $client) {
    return 'none' if !$frame;
    return 'ERROR ' . ($name{ unpack 'N', $frame->{payload} } // '?') if $frame->{type} == ERROR;
    return "type $frame->{type}" if $frame->{type} != REPLY;
    my $said = sealer("open $client " . unpack 'H*', $frame->{octets});
    my ($status, $lease) = $said =~ /^status (\d+) lease (\d+)$/ or return "REPLY $said";
    return 'REPLY ' . ($status ? $name{$status} // $status : $lease ? 'lease' : 'KMS_OK');
}

# The honest client: a lease, on a connection given or its own; as any client it tries again.
my $sequence = 0;
sub honest (%o) {
    my $end = time + PATIENCE;
    while (time < $end) {
        my $s = $o{on} // dial($o{from});
        syswrite $s, seal(HONEST, product => $writer->{id}, sequence => ++$sequence, name => 'honest');
        return 1 if words(scalar answer($s), HONEST) eq 'REPLY lease';
        return 0 if $o{on};
        sleep 0.1;
    }
    return 0;
}

# Lines of an event, and how many were kept back.
sub lines ($event) { my @found = $appliance->log =~ /^kmsd-\w+\[\d+\]: \Q$event\E: (.*)$/mg; return @found }
sub written ($event) { return scalar grep { !/more like this were not logged/ } lines($event) }

my %happened;    # event => how often this test made it happen
sub expect ($event, $times) { $happened{$event} += $times if $event ne 'none' }

sub limits (@lines) {
    my $before = lines('front-reloaded');
    spew($appliance->ini, $ini . "[limits]\n" . join '', map {"$_\n"} @lines);
    kill 'HUP', $appliance->pid;
    wait_for(PATIENCE, sub { lines('front-reloaded') > $before }, 'new limits');
}
my @roomy = ('connections = 15000', 'connections_per_source = 0', 'first_timeout = 600', 'frame_timeout = 600');

my $host_id = learn_host();
sub bad (%field) { return seal(BAD, product => $writer->{id}, sequence => 1, name => 'bad', %field) }

# A request text in hex, by the page's table.
sub text (%f) {
    my %t = (operation => 1, flags => 0, sequence => 1, salt => 'salt', name => 'bad', tail => '', %f);
    return unpack 'H*', pack 'C C n N a16 Q> Q> H32 a16 C x7 a64 a*', $t{operation}, 1, $t{flags}, 0, 'request',
        time, $t{sequence}, $writer->{id} =~ tr/-//dr, $t{salt}, 255, $t{name}, $t{tail};
}
sub replaced ($octets, $at, $new) { substr $octets, $at, length $new, $new; return $octets }

# Rows of one connection: the bytes sent; half: then nothing more will come.
my %said = (
    'client closes within a frame' => { half => 1, send => [ 'KMS', substr($hello, 0, 15), substr bad(), 0, 90 ] },
    'first octets not the magic' => { send => [ "GET / HTTP/1.0\r\n\r\n" ] },
    'first octet 5 (DCE/RPC), no relay set up' => { send => [ pack 'C4 H*', 5, 0, 11, 3, '10000000480000000100' ] },
    'version not 2' => { send => [ frame(HELLO, '', version => 1), frame(HELLO, '', version => 3), frame(REQUEST, 'x' x 9, version => 0, flags => 1) ] },
    'flags not zero' => { send => [ frame(HELLO, key_id($acme), flags => 1) ] },
    'type not HELLO or REQUEST' => { send => [ frame(REPLY, 'x'), frame(9, '', length => 0xffffffff) ] },
    'payload over 1024' => { send => [ frame(REQUEST, '', length => 1025), frame(REQUEST, 'x' x 100_000, length => 0xffffffff) ] },
    'HELLO malformed' => { send => [ frame(HELLO, 'short'), frame(HELLO, key_id($acme) . 'tail') ] },
    'HELLO for an unknown publisher' => { send => [ frame(HELLO, 'nobody..') ] },
    'HELLO, no host key installed' => { send => [ frame(HELLO, key_id($other{bare})) ] },
    'HELLO, host not confirmed' => { send => [ frame(HELLO, key_id($other{waiting})) ] },
    'REQUEST payload under 96 octets' => { send => [ frame(REQUEST, $host_id . 'x' x 79), frame(REQUEST, '') ] },
    'REQUEST for another host id' => { send => [ bad(host => '00' x 16) ] },
    'REQUEST for an unknown exchange key' => { send => [ replaced(bad(), 12 + 16, "\0" x 8) ] },
    'C of small order' => { send => [ replaced(bad(), 12 + 24, "\0" x 32) ] },
    'tag does not verify' => { send => [ bad() ^. ("\0" x 251 . "\1"), replaced(bad(), 12 + 56, 'n' x 24) ] },
    'request text malformed' => { send => [ bad(text => '00' x 144), bad(text => '01'), bad(text => text(sequence => 0)),
        bad(text => text(salt => '')), bad(text => text(name => "a\xe2\x80\xaeb")) ] },
    'operation, flag or critical TLV unknown' => { send => [ bad(text => text(operation => 4)),
        bad(text => text(flags => 0x8000)), bad(text => text(tail => pack 'n n N', 0x8fff, 4, 60)) ] },
    "client's time 5 hours behind" => { send => [ bad(time => int(time) - 5 * 3600) ] },
    "client's time 5 hours ahead" => { send => [ bad(time => int(time) + 5 * 3600), bad(time => '18446744073709551615') ] },
    'unknown product' => { send => [ bad(product => product(9)->{id}) ] },
    'product outside the key group' => { send => [ bad(product => $server->{id}) ] },
    'REQUEST, no host key installed' => { send => [ bad(product => $other{bare}{products}[0]{id}) ] },
    'REQUEST, host not confirmed' => { send => [ bad(product => $other{waiting}{products}[0]{id}) ] },
    'host certificate expired' => { send => [ bad(product => $other{late}{products}[0]{id}) ] },
);

# The rest of a connection: closed, or another frame is answered.
sub remains ($s) {
    return 'stays' if defined syswrite $s, $hello and (answer($s) // { type => 0 })->{type} == HELLO_REPLY;
    return 'closed';
}

sub say_it ($row, $octets, $beside = undef) {
    my $s = dial();
    syswrite $s, $octets;
    shutdown $s, SHUT_WR if $row->{half};
    my $served = $beside ? honest() : 1;
    my $words = words(scalar answer($s), BAD);
    my $left = $words eq 'none' ? 'closed' : remains($s);
    return ($words, $left, $served);
}

wait_for($expires - time + PATIENCE, sub { time > $expires + 1 }, 'the certificate runs out');
for my $name (sort keys %said) {
    my ($row, $want) = ($said{$name}, $page{$name} // {});
    my $before = written($want->{event} // '');
    my ($words, $left, $served) = say_it($row, $row->{send}[0], 'beside');
    is("$words, $left", ($want->{answer} // '') . ', ' . ($want->{connection} // ''), $name);
    ok($served, "$name: an honest client is served beside it");
    ok(eval { wait_for(PATIENCE, sub { written($want->{event}) == $before + 1 }, $name) },
        "$name: one line of $want->{event}") or diag($appliance->log);
    expect($want->{event}, 1);
}

# Connections that are bad in time and number. Each returns what it saw, and counts what it did.
my %done = (
    'frames before their answers' => sub ($event) {
        my $s = dial();
        # With a REPLY among them, since too many answers without one end the connection.
        my $octets = join '', map {
            $hello . bad(host => '00' x 16) . seal(HONEST, product => $writer->{id}, sequence => ++$sequence, name => 'honest')
        } 1 .. 100;
        syswrite $s, $octets;
        my $seen = join '', map { (answer($s) // { type => 'closed' })->{type} } 1 .. 300;
        expect('unknown-host', 100);
        return ($seen eq '254' x 100 ? 'each its own, in order' : $seen, remains($s), honest());
    },
    'connection that never speaks' => sub ($event) {
        limits('first_timeout = 1');
        my @all = map { dial() } 1 .. MANY;
        my $served = honest();
        expect($event, MANY);
        return (merge(map { words(scalar answer($_), BAD) } @all), 'closed', $served);
    },
    'one octet a second' => sub ($event) {
        limits('first_timeout = 60', 'frame_timeout = 1');
        my @all = map { dial() } 1 .. MANY;
        my $served = 1;
        for my $octet (split //, frame(REQUEST, 'x' x 1000)) {
            last if !grep { defined syswrite $_, $octet } @all;
            $served &&= honest();
            sleep 1;
        }
        expect($event, MANY);
        return (merge(map { words(scalar answer($_), BAD) } @all), 'closed', $served);
    },
    'silent after an answer' => sub ($event) {
        limits('idle_timeout = 1', @roomy);
        my @all = map { dial() } 1 .. MANY;
        my $request = seal(HONEST, product => $writer->{id}, sequence => ++$sequence, name => 'honest');
        my %first = map { syswrite $_, $request; (answer($_) // { type => 0 })->{type} => 1 } @all;
        is_deeply([ keys %first ], [REPLY], 'they were answered before');
        my $served = honest();
        return (merge(map { words(scalar answer($_), BAD) } @all), 'closed', $served);
    },
    'client never reads' => sub ($event) {
        limits('first_timeout = 60', 'frame_timeout = 2');
        my @all = map { dial(undef, 4096) } 1 .. 3;
        my %open = map { fileno($_) => $_ } @all;
        fcntl $_, F_SETFL, fcntl($_, F_GETFL, 0) | O_NONBLOCK for @all;
        my $request = seal(HONEST, product => $writer->{id}, sequence => ++$sequence, name => 'honest');
        my ($served, $end, %rest) = (1, time + PATIENCE);
        while (%open && time < $end) {
            for my $s (values %open) {
                # What was not taken comes first the next time: whole frames, one after the other.
                my $octets = $rest{$s} || $request x 50;
                my $n = syswrite $s, $octets;
                $rest{$s} = substr $octets, $n // 0;
                next if defined $n or $! == EAGAIN;
                delete $open{ fileno $s };
            }
            $served &&= honest();
        }
        expect($event, scalar @all);
        return ('each its own', %open ? 'stays' : 'closed', $served);
    },
    'more requests than can wait' => sub ($event) {
        limits(@roomy);
        my ($activate) = @{ $appliance->children->{'kmsd-activate'} };
        my $room = CREDITS + 8 * CREDITS;
        my @all = map { dial() } 1 .. $room + MANY;
        kill 'STOP', $activate;
        syswrite $_, $hello for @all;
        my ($told, $select) = (0, IO::Select->new(@all));
        my (@refused, %refused);
        while (@refused < MANY) {
            for my $s ($select->can_read(PATIENCE)) {
                push @refused, words(scalar answer($s), BAD);
                $refused{ fileno $s } = 1;
                $select->remove($s);
            }
        }
        kill 'CONT', $activate;
        expect($event, MANY);
        my %late = map { (answer($_) // { type => 0 })->{type} => 1 } $select->handles;
        is_deeply([ keys %late ], [HELLO_REPLY], 'those who wait are answered');
        is(scalar $select->handles, $room, 'all of them');
        return (merge(@refused), merge(map { remains($_) } grep { $refused{ fileno $_ } } @all), honest());
    },
    '10,000 connections' => sub ($event) {
        limits(@roomy);
        my (@all, %types);
        for (1 .. CONNECTIONS / 16) {
            my @some = map { dial() } 1 .. 16;    # fewer than may wait
            syswrite $_, $hello for @some;
            $types{ (answer($_) // { type => 0 })->{type} }++ for @some;
            push @all, @some;
        }
        my $served = honest();
        my $left = merge(map { remains($all[ $_ * 100 ]) } 0 .. $#all / 100);
        return ($types{ +HELLO_REPLY } == CONNECTIONS ? 'each its own' : join(' ', %types), $left, $served);
    },
    'connections beyond the limit' => sub ($event) {
        return beyond($event, sub { limits('connections = 3', @roomy[ 1 .. 3 ]) }, undef);
    },
    'connections beyond the limit of a source' => sub ($event) {
        return beyond($event, sub { limits('connections_per_source = 3', @roomy[ 0, 2, 3 ]) }, '127.0.0.2');
    },
    'no descriptor left' => sub ($event) {
        return elsewhere(sub { beyond($event, sub { limits(@roomy) }, undef) });
    },
);

# Everything that happened is in the log, once or in a number.
sub the_log () {
    is($appliance->stop, 0, 'kmsd ends well');
    unlike($appliance->log, qr/front-died|activate-died|peer-(?!closed)|channel-lost|sandbox-violation/, 'no process was lost');
    for my $event (sort keys %happened) {
        my @lines = lines($event);
        my $kept = 0;
        $kept += $_ for map { /^(\d+) more like this were not logged/ ? $1 : () } @lines;
        my $written = written($event);
        is($written + $kept, $happened{$event}, "$event: every one is counted");
        # Five a minute, of each of the two processes that know the event.
        my $minutes = 1 + int((time - $^T) / 60);
        cmp_ok($written, '<=', 10 * $minutes, "$event: $written lines for $happened{$event}");
    }
}

sub merge (@words) { my %all = map { $_ => 1 } @words; return join ' or ', sort keys %all }

# On an appliance of its own, whose front was given descriptors for twenty connections: a reload
# that allows more gives it none.
sub elsewhere ($do) {
    my ($home, $home_ini, $home_hello, $home_happened) = ($appliance, $ini, $hello, {%happened});
    my $publisher = publisher(products => [ $writer, $server ]);
    %happened = ();
    $appliance = start_appliance(publisher => $publisher, fronts => 1, ini => "[limits]\nconnections = 20\n");
    $ini = slurp($appliance->ini) =~ s/^connections = .*\n//mr;
    $appliance->enable(group => 'client');
    $hello = frame(HELLO, key_id($publisher));
    learn_host();
    my @result = $do->();
    the_log();
    ($appliance, $ini, $hello, %happened) = ($home, $home_ini, $home_hello, %$home_happened);
    learn_host();
    return @result;
}

# Fill what there is: each further one is served, and the one that is idle longest is closed for it.
sub beyond ($event, $set, $elsewhere) {
    # Those of the row before may not have left yet.
    wait_for(PATIENCE, sub { figure('open') == 0 }, 'an empty front');
    $set->();
    my $before = figure('evicted_connections');
    my (@all, @words);
    for (1 .. MANY) {
        my $s = dial();
        syswrite $s, $hello;
        push @words, (answer($s) // { type => 0 })->{type} == HELLO_REPLY ? 'each its own' : 'refused';
        push @all, $s;
    }
    my $served = honest(from => $elsewhere);
    my $evicted = figure('evicted_connections') - $before;
    expect($event, $evicted);
    cmp_ok($evicted, '>', MANY / 2, "$evicted gave way");
    # What one more of them closed for the honest client is the next in order.
    is(merge(map { remains($_) } @all[ 0 .. $evicted - 1 ]), 'closed', 'those idle longest');
    is(merge(map { remains($_) } @all[ $evicted .. $#all ]), 'stays', 'and no other');
    return (merge(@words), 'evicts', $served);
}

sub figure ($name) {
    my ($status) = $appliance->kmsctl_json('status');
    return $status->{fronts}[0]{$name} // die "no figure $name";
}

for my $name (sort keys %done) {
    my $want = $page{$name} // {};
    SKIP: {
        skip "10,000 connections: ulimit -Hn is only $files", 1 if $name eq '10,000 connections' && $files < 12_000;
        subtest $name => sub {
            my ($words, $left, $served) = $done{$name}->($want->{event});
            is("$words, $left", ($want->{answer} // '') . ', ' . ($want->{connection} // ''), $name);
            ok($served, 'an honest client is served beside it');
        };
    }
}
is_deeply([ sort keys %said, keys %done ], [ sort keys %page ], 'the page has these rows, and no other');

subtest 'two hundred times each' => sub {
    limits(@roomy);
    for my $name (sort keys %said) {
        my ($row, $want, %seen) = ($said{$name}, $page{$name});
        for my $n (1 .. MANY) {
            my ($words, $left) = say_it($row, $row->{send}[ $n % @{ $row->{send} } ]);
            $seen{"$words, $left"}++;
        }
        is_deeply(\%seen, { "$want->{answer}, $want->{connection}" => MANY }, $name);
        expect($want->{event}, MANY);
    }
    ok(honest(), 'an honest client is served after all that');
};

subtest 'the log' => \&the_log;

subtest 'as a plain user' => sub {
    note('this test was started by a plain user: everything above was this already') if $> != 0;
    my $plain = start_appliance(publisher => publisher(products => [ $writer, $server ]), fronts => 2, $> == 0 ? (as => 'nobody') : ());
    my $uid = $> == 0 ? getpwnam 'nobody' : $>;
    $plain->enable(group => 'client');
    is($plain->client('pc', 'activate', product => $writer->{id})->{exit}, 0, 'a client is activated')
        or diag($plain->log);
    my ($status) = $plain->kmsctl_json('status');
    my @processes = @{ $status->{sandbox} };
    cmp_ok(scalar @processes, '>=', 3, 'status lists the layers of each process');
    for my $p (@processes) {
        for my $layer (qw(no-new-privs landlock seccomp rlimits no-core)) {
            like($p->{layers}, qr/\b$layer\b/, "$p->{process}: $layer");
        }
    }
    my %children = %{ $plain->children };
    for my $pid ($plain->pid, map { @$_ } values %children) {
        my ($real) = slurp("/proc/$pid/status") =~ /^Uid:\s+(\d+)/m;
        is($real, $uid, "process $pid is that user's");
    }
    is($plain->stop, 0, 'and it ends well');
};
done_testing;
