/*
 * witness_script.c - see witness_script.h. Each value in the script is a name of a share, a name of
 * a host or PEM, so that none can end a quotation.
 *
 * etcdctl and not curl: its lines are easier for a shell than JSON. It may be run again.
 */
#include "kmsctl/share/witness_script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/share/etcd_settings.h"

#define DIRECTORY "/etc/kms-share"
#define CLUSTER "@CLUSTER@"

static const char mark[] = "#!/bin/sh\n# kmsd: the witness of a share.";

static const char checks[] =
    "[ \"$(id -u)\" = 0 ] || { echo 'run this as root' >&2; exit 1; }\n"
    "for p in etcd etcdctl; do\n"
    "	command -v $p >/dev/null || { echo \"$p is not installed: apt install etcd-server etcd-client\" >&2; exit 1; }\n"
    "done\n"
    "if [ -e $settings ] && ! head -n 1 $settings | grep -qxF \"$first\" && grep -qv '^[[:space:]]*\\(#.*\\)\\{0,1\\}$' $settings; then\n"
    "	echo \"$settings has settings of another use: if nothing needs them, mv $settings $settings.old\" >&2; exit 1\n"
    "fi\n"
    "umask 022\n"
    "mkdir -p $dir\n";

static const char steps[] =
    "chown etcd: $dir/etcd.key $dir/etcd.pem\n"
    "chmod 644 $dir/authority.pem $dir/etcd.pem\n"
    "ctl() { ETCDCTL_API=3 etcdctl --endpoints \"$members\" --cacert $dir/authority.pem --cert $dir/etcd.pem --key $dir/etcd.key --command-timeout 10s \"$@\"; }\n"
    "list=$(ctl member list) || { echo \"no member of the share $share answers: is port 2379 open from here?\" >&2; exit 1; }\n"
    "case $list in\n"
    "*\"$peer\"*) [ -e $data ] || ! echo \"$list\" | grep -F \", $peer,\" | grep -q ', started,' || {\n"
    "	echo \"$host is a member already, but $data is missing: another machine has this name, or its disk was lost\" >&2; exit 1; } ;;\n"
    "*) [ ! -e $data ] || { echo \"$host was removed from the share: mv $data $data.old, then run this again\" >&2; exit 1; }\n"
    "	n=0\n"
    "	until ctl member add \"$host\" --learner --peer-urls \"$peer\" >/dev/null; do\n"
    "		n=$((n + 1)); [ $n -lt 20 ] || exit 1; sleep 1\n"
    "	done\n"
    "	list=$(ctl member list) ;;\n"
    "esac\n"
    "cluster=$(echo \"$list\" | awk -F ', ' -v host=\"$host\" '{ printf \"%s%s=%s\", comma, $3 == \"\" ? host : $3, $4; comma = \",\" }')\n"
    "if [ ! -e $data ]; then\n"
    "	sed \"s|" CLUSTER "|$cluster|\" $dir/etcd.settings >$settings.new\n"
    "	mv $settings.new $settings\n"
    "fi\n"
    "if [ -d /run/systemd/system ]; then\n"
    "	systemctl enable etcd\n"
    "	systemctl restart etcd || true\n"
    "else\n"
    "	echo 'start etcd on this machine now'\n"
    "fi\n"
    "n=0\n"
    "until ctl member list | grep -F \", $peer,\" | grep -q ', started, .*, false$'; do\n"
    "	id=$(ctl member list | grep -F \", $peer,\" | cut -d , -f 1)\n"
    "	ctl member promote \"$id\" >/dev/null 2>&1 && break\n"
    "	n=$((n + 1))\n"
    "	[ $n -lt 60 ] || { echo 'etcd does not run here, or has not caught up: systemctl status etcd, then run this again' >&2; exit 1; }\n"
    "	sleep 1\n"
    "done\n"
    "echo \"$host is a member of the etcd of the share $share. Delete this file. Next, on each host: kmsctl apply, then kmsctl share check\"\n";

static void
part(FILE *f, const char *name, unsigned mode, const char *text)
{
	fprintf(f, "(umask %03o; cat >$dir/%s.new <<'END'\n%sEND\n)\nmv $dir/%s.new $dir/%s\n",
	    0777 & ~mode, name, text, name, name);
}

char *
witness_text(const struct invitation *i)
{
	char url[288], data[96], *text = NULL, *settings;
	struct etcd_settings s = { .share = i->share,
		.host = i->host,
		.directory = DIRECTORY,
		.cluster = CLUSTER,
		.joins = true };
	size_t len;
	FILE *f;

	if ((settings = etcd_settings_text(&s)) == NULL)
		return NULL;
	if ((f = open_memstream(&text, &len)) == NULL) {
		free(settings);
		return NULL;
	}
	fprintf(f,
	    "%s\n# SECRET: the key of %s in the share %s is in it. Delete it when it has run.\n"
	    "#\n# On %s:  apt install etcd-server etcd-client;  sh FILE\n"
	    "# It may be run again.\nset -eu\n",
	    mark, i->host, i->share, i->host);
	fprintf(f,
	    "share=%s\nhost=%s\npeer='%s'\ndir=" DIRECTORY "\nsettings=" ETCD_SETTINGS
	    "\ndata=%s\n",
	    i->share, i->host, etcd_url(url, i->host, ETCD_PEER_PORT), etcd_data(data, i->share));
	fprintf(f, "first='%.*s'\nmembers='", (int)strcspn(settings, "\n"), settings);
	for (unsigned m = 0; m < i->members.count; m++)
		fprintf(f, "%s%s", m > 0 ? "," : "",
		    etcd_url(url, i->members.at[m].name, i->members.at[m].port));
	fprintf(f, "'\n%s", checks);
	part(f, "authority.pem", 0644, i->texts[SHARE_AUTHORITY]);
	part(f, "etcd.pem", 0644, i->texts[SHARE_ETCD]);
	part(f, "etcd.key", 0600, i->texts[SHARE_ETCD_KEY]);
	part(f, "etcd.settings", 0644, settings);
	fputs(steps, f);
	free(settings);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

bool
witness_is(const char *text)
{
	return strncmp(text, mark, sizeof(mark) - 1) == 0;
}
