#!/usr/bin/perl
# An auditor written from kms.audit(5), kms.journal(5) and kms-protocol(7) alone, beside kmsissue audit verify: on the journal of an
# appliance on which much happened, on that journal damaged in every way, and on files that a host could sign and that are at the
# edge of what the pages allow, or those of a customer who cheats.  Both must say the same of each.  The journal itself is read, too,
# beside kmsctl ledger check.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Digest::SHA qw(sha256 sha256_hex);
use JSON::PP;
use KMS::AuditFile;
use KMS::Test;
use Test::More;

my @PYTHON = ('/usr/bin/python3', '-B');
my ($SERVER, $WRITER, $UNKNOWN) = map { "$_-2222-4222-8222-222222222222" } qw(22222222 33333333 44444444);
my $publisher = publisher(products => [
    { name => 'Server', id => $SERVER, threshold => 1, group => 'server', pool => 'servers' },
    { name => 'Writer', id => $WRITER, threshold => 3, group => 'client', pool => 'desktops' } ]);
my $stranger = publisher();
my $a = start_appliance(publisher => $publisher);
my $dir = $a->dir;

# What a program says of a file, in one form: { exit, status, err, ... }
sub kmsissue ($key, $file, @args) {
    my $r = run([ program('kmsissue'), 'audit', 'verify', '-P', $key, '--days', '--json', @args, $file ]);
    my $said = json_of($r);
    my %form = (exit => $r->{exit}, status => $said->{status}, err => $r->{err});
    return \%form if !defined $said->{host};
    return { %form, goes_beyond_period => $said->{goes_beyond_period} ? 'yes' : 'no',
        (map { $_ => $said->{$_} } qw(host last clients leases leases_not_covered first_batch first_time last_batch last_time batches entries),
            qw(beginning worst finding_count)),
        pools => [ map { join ' ', @{$_}{qw(pool most_counted counted_on most_holding holding_on)} } @{ $said->{pools} } ],
        days => [ map { join ' ', @{$_}{qw(pool day counted holding)} } @{ $said->{days} } ],
        lease_files => [ map { $_->{place} } @{ $said->{lease_files} // [] } ],
        findings => [ sort map {"$_->{grade} $_->{kind} $_->{batch} $_->{count}"} @{ $said->{findings} } ],
        products => [ sort map {"$_->{id} $_->{clients} $_->{leases}"} @{ $said->{products} } ],
        certificates => [ map { join ' ', @{$_}{qw(serial host_key publisher confirmation group customer)} } @{ $said->{certificates} } ] };
}

sub auditor ($key, $file, @args) {
    my $r = run([ @PYTHON, "$SRC/t/independent/kms_auditor.py", $file, '--publisher-key', $key, @args ]);
    my $said = understood($r->{out});
    is($said->{exit} // 'none', $r->{exit}, 'the auditor exits with what it says') or diag($r->{err});
    return $said;
}

# The auditor's answers to many questions: [file, arguments].
sub answers ($key, @asked) {
    my $r = run([ @PYTHON, "$SRC/t/independent/kms_auditor.py", '-' ],
        in => join '', map { my ($file, @args) = @$_; "$file --publisher-key $key @args\n" } @asked);
    my @answers = map { understood($_) } split /^(?=status: )/m, $r->{out};
    is(scalar @answers, scalar @asked, 'an answer for each') or diag($r->{err});
    return @answers;
}

sub understood ($text) {
    my (%said, %lists);
    for (split /\n/, $text) {
        my ($name, $value) = /^([\w-]+): (.*)$/ or next;
        $name =~ tr/-/_/;
        $said{$name} = $value;
        push @{ $lists{$name} }, $value;
    }
    $said{err} = delete $said{why};
    return \%said if !defined $said{host};
    delete @said{qw(finding product certificate lease_file pool day)};
    return { %said, findings => [ sort @{ $lists{finding} // [] } ], map { $_->[0] => $lists{ $_->[1] } // [] } [qw(products product)],
        [qw(certificates certificate)], [qw(lease_files lease_file)], [qw(pools pool)], [qw(days day)] };
}

sub flipped ($octets, $at, $bit = 1) { substr($octets, $at, 1) ^.= chr $bit; return $octets }

# undef, or in what they differ.
sub differ ($mine, $its) {
    my @wrong;
    for my $name (sort keys %{ { %$mine, %$its } }) {
        next if $name eq 'err';
        my ($one, $two) = map { ref $_ ? join ', ', @$_ : $_ // 'none' } $mine->{$name}, $its->{$name};
        push @wrong, "$name: kmsissue $one, auditor $two" if $one ne $two;
    }
    return @wrong ? join("\n", @wrong, $mine->{err}, $its->{err} // '') : undef;
}

sub both ($name, $key, $file, @args) {
    my $said = kmsissue($key, $file, @args);
    my $wrong = differ($said, auditor($key, $file, @args));
    ok(!defined $wrong, "$name: both say $said->{status}, exit $said->{exit}") or diag($wrong);
    return $said;
}

sub not_proved ($name, $file, @args) {
    my $said = both($name, $publisher->{key}, $file, @args);
    is("$said->{exit} $said->{status}", '1 KMS_E_NOT_PROVED', "$name: the beginning is not proved");
}

sub both_refuse ($name, $file, @args) {
    my $key = $args[0] && $args[0] =~ /^RW/ ? shift @args : $publisher->{key};
    is(both($name, $key, $file, @args)->{exit}, 1, "$name: refused");
}

# -- a host's life --

sub client ($name, $product = $SERVER, $verb = 'activate') { return $a->client($name, $verb, product => $product)->{exit} }
sub cmid ($name) { return ($a->kmsctl_json(qw(client show), $name))[0]{client}{cmid} }

$a->enable;
$a->do(qw(audit export --names -o), "$dir/early.kmsaudit");
is(both('no clients yet', $publisher->{key}, "$dir/early.kmsaudit")->{clients}, 0, 'and none is counted');
is(client("s$_"), 0, "s$_ is activated") for 1 .. 5;
isnt(client("w$_", $WRITER), 0, "w$_ is below the threshold") for 1 .. 2;
is(client("w$_", $WRITER), 0, "w$_ is activated") for 3 .. 4;
is(client('w1', $WRITER), 0, 'and now w1');
is(client('s1', $SERVER, 'renew'), 0, 's1 renews');
is(client('s2', $WRITER), 0, 's2 moves to the other product');
isnt(client('x', $UNKNOWN), 0, 'a product that nobody has');
is(client('s3', $SERVER, 'release'), 0, 's3 releases');
my %cmid = map { $_ => cmid($_) } qw(s4 s5 w3 w4);
$a->do(qw(client revoke), $cmid{s4});
isnt(client('s4', $SERVER, 'renew'), 0, 'a revoked client is refused');
$a->do(qw(client unrevoke), $cmid{s4});
is(client('s4', $SERVER, 'renew'), 0, 'and served again');
$a->do(qw(client forget), $cmid{s5});
$a->do(qw(client revoke), $cmid{w4});
$a->do(qw(client erase), $cmid{w3});
# An export that is made before that has the names (doc/privacy.md).
wait_for(60, sub { $a->log =~ /names-erased/ }, 'the names are overwritten');

my $all = "$dir/all.kmsaudit";
$a->do(qw(audit export -o), $all);
$a->do(qw(audit export --names -o), "$dir/names.kmsaudit");
my $said = both('without names', $publisher->{key}, $all);
is_deeply($said->{products}, [ "$SERVER 5 7", "$WRITER 4 4" ], 'seven leases of one product, four of the other');
is("$said->{clients} $said->{leases}", '8 11', 'one client has both');
both('with names', $publisher->{key}, "$dir/names.kmsaudit");
both('with --last', $publisher->{key}, $all, '--last', $said->{last});
both('with --host', $publisher->{key}, $all, '--host', $said->{host});
is(both('a period of long ago', $publisher->{key}, $all, qw(--to 2020-01-01))->{goes_beyond_period}, 'yes', 'which has surely ended');
$a->do(qw(audit export --from 2090-01-01 -o), "$dir/future.kmsaudit");
not_proved('a period to come', "$dir/future.kmsaudit", qw(--from 2090-01-01));
not_proved('the same file for all time', "$dir/future.kmsaudit");
both('the same after the audit before', $publisher->{key}, "$dir/future.kmsaudit", qw(--from 2090-01-01), '--last', $said->{last});
# The publisher's key gives way to another: the file proves the same to those who know either.
is(run([ program('kmsissue'), 'rotate', '-d', $publisher->{dir}, '--no-passphrase' ])->{exit}, 0, 'the publisher rotates');
$a->do(qw(publisher rotate), "$publisher->{dir}/publisher.kmsrotate");
is(client('s6'), 0, 's6 is activated');
my $rotated = "$dir/rotated.kmsaudit";
$a->do(qw(audit export -o), $rotated);
my ($new) = slurp("$publisher->{dir}/publisher.new.pub") =~ /^(RW\S{54})$/m;
for my $known ($publisher->{key}, $new) {
    $said = both('with a rotation', $known, $rotated);
    is("$said->{clients} $said->{leases}", '9 12', 'one client more');
}
both_refuse('a rotation of another publisher', $rotated, $stranger->{key});
{
    my $octets = slurp($rotated);
    substr($octets, index($octets, 'KMSROTA1') + $_->[0], 1) ^.= "\1" and
        both_refuse("a rotation's $_->[1]", spew("$dir/bad.kmsaudit", $octets))
        for [ 8, 'old key\'s id' ], [ 70, 'new key' ], [ 110, 'first signature' ], [ 200, 'second signature' ];
}
is($a->stop, 0, 'kmsd ends');
# At its end it writes how often it refused.
my $final = "$dir/final.kmsaudit";
$a->do(qw(audit export -o), $final);

# -- the journal itself --

my $segment = "$dir/state/kmsdb/journal/00000000000000000001.seg";
my $journal = slurp($segment);
my @at = (512);    # of each record, and where the next would be
push @at, $at[-1] + unpack 'N', substr $journal, $at[-1] + 8, 4 while substr($journal, $at[-1], 8) eq 'KMSJBAT1';

sub page_of_journal (@args) { return understood(run([ @PYTHON, "$SRC/t/independent/kms_journal.py", "$dir/state", @args ])->{out}) }

# In place: the file keeps its owner. The statuses that kmsctl and the page have for it.
sub damaged ($octets) {
    open my $f, '+<:raw', $segment or die;
    print {$f} $octets;
    close $f;
    my ($said) = $a->kmsctl_json(qw(ledger check));
    return ($said->{problems}[0]{symbol} // 'KMS_OK', page_of_journal());
}
sub zeroed ($at, $n) { return substr($journal, 0, $at) . "\0" x $n . substr $journal, $at + $n }
my $whole = page_of_journal('--audit', $final);
is($whole->{status}, 'KMS_OK', 'the journal verifies') or diag($whole->{err});
cmp_ok($whole->{entries}, '>', 20, 'with its entries');
is($whole->{last}, both('the last file', $publisher->{key}, $final)->{last}, 'the audit file ends where the journal ends');
is($whole->{exported}, @at - 1, 'and each of its batches is in the journal, octet for octet');
is(page_of_journal('--audit', "$dir/names.kmsaudit")->{status}, 'KMS_OK', 'with the names, too');
is(page_of_journal('--audit', "$dir/future.kmsaudit")->{exported}, 1, 'and one that begins later');
my ($some, $last, $behind) = @at[ 3, -2, -1 ];
for my $row (
    [ 'a segment\'s magic', 3 ], [ 'its schema', 11 ], [ 'its number', 20 ], [ 'the hash before it', 30 ], [ 'its check octets', 60 ], [ 'its zeros', 200 ],
    [ 'a record\'s magic', $some + 3 ], [ 'its length', $some + 11 ], [ 'length of its items', $some + 15 ], [ 'its batch header', $some + 24 ],
    [ 'its signature', $some + 130 ], [ 'its check octets', $some + 190 ], [ 'an entry', $some + 224 ], [ 'the second length', $at[4] - 10 ],
    [ 'its trailer', $at[4] - 5 ], [ 'its last octet', $at[4] - 1 ], [ 'the last record\'s magic', $last + 3 ], [ 'the last entry', $last + 224 ],
    [ 'the last check octets', $last + 190 ], [ 'the last octet', $behind - 1 ], [ 'far behind the end', $behind + 655872 + 600 ],
) {
    my ($name, $at) = @$row;
    my ($mine, $its) = damaged(flipped($journal, $at));
    is("$mine $its->{status}", 'KMS_E_ALTERED KMS_E_ALTERED', "$name: changed, both say");
}
for my $at (5, 204, 300) {
    my ($mine, $its) = damaged(flipped($journal, $behind + $at));
    is("$mine $its->{status} $its->{torn} $its->{last}", "KMS_E_TORN KMS_OK yes $whole->{last}", "$at behind the end: the remains of a write, both say");
}
for my $row ([ 'the first sector', $last, 512 ], [ 'the last sector', $behind - 512, 512 ], [ 'all', $last, $behind - $last ]) {
    my ($name, $at, $n) = @$row;
    my ($mine, $its) = damaged(zeroed($at, $n));
    is("$its->{status} " . ($its->{last} =~ s/:.*//r), 'KMS_OK ' . (@at - 2), "$name of the last batch is zeros: a journal that is one batch shorter");
    is($mine, 'KMS_E_INDEX', 'only the index knows better');
}
my ($mine, $its) = damaged(zeroed($some, 512));
is("$mine $its->{status}", 'KMS_E_ALTERED KMS_E_ALTERED', 'the first sector of another batch is zeros: changed, both say');
my $twice = $journal;
substr $twice, $behind, $behind - $last, substr $journal, $last, $behind - $last;
($mine, $its) = damaged($twice);
is("$mine $its->{status}", 'KMS_E_CHAIN KMS_E_CHAIN', 'the last batch once more: out of the chain, both say');
damaged($journal);

# The same batches in two segments, made as the page says.
sub with_check ($octets) { return $octets . substr sha256($octets), 0, 16 }
sub header_hash ($at) { return sha256(substr $journal, $at + 16, 108) }
sub in_two () {
    my $hash = header_hash($at[4]);
    my $footer = pack 'a504a8', with_check('KMSJNEXT' . pack('Q>', 6) . $hash), "KMSJEND\xa5";
    my $second = pack 'a72a24a416', with_check(pack 'a8NNQ>a32', 'KMSJSEG1', 2, 512, 6, $hash), 'kmsd', '';
    my $file = $segment =~ s/1\.seg$/6.seg/r;
    spew($file, pack 'a1048576', $second . substr $journal, $at[5], $behind - $at[5]);
    damaged(pack 'a' . length $journal, substr($journal, 0, $at[5]) . $footer);
    return $file;
}
my $second = in_two();
is(page_of_journal()->{last}, $whole->{last}, 'a journal of two segments');
($mine) = $a->kmsctl_json(qw(ledger check));
is(join(', ', map { $_->{message} } grep { $_->{message} =~ /seg/ } @{ $mine->{problems} }), '', 'which kmsctl reads, too');
unlink $second or die;
($mine) = $a->kmsctl_json(qw(ledger check));
is(join(' ', $mine->{problems}[0]{symbol} // 'none', page_of_journal()->{status}), 'KMS_E_MISSING KMS_E_MISSING', 'without the second: missing, both say');
damaged($journal);

# -- damage --

my $text = slurp($all);
my ($head, @batches) = parts($text);
my $certificate = 65;    # behind the head, and its own kind and length
my $first = length $head;
my $third = $first + length(join '', @batches[ 0, 1 ]);
sub named ($with) { my ($h, @b) = parts(slurp("$dir/names.kmsaudit")); return $with->($h, @b) }
sub hash_of ($n) { sha256_hex(substr $batches[ $n - 1 ], 4, 108) }
my $end = @batches;

for my $row (
    [ 'a bit of the magic', flipped($text, 3) ],
    [ 'another version', flipped($text, 9) ],
    [ 'an unknown flag', flipped($text, 11, 2) ],
    [ 'one document less', flipped($text, 61) ],
    [ 'kind of a document', flipped($text, 62, 8) ],
    [ 'length of a document', flipped($text, 64) ],
    [ 'a certificate\'s publisher', flipped($text, $certificate + 8) ],
    [ 'a certificate\'s signing key', flipped($text, $certificate + 32) ],
    [ 'a certificate\'s capacity', flipped($text, $certificate + 99) ],
    [ 'a certificate\'s signature', flipped($text, $first - 1) ],
    [ 'length of the items', flipped($text, $third + 3) ],
    [ 'a header\'s magic', flipped($text, $third + 4) ],
    [ 'a header\'s host', flipped($text, $third + 4 + 8) ],
    [ 'a header\'s number', flipped($text, $third + 4 + 31) ],
    [ 'a header\'s hash of the one before', flipped($text, $third + 4 + 40) ],
    [ 'a header\'s tree size', flipped($text, $third + 4 + 67, 2) ],
    [ 'a header\'s root', flipped($text, $third + 4 + 70) ],
    [ 'a header\'s time', flipped($text, $third + 4 + 107) ],
    [ 'a signature\'s first half', flipped($text, $third + 112) ],
    [ 'a signature\'s second half', flipped($text, $third + 175) ],
    [ 'length of an entry', flipped($text, $third + 177) ],
    [ 'an entry\'s time', flipped($text, $third + 178 + 15) ],
    [ 'the last entry', flipped($text, length($text) - 2) ],
    [ 'length of an aside', flipped($text, length($text) - 1) ],
    [ 'a batch removed', join '', $head, @batches[ 0, 1, 3 .. $#batches ] ],
    [ 'two batches swapped', join '', $head, @batches[ 0, 2, 1, 3 .. $#batches ] ],
    [ 'a batch repeated', join '', $head, @batches[ 0 .. 2, 2 .. $#batches ] ],
    [ 'no batch', $head ],
    [ 'no certificate', substr($text, 0, 60) . "\0\0" . join '', @batches ],
    [ 'cut within the head', substr $text, 0, 30 ],
    [ 'cut within the certificate', substr $text, 0, $first - 10 ],
    [ 'cut within a header', substr $text, 0, $third + 50 ],
    [ 'cut within a signature', substr $text, 0, $third + 150 ],
    [ 'cut within an entry', substr $text, 0, length($text) - 10 ],
    [ 'cut before the last octet', substr $text, 0, length($text) - 1 ],
    [ 'a trailing octet', "$text\0" ],
    [ 'names without the flag', named(sub ($h, @b) { join '', flipped($h, 11), @b }) ],
    [ 'the file of another', 'something else altogether' ],
    [ 'an empty file', '' ],
    [ 'another publisher\'s key', $text, $stranger->{key} ],
    [ 'another host', $text, '--host', '0' x 32 ],
    [ 'another hash of the last batch', $text, '--last', "$end:" . '0' x 64 ],
    [ 'the hash of another batch', $text, '--last', "$end:" . hash_of(2) ],
    [ 'a last batch that is not reached', $text, '--last', $end + 1 . ':' . hash_of($end) ],
    [ 'the end cut off, and known', join('', $head, @batches[ 0 .. $end - 2 ]), '--last', "$end:" . hash_of($end) ],
) {
    my ($name, $octets, @args) = @$row;
    both_refuse($name, spew("$dir/bad.kmsaudit", $octets), @args);
}

not_proved('the first batch removed', spew("$dir/bad.kmsaudit", join '', $head, @batches[ 1 .. $#batches ]));

# What both find, and refuse nothing for.
for my $row (
    [ 'the head\'s host', flipped($text, 12) ],
    [ 'the head\'s last batch', flipped($text, 43) ],
    [ 'the flag without names', flipped($text, 11) ],
    [ 'the end cut off', join '', $head, @batches[ 0 .. $end - 2 ] ],
    [ 'a name', slurp("$dir/names.kmsaudit") =~ s/\x02w4/\x02w5/r ],
    [ 'an address', slurp("$dir/names.kmsaudit") =~ s/(\xff\xff\x7f\0\0)\x01\x02w4/$1\x02\x02w4/r ],
) {
    my ($name, $octets) = @$row;
    is(both($name, $publisher->{key}, spew("$dir/bad.kmsaudit", $octets))->{exit}, 3, "$name: a finding");
}
both('a batch in the middle, known', $publisher->{key}, $all, '--last', '4:' . hash_of(4));

# -- a host that signs strange things --

# What the page leaves open: of a lease file that is malformed, which of three statuses is told.
my %OPEN = map { $_ => 1 } qw(lease-cut lease-longer);

# Both on each file that this program forges; what they said.
sub forged ($program, $least) {
    my ($into) = $program =~ m{([a-z_]+)\.py$};
    mkdir "$dir/$into" or die;
    my $r = run([ @PYTHON, "$SRC/t/$program", "$dir/$into" ]);
    is($r->{exit}, 0, "$program makes its files") or diag($r->{err});
    my ($key, @lines) = split /\n/, $r->{out};
    cmp_ok(scalar @lines, '>', $least, scalar(@lines) . ' of them');
    my @files = map { [ split ] } @lines;
    my @answers = answers($key, map { my ($name, @args) = @$_; [ "$dir/$into/$name.kmsaudit", @args ] } @files);
    my (@differ, %exits);
    for my $file (@files) {
        my ($name, @args) = @$file;
        my ($mine, $its) = (kmsissue($key, "$dir/$into/$name.kmsaudit", @args), shift @answers // {});
        $exits{ $mine->{exit} }++;
        $its->{status} = $mine->{status} if $OPEN{$name} && $mine->{exit} == 1;
        my $wrong = differ($mine, $its);
        push @differ, "$name:\n$wrong" if defined $wrong;
    }
    is(join("\n", @differ), '', 'both say the same of each');
    cmp_ok($exits{$_}, '>', 10, "$exits{$_} of them with exit $_") for 0, 1, 3;
    return;
}
forged('independent/audit_forge.py', 400);
forged('independent/finding_forge.py', 150);

# -- the customer who cheats --

mkdir "$dir/dishonest" or die;
my $r = run([ @PYTHON, "$SRC/t/integration/dishonest_forge.py", "$dir/dishonest" ]);
is($r->{exit}, 0, 'the files of a dishonest customer are made') or diag($r->{err});
my ($owner, @cases) = map { decode_json($_) } split /\n/, $r->{out};
cmp_ok(scalar @cases, '>', 80, scalar(@cases) . ' cases');
my @answers = answers($owner->{key}, map { [ join(' ', @{ $_->{files} // [ $_->{file} ] }), @{ $_->{args} } ] } @cases);
for my $case (@cases) {
    my $its = shift @answers // {};
    my $name = "$case->{row} $case->{name}";
    is("$its->{exit} $its->{status}", "$case->{exit} $case->{status}", "$name: the auditor exits with $case->{exit}, $case->{status}")
        or diag($its->{err} // '');
    is(join("\n", @{ $its->{findings} // [] }), join("\n", sort @{ $case->{found} }), "$name: and finds the same");
    for my $member (sort keys %{ $case->{also} }) {
        my $value = $case->{also}{$member};
        is($its->{$member}, ref $value ? 'yes' : $value, "$name: $member");
    }
}
done_testing;
