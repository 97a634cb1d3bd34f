#!/usr/bin/perl
# A department that must always have three seats: the administrator keeps them for it in kms.ini, and the build machines, which would take
# all that there is, have at most so many as are left. What status, why, doctor and config check say of the classes.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use Test::More;

delete @ENV{qw(KMS_HOST KMS_DOMAIN)};
use constant SEATS => 8;
my $product = 'aaaaaaaa-0000-4000-8000-000000000001';
my $publisher = publisher(products => [ { id => $product } ], ini => <<"EOT");
[policy]
id = departments
title = Departments
version = 1.0
issued = 2026-01-01
requires-host = 0.1
[group all]
[pool workplaces]
number = 1
window = 8h
[product $product]
name = Editor
group = all
pool = workplaces
threshold = 1
activation-interval = 10m
renewal-interval = 30m
validity = 2h
EOT
my $host = start_appliance(publisher => $publisher, ini => <<'INI')->enable(group => 'all', capacity => SEATS);
[class engineering]
pool = workplaces
names = eng-*
reserve = 3
[class builds]
pool = workplaces
names = build-*
limit = 4
INI

sub client ($name, $verb = 'activate') { return $host->client($name, $verb, product => $product) }
sub seat ($name) { return client($name)->{exit} == 0 ? 'seat' : 'none' }
sub class ($name) { return (grep { $_->{name} eq $name } @{ ($host->kmsctl_json('status'))[0]{classes} })[0] }
sub said ($r) { return $r->{out} . $r->{err} }

is_deeply([ map { seat("build-$_") } 1 .. 6 ], [ ('seat') x 4, ('none') x 2 ], 'build machines have four seats, and no more');
like(said(client('build-7')), qr/KMS_E_CLASS_FULL/, 'because their class is full');
is(seat('sales-1'), 'seat', 'others take what is left');
like(said(client('sales-2')), qr/KMS_E_CLASS_FULL/, 'but not what is kept for the department');
is_deeply([ map { seat("eng-$_") } 1 .. 3 ], [ ('seat') x 3 ], 'which has its three seats, whenever it comes');
like(said(client('eng-4')), qr/KMS_E_CAPACITY/, 'a fourth finds the pool full');
is_deeply([ @{ class('engineering') }{qw(counted reserve limit)} ], [ 3, 3, 0 ], 'status has the class');
is_deeply([ @{ class('builds') }{qw(counted reserve limit)} ], [ 4, 0, 4 ], 'and the other');
like($host->kmsctl('status', '--all')->{out}, qr/^ +Pool +Class +Counted +Reserved +At most\n +workplaces +engineering +3 +3 +no limit\n +workplaces +builds +4 +0 +4$/m, 'as text');
like($host->kmsctl('why', 'build-7')->{out}, qr/^Class builds now: all of its 4 seats are taken\.$/m, 'why names the class that was full');
like($host->kmsctl('why', 'sales-2')->{out}, qr/^Pool workplaces now: all 8 seats are taken; /m, 'and the pool');
is(($host->kmsctl_json('why', 'build-7'))[0]{class}{name}, 'builds', 'also for a program');
my ($found) = grep { $_->{check} eq 'class' } @{ ($host->kmsctl_json('doctor'))[0]{findings} };
is($found->{level}, 'warning', 'doctor sees the class that is full');
like($found->{text}, qr/^workplaces: class builds has all of its 4 seats/, 'and says which');

# Somebody of the department goes home: its seat is kept for the department.
is(client('eng-2', 'release')->{exit}, 0, 'one goes home');
is(seat($_), 'none', "$_ does not get that seat") for qw(sales-2 build-5);
is(seat('eng-4'), 'seat', 'but a colleague does');

# A seat of the build machines that comes back is anybody's.
is(client('build-1', 'release')->{exit}, 0, 'a build ends');
is(seat('sales-2'), 'seat', 'then another has the seat');

# What each had, by the journal.
is($host->kmsctl(qw(client forget --yes build-2))->{exit}, 0, 'a seat of a build machine is ended');
sub had (@as) {
    my ($data) = $host->kmsctl_json(@as, qw(report classes));
    return join ', ', map { join ' ', @{$_}{qw(class counted peak taken)}, $_->{refused} > 0 ? 'refused' : 0 } sort { $a->{class} cmp $b->{class} } @{ $data->{classes} };
}
is(had(), 'builds 2 4 4 refused, engineering 3 3 4 refused, none 2 2 2 refused', 'seats now, most at once, taken, and refusals');
like($host->kmsctl(qw(report classes))->{out}, qr/^ +Publisher +Pool +Class +Counted +Peak .*\n(?:.*\n)* +acme +workplaces +builds +2 +4 /m, 'as text');
like($host->kmsctl(qw(report classes --pool workplaces --csv))->{out}, qr/^publisher,pool,class,number,counted,peak,.*\r?\nacme,workplaces,/, 'as CSV');
like($host->kmsctl(qw(report classes --to 2020-01-01))->{out}, qr/^ +acme +workplaces +builds +0 +0 /m, 'of a time in which nobody had a seat');

# What plan says of classes that kmsd has not read.
my $ini = slurp($host->ini);
sub planned () {
    my ($json) = $host->kmsctl_json('plan');
    return join '|', map { "$_->{is}: $_->{due}" } grep { $_->{aspect} eq 'service' } @{ $json->{differences} };
}
is(planned(), '', 'nothing at first');
spew($host->ini, $ini =~ s/^limit = 4$/limit = 5/mr);
like(planned(), qr/^\[class builds\] has changed since kmsd read it: kill -HUP /, 'a class that is changed');
spew($host->ini, $ini =~ s/^names = build-\*$/names = build-1/mr);
like(planned(), qr/^kms\.ini has changed since kmsd read it: kill -HUP /, 'what kmsd does not say in detail');
spew($host->ini, "$ini\[class new]\npool = workplaces\n");
like(planned(), qr/^\[class new\] has changed since kmsd read it: /, 'a new one');
spew($host->ini, $ini =~ s/^\[class builds\].*//msr);
like(planned(), qr/^\[class builds\] is no longer in kms\.ini, but kmsd still uses it: /, 'one that is gone');

# A reserve above the capacity.
spew($host->ini, $ini =~ s/^reserve = 3$/reserve = 9/mr);
my $r = $host->kmsctl(qw(config check));
is($r->{exit}, 4, 'config check finds a reserve above the capacity') or diag said($r);
like(said($r), qr/the classes of pool workplaces of publisher acme reserve 9 seats, 1 more than its capacity of 8/, 'and says by how much');
($found) = grep { $_->{check} eq 'class' && $_->{level} eq 'bad' } @{ ($host->kmsctl_json('doctor'))[0]{findings} };
like($found->{text} // '', qr/1 more than its capacity of 8/, 'doctor, too');
like(planned(), qr/^the classes of pool workplaces of publisher acme reserve 9 seats, 1 more .*: correct the classes in kms\.ini, then kmsctl plan$/, 'plan offers no reload');
kill HUP => $host->pid;
wait_for(30, sub { $host->log =~ /1 more than its capacity of 8; nothing was changed/ }, 'a reload is refused');
is(class('engineering')->{reserve}, 3, 'and the old one is in force');
spew($host->ini, $ini);
is($host->kmsctl(qw(config check))->{exit}, 0, 'mended');

# Changed while all seats are taken: nobody loses a seat, and what is new holds for the next.
sub reload ($text, $read) {
    spew($host->ini, $text);
    kill HUP => $host->pid;
    wait_for(30, $read, 'the reload');
}
is(seat('sales-3'), 'seat', 'the last seat');
is(class('builds')->{counted} + class('engineering')->{counted}, 5, 'of the eight seats five are of a class');
reload($ini =~ s/^limit = 4$/limit = 1/mr, sub { class('builds')->{limit} == 1 });
is(client('build-3', 'renew')->{exit}, 0, 'a build machine above the new limit renews');
is(class('builds')->{counted}, 2, 'and still counts in its class');
like(said(client('build-8')), qr/KMS_E_CLASS_FULL/, 'another one gets none');
reload($ini =~ s/^limit = 4$/limit = 2/mr =~ s/^names = build-\*$/names = build-* sales-*/mr =~ s/^reserve = 3$/reserve = 2/mr, sub { class('engineering')->{reserve} == 2 });
is(client('sales-1', 'renew')->{exit}, 0, 'one that is of a full class now renews');
is(class('builds')->{counted}, 2, 'and stays without a class');
is(client('build-3', 'release')->{exit}, 0, 'the class has room');
is(client('sales-1', 'renew')->{exit}, 0, 'it renews again');
is(class('builds')->{counted}, 2, 'and is of the class');
reload($ini =~ s/^\[class builds\].*//msr, sub { !class('builds') });
is(client('build-4', 'renew')->{exit}, 0, 'without its class it renews, too');
spew($host->ini, $ini);
is($host->stop, 0, 'the host ends well');
done_testing;
