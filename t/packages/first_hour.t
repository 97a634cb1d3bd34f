#!/usr/bin/perl
# The first hour of a new user: a fresh Debian, README.md and nothing else. Each command that README gives up to "Install by hand" is run exactly
# as it is there: first those that build, in a chroot with a network, then those of the appliance, on the machine that boots from it. How long
# each took is printed, and the whole walk is kept in doc/first-hour.txt (KMS_UPDATE=1 writes it).
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP ();
use KMS::Debian;
use KMS::Machine;
use KMS::Test;
use Test::More;
use Time::HiRes qw(sleep time);

use constant LIMIT => 1200;    # seconds of one command

skip_unless_possible(qw(debootstrap systemd-nspawn nsenter setpriv ip));
my @commands = map { s/\s{2,}#.*//r } map { /^    ((?:\.\/bootstrap|apt|kmsctl) .*)$/ ? $1 : () } split /\n/, (slurp("$SRC/README.md") =~ /(.*?)^## Install by hand/ms)[0];
my @build = grep { !/^kmsctl/ } @commands;
my $home = '/root/kmsd';
# What a command printed, and how it ended: { command, exit, out, seconds }
my $made = "$BUILD/packages/first-hour";

# As a terminal shows it at the end: what was written over is gone.
sub shown ($text) { return $text =~ s/\r+\n/\n/gr =~ s/^.*\r//gmr =~ s/\e\[[0-9;]*[A-Za-z]//gr }

# In the first process, which has the network: what is made lies on a disk, because it is large.
if (!$ENV{KMS_APART}) {
    my $fresh = fresh();
    my @in = ('chroot', "$made.root", qw(env -i HOME=/root TERM=dumb LC_ALL=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin));
    run([ 'rm', '-rf', "$made.root", "$made.json" ]);
    make_root($fresh, "$made.root");
    run([ 'cp', '/etc/resolv.conf', "$made.root/etc/resolv.conf" ]);
    # dpkg waits for no disk: this is nobody's machine.
    spew("$made.root/etc/dpkg/dpkg.cfg.d/no-sync", "force-unsafe-io\n");
    my $copied = run([ 'sh', '-c', 'mkdir -p "$1" && cd "$0" && { git ls-files -co --exclude-standard 2>/dev/null || find . -type f ! -path "./build*" ! -path "./.git*"; } | tar cf - -T - | tar xf - -C "$1"',
        $SRC, "$made.root$home" ]);
    $copied->{exit} == 0 or die "the tree is not copied: $copied->{err}";
    my @walk;
    for my $command (@build) {
        my $began = time;
        my $r = contained('sh', '-c', 'root=$1; shift; for d in proc dev sys; do mount --rbind /$d $root/$d || exit; done; exec "$@"', 'sh', "$made.root",
            'timeout', LIMIT, @in, 'sh', '-c', "cd $home && " . ($command =~ s/^apt install/apt install -y/r));
        push @walk, { command => $command, exit => $r->{exit}, out => shown($r->{out} . $r->{err}), seconds => time - $began };
        last if $r->{exit} != 0;
    }
    spew("$made.json", JSON::PP->new->utf8->encode(\@walk));
}
my $dir = apart({}, 'net');
my @walk = @{ JSON::PP->new->utf8->decode(slurp("$made.json")) };
for my $step (@walk) {
    is($step->{exit}, 0, sprintf '%s: %d s', @$step{qw(command seconds)}) or diag(substr $step->{out}, -3000);
}
my $said = join '', map { $_->{out} } @walk;
like($said, qr/Nothing is left running/, 'the demo was seen to its end');
like($said, qr/^kmsd: installed\. Next, .*\n    kmsctl setup FOLDER$/m, 'the package says what comes next');

# The machine is switched on, and the publisher's files come.
my ($machine_at, $test_at) = ('10.77.0.2', '10.77.0.1');
my $m = KMS::Machine->new("$made.root", there => ["$machine_at/24"], here => ["$test_at/24"]);
my $state = @walk == @build && eval { $m->boot };
not_tested("systemd-nspawn does not boot here: $@") if @walk == @build && !$state;
my $product = '11111111-1111-4111-8111-111111111111';
my $p = publisher(dir => "$dir/publisher", products => [ { name => 'Booted', id => $product, threshold => 1, group => 'client', pool => 'desktops' } ]);
my $from = $m->host("$home/from-acme");
mkdir $from;
issue_key($p, group => 'client', output => "$from/customer");
run([ 'cp', "$p->{dir}/publisher.pub", $p->{pack}, "$p->{pack}.minisig", $from ]);

# At a terminal, where a question is answered with yes.
for my $command (grep { /^kmsctl/ } @commands) {
    confirm($p, $m->host("$home/acme.kmsreq"), output => $m->host("$home/host")) if $command =~ /host\.kmscert/;
    my $began = time;
    my $r = $m->sh("cd $home && echo yes | timeout 120 script -qec '$command' /dev/null");
    push @walk, { command => $command, exit => $r->{exit}, out => shown($r->{out}) =~ s/\Ayes\n//r, seconds => time - $began };
    is($r->{exit}, 0, sprintf '%s: %d s', $command, $walk[-1]{seconds}) or diag("$r->{out}$r->{err}" . $m->run(qw(journalctl --no-pager -n 30))->{out});
}
like($walk[-2]{out}, qr/This host is confirmed and activates 1 product of acme/, 'after the second kmsctl setup the host is confirmed');
unlike($walk[-1]{out}, qr/^\s+bad\b/m, 'and kmsctl doctor finds nothing bad');
is(run([ program('kmsclient'), '-k', $p->{key}, '-p', $product, '-s', "$dir/client", '-H', "$machine_at:1688", '-N', 'pc-1', 'activate' ])->{exit}, 0,
    'a machine of the network is activated');
is($m->systemctl('is-system-running'), 'running', 'the machine is not degraded');
$m->poweroff;

# As it is kept: each command with its time, and of much output the end.
my $total = 0;
my $text = "The first hour: README.md on a fresh Debian 12, by t/packages/first_hour.t\n\n";
for my $step (@walk) {
    $total += $step->{seconds};
    my @lines = split /\n/, $step->{out};
    my $left = @lines > 60 ? splice(@lines, 20, @lines - 50) && 1 : 0;
    splice @lines, 20, 0, '[...]' if $left;
    $text .= sprintf "# %s\n%s[%d:%02d]\n\n", $step->{command}, join('', map { s/\s+$//r . "\n" } @lines), $step->{seconds} / 60, $step->{seconds} % 60;
}
$text .= sprintf "All together: %d minutes and %d seconds, of which a person types for one.\n", $total / 60, $total % 60;
note($text);
spew("$SRC/doc/first-hour.txt", $text) if $ENV{KMS_UPDATE};
is(join("\n", slurp("$SRC/doc/first-hour.txt") =~ /^# (.*)$/mg), join("\n", @commands), 'doc/first-hour.txt is of the same commands (KMS_UPDATE=1 makes it again)');
run([ 'rm', '-rf', "$made.root" ]);
done_testing;
