#!/usr/bin/perl
# kmsctl plan and apply: each difference is found, said, mended alone, and not found again; nothing else changes; an apply
# that is killed at any moment is finished by the next. Below --root, and on a machine of its own (a mount and a network namespace).
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Copy qw(copy);
use File::Path qw(make_path remove_tree);
use KMS::Named;
use KMS::Test;
use MIME::Base64 qw(decode_base64);
use Test::More;
use Time::HiRes qw(sleep);

plan skip_all => 'only root can make users: run as root' if $> != 0;

# Nothing here may reach the machine that runs the test.
if (!$ENV{KMS_PLAN_APART}) {
    $ENV{KMS_PLAN_APART} = 1;
    exec 'unshare', '--mount', '--net', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', $^X, $0 or die "unshare: $!";
}

my $kmsctl = program('kmsctl');
my $dir = workspace();
my $pub = publisher();

sub fresh_root ($name) {
    my $root = "$dir/$name";
    make_path("$root/etc", "$root/usr/lib/systemd/system");
    copy($_, "$root/usr/lib/systemd/system/") or die "$_: $!"
        for "$BUILD/etc/systemd/kmsd.service", map { "$SRC/etc/systemd/$_" }
            qw(kmsd.socket kms-firewall.service kms-dns.service kms-dns.timer kms-doctor.service kms-doctor.timer);
    spew("$root/kms.ini", "[kms]\nstate_directory = /var/lib/kms\ncontrol_group = kmsadmins\n"
        . "[publisher acme]\nkey = $pub->{key}\n");
    return $root;
}

sub kmsctl ($root, @args) {
    return run([ $kmsctl, '-c', "$root/kms.ini", @args, '--root', $root ]);
}

# (exit, { "aspect what" => state })
sub differences ($root, @args) {
    my $r = kmsctl($root, '--json', @args);
    my $json = json_of($r);
    return ($r->{exit}, { map { ("$_->{aspect} $_->{what}" => $_->{state}) } @{ $json->{differences} } }, $json);
}

# Every name, mode, owner and content below a directory.
sub picture ($root) {
    return run([ 'sh', '-c', 'cd "$0" && find . ! -name "*-" ! -name .pwd.lock -printf "%p %m %U %G %l\n" | sort && find . -type f ! -name "*-" | sort | xargs sha256sum', $root ])->{out};
}

my $root = fresh_root('root');
my @mine = ('users _kms', 'users _kmsnet', 'users kmsadmins', 'files /var/lib/kms',
    'units kmsd.socket', 'units kmsd.service', 'units kms-firewall.service');

subtest 'plan' => sub {
    my $before = picture($root);
    my ($exit, $found, $json) = differences($root, 'plan');
    is($exit, 0, 'plan: exit 0');
    is($found->{$_}, 'due', "$_ would be mended") for @mine;
    is($found->{'publishers acme policy'}, 'by-hand', 'what the publisher has to send is left to the administrator');
    for my $d (@{ $json->{differences} }) {
        ok($d->{is} && $d->{due} && $d->{why}, "$d->{aspect} $d->{what}: how it is, what apply does, and why");
    }
    is(kmsctl($root, qw(plan --check))->{exit}, 4, 'plan --check: exit 4');
    like(kmsctl($root, 'plan')->{out}, qr/users: _kms: no such user\. Would be created.*\n.*units: kmsd\.socket: disabled\. Would be enabled/s, 'as text');
    is(picture($root), $before, 'and nothing was changed');
};

subtest 'apply, and again' => sub {
    my ($exit, $found, $json) = differences($root, 'apply');
    is($exit, 0, 'apply: exit 0') or diag(explain $json);
    is($found->{$_}, 'done', "$_ is mended") for @mine;
    like(slurp("$root/etc/passwd"), qr/^_kms:.*^_kmsnet:/ms, 'the users are there');
    like(slurp("$root/etc/group"), qr/^kmsadmins:/m, 'and the group');
    my $state = run([ 'stat', '-c', '%a %u', "$root/var/lib/kms" ])->{out};
    my ($uid) = slurp("$root/etc/passwd") =~ /^_kms:[^:]*:(\d+):/m;
    is($state, "700 $uid\n", 'the state directory is the activation user\'s');
    ok(-l "$root/etc/systemd/system/sockets.target.wants/kmsd.socket", 'the socket is enabled');
    my $before = picture($root);
    (undef, undef, $json) = differences($root, 'apply');
    is($json->{changed}, 0, 'again: nothing to do');
    is(picture($root), $before, 'and nothing changed');
};

# One drift each: how it comes about, what plan names, and that apply mends it and nothing else.
my @drifts = (
    [ 'a user', sub { spew("$root/etc/passwd", slurp("$root/etc/passwd") =~ s/^_kmsnet:.*\n//mr) }, 'users _kmsnet' ],
    [ 'a mode', sub { chmod 0755, "$root/var/lib/kms" }, 'files /var/lib/kms' ],
    [ 'an owner', sub { chown 0, 0, "$root/var/lib/kms" }, 'files /var/lib/kms' ],
    [ 'a restored file', sub { make_path("$root/var/lib/kms/keys"); spew("$root/var/lib/kms/keys/x", 'x') },
        'files files in /var/lib/kms' ],
    [ 'a missing directory', sub { remove_tree("$root/var/lib/kms") }, 'files /var/lib/kms' ],
    [ 'a unit', sub { unlink "$root/etc/systemd/system/sockets.target.wants/kmsd.socket" }, 'units kmsd.socket' ],
    [ 'another port', sub { spew("$root/kms.ini", slurp("$root/kms.ini") . "[listen]\naddress = 192.0.2.1 2001:db8::1\nport = 1700\n") },
        'units /etc/systemd/system/kmsd.socket.d/50-kms-ini.conf' ],
    [ 'an edited drop-in', sub { spew("$root/etc/systemd/system/kmsd.socket.d/50-kms-ini.conf", "[Socket]\n") },
        'units /etc/systemd/system/kmsd.socket.d/50-kms-ini.conf' ],
    [ 'the default port', sub { spew("$root/kms.ini", slurp("$root/kms.ini") =~ s/\[listen\].*//sr) },
        'units /etc/systemd/system/kmsd.socket.d/50-kms-ini.conf' ],
    [ 'a relay', sub { spew("$root/kms.ini", slurp("$root/kms.ini") . "[relay]\nupstream = 192.0.2.7\n") },
        'units /etc/systemd/system/kmsd.service.d/50-kms-ini.conf' ],
    [ 'an hourly check', sub { spew("$root/kms.ini", slurp("$root/kms.ini") . "[alerts]\nhourly = yes\n") }, 'units kms-doctor.timer' ],
    [ 'another state directory', sub { spew("$root/kms.ini", slurp("$root/kms.ini") =~ s{/var/lib/kms}{/srv/kms}r) },
        'files /srv/kms', 'units /etc/systemd/system/kmsd.service.d/50-kms-ini.conf' ],
);
for my $row (@drifts) {
    my ($what, $happen, @names) = @$row;
    subtest "drift: $what" => sub {
        $happen->();
        my (undef, $found) = differences($root, 'plan');
        my %due = map { ($_ => 'due') } @names;
        is_deeply({ map { $found->{$_} eq 'due' ? ($_ => 'due') : () } keys %$found }, \%due, 'plan names it and nothing else');
        my (undef, $mended) = differences($root, 'apply');
        is($mended->{$_}, 'done', "apply mends $_") for @names;
        (undef, $found) = differences($root, 'plan');
        is_deeply([ grep { $_ ne 'by-hand' } values %$found ], [], 'and it is gone');
        like(slurp("$root/etc/systemd/system/kmsd.socket.d/50-kms-ini.conf"),
            qr/^ListenStream=\nListenStream=192\.0\.2\.1:1700\nListenStream=\[2001:db8::1\]:1700\n\z/m, 'systemd is told of it')
            if $what eq 'another port';
    };
}

subtest 'a share needs the network' => sub {
    my $r = fresh_root('share');
    kmsctl($r, 'apply');
    my $drop_in = "$r/etc/systemd/system/kmsd.service.d/50-kms-ini.conf";
    unlike(-e $drop_in ? slurp($drop_in) : '', qr/PrivateNetwork/, 'without [share] and [relay] the unit has none');
    spew("$r/kms.ini", slurp("$r/kms.ini") . "[share]\nname = site-1\nmembers = 192.0.2.1 192.0.2.2 192.0.2.3\n"
        . join '', map { "$_ = /etc/kms/share/$_.pem\n" } qw(authority certificate key));
    my (undef, $found) = differences($r, 'plan');
    is($found->{'units /etc/systemd/system/kmsd.service.d/50-kms-ini.conf'}, 'due', 'with [share] the drop-in is due');
    kmsctl($r, 'apply');
    like(slurp($drop_in), qr/^PrivateNetwork=no\nIPAddressDeny=\nRestrictAddressFamilies=AF_INET AF_INET6\nCapabilityBoundingSet=CAP_SYS_ADMIN\n/m,
        'and gives kmsd-share the network');
};

# The state directory is the activation user's, who may have prepared it for root's next apply.
subtest 'what does not belong there is not given away' => sub {
    my $r = fresh_root('linked');
    kmsctl($r, 'apply');
    my $state = "$r/var/lib/kms";
    make_path("$r/elsewhere", "$state/d");
    my @others = map { spew("$r/elsewhere/$_", "root's\n") } qw(name target below);
    link $others[0], "$state/d/link" or die "link: $!";
    symlink $others[1], "$state/symbolic";
    symlink "$r/elsewhere", "$state/directory";
    my (undef, $found) = differences($r, 'apply');
    is($found->{'files links in /var/lib/kms'}, 'by-hand', 'a second name of a file is shown');
    is($found->{'files files in /var/lib/kms'}, 'done', 'the rest is given');
    is((stat $_)[4], 0, "$_ is still root's") for @others;
    isnt((lstat "$state/symbolic")[4], 0, 'the links themselves are given');

    # A directory that turns into a link and back while apply goes through it.
    my ($uid) = slurp("$r/etc/passwd") =~ /^_kms:[^:]*:(\d+):/m;
    unlink "$state/d/link";
    spew("$state/d/below", 'x');
    chown $uid, $uid, "$state/d/below";
    chmod 0755, $dir;
    my $swap = spawn([ '/usr/bin/python3', '-c', <<'PYTHON', "$state/d", "$state/directory", $uid ]);
import ctypes, os, sys
libc, (a, b) = ctypes.CDLL(None), [x.encode() for x in sys.argv[1:3]]
os.setgid(int(sys.argv[3])); os.setuid(int(sys.argv[3]))
while True:
    libc.renameat2(-100, a, -100, b, 2)
PYTHON
    kmsctl($r, 'apply') for 1 .. 40;
    end_process($swap);
    is((stat $_)[4], 0, "$_ is still root's") for @others;

    # and what root would wait for
    my $pack = "$state/policy/" . unpack 'H16', substr decode_base64($pub->{key}), 2, 8;
    make_path($pack);
    run([ 'mkfifo', "$pack/current", "$state/dns.published" ]);
    isnt(run([ 'timeout', 10, $kmsctl, '-c', "$r/kms.ini", 'plan', '--root', $r ])->{exit}, 124, 'no FIFO is waited for');
    spew("$r/live.ini", "[kms]\nstate_directory = $state\nactivate_user = root\n[dns]\ndomains = example.test\nhost = a.example.test\n");
    isnt(run([ 'timeout', 10, $kmsctl, '-c', "$r/live.ini", @$_ ])->{exit}, 124, "nor by @$_")
        for [qw(plan --nameserver 127.0.0.1:9)], [qw(dns check --nameserver 127.0.0.1:9)];
};

subtest 'killed at any moment' => sub {
    my $r = fresh_root('killed');
    for my $round (1 .. 12) {
        my $pid = spawn([ $kmsctl, '-c', "$r/kms.ini", 'apply', '--root', $r ], log => "$dir/killed.log");
        sleep 0.004 * $round;
        end_process($pid, 'KILL');
        remove_tree("$r/etc") if $round == 6;
        make_path("$r/etc");
    }
    my ($exit, undef, $json) = differences($r, 'apply');
    is($exit, 0, 'the next apply finishes it') or diag(explain $json);
    my (undef, $found) = differences($r, 'plan');
    is_deeply([ grep { $_ ne 'by-hand' } values %$found ], [], 'nothing is left to do');
    is(() = slurp("$r/etc/passwd") =~ /^_kms:/mg, 1, 'one user, not two');
};

subtest 'what is refused' => sub {
    my $r = fresh_root('refused');
    make_path("$r/var/lib", "$r/elsewhere");
    symlink "$r/elsewhere", "$r/var/lib/kms";
    kmsctl($r, 'apply');
    my ($exit, $found) = differences($r, 'apply');
    is($found->{'files /var/lib/kms'}, 'by-hand', 'a link in place of the state directory is not followed');
    spew("$r/kms.ini", "[kms]\nnonsense = 1\n");
    is(kmsctl($r, 'apply')->{exit}, 2, 'an erroneous ini file: exit 2');
    is(run([ $kmsctl, 'plan', '--root', "$dir/none" ])->{exit}, 2, 'no such root: exit 2');
};

# Real users, real rules: /etc is a copy of the machine's, and the network namespace is new.
subtest 'the running machine' => sub {
    my $machine = "$dir/machine";
    make_path("$machine/etc", "$machine/kms");
    run([ 'cp', '-a', map({ "/etc/$_" } qw(passwd group shadow gshadow nsswitch.conf login.defs)), "$machine/etc/" ]);
    spew("$machine/etc/$_", slurp("$machine/etc/$_") =~ s/^_kms(?:net)?:.*\n//mgr) for qw(passwd group shadow gshadow);
    spew("$machine/kms.ini", "[kms]\nstate_directory = $machine/kms/state\nruntime_directory = $machine/kms/run\n"
        . "[firewall]\nallow = 192.0.2.0/24\n");
    my $script = <<'SH';
mount --bind "$0/etc" /etc
echo "{ \"plan\": $($1 -c "$0/kms.ini" --json plan), \"apply\": $($1 -c "$0/kms.ini" --json apply),"
echo "\"again\": $($1 -c "$0/kms.ini" --json apply), \"user\": \"$(id -u _kms)\", \"owner\": \"$(stat -c %u "$0/kms/state")\","
echo "\"rules\": $(nft -j list table inet kms) }"
SH
    my $r = run([ 'unshare', '--mount', 'sh', '-c', $script, $machine, $kmsctl ]);
    my $json = json_of($r);
    my %done = map { ("$_->{aspect} $_->{what}" => $_->{state}) } @{ $json->{apply}{differences} };
    is($done{'users _kms'}, 'done', 'the user is made') or diag("$r->{out}$r->{err}");
    is($json->{user}, $json->{owner}, 'and owns the state directory');
    is($done{'firewall table inet kms'}, 'done', 'the firewall is put in force');
    ok(scalar @{ $json->{rules}{nftables} }, 'as nft says too');
    is($json->{again}{changed}, 0, 'again: nothing to do') or diag(explain $json->{again});
    run([ 'nft', 'add', 'rule', 'inet', 'kms', 'input', 'counter' ]);
    $r = run([ 'unshare', '--mount', 'sh', '-c', 'mount --bind "$0/etc" /etc; exec $1 -c "$0/kms.ini" --json plan', $machine, $kmsctl ]);
    is_deeply([ map { $_->{aspect} } grep { $_->{state} eq 'due' } @{ json_of($r)->{differences} } ], ['firewall'],
        'a rule that somebody added is a difference');
    $r = run([ 'unshare', '--mount', 'sh', '-c', 'mount --bind "$0/etc" /etc; exec $1 -c "$0/kms.ini" --json plan --root /', $machine, $kmsctl ]);
    my %below = map { ($_->{aspect} => 1) } @{ json_of($r)->{differences} };
    is_deeply([ grep { $below{$_} } qw(firewall service dns) ], [], '--root / leaves out what only a running machine has') or diag("$r->{out}$r->{err}");
    ok($below{units}, 'and looks at its units');

    my $key = run([ 'tsig-keygen', 'plan' ])->{out};
    my $named = KMS::Named->start(conf => $key,
        zones => { 'plan.test' => { records => '', options => 'allow-update { key plan; };' } });
    spew("$machine/kms.ini", slurp("$machine/kms.ini") . "[dns]\ndomains = plan.test\nhost = kms.plan.test\n"
        . "addresses = 127.0.0.1\nserver = " . $named->server . "\ntsig_key_file = " . spew("$dir/tsig", $key) . "\n");
    my @dns = map {
        json_of(run([ 'unshare', '--mount', 'sh', '-c', 'mount --bind "$0/etc" /etc; exec $1 -c "$0/kms.ini" --json $2 --nameserver $3',
            $machine, $kmsctl, $_, $named->server ]))->{differences}
    } qw(plan apply plan);
    my @states = map { join ' ', map { $_->{state} } grep { $_->{what} eq 'records' } @$_ } @dns;
    is_deeply(\@states, [ 'due', 'done', '' ], 'DNS records are missed, published and not missed any more') or diag(explain \@dns);
    like($named->dig('_kms._tcp.plan.test', 'SRV'), qr/kms\.plan\.test\./, 'as dig says too');
};
done_testing;
