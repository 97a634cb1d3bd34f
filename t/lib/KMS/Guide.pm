package KMS::Guide;
# A guide of doc/, followed: its ini blocks make kms.ini, its sh blocks are run line by line, and what happens between them
# (<!-- ... -->) is the test's to do. Blocks of another kind (bat) are for another machine. The places that a guide names are directories of
# the test's, and systemctl is a script that starts, reloads and stops the real kmsd.
#
#   my $g = KMS::Guide->new(place => { '192.0.2.53' => '127.0.0.1' });
#   $g->dir, $g->placed($text), $g->work ("DIR/work": where commands run)
#   my $commands = $g->follow("$SRC/doc/x-guide.md", { 'what happens' => sub { ... } });
#   $g->stop
use v5.36;
use KMS::Test;
use Test::More;

# A network of the test's own: call it first. More of unshare's options may be given.
sub apart ($class, @more) {
    return if $ENV{KMS_GUIDE_APART};
    $ENV{KMS_GUIDE_APART} = 1;
    exec 'unshare', '--net', @more, 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', $^X, $0 or die "unshare: $!";
}

sub new ($class, %opt) {
    my $dir = workspace();
    my $self = bless { dir => $dir, place => $opt{place} // {} }, $class;
    mkdir "$dir/$_" for qw(etc etc/kms bin work);
    $self->script('kmsctl', "exec @{[ program('kmsctl') ]} -c $dir/etc/kms/kms.ini \"\$@\"\n");
    $self->script('systemctl', <<"SH");
# start|stop|restart|reload of kmsd; enabled units are not this test's.
case \$1 in
start) test ! -e $dir/pid || ! kill -0 \$(cat $dir/pid) 2>/dev/null || exit 0
	@{[ program('kmsd') ]} -f $dir/etc/kms/kms.ini -L $BUILD >>$dir/log 2>&1 </dev/null & echo \$! >$dir/pid
	for i in \$(seq 300); do kmsctl status >/dev/null 2>&1 && exit 0; sleep 0.05; done; exit 1 ;;
stop) test -e $dir/pid || exit 0; p=\$(cat $dir/pid); kill \$p; while kill -0 \$p 2>/dev/null; do sleep 0.05; done; rm $dir/pid ;;
restart) \$0 stop kmsd && \$0 start kmsd ;;
reload) kill -HUP \$(cat $dir/pid) ;;
*) echo enabled ;;
esac
SH
    $ENV{PATH} = "$dir/bin:$ENV{PATH}";
    return $self;
}

sub DESTROY ($self) { local $?; $self->stop }
sub dir ($self) { $self->{dir} }
sub work ($self) { "$self->{dir}/work" }
sub ini ($self) { "$self->{dir}/etc/kms/kms.ini" }
sub log ($self) { -e "$self->{dir}/log" ? slurp("$self->{dir}/log") : '' }
sub stop ($self) { system 'systemctl', 'stop', 'kmsd' if -e "$self->{dir}/pid" }

sub script ($self, $name, $text) {
    chmod 0755, spew("$self->{dir}/bin/$name", "#!/bin/sh\n$text") or die;
}

# What a guide calls by its usual place.
sub placed ($self, $text) {
    my $dir = $self->{dir};
    $text =~ s{/etc/kms\b}{$dir/etc/kms}g;
    $text =~ s{/var/lib/kms\b}{$dir/state}g;
    $text =~ s{/root/kms-backup}{$dir/kms-backup}g;
    $text =~ s/\Q$_\E/$self->{place}{$_}/g for keys %{ $self->{place} };
    return $text;
}

# The first ini block begins the file; each further one is added to it, as its reader would.
sub write_ini ($self, $block) {
    my $dir = $self->{dir};
    my $have = -e $self->ini ? slurp($self->ini)
        : "[kms]\nstate_directory = $dir/state\nruntime_directory = $dir/run\nactivate_user = nobody\nfront_user = daemon\n"
        . "[limits]\nrenewals_per_interval = 1000000\n[ledger]\nsegment_size = 1M\nmap_size = 16M\n";
    spew($self->ini, $have . $self->placed($block));
}

# How many commands were run.
sub follow ($self, $guide, $does) {
    my ($commands, %done) = (0);
    my $text = slurp($guide);
    while ($text =~ /^```(\w+)\n(.*?)^```$|^<!-- (.*?) -->$/msg) {
        my ($kind, $block, $happens) = ($1, $2, $3);
        if (defined $happens) {
            ok($does->{$happens}, "the test knows: $happens") or next;
            $does->{$happens}->();
            $done{$happens}++;
        } elsif ($kind eq 'ini') {
            $self->write_ini($block);
        } elsif ($kind eq 'sh') {
            for my $line (grep { length } split /\n/, $block) {
                my $r = run([ 'sh', '-c', "cd $self->{dir}/work && " . $self->placed($line) ]);
                is($r->{exit}, 0, $line) or diag("$r->{out}$r->{err}" . $self->log);
                $self->{said}{$line} = $r->{out};
                $commands++;
            }
        }
    }
    is(join(' | ', sort keys %done), join(' | ', sort keys %$does), 'everything between them happened');
    return $commands;
}

# What a command printed, the last time.
sub said ($self, $line) { $self->{said}{$line} // '' }

1;
