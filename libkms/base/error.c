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
	ROW(KMS_E_COUNT_TOO_LOW, 0xC004F038,
	    "the client was recorded, but too few clients have been counted so far",
	    "Ask again after the activation interval; more clients must contact the same host."),
	ROW(KMS_E_NOT_ENABLED, 0xC004F039,
	    "no KMS host key of this publisher is installed on the host",
	    "On the host, install the publisher's KMS host key: kmsctl key install."),
	ROW(KMS_E_NOT_CONFIRMED, 0xC004F041, "the KMS host key is installed but not yet confirmed",
	    "Have the publisher confirm the host: kmsctl key request, then kmsctl key confirm."),
	ROW(KMS_E_NOT_COVERED, 0xC004F042, "the host key's group does not cover the product",
	    "Buy and install a KMS host key of a group that covers the product."),
	ROW(KMS_E_UNKNOWN_PRODUCT, 0xC004F069, "no installed policy pack names the product",
	    "On the host, install the publisher's newest policy pack: kmsctl policy install."),
	ROW(KMS_E_KEY_INVALID, 0xC004F050,
	    "the KMS host key is damaged, revoked or not signed by the publisher",
	    "Install the publisher's original files again; ask the publisher whether the key was revoked."),
	ROW(KMS_E_KEY_EXPIRED, 0, "the host's certificate has expired or is not yet valid",
	    "Check the clocks, then have the publisher confirm the host again."),
	ROW(KMS_E_VM_REFUSED, 0xC004F068, "the policy refuses virtual machines",
	    "Run the product on a physical machine, or ask the publisher for another policy."),
	ROW(KMS_E_TIME_SKEW, 0xC004F06C,
	    "the clocks of the client and the host differ by more than four hours",
	    "Set the clocks of client and host, then ask again."),
	ROW(KMS_E_CAPACITY, 0, "all the seats that were bought are in use",
	    "Release clients that are no longer used, or buy more capacity."),
	ROW(KMS_E_CLONE, 0, "two machines share one client key",
	    "Delete the client state file on the copied machine, so that the machine creates its own key."),
	ROW(KMS_E_SEQUENCE, 0, "the sequence number has been used already",
	    "Ask again with a new request id and the highest sequence number plus one."),
	ROW(KMS_E_REVOKED, 0, "the administrator revoked this client",
	    "Ask the administrator of the KMS host."),
	ROW(KMS_E_OVERLOAD, 0, "the host is too busy, or asks you to wait",
	    "Wait as long as the host says, then try again."),
	ROW(KMS_E_LEDGER, 0, "the host cannot write its ledger",
	    "Send the same request again later; on the host, read the log and free disk space."),
	ROW(KMS_E_UNKNOWN_HOST, 0, "the confirmation or request was made for another host",
	    "Use a confirmation on the host that requested it; a client sends HELLO and seals its request again."),
	ROW(KMS_E_BAD_VERSION, 0, "the protocol version is not supported here",
	    "Use a client and a host of matching versions."),
	ROW(KMS_E_BAD_FRAME, 0, "the magic, type, flags or length of a frame is wrong",
	    "Correct the client: it does not follow the protocol."),
	ROW(KMS_E_BAD_SEAL, 0, "the authentication tag does not verify",
	    "Try again; if it fails again, correct the client or check the network."),
	ROW(KMS_E_BAD_REQUEST, 0, "the decrypted request is malformed",
	    "Correct the client: it does not follow the protocol."),
	ROW(KMS_E_UNKNOWN_CLIENT, 0, "the client is unknown or was already released",
	    "Nothing to do: the client holds no seat."),
	ROW(KMS_E_TOO_LARGE, 0, "the input is too large", "Use a smaller file or a shorter value."),
	ROW(KMS_E_LOCKED, 0, "the host is locked: it waits for the passphrase of its keys",
	    "On the host, run kmsctl unlock; a client asks again after the time given."),
	ROW(KMS_E_NO_HOST, 0xC004F074, "no KMS host was found, or none could be reached",
	    "Check the network, and the DNS record _kms._tcp or the configured host name."),
	ROW(KMS_E_TIMEOUT, 0, "no answer was received",
	    "Check the network and the server, then try again."),
	ROW(KMS_E_IO, 0, "a file or socket operation failed",
	    "Read the system's error message and correct its cause."),
	ROW(KMS_E_NO_MEMORY, 0, "out of memory", "Free memory or raise the limit."),
	ROW(KMS_E_TRUNCATED, 0, "the input ends too early",
	    "Get the complete file or message again."),
	ROW(KMS_E_TRAILING, 0, "bytes are left over after the last field",
	    "Get the file or message again, unchanged."),
	ROW(KMS_E_FORMAT, 0, "a field has an invalid value",
	    "Check that this is the right kind of file, and get it again, unchanged."),
	ROW(KMS_E_ARGUMENT, 0, "an argument is wrong",
	    "See the program's --help, or the manual of the function."),
	ROW(KMS_E_STATE, 0, "the client state file is damaged",
	    "Restore the state file, or delete it to begin as a new client."),
	ROW(KMS_E_SIGNATURE, 0, "a signature does not verify",
	    "Get the file again from its publisher; do not trust this copy."),
	ROW(KMS_E_PUBLISHER, 0, "the signer is not a publisher trusted here",
	    "Check the publisher's public key in the configuration or the product."),
	ROW(KMS_E_PROOF, 0, "the inclusion proof does not lead to the signed root",
	    "Activate again; do not trust this lease."),
	ROW(KMS_E_LEASE_EXPIRED, 0, "the lease has expired",
	    "Connect to the network of a KMS host, and renew."),
	ROW(KMS_E_LEASE_OTHER, 0, "the lease belongs to another client, product or host",
	    "Activate this client for this product."),
	ROW(KMS_E_CLOCK_BACK, 0, "the clock is behind the latest time seen",
	    "Set the clock to the right time."),
	ROW(KMS_E_NO_LEASE, 0, "there is no lease: the client was never activated",
	    "Activate the client."),
	ROW(KMS_E_CHAIN, 0, "the journal's chain of batches is broken",
	    "Run kmsctl ledger check; restore the journal from a backup."),
	ROW(KMS_E_TORN, 0, "the journal's last batch was only partly written",
	    "Start kmsd: it cuts off that part, which was never acknowledged."),
	ROW(KMS_E_ALTERED, 0, "bytes of the journal were changed after they were written",
	    "Run kmsctl ledger check; restore the segment from a backup."),
	ROW(KMS_E_MISSING, 0, "a segment of the journal is missing",
	    "Restore the segment from a backup."),
	ROW(KMS_E_FULL, 0, "no space is left on the device", "Free or add disk space."),
	ROW(KMS_E_SCHEMA, 0, "the data was written by a version with another schema",
	    "Use the matching version of kmsd."),
	ROW(KMS_E_NOT_FOUND, 0, "not found", "Check the name."),
	ROW(KMS_E_EXISTS, 0, "it exists already, or another program is using it",
	    "Remove the existing one, or stop the program that is using it."),
	ROW(KMS_E_CONFIG, 0, "the configuration is not valid",
	    "Correct the line that the message names, then run kmsctl config check."),
	ROW(KMS_E_PREREQUISITE, 0, "the policy pack needs another pack first",
	    "Install the pack that the message names, then this one."),
	ROW(KMS_E_OLDER, 0, "the file is older than the installed one",
	    "Get the newest file from the publisher."),
	ROW(KMS_E_DENIED, 0, "permission denied",
	    "Run the command as root or as a member of kms.ini's control_group, or change the permissions."),
	ROW(KMS_E_PEER, 0, "a process of kmsd broke the internal protocol",
	    "Read the log; kmsd replaces the process."),
	ROW(KMS_E_SANDBOX, 0, "a layer of the sandbox cannot be applied",
	    "Use a kernel that has the layer, or allow it to be missing in kms.ini."),
	ROW(KMS_E_NOT_RUNNING, 0, "kmsd does not answer on its control socket",
	    "Start kmsd, or check runtime_directory in kms.ini."),
	ROW(KMS_E_LIMIT, 0xC004C008,
	    "the KMS host key has reached its limit of confirmations or hosts",
	    "Ask the publisher for more; the publisher can override the limit (kmsissue confirm --override)."),
	ROW(KMS_E_PASSPHRASE, 0, "the passphrase of a secret key is wrong",
	    "Try again with the right passphrase."),
};

/* What kms_error_find returns for a number without a row. */
static const struct kms_error unknown = { KMS_E_LOCAL, "KMS_E_UNKNOWN", 0, "unknown status",
	"Use the same version of all programs, or look the number up with a newer version." };

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
