#!/usr/bin/perl
# BAD INPUT of kms-protocol(7), line by line, against the whole appliance: what the independent
# reading of the page sends, and what the page says is answered.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use KMS::Test;
use Test::More;

my $publisher = publisher();
my $appliance = start_appliance(publisher => $publisher)->enable;

my $none = 'none, closed';
my ($frame, $seal) = map { "ERROR KMS_E_BAD_$_, closed" } qw(FRAME SEAL);
my ($bad, $idless) = map { "REPLY KMS_E_BAD_REQUEST$_, stays" } '', ' without id';
my $offered = 'REPLY KMS_E_NOT_OFFERED, stays';
my $good = 'REPLY KMS_E_UNKNOWN_CLIENT, stays';    # the release of a client never seen
my @expected = (
    'not the magic' => $none,
    'first octet 5' => $none,
    'version 3' => 'ERROR KMS_E_BAD_VERSION, closed',
    'version 1' => 'ERROR KMS_E_BAD_VERSION, closed',
    'version 0' => 'ERROR KMS_E_BAD_VERSION, closed',
    'flags' => $none,
    'flags, and version 3' => 'ERROR KMS_E_BAD_VERSION, closed',
    'type 0' => $frame,
    'type REPLY' => $frame,
    'type 9' => $frame,
    'payload of 1025' => 'ERROR KMS_E_TOO_LARGE, closed',
    'length of 4 GiB' => 'ERROR KMS_E_TOO_LARGE, closed',
    'HELLO empty' => $frame,
    'HELLO of 7 octets' => $frame,
    'HELLO, its tail cut short' => $frame,
    'HELLO for another publisher' => 'ERROR KMS_E_NOT_ENABLED, stays',
    'HELLO for the only publisher' => 'HELLO_REPLY, stays',
    'HELLO with an unknown TLV' => 'HELLO_REPLY, stays',
    'REQUEST of 95 octets' => $frame,
    'REQUEST of 96 octets' => $seal,
    'another host id' => 'ERROR KMS_E_UNKNOWN_HOST, stays',
    'another exchange key' => 'ERROR KMS_E_UNKNOWN_KEY, stays',
    'C of small order' => $seal,
    'C of another client' => $seal,
    'tag altered' => $seal,
    'text empty' => $idless,
    'text of 23 octets' => $idless,
    'text of 24 octets' => $bad,
    'text of 143 octets' => $bad,
    'operation 0' => $offered,
    'operation 4' => $offered,
    'licence state 6' => $bad,
    'request flag 4' => $offered,
    'request id 0' => $idless,
    'sequence number 2^62 + 1' => $bad,
    'salt 0' => $bad,
    'reserved octet' => $bad,
    'sequence number 0' => $bad,
    'name with a control character' => $bad,
    'name that is not UTF-8' => $bad,
    'name with a surrogate' => $bad,
    'name not padded with zeros' => $bad,
    'text, its tail cut short' => $bad,
    'text with an unknown TLV' => $good,
    'text with an unknown critical TLV' => $offered,
    'text with TLVs out of order' => $bad,
    'text with a TLV twice' => $bad,
    'text with a witness of batch 0' => $bad,
    'text with all TLVs of this version' => $good,
    'name with U+202E' => $bad,
    'name empty' => $good,
    'name of 64 octets' => $good,
    'time 5 hours off' => 'REPLY KMS_E_TIME_SKEW, stays',
    'time at its end' => 'REPLY KMS_E_TIME_SKEW, stays',
    'unknown product' => 'REPLY KMS_E_UNKNOWN_PRODUCT, stays',
    'others who are connected' => 'stay',
);

my $r = run([ '/usr/bin/python3', "$SRC/t/independent/bad_input.py", '127.0.0.1', $appliance->port,
    $publisher->{key}, $publisher->{products}[0]{id} ]);
is($r->{exit}, 0, 'every case was sent') or diag($r->{err});
my %got = map { /^(.*?): (.*)$/ ? ($1 => $2) : () } split /\n/, $r->{out};
while (my ($name, $want) = splice @expected, 0, 2) {
    is(delete $got{$name}, $want, $name);
}
is_deeply(\%got, {}, 'no case without its line here');

my ($status) = $appliance->kmsctl_json('status');
is_deeply([ map { $_->{counted} } @{ $status->{products} } ], [ 0, 0 ],
    'nobody was counted');
is($appliance->stop, 0, 'the appliance ends well');
done_testing;
