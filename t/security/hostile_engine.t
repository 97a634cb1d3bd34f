#!/usr/bin/perl
# kmsd-share before a member of etcd that lies in every way we could think of: what is no answer is no answer, in time, and neither ends the
# process nor makes it take memory beyond its limits. Beside an honest member, a liar is passed over.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Handle;
use KMS::Test;
use KMS::Engine;
use Test::More;
use Time::HiRes qw(time);

# kB of resident memory at most. What the same process has before an honest member is a third of it.
use constant MEMORY => 40 * 1024;
use constant AT_ONCE => 8;

my $dir = workspace();
my $user = getpwnam('_kmsshare');
my $ini = spew("$dir/kms.ini", "[kms]\nstate_directory = $dir/state\nruntime_directory = $dir\n[sandbox]\n"
    . ($user || $> != 0 ? '' : "allow_missing = uid\n"));
my $tls = KMS::Engine::certificates($dir);
my $sanitized = `nm $BUILD/kmsd-share $BUILD/.libs/kmsd-share 2>/dev/null` =~ /__asan_init/;

pipe(my $in, my $to) or die "pipe: $!\n";
my $liar = spawn([ 'python3', "$SRC/t/lib/lying_etcd.py", $tls->{server}, $tls->{server_key}, $tls->{authority} ], in => $in, log => "$dir/liar.log");
close $in;
wait_for(30, sub { -e "$dir/liar.log" && slurp("$dir/liar.log") =~ /^all$/m }, 'the liar listens');
my @modes = map { [ /^(\S+) (\d+)$/ ] } grep { / / } split /\n/, slurp("$dir/liar.log");
my %port = map { @$_ } @modes;
cmp_ok(scalar @modes, '>', 30, 'there are many lies');

# What may come of STORE, FETCH and BEAT, where it is not failure.
my %answers = (
    honest => { store => qr/^stored/, fetch => qr/^nothing/, beat => qr/^beats \d+$/ },
    # Which cluster it is, is told before.
    'other-cluster' => { store => qr/^stored/, fetch => qr/^nothing/, beat => qr/^beats \d+$/ },
    # No answer that was given before can be told from a true one, if it is one to such a request.
    replay => { fetch => qr/^nothing/ },
    'lost-compare' => { fetch => qr/^nothing/ },
    'no-answers' => { fetch => qr/^nothing/ },
    # What is no beat of a host is left out.
    'other-host' => { beat => qr/^beats \d+(?: \d+=x)?$/ },
    'wrong-base64' => { beat => qr/^beats \d+$/ },
    'wrong-key' => { beat => qr/^beats \d+$/ },
    'large-value' => { beat => qr/^beats \d+$/ },
    'other-place' => { beat => qr/^beats \d+(?: \d+=x)?$/, fetch => qr/^parcel \d+ 7 1 taken 0 KMS_E_\w+$/, store => qr/^failed/ },
);
my $failed = qr/^failed \d+ KMS_E_(?:TIMEOUT|NO_HOST|FORMAT|LIMIT|TOO_LARGE|FULL)$/;

sub drive ($n, @members) {
    return KMS::Engine::Drive->start(own => 1, tls => $tls, ini => $ini, log => "$dir/share$n.log",
        members => [ map { "127.0.0.1=127.0.0.1=$_" } @members ]);
}

sub memory ($pid) { return slurp("/proc/$pid/status") =~ /^VmHWM:\s+(\d+) kB/m ? $1 : die "no VmHWM\n" }

# Each alone.
my $most = 0;
my @left = @modes;
while (my @some = splice @left, 0, AT_ONCE) {
    my @drives = map { { mode => $_->[0], drive => drive($_->[0], $_->[1]) } } @some;
    for my $d (@drives) {
        $d->{began} = time;
        $d->{drive}->say($_) for 'batches 2', 'store 1', 'fetch 1 from 1', 'beat x';
    }
    for my $d (@drives) {
        my ($mode, $drive) = @$d{qw(mode drive)};
        my %got;
        my @links;
        for (1 .. 3) {
            my ($line, @before) = $drive->expect(qr/^(?:stored|taken|nothing|parcel|beats|failed|BROKEN|exit|signal)/, 30);
            push @links, grep { /^link/ } @before;
            my ($token) = $line =~ /^\w+ (\d+)/;
            $got{ (undef, 'store', 'fetch', 'beat')[ $token // 0 ] // 'other' } = $line;
        }
        cmp_ok(time - $d->{began}, '<', 25, "$mode: in time");
        for my $what (qw(store fetch beat)) {
            like($got{$what} // join(' ', %got), $answers{$mode}{$what} // $failed, "$mode: $what");
        }
        if ($mode eq 'other-cluster') {
            push @links, grep { /^link/ } $drive->quiet(1);
            ok((grep { $_ eq 'link KMS_OK 1' } @links) && (grep { $_ eq 'link KMS_OK 2' } @links), "$mode: both are told") or diag("@links");
        }
        is($drive->say('ping')->expect(qr/^(?:pong|exit|signal)/, 10), 'pong 7', "$mode: it serves");
        my $memory = memory($drive->pid);
        $most = $memory if $memory > $most;
        cmp_ok($memory, '<', MEMORY, "$mode: $memory kB of memory") if !$sanitized;
        is($drive->stop, 'exit 0', "$mode: it stops when asked");
    }
}
diag("the most memory: $most kB");

# Beside an honest one: it is asked first or second, and nothing fails. Those that hang cost their time.
@left = grep { $_->[0] !~ /^(?:honest|other-|replay|lost-compare|no-answers|wrong-|large-value|many-pairs)/ } @modes;
while (my @some = splice @left, 0, AT_ONCE) {
    my @drives = map { { mode => $_->[0], drive => drive("2$_->[0]", $_->[1], $port{honest}) } } @some;
    for my $d (@drives) {
        $d->{drive}->say($_) for 'batches 2', 'store 1', 'fetch 1 from 1', 'beat x';
    }
    for my $d (@drives) {
        my @got = map { scalar $d->{drive}->expect(qr/^(?:stored|taken|nothing|parcel|beats|failed|BROKEN|exit|signal)/, 30) =~ s/ .*//r } 1 .. 3;
        is(join(' ', sort @got), 'beats nothing stored', "$d->{mode} beside an honest member: all is answered");
        is($d->{drive}->stop, 'exit 0', "$d->{mode} beside an honest member: it stops");
    }
}

# What a stranger sent is no line of the log of its own.
unlike(slurp($_), qr/\x1b/, "no control characters in $_") for glob "$dir/share*error-text.log";
close $to;
done_testing;
