/*
 * product.c - the smallest product: built against an installed libkms by
 * client_install.t, as C11 and as C++, with nothing but what pkg-config says.
 */
#include <kms.h>
#include <stdio.h>
#include <string.h>

int
main(int argc, char **argv)
{
	struct kms_options o;
	struct kms_status_info s;
	struct kms_client *c;
	unsigned rows;
	int rc;

	memset(&o, 0, sizeof(o));
	memset(&s, 0, sizeof(s));
	o.size = sizeof(o);
	s.size = sizeof(s);
	if (argc != 2)
		return 2;
	o.publisher_key = "RWQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
	o.product = "6f1d2c3b-4a59-4687-9abc-def012345678";
	o.state_file = argv[1];
	if ((rc = kms_open(&c, &o)) != KMS_OK) {
		fprintf(stderr, "%s\n", kms_strerror((uint32_t)rc));
		return 1;
	}
	rc = kms_status(c, &s);
	kms_close(c);
	kms_error_table(&rows);
	printf("libkms %s licence %d grace %u rows %d\n", kms_version(), (int)s.licence,
	    (unsigned)s.grace_left, rows > 50);
	return rc;
}
