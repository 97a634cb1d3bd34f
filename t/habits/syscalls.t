#!/usr/bin/perl
# kmsd's own list of system calls is inherited by the processes that it starts later: what their lists allow has to be in it.
use v5.36;
use Test::More;

my $src = $ENV{KMS_SRC} // '.';

sub slurp ($file) { local (@ARGV, $/) = $file; return scalar <> }

# Every name in the arrays of these names.
sub listed ($file, @arrays) {
    my $text = slurp("$src/kmsd/$file") =~ s{/\*.*?\*/}{}grs =~ s/^#ifdef KMS_SANITIZED.*?^#endif//gmrs;
    return map {
        my ($names) = $text =~ /\b$_\[\] = \{(.*?)\}/s or die "$file: no $_";
        $names =~ /"([^"]+)"/g
    } @arrays;
}

my %wider = ('sendto@connected' => 'sendto@plain');
for my $case (
    [ [ 'supervisor/supervisor_confine.c', 'allowed' ], [ 'front/front_confine.c', 'allowed' ] ],
    [ [ 'supervisor/supervisor_confine.c', 'allowed', 'allowed_connecting' ], [ 'front/front_confine.c', 'allowed', 'allowed_relaying' ] ],
    [ [ 'supervisor/supervisor_confine.c', 'allowed' ], [ 'web/web_confine.c', 'allowed' ] ],
    [ [ 'supervisor/supervisor_confine.c', 'allowed', 'allowed_connecting' ], [ 'resolve/resolve_confine.c', 'allowed' ] ],
    [ [ 'supervisor/supervisor_confine.c', 'allowed', 'allowed_connecting' ], [ 'share/share_confine.c', 'allowed' ] ],
) {
    my ($kmsd, $child) = @$case;
    my %has = map { $_ => 1 } listed(@$kmsd), listed('common/seccomp.c', 'confine_base_calls');
    my @need = listed(@$child);
    cmp_ok(scalar @need, '>', 5, "@$child: a list");
    my @missing = grep { !$has{$_} && !$has{ s/@.*//r } && !$has{ $wider{$_} // '' } } @need;
    is("@missing", '', "@$child: all of it in kmsd's list");
}
done_testing;
