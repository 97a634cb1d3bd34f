#!/usr/bin/perl
# Somebody who controls kmsd-web asks the activation process for what it may not have: he learns no name while nobody is logged in,
# loses his channel when he breaks a rule, and never keeps a client from being served.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use KMS::Web;
use Test::More;

my $web = KMS::Web->new;
my $a = start_appliance(publisher => publisher(), ini => $web->ini);
$a->enable;
$a->client('some-name', 'activate');
$a->stop;
unlink $a->dir . '/libexec/kmsd-web' or die $!;
symlink program('hostile_web'), $a->dir . '/libexec/kmsd-web' or die $!;

my $refused = 'its channel is closed';
my @cases = (
    # what, how it ends for him, and what the log of the activation process says
    [ 'early', 'closed', qr/sent a verb that it may not send; $refused/ ],
    [ 'ready-twice', 'closed', qr/sent its first message twice, or a malformed one; $refused/ ],
    [ 'key-install', 'closed', qr/sent a verb that it may not send; $refused/ ],
    [ 'client-list', 'closed', qr/sent a verb that it may not send; $refused/ ],
    [ 'client-forget', 'closed', qr/sent a verb that it may not send; $refused/ ],
    [ 'journal', 'closed', qr/sent a verb that it may not send; $refused/ ],
    [ 'web-login', 'closed', qr/sent a verb that it may not send; $refused/ ],
    [ 'unknown', 'closed', qr/sent a verb that it may not send; $refused/ ],
    [ 'zero', 'closed', qr/sent a verb that it may not send; $refused/ ],
    [ 'pipelined', 'closed', qr/sent a request that is malformed, too long or too early; $refused/ ],
    [ 'no-length', 'closed', qr/sent a request that is malformed, too long or too early; $refused/ ],
    [ 'too-long', 'closed', qr/sent a request that is malformed, too long or too early; $refused/ ],
    [ 'clients', 'KMS_E_DENIED', qr/hostile/ ],
    [ 'session', 'KMS_E_DENIED', qr/web-login: refused: the token is wrong/ ],
    [ 'flood', 'answered', qr/hostile/ ],
);
for my $case (@cases) {
    my ($what, $end, $log) = @$case;
    unlink $a->dir . '/log';
    mkdir $a->dir . '/run';
    spew($a->dir . '/run/hostile', "$what\n");
    $a->start;
    eval { wait_for(30, sub { $a->log =~ /hostile: \Q$what\E: (.*)/ }, "the end of $what"); 1 } or diag($a->log);
    is(($a->log =~ /hostile: \Q$what\E: (.*)/)[0], $end, "$what: $end");
    like($a->log, $log, "$what: the log says so");
    is($a->client('some-name', 'renew')->{exit}, $a->client('some-name', 'activate')->{exit}, "$what: a client is answered");
    is($a->kmsctl('status')->{exit}, 0, "$what: and kmsctl");
    unlike($a->log, qr/activate-died|front-died/, "$what: nothing else died");
    is($a->stop, 0, "$what: the end");
}
unlink $a->dir . '/log';
spew($a->dir . '/run/hostile', "leaves\n");
$a->start;
wait_for(30, sub { $a->log =~ /web-(?:closed|refused)/ }, 'the end of the channel');
like($a->log, qr/web-closed: kmsd-web has ended/, 'one that ends before it has read its answer has ended');
unlike($a->log, qr/web-refused/, 'and broke no rule');
is($a->stop, 0, 'the end');
unlink $a->dir . '/log';
spew($a->dir . '/run/hostile', "deaf\n");
$a->start;
is($a->kmsctl('status')->{exit}, 0, 'one that does not read its answer: kmsctl is answered');
is($a->stop, 0, 'and the end is one');
done_testing;
