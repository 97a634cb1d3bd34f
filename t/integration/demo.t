#!/usr/bin/perl
# The demo that README shows: it ends well, says what it did, fits 80 columns, and leaves nothing; with --stay the appliance answers until Enter.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IPC::Open3 qw(open3);
use KMS::Test;
use KMS::Web;
use Test::More;

plan skip_all => 'NOT TESTED: as root the demo needs the users of ./bootstrap demo' if $> == 0 && grep { !defined getpwnam $_ } qw(_kms _kmsweb);
# A network of its own, where nobody else takes port 1688.
if ($> == 0 && !$ENV{KMS_DEMO_APART}) {
    $ENV{KMS_DEMO_APART} = 1;
    exec 'unshare', '--net', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', $^X, $0 or die "unshare: $!";
}
my $dir = workspace();
my $demo = "$SRC/demo/activate-a-network";
@ENV{qw(TMPDIR KMS_DEMO_PAUSE)} = ($dir, 0);
chmod 0755, $dir;

my $r = run([ $demo, $BUILD ]);
is($r->{exit}, 0, 'exit 0') or diag("$r->{out}$r->{err}");
is($r->{err}, '', 'nothing on standard error');
my @lines = split /\n/, $r->{out};
is(join("\n", grep { length > 80 } @lines), '', 'every line fits 80 columns');
cmp_ok(scalar @lines, '<', 140, 'and there are not too many');
like($lines[2], qr/seconds/, 'three lines say what will happen') or diag(join "\n", @lines[ 0 .. 3 ]);
is($lines[3], '', 'three');
like($r->{out}, qr/ward-24  #{24}  count 24 of 25   recorded.*ward-25  #{25} count 25 of 25   activated/s, 'the 25th is activated');
like($r->{out}, qr/all 24\s+#{25} count 30 of 25   activated/, 'and then those before it');
like($r->{out}, qr/status: KMS_OK.*The ledger is sound.*KMS_E_PROOF.*Nothing is left running/s, 'a lease is verified, and one with another year is not');
is(join(' ', glob "$dir/*"), '', 'nothing is left');

# Until Enter.
my $pid = open3(my $in, my $out, undef, $demo, '--stay', $BUILD);
my $said = '';
while (my $line = <$out>) {
    $said .= $line;
    last if $line =~ m{^  http://} && $said =~ /until you press Enter/;
}
my ($home) = $said =~ /^  cd (\S+)$/m;
my ($path) = $said =~ /^  PATH=(\S+):\$PATH$/m;
my @commands = map { s/^  //r } split /\n(?=  \S)/, ($said =~ /:\$PATH\n(.*)^In a browser/ms)[0] // '';
is(scalar @commands, 3, 'it says what may be tried') or diag($said);
for my $command (@commands) {
    my $tried = run([ 'bash', '-c', "cd $home && PATH=$path:\$PATH && $command" ]);
    is($tried->{exit}, 0, $command) or diag("$tried->{out}$tried->{err}");
}
# The last that it says is the address of the page, for a browser that sees names.
my ($page, $path_of_login) = $said =~ m{^  http://127\.0\.0\.1:(\d+)(/login\?token=[0-9a-f]{32})\n\z}m;
ok($page, 'it ends with the address of the page') or diag($said);
my $web = bless { port => $page, extra => '' }, 'KMS::Web';
$web->wait;
is($web->get('/health')->{code}, 200, 'which serves');
my ($cookie) = $web->get($path_of_login)->{headers}{'set-cookie'} =~ /^([^;]+)/;
my $seen = $web->get('/api/clients', Cookie => $cookie)->{body};
is(scalar(() = $seen =~ /"name":"ward-\d\d\.example"/g), 30, 'and shows the thirty machines');
print {$in} "\n";
close $in;
local $/;
$said .= <$out>;
waitpid $pid, 0;
is($?, 0, 'and ends well after Enter') or diag($said);
is(join(' ', glob "$dir/*"), '', 'nothing is left');
isnt(run([ $demo, '--what' ])->{exit}, 0, 'another option is refused');
done_testing;
