package KMS::Browser;
# A real browser (chromium, by WebDriver) in tests.
#
#   KMS::Browser::missing()                 the program that is not installed, or nothing
#   my $b = KMS::Browser->new(@options)     options of chromium
#   $b->go($url); $b->url; $b->title        $b->js('return 1 + arguments[0]', 2)
#   $b->cdp('Page.printToPDF', { ... })     a command of the browser's own protocol
#   $b->size($width, $height)               $b->scheme('dark')
#   $b->keys("a text\x{E007}")              to what has the focus
#   $b->picture($width, $height)            the bytes of a PNG of what is seen
#   $b->log                                 what it complained of since the last time
#   $b->end
use v5.36;
use HTTP::Tiny;
use IO::Socket::INET;
use JSON::PP ();
use KMS::Test;
use MIME::Base64 qw(decode_base64);

sub missing () {
    for my $tool (qw(chromium chromedriver)) {
        return $tool unless grep { -x "$_/$tool" } split /:/, $ENV{PATH};
    }
    return;
}

# Another process may take the port before chromedriver does; then nothing answers.
sub new ($class, @options) {
    my $dir = workspace();
    my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1) or die "no port: $!\n";
    my $self = bless { port => $s->sockport, http => HTTP::Tiny->new(timeout => 240) }, $class;
    close $s;
    {
        # A test may have a clock of its own; a browser has the machine's.
        local @ENV{qw(HOME LD_PRELOAD)} = ($dir, '');
        $self->{driver} = spawn([ 'chromedriver', "--port=$self->{port}" ], log => "$dir/log");
    }
    wait_for(60, sub { eval { $self->command('GET', '/status')->{ready} } }, 'chromedriver');
    my %options = (browserName => 'chrome', 'goog:loggingPrefs' => { browser => 'ALL' },
        'goog:chromeOptions' => { args => [ qw(--headless=new --no-sandbox --disable-dev-shm-usage --disable-gpu), "--user-data-dir=$dir/profile", @options ] });
    $self->{session} = '/session/' . $self->command('POST', '/session', { capabilities => { alwaysMatch => \%options } })->{sessionId};
    return $self;
}

# One command of WebDriver; its value.
sub command ($self, $method, $path, $body = undef) {
    my %content = defined $body ? (content => JSON::PP->new->utf8->encode($body), headers => { 'content-type' => 'application/json' }) : ();
    my $r = $self->{http}->request($method, "http://127.0.0.1:$self->{port}$path", \%content);
    my $data = eval { JSON::PP->new->utf8->decode($r->{content}) } // {};
    $r->{success} or die "$method $path: " . ($data->{value}{message} // $r->{content}) . "\n";
    return $data->{value};
}

sub post ($self, $path, $body) { return $self->command('POST', "$self->{session}$path", $body) }
sub go ($self, $url) { $self->post('/url', { url => $url }) }
sub url ($self) { return $self->command('GET', "$self->{session}/url") }
sub title ($self) { return $self->command('GET', "$self->{session}/title") }
sub js ($self, $script, @args) { return $self->post('/execute/sync', { script => $script, args => \@args }) }
sub cdp ($self, $cmd, $params = {}) { return $self->post('/goog/cdp/execute', { cmd => $cmd, params => $params }) }
sub text ($self, $id) { return $self->js('return document.getElementById(arguments[0]).innerText', $id) }

sub size ($self, $width, $height = 800) {
    $self->cdp('Emulation.setDeviceMetricsOverride', { width => $width, height => $height, deviceScaleFactor => 1, mobile => JSON::PP::false });
}

sub scheme ($self, $scheme) { $self->cdp('Emulation.setEmulatedMedia', { features => [ { name => 'prefers-color-scheme', value => $scheme } ] }) }

sub keys ($self, $text) {
    my ($element) = values $self->command('GET', "$self->{session}/element/active")->%*;
    $self->post("/element/$element/value", { text => $text });
}

sub picture ($self, $width, $height) {
    $self->size($width, $height);
    return decode_base64($self->cdp('Page.captureScreenshot', { format => 'png' })->{data});
}

sub log ($self) { return map { $_->{message} } $self->post('/se/log', { type => 'browser' })->@* }

sub end ($self) {
    $self->command('DELETE', $self->{session});
    end_process($self->{driver});
}

1;
