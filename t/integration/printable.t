#!/usr/bin/perl
# Text of others drives no terminal: whatever name, path, comment or answer holds control characters, C1 or characters that turn the
# direction of writing, kmsctl, kmsissue and kmsclient print none of them, for people, as JSON or as CSV. And the code has one way out.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Encode qw(decode FB_CROAK);
use KMS::Test;
use Test::More;

my $bad = "a\e[31m\xc2\x9b2J\xe2\x80\xae\xe2\x81\xa6\xef\xbb\xbf\xffz";
my $dir = workspace();
my $p = publisher(products => [ { name => 'Shown', id => '11111111-1111-4111-8111-111111111111', threshold => 1, group => 'client', pool => 'desktops' } ]);

sub clean ($what, $text) {
    my $shown = eval { decode('UTF-8', my $copy = $text, FB_CROAK) };
    ok(defined $shown, "$what: UTF-8") or return diag explain $text;
    unlike($shown, qr/[\x00-\x09\x0b-\x1f\x7f-\x9f\x{61c}\x{200e}\x{200f}\x{2028}-\x{202e}\x{2066}-\x{2069}\x{feff}]/, "$what: the text rule")
        or diag explain $text;
}

spew("$dir/kms.ini", "[kms]\nstate_directory = $dir/state\nruntime_directory = $dir\n[publisher example]\nkey = $p->{key}\n");
spew("$dir/wrong.ini", "[kms]\nstate_directory = $bad\n[$bad]\n$bad = $bad\n");
spew("$dir/$bad.kmskey", "$bad\n");
spew("$dir/$bad.kmskey.minisig", "untrusted comment: $bad\n$bad\n");
mkdir "$dir/state" or die;
my @client = (program('kmsclient'), '-k', $p->{key}, '-p', $p->{products}[0]{id});
my @ctl = (program('kmsctl'), '-c', "$dir/kms.ini");
my @runs = (
    [ 'kmsclient, a file name', @client, '-s', "$dir/s", 'verify-lease', "$dir/$bad" ],
    [ 'kmsclient, a state file', @client, '-s', "$dir/$bad/s", 'status' ],
    [ 'kmsclient, a host', @client, '-s', "$dir/s", '-H', "$bad.invalid", '-n', '127.0.0.1:9', '--timeout', 1, 'activate' ],
    [ 'kmsclient, a domain', @client, '-s', "$dir/s", '-d', "$bad.invalid", '-n', '127.0.0.1:9', '--timeout', 1, 'discover' ],
    [ 'kmsclient, a key', program('kmsclient'), '-k', "/$bad", '-p', 'x', '-s', 'y', 'status' ],
    [ 'kmsclient, a command', program('kmsclient'), $bad ],
    [ 'kmsclient, an option', program('kmsclient'), "--$bad" ],
    [ 'kmsctl, a command', @ctl, $bad, $bad ],
    [ 'kmsctl, an ini file', program('kmsctl'), '-c', "$dir/$bad.ini", 'status' ],
    [ 'kmsctl, errors of an ini file', program('kmsctl'), '-c', "$dir/wrong.ini", 'config', 'check' ],
    [ 'kmsctl, a status', @ctl, 'explain', $bad ],
    [ 'kmsctl, a backup', @ctl, 'ledger', 'restore', "$dir/$bad" ],
    [ 'kmsctl, a client', @ctl, 'why', $bad ],
    [ 'kmsissue, a file name', program('kmsissue'), 'show', "$dir/$bad" ],
    [ 'kmsissue, a file', program('kmsissue'), 'show', "$dir/$bad.kmskey" ],
    [ 'kmsissue, a customer', program('kmsissue'), 'key', 'issue', '-d', $p->{dir}, '--customer', $bad, '--group', 'client', '--policy', $p->{pack}, '-o', "$dir/k" ],
    [ 'kmsissue, a command', program('kmsissue'), $bad ],
    [ 'kmsissue, a customer looked for', program('kmsissue'), 'ledger', '-d', $p->{dir}, '--customer', $bad ],
);
for my $case (@runs) {
    my ($what, $program, @args) = @$case;
    for my $json (0, 1) {
        my $r = run([ $program, $json ? '--json' : (), @args ]);
        clean($what . ($json ? ', JSON' : ''), "$r->{out}$r->{err}");
        is($r->{signal}, 0, "$what: ends by itself");
    }
}

# A trusted comment is what the signer wrote: the signature does not make it harmless.
SKIP: {
    spew("$dir/signed.kmspolicy", slurp($p->{pack}));
    my $made = run([ 'minisign', '-Sm', "$dir/signed.kmspolicy", '-s', "$p->{dir}/publisher.key", '-t', "a\xc2\x9b2J\xe2\x80\xaez" ], in => "\n");
    skip "minisign: $made->{err}", 2 if $made->{exit} != 0;
    for my $json (0, 1) {
        my $r = run([ program('kmsissue'), $json ? '--json' : (), 'show', '-P', "$p->{dir}/publisher.pub", "$dir/signed.kmspolicy" ]);
        is($r->{exit}, 0, 'a trusted comment') or diag $r->{err};
        like($r->{out}, qr/a\?2J\?z/, 'is shown');
        clean('a trusted comment', $r->{out});
    }
}

# The code: nobody but the formats (kmsctl/cli/output*.c) writes to the terminal what is not a constant of the program, and nobody
# but libkms/base/wire.c knows which characters those are. (live.c shows what output_text.c has made.)
my %constant = map { $_ => 1 } qw(kmsctl/cli/live.c kmsctl/cli/command.c kmsctl/cli/completion.c kmsctl/cli/fail.c kmsctl/cli/key_input.c kmsctl/cli/qr.c kmsctl/main.c
    kmsctl/cmd/key.c kmsctl/host/words.c kmsctl/issue/main.c kmsctl/issue/cmd/ledger.c libkms/kmsclient/main.c libkms/kmsclient/options.c);
my (@writers, @readers);
for my $file (split /\n/, run([ 'sh', '-c', 'cd "$1" && find kmsctl libkms policy kmsdb kmsd -name "*.c"', 'sh', $SRC ])->{out}) {
    my $text = slurp("$SRC/$file");
    push @readers, $file if $text =~ /0x0*(?:202[8ae]|206[69])\b|0xE0 && /i && $file ne 'libkms/base/wire.c';
    next if $file !~ m{^(?:kmsctl|libkms/kmsclient)/} || $file =~ m{^kmsctl/cli/output} || $constant{$file};
    push @writers, $file if $text =~ /\b(?:v?printf|puts|putchar|perror)\(|\bv?fprintf\(std(?:out|err)|\bfput[sc]\([^;]*, std(?:out|err)\)/;
}
is("@writers", '', 'what tools print goes through output.h');
is("@readers", '', 'the text rule is in one place');
done_testing;
