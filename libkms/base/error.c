/*
 * error.c - the one table that turns a status into its symbol, Microsoft's
 * documented code of the same meaning, a clause for a person, and what to do.
 */
#include <stddef.h>

#include "libkms/kms_error.h"

#define ROW(name, microsoft, meaning, remedy)                                                      \
	{                                                                                          \
		name, #name, microsoft, meaning, remedy                                            \
	}

static const struct kms_error errors[] = {
	ROW(KMS_OK, 0, "success", "Nothing to do."),
	ROW(KMS_E_COUNT_TOO_LOW, 0xC004F038, "recorded, but too few clients have been counted yet",
	    "Ask again after the activation interval; more clients must ask the same host."),
	ROW(KMS_E_NOT_ENABLED, 0xC004F039, "no KMS host key of this publisher is installed here",
	    "Install the publisher's KMS host key on the host: kmsctl key install."),
	ROW(KMS_E_NOT_CONFIRMED, 0xC004F041, "the KMS host key is installed but not yet confirmed",
	    "Have the publisher confirm the host: kmsctl key request, then kmsctl key confirm."),
	ROW(KMS_E_NOT_COVERED, 0xC004F042, "the product is outside the host key's product group",
	    "Buy and install a KMS host key of a group that covers the product."),
	ROW(KMS_E_UNKNOWN_PRODUCT, 0xC004F069, "no installed policy pack names the product",
	    "Install the publisher's newest policy pack: kmsctl policy install."),
	ROW(KMS_E_KEY_INVALID, 0xC004F050,
	    "the KMS host key is damaged, revoked or not signed by the publisher",
	    "Install the publisher's original files again; ask the publisher if it was revoked."),
	ROW(KMS_E_KEY_EXPIRED, 0, "the host certificate is outside its dates",
	    "Check the clocks, then have the host confirmed again by the publisher."),
	ROW(KMS_E_VM_REFUSED, 0xC004F068, "the policy refuses virtual machines",
	    "Run the product on a physical machine or ask the publisher for another policy."),
	ROW(KMS_E_TIME_SKEW, 0xC004F06C,
	    "the client's clock is more than four hours off the host's",
	    "Set the clocks of client and host, then ask again."),
	ROW(KMS_E_CAPACITY, 0, "as many clients are counted as were bought",
	    "Release clients that are no longer used or buy more capacity."),
	ROW(KMS_E_CLONE, 0, "two machines speak with one client key",
	    "Delete the client state file of the copied machine, so that it makes its own key."),
	ROW(KMS_E_SEQUENCE, 0, "the sequence number has been used already",
	    "Ask again with a new request id and the highest sequence number plus one."),
	ROW(KMS_E_REVOKED, 0, "the administrator revoked this client",
	    "Ask the administrator of the KMS host."),
	ROW(KMS_E_OVERLOAD, 0, "the host is too busy",
	    "Send the same request again after the time given."),
	ROW(KMS_E_LEDGER, 0, "the host's ledger cannot be written",
	    "Send the same request again later; on the host, see its log and free disk space."),
	ROW(KMS_E_UNKNOWN_HOST, 0, "the request is sealed for another host key",
	    "Forget the cached host certificate, send HELLO, and seal the request anew."),
	ROW(KMS_E_BAD_VERSION, 0, "the protocol version is not spoken here",
	    "Use a client and a host of matching versions."),
	ROW(KMS_E_BAD_FRAME, 0, "a frame's magic, type, flags or length is wrong",
	    "Correct the client: it does not speak the protocol."),
	ROW(KMS_E_BAD_SEAL, 0, "the authentication tag does not verify",
	    "Try again; if it happens again, correct the client or suspect the network."),
	ROW(KMS_E_BAD_REQUEST, 0, "the sealed text is malformed",
	    "Correct the client: it does not speak the protocol."),
	ROW(KMS_E_UNKNOWN_CLIENT, 0, "the client to release is not known or was released before",
	    "Nothing to do: no seat is held."),
	ROW(KMS_E_TOO_LARGE, 0, "longer than the limit", "Send or give less."),
	ROW(KMS_E_LOCKED, 0, "the host is locked: it waits for the passphrase of its keys",
	    "Ask again after the time given; on the host, run kmsctl unlock."),
	ROW(KMS_E_NO_HOST, 0xC004F074, "no KMS host was found or could be reached",
	    "Check the network, the DNS record _kms._tcp or the host name configured."),
	ROW(KMS_E_TIMEOUT, 0, "no answer within the time allowed",
	    "Check the network and the host, then try again."),
	ROW(KMS_E_IO, 0, "a file or socket operation failed",
	    "See the system's own error message."),
	ROW(KMS_E_NO_MEMORY, 0, "out of memory", "Free memory or raise the limit."),
	ROW(KMS_E_TRUNCATED, 0, "the input ends too early",
	    "Get the file or message again, whole."),
	ROW(KMS_E_TRAILING, 0, "bytes are left over after the last field",
	    "Get the file or message again, unchanged."),
	ROW(KMS_E_FORMAT, 0, "a field holds what it must not",
	    "Check that this is the right kind of file and get it again, unchanged."),
	ROW(KMS_E_ARGUMENT, 0, "an argument is wrong", "Correct the call."),
	ROW(KMS_E_STATE, 0, "the client state file is damaged",
	    "Restore the state file, or delete it to begin as a new client."),
	ROW(KMS_E_SIGNATURE, 0, "a signature does not verify",
	    "Get the file again from its publisher; do not trust this copy."),
	ROW(KMS_E_PUBLISHER, 0, "signed by a publisher who is not trusted here",
	    "Check the publisher's public key in the configuration or the product."),
	ROW(KMS_E_PROOF, 0, "the inclusion proof does not reach the signed root",
	    "Activate again; do not trust this lease."),
	ROW(KMS_E_LEASE_EXPIRED, 0, "the lease has run out",
	    "Renew: connect to the network of a KMS host."),
	ROW(KMS_E_LEASE_OTHER, 0, "the lease belongs to another client, product or host",
	    "Activate this client for this product."),
	ROW(KMS_E_CLOCK_BACK, 0, "the clock is behind the latest time seen", "Set the clock."),
	ROW(KMS_E_NO_LEASE, 0, "there is no lease: the client was never activated",
	    "Activate the client."),
	ROW(KMS_E_CHAIN, 0, "the journal's chain of batches is broken",
	    "Run kmsctl ledger check; restore the journal from a backup."),
	ROW(KMS_E_TORN, 0, "the journal's last batch was written in part",
	    "Start kmsd: it drops the part, which was never acknowledged."),
	ROW(KMS_E_ALTERED, 0, "bytes of the journal were changed after writing",
	    "Run kmsctl ledger check; restore the segment from a backup."),
	ROW(KMS_E_MISSING, 0, "a segment of the journal is missing",
	    "Restore the segment from a backup."),
	ROW(KMS_E_FULL, 0, "no space is left on the device", "Free or add disk space."),
	ROW(KMS_E_SCHEMA, 0, "written by another schema version",
	    "Use the matching version of kmsd, or migrate."),
	ROW(KMS_E_NOT_FOUND, 0, "not found", "Check the name."),
	ROW(KMS_E_EXISTS, 0, "exists already or is in use",
	    "Remove the other one first, or end its user."),
	ROW(KMS_E_CONFIG, 0, "the configuration is not valid",
	    "Correct the line named, then run kmsctl config check."),
	ROW(KMS_E_PREREQUISITE, 0, "the policy pack needs another pack first",
	    "Install the pack it names first."),
	ROW(KMS_E_OLDER, 0, "the policy pack is older than the one installed",
	    "Get the newest pack from the publisher."),
	ROW(KMS_E_DENIED, 0, "permission denied",
	    "Be root or a member of the control group; what another server refuses is allowed there."),
	ROW(KMS_E_PEER, 0, "a peer process broke the internal protocol",
	    "See the log; the process is replaced."),
	ROW(KMS_E_SANDBOX, 0, "a confinement layer cannot be applied",
	    "Use a kernel that has it, or allow it to be missing in kms.ini."),
	ROW(KMS_E_NOT_RUNNING, 0, "kmsd does not answer on its control socket",
	    "Start kmsd, or check runtime_directory in kms.ini."),
	ROW(KMS_E_LIMIT, 0xC004C008, "the confirmations or hosts of the KMS host key are used up",
	    "Ask the publisher for more."),
	ROW(KMS_E_PASSPHRASE, 0, "the passphrase of a secret key is wrong", "Try again."),
};

/* What kms_error_find answers for a number that no row has. */
static const struct kms_error unknown = { KMS_E_LOCAL, "KMS_E_UNKNOWN", 0, "unknown status",
	"Use programs of the same version, or look the number up in a newer one." };

const struct kms_error *
kms_error_find(uint32_t status)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if ((uint32_t)errors[i].status == status)
			return &errors[i];
	return &unknown;
}

const struct kms_error *
kms_error_table(unsigned *count)
{
	*count = sizeof(errors) / sizeof(errors[0]);
	return errors;
}

const char *
kms_strerror(uint32_t status)
{
	return kms_error_find(status)->meaning;
}
