#!/usr/bin/perl
# What bash and zsh offer for kmsctl, kmsissue, kmsclient and kmsd: every command and option of the programs' tables, files by
# their endings, and words that only this machine knows. Real shells; each option that is offered is one that the program takes.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Path qw(make_path);
use KMS::Test;
use Test::More;

-x '/usr/bin/zsh' || -x '/bin/zsh' or BAIL_OUT('needs zsh: ./bootstrap deps');
my $dir = workspace();
my %program = map { ($_ => program($_)) } qw(kmsctl kmsissue kmsclient kmsd);
make_path("$dir/bin", "$dir/files/folder");
symlink $program{$_}, "$dir/bin/$_" or die "$_: $!" for keys %program;
$ENV{PATH} = "$dir/bin:$ENV{PATH}";
spew("$dir/files/$_", '') for qw(a.kmspolicy a.kmspolicy.minisig a.kmskey a.kmscert a.kmsreq a.pub a.ini);
chdir "$dir/files" or die;

# The tables: { command => { value, options => [...] } }, "" for what all take.
sub tables ($name) {
    my %t = ('' => { options => [] });
    for my $row (split /\n/, run([ $program{$name}, '--completion' ])->{out}) {
        my ($kind, $words, $option, $value, $text) = split /\t/, $row, -1;
        $t{$words}{value} = $value if $kind eq 'c';
        push @{ $t{$words}{options} }, $option if $kind eq 'o';
    }
    return \%t;
}

# line => [ words ], for each of the lines.
sub zsh (@lines) {
    my $r = run([ 'zsh', '-f', "$SRC/t/lib/complete.zsh", 'zsh', "$BUILD/etc/completion", @lines ]);
    is($r->{exit}, 0, 'zsh answers') or diag($r->{err});
    my (%offered, $line);
    for (split /\n/, $r->{out}) {
        if (s/^> //) { $offered{ $line = $_ } = [] }
        else { push @{ $offered{$line} }, $_ }
    }
    return \%offered;
}
sub bash (@lines) {
    my %offered;
    my $script = '';
    $script .= ". '$BUILD/etc/completion/$_'; " for sort keys %program;
    $script .= 'for line; do read -ra COMP_WORDS <<<"$line"; [[ $line != *" " ]] || COMP_WORDS+=(""); COMP_CWORD=$((${#COMP_WORDS[@]} - 1));'
        . ' echo "> $line"; _${COMP_WORDS[0]} "${COMP_WORDS[0]}"; printf "%s\n" "${COMPREPLY[@]}"; done';
    my $r = run([ 'bash', '--norc', '-c', $script, 'bash', @lines ]);
    is($r->{err}, '', 'bash has nothing to complain of');
    my $line;
    for (split /\n/, $r->{out}) {
        if (s/^> //) { $offered{ $line = $_ } = [] }
        elsif (length) { push @{ $offered{$line} }, $_ }
    }
    return \%offered;
}
my %shells = (bash => \&bash, zsh => \&zsh);

sub plain (@words) { my %seen; return [ sort grep { !$seen{$_}++ } @words ] }

for my $name (sort keys %program) {
    subtest "$name: every command and option" => sub {
        my $t = tables($name);
        my %second;
        push @{ $second{ (split / /)[0] } }, (split / /)[1] // () for grep { length } keys %$t;
        my @first = map { "$name $_ -" =~ s/  / /r } sort keys %$t;
        my @lines = (@first, %second ? "$name " : (), map { "$name $_ " } grep { @{ $second{$_} } } sort keys %second);
        for my $shell (sort keys %shells) {
            my $offered = $shells{$shell}->(@lines);
            for my $words (sort keys %$t) {
                my $line = "$name $words -" =~ s/  / /r;
                is_deeply(plain(@{ $offered->{$line} }), plain(@{ $t->{''}{options} }, @{ $t->{$words}{options} // [] }), "$shell: $line")
                    or diag(explain $offered->{$line});
            }
            is_deeply(plain(@{ $offered->{"$name "} }), plain(keys %second), "$shell: the commands") if %second;
            is_deeply(plain(@{ $offered->{"$name $_ "} }), plain(@{ $second{$_} }), "$shell: $_ what?")
                for grep { @{ $second{$_} } } sort keys %second;
        }
    };
}

subtest 'the tables are the programs\'' => sub {
    my $t = tables('kmsctl');
    my $help = json_of(run([ $program{kmsctl}, qw(help --json) ]))->{commands};
    is_deeply(plain(grep { length } keys %$t), plain(map { join ' ', grep { defined } @$_{qw(noun verb)} } @$help), 'kmsctl\'s commands');
    for my $c (@$help) {
        my $words = join ' ', grep { defined } @$c{qw(noun verb)};
        my @usage = $c->{usage} =~ /(?<![\w-])(--?[a-z]+(?:-[a-z]+)*)/g;
        is_deeply(plain(grep { $_ ne '--output' } @{ $t->{$words}{options} // [] }), plain(@usage), "the options of kmsctl $words");
    }
    # A value is missing, or the command is: never the option.
    for my $name (qw(kmsctl kmsclient kmsissue)) {
        my $table = tables($name);
        for my $words (sort keys %$table) {
            for my $option (@{ $table->{$words}{options} // [] }) {
                my @command = $name eq 'kmsissue' && $words eq '' ? () : split / /, $words;
                next if !@command && $name eq 'kmsissue';
                my $r = run([ $program{$name}, @command, $option, '/none/such', '--nonsense' ]);
                my $letter = substr $option, 1;
                unlike($r->{err}, qr/(?:no such|unrecognized|invalid) option[^\n]*(?:\Q$option\E|-- '\Q$letter\E')(?![\w-])/, "$name $words takes $option")
                    or diag($r->{err});
            }
        }
    }
    my $usage = run([ $program{kmsd}, '-?' ])->{err};
    is_deeply(plain(map { s/-//r } @{ tables('kmsd')->{''}{options} }), plain($usage =~ /\[-(\w)[ \]]/g, map { split // } $usage =~ /\[-(\w\w+)\]/),
        'kmsd\'s options are those of its usage');
    my $said = run([ $program{kmsd}, '--help' ]);
    is($said->{exit}, 0, 'kmsd --help');
    is_deeply(plain($said->{out} =~ /^  -(\w) /mg), plain(map { s/-//r } @{ tables('kmsd')->{''}{options} }), 'and those of its help');
    is(run([ $program{kmsd}, '--version' ])->{out}, run([ $program{kmsd}, '-V' ])->{out}, 'kmsd --version');
    my %all = map { ($_ => 1) } map { @{ $_->{options} // [] } } values %$t;
    ok($all{"--$_"}, "--$_ of the manual pages is offered") for @{ plain(join('', map { slurp($_) } glob "$SRC/doc/kmsctl*.8") =~ /\bFl -([a-z]+(?:-[a-z]+)*)/g) };
};

subtest 'values and arguments' => sub {
    my $p = publisher();
    my $a = start_appliance(publisher => $p, fronts => 1);
    $a->enable;
    my ($key) = slurp("$p->{dir}/customer.kmskey") =~ /^id = (\S+)$/m;
    my $ini = $a->ini;
    my %want = (
        'kmsctl key install ' => [qw(a.kmskey folder)],
        'kmsctl key confirm ' => [qw(a.kmscert folder)],
        'kmsctl policy install a' => ['a.kmspolicy'],
        'kmsctl config check a.i' => ['a.ini'],
        'kmsctl ledger backup f' => ['folder'],
        'kmsctl --config a.i' => ['a.ini'],
        'kmsctl plan --root ' => ['folder'],
        'kmsctl dns show --format ' => [qw(dnsmasq powershell zone)],
        'kmsctl --json dns show --format z' => ['zone'],
        'kmsctl clients --limit ' => [],
        'kmsctl clients --limit 3 --cl' => ['--clones'],
        "kmsctl -c $ini audit export --publisher " => ['acme'],
        "kmsctl --config $ini key remove " => [$key],
        'kmsctl explain KMS_E_COUNT' => ['KMS_E_COUNT_TOO_LOW'],
        'kmsctl help fire' => ['firewall'],
        'kmsctl key show ' => [],
        'kmsissue confirm ' => [qw(a.kmsreq folder)],
        'kmsissue confirm --policy ' => [qw(a.kmspolicy folder)],
        'kmsissue init ' => ['folder'],
        'kmsissue show -P ' => [qw(a.pub folder)],
        'kmsissue re' => [qw(revocations revoke)],
        'kmsclient --vm ' => [qw(auto no yes)],
        'kmsclient --publisher-key ' => [qw(a.pub folder)],
        'kmsclient --vm auto ver' => [qw(verify verify-evidence verify-lease)],
        'kmsd -f a.i' => ['a.ini'],
        'kmsd -L ' => ['folder'],
    );
    for my $shell (sort keys %shells) {
        my $offered = $shells{$shell}->(sort keys %want);
        is_deeply(plain(map { s{/$}{}r } @{ $offered->{$_} }), $want{$_}, "$shell: $_") or diag(explain $offered->{$_}) for sort keys %want;
    }
    # Names with blanks are quoted.
    my $line = "kmsctl -c $ini clients --product Example";
    is_deeply(plain(@{ $shells{$_}->($line)->{$line} }), [ 'Example\\ Server', 'Example\\ Writer' ], "$_: products") for sort keys %shells;
    is($a->stop, 0, 'kmsd stops');
    $line = "kmsctl -c $ini key remove ";
    is_deeply($shells{$_}->($line)->{$line}, [], "$_: nothing, and no complaint, while kmsd is down") for sort keys %shells;
    $line = 'kmsctl dns show --format=z';
    is_deeply(zsh($line)->{$line}, ['zone'], "zsh: --option=value");
};

subtest 'typed into bash' => sub {
    my $ini = spew("$dir/dns.ini", "[dns]\ndomains = example.com\nhost = kms.example.com\n");
    my $out = "$dir/typed";
    my $r = run([ 'zsh', '-f', "$SRC/t/lib/complete.zsh", 'bash', "$BUILD/etc/completion/kmsctl",
        "kmsctl -c $ini dn\tsh\t--form\tdns\t> $out" ]);
    is($r->{exit}, 0, 'it comes to its end') or diag($r->{err});
    like(slurp($out), qr/^srv-host=_kms\._tcp\.example\.com,kms\.example\.com,/m, 'four tabs make a command of it');
    $r = run([ 'zsh', '-f', "$SRC/t/lib/complete.zsh", 'bash', "$BUILD/etc/completion/kmsctl", "kmsctl -c $ini dns show --format=po\t> $out" ]);
    is($r->{exit}, 0, 'and --option=value') or diag($r->{err});
    like(slurp($out), qr/Add-DnsServerResourceRecord/, 'does too');
};
chdir '/';    # the workspace is removed
done_testing;
