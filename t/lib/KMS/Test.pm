package KMS::Test;

# Helpers of the integration tests. In a test:
#
#     use FindBin;
#     use lib "$FindBin::Bin/../lib";
#     use KMS::Test;
#
# Programs and processes
#   program('kmsctl')            path of a built program; dies when it was not built
#   run([@command], in => TEXT)  runs it: { exit, signal, out, err }
#   json_of($result)             its output as a Perl structure; fails the test when it is not one JSON object
#   spawn([@command], log => FILE, in => PIPE?)    starts a process and returns its pid
#   end_process($pid, $signal)   ends one that spawn started, waits; its wait status, or undef when it had to be killed
#   wait_exit($pid, $seconds)    waits for one that spawn started to end by itself; its wait status, dies when it does not
#   wait_for($seconds, sub, $what)   polls until sub is true; dies with $what when it never is
#   held($try, $end, $expected)  how an attempt of t/security/tries.c ended, to be compared with what is expected
#   slurp($file), spew($file, $text)
#   workspace()                  a fresh directory, removed at the end (short, for sockets); in /tmp, or in KMS_WORKSPACES
#
# A publisher (kmsissue)
#   publisher(dir => ..., products => [ { name, id, threshold, ... } ])  init, pack, signature:
#       { dir, key (the "RW..." line), pack (signed file) }
#       name => of the publisher; ini => text of the whole pack in place of the one made here
#   sign_pack($publisher, $name, $text)                       path of another signed pack
#   issue_key($publisher, customer => ..., group => ..., capacity => ..., valid_to => ...)   path of a signed .kmskey
#   confirm($publisher, $request_file)                        path of the signed .kmscert
#       both take policy => PACK and output => PATH without its ending
#
# An appliance (kmsd, started as the current user on port 0)
#   $a = start_appliance(publisher => $p, fronts => 2, ini => "extra lines")   runs; not yet activating
#       as => 'nobody': root starts it as that plain user
#       environment => { NAME => value }: for kmsd's children, which are given nothing of kmsd's own
#       setup => sub {...}: called in the new process before kmsd; through => [command ...] that executes kmsd
#   $a->enable                  policy install, key install, request, confirm: now it is
#       publisher => another one of kms.ini
#   $a->certify($publisher, $key, policy => PACK)   request and confirm one installed key
#   $a->kmsctl(@args)           run() of kmsctl with the appliance's ini
#   $a->kmsctl_json(@args)      the same with --json: (structure, exit code)
#   $a->client($name, @args)    run() of kmsclient with that client's own state file; publisher =>, product =>, args =>
#   $a->children                { 'kmsd-activate' => [pids], 'kmsd-front' => [pids], 'kmsd-share' => [pids] } (from /proc)
#   $a->port, $a->dir, $a->pid, $a->log, $a->ini
#   $a->stop                    SIGTERM and wait; its exit code; 'killed' when it did not end
#   $a->start                   again, on the same state
# Whatever is still running is ended when the test ends.

use v5.36;
use Cwd qw(abs_path);
use Exporter qw(import);
use File::Copy qw(copy);
use File::Temp qw(tempdir);
use IO::Select;
use IPC::Open3 qw(open3);
use JSON::PP ();
use POSIX qw(:sys_wait_h);
use Symbol qw(gensym);
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(program run json_of held spawn end_process wait_exit wait_for slurp spew workspace publisher
    floating_pack sign_pack issue_key confirm start_appliance start_siege $SRC $BUILD);

our $SRC = abs_path($ENV{KMS_SRC} // '.');
our $BUILD = abs_path($ENV{KMS_BUILD} // 'build');

my %places = (
    'kmsctl' => 'kmsctl/kmsctl',
    'kmsd' => 'kmsd/supervisor/kmsd',
);
my $owner = $$;
my %running;    # pid => 1, started here

sub program ($name) {
    my $path = "$BUILD/" . ($places{$name} // $name);
    -x $path or die "$path is not built: make all check_PROGRAMS\n";
    return $path;
}

# What tells these attempts from what is allowed are the arguments of a call on a socket. Where one call makes all of those, seccomp does not see
# them, and the attempt succeeds if its call is allowed at all: kmsd(8).
my %by_argument = map { $_ => 1 } qw(socket-inet socket-unix socket-udp socket-netlink multipath fast-open fast-open-message fast-open-option
    socket-option read-option shut-listener sendto);
my $one_call;

sub held ($try, $end, $expected) {
    $one_call //= slurp("$BUILD/Makefile") =~ /^host_cpu = (?:i[3-6]86|s390x?)$/m ? 1 : 0;
    return $one_call && $by_argument{$try} && $end eq 'done' ? $expected : $end;
}

sub slurp ($file) {
    open my $fh, '<:raw', $file or die "$file: $!\n";
    local $/;
    return scalar <$fh> // '';
}

sub spew ($file, $text) {
    open my $fh, '>:raw', $file or die "$file: $!\n";
    print {$fh} $text;
    close $fh or die "$file: $!\n";
    return $file;
}

sub workspace () {
    my $dir = tempdir('kmsXXXXXX', DIR => $ENV{KMS_WORKSPACES} // '/tmp', CLEANUP => 1);
    chmod 0755, $dir;    # kmsd's users go through it
    return $dir;
}

sub run ($command, %opt) {
    my ($in, $out, $err) = (undef, undef, gensym);
    my $pid = open3($in, $out, $err, @$command);
    my %text = (out => '', err => '');
    my %name = (fileno($out) => 'out', fileno($err) => 'err');
    my $select = IO::Select->new($out, $err);
    local $SIG{PIPE} = 'IGNORE';
    print {$in} $opt{in} if defined $opt{in};
    close $in;
    while ($select->count) {
        for my $fh ($select->can_read) {
            my $n = sysread $fh, my $piece, 65536;
            if ($n) { $text{ $name{ fileno $fh } } .= $piece }
            else { $select->remove($fh) }
        }
    }
    waitpid $pid, 0;
    return { %text, exit => $? >> 8, signal => $? & 127, command => "@$command" };
}

sub json_of ($result) {
    my $data = eval { JSON::PP->new->utf8->decode($result->{out}) };
    if (ref $data ne 'HASH') {
        fail("$result->{command} prints one JSON object");
        diag("$@\nout: $result->{out}\nerr: $result->{err}");
        return {};
    }
    return $data;
}

sub spawn ($command, %opt) {
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        open STDIN, '<', '/dev/null' if !$opt{in};
        open STDIN, '<&', $opt{in} if $opt{in};
        $opt{setup}->() if $opt{setup};
        if ($opt{log}) {
            open STDOUT, '>>', $opt{log};
            open STDERR, '>&', \*STDOUT;
        }
        exec @$command or POSIX::_exit(127);
    }
    $running{$pid} = 1;
    return $pid;
}

sub end_process ($pid, $signal = 'TERM', $seconds = 60) {
    return undef if !$running{$pid};
    kill $signal, $pid;
    my $until = time + $seconds;
    while (waitpid($pid, WNOHANG) == 0) {
        if (time > $until) {
            kill 'KILL', $pid;
            waitpid $pid, 0;
            delete $running{$pid};
            return undef;
        }
        sleep 0.02;
    }
    my $status = $?;
    delete $running{$pid};
    return $status;
}

sub wait_exit ($pid, $seconds) {
    my $status;
    wait_for($seconds, sub { waitpid($pid, WNOHANG) == $pid && defined($status = $?) }, "process $pid ends");
    delete $running{$pid};
    return $status;
}

sub wait_for ($seconds, $condition, $what) {
    my $until = time + $seconds;
    while (1) {
        my $value = $condition->();
        return $value if $value;
        die "$what: not within $seconds seconds\n" if time > $until;
        sleep 0.02;
    }
}

END {
    if ($$ == $owner) {
        my $status = $?;
        end_process($_, 'TERM', 5) for keys %running;
        $? = $status;
    }
}

# One of ours that has to succeed: what it says is the reason when it does not.
sub must ($command, %opt) {
    my $r = run($command, %opt);
    $r->{exit} == 0 && $r->{signal} == 0
        or die "$r->{command}: exit $r->{exit}\n$r->{out}$r->{err}\n";
    return $r;
}

sub publisher (%opt) {
    my $dir = $opt{dir} // workspace() . '/publisher';
    my $products = $opt{products} // [
        { name => 'Example Server', id => '22222222-2222-4222-8222-222222222222', threshold => 5,
            group => 'server', pool => 'servers' },
        { name => 'Example Writer', id => '11111111-1111-4111-8111-111111111111', threshold => 25,
            group => 'client', pool => 'desktops' },
    ];
    must([ program('kmsissue'), 'init', '--name', $opt{name} // 'acme', '--no-passphrase', $dir ]);
    my ($key) = slurp("$dir/publisher.pub") =~ /^(RW\S{54})$/m or die "no key in $dir/publisher.pub\n";
    my $ini = "[policy]\nid = example\ntitle = Example policy\nversion = 1.0\nissued = 2026-01-01\n"
        . "[group client]\n[group server]\ncovers = client\n"
        . "[pool desktops]\nnumber = 1\nwindow = 30\n[pool servers]\nnumber = 2\nwindow = 30\n";
    for my $p ($opt{ini} ? () : @$products) {
        $ini .= "[product $p->{id}]\nname = $p->{name}\ngroup = $p->{group}\npool = $p->{pool}\n"
            . "threshold = $p->{threshold}\nactivation-interval = 2h\nrenewal-interval = 7d\n"
            . "validity = 180d\ngrace = 30d\nvirtual-machines = allow\n"
            . 'clones = ' . ($p->{clones} // 'refuse') . "\n";
    }
    my $self = { dir => $dir, key => $key, products => $products };
    $self->{pack} = sign_pack($self, 'example', $opt{ini} // $ini);
    return $self;
}

# The text of a pack with one product, of a pool that floats and lends.
sub floating_pack ($product) {
    return <<"INI";
[policy]
id = floating
title = Floating
version = 1.0
issued = 2026-01-01
requires-host = 0.1
[group all]
[pool seats]
number = 1
window = 2h
borrow = 2d
[product $product]
name = Float
group = all
pool = seats
threshold = 1
validity = 1h
renewal-interval = 20m
INI
}

sub sign_pack ($publisher, $name, $text) {
    my $pack = spew("$publisher->{dir}/$name.kmspolicy", $text);
    must([ program('kmsissue'), 'policy', 'sign', '-f', '-d', $publisher->{dir}, $pack ]);
    return $pack;
}

sub issue_key ($publisher, %opt) {
    my $out = $opt{output} // "$publisher->{dir}/customer";
    must([ program('kmsissue'), 'key', 'issue', '-d', $publisher->{dir},
        '--customer', $opt{customer} // 'Example Customer', '--group', $opt{group} // 'server',
        '--capacity', $opt{capacity} // 0, $opt{valid_to} ? ('--valid-to', $opt{valid_to}) : (),
        '--policy', $opt{policy} // $publisher->{pack}, @{ $opt{options} // [] }, '-o', $out ]);
    return "$out.kmskey";
}

sub confirm ($publisher, $request, %opt) {
    my $out = $opt{output} // "$publisher->{dir}/confirmed";
    must([ program('kmsissue'), 'confirm', '-d', $publisher->{dir}, '--policy', $opt{policy} // $publisher->{pack},
        '-o', $out, $request ]);
    return "$out.kmscert";
}

sub start_appliance (%opt) {
    my $dir = $opt{dir} // workspace();
    my $self = bless { dir => $dir, publisher => $opt{publisher}, as => $opt{as},
        setup => $opt{setup}, through => $opt{through} // [] }, 'KMS::Test::Appliance';
    mkdir "$dir/$_" for qw(libexec clients);    # kmsd makes its own
    for my $name (qw(kmsd-front kmsd-activate kmsd-resolve kmsd-web kmsd-share)) {
        # A plain user may not be able to reach the build (a clone in /root): give that user its own.
        if ($opt{environment}) {
            # Not a shell script: kmsd's list of system calls, which its children inherit, has not all that a shell does.
            my $line = join ' ', '#!/usr/bin/env -S', (map {"$_=$opt{environment}{$_}"} sort keys %{ $opt{environment} }), program($name);
            length $line < 250 or die "longer than the kernel reads: $line\n";
            spew("$dir/libexec/$name", "$line\n");
            chmod 0755, "$dir/libexec/$name" or die "$dir/libexec/$name: $!\n";
        } elsif ($opt{as}) {
            copy(program($name), "$dir/libexec/$name") && chmod 0755, "$dir/libexec/$name" or die "$dir/libexec/$name: $!\n";
        } else {
            symlink program($name), "$dir/libexec/$name" or die "symlink: $!\n";
        }
    }
    my $fronts = $opt{fronts} // 2;
    # As root kmsd changes users: two that every Debian has.
    my $users = $> == 0 && !$opt{as} ? "activate_user = nobody\nfront_user = daemon\n" : '';
    # A test renews as often as it likes; t/integration/limits.t has the limit.
    spew("$dir/kms.ini", <<"INI" . ($opt{ini} // ''));
[kms]
state_directory = $dir/state
runtime_directory = $dir/run
libexec_directory = $dir/libexec
$users\[listen]
address = 127.0.0.1
port = 0
fronts = $fronts
[limits]
renewals_per_interval = 1000000
[ledger]
segment_size = 1M
map_size = 16M
[publisher acme]
key = $opt{publisher}{key}
INI
    if ($opt{as}) {
        my ($uid, $gid) = (getpwnam $opt{as})[ 2, 3 ];
        chown $uid, $gid, $dir or die "chown $dir: $!\n";
    }
    $self->start;
    return $self;
}

# Clients that do not give up (t/integration/siege.c), on port; what they were given goes to acks. Its pid.
sub start_siege (%opt) {
    return spawn([ "$BUILD/siege", $opt{churn} ? '--churn' : (), '--port', $opt{port}, '--publisher', $opt{publisher}{key},
        '--product', $opt{product}, '--clients', $opt{clients}, '--state', $opt{state}, '--acks', $opt{acks} ], log => $opt{log});
}

package KMS::Test::Appliance;

use v5.36;
use Test::More;

sub dir ($self) { $self->{dir} }
sub pid ($self) { $self->{pid} }
sub port ($self) { $self->{port} }
sub ini ($self) { "$self->{dir}/kms.ini" }
sub log ($self) { -e "$self->{dir}/log" ? KMS::Test::slurp("$self->{dir}/log") : '' }

sub start ($self) {
    unlink "$self->{dir}/run/port";
    my @as = $self->{as} ? (@{ $self->{through} }, 'setpriv', "--reuid=$self->{as}", '--regid=nogroup', '--clear-groups') : @{ $self->{through} };
    $self->{pid} = KMS::Test::spawn([ @as, KMS::Test::program('kmsd'), '-f', $self->ini ],
        log => "$self->{dir}/log", setup => $self->{setup});
    my $ready = eval {
        KMS::Test::wait_for(30, sub {
            my $alive = kill 0, $self->{pid};
            return -s "$self->{dir}/run/port" && $self->kmsctl('status')->{exit} == 0
                || !$alive;
        }, 'kmsd answers');
        -s "$self->{dir}/run/port";
    };
    $ready or die "kmsd did not start: " . ($@ // '') . $self->log . "\n";
    ($self->{port}) = KMS::Test::slurp("$self->{dir}/run/port") =~ /(\d+)/
        or die "no port in $self->{dir}/run/port\n";
    return $self;
}

sub kmsctl ($self, @args) {
    return KMS::Test::run([ KMS::Test::program('kmsctl'), '-c', $self->ini, @args ]);
}

sub kmsctl_json ($self, @args) {
    my $r = $self->kmsctl('--json', @args);
    return (KMS::Test::json_of($r), $r->{exit});
}

# One of kmsctl's commands that has to succeed.
sub do ($self, @args) {
    my $r = $self->kmsctl(@args);
    $r->{exit} == 0 or die "$r->{command}: exit $r->{exit}\n$r->{out}$r->{err}\n" . $self->log;
    return $r;
}

sub enable ($self, %opt) {
    my $p = $opt{publisher} // $self->{publisher};
    my $key = KMS::Test::issue_key($p, %opt);
    $self->do('policy', 'install', $p->{pack});
    $self->do('key', 'install', $key);
    return $self->certify($p, $key);
}

sub certify ($self, $publisher, $key, %opt) {
    my ($id) = KMS::Test::slurp($key) =~ /^id = (\S+)$/m or die "no id in $key\n";
    my $base = "$self->{dir}/host." . ++$self->{requests};
    $self->do('key', 'request', '-o', "$base.kmsreq", $id);
    $self->do('key', 'confirm', KMS::Test::confirm($publisher, "$base.kmsreq", output => $base, %opt));
    return $self;
}

sub client ($self, $name, $verb, %opt) {
    my $publisher = $opt{publisher} // $self->{publisher};
    my $product = $opt{product} // $publisher->{products}[0]{id};
    return KMS::Test::run([ KMS::Test::program('kmsclient'),
        '--publisher-key', $publisher->{key}, '--product', $product,
        '--state', "$self->{dir}/clients/$name", '--host', "127.0.0.1:$self->{port}",
        '--name', $name, $verb, @{ $opt{args} // [] } ]);
}

sub children ($self) {
    my %found = map { $_ => [] } qw(kmsd-activate kmsd-front kmsd-share);
    for my $stat (glob '/proc/[0-9]*/stat') {
        my $text = eval { KMS::Test::slurp($stat) } // next;
        my ($pid, $name, $state, $parent) = $text =~ /^(\d+) \((.*)\) (\S) (\d+) / or next;
        next if $parent != $self->{pid} || $state eq 'Z';
        push @{ $found{$name} }, $pid if $found{$name};
    }
    return \%found;
}

sub stop ($self, $signal = 'TERM') {
    my $status = KMS::Test::end_process($self->{pid}, $signal);
    return defined $status ? $status >> 8 : 'killed';
}

1;
