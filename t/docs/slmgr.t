#!/usr/bin/perl
# doc/slmgr.md: every option of slmgr.vbs has its row, and every command, option and ini key that a row names exists.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use Test::More;

# As slmgr.vbs /? and Microsoft's page on it list them.
my @options = qw(/ipk /upk /ato /dli /dlv /xpr /cpky /ilc /rilc /rearm /rearm-app /rearm-sku /dti /atp
    /skms /ckms /skms-domain /skhc /ckhc /sprt /sai /sri /sdns /cdns /spri /cpri /act-type
    /lil /ril /ltc /fta /ad-activation-online /ad-activation-get-iid /ad-activation-apply-cid /ao-list /del-ao);

my $page = slurp("$SRC/doc/slmgr.md");
my %rows;
for my $line (grep { /^\| `/ } split /\n/, $page) {
    my ($first, $here, $remarks) = $line =~ /^\| `([^`]+)` \| (.+?) \| ?(.*?) ?\|$/ or do { fail("a row: $line"); next };
    my ($option) = $first =~ /^(\S+)/;
    ok(!$rows{$option}++, "$option has one row");
    ok($here ne 'none' || length $remarks > 10, "$option: a counterpart, or why there is none");
    like($here, qr/^(?:none|(?:`[^`]+`(?:, )?)+)$/, "$option: a command, an ini key, or none");
}
ok($rows{$_}, "$_ is there") for @options;

my %usage;
for my $c (@{ json_of(run([ program('kmsctl'), qw(--json help) ]))->{commands} }) {
    $usage{ join ' ', grep { defined } @$c{qw(noun verb)} } = $c->{usage};
}
my $client = run([ program('kmsclient'), '--help' ])->{out};
my $ini = slurp("$SRC/doc/kms.ini.5");
my $named = 0;
for my $what ($page =~ /`([^`]+)`/g) {
    if ($what =~ /^kmsctl (.+)$/) {
        my ($words, @flags) = split / (?=--)/, $1;
        ok(exists $usage{$words}, "$what exists") or next;
        like($usage{$words}, qr/\Q$_\E\b/, "$what: $_") for @flags;
        $named++;
    } elsif ($what =~ /^kmsclient (\w+)(.*)$/) {
        my ($verb, $rest) = ($1, $2);
        like($client, qr/^    kmsclient \Q$verb\E /m, "$what exists");
        like($client, qr/\Q$_\E\b/, "$what: $_") for $rest =~ /(--\w+)/g;
        $named++;
    } elsif ($what =~ /^\[(\w+)\] (\w+)$/) {
        next if $1 eq 'section';
        like($ini, qr/^\.Ss \[$1\]$(?:(?!^\.Ss).)*^\.It Cm $2 /ms, "$what is a key of kms.ini(5)");
        $named++;
    }
}
cmp_ok($named, '>=', 25, 'the page names what there is');
done_testing;
