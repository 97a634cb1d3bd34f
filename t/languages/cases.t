#!/usr/bin/perl
# The table of cases, cases.json, in each language that libkms has a layer for: the same steps, told to a program of that language one by one, against one
# appliance, with the answers that the table has; and all languages answer alike, also where the table says nothing. A new language is a program
# that does the steps (run_cases.c says how), and its line in @RUNNERS.
#
# A step: what to "do" with which "client" (0 to 3) or "file", and what the answer "is": equal, {"re": pattern} or {"from": least, "to": most}.
# Texts may have $KEY, $OTHER (publishers' keys), $HOST, $PORT, $DIR and the products $FLOAT, $MANY and $METAL.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IPC::Open2;
use JSON::PP;
use KMS::Test;
use Test::More;

delete @ENV{qw(KMS_HOST KMS_DOMAIN LC_ALL LC_MESSAGES LANG LANGUAGE)};
my $dir = workspace();
my %product = (FLOAT => '77777777-7777-4777-8777-777777777777', MANY => '99999999-9999-4999-8999-999999999999',
    METAL => '66666666-6666-4666-8666-666666666666');
sub product ($id, $pool, $threshold, $more = '') {
    return "[product $id]\nname = $pool\ngroup = all\npool = $pool\nthreshold = $threshold\nvalidity = 1h\nrenewal-interval = 20m\nactivation-interval = 2h\n$more";
}
my $publisher = publisher(products => [ { id => $product{FLOAT} } ], ini => floating_pack($product{FLOAT}) =~ s/\[product.*//sr
    . "[pool many]\nnumber = 2\nwindow = 2h\n[pool metal]\nnumber = 3\nwindow = 2h\n" . product($product{FLOAT}, 'seats', 1)
    . product($product{MANY}, 'many', 100) . product($product{METAL}, 'metal', 1, "virtual-machines = refuse\n"));
my $appliance = start_appliance(publisher => $publisher)->enable(group => 'all', options => [ '--entitlement', 'edition=Prüfung' ]);
my $other = publisher(dir => "$dir/other", name => 'other');

# With the library of the build, as t/languages/tap.py sets it up.
my @python = ('/usr/bin/python3', '-B', "$SRC/t/languages/tap.py", "$SRC/t/languages/run_cases.py");
my @RUNNERS = (
    [ 'C' => program('run_cases'), 'block' ],
    [ 'C, in steps' => program('run_cases'), 'steps' ],
    [ 'Python' => @python, 'block' ],
    [ 'Python, asyncio' => @python, 'steps' ],
);
my $json = JSON::PP->new->utf8->canonical;

# The table's texts with what they name; its numbers as they are.
sub told ($value, $names) {
    return [ map { told($_, $names) } @$value ] if ref $value eq 'ARRAY';
    return { map { $_ => told($value->{$_}, $names) } keys %$value } if ref $value eq 'HASH';
    return $value if !defined $value || ref $value || $value !~ /\$[A-Z]/;
    return $value =~ s/\$([A-Z]+)/$names->{$1} \/\/ die "no \$$1"/ger;
}

sub fits ($got, $expected) {
    return 0 if !defined $got;
    return $got eq $expected if ref $expected ne 'HASH';
    return $got =~ $expected->{re} if defined $expected->{re};
    return $got =~ /^\d+$/ && $got >= $expected->{from} && $got <= $expected->{to};
}

# What differs between two clients, or from one second to the next.
my %OWN = map { $_ => 1 } qw(cmid expires renew_after next_attempt last_exchange issued batch index header_hash wait count grace_left);
my $cases = $json->decode(slurp("$SRC/t/languages/cases.json"));
my %answers;
for my $runner (@RUNNERS) {
    my ($language, @command) = @$runner;
    my $place = "$dir/" . $language =~ s/\W+/-/gr;
    mkdir $place;
    my $names = { %product, KEY => $publisher->{key}, OTHER => $other->{key}, PORT => $appliance->port,
        HOST => '127.0.0.1:' . $appliance->port, DIR => $place };
    my $pid = open2(my $out, my $in, @command);
    for my $case (@$cases) {
        my @wrong;
        for my $step (@{ $case->{steps} }) {
            my %does = %{ told($step, $names) };
            my $expected = delete $does{is};
            print $in $json->encode(\%does), "\n";
            $in->flush;
            my $line = readline $out;
            my $answer = defined $line ? eval { $json->decode($line) } // {} : {};
            for my $key (sort keys %$expected) {
                next if fits($answer->{$key}, $expected->{$key});
                push @wrong, $json->encode(\%does) . ": $key is " . ($answer->{$key} // 'missing') . ', not ' . $json->allow_nonref->encode($expected->{$key});
            }
            $answer->{$_} = 'its own' for grep { $OWN{$_} } keys %$answer;
            push @{ $answers{$language}{ $case->{case} } }, $json->encode($answer) =~ s/\Q$place\E/its own/gr;
        }
        is(join("\n", @wrong), '', "$language: $case->{case}");
    }
    close $in;
    waitpid $pid, 0;
    is($?, 0, "$language: the program ended well");
}
my ($first, @rest) = map { $_->[0] } @RUNNERS;
for my $language (@rest) {
    is_deeply($answers{$language}{ $_->{case} }, $answers{$first}{ $_->{case} }, "$language answers as $first: $_->{case}") for @$cases;
}
done_testing;
