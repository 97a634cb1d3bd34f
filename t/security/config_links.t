#!/usr/bin/perl
# kms.ini is read as text by kmsd and kmsctl alone: the processes that the network reaches hold no
# parser of it, in the executables themselves.
use v5.36;
use Test::More;

my $build = $ENV{KMS_BUILD} // 'build';

# libtool may leave a wrapper script at the top of the build directory.
sub executable ($name) {
    my ($base) = $name =~ m{([^/]+)$};
    my $libs = $name =~ s{([^/]+)$}{.libs/$1}r;
    return (grep { -x && -f && `head -c4 $_` eq "\x7fELF" } "$build/$libs", "$build/$name")[0] // die "$base is not built in $build\n";
}

sub symbols ($file) { return map { (split)[-1] // () } `nm -a $file 2>/dev/null`, `nm -D $file` }
sub needed ($file) { return map { /\(NEEDED\).*\[(.*)\]/ ? $1 : () } `readelf -dW $file` }

my $text = qr/^(?:config_(?:parse|load|print|value_)|ini_parse)/;
my $kmsd = executable('kmsd/supervisor/kmsd');
ok(scalar(grep { /^config_load$/ } symbols($kmsd)), 'nm sees the parser of kms.ini in kmsd');
ok(scalar(grep { /^libinih\b/ } needed($kmsd)), 'and readelf that kmsd links inih');

for my $program (qw(kmsd-front kmsd-resolve kmsd-activate)) {
    my @symbols = symbols(executable($program));
    ok(scalar(grep { $_ eq 'config_decode' } @symbols), "$program: takes its values from kmsd");
    is(join(' ', grep { /^config_(?:parse|load|print|value_)/ } @symbols), '', "$program: no parser of kms.ini");
}
# kmsd-activate reads the files of publishers with it.
for my $program (qw(kmsd-front kmsd-resolve)) {
    my $file = executable($program);
    is(join(' ', grep { /^libinih\b/ } needed($file)), '', "$program does not link inih");
    is(join(' ', grep { $_ =~ $text } symbols($file)), '', "$program: no symbol of it");
}

done_testing;
