#!/usr/bin/perl
# The administrator's guide, command by command. The network is one of its own; /etc/kms, /var/lib/kms and /root/kms-backup are
# directories of the test's.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Guide;
use KMS::Test;
use Test::More;

plan skip_all => 'the guide is for root' if $> != 0;
KMS::Guide->apart('--mount');

# systemd runs the machine, as far as kmsctl can see; what it writes into /etc and /run is the test's.
my $etc = workspace();
run([ 'cp', '-a', map({ -e "/etc/$_" ? "/etc/$_" : () } qw(passwd group shadow gshadow nsswitch.conf login.defs hosts resolv.conf)), "$etc/" ]);
for my $mount ([ '--bind', $etc, '/etc' ], [ '-t', 'tmpfs', 'none', '/run' ]) {
    my $r = run([ 'mount', @$mount ]);
    $r->{exit} == 0 or die "mount: $r->{err}";
}
run([ 'mkdir', '-p', '/run/systemd/system' ]);

my $p = publisher();
my $product = $p->{products}[0]{id};
my $g = KMS::Guide->new;
my ($dir, $work) = ($g->dir, $g->work);
$g->write_ini('');
mkdir "$work/from-acme";
run([ 'cp', "$p->{dir}/publisher.pub", "$work/from-acme/acme.pub" ]);
run([ 'cp', $p->{pack}, "$work/from-acme/acme.kmspolicy" ]);
run([ 'cp', "$p->{pack}.minisig", "$work/from-acme/acme.kmspolicy.minisig" ]);
issue_key($p, output => "$work/from-acme/customer");

sub client ($n, $verb) {
    return run([ program('kmsclient'), '--publisher-key', $p->{key}, '--product', $product, '--state', "$dir/client-$n",
        '--host', '127.0.0.1:1688', '--name', "pc-$n", $verb ])->{exit};
}

my $commands = $g->follow("$SRC/doc/administrator-guide.md", {
    'the publisher confirms' => sub { confirm($p, "$work/acme.kmsreq", output => "$work/host") },
    'clients come' => sub {
        client($_, 'activate') for 1 .. 5;
        is(client($_, 'activate'), 0, "client $_ is activated") for 1 .. 5;
    },
    'the new machine' => sub {
        rename "$dir/state", "$dir/old.state" or die;
        rename "$dir/etc/kms", "$dir/old.etc" or die;
        mkdir "$dir/etc/kms";
    },
    'the clients are still served' => sub {
        is(client($_, 'verify'), 0, "the lease of client $_ is valid") for 1 .. 5;
        is(client($_, 'renew'), 0, "and renewed by the new machine") for 1 .. 5;
        my $status = json_of(run([ 'kmsctl', '--json', 'status' ]));
        my ($row) = grep { $_->{id} eq $product } @{ $status->{products} };
        is($row->{counted}, 5, 'the count is what it was');
        is(run([ 'cmp', "$dir/state/keys/host.key", "$dir/old.state/keys/host.key" ])->{exit}, 0, 'and so is the host');
    },
});
cmp_ok($commands, '>', 25, 'the guide has commands');
like(run([ 'kmsctl', qw(ledger backup), "$dir/kms-backup" ])->{out}, qr/Backed up to batch \d+/, 'another backup into the same place');
is(run([ 'kmsctl', qw(ledger restore), "$dir/kms-backup" ])->{exit}, 2, 'restore over a ledger that is there is refused');
done_testing;
