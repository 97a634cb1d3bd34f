#!/usr/bin/perl
# libkms for Windows under Wine: the unit tests and golden vectors; kmsclient.exe against a real kmsd: activation, renewal, discovery by
# DNS, an outage, a clock that was set back, many processes with one state file, kmsclient run; who may read the files; and the zip as a
# publisher has it, with products that are built from it alone. As root:
#
#   KMS_WINDOWS    what etc/windows/make made
#   KMS_WINE_ROOT  a Debian system with Wine in it (wine64, wine32:i386), which is entered with chroot; ./bootstrap windows makes it.
#                  Without it: this machine's own Wine
#   KMS_WINE_FOR   "x64 x86", or one of them
#   KMS_WINE_OPTIONAL  1: a Wine that does not start on this machine is no failure
use v5.36;
use Cwd 'abs_path';
use FindBin;
use File::Path qw(make_path remove_tree);
use lib "$FindBin::Bin/../lib";
use IO::Socket::INET;
use IPC::Open2 qw(open2);
use JSON::PP;
use KMS::Clock;
use KMS::Test;
use POSIX ();
use Test::More;

my $windows = abs_path($ENV{KMS_WINDOWS} // '') // '';
my $root = defined $ENV{KMS_WINE_ROOT} ? abs_path($ENV{KMS_WINE_ROOT}) // die "KMS_WINE_ROOT is no such folder\n" : '';
-d $windows or die "KMS_WINDOWS is no such folder: ./bootstrap windows sets it\n";
-d "$root/usr/lib/wine" or die "there is no Wine in $root/usr/lib/wine\n";
$> == 0 or die "a network of its own needs root\n";
# A network of its own: a name server at port 53 of this machine, and nobody else.
if (!$ENV{KMS_WINE_APART}) {
    $ENV{KMS_WINE_APART} = 1;
    $ENV{KMS_SRC} = abs_path($ENV{KMS_SRC} // '.');
    $ENV{KMS_BUILD} = abs_path($ENV{KMS_BUILD} // 'build');
    exec 'unshare', '--net', '--mount', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', $^X, $0;
}
my %host = (x64 => 'x86_64-w64-mingw32', x86 => 'i686-w64-mingw32');
my ($library) = grep { -e } "$BUILD/.libs/libclockahead.so", "$BUILD/libclockahead.so";
# The same folder, as Wine sees it and as this machine does.
my ($here, $work);
if ($root eq '') {
    $here = $work = workspace();
} else {
    $here = '/tmp/kms-wine';
    $work = "$root$here";
    remove_tree($work);
    make_path($work);
    for my $point (qw(proc dev sys)) {
        make_path("$root/$point");
        system('mount', '--rbind', "/$point", "$root/$point") == 0 or die "mount $point\n";
    }
    spew("$root/etc/resolv.conf", '') if !-e "$root/etc/resolv.conf";
}
spew("$work/resolv.conf", "nameserver 127.0.0.1\nsearch wine.example\n");
system('mount', '--bind', "$work/resolv.conf", "$root/etc/resolv.conf") == 0 or die "mount resolv.conf\n";
make_path("$work/home");

# A Windows program's command line, in a folder of ours; NAME=VALUE first, for its environment.
my $owner = $$;
sub wine_command ($folder, @command) {
    my @set;
    push @set, shift @command while @command && $command[0] =~ /^\w+=/;
    return ($root eq '' ? () : ('chroot', $root), 'env', '-i', 'PATH=/usr/bin:/bin', "HOME=$here/home", "WINEPREFIX=$here/prefix", 'WINEDEBUG=-all',
        'WINEDLLOVERRIDES=mscoree,mshtml=', 'LANG=C.UTF-8', @set, 'sh', '-c', 'cd "$1" && shift && exec "$@"', 'sh', "$here/$folder", @command);
}

# What a Windows program prints ends its lines as Windows does. An i686 program without wine32 prints nothing and returns 0: output counts.
sub wine ($folder, @command) {
    my $r = run([ wine_command($folder, @command) ]);
    s/\r\n/\n/g for $r->{out}, $r->{err};
    return $r;
}
# In the end: no server of Wine stays, and no mount.
END {
    if (defined $here && $$ == $owner) {
        my $status = $?;
        wine('', 'wineserver', '-k') if -e "$work/prefix";
        system('umount', "$root/etc/resolv.conf");
        if ($root ne '') {
            system('umount', '-R', "$root/$_") for qw(proc dev sys);
            remove_tree($work);
        }
        $? = $status;
    }
}
wine('', 'wineboot', '-i');
wine('', 'wineserver', '-w');
if (!-e "$work/prefix/system.reg" && $ENV{KMS_WINE_OPTIONAL}) {
    diag('*** NOT TESTED: libkms for Windows: Wine does not start on this machine');
    plan skip_all => 'Wine does not start on this machine';
}
ok(-e "$work/prefix/system.reg", 'Wine has its folder') or BAIL_OUT('Wine does not start');

# -- which unit tests of libkms are here, and why the others are not --

my %not_here = (
    base => 'directories by their descriptor, which Windows has not; test_os has what libkms does to files',
    fast_sha256 => 'nettle, for those who hash much: kmsd and kmsctl',
    machine => "machines made of Linux' files; test_os asks this machine",
    minisig => 'asks minisign itself; the golden vectors have its files',
    vectors => 'make_vectors writes them here, and this test compares them',
);
{
    my ($named) = slurp("$SRC/etc/windows/Makefile") =~ /^TESTS := ((?:.*\\\n)*.*)/m;
    my %built = map { $_ => 1 } grep { $_ ne '\\' && $_ ne 'windows' } split ' ', $named;
    my @of_libkms;
    for my $path (glob "$SRC/t/unit/test_*.c") {
        my $text = slurp($path);
        # Of libkms alone: kmsd, kmsctl, the ledger and the policy engine are not for Windows.
        next if $text !~ m{^#include "libkms/|^#include "t/vectors}m || $text =~ m{^#include "(?:policy|kmsdb|kmsd|kmsctl|t/unit/(?!core_test))}m;
        push @of_libkms, $path =~ m{test_(\w+)\.c$};
    }
    cmp_ok(scalar @of_libkms, '>', 25, 'libkms has unit tests');
    is_deeply([ sort keys %built, keys %not_here ], [ sort @of_libkms ], 'each is built for Windows, or it is known why not');
    diag("not for Windows: test_$_: $not_here{$_}") for sort keys %not_here;
}

# -- the appliance, for all --

my $guide = slurp("$SRC/doc/publisher-guide.md");
my ($guide_product) = $guide =~ /^    \[product ([0-9a-f-]{36})\]$/m;
my @products = (
    { name => 'Wine Writer', id => '11111111-1111-4111-8111-111111111111', threshold => 1, group => 'server', pool => 'desktops' },
    { name => 'Example Editor', id => $guide_product, threshold => 1, group => 'server', pool => 'desktops' },
);
my $publisher = publisher(products => \@products);
my $appliance = start_appliance(publisher => $publisher);
$appliance->enable;
my $port = $appliance->port;
# The SRV record comes with its target's address: Wine 8 calls an answer without it a bad packet.
my $dns = spawn([ 'dnsmasq', '--keep-in-foreground', '--no-resolv', '--no-hosts', '--conf-file=/dev/null', '--port=53', '--listen-address=127.0.0.1', '--bind-interfaces',
    '--user=root', "--pid-file=$work/dnsmasq.pid", "--srv-host=_kms._tcp.wine.example,kms.wine.example,$port,10,5", '--host-record=kms.wine.example,127.0.0.1' ],
    log => "$work/dnsmasq.log");
wait_for(10, sub { -s "$work/dnsmasq.pid" }, 'dnsmasq runs');

for my $system (split ' ', $ENV{KMS_WINE_FOR} // 'x64 x86') {
    make_path("$work/$system/doc");
    system('cp', '-r', glob("$windows/$system/*.exe"), "$windows/$system/libkms-1.dll", "$work/$system") == 0 or die "cp\n";
    system('cp', "$SRC/doc/kms-protocol.7", "$work/$system/doc/") == 0 or die "cp\n"; # test_error reads it
    subtest "$system: unit tests" => sub { units($system) };
    subtest "$system: kmsclient.exe" => sub { client($system) };
    subtest "$system: files" => sub { files($system) };
    subtest "$system: the zip" => sub { zip($system) };
}
end_process($dns);
$appliance->stop;
done_testing;

sub units ($system) {
    for my $path (sort glob "$work/$system/test_*.exe") {
        my ($name) = $path =~ m{([^/]+)$};
        my $r = wine($system, 'wine', $name);
        my ($planned) = $r->{out} =~ /^1\.\.(\d+)$/m;
        my $passed = () = $r->{out} =~ /^ok \d/mg;
        my @skipped = $r->{out} =~ /^(?:not )?ok \d+ # SKIP (\w+)/mg; # cmocka says "not ok" of these too
        ok($planned && $passed && $passed + @skipped == $planned && $r->{exit} == 0, "$name: all of its " . ($planned // 'no') . ' tests') or diag("$r->{out}$r->{err}");
        diag("NOT TESTED on Windows: $name: $_") for @skipped;
    }
    my ($same, $all) = (0, 0);
    for my $path (glob "$SRC/t/vectors/*.txt") {
        my ($name) = $path =~ m{([^/]+)\.txt$};
        my $r = wine($system, 'wine', 'make_vectors.exe', $name);
        $all++;
        $same++ if $r->{out} eq slurp($path);
    }
    ok($all > 10 && $same == $all, "golden vectors: $same of $all are the same bytes");
}

# kmsclient.exe of one state file: what its JSON says, with exit, out and said.
sub kmsclient ($system, $set, @args) {
    my $r = wine($system, @$set, 'wine', 'kmsclient.exe', '--json', @args);
    my $json = eval { decode_json($r->{out}) } // {};
    return { %$json, exit => $r->{exit}, said => $r->{err}, out => $r->{out} };
}

sub client ($system) {
    my $state = "st\xc3\xa4te-$system";
    my @product = ('-k', $publisher->{key}, '-p', $products[0]{id}, '-N', "wine-$system");
    my @who = (@product, '-s', $state);
    my $client = sub ($verb, @args) { kmsclient($system, [], @who, @args, ref $verb ? @$verb : $verb) };
    my @at = ('-H', "127.0.0.1:$port");
    my $linux = sub ($verb, @args) { run([ program('kmsclient'), '--json', @product, '-s', "$work/$system/$state", @args, $verb ]) };

    my $r = $client->('verify');
    is($r->{exit}, 4, 'no lease: verify ends with 4') or diag("$r->{out}$r->{said}");
    $r = $client->('status');
    is("$r->{exit} $r->{licence}", '0 grace', 'a new client is in grace') or diag("$r->{out}$r->{said}");
    like($r->{client}, qr/^[0-9a-f]{32}$/, 'and has an id');
    my $id = $r->{client};
    ok(-e "$work/$system/$state" && -e "$work/$system/$state.key", 'its two files have the name that UTF-8 says');
    is(kmsclient($system, [], @who, '--vm', 'perhaps', 'status')->{exit}, 1, 'a wrong option ends with 1');
    $r = $client->('activate', @at);
    is("$r->{exit} $r->{licence}", '0 activated', 'first activation') or diag("$r->{out}$r->{said}");
    is($r->{client}, $id, 'of the same client');
    $r = $client->('renew', @at);
    is("$r->{exit} $r->{licence}", '0 activated', 'renewal') or diag("$r->{out}$r->{said}");
    $r = wine($system, 'wine', 'kmsclient.exe', @who, 'verify');
    like($r->{out}, qr/^status: KMS_OK$/m, 'the output for people') or diag("$r->{out}$r->{err}");
    like(run([ wine_command($system, 'wine', 'kmsclient.exe', @who, 'verify') ])->{out}, qr/\A(?:[^\r\n]+\r\n)+\z/, 'has lines as Windows ends them');

    # Linux reads what Windows wrote, and the other way about.
    my $there = $linux->('verify');
    is($there->{exit}, 0, 'the state file is the same on Linux: verified') or diag("$there->{out}$there->{err}");
    $there = $linux->('renew', @at);
    is($there->{exit}, 0, 'and renewed there') or diag("$there->{out}$there->{err}");
    $r = $client->('renew', @at);
    is("$r->{exit} $r->{licence} $r->{client}", "0 activated $id", 'and then here again') or diag("$r->{out}$r->{said}");
    $r = $client->([ 'export-lease', "lease-\xc3\xa4-$system" ]);
    $there = run([ program('kmsclient'), '--json', '-k', $publisher->{key}, 'verify-lease', "$work/$system/lease-\xc3\xa4-$system" ]);
    is("$r->{exit} $there->{exit}", '0 0', 'a lease that was exported here verifies there') or diag("$r->{out}$r->{said}$there->{out}$there->{err}");

    $r = $client->('discover');
    like($r->{out}, qr/kms\.wine\.example.*\b$port\b/s, 'DNS: the SRV record in the search domain') or diag("$r->{out}$r->{said}");
    $r = $client->('renew');
    is($r->{exit}, 0, 'and a renewal at the host that it names') or diag("$r->{out}$r->{said}");
    $r = $client->('renew', '-d', 'wine.example', '-n', '127.0.0.1');
    is($r->{exit}, 0, 'a domain and a name server that are named') or diag("$r->{out}$r->{said}");
    $r = kmsclient($system, [ 'KMS_DOMAIN=wine.example' ], @who, '-n', '127.0.0.1', 'renew');
    is($r->{exit}, 0, 'KMS_DOMAIN in the environment') or diag("$r->{out}$r->{said}");
    $r = kmsclient($system, [ "KMS_HOST=127.0.0.1:$port", 'KMS_DOMAIN=other.example' ], @who, 'renew');
    is($r->{exit}, 0, 'KMS_HOST, which comes first') or diag("$r->{out}$r->{said}");
    $r = $client->('discover', '-d', 'other.example');
    is($r->{exit}, 3, 'no SRV record: no host, and 3') or diag("$r->{out}$r->{said}");
    $r = $client->('renew', '-d', 'wine.example', '-n', '127.0.0.1:5353');
    like($r->{out} . $r->{said}, qr/IPv4 address: Windows asks name servers at port 53/, 'a name server with a port is refused in words');

    my $dead = IO::Socket::INET->new(Proto => 'tcp', LocalAddr => '127.0.0.1', LocalPort => 0) or die;
    $r = $client->('renew', '-H', '127.0.0.1:' . $dead->sockport);
    is("$r->{exit} $r->{status} $r->{licence}", '3 KMS_E_NO_HOST activated', 'an outage: no host, and the lease stays valid') or diag("$r->{out}$r->{said}");
    like($r->{detail} // '', qr/Connection refused/, 'the detail says why');

    # Somebody asks a host with this state file: others may look, and may not ask.
    my $held = open2(my $out, my $in, wine_command($system, 'wine', 'hold.exe', "$state.lock"));
    is(scalar(readline $out) =~ s/\r?\n//r, 'locked', 'another process has the lock');
    $r = $client->('renew', @at);
    is("$r->{exit} $r->{status}", '6 KMS_E_EXISTS', 'a request ends with 6 meanwhile') or diag("$r->{out}$r->{said}");
    $r = $client->('status');
    is("$r->{exit} $r->{licence}", '0 activated', 'and a status answers') or diag("$r->{out}$r->{said}");
    close $in;
    waitpid $held, 0;
    $r = $client->('renew', @at);
    is($r->{exit}, 0, 'a process that ended gives the lock back') or diag("$r->{out}$r->{said}");

    # A clock that was set back: somebody saw a time that is a hundred days ahead.
    KMS::Clock::write_ahead("$work/ahead", 100 * 86400);
    run([ 'env', "LD_PRELOAD=$library", "KMS_CLOCK_AHEAD=$work/ahead", program('kmsclient'), '--json', @product, '-s', "$work/$system/$state", 'status' ]);
    $r = $client->('status');
    is("$r->{exit} $r->{licence}", '4 clock moved back', 'a clock behind the latest time seen') or diag("$r->{out}$r->{said}");

    # Many processes with one state file: one client.
    my @children = map {
        my $n = $_;
        my $pid = fork // die;
        if ($pid == 0) {
            my $one = wine($system, 'wine', 'kmsclient.exe', '--json', @product, '-s', "many", 'status');
            spew("$work/$system/many.out.$n", $one->{out});
            POSIX::_exit(0);
        }
        $pid;
    } 1 .. 6;
    waitpid $_, 0 for @children;
    my %ids = map { (eval { decode_json(slurp("$work/$system/many.out.$_"))->{client} } // 'none') => 1 } 1 .. 6;
    is(scalar(keys %ids), 1, 'six processes that begin at once have one client') or diag(join ' ', keys %ids);
    like((keys %ids)[0], qr/^[0-9a-f]{32}$/, 'which is one');

    $r = wine($system, 'wine', 'kmsclient.exe', @product, @at, 'run', '--', 'cmd', '/c', 'echo has a seat& exit 7');
    like("$r->{exit} $r->{out}", qr/^7 has a seat/, 'kmsclient run: the command runs, and its exit code is ours') or diag("$r->{out}$r->{err}");
    is($r->{err}, '', 'and nothing else is said') or diag($r->{err});
    $r = wine($system, 'wine', 'kmsclient.exe', @product, @at, 'run', '--', 'no-such-command');
    is($r->{exit}, 127, 'kmsclient run: no such command') or diag("$r->{out}$r->{err}");
    $r = wine($system, 'wine', 'kmsclient.exe', @product, '-H', '127.0.0.1:' . $dead->sockport, 'run', '--', 'cmd', '/c', 'echo ran');
    is("$r->{exit} $r->{out}", '124 ', 'kmsclient run: no seat, and the command does not run') or diag("$r->{out}$r->{err}");
    $r = wine($system, 'wine', 'kmsclient.exe', '--json', @product, '-s', 'no\\folder\\state', 'status');
    is($r->{exit}, 4, 'a folder that is not there') or diag("$r->{out}$r->{err}");
}

# Who may read them. Wine makes a mode of Linux of an access list: administrators are the group of these processes, everybody is the others.
sub files ($system) {
    my @who = ('-k', $publisher->{key}, '-p', $products[0]{id}, '-N', "files-$system", '-s', 'shared\\kms.state', '-H', "127.0.0.1:$port");
    make_path("$work/$system/shared");
    chmod 0755, $work, "$work/$system", "$work/$system/shared";
    my $r = kmsclient($system, [], @who, 'activate');
    is($r->{exit}, 0, 'activated, with a path as Windows has it') or diag("$r->{out}$r->{said}");
    my %mode = map { s{.*/kms\.state}{FILE}r => sprintf('%o', (stat $_)[2] & 06) } glob "$work/$system/shared/*";
    is_deeply(\%mode, { 'FILE' => '4', 'FILE.key' => '0', 'FILE.lock' => '0' }, 'three files: others may read the state, and neither its key nor its lock');
    my %reads = map { my $f = $_; ($f => run([ 'setpriv', '--reuid', 'nobody', '--regid', 'nogroup', '--clear-groups', 'cat', "$work/$system/shared/kms.state$f" ])->{exit}) } '', '.key';
    is("$reads{''} " . ($reads{'.key'} != 0 ? 'refused' : 'read'), '0 refused', 'another user reads the state, and not the key');
    # The same again over files that are there: a new list with each new file.
    chmod 0666, "$work/$system/shared/kms.state", "$work/$system/shared/kms.state.key";
    $r = kmsclient($system, [], @who, 'renew');
    is($r->{exit}, 0, 'renewed') or diag("$r->{out}$r->{said}");
    %mode = map { s{.*/kms\.state}{FILE}r => sprintf('%o', (stat $_)[2] & 06) } glob "$work/$system/shared/*";
    is_deeply(\%mode, { 'FILE' => '4', 'FILE.key' => '0', 'FILE.lock' => '0' }, 'and the files have their lists again');
}

# The zip, unpacked by somebody who has nothing else of ours.
sub zip ($system) {
    my ($zip) = glob "$windows/kms-*-windows.zip";
    my ($name) = $zip =~ m{([^/]+)\.zip$};
    my $place = workspace();
    my $r = run([ 'python3', '-m', 'zipfile', '-e', $zip, $place ]);
    is($r->{exit}, 0, 'the zip is whole') or diag($r->{err});
    my $kit = "$place/$name";
    my @have = sort map { s{^\Q$kit\E/}{}r } grep { -f } glob "$kit/{,*/}*";
    my @both = qw(README.txt examples/product.c include/kms.h include/kms_error.h licences/jansson.txt licences/kms.txt licences/libsodium.txt);
    my %systems = map { m{^(x\d\d)/} ? ($1 => 1) : () } @have;
    is_deeply(\@have, [ sort @both, map { my $s = $_; map { "$s/$_" } qw(kmsclient.exe libkms-1.dll libkms.def libkms.dll.a) } keys %systems ], 'it has what README.txt says');
    ok($systems{$system}, "and $system is in it");
    for my $file (qw(kms.h kms_error.h)) {
        is(slurp("$kit/include/$file"), slurp("$SRC/libkms/$file"), "$file is unchanged");
    }
    like(slurp("$kit/licences/libsodium.txt"), qr/Frank Denis/, "libsodium's licence");
    is(slurp("$kit/licences/kms.txt"), slurp("$SRC/LICENSE"), 'and ours');

    # The library: what kms.map exports, and nothing that Windows does not have.
    my $objdump = "$host{$system}-objdump";
    my $dump = run([ $objdump, '-p', "$kit/$system/libkms-1.dll" ])->{out};
    my ($exports) = $dump =~ /^\[Ordinal\/Name Pointer\] Table.*?\n(.*?)\n\n/ms;
    my @exports = sort map { /(\w+)\s*$/ ? $1 : () } split /\n/, $exports // '';
    my @mapped = slurp("$SRC/libkms/kms.map") =~ /\b(kms_\w+);/g;
    is_deeply(\@exports, [ sort @mapped ], 'libkms-1.dll exports the functions of kms.map');
    for my $file (qw(libkms-1.dll kmsclient.exe)) {
        my @needs = sort map { lc } run([ $objdump, '-p', "$kit/$system/$file" ])->{out} =~ /DLL Name: (\S+)/g;
        my @strange = grep { !/^(?:advapi32|dnsapi|iphlpapi|kernel32|msvcrt|shell32|user32|ws2_32)\.dll$/ && !($file eq 'kmsclient.exe' && $_ eq 'libkms-1.dll') } @needs;
        is("@strange", '', "$file needs no library but Windows' own") or diag("@needs");
        like($dump, qr/DYNAMIC_BASE/, "$file may be anywhere in memory");
        like($dump, qr/NX_COMPAT/, 'and its data are no code');
    }

    # Products, as README.txt says that they are built.
    my ($how) = slurp("$kit/README.txt") =~ /^\s+(x86_64-w64-mingw32-gcc .*?libkms\.dll\.a)$/m;
    ok($how, 'README.txt says how a product is built');
    $how =~ s/x86_64-w64-mingw32/$host{$system}/;
    $how =~ s/\bx64\b/$system/;
    my ($editor) = $guide =~ /^    cat > editor\.c <<END\n(.*?)^    END$/ms;
    spew("$kit/examples/editor.c", $editor =~ s/^    //gmr);
    system('cp', "$SRC/t/windows/loop.c", "$kit/examples/") == 0 or die "cp\n";
    my $at = "zip-$system";
    make_path("$work/$at");
    system('cp', "$kit/$system/libkms-1.dll", "$work/$at/") == 0 or die "cp\n";
    for my $product (qw(product editor loop)) {
        my $build = $how =~ s{\bproduct\.exe}{$work/$at/$product.exe}r =~ s{examples/product\.c}{examples/$product.c}r;
        $build =~ s/-gcc /-gcc -std=c11 -pedantic -Wall -Wextra -Werror -DPUBLISHER_KEY='"$publisher->{key}"' -DPRODUCT='"$products[0]{id}"' /;
        $build .= ' -lws2_32' if $product eq 'loop'; # it calls Winsock itself
        $r = run([ 'sh', '-c', "cd '$kit' && $build" ]);
        is($r->{exit}, 0, "$product.c is built from the zip") or diag("$r->{out}$r->{err}");
    }
    like(run([ $objdump, '-p', "$work/$at/editor.exe" ])->{out}, qr/DLL Name: libkms-1\.dll/, 'and has the library beside it');
    $r = wine($at, 'wine', 'product.exe', 'product.state', "127.0.0.1:$port");
    like("$r->{exit} $r->{out}", qr/^0 Example Product: this product is licensed\. Nothing to do\.\nLicensed to /, 'the example is activated') or diag("$r->{out}$r->{err}");
    $r = wine($at, 'wine', 'editor.exe', 'C:\\editor.state', "127.0.0.1:$port");
    like("$r->{exit} $r->{out}", qr/^0 activated: \d+ of 1 machines counted\nExample Editor: this product is licensed/, "the guide's editor, too") or diag("$r->{out}$r->{err}");
    for my $way (qw(WSAPoll select WSAEventSelect)) {
        $r = wine($at, 'wine', 'loop.exe', $publisher->{key}, $products[0]{id}, "loop-$way.state", "127.0.0.1:$port", $way);
        like("$r->{exit} $r->{out}", qr/^0 KMS_OK, woken, 0 late: /, "a loop of its own, with $way") or diag("$r->{out}$r->{err}");
    }
}
