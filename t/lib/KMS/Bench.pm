# Bench - what a benchmark has measured: numbers of several rounds by name, medians with their spread, and the table of figures
# with what accepts (the bar) and what is tried for (the goal).
#
#   my $b = KMS::Bench->new;
#   $b->note('echo', 81234);                            # once in each round
#   $b->figure('renewals / echo', 'ratio', '>=', 0.72, 0.85);
package KMS::Bench;

use v5.36;
use List::Util qw(min max);

# A ratio to something that is not steady says nothing.
use constant BUSY => 0.25;

sub new ($class) { return bless { seen => {}, figures => [], busy => undef }, $class }

sub note ($self, $name, $value) { push @{ $self->{seen}{$name} }, $value }
sub seen ($self, $name) { return defined $self->{seen}{$name} }
sub last ($self, $name) { return $self->{seen}{$name}[-1] }

# Of the last round; a machine may be slower in one round than in another.
sub note_ratio ($self, $name, $above, $below) { $self->note($name, $self->last($above) / $self->last($below)) }

sub median ($self, $name) {
    my @sorted = sort { $a <=> $b } @{ $self->{seen}{$name} };
    return $sorted[ @sorted / 2 ];
}

sub ends ($self, $name) { return (min(@{ $self->{seen}{$name} }), max(@{ $self->{seen}{$name} })) }

# Of its median.
sub spread ($self, $name) {
    my ($least, $most) = $self->ends($name);
    return ($most - $least) / $self->median($name);
}

# The yardstick decides whether a figure of this run can be met at all.
sub yardstick ($self, $name) { $self->{busy} = $self->spread($name) > BUSY }

sub line ($self, $text, $name, $unit = '') {
    return if !$self->seen($name);
    printf "  %-58s %10.4g %-5s (%.4g .. %.4g)\n", $text, $self->median($name), $unit, $self->ends($name);
}

sub reached ($value, $how, $limit) { return $how eq '>=' ? $value >= $limit : $value <= $limit }

# goal: undef, there is only a bar.
sub verdict ($self, $value, $how, $bar, $goal) {
    return 'machine too busy' if $self->{busy};
    return 'MISSED' if !reached($value, $how, $bar);
    return defined $goal && reached($value, $how, $goal) ? 'goal met' : 'met';
}

sub figure ($self, $text, $name, $how, $bar, $goal = undef) {
    return if !$self->seen($name);
    my $value = $self->median($name);
    my $verdict = $self->verdict($value, $how, $bar, $goal);
    push @{ $self->{figures} }, { text => $text, name => $name, value => $value, ends => [ $self->ends($name) ], how => $how,
        bar => $bar, goal => $goal, verdict => $verdict };
    printf "  %-58s %10.3f       (%.3f .. %.3f)  bar %s %s%s: %s\n", $text, $value, $self->ends($name), $how, $bar,
        defined $goal ? ", goal $goal" : '', $verdict;
}

sub missed ($self) { return scalar grep { $_->{verdict} !~ /met$/ } @{ $self->{figures} } }

# One line for each measurement and each figure, for t/bench/plot: kind, name, median, least, most, and of a figure bar, goal, verdict.
sub write_results ($self, $path, %about) {
    open my $out, '>', $path or die "$path: $!\n";
    say {$out} join "\t", 'about', $_, $about{$_} for sort keys %about;
    say {$out} join "\t", 'seen', $_, $self->median($_), $self->ends($_) for sort keys %{ $self->{seen} };
    say {$out} join "\t", 'figure', $_->{text}, $_->{value}, @{ $_->{ends} }, "$_->{how} $_->{bar}", $_->{goal} // '-', $_->{verdict}
        for @{ $self->{figures} };
    close $out or die "$path: $!\n";
}

1;
