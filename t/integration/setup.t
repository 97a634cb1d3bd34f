#!/usr/bin/perl
# kmsctl setup: from a folder with what a publisher sent to a confirmed host, in three commands and without an editor. What it writes, what it
# leaves as it was, what it says to each wrong file; and that it may be repeated.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Fcntl qw(:flock);
use File::Copy qw(copy);
use File::Path qw(make_path remove_tree);
use KMS::Guide;
use KMS::Test;
use POSIX ();
use Test::More;

plan skip_all => 'only root can mount: run as root' if $> != 0;

# A machine of its own, which systemd runs as far as kmsctl can see: nothing here may reach the one that runs the test.
if (!$ENV{KMS_SETUP_APART}) {
    $ENV{KMS_SETUP_APART} = 1;
    my $etc = workspace();
    run([ 'cp', '-a', map({ -e "/etc/$_" ? "/etc/$_" : () } qw(passwd group shadow gshadow nsswitch.conf login.defs hosts)), "$etc/" ]);
    exec 'unshare', '--mount', '--net', 'sh', '-c',
        'ip link set lo up && mount --bind "$0" /etc && mount -t tmpfs none /run && mkdir -p /run/systemd/system && exec "$@"', $etc, $^X, $0
        or die "unshare: $!";
}

my $g = KMS::Guide->new;
my ($dir, $work) = ($g->dir, $g->work);
my $p = publisher(name => 'Acme Publishing, Ltd.');
my $product = $p->{products}[0]{id};
my $about = "; what this host is\n[listen]\naddress = 127.0.0.1\nport = 0   ; any\n\n; the end";
$g->write_ini($about);
chmod 0640, $g->ini;
chown 0, 65534, $g->ini;
my $was = slurp($g->ini);
chdir $work or die "$work: $!";

sub setup (@args) { return run([ 'kmsctl', 'setup', @args ]) }
sub signed_copy ($from, $to) {
    copy($from, $to) && copy("$from.minisig", "$to.minisig") or die "$from: $!";
    return $to;
}
# Every file below with its content: what must not change.
sub picture () { return run([ 'sh', '-c', 'cd "$0" && find etc work -type f -exec sha256sum {} + | sort', $dir ])->{out} }
sub entries () { return json_of(run([ 'kmsctl', '--json', 'status' ]))->{ledger}{last_batch} }
sub client ($n) {
    return run([ program('kmsclient'), '--publisher-key', $p->{key}, '--product', $product, '--state', "$dir/client-$n",
        '--host', '127.0.0.1:' . (slurp("$dir/run/port") =~ s/\s//gr), '--name', "pc-$n", 'activate' ])->{exit};
}

# What the publisher sent.
mkdir "$work/sent";
copy("$p->{dir}/publisher.pub", "$work/sent/acme.pub");
my $pack = signed_copy($p->{pack}, "$work/sent/example.kmspolicy");
my $key = issue_key($p, output => "$work/sent/hospital");
spew("$work/sent/README.txt", "Thank you for buying Acme.\n");

subtest 'nothing is done without a yes' => sub {
    my $before = picture();
    my $r = setup('sent');
    is($r->{exit}, 2, 'no terminal and no --yes: exit 2');
    like($r->{out}, qr{sent/acme\.pub: a publisher's public key, Acme Publishing, Ltd\., id [0-9a-f]{16}: new}, 'the key is recognised');
    like($r->{out}, qr{sent/example\.kmspolicy: policy pack, example 1\.0: new}, 'the pack too');
    like($r->{out}, qr{sent/hospital\.kmskey: host key for Example Customer, group server: new}, 'and the host key');
    like($r->{out}, qr{sent/README\.txt: not used: a text that kmsd does not use}, 'another file is not taken');
    like($r->{out}, qr{will say:\n  \[publisher acme-publishing-ltd\]\n  key = \Q$p->{key}\E\n  policy = \Q$dir\E/etc/kms/acme-publishing-ltd\.kmspolicy\n},
        'what would be written');
    like($r->{out}, qr/Compare this key with the key that the publisher publishes/, 'the administrator decides which key to trust');
    like($r->{out}, qr/service: kmsd\.service: not running\. Would be started/, 'the plan');
    like($r->{err}, qr/nothing was changed: to do all this, add --yes/, 'and what to type');
    is(picture(), $before, 'nothing was changed');
    # At a terminal it asks.
    my $no = run([ 'script', '-qec', 'kmsctl setup sent', '/dev/null' ], in => "no\n");
    like($no->{out}, qr/Type yes to do all this: .*nothing was changed/s, 'a terminal is asked');
    isnt($no->{exit}, 0, 'and may say no');
    is(picture(), $before, 'nothing was changed');
};

subtest 'the first command' => sub {
    my $r = setup('--yes', 'sent');
    is($r->{exit}, 0, 'setup --yes') or diag("$r->{out}$r->{err}" . $g->log);
    my $files = "$dir/etc/kms/acme-publishing-ltd";
    is(slurp($g->ini), "$was\n\n[publisher acme-publishing-ltd]\nkey = $p->{key}\npolicy = $files.kmspolicy\nhost_key = $files.kmskey\n",
        'kms.ini has a new section, and every other line as before');
    is(join(' ', (stat $g->ini)[ 2, 4, 5 ]), join(' ', 0100640, 0, 65534), 'its mode and owner too');
    is(slurp("$files.kmspolicy"), slurp($pack), 'the pack lies beside it');
    is(slurp("$files.kmskey.minisig"), slurp("$key.minisig"), 'so does the key, with its signature');
    like($r->{out}, qr/service: kmsd\.service: not running\. Done: started/, 'kmsd was started');
    like($r->{out}, qr/Installed: .*example 1\.0.*Installed: .*host key for Example Customer/s, 'what was installed');
    like($r->{out}, qr/^Request:\s+acme-publishing-ltd\.kmsreq\nInstallation id:\s+\d{7}(?:-\d{7}){8}$/m, 'the request');
    like($r->{out}, qr/Next: send acme-publishing-ltd\.kmsreq to the publisher.*kmsctl setup FILE\.kmscert/s, 'and what to do with it');
    is(run([ program('kmsissue'), 'show', "$work/acme-publishing-ltd.kmsreq" ])->{exit}, 0, 'the publisher can read it');
    is(join(' ', glob "$dir/etc/kms/*.new"), '', 'nothing half written is left');
};

subtest 'repeated' => sub {
    my ($before, $batch) = (picture(), entries());
    for my $args ([ 'sent' ], [ '--yes', 'sent' ], [ '--yes', "$dir/etc/kms" ], [ '--yes', "$dir/etc/kms/acme-publishing-ltd.kmspolicy" ]) {
        my $r = setup(@$args);
        is($r->{exit}, 0, "setup @$args") or diag("$r->{out}$r->{err}");
        like($r->{out}, qr/All of these files are installed\..*Request/s, 'there is nothing to do but to send the request');
    }
    is(picture() =~ s/.*kmsreq\n//rg, $before =~ s/.*kmsreq\n//rg, 'nothing was changed');
    is(entries(), $batch, 'nor anything new in the journal');
};

my $certificate = confirm($p, "$work/acme-publishing-ltd.kmsreq", output => "$work/answer");
subtest 'the confirmation' => sub {
    my $r = setup('--yes', 'answer.kmscert');
    is($r->{exit}, 0, 'setup with what the publisher answered') or diag("$r->{out}$r->{err}");
    like($r->{out}, qr/This host is confirmed and activates 2 products of acme-publishing-ltd/, 'confirmed');
    like($r->{out}, qr/Next: .*kmsctl dns show.*kmsctl doctor/, 'and what comes next');
    like(slurp($g->ini), qr/\nhost_key = \S+\nconfirmation = \S+acme-publishing-ltd\.kmscert\n\z/, 'its line is added to the section');
    client($_) for 1 .. 5;
    is(client(5), 0, 'clients are activated');
    is(run([ 'kmsctl', 'plan', '--check' ])->{out} =~ /publishers:/ ? 1 : 0, 0, 'kmsctl plan has nothing to say of publishers');
    $r = setup('answer.kmscert.minisig');
    is($r->{exit}, 0, 'the name of a signature beside its file means the file') or diag("$r->{out}$r->{err}");
    like($r->{out}, qr/there already.*All of these files are installed.*This host is confirmed/s, 'and again there is nothing to do');
};

# -- what is not for this host --

my $stranger = publisher(name => 'Stranger');
my $bad = "$dir/bad";
mkdir $bad;
sub wrong ($name, $make, $said) {
    my $file = "$bad/$name";
    my $named = $make->($file) // $file;
    my $before = picture();
    my $r = setup('--yes', $named);
    is($r->{exit}, 2, "$name: exit 2") or diag($r->{out});
    like($r->{err}, $said, "$name: named for what it is") or diag("$r->{out}$r->{err}");
    unlike($r->{err}, qr/[\x00-\x08\x0e-\x1f]/, "$name: and nothing of it reaches the terminal");
    is(picture(), $before, "$name: nothing was changed");
    remove_tree($bad, { keep_root => 1 });
}
my $text = sub ($content) { return sub ($file) { spew($file, $content); return $file } };
my $state = "$dir/client-5";
run([ program('kmsclient'), '--publisher-key', $p->{key}, '--product', $product, '--state', $state, 'export-lease', "$dir/lease" ]);
run([ 'kmsctl', 'audit', 'export', '-o', "$dir/audit" ]);

wrong('lonely.kmscert.minisig', sub ($f) { copy("$certificate.minisig", $f); $f }, qr/a signature \(\.minisig\): put it beside the file that it signs/);
wrong('unsigned.kmskey', sub ($f) { copy($key, $f); $f }, qr/unsigned\.kmskey\.minisig: no such file: the publisher's signature must be beside/);
wrong('publisher.key', sub ($f) { copy("$p->{dir}/publisher.key", $f); $f }, qr/a publisher's secret key: it must never leave the publisher/);
wrong('client.state', sub ($f) { copy($state, $f); $f }, qr/a client's (?:state file|secret key): it belongs to that client/);
wrong('journal.kmsaudit', sub ($f) { copy("$dir/audit", $f); $f }, qr/an audit file: it goes to the publisher/);
wrong('pc.kmslease', sub ($f) { copy("$dir/lease", $f); $f }, qr/a lease file: kmsclient verify-lease/);
wrong('host.key', sub ($f) { copy("$dir/state/keys/host.key", $f); $f }, qr/the identity of a host/);
wrong('host.kmsreq', sub ($f) { copy("$work/acme-publishing-ltd.kmsreq", $f); $f }, qr/a request \(\.kmsreq\): it goes to the publisher/);
wrong('kms.ini', sub ($f) { copy($g->ini, $f); $f }, qr/an ini file of kmsd/);
wrong('strangers.kmskey', sub ($f) { signed_copy(issue_key($stranger), $f) }, qr/signed by another publisher: that publisher's key is neither among these files nor in kms\.ini/);
wrong('picture.kmskey', $text->("\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), qr/a picture \(PNG\): if it shows a code/);
wrong('page.kmskey', $text->("\n<!DOCTYPE HTML>\n<html><title>Sign in</title>"), qr/a web page: ask the publisher for the file itself/);
wrong('sent.zip', $text->("PK\3\4" . 'x' x 100), qr/a ZIP archive or an office document: unpack it/);
wrong('mail.eml', $text->("Received: from mx\nSubject: your key\n\nHello\n"), qr/a saved mail: save the files that are attached/);
wrong('utf16.kmskey', $text->("\xff\xfe[\0h\0"), qr/text in UTF-16/);
wrong('empty.kmskey', $text->(''), qr/an empty file/);
wrong('id.txt', $text->(join('-', ('1234567') x 9) . "\n"), qr/an installation id: it goes to the publisher/);
wrong('shell.sh', $text->("#!/bin/sh\nid\n"), qr/a script/);
wrong('big.bin', $text->("\0" x 400_000), qr/a file of an unknown kind/);
wrong('esc.txt', $text->("\e]0;owned\a\n"), qr/a text that kmsd does not use/);
wrong('none', sub ($f) { $f }, qr/none: No such file or directory/);
wrong('folder', sub ($f) { mkdir $f; $f }, qr/the folder contains no file: name the folder with the files that the publisher sent/);
wrong('junk', sub ($f) { mkdir $f; spew("$f/a.txt", "x\n"); $f }, qr/none of these files is for a host/);
wrong('many', sub ($f) { mkdir $f; spew("$f/$_", "x\n") for 1 .. 80; $f }, qr/more than 64 files: name those that the publisher sent/);
wrong('edited.kmskey', sub ($f) { signed_copy($key, $f); spew($f, slurp($f) =~ s/Example/Another/r); $f }, qr/changed after publisher acme-publishing-ltd signed it/);
wrong('crlf.kmskey', sub ($f) { signed_copy($key, $f); spew($f, slurp($f) =~ s/\n/\r\n/gr); $f }, qr/its line ends were changed on the way/);
wrong('code.txt', $text->(join('-', 'KABCD', ('ABCDE') x 20)), qr/the code of a host key, but /);
wrong('sealed.kmscert', sub ($f) {
    my $other = start_appliance(publisher => $p, fronts => 1);
    $other->do('key', 'install', $key);
    $other->do('key', 'request', '-o', "$dir/other.kmsreq");
    $other->stop;
    signed_copy(confirm($p, "$dir/other.kmsreq", output => "$dir/other"), $f);
}, qr/this confirmation is for another host/);
wrong('expired.kmskey', sub ($f) {
    my $short = issue_key($p, output => "$dir/short", valid_to => POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime time + 2));
    sleep 4;
    signed_copy($short, $f);
}, qr/the host key expired on/);

subtest 'somebody else\'s names' => sub {
    mkdir "$work/impostor";
    my $impostor = publisher(name => 'acme-publishing-ltd');
    copy("$impostor->{dir}/publisher.pub", "$work/impostor/acme.pub");
    signed_copy($impostor->{pack}, "$work/impostor/example.kmspolicy");
    my $before = picture();
    my $r = setup('--yes', 'impostor');
    is($r->{exit}, 2, 'a publisher of that name with another key is refused');
    like($r->{err}, qr/kms\.ini has a \[publisher acme-publishing-ltd\] with another key.*rotation file.*--name/s, 'and why');
    $r = setup('--yes', 'impostor', 'sent');
    is($r->{exit}, 2, 'files of two publishers at once are refused');
    is(picture(), $before, 'nothing was changed');
    copy("$work/impostor/acme.pub", "$work/sent/other.pub");
    $r = setup('sent');
    is($r->{exit}, 0, 'a key that signed none of the files is passed over') or diag("$r->{out}$r->{err}");
    like($r->{out}, qr/other\.pub: not used: .*signed none of these files/, 'and named');
    unlink "$work/sent/other.pub";
    is(setup('--yes', '--name', 'x y', 'impostor')->{exit}, 2, 'a name that kms.ini cannot have is refused');
    is(setup('--yes', '--name', 'another', 'sent')->{exit}, 2, 'a known publisher keeps its name');
    is(picture(), $before, 'nothing was changed');
};

subtest 'what comes later' => sub {
    # A newer pack, as a mail has it: file and signature in one text.
    my $next = sign_pack($p, 'next', slurp($p->{pack}) =~ s/^version = .*$/version = 1.1\nreplaces = 1.0/mr);
    spew("$work/mail.txt", slurp($next) . slurp("$next.minisig"));
    my $r = setup('--yes', 'mail.txt');
    is($r->{exit}, 0, 'a newer pack') or diag("$r->{out}$r->{err}");
    like($r->{out}, qr/Installed: .*example 1\.1/, 'is installed');
    is(slurp("$dir/etc/kms/acme-publishing-ltd.kmspolicy"), slurp($next), 'and lies where the ini file says');
    # The old folder again: what is older is left.
    $r = setup('--yes', 'sent');
    is($r->{exit}, 0, 'the first folder again');
    like($r->{out}, qr/example\.kmspolicy: not used: policy pack, example 1\.0: example 1\.0 is older than the installed 1\.1/, 'its pack is passed over');
    is(slurp("$dir/etc/kms/acme-publishing-ltd.kmspolicy"), slurp($next), 'and does not replace the newer one');
    # Revocations.
    run([ program('kmsissue'), qw(revoke certificate --force --reason test -d), $p->{dir}, 99 ]);
    my $list = run([ program('kmsissue'), 'revocations', '-d', $p->{dir}, '-o', "$work/acme" ]);
    is($list->{exit}, 0, 'a revocation list') or diag("$list->{out}$list->{err}");
    $r = setup('--yes', 'acme.kmsrevoked');
    is($r->{exit}, 0, 'is installed') or diag("$r->{out}$r->{err}");
    like($r->{out}, qr/Installed: .*revocation list/, 'and told');
    # A second key: installed; the file of kms.ini is the new one, and the host is confirmed for it next.
    issue_key($p, output => "$work/second", customer => 'Second Purchase');
    $r = setup('--yes', 'second.kmskey');
    is($r->{exit}, 0, 'another host key') or diag("$r->{out}$r->{err}");
    like($r->{out}, qr/Installed: .*host key for Second Purchase.*Next: send/s, 'is installed and to be confirmed');
    is(slurp("$dir/etc/kms/acme-publishing-ltd.kmskey"), slurp("$work/second.kmskey"), 'and takes the place of the old one');
    is(setup('--yes', 'sent')->{exit}, 0, 'the first folder once more');
    is(slurp("$dir/etc/kms/acme-publishing-ltd.kmskey"), slurp("$work/second.kmskey"), 'does not bring the old one back');
};

subtest 'a publisher changes its key' => sub {
    mkdir "$work/rotated";
    my $r = run([ program('kmsissue'), qw(rotate --no-passphrase --from 2020-01-01 --to 2090-01-01 -d), $p->{dir} ]);
    is($r->{exit}, 0, 'kmsissue rotate') or diag("$r->{out}$r->{err}");
    signed_copy("$p->{dir}/publisher.kmsrotate", "$work/rotated/z.kmsrotate");
    copy("$p->{dir}/publisher.new.pub", "$work/rotated/new.pub");
    spew("$work/rotated/two.kmspolicy", slurp($p->{pack}) =~ s/^version = .*$/version = 1.15\nreplaces = 1.0/mr);
    run([ program('kmsissue'), qw(policy sign -f --new-key -d), $p->{dir}, "$work/rotated/two.kmspolicy" ]);
    my $before = slurp($g->ini);
    $r = setup('rotated');
    unlike($r->{err}, qr/PUBLISHER/, 'a pack by the new key is known before the rotation is installed') or diag("$r->{out}$r->{err}");
    like($r->{out}, qr/new\.pub: a publisher's public key, .*: there already/, 'the new key is the publisher\'s');
    $r = setup('--yes', 'rotated', '-o', "$work/mine.kmsreq");
    is($r->{exit}, 0, 'rotation and pack') or diag("$r->{out}$r->{err}");
    like($r->{out}, qr/Installed: .*a new key.*Installed: .*example 1\.15/s, 'are installed in this order');
    is(slurp($g->ini), $before, 'kms.ini needs no change');
};

subtest 'another publisher, by codes' => sub {
    my $q = publisher(name => 'Nordwind', products => [ { name => 'Nord', id => '33333333-3333-4333-8333-333333333333', threshold => 1, group => 'server', pool => 'servers' } ]);
    mkdir "$work/nord";
    copy("$q->{dir}/publisher.pub", "$work/nord/nordwind.pub");
    copy("$q->{dir}/publisher.key", "$work/nord/oops");
    signed_copy($q->{pack}, "$work/nord/nord.kmspolicy");
    my $issued = json_of(run([ program('kmsissue'), qw(--json key issue --code --customer Typed --group server -d), $q->{dir}, '-p', $q->{pack}, '-o', "$dir/typed" ]));
    spew("$work/nord/key.txt", $issued->{code});
    my $r = setup('--yes', 'nord');
    is($r->{exit}, 0, 'setup') or diag("$r->{out}$r->{err}");
    like($r->{out}, qr/oops: not used: a publisher's secret key: it must never leave the publisher/, 'a secret key in the folder is named');
    like($r->{out}, qr/key\.txt: host key for Typed, group server: new/, 'a code is a host key');
    like(slurp($g->ini), qr/\n\[publisher nordwind\]\nkey = \Q$q->{key}\E\npolicy = \S+nordwind\.kmspolicy\nhost_key = \S+nordwind\.kmskey\n\z/, 'a second section');
    my $confirmed = json_of(run([ program('kmsissue'), qw(--json confirm --code -d), $q->{dir}, '-p', $q->{pack}, '-o', "$dir/typed", "$work/nordwind.kmsreq" ]));
    spew("$work/answer.txt", $confirmed->{code} =~ s/-/ /gr);
    $r = setup('--yes', 'answer.txt');
    is($r->{exit}, 0, 'the code of the confirmation') or diag("$r->{out}$r->{err}");
    my ($row) = grep { $_->{publisher} eq 'nordwind' } @{ json_of(run([ 'kmsctl', '--json', 'key', 'show' ]))->{keys} };
    ok($row->{confirmed}, 'and the host is confirmed');
    like(setup('nord')->{out}, qr/All of these files are installed.*This host is confirmed and activates 1 product of nordwind/s, 'again: nothing to do');
};

subtest 'a name that is more than a name' => sub {
    my $r3 = publisher(name => 'Tricky', products => [ { name => 'Tricky', id => '44444444-4444-4444-8444-444444444444', threshold => 1, group => 'server', pool => 'servers' } ]);
    my $trick = "$dir/etc/kms/x\n[kms]\ncontrol_group = users\n;.kmspolicy";
    signed_copy($r3->{pack}, $trick);
    copy("$r3->{dir}/publisher.pub", "$dir/etc/kms/tricky.pub");
    my $r = setup('--yes', $trick, "$dir/etc/kms/tricky.pub");
    is($r->{exit}, 0, 'a file with such a name is taken') or diag("$r->{out}$r->{err}");
    like(slurp($g->ini), qr/\n\[publisher tricky\]\nkey = \S+\npolicy = \S+\/tricky\.kmspolicy\n\z/, 'under a name of ours');
    unlike(slurp($g->ini), qr/control_group/, 'and its name is not written into kms.ini');
    unlink $trick, "$trick.minisig", "$dir/etc/kms/tricky.pub";
};

subtest 'a request goes nowhere else' => sub {
    spew("$work/acme-publishing-ltd.kmsreq", "my notes\n");
    my $r = setup('second.kmskey');
    is($r->{exit}, 2, 'a file of that name that is no request stays');
    like($r->{err}, qr/is there already and is not a request: name another file with --output/, 'and what to do is said');
    is(slurp("$work/acme-publishing-ltd.kmsreq"), "my notes\n", 'it is as it was');
    is(setup('second.kmskey', '-o', "$work/mine.kmsreq")->{exit}, 0, '--output');
    ok(-s "$work/mine.kmsreq", 'writes there');
};

subtest 'for programs' => sub {
    my $r = run([ 'kmsctl', '--json', 'setup', 'sent', 'second.kmskey', '-o', "$work/mine.kmsreq" ]);
    is($r->{exit}, 0, 'exit 0');
    my $json = json_of($r);
    is_deeply({ map { ($_->{file} => $_->{state}) } @{ $json->{files} } },
        { 'sent/acme.pub' => 'installed', 'sent/example.kmspolicy' => 'passed-over', 'sent/hospital.kmskey' => 'installed', 'sent/README.txt' => 'wrong',
            'second.kmskey' => 'installed' },
        'each file and what becomes of it');
    like($json->{installation_id}, qr/^\d{7}-/, 'the installation id');
    is($json->{request}, "$work/mine.kmsreq", 'and the request');
};

subtest 'while another one writes' => sub {
    open my $lock, '<', "$dir/etc/kms" or die;
    flock $lock, LOCK_EX | LOCK_NB or die "flock: $!";
    my $r = setup('sent');
    is($r->{exit}, 2, 'a second one at the same time is refused');
    like($r->{err}, qr/another kmsctl is changing kms\.ini/, 'and says why');
};

subtest 'without kmsd, and without a right' => sub {
    $g->stop;
    my $r = run([ 'setpriv', '--reuid=daemon', '--regid=nogroup', '--clear-groups', program('kmsctl'), '-c', $g->ini, 'setup', 'sent' ]);
    is($r->{exit}, 2, 'not root: refused');
    like($r->{err}, qr/Permission denied: run this as root/, 'and what to do');
    rmdir '/run/systemd/system';
    $r = setup('--yes', 'sent');
    is($r->{exit}, 3, 'kmsd does not run, and nothing here can start it: exit 3');
    like($r->{err}, qr/kmsd is not running/, 'and why');
    my $pack = sign_pack($p, 'third', slurp($p->{pack}) =~ s/^version = .*$/version = 1.16\nreplaces = 1.15/mr);
    $r = setup('--yes', $pack);
    is($r->{exit}, 3, 'with something new it is written');
    like($r->{err}, qr/kms\.ini is written, but kmsd is not running: start it, then run the same command again/, 'and what to do is said');
    mkdir '/run/systemd/system';
    $r = setup('--yes', $pack);
    is($r->{exit}, 0, 'the same command again') or diag("$r->{out}$r->{err}");
    like($r->{out}, qr/Installed: .*example 1\.16/, 'does what was left');
};
chdir '/';
done_testing;
