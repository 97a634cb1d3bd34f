# Client.pm - what the client's integration tests share: a directory of their
# own, the stand-in host as a child, kmsclient run with --json.
package KMS::Client;
use v5.36;
use Exporter 'import';
use File::Temp;
use IO::Handle;
use IO::Socket::INET;
use IPC::Open2;
use JSON::PP;
use POSIX ();

our @EXPORT = qw($src $build $dir standin stop kmsclient dead_port);
our $src = $ENV{KMS_SRC} // '.';
our $build = $ENV{KMS_BUILD} // 'build';
our $dir = File::Temp->newdir('kms-client-XXXXXX', TMPDIR => 1);
our $key;
our $product = '6f1d2c3b-4a59-4687-9abc-def012345678';
my %running;

# A stand-in host (t/lib/standin.c), ready when this returns.
sub standin (@args) {
    my $pid = open2(my $out, my $in, "$build/t/lib/standin", @args);
    my $line = <$out> // die "standin did not start\n";
    my ($port, $k) = $line =~ /^(\d+) (RW\S+)$/ or die "standin said: $line";
    $key = $k;
    return $running{$pid} = { pid => $pid, in => $in, out => $out, port => $port };
}

# Ends it; returns the requests it noted.
sub stop ($host) {
    close $host->{in};
    my @lines = readline $host->{out};
    waitpid $host->{pid}, 0;
    delete $running{ $host->{pid} };
    chomp @lines;
    return map { { /(\w+) (\S+)/g } } @lines;
}

# Runs kmsclient; a hash of its JSON, with exit code and standard error.
sub kmsclient ($command, @args) {
    my @file = ref $command ? @$command : ($command);
    my @run = ("$build/kmsclient", '--json', '-k', $key // 'RW', '-p', $product, '-s', "$dir/state",
        '-N', 'tester', '--vm', 'no', '--connect-timeout', 5, '--reply-timeout', 5, @args, @file);
    pipe my $read, my $write or die;
    my $pid = fork // die;
    if ($pid == 0) {
        open STDOUT, '>&', $write;
        open STDERR, '>', "$dir/stderr";
        exec @run or POSIX::_exit(127);
    }
    close $write;
    my $text = do { local $/; <$read> } // '';
    waitpid $pid, 0;
    my $code = $? & 127 ? "signal $?" : $? >> 8;
    open my $e, '<', "$dir/stderr" or die;
    my $json = $text eq '' ? {} : decode_json($text);
    return { %$json, exit => $code, stderr => do { local $/; <$e> } // '' };
}

# A port nobody listens on for as long as the socket returned lives.
sub dead_port () {
    my $s = IO::Socket::INET->new(Proto => 'tcp', LocalAddr => '127.0.0.1', LocalPort => 0) or die;
    return ($s->sockport, $s);
}

END {
    my $keep = $?;
    stop($_) for values %running;
    $? = $keep;
}
1;
