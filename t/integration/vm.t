#!/usr/bin/perl
# Virtual machines and clones, each by the three rules of a policy pack: allowed and not spoken of, marked, refused, as kmsclient asks; as
# the client is told, as kmsctl shows them, and as the pools count them.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Copy qw(copy);
use KMS::Test;
use Test::More;

my %id = map { $_ => sprintf '%08d-0000-4000-8000-000000000000', { allow => 1, flag => 2, refuse => 3 }->{$_} } qw(allow flag refuse);
my $number = 0;
my $ini = "[policy]\nid = vm\ntitle = Machines\nversion = 1.0\nissued = 2026-01-01\n[group all]\n"
    . join '', map { "[pool $_]\nnumber = " . ++$number . "\nwindow = 30\n" } sort keys %id;
$ini .= "[product $id{$_}]\nname = Product $_\ngroup = all\npool = $_\nthreshold = 1\nactivation-interval = 2h\n"
    . "renewal-interval = 7d\nvalidity = 180d\ngrace = 30d\nvirtual-machines = $_\nclones = $_\n" for sort keys %id;
my $publisher = publisher(ini => $ini, products => [ map { { id => $id{$_}, name => "Product $_" } } sort keys %id ]);
my $a = start_appliance(publisher => $publisher)->enable(group => 'all');

sub client ($rule, $name, $verb, @args) {
    my $r = $a->client($name, $verb, product => $id{$rule}, args => [ '--json', @args ]);
    return { %{ json_of($r) }, exit => $r->{exit}, text => "$r->{out}$r->{err}" };
}
sub counted ($rule) {
    my ($pool) = grep { $_->{name} eq $rule } @{ ($a->kmsctl_json('status'))[0]{pools} };
    return $pool->{counted};
}
sub listed (@options) { return { map { $_->{name} => $_ } @{ ($a->kmsctl_json('clients', @options))[0]{clients} } } }
sub shown ($name) { return ($a->kmsctl_json('client', 'show', $name))[0]{client} }

subtest 'virtual machines' => sub {
    my $r = client('allow', 'allowed', 'activate', '--vm', 'yes');
    is("$r->{exit} $r->{status}", '0 KMS_OK', 'allow: activated') or diag($r->{text});
    is(counted('allow'), 1, 'and counted');
    ok(!shown('allowed')->{vm}, 'and nothing is said of it');

    $r = client('flag', 'flagged', 'activate', '--vm', 'yes');
    is("$r->{exit} $r->{status}", '0 KMS_OK', 'flag: activated') or diag($r->{text});
    is(counted('flag'), 1, 'and counted');
    ok(shown('flagged')->{vm}, 'client show: a virtual machine');
    like($a->kmsctl('client', 'show', 'flagged')->{out}, qr/^\s*Virtual machine:\s+yes$/m, 'in words');

    $r = client('refuse', 'refused', 'activate', '--vm', 'yes');
    is("$r->{exit} $r->{status}", '2 KMS_E_VM_REFUSED', 'refuse: refused') or diag($r->{text});
    like($a->client('refused', 'activate', product => $id{refuse}, args => [ '--vm', 'yes' ])->{err}, qr/Microsoft 0xC004F068\)/,
        'with Microsoft\'s code');
    is(counted('refuse'), 0, 'and not counted');
    my $client = shown('refused');
    is($client->{state}, 'refused', 'the refusal is kept');
    ok($client->{vm}, 'as that of a virtual machine');
    like($a->log, qr/^kmsd-activate\[\d+\]: vm-refused: 127\.0\.0\.1 port \d+ \(refused\)/m, 'and is in the log');

    # The same products on iron.
    for my $rule (sort keys %id) {
        $r = client($rule, "iron-$rule", 'activate', '--vm', 'no');
        is("$r->{exit} $r->{status}", '0 KMS_OK', "$rule: a physical machine is activated") or diag($r->{text});
        ok(!shown("iron-$rule")->{vm}, "$rule: and is not marked");
    }
    is(join(' ', map { counted($_) } sort keys %id), '2 2 1', 'pools: all but the refused one');
    is_deeply([ sort keys %{ listed('--vm') } ], [ 'flagged', 'refused' ], 'clients --vm');
    is(scalar keys %{ listed() }, 6, 'clients: all');
    my $text = $a->kmsctl('clients')->{out};
    like($text, qr/^\s*Name\b.*\bVM\b.*\bState$/m, 'clients has a column');
    like($text, qr/^\s*flagged\b.*\byes\s+activated$/m, 'yes');
    like($text, qr/^\s*iron-flag\b.*\bno\s+activated$/m, 'no');
    # A machine that moved off its hypervisor.
    $r = client('refuse', 'refused', 'activate', '--vm', 'no');
    is("$r->{exit} $r->{status}", '0 KMS_OK', 'the refused one, now on iron, is activated') or diag($r->{text});
    ok(!shown('refused')->{vm}, 'and is not marked any more');
    is($a->kmsctl('client', 'show', 'refused')->{exit}, 0, 'client show');
};

# A machine is copied with its state file. Then both renew, and the original once more: the copy catches up as a backup would, and then
# they are two.
sub copied ($rule) {
    my $first = client($rule, "one-$rule", 'activate', '--vm', 'no');
    is("$first->{exit} $first->{status}", '0 KMS_OK', "$rule: activated") or diag($first->{text});
    my $clients = $a->dir . '/clients';
    copy("$clients/one-$rule$_", "$clients/two-$rule$_") or die $! for '', '.key';
    my $one = client($rule, "one-$rule", 'renew', '--vm', 'no');
    is("$one->{exit} $one->{status}", '0 KMS_OK', "$rule: the original renews") or diag($one->{text});
    my $two = client($rule, "two-$rule", 'renew', '--vm', 'no');
    is("$two->{exit} $two->{status}", '0 KMS_OK', "$rule: the copy catches up") or diag($two->{text});
    return client($rule, "one-$rule", 'renew', '--vm', 'no');
}

subtest 'clones' => sub {
    my %before = map { $_ => counted($_) } keys %id;
    my $r = copied('refuse');
    is("$r->{exit} $r->{status}", '2 KMS_E_CLONE', 'refuse: then the original is refused') or diag($r->{text});
    my $copy = client('refuse', 'two-refuse', 'renew', '--vm', 'no');
    is("$copy->{exit} $copy->{status}", '2 KMS_E_CLONE', 'and so is the copy') or diag($copy->{text});
    my $cmid = $r->{client};
    ok(($a->kmsctl_json('client', 'show', $cmid))[0]{client}{last_clone}, 'client show: when a clone was seen last');
    ok(($a->kmsctl_json('client', 'show', $cmid))[0]{client}{held_until} > time, 'and until when it is held');
    like($a->log, qr/^kmsd-activate\[\d+\]: clone: .*\($_-refuse\)/m, "the log names $_") for 'one', 'two';

    $r = copied('flag');
    is("$r->{exit} $r->{status}", '0 KMS_OK', 'flag: all are served') or diag($r->{text});
    ok(($a->kmsctl_json('client', 'show', $r->{client}))[0]{client}{last_clone}, 'and marked');
    my $flagged = $r->{client};

    $r = copied('allow');
    is("$r->{exit} $r->{status}", '0 KMS_OK', 'allow: all are served') or diag($r->{text});
    ok(!($a->kmsctl_json('client', 'show', $r->{client}))[0]{client}{last_clone}, 'and nothing is said of it');
    is(counted($_), $before{$_} + 1, "$_: original and copy are one client in the count") for sort keys %id;

    my $text = $a->kmsctl('clients', '--clones')->{out};
    like($text, qr/\Q$_\E/, 'clients --clones names it') for substr($cmid, 0, 12), substr($flagged, 0, 12);
    unlike($text, qr/\Q${\ substr $r->{client}, 0, 12}\E/, 'but not the one that is allowed');
    like($text, qr/two-flag/, 'with the name of the copy');
    $a->do('client', 'forget', $cmid);
    $r = client('refuse', 'two-refuse', 'renew', '--vm', 'no');
    is("$r->{exit} $r->{status}", '0 KMS_OK', 'forget ends the hold') or diag($r->{text});
};
# Ten machines from one image, which renew as often as they like.
subtest 'ten copies' => sub {
    my $first = client('refuse', 'image', 'activate', '--vm', 'no');
    is($first->{exit}, 0, 'activated') or diag($first->{text});
    for my $n (1 .. 10) { copy($a->dir . "/clients/image$_", $a->dir . "/clients/copy$n$_") or die $! for '', '.key' }
    my @told = map { client('refuse', "copy$_", 'renew', '--vm', 'no')->{status} } 1 .. 10;
    is("@told", join(' ', ('KMS_OK') x 2, ('KMS_E_CLONE') x 8), 'one renews, one catches up, eight are refused');
    my %more;
    for my $n (map { ($_) x $_ } 1 .. 5) { $more{ client('refuse', "copy$n", 'renew', '--vm', 'no')->{status} }++ }
    is(join(' ', %more), 'KMS_E_CLONE 15', 'and so are all, however often they ask');
    is(client('refuse', "copy$_", 'status')->{exit}, 0, "copy $_ keeps the lease that it has") for 1, 10;
};
is($a->stop, 0, 'stopped');
done_testing;
