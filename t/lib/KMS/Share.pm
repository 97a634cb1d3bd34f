package KMS::Share;

# Hosts that count together, before an engine (KMS::Engine) that was started.
#
#   my $h = share_host($engine, $tls, publisher => $p, dir => DIR, ini => "more lines of [share]")    an appliance of KMS::Test, in a share
#   share_state($h)             what CONTROL_SHARE_STATUS says: { state => ..., stored => ..., members => [ {...}, ... ] }
#   share_is($h, $state, $seconds)    waits for a state; dies with what it is in place of it, and the log
#   share_first($h)             it has the first rights; the status
#   share_rights($h, $pool)     how many are left
#   share_alone($h, $reason)    the administrator's word; the status
use v5.36;
use Exporter qw(import);
use IO::Socket::UNIX;
use KMS::Test;

our @EXPORT = qw(share_host share_state share_is share_alone share_first share_rights);
use constant { STATUS => 70, ALONE => 71, FIRST => 72 };

sub share_host ($engine, $tls, %opt) {
    my $members = join ' ', map { "127.0.0.1:$_" } @{ $engine->{ports} };
    my $missing = $> == 0 && !getpwnam('_kmsshare') ? "[sandbox]\nallow_missing = uid\n" : '';
    mkdir $opt{dir};
    return start_appliance(%opt, fronts => 1, ini => <<"INI");
$missing\[share]
name = site-1
members = $members
authority = $tls->{authority}
certificate = $tls->{client}
key = $tls->{client_key}
@{[ $opt{ini} // '' ]}
INI
}

# Status, and rows as [kind, {...}].
sub ask ($h, $verb, @text) {
    my $s = IO::Socket::UNIX->new(Peer => $h->dir . '/run/control.sock') or die "control.sock: $!\n";
    my $arguments = '';
    while (my ($name, $value) = splice @text, 0, 2) {
        $arguments .= pack('a C N', 's', length $name, length $value) . $name . $value;
    }
    syswrite $s, pack('N n', 2 + length $arguments, $verb) . $arguments;
    my $reply = '';
    1 while sysread $s, $reply, 65536, length $reply;
    my ($length, $status) = unpack 'N N', $reply;
    my $fields = substr $reply, 8;
    my @rows;
    while (length $fields) {
        my ($type, $name_length, $value_length) = unpack 'a C N', $fields;
        my ($name, $value) = unpack "x6 a$name_length a$value_length", $fields;
        substr $fields, 0, 6 + $name_length + $value_length, '';
        if ($type eq 'r') { push @rows, [ $value, {} ] }
        else { $rows[-1][1]{$name} = $type eq 'u' ? unpack 'Q>', $value : $value }
    }
    return ($status, @rows);
}

sub share_state ($h) {
    my ($status, @rows) = ask($h, STATUS);
    $status == 0 or die "share status: $status\n";
    my ($own) = map { $_->[1] } grep { $_->[0] eq 'share' } @rows;
    return { %$own, members => [ map { $_->[1] } grep { $_->[0] eq 'share-member' } @rows ],
        rights => [ map { $_->[1] } grep { $_->[0] eq 'share-rights' } @rows ] };
}

sub share_is ($h, $state, $seconds = 30) {
    eval { wait_for($seconds, sub { share_state($h)->{state} eq $state }, "the host is $state") }
        // die "$@" . (eval { share_state($h)->{state} } // 'gone') . "\n" . $h->log;
    return;
}

sub share_alone ($h, $reason) { return (ask($h, ALONE, reason => $reason))[0] }

sub share_first ($h) { return (ask($h, FIRST))[0] }

# What is left of one pool.
sub share_rights ($h, $pool) { return (grep { $_->{pool} == $pool } @{ share_state($h)->{rights} })[0]{left} }

1;
