#!/usr/bin/perl
# kmsissue audit verify of several files: hosts that do not know of each other, with real appliances and the publisher's register; and, on forged
# files of several hosts, the same figures as an auditor who knows the pages alone.
use v5.36;
use File::Copy qw(copy);
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP;
use KMS::AuditFile;
use KMS::Test;
use Test::More;

my @PYTHON = ('/usr/bin/python3', '-B');
my $dir = workspace();

# -- two hosts of one host key --

my $publisher = publisher(dir => "$dir/publisher", products => [
    { name => 'Server', id => '22222222-2222-4222-8222-222222222222', threshold => 1, group => 'server', pool => 'servers' } ]);
mkdir "$dir/$_" or die for qw(a b c);
my %host = map { $_ => start_appliance(publisher => $publisher, dir => "$dir/$_") } qw(a b c);
my $key = issue_key($publisher, capacity => 3);
for my $name (qw(a b c)) {
    $host{$name}->do(qw(policy install), $publisher->{pack});
    $host{$name}->do(qw(key install), $key);
    $host{$name}->certify($publisher, $key);
}
is($host{a}->client("a$_", 'activate')->{exit}, 0, "a$_ is activated at the first host") for 1 .. 3;
isnt($host{a}->client('a4', 'activate')->{exit}, 0, 'which is full then');
is($host{b}->client("b$_", 'activate')->{exit}, 0, "b$_ is activated at the second") for 1 .. 2;

sub export ($name) { my $file = "$dir/$name-" . ++$host{$name}{exports} . '.kmsaudit'; $host{$name}->do(qw(audit export -o), $file); return $file }
sub issue (@args) { my $r = run([ program('kmsissue'), 'audit', 'verify', '--json', @args ]); return ($r, scalar json_of($r)) }
sub registered (@args) { return issue('-d', $publisher->{dir}, @args) }
sub found ($said) { return join ', ', map {"$_->{grade} $_->{kind} $_->{count}"} @{ $said->{findings} } }

my @early = map { export($_) } qw(a b);
my ($r, $said) = issue('-P', $publisher->{key}, @early);
is("$said->{host_count} $said->{chain_count} $said->{clients} $said->{clients_by_host} $said->{clients_at_several_hosts} $said->{leases}", '2 2 5 5 0 5',
    'two hosts, five clients');
is($r->{exit} . ' ' . found($said), '3 unexplained hosts-capacity 1', 'each host has no more than was sold, and both together have');
is_deeply([ map { [ @{$_}{qw(pool most_at_once capacity)} ] } @{ $said->{pools_together} } ], [ [ 2, 5, 3 ] ], 'and how many');
is_deeply([ map { $_->{finding_count} } @{ $said->{hosts} } ], [ 0, 0 ], 'neither host has a finding of its own');
like("@{ $said->{not_shown} }", qr/only the register shows how many were confirmed/, 'without a register, a host may be missing');

# One client moves, and another is copied: neither host can see it.
copy("$dir/a/clients/$_", "$dir/b/clients/$_") or die for qw(a1 a1.key a2 a2.key);
$host{b}->do(qw(client forget), ($host{b}->kmsctl_json(qw(client show), 'b1'))[0]{client}{cmid});
is($host{b}->client('a1', 'renew')->{exit}, 0, 'a1 moves to the second host');
is($host{a}->client('a2', 'renew')->{exit}, 0, 'a2 renews at the first');
$host{b}->do(qw(client forget), ($host{b}->kmsctl_json(qw(client show), 'b2'))[0]{client}{cmid});
is($host{b}->client('a2', 'renew')->{exit}, 0, 'and so does its copy at the second');
my @files = map { export($_) } qw(a b);
($r, $said) = issue('-P', $publisher->{key}, @files);
is("$said->{clients} $said->{clients_by_host} $said->{clients_at_several_hosts}", '5 7 2', 'both are clients of two hosts, and count once');
like(found($said), qr/unexplained hosts-clone 1/, 'the copy is found');
($r, $said) = issue('-P', $publisher->{key}, @early, @files);
is("$r->{exit} $said->{host_count} $said->{chain_count} $said->{file_count} $said->{clients} $said->{leases}", '3 2 2 4 5 8',
    'with the earlier files, which are parts of the later ones, nothing counts twice') or diag($r->{err});

# -- the register --

($r, $said) = registered(@files);
like(found($said), qr/unexplained host-absent 1/, 'the register knows a third host of this host key');
my ($absent) = grep { $_->{kind} eq 'host-absent' } @{ $said->{findings} };
my ($third) = $host{c}->kmsctl_json('status');
like($absent->{finding}, qr/\Q$third->{service}{host_id}\E/, 'and says which') or diag(explain($third->{service}));
is(join(' ', map { $_->{recorded} ? 1 : 0 } @{ $said->{hosts} }), '1 1', 'both audits are recorded');
($r, $said) = registered(@files, export('c'));
unlike(found($said), qr/host-absent/, 'with its file, none is absent');
is($said->{host_count}, 3, 'three hosts');
($r, $said) = registered('--no-record', @early);
is("$r->{exit} $said->{status}", '1 KMS_E_MISSING', 'the files of before do not reach what the register knows');
like($r->{err}, qr/\Q$early[0]\E: /, 'which says of which file');
$host{b}->client('b3', 'activate');
my ($whole) = export('b');
my ($head, @batches) = parts(slurp($whole));
my $n = () = parts(slurp($files[1]));
spew("$dir/tail.kmsaudit", join '', rehead($head, @batches[ $n - 2 .. $#batches ]));
($r, $said) = registered('--no-record', $files[0], "$dir/tail.kmsaudit");
is(join(' ', $r->{exit}, map { $_->{beginning} } @{ $said->{hosts} }), '3 batch 1 known batch', 'a part that goes on from the last audit');
($r, $said) = issue('-P', $publisher->{key}, $files[0], "$dir/tail.kmsaudit");
is("$r->{exit} $said->{status}", '1 KMS_E_NOT_PROVED', 'without the register, its beginning is not proved');
like($r->{err}, qr/give the earlier files of this host, too/, 'which says what to give');
($r, $said) = issue('-P', $publisher->{key}, $files[0], "$dir/tail.kmsaudit", $files[1]);
is("$r->{exit} $said->{chain_count} $said->{hosts}[1]{files}", '3 2 2', 'with the file before it, it is');
run([ program('kmsissue'), 'revoke', 'host', '-d', $publisher->{dir}, '--reason', 'gone', $third->{service}{host_id} ]);
($r, $said) = registered('--no-record', @files[ 0, 1 ]);
unlike(found($said), qr/host-absent/, 'a host that was revoked is not missed');
$r = run([ program('kmsissue'), 'audit', 'verify', '-P', $publisher->{key}, @files ]);
is($r->{exit}, 3, 'in words');
like($r->{out}, qr/^clients at several hosts\s+2$/m, 'too');
for my $bad ([ "$dir/none", 'KMS_E_NOT_FOUND' ], [ $dir, 'KMS_E_FORMAT' ], [ spew("$dir/empty", ''), 'KMS_E_FORMAT' ], [ $key, 'KMS_E_FORMAT' ]) {
    ($r, $said) = issue('-P', $publisher->{key}, $files[0], $bad->[0]);
    is("$r->{exit} $said->{status}", "1 $bad->[1]", "$bad->[0] refuses all");
    like($r->{err}, qr/\Q$bad->[0]\E/, 'and is named');
}
$_->stop for values %host;

# -- forged files, and the auditor --

sub form ($r, $said) {
    return { exit => $r->{exit}, status => $said->{status} } if !defined $said->{host_count};
    return { exit => $r->{exit}, status => $said->{status}, (map { $_ => $said->{$_} } qw(host_count chain_count file_count clients clients_by_host
            clients_at_several_hosts leases leases_not_covered first_time last_time batches entries worst finding_count)),
        host => [ map { join ' ', @{$_}{qw(host files clients leases beginning first_batch last)} } @{ $said->{hosts} } ],
        finding => [ sort map { join ' ', @{$_}{qw(grade kind batch count)} } @{ $said->{findings} } ],
        product => [ map { join ' ', @{$_}{qw(id clients leases)} } @{ $said->{products} } ],
        pool => [ map { join ' ', @{$_}{qw(pool most_counted counted_on most_holding holding_on)} } @{ $said->{pools} } ],
        day => [ map { join ' ', @{$_}{qw(pool day counted holding)} } @{ $said->{days} } ],
        pool_together => [ map { join ' ', @{$_}{qw(pool most_at_once at capacity)} } @{ $said->{pools_together} } ],
        lease_file => [ map { $_->{place} } @{ $said->{lease_files} // [] } ] };
}

my %list = map { $_ => 1 } qw(host finding product pool day pool_together lease_file);
sub understood ($text) {
    my %said = map { $_ => [] } $text =~ /^host-count/m ? keys %list : ();
    for (split /\n/, $text) {
        my ($name, $value) = /^([\w-]+): (.*)$/ or next;
        $name =~ tr/-/_/;
        next if $name eq 'why';
        if ($list{$name}) { push @{ $said{$name} }, $value }
        else              { $said{$name} = $value }
    }
    $said{finding} = [ sort @{ $said{finding} } ] if $said{finding};
    return \%said;
}

mkdir "$dir/forged" or die;
my $made = run([ @PYTHON, "$SRC/t/integration/dishonest_forge.py", "$dir/forged" ]);
is($made->{exit}, 0, 'files of several hosts are forged') or diag($made->{err});
my ($owner, @cases) = map { decode_json($_) } split /\n/, $made->{out};
@cases = grep { $_->{files} } @cases;
cmp_ok(scalar @cases, '>', 40, scalar(@cases) . ' cases');
push @cases, map { { %$_, name => "$_->{name}, in another order", files => [ reverse @{ $_->{files} } ] } } @cases;
my @asked = map { join ' ', @{ $_->{files} }, '--publisher-key', $owner->{key}, @{ $_->{args} } } @cases;
push @asked, join ' ', @early, @files, $whole, '--publisher-key', $publisher->{key};
my $answers = run([ @PYTHON, "$SRC/t/independent/kms_auditor.py", '-' ], in => join '', map {"$_\n"} @asked);
my @answers = map { understood($_) } split /^(?=status: )/m, $answers->{out};
is(scalar @answers, scalar @asked, 'an answer for each') or diag($answers->{err});
push @cases, { name => 'the appliances', files => [ @early, @files, $whole ], args => [], key => $publisher->{key} };
for my $case (@cases) {
    my $mine = form(issue('-P', $case->{key} // $owner->{key}, '--days', @{ $case->{args} }, @{ $case->{files} }));
    is_deeply($mine, shift @answers, "$case->{name}: both say the same ($mine->{exit} $mine->{status})");
}
done_testing;
