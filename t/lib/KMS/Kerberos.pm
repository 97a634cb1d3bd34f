package KMS::Kerberos;
# A throw-away Kerberos realm with a real KDC on a free port, for integration tests. Everything is in a workspace; the
# machine's own krb5.conf and KDC are not touched, and no privilege is needed.
#
#   my $k = KMS::Kerberos->start;               realm KMS.TEST; sets KRB5_CONFIG and KRB5_KDC_PROFILE
#       ahead => seconds that the KDC's clock is ahead of the machine's
#   $k->principal('KMS$', password => TEXT)     adds one, with a random key when no password is given; it needs pre-authentication,
#                                               as in Active Directory
#   $k->remove('KMS$')
#   $k->keytab('DNS/ns.test', 'KMS$')           a keytab with new keys of each: earlier keytabs are worthless; its path
#   $k->ticket('user', TEXT, @options)          kinit by that password: its credential cache's path
#   $k->realm, $k->conf(sub { edits $_ })       path of another krb5.conf
#   $k->stop, $k->again(ahead => ...)         the KDC
use v5.36;
use IO::Socket::INET;
use KMS::Test;
use POSIX ();

sub tool ($name) {
    my ($path) = grep { -x } map { "$_/$name" } qw(/usr/sbin /usr/bin /sbin /bin);
    return $path // die "$name is needed: install krb5-kdc, krb5-admin-server and krb5-user\n";
}

sub faketime () {
    my ($path) = glob '/usr/lib/*/faketime/libfaketime.so.1';
    return $path // die "libfaketime is needed: install libfaketime\n";
}

sub start ($class, %opt) {
    my $self = bless { dir => workspace(), realm => 'KMS.TEST', count => 0 }, $class;
    $ENV{KRB5_CONFIG} = "$self->{dir}/krb5.conf";
    $ENV{KRB5_KDC_PROFILE} = "$self->{dir}/kdc.conf";
    # No ticket and no keytab of the user who runs the test.
    $ENV{KRB5CCNAME} = "FILE:$self->{dir}/no-cache";
    delete @ENV{qw(KRB5_CLIENT_KTNAME KRB5_KTNAME)};
    $self->write_conf(1);
    $self->must([ tool('kdb5_util'), 'create', '-s', '-r', $self->{realm}, '-P', 'of this test only' ]);
    return $self->again(%opt);
}

sub must ($self, $command, %opt) {
    my $r = run($command, %opt);
    $r->{exit} == 0 && $r->{err} !~ /^\S+: .*while/m or die "$r->{command}: exit $r->{exit}\n$r->{out}$r->{err}\n";
    return $r;
}

sub write_conf ($self, $port) {
    my $dir = $self->{dir};
    spew("$dir/krb5.conf", "[libdefaults]\ndefault_realm = $self->{realm}\ndns_lookup_kdc = false\ndns_lookup_realm = false\n"
        . "[realms]\n$self->{realm} = {\n kdc = 127.0.0.1:$port\n}\n");
    spew("$dir/kdc.conf", "[realms]\n$self->{realm} = {\n database_name = $dir/principal\n key_stash_file = $dir/stash\n acl_file = $dir/acl\n"
        . " kdc_listen = 127.0.0.1:$port\n kdc_tcp_listen = 127.0.0.1:$port\n supported_enctypes = aes256-cts-hmac-sha1-96:normal\n"
        . " default_principal_flags = +preauth\n}\n[logging]\nkdc = FILE:$dir/kdc.log\n");
}

# Another process may take the free port first: then the KDC ends, and another port is tried.
sub again ($self, %opt) {
    for (1 .. 5) {
        my $s = IO::Socket::INET->new(Proto => 'tcp', LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1) or die;
        my $port = $self->{port} = $s->sockport;
        close $s;
        $self->write_conf($port);
        unlink "$self->{dir}/kdc.log";
        # Not by faketime(1), which is a parent that a signal would end in place of the KDC.
        $self->{pid} = spawn([ tool('krb5kdc'), '-n' ], log => "$self->{dir}/out", setup => sub {
            @ENV{qw(LD_PRELOAD FAKETIME FAKETIME_DISABLE_SHM)} = (faketime(), "+$opt{ahead}", 1) if $opt{ahead};
        });
        return $self if eval {
            wait_for(20, sub {
                die "ended\n" if waitpid($self->{pid}, POSIX::WNOHANG()) == $self->{pid};
                return $self->log =~ /commencing operation/;
            }, 'krb5kdc starts');
        };
    }
    die 'krb5kdc does not start: ' . $self->log;
}

sub admin ($self, $query) {
    my $r = $self->must([ tool('kadmin.local'), '-r', $self->{realm}, '-q', $query ]);
    return $r;
}

sub principal ($self, $name, %opt) {
    $self->admin('addprinc ' . (defined $opt{password} ? "-pw $opt{password}" : '-randkey') . " $name");
    return $self;
}

sub remove ($self, $name) { $self->admin("delprinc -force $name"); return $self }

sub keytab ($self, @names) {
    my $path = "$self->{dir}/keytab." . ++$self->{count};
    $self->admin("ktadd -k $path @names");
    return $path;
}

sub ticket ($self, $name, $password, @options) {
    my $path = "$self->{dir}/cache." . ++$self->{count};
    $self->must([ tool('kinit'), '-c', "FILE:$path", @options, $name ], in => "$password\n");
    return $path;
}

sub conf ($self, $edit) {
    local $_ = slurp("$self->{dir}/krb5.conf");
    $edit->();
    return spew("$self->{dir}/krb5.conf." . ++$self->{count}, $_);
}

sub realm ($self) { $self->{realm} }
sub log ($self) { -e "$self->{dir}/kdc.log" ? slurp("$self->{dir}/kdc.log") : -e "$self->{dir}/out" ? slurp("$self->{dir}/out") : '' }
sub stop ($self) { end_process($self->{pid}) }

1;
