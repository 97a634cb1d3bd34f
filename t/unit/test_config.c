/*
 * test_config.c - kms.ini: a table of bad input with the line and words of each error, valid files
 * that print and parse back to the same, and the manual and the example held against the schema.
 *
 * KMS_UPDATE=1 rewrites t/unit/config/NAME.ok from what is printed now; read the difference before
 * it is committed.
 */
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kmsd/common/config_text.h"
#include "kmsd/common/config_value.h"
#include "kmsd/common/config_wire.h"
#include "kmsd/common/confine.h"
#include "libkms/base/file.h"
#include "libkms/kms_error.h"

#define KEY "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
#define KEYTAB "gss_tsig = yes\nkeytab = /k\n"
#define CLASS "\n\n[class a]\npool = p\n" /* the next line is 5 */
#define SHARE "[share]\nname = n\nmembers = a\nauthority = /a\ncertificate = /c\nkey = /k\n"
#define SHARE_NAME_WANTED "a name of at most 32 characters of a-z, 0-9 and '-'"
#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* The first error of text: its line and words that it must hold; count: how many there are. */
static const struct bad {
	const char *text;
	int line;
	const char *words;
	unsigned count;
} bad[] = {
	/* Names. */
	{ "[kmss]\n", 1, "unknown section [kmss]: did you mean [kms]?", 1 },
	{ "[zebra]\nstripes = 3\n", 1, "unknown section [zebra]: see kms.ini(5)", 1 },
	{ "\n\n[limits]\nidle_timout = 3\n", 4, "did you mean \"idle_timeout\"?", 1 },
	{ "[limits]\nIdle_timeout = 3\n", 2, "did you mean \"idle_timeout\"?", 1 },
	{ "[limits]\nport = 3\n", 2, "it belongs in [listen]", 1 },
	{ "[relay]\nupstream = kms:0\n", 2,
	    "it must be 0 to 16 different hosts as host[:port][/priority[/weight]]", 1 },
	{ "[relay]\nupstream = 10.0.0\n", 2,
	    "it must be 0 to 16 different hosts as host[:port][/priority[/weight]]", 1 },
	{ "[relay]\ndomain = a..b\n", 2, "it must be a domain name", 1 },
	{ "[relay]\nnameserver = ns.example.com\n", 2, "it must be an IPv4 or IPv6 address", 1 },
	{ "[relay]\nupstream = a b c d e f g h i j k l m n o p q\n", 2, "0 to 16 different hosts",
	    1 },
	{ "[relay]\nupstream = a:1689 a:1689/1\n", 2, "0 to 16 different hosts", 1 },
	{ "[relay]\nupstream = 0123456789012345678901234567890123456789012345678901234567890123.x\n",
	    2, "0 to 16 different hosts", 1 },
	{ "[relay]\nnameserver = 192.0.2.1:0\n", 2, "it must be an IPv4 or IPv6 address", 1 },
	{ "[relay]\nallow = 10.0.0.0/8 10.0.0.0/8\n", 2, "0 to 32 different networks", 1 },
	{ "[relay x]\n", 1, "[relay] takes no name", 1 },
	{ "[relay]\nports = 1688 0\n", 2, "it must be 0 to 16 different port numbers", 1 },
	{ "[relay]\nallow = 10.0.0.1/8\n", 2,
	    "it must be 0 to 32 different networks as ADDRESS/BITS", 1 },
	{ "[relay]\nconnect_timeout = 11\n", 0, "connect_timeout is longer than answer_timeout",
	    1 },
	{ "[limits]\nzebra = 3\n", 2, "unknown key \"zebra\" in [limits]: see kms.ini(5)", 1 },
	{ "port = 3\n", 1, "comes before any [section]", 1 },
	{ "[publisher acme]\nkeey = " KEY "\n", 2, "did you mean \"key\"?", 2 },
	{ "[publisher NAME\n", 1, "is not a section", 1 },
	/* Form. */
	{ "[listen]\nport\n", 2, "not a \"key = value\" line", 1 },
	{ "[listen]\nport = 1\n fronts = 2\n", 3, "begins with a blank", 1 },
	{ "[listen\nport = 1\n", 1, "is not a section: write [name]", 1 },
	{ "[listen] port = 1\n", 1, "is not a section: write [name]", 1 },
	{ "[listen]\nport = 1\n\n[log]\n[listen]\nport = 2\n", 6, "\"port\" is given twice", 1 },
	{ "[listen]\naddress = " A50 A50 A50 A50 "\n", 2, "longer than 198 bytes", 1 },
	{ "[" A50 A50 A50 A50 "]\nx = 1\n", 1, "longer than 198 bytes", 2 },
	/* Numbers. */
	{ "[listen]\nport = 65536\n", 2, "port = \"65536\": it must be a number from 0 to 65535",
	    1 },
	{ "[listen]\nport = -1\n", 2, "a number from 0 to 65535", 1 },
	{ "[listen]\nport = 16 88\n", 2, "a number from 0 to 65535", 1 },
	{ "[listen]\nport = 0x10\n", 2, "a number from 0 to 65535", 1 },
	{ "[listen]\nport = 1688K\n", 2, "a number from 0 to 65535", 1 },
	{ "[listen]\nport =\n", 2, "a number from 0 to 65535", 1 },
	{ "[listen]\nport = 18446744073709551617\n", 2, "a number from 0 to 65535", 1 },
	{ "[listen]\nfronts = 0\n", 2, "a number from 1 to 32", 1 },
	{ "[listen]\nfronts = 33\n", 2, "a number from 1 to 32", 1 },
	{ "[limits]\nidle_timeout = 0\n", 2, "a number from 1 to 86400 seconds", 1 },
	{ "[limits]\nidle_timeout = 5m\n", 2, "a number from 1 to 86400 seconds", 1 },
	{ "[ledger]\nsegment_size = 1048575\n", 2, "a number from 1M to 4G bytes", 1 },
	{ "[ledger]\nsegment_size = 5G\n", 2, "a number from 1M to 4G bytes (suffixes K, M, G)",
	    1 },
	{ "[ledger]\nsegment_size = 64MB\n", 2, "a number from 1M to ", 1 },
	{ "[ledger]\nmap_size = 17179869184G\n", 2, "a number from 1M to ", 1 },
	{ "[limits]\nentries = 20\n", 2, "as BURST/REFILL, such as 20000/20; or 0", 1 },
	{ "[limits]\nentries = 20/0\n", 2, "as BURST/REFILL", 1 },
	{ "[limits]\nentries = 0/20\n", 2, "as BURST/REFILL", 1 },
	{ "[limits]\nentries = 20/20/20\n", 2, "as BURST/REFILL", 1 },
	{ "[limits]\nentries = 20 / 20\n", 2, "as BURST/REFILL", 1 },
	{ "[limits]\nentries = 1000000001/1\n", 2, "two numbers from 1 to 1000000000", 1 },
	{ "[limits]\nentries = 1/4294967297\n", 2, "two numbers from 1 to 1000000000", 1 },
	{ "[limits]\nrenewals_per_interval = 7\n", 2, "a number from 8 to 1000000", 1 },
	{ "[limits]\nproxies = 10.0.0.1/8\n", 2, "no bit set beyond BITS", 1 },
	/* Words and names. */
	{ "[sandbox]\nrequired = maybe\n", 2, "required = \"maybe\": it must be yes or no", 1 },
	{ "[log]\nlevel = loud\n", 2, "error, warning, notice, info or debug", 1 },
	{ "[log]\ntarget = file\n", 2, "stderr or syslog", 1 },
	{ "[log]\nlevel = inof\n", 2, "did you mean \"info\"?", 1 },
	{ "[log]\ntarget = sylog\n", 2, "did you mean \"syslog\"?", 1 },
	{ "[sandbox]\nrequired = yess\n", 2, "yes or no: did you mean \"yes\"?", 1 },
	{ "[sandbox]\nallow_missing = uid lanlock\n", 2, "did you mean \"landlock\"?", 1 },
	{ "[sandbox]\nallow_missing = no-new-priv\n", 2, "did you mean \"no-new-privs\"?", 1 },
	{ "[sandbox]\nallow_missing = landlock apparmor\n", 2, "some of: no-new-privs uid", 1 },
	{ "[kms]\nactivate_user = Root\n", 2, "a user name of a-z", 1 },
	{ "[kms]\nactivate_user =\n", 2, "a user name of a-z", 1 },
	{ "[kms]\nfront_user = a;b\n", 2, "a user name of a-z", 1 },
	{ "[kms]\nfront_user = " A50 "\n", 2, "1 to 32 bytes", 1 },
	{ "[kms]\nstate_directory = var\n", 2, "an absolute path", 1 },
	{ "[kms]\nstate_directory = /var/../etc\n", 2, "an absolute path", 1 },
	{ "[kms]\nstate_directory = /var/..\n", 2, "an absolute path", 1 },
	{ "[kms]\nruntime_directory = /" A50 A50 "\n", 2, "1 to 90 bytes", 1 },
	{ "[kms]\nstate_directory = /x\nruntime_directory = /x\n", 0, "same directory", 1 },
	/* Addresses. */
	{ "[listen]\naddress = localhost\n", 2, "1 to 8 different IPv4 or IPv6 addresses", 1 },
	{ "[listen]\naddress =\n", 2, "1 to 8 different", 1 },
	{ "[listen]\naddress = ::1 ::1\n", 2, "1 to 8 different", 1 },
	{ "[listen]\naddress = 1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5 1.1.1.6 1.1.1.7 1.1.1.8 1.1.1.9\n",
	    2, "1 to 8 different", 1 },
	/* Names of machines. */
	{ "[dns]\ndomains = a.test A.TEST.\n", 2, "0 to 8 different DNS names", 1 },
	{ "[dns]\ndomains = a.test\ndomains = b.test a.test\n", 3, "0 to 8 different DNS names",
	    1 },
	{ "[dns]\ndomains = a.test\ndomains =\n", 3, "0 to 8 different DNS names", 1 },
	{ "[dns]\ndomains = a b c d e f g h i\n", 2, "0 to 8 different DNS names", 1 },
	{ "[dns]\ndomains = a..test\n", 2, "DNS names", 1 },
	{ "[dns]\ndomains = .test\n", 2, "DNS names", 1 },
	{ "[dns]\ndomains = .\n", 2, "DNS names", 1 },
	{ "[dns]\ndomains = -a.test\n", 2, "DNS names", 1 },
	{ "[dns]\ndomains = a-.test\n", 2, "DNS names", 1 },
	{ "[dns]\ndomains = a.test-\n", 2, "DNS names", 1 },
	{ "[dns]\ndomains = a$.test\n", 2, "DNS names", 1 },
	{ "[dns]\ndomains = b\xc3\xbc.test\n", 2, "DNS names", 1 },
	{ "[dns]\ndomains = 192.0.2.1\n", 2, "DNS names", 1 },
	{ "[dns]\ndomains = " A50 "aaaaaaaaaaaaaa.test\n", 2, "DNS names", 1 },
	{ "[dns]\nhost = kms\n", 2, "a DNS name with its domain", 1 },
	{ "[dns]\nhost = kms.test other.test\n", 2, "a DNS name with its domain", 1 },
	{ "[dns]\nhost = 192.0.2.1\n", 2, "a DNS name with its domain", 1 },
	{ "[dns]\nhost = a.test\nhost = b.test\n", 3, "\"host\" is given twice", 1 },
	{ "[dns]\naddresses = 0.0.0.0\n", 2, "of this host", 1 },
	{ "[dns]\naddresses = ::\n", 2, "of this host", 1 },
	{ "[dns]\naddresses = ff02::1\n", 2, "of this host", 1 },
	{ "[dns]\naddresses = 224.0.0.1\n", 2, "of this host", 1 },
	{ "[dns]\naddresses = 192.0.2.1 192.0.2.1\n", 2, "0 to 8 different", 1 },
	{ "[dns]\naddresses = 2001:db8::1 2001:DB8:0::1\n", 2, "0 to 8 different", 1 },
	{ "[dns]\naddresses = 192.0.2.1/24\n", 2, "of this host", 1 },
	{ "[dns]\nttl = 29\n", 2, "a number from 30 to 604800 seconds", 1 },
	{ "[dns]\nttl = 1h\n", 2, "a number from 30 to 604800 seconds", 1 },
	{ "[dns]\npriority = 65536\n", 2, "a number from 0 to 65535", 1 },
	{ "[dns]\nweight = -1\n", 2, "a number from 0 to 65535", 1 },
	{ "[dns]\nserver = ns.test:0\n", 2, "a name or an address, with :PORT", 1 },
	{ "[dns]\nserver = ns.test:65536\n", 2, "a name or an address", 1 },
	{ "[dns]\nserver = ns.test:\n", 2, "a name or an address", 1 },
	{ "[dns]\nserver = [::1\n", 2, "a name or an address", 1 },
	{ "[dns]\nserver = [::1]53\n", 2, "a name or an address", 1 },
	{ "[dns]\nserver = [192.0.2.1]:53\n", 2, "a name or an address", 1 },
	{ "[dns]\nserver = ns.test update add\n", 2, "a name or an address", 1 },
	{ "[dns]\ntsig_key_file = kms.key\n", 2, "an absolute path", 1 },
	{ "[dns]\ntsig_key_file = /etc/../kms.key\n", 2, "an absolute path", 1 },
	{ "[dns]\ngss_tsig = perhaps\n", 2, "yes or no", 1 },
	{ "[dns]\ngss_tsig = yes\ntsig_key_file = /k\n", 0, "both gss_tsig and tsig_key_file", 1 },
	{ "[dns]\ngss_tsig = yes\nkeytab = krb5.keytab\n", 3, "an absolute path", 1 },
	{ "[dns]\nkeytab = /k\n", 0, "keytab is for Kerberos: it needs gss_tsig = yes", 1 },
	{ "[dns]\nkeytab = /k\ntsig_key_file = /t\n", 0, "needs gss_tsig = yes", 1 },
	{ "[dns]\ngss_tsig = yes\nkeytab = /k\ntsig_key_file = /t\n", 0,
	    "both gss_tsig and tsig_key_file", 1 },
	{ "[dns]\ngss_tsig = yes\nprincipal = A@B\n", 0, "principal selects a key of a keytab", 1 },
	{ "[dns]\n" KEYTAB "principal = KMS$\n", 4, "NAME@REALM", 1 },
	{ "[dns]\n" KEYTAB "principal = @B\n", 4, "NAME@REALM", 1 },
	{ "[dns]\n" KEYTAB "principal = A@\n", 4, "NAME@REALM", 1 },
	{ "[dns]\n" KEYTAB "principal = A@B@C\n", 4, "NAME@REALM", 1 },
	{ "[dns]\n" KEYTAB "principal = /A@B\n", 4, "NAME@REALM", 1 },
	{ "[dns]\n" KEYTAB "principal = A//B@C\n", 4, "NAME@REALM", 1 },
	{ "[dns]\n" KEYTAB "principal = A/@B\n", 4, "NAME@REALM", 1 },
	{ "[dns]\n" KEYTAB "principal = A@B realm=C\n", 4, "NAME@REALM", 1 },
	{ "[dns]\n" KEYTAB "principal = A\\@B@C\n", 4, "NAME@REALM", 1 },
	{ "[dns]\n" KEYTAB "principal = A@B$\n", 4, "NAME@REALM", 1 },
	{ "[dns]\npublish_vlmcs = 1\n", 2, "yes or no", 1 },
	/* Networks. */
	{ "[alerts]\npool_used = 0\n", 2, "1 to 100", 1 },
	{ "[alerts]\npool_used = 101\n", 2, "1 to 100", 1 },
	{ "[alerts]\npool_used = 90%\n", 2, "1 to 100", 1 },
	{ "[alerts]\nkey_left = 3661d\n", 2, "3660", 1 },
	{ "[alerts]\ndisk_free = 101\n", 2, "0 to 100", 1 },
	{ "[alerts]\nclock_error = 0\n", 2, "1 to 15", 1 },
	{ "[alerts]\nclock_error = 16\n", 2, "1 to 15", 1 },
	{ "[alerts]\nhourly = 1\n", 2, "yes or no", 1 },
	{ "[firewall]\nallow =\n", 2, "1 to 32 different networks", 1 },
	{ "[firewall]\nallow = 10.0.0.1/8\n", 2, "no bit set beyond BITS", 1 },
	{ "[firewall]\nallow = 2001:db8::1/64\n", 2, "no bit set beyond BITS", 1 },
	{ "[firewall]\nallow = 10.0.0.0/33\n", 2, "networks as ADDRESS/BITS", 1 },
	{ "[firewall]\nallow = fc00::/129\n", 2, "networks as ADDRESS/BITS", 1 },
	{ "[firewall]\nallow = 10.0.0.0/\n", 2, "networks as ADDRESS/BITS", 1 },
	{ "[firewall]\nallow = 10.0.0.0/08\n", 2, "networks as ADDRESS/BITS", 1 },
	{ "[firewall]\nallow = 10.0.0.0/-1\n", 2, "networks as ADDRESS/BITS", 1 },
	{ "[firewall]\nallow = 10.0.0.0/255.0.0.0\n", 2, "networks as ADDRESS/BITS", 1 },
	{ "[firewall]\nallow = 10.0.0/8\n", 2, "networks as ADDRESS/BITS", 1 },
	{ "[firewall]\nallow = /8\n", 2, "networks as ADDRESS/BITS", 1 },
	{ "[firewall]\nallow = any\n", 2, "networks as ADDRESS/BITS", 1 },
	{ "[firewall]\nallow = 10.0.0.0/8 10.0.0.0/8\n", 2, "different networks", 1 },
	{ "[firewall]\nallow = 192.0.2.1/32 192.0.2.1\n", 2, "different networks", 1 },
	{ "[firewall]\nallow = 10.0.0.0/8\nallow =\n", 3, "1 to 32 different networks", 1 },
	{ "[firewall]\nallow = 1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5 1.1.1.6 1.1.1.7 1.1.1.8 1.1.1.9 1.1.1.10 1.1.1.11 1.1.1.12 1.1.1.13\nallow = 1.1.2.1 1.1.2.2 1.1.2.3 1.1.2.4 1.1.2.5 1.1.2.6 1.1.2.7 1.1.2.8 1.1.2.9 1.1.2.10 1.1.2.11 1.1.2.12 1.1.2.13\nallow = 1.1.3.1 1.1.3.2 1.1.3.3 1.1.3.4 1.1.3.5 1.1.3.6 1.1.3.7\n",
	    4, "1 to 32 different networks", 1 },
	{ "[firewall]\nrate = 100001\n", 2, "a number from 0 to 100000", 1 },
	{ "[firewall]\nrate = 10/second\n", 2, "a number from 0 to 100000", 1 },
	{ "[firewall]\ninterface = \"eth0\"\n", 2, "a network interface's name", 1 },
	{ "[firewall]\ninterface = eth0 eth1\n", 2, "a network interface's name", 1 },
	{ "[firewall]\ninterface = ..\n", 2, "a network interface's name", 1 },
	{ "[firewall]\ninterface = aaaaaaaaaaaaaaaa\n", 2, "at most 15 bytes", 1 },
	/* Publishers. */
	{ "[publisher]\nkey = " KEY "\n", 1, "needs a name: [publisher NAME]", 1 },
	{ "[publisher a/b]\nkey = " KEY "\n", 1, "1 to 64 letters", 1 },
	{ "[publisher " A50 A50 "]\nkey = " KEY "\n", 1, "1 to 64 letters", 1 },
	{ "[publisher a]\nkey = " KEY "\n[publisher a]\n", 3, "publisher \"a\" is given twice", 1 },
	{ "\n[publisher a]\n", 2, "[publisher a] has no valid key", 1 },
	{ "[publisher a]\nkey = " KEY "x\n", 2, "RW and 54 characters", 2 },
	{ "[publisher a]\nkey = XX" KEY "\n", 2, "RW and 54 characters", 2 },
	{ "[publisher a]\nkey = RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GF-_\n", 2,
	    "RW and 54 characters", 2 },
	{ "[publisher a]\nkey = " KEY "\nkey = " KEY "\n", 3, "\"key\" is given twice", 1 },
	{ "[publisher a]\nkey = " KEY "\npolicy = a.kmspolicy\n", 3, "an absolute path", 1 },
	{ "[publisher a]\nkey = " KEY "\nhostkey = /a\n", 3, "did you mean \"host_key\"?", 1 },
	{ "[publisher a]\nkey = " KEY "\nconfirmation = /a/../b\n", 3, "an absolute path", 1 },
	/* One key id, two keys: the id ends within the 14th character. */
	{ "[publisher a]\nkey = " KEY "\n[publisher b]\nkey = " KEY "\n", 3,
	    "[publisher b] has the same key id as [publisher a]", 1 },
	{ "[publisher a]\nkey = " KEY
	  "\n[publisher b]\nkey = RWQf6LRCGA9i5/mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n",
	    3, "[publisher b] has the same key id as [publisher a]", 1 },
	{ CLASS "[class a]\npool = q\n", 5, "class \"a\" is given twice", 1 },
	{ "[class]\npool = p\n", 1, "needs a name: [class NAME]", 1 },
	{ "[class a b]\npool = p\n", 1, "1 to 32 letters", 1 },
	{ "[class " A50 "]\npool = p\n", 1, "1 to 32 letters", 1 },
	{ "[class a]\nreserve = 1\n", 1, "[class a] has no pool = NAME", 1 },
	{ "[class a]\npool =\n", 2, "a name of 1 to 32 letters", 2 },
	{ "[class a]\npool = a/b\n", 2, "a name of 1 to 32 letters", 2 },
	{ CLASS "publisher = nobody\n", 3, "there is no [publisher nobody]", 1 },
	{ CLASS "networks = 10.0.0.0/33\n", 5, "networks as ADDRESS/BITS", 1 },
	{ CLASS "networks = build-*\n", 5, "networks as ADDRESS/BITS", 1 },
	{ CLASS "names = a a\n", 5, "different names of at most 64 bytes", 1 },
	{ CLASS "names = " A50 A50 "\n", 5, "different names of at most 64 bytes", 1 },
	{ CLASS "names = 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n", 5, "0 to 16 different names",
	    1 },
	{ CLASS "reserve = -1\n", 5, "a number from 0 to 4294967295", 1 },
	{ CLASS "limit = 10%\n", 5, "a number from 0 to 4294967295", 1 },
	{ CLASS "reserve = 6\nlimit = 5\n", 3,
	    "[class a] reserves 6 seats, and may have 5: limit must not be below reserve", 1 },
	/* Shares. */
	{ "[share]\nname = North\n", 2, SHARE_NAME_WANTED, 1 },
	{ "[share]\nname = a/b\n", 2, SHARE_NAME_WANTED, 1 },
	{ "[share]\nname = -a\n", 2, SHARE_NAME_WANTED, 1 },
	{ "[share]\nname = a_b\n", 2, SHARE_NAME_WANTED, 1 },
	{ "[share]\nname = " A50 "\n", 2, SHARE_NAME_WANTED, 1 },
	{ "[share]\nmembers = a b c d e f g h i\n", 2,
	    "it must be 0 to 8 different hosts as host[:port]", 1 },
	{ "[share]\nmembers = a:2379 a\n", 2, "0 to 8 different hosts", 1 },
	{ "[share]\nmembers = a:0\n", 2, "0 to 8 different hosts", 1 },
	{ "[share]\nmembers = a/1\n", 2, "0 to 8 different hosts", 1 },
	{ "[share]\nmembers = https://a\n", 2, "0 to 8 different hosts", 1 },
	{ "[share]\nmembers = 0.0.0.0\n", 2, "0 to 8 different hosts", 1 },
	{ "[share]\nmembers = [::]:2379\n", 2, "0 to 8 different hosts", 1 },
	{ "[share]\nmembers = 0123456789012345678901234567890123456789012345678901234567890123.x\n",
	    2, "0 to 8 different hosts", 1 },
	{ "[share]\nkey = key.pem\n", 2, "an absolute path", 1 },
	{ "[share]\nauthority = /a/../b\n", 2, "an absolute path", 1 },
	{ "[share]\nalone = maybe\n", 2, "it must be serve, renew or refuse", 1 },
	{ "[share]\nalone = sreve\n", 2, "did you mean \"serve\"?", 1 },
	{ "[share]\nalone_for = 30\n", 2, "write alone_for = 30d", 1 },
	{ "[share]\nalone_for = 0\n", 2, "a number from 1 to 3660 days", 1 },
	{ "[share]\nreserve = 1000001\n", 2, "a number from 0 to 1000000", 1 },
	{ "[share]\nreserve = 5%\n", 2, "a number from 0 to 1000000", 1 },
	{ "[share]\nname = n\n", 0, "[share] has a name, and needs members = HOST ...", 4 },
	{ "[share]\nname = n\nmembers = a\nkey = /k\nauthority = /a\n", 0,
	    "needs certificate = FILE", 1 },
	{ "[share]\nname = n\nmembers = a\nkey = /k\ncertificate = /c\n", 0,
	    "needs authority = FILE", 1 },
	{ "[share]\nname = n\nmembers = a\ncertificate = /c\nauthority = /a\n", 0,
	    "needs key = FILE", 1 },
	{ SHARE "alone_fro = 3d\n", 7, "did you mean \"alone_for\"?", 1 },
	{ SHARE "name = n\n", 7, "\"name\" is given twice", 1 },
	{ CLASS "limits = 5\n", 5, "did you mean \"limit\"?", 1 },
};

static void
test_bad(void **ignored)
{
	struct fault e[8];
	struct config c;
	unsigned n;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(e, 0, sizeof(e));
		n = config_parse(&c, bad[i].text, strlen(bad[i].text), e, 8);
		if (n != bad[i].count || e[0].line != bad[i].line ||
		    strstr(e[0].text, bad[i].words) == NULL)
			fail_msg("%s\ngave %u errors, the first: %d: %s\nbut not %u, %d: ...%s...",
			    bad[i].text, n, e[0].line, e[0].text, bad[i].count, bad[i].line,
			    bad[i].words);
	}
}

/* Every section and every key, each mistyped in some ways, is recognised with its line. */
static void
test_typos(void **ignored)
{
	static const char *const ways[] = { "a letter doubled", "a letter left out",
		"two exchanged" };
	struct fault e[4];
	const struct config_key *k;
	char typo[64], text[256], want[128];
	struct config c;

	for (k = config_schema(); k->section != NULL; k++) {
		for (size_t way = 0; way < 3; way++) {
			const struct config_record *d = config_record_of(k);
			bool publisher = d != NULL && strcmp(d->word, "publisher") == 0;
			size_t len = strlen(k->key), at = len / 2;

			/* In three letters, one is a third. */
			if (len < 4 && way > 0)
				continue;
			snprintf(typo, sizeof(typo), "%s", k->key);
			if (way == 0)
				memmove(typo + at + 1, typo + at, len - at + 1);
			else if (way == 1)
				memmove(typo + at, typo + at + 1, len - at);
			else if (typo[at] == typo[at - 1])
				continue;
			else {
				typo[at] = k->key[at - 1];
				typo[at - 1] = k->key[at];
			}
			snprintf(text, sizeof(text), "; line 1\n[%s]\n%s%s = 1\n",
			    publisher   ? "publisher a"
			    : d != NULL ? "class a"
					: k->section,
			    publisher   ? "key = " KEY "\n"
			    : d != NULL ? "pool = a\n"
					: "",
			    typo);
			snprintf(want, sizeof(want),
			    "unknown key \"%s\" in [%s]: did you mean \"%s\"?", typo, k->section,
			    k->key);
			if (config_parse(&c, text, strlen(text), e, 4) != 1 ||
			    e[0].line != 3 + (d != NULL) || strcmp(e[0].text, want) != 0)
				fail_msg("%s: %s\ngave %d: %s\nbut not: %s", ways[way], text,
				    e[0].line, e[0].text, want);
		}
		if (config_record_of(k) != NULL)
			continue;
		snprintf(text, sizeof(text), "\n[%sx]\n", k->section);
		snprintf(want, sizeof(want), "unknown section [%sx]: did you mean [%s]?",
		    k->section, k->section);
		if (config_parse(&c, text, strlen(text), e, 4) != 1 || e[0].line != 2 ||
		    strcmp(e[0].text, want) != 0)
			fail_msg("%s\ngave %d: %s", text, e[0].line, e[0].text);
	}
}

static void
test_bad_octets(void **ignored)
{
	static const char nul[] = "[listen]\nport\0 = 1\n";
	static const char *const utf16[] = { "\xff\xfe[\0k\0m\0s\0]\0\n",
		"\xfe\xff\0[\0k\0m\0s\0]\0" };
	struct fault e[2];
	struct config c;
	char *large;

	assert_int_equal(config_parse(&c, nul, sizeof(nul) - 1, e, 2), 1);
	assert_int_equal(e[0].line, 2);
	assert_non_null(strstr(e[0].text, "NUL"));

	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(config_parse(&c, utf16[i], 13, e, 2), 1);
		assert_int_equal(e[0].line, 0);
		assert_non_null(strstr(e[0].text, "save it as UTF-8"));
	}

	large = malloc(CONFIG_MAX + 1);
	assert_non_null(large);
	memset(large, '\n', CONFIG_MAX + 1);
	assert_int_equal(config_parse(&c, large, CONFIG_MAX, e, 2), 0);
	assert_int_equal(config_parse(&c, large, CONFIG_MAX + 1, e, 2), 1);
	assert_non_null(strstr(e[0].text, "larger than 262144"));
	free(large);
}

/* All errors are counted, no more are stored than there is room for. */
static void
test_many_errors(void **ignored)
{
	struct fault e[3];
	struct config c;
	char text[512] = "[limits]\n";
	int i;

	memset(e, 0, sizeof(e));
	for (i = 0; i < 20; i++)
		strcat(text, "zebra = 1\n");
	assert_int_equal(config_parse(&c, text, strlen(text), e, 2), 20);
	assert_int_equal(e[1].line, 3);
	assert_int_equal(e[2].line, 0);
	assert_int_equal(config_parse(&c, text, strlen(text), NULL, 0), 20);
}

static void
test_too_many_publishers(void **ignored)
{
	struct fault e[2];
	struct config c;
	char text[4096];
	size_t used = 0;
	int i;

	/* Key ids that differ in one character: the first of the id, its last two bits, or one
	 * between. */
	for (i = 0; i < CONFIG_PUBLISHERS + 1; i++) {
		char key[] = KEY;

		if (i == 1)
			key[2] = 'R';
		else if (i == 2)
			key[13] = 'g';
		else if (i > 2)
			key[12] = (char)('a' + i);
		used += (size_t)snprintf(
		    text + used, sizeof(text) - used, "[publisher p%d]\nkey = %s\n", i, key);
	}
	assert_int_equal(config_parse(&c, text, used, e, 2), 1);
	assert_int_equal(e[0].line, 2 * CONFIG_PUBLISHERS + 1);
	assert_non_null(strstr(e[0].text, "more than 16 sections [publisher NAME]"));
}

static char *
read_whole(const char *dir, const char *name, size_t *len)
{
	char path[1024], *text;

	snprintf(path, sizeof(path), "%s%s%s", dir, *dir ? "/" : "", name);
	if (file_read(AT_FDCWD, path, FILE_GIVEN, CONFIG_MAX, &text, len) != KMS_OK)
		fail_msg("cannot read %s", path);
	return text;
}

static const char *
source(void)
{
	const char *dir = getenv("KMS_SRC");

	return dir ? dir : ".";
}

static char *
print(const struct config *c, size_t *len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, len);

	assert_non_null(f);
	config_print(c, f);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void
parse_good(struct config *c, const char *text, size_t len, const char *name)
{
	struct fault e;

	if (config_parse(c, text, len, &e, 1) != 0)
		fail_msg("%s:%d: %s", name, e.line, e.text);
}

static void
one_good(const char *in_path)
{
	char ok_path[1024], *in, *ok, *first, *second;
	size_t in_len, ok_len, first_len, second_len;
	struct config a, b;
	FILE *f;

	snprintf(ok_path, sizeof(ok_path), "%.*s.ok", (int)(strlen(in_path) - 3), in_path);
	in = read_whole("", in_path, &in_len);
	parse_good(&a, in, in_len, in_path);
	first = print(&a, &first_len);
	if (getenv("KMS_UPDATE") != NULL) {
		f = fopen(ok_path, "w");
		assert_non_null(f);
		assert_int_equal(fwrite(first, 1, first_len, f), first_len);
		assert_int_equal(fclose(f), 0);
	}
	ok = read_whole("", ok_path, &ok_len);
	if (ok_len != first_len || memcmp(ok, first, ok_len) != 0)
		fail_msg("%s prints as\n%s", in_path, first);
	parse_good(&b, first, first_len, ok_path);
	second = print(&b, &second_len);
	assert_string_equal(first, second);
	assert_memory_equal(&a, &b, sizeof(a));
	free(in);
	free(ok);
	free(first);
	free(second);
}

static void
test_good(void **ignored)
{
	char pattern[512];
	glob_t g;
	size_t i;

	snprintf(pattern, sizeof(pattern), "%s/t/unit/config/*.in", source());
	assert_int_equal(glob(pattern, 0, NULL, &g), 0);
	assert_true(g.gl_pathc >= 5);
	for (i = 0; i < g.gl_pathc; i++)
		one_good(g.gl_pathv[i]);
	globfree(&g);
}

/* What the fields hold, so that the printer and the parser cannot both be wrong in one way. */
static void
test_values(void **ignored)
{
	struct config c;
	size_t len;
	char path[512], text_of[NETWORK_TEXT], *text;

	snprintf(path, sizeof(path), "%s/t/unit/config", source());
	text = read_whole(path, "all.in", &len);
	parse_good(&c, text, len, "all.in");
	free(text);
	assert_string_equal(c.state_directory, "/srv/kms/state");
	assert_string_equal(c.control_group, "kmsadm");
	assert_string_equal(c.monitor_group, "kmslook");
	assert_int_equal(c.address.count, 2);
	assert_string_equal(address_text(text_of, c.address.at[0]), "192.0.2.1");
	assert_string_equal(address_text(text_of, c.address.at[1]), "2001:db8::1");
	assert_int_equal(c.port, 0);
	assert_int_equal(c.fronts, 32);
	assert_int_equal(c.credits, 65536);
	assert_int_equal(c.segment_size, 1536 * 1024);
	assert_int_equal(c.map_size, (uint64_t)1 << 40);
	assert_false(c.sandbox_required);
	assert_int_equal(c.allow_missing, CONFINE_LANDLOCK | CONFINE_SECCOMP);
	assert_int_equal(c.log_level, 7);
	assert_true(c.log_syslog);
	assert_int_equal(c.publisher_count, 0);
	assert_int_equal(c.dns_domains.count, 8);
	assert_string_equal(c.dns_domains.at[0], "example.com");
	assert_string_equal(c.dns_host, "kms-1.example.com");
	assert_int_equal(c.dns_addresses.count, 2);
	assert_string_equal(address_text(text_of, c.dns_addresses.at[1]), "2001:db8::1");
	assert_int_equal(c.dns_ttl, 604800);
	assert_int_equal(c.dns_priority, 65535);
	assert_int_equal(c.dns_weight, 1);
	assert_string_equal(c.dns_server.name, "2001:db8::53");
	assert_int_equal(c.dns_server.port, 5353);
	assert_int_equal(strlen(c.tsig_key_file), 184);
	assert_false(c.gss_tsig);
	assert_true(c.publish_vlmcs);
	assert_int_equal(c.allow.count, 4);
	assert_string_equal(network_text(text_of, &c.allow.at[0]), "0.0.0.0/0");
	assert_string_equal(network_text(text_of, &c.allow.at[1]), "2001:db8::/32");
	assert_string_equal(network_text(text_of, &c.allow.at[2]), "192.0.2.1");
	assert_string_equal(network_text(text_of, &c.allow.at[3]), "2001:db8::1");
	assert_int_equal(c.firewall_rate, 0);
	assert_string_equal(c.firewall_interface, "eth0.100");
	assert_int_equal(c.alerts_pool_used, 100);
	assert_int_equal(c.alerts_key_left, 60);
	assert_int_equal(c.alerts_disk_free, 0);
	assert_int_equal(c.alerts_clock_error, 15);
	assert_true(c.alerts_strict);
	assert_true(c.alerts_hourly);
	assert_string_equal(c.share_user, "kms-share");
	assert_string_equal(c.share_name, "north-1");
	assert_true(share_configured(&c));
	assert_int_equal(c.share_members.count, 4);
	assert_string_equal(c.share_members.at[0].name, "etcd1.example.com");
	assert_false(c.share_members.at[0].literal);
	assert_int_equal(c.share_members.at[0].port, 2379);
	assert_int_equal(c.share_members.at[1].port, 2380);
	assert_string_equal(c.share_members.at[2].name, "2001:db8::7");
	assert_true(c.share_members.at[2].literal);
	assert_string_equal(c.share_key, "/etc/kms/share/host.key");
	assert_int_equal(c.share_alone, CONFIG_ALONE_REFUSE);
	assert_int_equal(c.share_alone_for, 1);
	assert_int_equal(c.share_reserve, 1000000);

	text = read_whole(path, "publishers.in", &len);
	parse_good(&c, text, len, "publishers.in");
	free(text);
	assert_true(c.gss_tsig);
	assert_string_equal(c.keytab, "/etc/krb5.keytab");
	assert_string_equal(c.principal, "host/KMS-1.example.com$@EXAMPLE.COM");
	assert_int_equal(c.publisher_count, 2);
	assert_string_equal(c.publishers[0].name, "acme");
	assert_string_equal(c.publishers[0].key, KEY);
	assert_string_equal(c.publishers[1].name, "Example-2.org_x");
	assert_int_equal(c.idle_timeout, 5);
	assert_int_equal(c.first_timeout, 6);
}

static void
test_defaults(void **ignored)
{
	char text[NETWORK_TEXT];
	struct config c;

	config_defaults(&c);
	assert_string_equal(c.activate_user, "_kms");
	assert_string_equal(c.front_user, "_kmsnet");
	assert_int_equal(c.address.count, 2);
	assert_int_equal(c.port, 1688);
	assert_int_equal(c.fronts, 2);
	assert_int_equal(c.connections, 20000);
	assert_int_equal(c.idle_timeout, 300);
	assert_int_equal(c.segment_size, 64 << 20);
	assert_int_equal(c.map_size, 1 << 30);
	assert_true(c.sandbox_required);
	assert_false(c.log_syslog);
	assert_int_equal(c.log_level, 6);
	assert_int_equal(c.dns_domains.count, 0);
	assert_string_equal(c.dns_host, "");
	assert_int_equal(c.dns_addresses.count, 0);
	assert_int_equal(c.dns_ttl, 3600);
	assert_int_equal(c.allow.count, 6);
	assert_string_equal(network_text(text, &c.allow.at[0]), "10.0.0.0/8");
	assert_string_equal(network_text(text, &c.allow.at[5]), "fe80::/10");
	assert_int_equal(c.firewall_rate, 6000);
	assert_int_equal(c.alerts_pool_used, 90);
	assert_int_equal(c.alerts_key_left, 30);
	assert_false(c.alerts_strict);
	assert_int_equal(c.connections_per_source, 1000);
	assert_int_equal(c.new_clients_per_source.burst, 20000);
	assert_int_equal(c.new_clients_per_source.refill, 20);
	assert_false(c.gss_tsig);
	assert_false(c.publish_vlmcs);
	assert_string_equal(c.share_user, "_kmsshare");
	assert_false(share_configured(&c));
	assert_int_equal(c.share_members.count, 0);
	assert_int_equal(c.share_alone, CONFIG_ALONE_SERVE);
	assert_int_equal(c.share_alone_for, 30);
	assert_int_equal(c.share_reserve, 16);
}

static void
test_differs(void **ignored)
{
	static const char text[] = "[limits]\nidle_timeout = 301\n[listen]\naddress = ::1\n";
	const struct config_key *k;
	struct config a, b;
	unsigned n = 0;

	config_defaults(&a);
	parse_good(&b, text, sizeof(text) - 1, "text");
	for (k = config_schema(); k->section != NULL; k++) {
		assert_false(config_differs(k, &a, &a));
		if (!config_differs(k, &a, &b))
			continue;
		n++;
		assert_true(strcmp(k->key, k->restart ? "address" : "idle_timeout") == 0);
	}
	assert_int_equal(n, 2);
}

/*
 * etc/kms.ini shows every key with its default behind a semicolon: as shipped and with all of them
 * taken out.
 */
static void
test_example(void **ignored)
{
	const struct config_key *k;
	struct config defaults, c;
	char line[256], *text, *at;
	size_t len;

	config_defaults(&defaults);
	text = read_whole(source(), "etc/kms.ini", &len);
	parse_good(&c, text, len, "etc/kms.ini");
	assert_memory_equal(&c, &defaults, sizeof(c));
	text = realloc(text, len + 1);
	assert_non_null(text);
	text[len] = '\0';
	for (k = config_schema(); k->section != NULL; k++) {
		if (config_record_of(k) != NULL) {
			snprintf(line, sizeof(line), "\n;[%s ", config_record_of(k)->word);
			assert_non_null(strstr(text, line));
			continue;
		}
		snprintf(line, sizeof(line), "\n;%s =%s%s\n", k->key, *k->def ? " " : "", k->def);
		/*
		 * The directories' defaults are configure's: the example shows an installed
		 * system's.
		 */
		if (k->type == KEY_DIRECTORY)
			snprintf(line, sizeof(line), "\n;%s = /", k->key);
		at = strstr(text, line);
		if (at == NULL)
			fail_msg("etc/kms.ini does not show %s", line + 1);
		at[1] = ' ';
		memmove(at + 1, at + 2, strlen(at + 2) + 1);
	}
	parse_good(&c, text, strlen(text), "etc/kms.ini with every key in force");
	assert_int_equal(c.fronts, defaults.fronts);
	free(text);
}

/*
 * doc/kms.ini.5 names every key under its section, with type, range, default and when it takes
 * effect.
 */
static void
test_manual(void **ignored)
{
	const struct config_key *k;
	char want[512], range[CONFIG_RANGE], *text, *section, *at, *next;
	size_t len;

	text = read_whole(source(), "doc/kms.ini.5", &len);
	text = realloc(text, len + 1);
	assert_non_null(text);
	text[len] = '\0';
	for (k = config_schema(); k->section != NULL; k++) {
		snprintf(want, sizeof(want), "\n.Ss [%s]\n", k->section);
		section = strstr(text, want);
		if (section == NULL)
			fail_msg("kms.ini.5 has no section [%s]", k->section);
		next = strstr(section + 1, "\n.Ss [");
		snprintf(want, sizeof(want),
		    "\n.It Cm %s Li = Ar %s\n"
		    "Range: %s.\n"
		    "Default: %s.\n"
		    "Takes effect: on %s.\n",
		    k->key, config_type_name(k->type), config_range(range, k),
		    k->type == KEY_DIRECTORY ? "set by configure"
		    : *k->def == '\0'        ? "empty"
					     : k->def,
		    k->restart ? "restart" : "reload");
		at = strstr(section, want);
		if (at == NULL || (next != NULL && at > next))
			fail_msg("kms.ini.5 does not say, under [%s]:%s", k->section, want);
	}
	free(text);
}

/* And it names no key that is not one. */
static void
test_manual_names_keys_only(void **ignored)
{
	const struct config_key *k;
	char *text, *line, *rest, section[64] = "", key[64];
	unsigned found = 0, rows = 0;
	size_t len;

	text = read_whole(source(), "doc/kms.ini.5", &len);
	text = realloc(text, len + 1);
	assert_non_null(text);
	text[len] = '\0';
	for (line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		if (sscanf(line, ".Ss [%63[^]]]", section) == 1 ||
		    sscanf(line, ".It Cm %63s Li =", key) != 1 || strstr(line, " Li = ") == NULL)
			continue;
		found++;
		for (k = config_schema(); k->section != NULL; k++)
			if (strcmp(k->section, section) == 0 && strcmp(k->key, key) == 0)
				break;
		if (k->section == NULL)
			fail_msg("kms.ini.5 names [%s] %s, which is no key", section, key);
	}
	for (k = config_schema(); k->section != NULL; k++)
		rows++;
	assert_int_equal(found, rows);
	free(text);
}

/* A file of just the most is read, one byte more is not; what cannot be read leaves the defaults.
 */
static void
test_load(void **ignored)
{
	char path[] = "/tmp/test_config.XXXXXX";
	struct config c, defaults;
	struct fault f;
	char *large = malloc(CONFIG_MAX);
	int fd = mkstemp(path);

	assert_non_null(large);
	assert_true(fd >= 0);
	memset(large, '\n', CONFIG_MAX);
	memcpy(large, "[listen]\nfronts = 3", 19);
	config_defaults(&defaults);
	assert_int_equal(write(fd, large, CONFIG_MAX), CONFIG_MAX);
	assert_int_equal(config_load(&c, path, &f, 1), 0);
	assert_int_equal(c.fronts, 3);
	assert_int_equal(write(fd, "\n", 1), 1);
	assert_int_equal(config_load(&c, path, &f, 1), 1);
	assert_int_equal(f.status, KMS_E_TOO_LARGE);
	assert_string_equal(f.text, "the file is larger than 262144 bytes");
	assert_memory_equal(&c, &defaults, sizeof(c));
	assert_int_equal(config_load(&c, "/nonexistent/kms.ini", &f, 1), 1);
	assert_int_equal(f.status, KMS_E_NOT_FOUND);
	assert_int_equal(f.line, 0);
	assert_string_equal(f.text, "cannot be read: No such file or directory");
	assert_int_equal(config_load(&c, "/", NULL, 0), 1);
	assert_int_equal(config_load(&c, "/dev/zero", &f, 1), 1);
	assert_int_equal(f.status, KMS_E_TOO_LARGE);
	close(fd);
	unlink(path);
	free(large);
}

/* What kmsd takes at a start and what it takes at a reload are told apart; what it does not read
 * changes neither. */
static void
test_mark(void **ignored)
{
	static const struct {
		const char *text;
		bool start, reload;
	} rows[] = {
		{ "", false, false },
		{ "; a comment\n[limits]\n\nidle_timeout =   300\n", false, false },
		{ "[limits]\nidle_timeout = 301\n", false, true },
		{ "[listen]\nfronts = 3\n", true, false },
		{ "[relay]\nupstream = 192.0.2.1\n", true, false },
		{ "[relay]\nallow = 192.0.2.0/24\n", false, true },
		{ "[listen]\nport = 1689\n[log]\nlevel = debug\n", true, true },
		{ "[dns]\ndomains = example.com\n[firewall]\nrate = 1\n", false, false },
		{ "[publisher acme]\nkey = RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n",
		    false, true },
	};
	struct config plain, c;
	struct fault e;

	config_defaults(&plain);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(config_parse(&c, rows[i].text, strlen(rows[i].text), &e, 1), 0);
		if ((config_mark(&c, true) != config_mark(&plain, true)) != rows[i].start ||
		    (config_mark(&c, false) != config_mark(&plain, false)) != rows[i].reload)
			fail_msg("%s", rows[i].text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_typos),
		cmocka_unit_test(test_bad_octets),
		cmocka_unit_test(test_many_errors),
		cmocka_unit_test(test_too_many_publishers),
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_differs),
		cmocka_unit_test(test_example),
		cmocka_unit_test(test_manual),
		cmocka_unit_test(test_manual_names_keys_only),
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_mark),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
