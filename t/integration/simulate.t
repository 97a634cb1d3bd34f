#!/usr/bin/perl
# kmsctl policy simulate and history: what a pack would change is told before, and comes to pass when it is installed.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use Test::More;

$ENV{TZ} = 'UTC';
my ($one, $two, $three) = map { "cccccccc-0000-4000-8000-00000000000$_" } 1 .. 3;

# A pack: version, other lines of [policy], threshold and pool of One and Two (undef: dropped), lines for pool 1, more.
sub pack_text (%o) {
    my $text = "[policy]\nid = p\ntitle = P\nversion = $o{version}\nissued = 2026-01-01\n" . ($o{policy} // '') . "[group g]\n[group h]\ncovers = g\n"
        . "[pool first]\nnumber = 1\n" . ($o{first} // '') . "[pool second]\nnumber = 2\n";
    for my $p ([ $one, 'One', $o{one} ], [ $two, 'Two', $o{two} ]) {
        my ($threshold, $pool, $more) = @{ $p->[2] // next };
        $text .= "[product $p->[0]]\nname = $p->[1]\ngroup = g\npool = $pool\nthreshold = $threshold\n" . ($more // '');
    }
    return $text . ($o{more} // '');
}
my $publisher = publisher(ini => pack_text(version => '1.0', one => [ 3, 'first' ], two => [ 5, 'second' ]), products => [ { id => $one } ]);
my $a = start_appliance(publisher => $publisher);
$a->enable(group => 'g');
sub code ($name, $product, $verb = 'activate', @args) { return $a->client($name, $verb, product => $product, args => [@args])->{exit} }

code("one-$_", $one, 'activate', '--vm', $_ == 1 ? 'yes' : 'no') for 1 .. 4;
code("one-$_", $one, 'activate', '--vm', $_ == 1 ? 'yes' : 'no') for 1 .. 4;
code("two-$_", $two, 'activate', '--vm', 'no') for 1 .. 3;
code("two-left", $two), code('two-left', $two, 'release');

my $n = 0;
sub simulate ($text, @args) {
    my $file = sign_pack($publisher, 'try-' . ++$n, $text);
    my ($data, $exit) = $a->kmsctl_json('policy', 'simulate', @args, $file);
    return { %$data, exit => $exit, file => $file,
        said => join ' ', sort map { "$_->{change} $_->{name} $_->{status}" } @{ $data->{changes} } };
}
sub product ($s, $name) { return (grep { $_->{name} eq $name } @{ $s->{products} })[0] // {} }

my ($status) = $a->kmsctl_json('status');
my $before = $status->{ledger}{last_batch};
my $all_two = join ' ', map { "gains two-$_ KMS_E_COUNT_TOO_LOW" } 1 .. 3;

my @table = (
    [ 'nothing changes', { one => [ 3, 'first' ], two => [ 5, 'second' ] }, 0, '' ],
    [ 'a threshold rises', { one => [ 5, 'first' ], two => [ 5, 'second' ] }, 4, join ' ', map { "loses one-$_ KMS_E_COUNT_TOO_LOW" } 1 .. 4 ],
    [ 'to what is counted', { one => [ 4, 'first' ], two => [ 5, 'second' ] }, 0, '' ],
    [ 'a threshold falls', { one => [ 3, 'first' ], two => [ 3, 'second' ] }, 0, $all_two ],
    [ 'a product is dropped', { two => [ 5, 'second' ] }, 4, join ' ', map { "loses one-$_ KMS_E_UNKNOWN_PRODUCT" } 1 .. 4 ],
    [ 'pools are merged', { one => [ 3, 'first' ], two => [ 5, 'first' ] }, 0, $all_two ],
    [ 'a pool holds fewer than it has', { one => [ 3, 'first' ], two => [ 5, 'second' ], first => "capacity = 3\n" }, 0, '' ],
    [ 'merged into a pool with room for two more', { one => [ 3, 'first' ], two => [ 5, 'first' ], first => "capacity = 6\n" }, 0,
        qr/^(?:gains two-\d KMS_E_COUNT_TOO_LOW ?){2}$/ ],
    [ 'a product that nobody has', { one => [ 3, 'first' ], two => [ 5, 'second' ], more => "[product $three]\nname = Three\ngroup = h\npool = first\nthreshold = 1\n" }, 0, '' ],
);
for my $row (@table) {
    my ($what, $pack, $exit, $said) = @$row;
    my $s = simulate(pack_text(version => '1.1', %$pack));
    is($s->{exit}, $exit, "$what: exit $exit");
    ref $said ? like($s->{said}, $said, "$what: who gains or loses") : is($s->{said}, $said, "$what: who gains or loses");
    my $gains = () = $s->{said} =~ /gains/g;
    my $losses = () = $s->{said} =~ /loses/g;
    is_deeply([ @$s{qw(clients gain lose publisher version installed_version)}, !!$s->{installable}, !!$s->{complete} ],
        [ 7, $gains, $losses, 'acme', '1.1', '1.0', !!1, !!1 ], "$what: the sums");
}

subtest 'the rest of an answer' => sub {
    my $s = simulate(pack_text(version => '1.1', one => [ 5, 'first' ], two => [ 3, 'first' ]));
    is_deeply([ map { "$_->{number} $_->{counted_before} $_->{counted_after}" } @{ $s->{pools} } ], [ '1 4 7', '2 3 0' ], 'pools before and after');
    is_deeply([ @{ product($s, 'Two') }{qw(change clients activated_before activated_after gain lose required_before required_after)} ],
        [ 'kept', 3, 0, 3, 3, 0, 5, 3 ], 'a product');
    my ($two_1) = grep { $_->{name} eq 'two-1' } @{ $s->{changes} };
    is($two_1->{from_event}, 'next-request', 'who gains does so when it asks');
    cmp_ok(abs($two_1->{from} - time - 7200), '<', 120, 'two hours after it asked last');
    is($two_1->{address}, '127.0.0.1', 'its address');
    $s = simulate(pack_text(version => '1.1', one => [ 5, 'first', "virtual-machines = refuse\n" ], two => [ 5, 'second' ]));
    my ($one_1) = grep { $_->{name} eq 'one-1' } @{ $s->{changes} };
    is($one_1->{from_event}, 'lease-end', 'who loses does so when its lease ends');
    my ($shown) = $a->kmsctl_json(qw(client show one-1));
    is($one_1->{from}, $shown->{client}{expires}, 'which is then');
    like($s->{warnings}[0]{warning}, qr/One: the pack refuses virtual machines/, 'what the ledger cannot tell is said');
    my $bound = simulate(pack_text(version => '1.1', policy => "requires-host = 0.1\n", two => [ 5, 'second' ],
        one => [ 3, 'first', "bind = machine\nbind-change = refuse\n" ]));
    is($bound->{lose}, 0, 'a pack that binds to machines: clients are taken for those that send their id');
    like($bound->{warnings}[0]{warning}, qr/One: the pack refuses machines without an id/, 'and that the ledger cannot tell is said');
    my $r = $a->kmsctl('policy', 'simulate', '--limit', 2, $s->{file});
    is($r->{exit}, 4, 'as text: exit 4');
    like($r->{out}, qr/^p 1\.1 of publisher acme, to replace 1\.0$/m, 'which pack');
    is(scalar(() = $r->{out} =~ /^ +loses +one-\d +[0-9a-f]{12} +One +.* lease-end +KMS_E_/mg), 2, '--limit lines of changes');
    like($r->{out}, qr/Of 7 clients 0 would gain and 4 would lose activation\. Nothing was changed\./, 'and the sum of all');
};

subtest 'what could not be installed' => sub {
    my $s = simulate(pack_text(version => '0.9', one => [ 3, 'first' ], two => [ 5, 'second' ]));
    is($s->{exit}, 4, 'an older version: exit 4');
    like($s->{obstacle}, qr/KMS_E_OLDER/, 'and why');
    is($s->{clients}, 7, 'simulated all the same');
    $s = simulate(pack_text(version => '1.0', one => [ 3, 'first' ], two => [ 5, 'second' ]));
    like($s->{obstacle}, qr/KMS_E_EXISTS/, 'the same version');
    my $r = $a->kmsctl('policy', 'simulate', publisher(ini => slurp($s->{file}))->{pack});
    is($r->{exit}, 2, 'another publisher\'s: exit 2');
    like($r->{err}, qr/KMS_E_PUBLISHER/, 'and says so');
    spew($s->{file}, slurp($s->{file}) . "# more\n");
    like($a->kmsctl('policy', 'simulate', $s->{file})->{err}, qr/KMS_E_SIGNATURE/, 'altered after it was signed');
    is($a->kmsctl('policy', 'simulate', "$publisher->{dir}/none")->{exit}, 2, 'no such file');
};

($status) = $a->kmsctl_json('status');
is($status->{ledger}{last_batch}, $before, 'nothing was written');
is(($a->kmsctl_json(qw(policy show)))[0]{packs}[0]{version}, '1.0', 'nothing was installed');

# It comes to pass.
my $told = simulate(pack_text(version => '1.1', one => [ 5, 'first' ], two => [ 3, 'second' ]));
is($a->kmsctl('policy', 'install', $told->{file})->{exit}, 0, 'now one of them is installed');
for my $c (@{ $told->{changes} }) {
    is(code($c->{name}, $c->{product}, 'renew'), $c->{change} eq 'gains' ? 0 : 5, "$c->{name} $c->{change}, as foretold");
}
is(scalar @{ $told->{changes} }, 7, 'all seven');

# Under the pack in force nobody gains from the same one; a lease that is good is not lost before its end.
my $again = simulate(pack_text(version => '1.2', one => [ 3, 'first' ], two => [ 3, 'second' ]));
is($again->{said}, join(' ', map { "gains one-$_ KMS_E_COUNT_TOO_LOW" } 1 .. 4), 'back again, those who lost would gain');

subtest 'history' => sub {
    my ($h, $exit) = $a->kmsctl_json(qw(policy history));
    is($exit, 0, 'exit 0');
    is_deeply([ map { join ' ', @$_{qw(publisher pack)}, $_->{in_force} ? 'in force' : 'before' } @{ $h->{packs} } ],
        [ 'acme p 1.0 before', 'acme p 1.1 in force' ], 'both packs, in order');
    like($h->{packs}[0]{digest}, qr/^[0-9a-f]{64}$/, 'with their digest');
    cmp_ok(abs($h->{packs}[1]{time} - time), '<', 120, 'and time');
    like($a->kmsctl(qw(policy history))->{out}, qr/^  20\S+Z .*acme +p 1\.0 +no .*\n  20\S+Z .*acme +p 1\.1 +yes /m, 'as text');
};

subtest 'without kmsd' => sub {
    is($a->stop, 0, 'kmsd stops');
    my $s = simulate(pack_text(version => '1.2', one => [ 3, 'first' ], two => [ 3, 'second' ]));
    is($s->{said}, $again->{said}, 'simulate says the same');
    ok(!$s->{running}, 'and that kmsd is down');
    is(scalar @{ ($a->kmsctl_json(qw(policy history)))[0]{packs} }, 2, 'history too');
    my $file = (glob $a->dir . '/state/policy/*/1.1.kmspolicy')[0];
    my $good = slurp($file);
    spew($file, "$good# more\n");
    my $r = $a->kmsctl('policy', 'simulate', $s->{file});
    is($r->{exit}, 2, 'an installed pack that was altered: exit 2');
    like($r->{err}, qr{the installed files cannot be read: policy/[0-9a-f]{16}/1\.1\.kmspolicy: }, 'and names it');
    spew($file, $good);
    $a->start;
};

# What a pack is signed with, and what the publisher took back, count in a forecast as they do in kmsd.
subtest 'during a rotation' => sub {
    my $home = $publisher->{dir};
    my $rotate = sub (@dates) { run([ program('kmsissue'), 'rotate', '-d', $home, '--no-passphrase', @dates ]) };
    is($rotate->('--from', '2089-01-01', '--to', '2090-01-01')->{exit}, 0, 'a new key, for later');
    $a->do('publisher', 'rotate', "$home/publisher.kmsrotate");
    my $file = spew("$home/early.kmspolicy", pack_text(version => '1.2', one => [ 3, 'first' ], two => [ 3, 'second' ]));
    is(run([ program('kmsissue'), qw(policy sign --new-key -d), $home, $file ])->{exit}, 0, 'signs a pack');
    my ($s, $exit) = $a->kmsctl_json(qw(policy simulate), $file);
    is($exit, 4, 'which cannot be installed yet: exit 4');
    like($s->{obstacle}, qr/its new key, which is not yet accepted \(KMS_E_PUBLISHER\)/, 'and why');
    is($s->{gain}, 4, 'simulated all the same');
    like($a->kmsctl('policy', 'install', $file)->{err}, qr/its new key, which is not yet accepted/, 'kmsd says the same');
};

subtest 'a host that is revoked' => sub {
    my ($keys) = $a->kmsctl_json(qw(key show));
    my $was = simulate(pack_text(version => '1.2', one => [ 3, 'first' ], two => [ 3, 'second' ]));
    is(product($was, 'Two')->{activated_before}, 3, 'before: activated');
    is(run([ program('kmsissue'), @$_ ])->{exit}, 0, "kmsissue $_->[0]") for
        [ qw(revoke key -d), $publisher->{dir}, '--reason', 'not paid', $keys->{keys}[0]{id} ],
        [ qw(revocations -d), $publisher->{dir}, '-o', "$publisher->{dir}/list" ];
    $a->do('revocations', 'install', "$publisher->{dir}/list.kmsrevoked");
    isnt(code('two-1', $two, 'renew'), 0, 'kmsd gives no lease');
    my $s = simulate(pack_text(version => '1.2', one => [ 3, 'first' ], two => [ 3, 'second' ]));
    is_deeply([ @$s{qw(gain lose)}, map { @{ product($s, $_) }{qw(activated_before activated_after)} } qw(One Two) ], [ (0) x 6 ],
        'nobody is activated, before or after');
    like($s->{warnings}[0]{warning}, qr/revoked this host's host key \(not paid\)/, 'and it is said why');
};
done_testing;
