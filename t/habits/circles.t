#!/usr/bin/perl
# No circles of files: a .c file and its header are one unit, a unit points to the units whose headers it includes, and no unit leads back
# to itself.
use v5.36;
use File::Basename qw(dirname);
use Test::More;

my $src = $ENV{KMS_SRC} // '.';
chdir $src or die "$src: $!\n";

# The context header of a process knows the rooms of the process, and they know it: it has the one struct that main() owns.
my %context = map { $_ => 1 } qw(kmsd/front/front.h kmsd/activate/activate.h);
# Circles that are known and are to go.
my @known = ();

my @files = map { s{^\./}{}r } split /\n/, `find . \\( -path './build*' -o -path './.git' -o -path './t' -o -path './kmsd-[0-9]*' -o -path './_build' \\) -prune -o -name '*.[ch]' -print`;
my %file = map { $_ => 1 } @files;
cmp_ok(scalar @files, '>', 300, 'the C files and headers are there');
is_deeply([ grep { !$file{$_} } sort keys %context ], [], 'the context headers are there');

sub unit ($path) { $path =~ s/\.[ch]$//r }

sub slurp ($path) {
    local (@ARGV, $/) = $path;
    return <>;
}

my %edges;
for my $path (grep { !$context{$_} } @files) {
    for my $name (slurp($path) =~ /^\s*#\s*include\s+"([^"]+)"/mg) {
        my ($found) = grep { $file{$_} } $name, dirname($path) . "/$name";
        $edges{ unit($path) }{ unit($found) } = 1 if defined $found && !$context{$found} && unit($found) ne unit($path);
    }
}

# Tarjan's strongly connected components.
my (%index, %low, %on, @stack, @circles);

sub visit ($unit) {
    $index{$unit} = $low{$unit} = scalar keys %index;
    push @stack, $unit;
    $on{$unit} = 1;
    for my $next (sort keys %{ $edges{$unit} // {} }) {
        visit($next) if !defined $index{$next};
        $low{$unit} = $low{$next} if $on{$next} && $low{$next} < $low{$unit};
    }
    return if $low{$unit} != $index{$unit};
    my @circle;
    do { push @circle, pop @stack; delete $on{ $circle[-1] } } until $circle[-1] eq $unit;
    push @circles, join ' ', sort @circle if @circle > 1;
}
no warnings 'recursion';
visit($_) for grep { !defined $index{$_} } sort keys %edges;
cmp_ok(scalar keys %index, '>', 200, 'includes lead from unit to unit');

my %is_known = map { $_ => 1 } @known;
is_deeply([ grep { !$is_known{$_} } @circles ], [], 'no circle of files') or diag('the units of a circle include each other');
my %now = map { $_ => 1 } @circles;
is_deeply([ grep { !$now{$_} } @known ], [], 'each known circle still exists; otherwise remove it from the list');
done_testing;
