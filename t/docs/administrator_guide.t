#!/usr/bin/perl
# The administrator's guide, command by command. The network is one of its own; /etc/kms, /var/lib/kms and /root/kms-backup are
# directories of the test's, and systemctl is a script that starts, reloads and stops the real kmsd.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use Test::More;

plan skip_all => 'the guide is for root' if $> != 0;
if (!$ENV{KMS_GUIDE_APART}) {
    $ENV{KMS_GUIDE_APART} = 1;
    exec 'unshare', '--net', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', $^X, $0 or die "unshare: $!";
}

my $dir = workspace();
mkdir "$dir/$_" for qw(etc bin work clients);
mkdir "$dir/etc/kms";
my $p = publisher();
my $product = $p->{products}[0]{id};
my $pid;

# What the guide calls by its usual place.
sub placed ($text) {
    return $text =~ s{/etc/kms\b}{$dir/etc/kms}gr =~ s{/var/lib/kms\b}{$dir/state}gr =~ s{/root/kms-backup}{$dir/kms-backup}gr
        =~ s{PUBLISHER-KEY}{$p->{key}}gr;
}
sub script ($name, $text) {
    chmod 0755, spew("$dir/bin/$name", "#!/bin/sh\n$text") or die;
}
script('kmsctl', "exec @{[ program('kmsctl') ]} -c $dir/etc/kms/kms.ini \"\$@\"\n");
script('systemctl', <<"SH");
# start|stop|restart|reload of kmsd; enabled units are not this test's.
case \$1 in
start) @{[ program('kmsd') ]} -f $dir/etc/kms/kms.ini -L $BUILD >>$dir/log 2>&1 </dev/null & echo \$! >$dir/pid
	for i in \$(seq 300); do kmsctl status >/dev/null 2>&1 && exit 0; sleep 0.05; done; exit 1 ;;
stop) p=\$(cat $dir/pid); kill \$p; while kill -0 \$p 2>/dev/null; do sleep 0.05; done ;;
restart) \$0 stop kmsd && \$0 start kmsd ;;
reload) kill -HUP \$(cat $dir/pid) ;;
*) echo enabled ;;
esac
SH
$ENV{PATH} = "$dir/bin:$ENV{PATH}";
END { if ($dir && -e "$dir/pid") { my $status = $?; kill 'TERM', slurp("$dir/pid") =~ /(\d+)/; $? = $status } }

system 'cp', $p->{pack}, "$dir/work/acme.kmspolicy";
system 'cp', "$p->{pack}.minisig", "$dir/work/acme.kmspolicy.minisig";
issue_key($p, output => "$dir/work/customer");

sub client ($n, $verb) {
    return run([ program('kmsclient'), '--publisher-key', $p->{key}, '--product', $product, '--state', "$dir/clients/$n",
        '--host', '127.0.0.1:1688', '--name', "pc-$n", $verb ])->{exit};
}

my %does = (
    'the publisher confirms' => sub { confirm($p, "$dir/work/host.kmsreq", output => "$dir/work/host") },
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
);
my ($commands, %done) = (0);
my $guide = slurp("$SRC/doc/administrator-guide.md");
while ($guide =~ /^```(\w+)\n(.*?)^```$|^<!-- (.*?) -->$/msg) {
    my ($kind, $block, $happens) = ($1, $2, $3);
    if (defined $happens) {
        ok($does{$happens}, "the test knows: $happens") or next;
        $does{$happens}->();
        $done{$happens}++;
    } elsif ($kind eq 'ini') {
        spew("$dir/etc/kms/kms.ini", "[kms]\nstate_directory = $dir/state\nruntime_directory = $dir/run\n"
            . "activate_user = nobody\nfront_user = daemon\n[ledger]\nsegment_size = 1M\nmap_size = 16M\n" . placed($block));
    } else {
        for my $line (grep { length } split /\n/, $block) {
            my $r = run([ 'sh', '-c', "cd $dir/work && " . placed($line) ]);
            is($r->{exit}, 0, $line) or diag("$r->{out}$r->{err}" . (-e "$dir/log" ? slurp("$dir/log") : ''));
            $commands++;
        }
    }
}
cmp_ok($commands, '>', 25, 'the guide has commands');
is(join(' | ', sort keys %done), join(' | ', sort keys %does), 'everything between them happened');
like(run([ 'kmsctl', qw(ledger backup), "$dir/kms-backup" ])->{out}, qr/Backed up to batch \d+/, 'another backup into the same place');
is(run([ 'kmsctl', qw(ledger restore), "$dir/kms-backup" ])->{exit}, 2, 'restore over a ledger that is there is refused');
system 'systemctl', 'stop', 'kmsd';
unlink "$dir/pid";
done_testing;
