/*
 * user_text_de.c - the texts for users in German. Rows in the order of kms_error.h.
 */
#include "libkms/client/user_text.h"
#include "libkms/kms_error.h"

#define NOTHING "Sie müssen nichts tun."
#define ASK "Wenden Sie sich an Ihre Systemverwaltung."
#define AGAIN "Versuchen Sie es noch einmal."
#define LATER "Versuchen Sie es später noch einmal."
#define LATER_OR_ASK                                                                               \
	"Versuchen Sie es später noch einmal, oder wenden Sie sich an Ihre Systemverwaltung."
#define CONNECT                                                                                    \
	"Verbinden Sie sich mit dem Netz Ihrer Organisation, und versuchen Sie es dann noch einmal."
#define CLOCK "Stellen Sie Datum und Uhrzeit ein, und versuchen Sie es dann noch einmal."
#define SET_BACK "die Uhr dieses Computers wurde zurückgestellt"
#define EXPIRED "die Lizenz ist abgelaufen"
#define NOT_UNDERSTOOD "der Lizenzserver hat das Produkt nicht verstanden"
#define NOT_CHECKED "die Lizenz konnte nicht geprüft werden"
#define OTHER_COMPUTER "diese Lizenz gehört zu einem anderen Computer"

static const struct text_status statuses[] = {
	{ KMS_OK, { "die Lizenz ist gültig", NOTHING } },
	{ KMS_E_COUNT_TOO_LOW,
	    { "der Lizenzserver wartet, bis genügend Computer angefragt haben",
		"Sie müssen nichts tun: Das Produkt fragt von selbst wieder an." } },
	{ KMS_E_NOT_ENABLED,
	    { "der Lizenzserver ist für dieses Produkt nicht eingerichtet", ASK } },
	{ KMS_E_NOT_CONFIRMED, { "der Lizenzserver ist nicht vollständig eingerichtet", ASK } },
	{ KMS_E_NOT_COVERED,
	    { "die Lizenz Ihrer Organisation umfasst dieses Produkt nicht", ASK } },
	{ KMS_E_UNKNOWN_PRODUCT, { "der Lizenzserver kennt dieses Produkt nicht", ASK } },
	{ KMS_E_KEY_INVALID, { "der Schlüssel des Lizenzservers ist ungültig", ASK } },
	{ KMS_E_KEY_EXPIRED, { "der Schlüssel des Lizenzservers ist abgelaufen", ASK } },
	{ KMS_E_VM_REFUSED,
	    { "dieses Produkt darf nicht auf einer virtuellen Maschine verwendet werden", ASK } },
	{ KMS_E_TIME_SKEW, { "die Uhr dieses Computers geht falsch", CLOCK } },
	{ KMS_E_CAPACITY, { "alle Lizenzen sind vergeben", LATER_OR_ASK } },
	{ KMS_E_CLONE, { "ein anderer Computer verwendet dieselbe Lizenzdatei", ASK } },
	{ KMS_E_SEQUENCE,
	    { "die Lizenzdatei ist älter als die Aufzeichnungen des Lizenzservers", AGAIN } },
	{ KMS_E_REVOKED, { "diese Lizenz wurde von Ihrer Systemverwaltung entzogen", ASK } },
	{ KMS_E_OVERLOAD, { "der Lizenzserver ist überlastet", LATER } },
	{ KMS_E_LEDGER, { "der Lizenzserver ist gestört", LATER_OR_ASK } },
	{ KMS_E_UNKNOWN_HOST, { "der Lizenzserver wurde ersetzt", AGAIN } },
	{ KMS_E_BAD_VERSION,
	    { "die Versionen des Produkts und des Lizenzservers passen nicht zusammen", ASK } },
	{ KMS_E_BAD_FRAME, { NOT_UNDERSTOOD, ASK } },
	{ KMS_E_BAD_SEAL,
	    { "der Lizenzserver konnte die Anfrage nicht lesen",
		"Versuchen Sie es noch einmal, oder wenden Sie sich an Ihre Systemverwaltung." } },
	{ KMS_E_BAD_REQUEST, { NOT_UNDERSTOOD, ASK } },
	{ KMS_E_UNKNOWN_CLIENT, { "die Lizenz wurde schon zurückgegeben", NOTHING } },
	{ KMS_E_TOO_LARGE, { NOT_UNDERSTOOD, ASK } },
	{ KMS_E_LOCKED, { "der Lizenzserver ist gesperrt", ASK } },
	{ KMS_E_UNKNOWN_KEY, { "der Lizenzserver hat seine Schlüssel erneuert", AGAIN } },
	{ KMS_E_TOO_SOON, { "die Lizenz wurde gerade erst geprüft", NOTHING } },
	{ KMS_E_BINDING, { OTHER_COMPUTER, ASK } },
	{ KMS_E_NOT_OFFERED, { "diese Art von Lizenz gibt es hier nicht", ASK } },
	{ KMS_E_CLASS_FULL, { "alle Lizenzen für Ihre Gruppe sind vergeben", LATER } },
	{ KMS_E_RECLAIMED, { "Ihre Lizenz wurde an einen anderen Computer vergeben", LATER } },
	{ KMS_E_DOWNGRADE, { "etwas stört die Verbindung zum Lizenzserver",
			       "Melden Sie das Ihrer Systemverwaltung." } },
	{ KMS_E_ALONE, { "der Lizenzserver kann zurzeit keine neuen Lizenzen vergeben", LATER } },
	{ KMS_E_STATELESS,
	    { "diese Lizenz gilt nicht für Programme, die zwischen zwei Starts keine Daten behalten",
		ASK } },
	{ KMS_E_BORROW, { "diese Lizenz kann nicht so lange ausgeliehen werden", ASK } },
	{ KMS_E_BORROWED_OUT, { "alle ausleihbaren Lizenzen sind schon verliehen", LATER } },
	{ KMS_E_NO_HOST,
	    { "kein Lizenzserver ist erreichbar",
		"Prüfen Sie die Netzwerkverbindung, oder wenden Sie sich an Ihre Systemverwaltung." } },
	{ KMS_E_TIMEOUT,
	    { "der Lizenzserver antwortet nicht",
		"Prüfen Sie die Netzwerkverbindung, oder versuchen Sie es später noch einmal." } },
	{ KMS_E_IO, { "eine Lizenzdatei kann nicht gelesen oder geschrieben werden", ASK } },
	{ KMS_E_NO_MEMORY,
	    { "der Arbeitsspeicher des Computers reicht nicht aus",
		"Schließen Sie andere Programme, und versuchen Sie es dann noch einmal." } },
	{ KMS_E_TRUNCATED, { NOT_CHECKED, ASK } },
	{ KMS_E_TRAILING, { NOT_CHECKED, ASK } },
	{ KMS_E_FORMAT, { NOT_CHECKED, ASK } },
	{ KMS_E_ARGUMENT, { NOT_CHECKED, ASK } },
	{ KMS_E_STATE, { "die Lizenzdatei ist beschädigt", ASK } },
	{ KMS_E_SIGNATURE, { NOT_CHECKED, ASK } },
	{ KMS_E_PUBLISHER, { NOT_CHECKED, ASK } },
	{ KMS_E_PROOF, { NOT_CHECKED, ASK } },
	{ KMS_E_LEASE_EXPIRED, { EXPIRED, CONNECT } },
	{ KMS_E_LEASE_OTHER, { "die Lizenz gehört zu einem anderen Computer oder Produkt", ASK } },
	{ KMS_E_CLOCK_BACK, { SET_BACK, CLOCK } },
	{ KMS_E_NO_LEASE, { "dieses Produkt hat noch keine Lizenz", CONNECT } },
	{ KMS_E_CHAIN, { NOT_CHECKED, ASK } },
	{ KMS_E_TORN, { NOT_CHECKED, ASK } },
	{ KMS_E_ALTERED, { NOT_CHECKED, ASK } },
	{ KMS_E_MISSING, { NOT_CHECKED, ASK } },
	{ KMS_E_FULL,
	    { "der Datenträger ist voll",
		"Geben Sie Speicherplatz frei, und versuchen Sie es dann noch einmal." } },
	{ KMS_E_SCHEMA,
	    { "die Lizenzdatei wurde von einer anderen Version des Produkts geschrieben",
		"Installieren Sie diese andere Version wieder, oder wenden Sie sich an Ihre Systemverwaltung." } },
	{ KMS_E_NOT_FOUND, { NOT_CHECKED, ASK } },
	{ KMS_E_EXISTS, { "ein anderes Programm verwendet gerade die Lizenz",
			    "Versuchen Sie es gleich noch einmal." } },
	{ KMS_E_CONFIG, { NOT_CHECKED, ASK } },
	{ KMS_E_PREREQUISITE, { NOT_CHECKED, ASK } },
	{ KMS_E_OLDER, { NOT_CHECKED, ASK } },
	{ KMS_E_DENIED, { "das Programm darf eine Lizenzdatei nicht lesen oder schreiben", ASK } },
	{ KMS_E_PEER, { NOT_CHECKED, ASK } },
	{ KMS_E_SANDBOX, { NOT_CHECKED, ASK } },
	{ KMS_E_NOT_RUNNING, { NOT_CHECKED, ASK } },
	{ KMS_E_LIMIT, { NOT_CHECKED, ASK } },
	{ KMS_E_PASSPHRASE, { NOT_CHECKED, ASK } },
	{ KMS_E_HISTORY,
	    { "die Lizenz ist gültig, aber die Aufzeichnungen des Lizenzservers haben sich geändert",
		"Melden Sie das Ihrer Systemverwaltung." } },
	{ KMS_E_NOT_PROVED, { "die Aufzeichnungen sind unvollständig",
				"Fragen Sie den Absender der Aufzeichnungen." } },
	{ KMS_E_PINNED, { "dieser Lizenzserver gehört jemand anderem", ASK } },
	{ KMS_E_INDEX, { "die Lizenz konnte nicht geprüft werden", ASK } },
	{ KMS_E_PENDING,
	    { "der Lizenzserver hat noch nicht geantwortet", "Warten Sie einen Augenblick." } },
};

const struct text_catalogue text_german = {
	.language = "de",
	.statuses = statuses,
	.status_count = sizeof(statuses) / sizeof(statuses[0]),
	.unknown_status = { "diese Version kennt die Antwort des Lizenzservers nicht",
	    ASK },
	.licences = {
		[KMS_UNLICENSED] = { "dieses Produkt hat keine Lizenz", CONNECT },
		[KMS_GRACE] = { "dieses Produkt hat noch keine Lizenz und läuft nur begrenzte Zeit",
		    "Verbinden Sie sich mit dem Netz Ihrer Organisation, bevor diese Zeit endet." },
		[KMS_ACTIVATED] = { "dieses Produkt ist lizenziert", NOTHING },
		[KMS_RENEWAL_DUE] = {
		    "dieses Produkt ist lizenziert, aber die Lizenz muss bald erneuert werden",
		    "Verbinden Sie sich in den nächsten Tagen mit dem Netz Ihrer Organisation." },
		[KMS_EXPIRED] = { EXPIRED, CONNECT },
		[KMS_CLOCK_BACK] = { SET_BACK, CLOCK },
	},
	.unknown_licence = {
	    "diese Version kennt den Zustand der Lizenz nicht", ASK },
};
