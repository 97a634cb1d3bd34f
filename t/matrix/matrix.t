#!/usr/bin/perl
# The matrix of formats: old and new, and which reader reads which writer (matrix.txt). Each refusal leaves every file as it was.
use v5.36;
use File::Copy qw(copy);
use Digest::SHA qw(sha256_hex);
use File::Find qw(find);
use FindBin;
use IPC::Open2 qw(open2);
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use Test::More;

my $PRODUCT = '22222222-2222-4222-8222-222222222222';
my $old = "$SRC/t/matrix/old";
my $dir = workspace();
my @next = ('/usr/bin/python3', "$SRC/t/matrix/next.py");

my $made = run([ @next, 'files', "$dir/next", $PRODUCT ]);
is($made->{exit}, 0, 'the next version writes its files') or diag($made->{err});
chomp(my $line = $made->{out});
my ($old_line) = slurp("$old/publisher.pub") =~ /^(RW\S+)$/m;
my $publisher = publisher(dir => "$dir/publisher",
    products => [ { name => 'Later', id => $PRODUCT, threshold => 1, group => 'server', pool => 'servers' } ]);
my $host = start_appliance(publisher => $publisher);
$host->enable;
# Another one, whose pool floats and lends.
my $floating = start_appliance(publisher => publisher(dir => "$dir/floating", products => [ { id => $PRODUCT } ], ini => floating_pack($PRODUCT)))->enable(group => 'all');

# A file or directory as it is now, in one number. Locks are no part of it, nor the index, which can be made again.
sub digest ($path) {
    my @all;
    find({ no_chdir => 1, wanted => sub { push @all, "$_ " . sha256_hex(slurp($_)) if -f && !m{/(?:lock(?:\.check|\.mdb)?|index/[^/]*)$} } }, $path);
    return sha256_hex(join "\n", sort @all);
}

# The file of a cell, copied: what a reader is given is compared afterwards.
my %old_file = (certificate => 'cert', revocations => 'revoked', rotation => 'rotate', state => 'state1', journal => 'journal',
    'host.key' => 'journal', register => 'register');
my %prefix = ('lease-entry' => 'lease-entry', entry => 'journal-entry', 'audit-entry' => 'audit-entry', 'host.key' => 'journal',
    certificate => 'lease-cert');
my $copies = 0;
sub copy_of ($artefact, $change) {
    my $from = $change eq 'old' ? "$old/" . ($old_file{$artefact} // $artefact) : "$dir/next/" . ($prefix{$artefact} // $artefact) . "-$change";
    my $to = "$dir/cell" . ++$copies;
    mkdir $to;
    system('cp', '-r', $from, "$to/it") == 0 or die "cp $from";
    for my $beside (qw(.minisig .key)) {
        system('cp', "$from$beside", "$to/it$beside") if -e "$from$beside";
    }
    # A host's key of then would be refused before the journal.
    copy("$dir/next/journal-same/keys/host.key", "$to/it/keys/host.key") or die $! if $artefact eq 'journal' && $change eq 'old';
    system('chmod', '-R', 'go-rwx', "$to/it");
    return "$to/it";
}

sub key_of ($change) { return $change eq 'old' ? $old_line : $line }

my %reader = (
    host => sub ($artefact, $change) {
        return run([ @next, 'ask', $host->port, $publisher->{key}, $PRODUCT, "$artefact-" . ($change eq 'old' ? 'version-1' : $change) ]);
    },
    floating => sub ($artefact, $change) {
        return run([ @next, 'ask', $floating->port, $floating->{publisher}{key}, $PRODUCT, "$artefact-$change" ]);
    },
    # A client without state, and one that borrows, at a host that knows neither.
    map({ my ($name, @command) = @$_; ("libkms-$name" => sub ($artefact, $change) {
        my $pid = open2(my $from, my $to, @next, 'serve', $change, $PRODUCT);
        chomp(my $port = <$from>);
        my @state = $name eq 'run' ? () : ('-s', "$dir/client" . ++$copies);
        my $r = run([ program('kmsclient'), '-k', $line, '-p', $PRODUCT, @state, '-H', "127.0.0.1:$port", @command ]);
        close $to;
        waitpid $pid, 0;
        return $r;
    }) } [ 'run', 'run', '--', 'true' ], [ 'borrow', 'borrow', '1d' ], [ 'plain', 'activate' ]),
    libkms => sub ($artefact, $change) {
        my %name = (certificate => 'cert', 'lease-entry' => 'entry');
        my $pid = open2(my $from, my $to, @next, 'serve', ($name{$artefact} // $artefact) . "-$change", $PRODUCT);
        chomp(my $port = <$from>);
        my $state = "$dir/client" . ++$copies;
        my $r = run([ program('kmsclient'), '-k', $line, '-p', $PRODUCT, '-s', $state, '-H', "127.0.0.1:$port", 'activate' ]);
        # What does not verify is not kept.
        my $verify = run([ program('kmsclient'), '-k', $line, '-p', $PRODUCT, '-s', $state, 'verify' ]);
        is($verify->{exit}, $r->{exit} == 0 ? 0 : 4, "$artefact $change libkms: a lease is " . ($r->{exit} ? 'not kept' : 'kept'));
        close $to;
        waitpid $pid, 0;
        return $r;
    },
    'verify-lease' => sub ($artefact, $change, $file) { return run([ program('kmsclient'), 'verify-lease', '-k', key_of($change), $file ]) },
    'verify-evidence' => sub ($artefact, $change, $file) { return run([ program('kmsclient'), 'verify-evidence', '-k', $line, $file ]) },
    independent => sub ($artefact, $change, $file) {
        return run([ '/usr/bin/python3', "$SRC/t/independent/kms_client.py", '--publisher', $line,
            $artefact eq 'evidence' ? 'verify-evidence' : 'verify-lease-file', $file ]);
    },
    'kmsissue-audit' => sub ($artefact, $change, $file) { return run([ program('kmsissue'), 'audit', 'verify', '-P', key_of($change), $file ]) },
    'kmsissue-show' => sub ($artefact, $change, $file) { return run([ program('kmsissue'), 'show', '-P', key_of($change), $file ]) },
    'kmsissue-ledger' => sub ($artefact, $change, $file) { return run([ program('kmsissue'), 'ledger', '-d', $file ]) },
    status => sub ($artefact, $change, $file) {
        my $r = run([ program('kmsclient'), '-k', $line, '-p', $PRODUCT, '-s', $file, 'status' ]);
        $r->{exit} = 0 if $r->{out} =~ /^licence: grace/m;
        return $r;
    },
    activate => sub ($artefact, $change, $file) {
        return run([ program('kmsclient'), '-k', $line, '-p', $PRODUCT, '-s', $file, '-H', '127.0.0.1:1', 'activate' ]);
    },
    kmsd => sub ($artefact, $change, $file) { return ended($file, $artefact eq 'host.key') },
    check => sub ($artefact, $change, $file) {
        # The index of a journal that is read is made first.
        kmsctl($file, 'ledger', 'rebuild') if $change =~ /^(?:same|plain|counters|counters-plain)$/;
        return kmsctl($file, 'ledger', 'check');
    },
    rebuild => sub ($artefact, $change, $file) { return kmsctl($file, 'ledger', 'rebuild') },
);

sub ini ($state) {
    my $users = $> == 0 ? "activate_user = nobody\nfront_user = daemon\n" : '';
    spew("$state.ini", "[kms]\nstate_directory = $state\nruntime_directory = $state.run\nlibexec_directory = $host->{dir}/libexec\n$users"
        . "[listen]\naddress = 127.0.0.1\nport = 0\nfronts = 1\n[ledger]\nsegment_size = 1M\nmap_size = 16M\n");
    system('chown', '-R', 'nobody', $state) == 0 or die 'chown' if $> == 0;
    return "$state.ini";
}
sub kmsctl ($state, @args) { return run([ program('kmsctl/kmsctl'), '-c', ini($state), @args ]) }

# kmsd over that directory; it must end by itself, and say why.
sub ended ($state, $without_journal) {
    system('rm', '-rf', "$state/kmsdb") if $without_journal;
    my $log = "$state.log";
    my $pid = spawn([ program('kmsd/supervisor/kmsd'), '-f', ini($state) ], log => $log);
    my $said = wait_for(60, sub { -e $log && slurp($log) =~ /(activate-failed|child-failed|start-failed|KMS_E_SCHEMA|another version)/ }, 'kmsd to refuse');
    kill 'TERM', $pid;
    waitpid $pid, 0;
    my $text = slurp($log);
    $text .= ' KMS_E_SCHEMA' if $text =~ /written by another version/;
    return { exit => 1, out => $text, err => '' };
}

my (%seen, %files);
for (split /\n/, slurp("$SRC/t/matrix/matrix.txt")) {
    next if /^#/ || /^\s*$/;
    my ($artefact, $change, $reader, $status, $words) = split ' ', $_, 5;
    my $name = "$artefact $change $reader";
    ok(!$seen{$name}++, "$name: one line") or next;
    my $needs = !grep { $reader eq $_ } qw(host floating libkms libkms-run libkms-borrow libkms-plain);
    my $file = $needs ? copy_of($artefact, $change) : undef;
    system('rm', '-r', "$file/kmsdb") if $file && $artefact eq 'host.key' && -d "$file/kmsdb";
    my ($before) = $host->kmsctl_json('status') if $reader eq 'host';
    my $digest = $file && digest($file);
    my $r = $reader{$reader}->($artefact, $change, $file // ());
    my $said = "$r->{out}$r->{err}";
    if ($status eq 'KMS_OK') {
        is($r->{exit}, 0, "$name: is read") or diag($said);
    } else {
        like($said, qr/\b\Q$status\E\b/, "$name: $status");
    }
    like($said, qr/$words/s, "$name: $words") if defined $words;
    is(digest($file), $digest, "$name: the files are as they were") if $file && $status ne 'KMS_OK';
    # What the pool refuses is on record; what nobody knows is not.
    if ($reader eq 'host' && $status !~ /^KMS_(?:OK|E_BORROW)$/) {
        my ($after) = $host->kmsctl_json('status');
        is($after->{ledger}{last_batch}, $before->{ledger}{last_batch}, "$name: nothing was recorded");
    }
}

# Each row of the rules has its line.
my %rows;
$rows{ (split)[0] } = 1 for keys %seen;
ok($rows{$_}, "$_ is in the matrix")
    for qw(frame hello hello-reply request reply statement certificate lease-entry lease evidence journal entry audit audit-entry pack hostkey
    revocations rotation state host.key register);
is(($floating->kmsctl_json('status'))[0]{pools}[0]{counted}, 3, 'the floating pool counted whom it served');
is($_->stop, 0, 'the host ends well') for $host, $floating;
done_testing;
