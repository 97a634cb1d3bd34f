#!/usr/bin/perl
# t/prove-again passes a test that failed among others only when it passes alone, and says so; a real failure stays one.
use v5.36;
use Cwd qw(abs_path);
use File::Temp qw(tempdir);
use Test::More;

my $again = abs_path($ENV{KMS_SRC} // '.') . '/t/prove-again';
my $dir = tempdir(CLEANUP => 1);
chdir $dir or die "$dir: $!\n";
sub file ($name, $text) {
    open my $fh, '>', $name or die "$name: $!\n";
    print $fh "#!/bin/sh\n$text\n";
    close $fh;
    chmod 0755, $name;
}
file('good.t', 'echo ok 1; echo 1..1');
file("$_.t", qq([ -e $_.ran ] && echo ok 1 - later || echo not ok 1 - early; touch $_.ran; echo 1..1)) for map { "once$_" } 1 .. 4;
file('bad.t', 'echo not ok 1 - wrong; echo 1..1');
file('dies.t', 'echo ok 1; kill -9 $$');

for my $case (
    [ 'all pass', 'good.t', 0, qr/Result: PASS/, qr/UNSTABLE|Alone/ ],
    [ 'one fails once', 'good.t once1.t', 0, qr/^not ok|once1\.t failed\. Alone.*^ok 1 - later.*UNSTABLE: \S*once1\.t failed among others/ms, qr/UNSTABLE.*good/ ],
    [ 'one fails', 'good.t bad.t', 1, qr/bad\.t failed\. Alone.*^not ok 1 - wrong/ms, qr/UNSTABLE/ ],
    [ 'one fails once, another always', 'once1.t bad.t', 1, qr/^not ok 1 - wrong.*UNSTABLE: \S*once1\.t/ms, qr/UNSTABLE.*bad/ ],
    [ 'one dies', 'dies.t', 1, qr/dies\.t failed\. Alone/, qr/UNSTABLE/ ],
    [ 'too many at once', 'once1.t once2.t once3.t once4.t', 1, qr/4 files failed: that is too many/, qr/UNSTABLE|Alone/ ],
    [ 'no such file', 'nothing.t', 1, qr/\w/, qr/UNSTABLE/ ],
) {
    my ($name, $files, $exit, $says, $not) = @$case;
    unlink glob('*.ran'), 'unstable';
    local $ENV{KMS_UNSTABLE} = "$dir/unstable";
    local $ENV{HARNESS_ACTIVE};
    my $out = `$again -j2 -e '' @{[ map { "$dir/$_" } split / /, $files ]} 2>&1`;
    is($? >> 8, $exit, "$name: exit $exit") or diag $out;
    like($out, $says, "$name: what it says");
    unlike($out, $not, "$name: and no more");
    is(!!-e 'unstable', $exit == 0 && $files =~ /once/, "$name: the file of those that are unstable");
    ok(!-e '.prove', "$name: nothing is left behind");
}
done_testing;
