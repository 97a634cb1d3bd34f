package KMS::Clock;
# A clock that the test sets, for processes that run: days pass at once, and nothing is waited for.
#
#   my $clock = KMS::Clock->start;     from now on all processes that this test starts have it (clock_ahead.c is preloaded)
#   start_appliance(environment => $clock->environment, ...)    so do kmsd's children, to which kmsd hands no environment
#   $clock->to($time)                  the clock shows this now, and goes on
#   $clock->now
#   $clock->late($seconds, sub { ... })    what is started in there has a clock that is so much late
# The test's own time() stays the machine's.
use v5.36;
use KMS::Test;

sub start ($class) {
    my ($library) = grep { -e } "$BUILD/.libs/libclockahead.so", "$BUILD/libclockahead.so";
    $library // die "libclockahead.so is not built: make all check_PROGRAMS check_LTLIBRARIES\n";
    my $self = bless { file => workspace() . '/ahead', library => $library, ahead => 0, asan => $ENV{ASAN_OPTIONS} }, $class;
    write_ahead($self->{file}, 0);
    chmod 0644, $self->{file};
    $ENV{$_} = $self->environment->{$_} for keys %{ $self->environment };
    return $self;
}

# The processes have mapped the file: it is changed in place.
sub write_ahead ($file, $seconds) {
    open my $fh, '+>>', $file or die "$file: $!\n";
    close $fh;
    open $fh, '+<:raw', $file or die "$file: $!\n";
    syswrite($fh, pack 'q', $seconds) == 8 or die "$file: $!\n";
}

sub environment ($self) {
    return { LD_PRELOAD => $self->{library}, KMS_CLOCK_AHEAD => $self->{file},
        # The sanitizers' libraries come after a preloaded one.
        ASAN_OPTIONS => join ':', $self->{asan} // (), 'verify_asan_link_order=0' };
}

sub now ($self) { return time + $self->{ahead} }

sub to ($self, $time) {
    $self->{ahead} = $time - time;
    write_ahead($self->{file}, $self->{ahead});
}

sub late ($self, $seconds, $what) {
    my $file = "$self->{file}.late";
    write_ahead($file, $self->{ahead} - $seconds);
    local $ENV{KMS_CLOCK_AHEAD} = $file;
    return $what->();
}

1;
