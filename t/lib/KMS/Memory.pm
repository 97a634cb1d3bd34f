package KMS::Memory;
# Searches for secrets: in the memory of processes (root may), in files. As a test:
#
#   my $needles = needles(NAME => OCTETS, ...)      halves of each, also as digits: the names that are found say which
#   found_in($needles, $text), in_memory($pid, $needles, \my $size)     names of what is there
#   memory_is_clean($pid, $needles, $what), files_are_clean($dir, $needles, $what)      tests
#   files_below($dir), dump_memory($pid, $file), in_disk($image, $needles)
use v5.36;
no warnings 'portable';    # addresses of 64 bits
use Exporter qw(import);
use Fcntl qw(SEEK_SET);
use File::Find qw(find);
use KMS::Test;
use Test::More;

our @EXPORT = qw(needles found_in in_memory memory_is_clean files_below files_are_clean dump_memory in_disk);

# Halves too, so that a piece is found; and as digits, as a log would have it.
sub needles (%of) {
    my %out;
    for my $what (keys %of) {
        my $half = int(length($of{$what}) / 2);
        my ($a, $b) = (substr($of{$what}, 0, $half), substr($of{$what}, $half));
        @out{ "$what (first half)", "$what (second half)" } = ($a, $b);
        @out{ "$what in hexadecimal (first half)", "$what in hexadecimal (second half)" } = map { unpack 'H*', $_ } $a, $b;
    }
    return \%out;
}

sub found_in ($needles, $text) { return grep { index($text, $needles->{$_}) >= 0 } sort keys %$needles }

# Calls with each piece of a process's memory that can be read, its address and the name of its mapping; undef, or why not.
sub memory_pieces ($pid, $with) {
    open my $maps, '<', "/proc/$pid/maps" or return "/proc/$pid/maps: $!";
    my @maps = <$maps> or return "/proc/$pid/maps: $!";
    open my $mem, '<:raw', "/proc/$pid/mem" or return "/proc/$pid/mem: $!";
    for (@maps) {
        my ($from, $to, $name) = /^([0-9a-f]+)-([0-9a-f]+) (?:\S+ ){4}\s*(.*)$/ or die $_;
        next if $name =~ /^\[v(?:var|syscall|var_vclock)\]$/;
        ($from, $to) = (hex $from, hex $to);
        next if $to - $from > 2**31;    # a sanitizer's shadow
        while ($from < $to) {
            my $want = $to - $from < 2**20 ? $to - $from : 2**20;
            sysseek $mem, $from, SEEK_SET;
            my $piece;
            my $n = sysread($mem, $piece, $want);
            if (!$n) { $from += 4096; next }    # a guard page
            $with->($piece, $from, $name);
            $from += $n;
        }
    }
    return undef;
}

# A search that is given one piece after the other with its place, and finds what goes from one into the next.
sub piecewise ($needles, $found) {
    my ($overlap, $next);
    return sub ($piece, $from) {
        $overlap = '' if !defined $next || $next != $from;
        $found->{$_} = 1 for found_in($needles, $overlap . $piece);
        $overlap = substr $piece, -128;
        $next = $from + length $piece;
    };
}

# Names of what is found in a process's memory; its size goes to $size.
sub in_memory ($pid, $needles, $size = \my $unused) {
    my %found;
    my $search = piecewise($needles, \%found);
    my $why = memory_pieces($pid, sub ($piece, $from, $name) {
        $search->($piece, $from);
        $$size += length $piece;
    });
    return $why // sort keys %found;
}

# The same in a large file, of a disk: blocks that no file has any more too.
sub in_disk ($file, $needles) {
    my (%found, $piece);
    my $search = piecewise($needles, \%found);
    open my $fh, '<:raw', $file or return "$file: $!";
    for (my $from = 0; my $n = sysread $fh, $piece, 2**20; $from += $n) {
        $search->($piece, $from) if $piece =~ /[^\0]/;
    }
    return sort keys %found;
}

# Writes what is no file's.
sub dump_memory ($pid, $file) {
    open my $out, '>:raw', $file or die "$file: $!";
    my $why = memory_pieces($pid, sub ($piece, $from, $name) { print {$out} $piece if $name !~ m{/} });
    close $out or die "$file: $!";
    return $why;
}

sub memory_is_clean ($pid, $needles, $what) {
    if ($> != 0) {
        my $opened = open my $mem, '<', "/proc/$pid/mem";
        return ok(!$opened, "$what: its user cannot read its memory") if $what !~ /^kmsd,/;
    }
    my $size = 0;
    my @found = in_memory($pid, $needles, \$size);
    is("@found", '', "$what: nothing in its memory");
    cmp_ok($size, '>', 2**18, "$what: $size octets were searched");
}

sub files_below ($dir) {
    my @files;
    find({ no_chdir => 1, wanted => sub { push @files, $_ if -f } }, $dir);
    return @files;
}

sub files_are_clean ($dir, $needles, $what) {
    my @files = files_below($dir);
    cmp_ok(scalar @files, '>', 0, "$what: " . @files . ' files');
    for my $file (@files) {
        my @found = found_in($needles, slurp($file));
        is("@found", '', "$what: nothing in " . substr $file, length($dir) + 1);
    }
}

1;
