#!/usr/bin/perl
# What the tests run is in the list of ./bootstrap tools, which a check begins with, or in that of the image; and what is in the lists is in those of
# the packages, which ./bootstrap deps and ./bootstrap image install.
use v5.36;
use Test::More;

my $src = $ENV{KMS_SRC} // '.';
chdir $src or die "$src: $!\n";
sub slurp ($path) {
    local (@ARGV, $/) = $path;
    return scalar(<>) // '';
}

my $bootstrap = slurp('bootstrap');
my %listed = map { $_ => 1 } map { split } $bootstrap =~ /^(?:IMAGE_)?TOOLS=\((.*?)^\)/msg;
cmp_ok(scalar keys %listed, '>', 40, 'bootstrap has a list');

# Commands as tests name them: run([ 'x', ...]), qw(x ...), exec 'x', and the first word of a shell's line.
my %used;
for my $file (glob('t/*/*.t'), glob('t/lib/KMS/*.pm'), 't/packages/make_base') {
    my $text = slurp($file);
    $used{$1}{$file} = 1 while $text =~ /\b(?:run|spawn|sh|contained|must|child_run)\(\s*\[?\s*(?:'|qw\()([a-z][\w.+-]*)\b/g;
    $used{$1}{$file} = 1 while $text =~ /\b(?:exec|system)\s*\(?\s*(?:'|qw\()([a-z][\w.+-]*)\b/g;
    for my $some ($text =~ /skip_unless_possible\(qw\((.*?)\)\)/g) { $used{$_}{$file} = 1 for split ' ', $some }
    for my $script ($text =~ /'(?:sh|bash)',\s*'-e?c',\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')/g) {
        next if !defined $script;
        $used{$1}{$file} = 1 while $script =~ /(?:^|&&|\|\|?|;|\bdo\b|\bexec\b)\s*([a-z][\w.+-]*)\b(?!=)/g;
    }
}
# In every Debian: dpkg, libc-bin, coreutils, findutils, grep, sed, tar, gzip, diffutils, util-linux, hostname, the shells; and their own words.
my %everywhere = map { $_ => 1 } qw(cat chmod chown chroot cmp cp cut date dd df diff dirname dpkg du echo env expr false find grep head hostname id kill
    ln ls mkdir mkfifo mktemp mv nproc od printf pwd readlink realpath rm rmdir sed seq sh sha256sum sleep sort stat stty sync tail tar tee test timeout touch
    tr true truncate umask uniq wc xargs yes bash cd exec exit for if then else fi do done while until case esac export set trap ulimit read wait command
    apt-get dpkg-query dpkg-deb ldd);
# Ours.
my %ours = map { $_ => 1 } qw(kmsd kmsctl kmsissue kmsclient);
my @missing = sort grep { !$listed{$_} && !$everywhere{$_} && !$ours{$_} && (grep { -x } "/usr/bin/$_", "/usr/sbin/$_", "/bin/$_", "/sbin/$_") } keys %used;
is(join(', ', map { "$_ (" . join(' ', sort keys %{ $used{$_} }) . ')' } @missing), '', 'every program that the tests run is in it');
cmp_ok(scalar(grep { $listed{$_} } keys %used), '>', 20, 'many of its programs were found in the tests');

# Which package a program is from, here.
SKIP: {
    skip 'no dpkg here', 1 if !-x '/usr/bin/dpkg';
    my %packages = map { $_ => 1 } map { split ' ', s/#.*//rg } $bootstrap =~ /^(?:BUILD|DEB|TEST|IMAGE)_PACKAGES=\((.*?)^?\)/msg;
    # They come with one of the list, or with a name of Debian's own.
    my %with = (gcc => 'build-essential', make => 'build-essential', binutils => 'build-essential', 'bind9-utils' => 'bind9', 'python3-minimal' => 'python3-nacl',
        pkgconf => 'pkg-config', 'pkgconf-bin' => 'pkg-config', 'perl-base' => 'perl', 'clang-14' => 'clang', 'clang-format-14' => 'clang-format', 'libtool-bin' => 'libtool');
    my @stray;
    for my $tool (sort keys %listed) {
        my ($path) = grep { -x } map { "$_/$tool" } '/usr/bin', '/usr/sbin', '/bin', '/sbin' or next;
        my ($owner) = map { /^([^:,\s]+)/ ? $1 : () } grep { !/^diversion/ } `dpkg -S $path 2>/dev/null`, `dpkg -S $path 2>/dev/null || dpkg -S \$(readlink -f $path) 2>/dev/null`, `dpkg -S @{[ $path =~ s{^/usr}{}r ]} 2>/dev/null`;
        next if !defined $owner;
        push @stray, "$tool ($owner)" if !$packages{ $with{$owner} // $owner } && !$packages{$owner};
    }
    is(join(' ', @stray), '', 'and ./bootstrap deps installs what it is from');
}
done_testing;
