#!/usr/bin/perl
# What the developer of a product is given: the examples, built from where they are installed with what pkg-config says, shared and static,
# and run; the program of kms(3) and the one at the top of kms.h, built as they are written; the structures of kms(3), which are those of
# kms.h; the static library, whose names are those of kms.map; and the texts for users, as a template that gettext takes.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IPC::Open3;
use KMS::Client;
use KMS::Test qw(run slurp spew workspace);
use Symbol qw(gensym);
use Test::More;

my $root = workspace() . '/root';
my $place = workspace();
delete @ENV{qw(MAKEFLAGS MAKELEVEL MFLAGS DESTDIR)};
my $out = `make -C '$build' install-exec install-includeHEADERS install-pkgconfigDATA install-dist_exampleDATA DESTDIR='$root' 2>&1`;
is($?, 0, 'make install') or BAIL_OUT($out);
my %at = map { m{([^/]+)$} ? ($1 => $_) : () } split /\n/, `find '$root' -type f -o -type l`;
my ($libdir) = $at{'libkms.so'} =~ m{^(.*)/};
$ENV{PKG_CONFIG_SYSROOT_DIR} = $root;
$ENV{PKG_CONFIG_PATH} = "$libdir/pkgconfig";
$ENV{LD_LIBRARY_PATH} = $libdir;
delete @ENV{qw(LC_ALL LC_MESSAGES LANG LANGUAGE)};
my $sanitized = slurp("$build/config.h") =~ /define KMS_SANITIZED 1/;
my $clang = slurp("$build/Makefile") =~ /^CC = .*clang/m;
my $cc = $clang ? 'clang' : 'gcc';
my @strict = (qw(-std=c11 -pedantic -Wall -Wextra -Werror), $sanitized ? '-fsanitize=address,undefined' : ());
chomp(my $flags = `pkg-config --cflags --libs kms`);
chomp(my $static = `pkg-config --static --cflags --libs kms`);

sub compiles ($what, $source) {
    spew("$place/one.c", $source);
    my $r = run([ 'sh', '-c', "$cc @strict -o '$place/one' '$place/one.c' $flags" ]);
    is($r->{exit}, 0, "$what compiles") or diag("$r->{out}$r->{err}");
}

# The examples, in a copy as a developer has it.
ok($at{$_}, "the example $_ is installed") for qw(product.c texts.c loop_poll.c loop_event.c thread.c);
run([ 'cp', '-r', $at{'product.c'} =~ s{/[^/]+$}{}r, "$place/examples" ]);
my $host = standin('long');
my $defines = "-DPUBLISHER_KEY='\"$KMS::Client::key\"' -DPRODUCT='\"$KMS::Client::product\"'";
my $r = run([ 'make', '-C', "$place/examples", "CC=$cc", "CFLAGS=@strict $defines" ]);
is($r->{exit}, 0, 'the examples are built by their Makefile') or diag("$r->{out}$r->{err}");
$r = run([ 'make', '-C', "$place/examples", "CC=$cc", "CFLAGS=@strict $defines", 'loop_event' ]);
is($r->{exit}, 0, 'the one with libevent, too') or diag("$r->{out}$r->{err}");
sub product ($name, @args) { return run([ "$place/examples/$name", @args ]) }
$r = product('product', "$place/a.state", "127.0.0.1:$host->{port}");
is("$r->{exit} $r->{out}", "0 Example Product: this product is licensed. Nothing to do.\nLicensed to Test Customer\n", 'the example is activated') or diag $r->{err};
my ($port, $socket) = dead_port();
$r = product('product', "$place/b.state", "127.0.0.1:$port");
is($r->{exit}, 0, 'without a host it runs in its grace');
like($r->{out}, qr/^Example Product: this product has no licence yet.*^Example Product: no licence server can be reached\. .*^30 days left$/ms, 'and tells its user why');
unlike($r->{out}, qr/KMS_E_|127\.0\.0\.1/, 'nothing for administrators is on the screen');
like($r->{err}, qr/127\.0\.0\.1.*KMS_E_NO_HOST/, 'it is in the log');
SKIP: {
    skip 'a sanitized library is not linked twice', 3 if $sanitized;
    $r = product('product-static', "$place/c.state", "127.0.0.1:$host->{port}");
    is("$r->{exit} $r->{out}", "0 Example Product: this product is licensed. Nothing to do.\nLicensed to Test Customer\n", 'the one with libkms in it, too') or diag $r->{err};
    unlike(run([ 'ldd', "$place/examples/product-static" ])->{out}, qr/libkms/, 'it needs no libkms.so');
    # libc's resolver warns that it is not for static programs; libkms does not use it.
    $r = run([ 'sh', '-c', "$cc -static @strict $defines -o '$place/all' '$place/examples/product.c' $static" ]);
    is($r->{exit}, 0, 'everything is static') or diag $r->{err};
    delete local $ENV{LD_LIBRARY_PATH};
    $r = run([ "$place/all", "$place/d.state", "127.0.0.1:$host->{port}" ]);
    like($r->{out}, qr/^Licensed to Test Customer$/m, 'and activates itself') or diag $r->{err};
}
$r = run([ 'make', '-C', "$place/examples", '-B', "CC=$cc", "CFLAGS=@strict", 'product' ]);
$r = product('product', "$place/e.state");
is($r->{exit}, 2, 'a developer who changed nothing');
like($r->{err}, qr/^Example Product: publisher_key: .* is not a minisign public key/, 'is told which option is wrong');
stop($host);

# Three ways to keep a lease beside the product's own work: a loop of its own, libevent, a thread. The work is to copy lines.
for my $name (qw(loop_poll loop_event thread)) {
    for my $mode (qw(silent good)) {
        my $host = standin($mode);
        my $err = gensym;
        my $pid = open3(my $in, my $out, $err, "$place/examples/$name", "127.0.0.1:$host->{port}");
        print $in "one\n";
        $in->flush;
        is(scalar readline $out, "one\n", "$name, $mode host: it works while it asks");
        like(scalar readline $err, qr/^licence: 127\.0\.0\.1 port \d+: /, "$name: it is activated") if $mode eq 'good';
        print $in "two\n";
        $in->flush;
        is(scalar readline $out, "two\n", "$name: it works on");
        close $in;
        waitpid $pid, 0;
        is($?, 0, "$name: it ends well");
        is(scalar readline $out, "licence 2 at the end\n", "$name: with a lease") if "$name $mode" eq 'thread good';
        is(join(' ', map { $_->{request} } stop($host)), $mode eq 'good' ? '1 3' : '', "$name: what it asked, and its seat is given back");
    }
}

# The texts: each status and licence is in the template, and gettext takes it.
$r = product('texts');
is($r->{exit}, 0, 'the template of texts');
my $header = slurp("$src/libkms/kms_error.h") . slurp("$src/libkms/kms.h");
my %texts = map { $_ => 1 } $r->{out} =~ /^#\. (KMS_\w+)$/mg;
my @ids = grep { $_ ne 'KMS_E_LOCAL' } $header =~ /^\t(KMS_(?:OK|E_\w+)) = \d+,/mg, ($header =~ /^enum kms_licence \{\n(.*?)^\};/ms)[0] =~ /^\t(KMS_\w+) = /mg;
is_deeply([ sort keys %texts ], [ sort @ids ], 'it has each status and each licence');
my @texts = $r->{out} =~ /^msgid "(.+)"$/mg;
my %once;
is_deeply([ grep { $once{$_}++ } @texts ], [], 'each text is there once');
is_deeply([ grep { /["\\]/ } @texts ], [], 'and none needs quoting');

# What is written in the page and in the header is what compiles.
my $page = slurp("$src/doc/kms.3");
my ($example) = $page =~ /^\.Sh EXAMPLES\n.*?^\.Bd [^\n]*\n(.*?)^\.Ed$/ms;
compiles('the example of kms(3)', $example =~ s/\\e/\\/gr);
my ($top) = $header =~ m{^/\*\n \* kms\.h - (.*?)\*/}ms;
my $lines = join '', map { s/^ \*\t//r . "\n" } grep { /^ \*\t/ } split /\n/, $top;
like($lines, qr/kms_open.*kms_activate/s, 'the header has an example');
compiles('the example of kms.h', "#include <kms.h>\n#include <stdio.h>\nint\nmain(void)\n{\n" . $lines . "return 0;\n}\n");

# Structures and their numbers, as the header has them without its comments.
sub plain ($text) { return $text =~ s{/\*.*?\*/}{}gsr =~ s/\s+/ /gr =~ s/ ?([{};=]) ?/$1/gr }
my ($structures) = $page =~ /^\.Sh STRUCTURES\n.*?^\.Bd -literal\n(.*?)^\.Ed$/ms;
my %of = $header =~ /^((?:struct|enum) \w+) (\{\n.*?\n\});$/msg;
my %in_page = $structures =~ /^((?:struct|enum) \w+) (\{\n.*?\n\});$/msg;
is_deeply([ sort keys %in_page ], [ sort grep { $_ ne 'enum kms_status' } keys %of ], 'kms(3) defines each structure');
is(plain($in_page{$_}), plain($of{$_}), "$_ is as in the header") for sort keys %in_page;
my %functions = map { $_ => 1 } slurp("$src/libkms/kms.map") =~ /\b(kms_\w+);/g;
my %named = map { $_ => 1 } ($page =~ /^\.Sh NAME\n(.*?)^\.Sh/ms)[0] =~ /^\.Nm (kms_\w+)/mg;
is_deeply([ sort keys %named ], [ sort keys %functions ], 'kms(3) names each function');
ok($page =~ /^\.F[no] \Q$_\E\b/m, "and shows $_") for sort keys %functions;

# A product may call its own functions what it likes.
my %global = map { $_ => 1 } run([ 'nm', '-g', '--defined-only', "$libdir/libkms.a" ])->{out} =~ /^\S+ [A-Z] (\w+)$/mg;
delete @global{ grep { /^__(?:asan|odr_asan|ubsan)/ } keys %global } if $sanitized;
is_deeply([ sort keys %global ], [ sort keys %functions ], 'libkms.a has the names of kms.map and no more');
done_testing;
