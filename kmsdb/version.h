/*
 * version.h - the file kmsdb/version, which says who wrote the ledger last, for those who cannot
 * read LMDB: an older package asks it before it replaces a newer one (debian/kmsd.preinst).
 *
 *	index 9
 *	kmsd 0.1.0
 */
#ifndef KMSDB_VERSION_H
#define KMSDB_VERSION_H

/* Of the index. It also rises with each entry that older versions do not know. */
#define INDEX_SCHEMA 10
#define VERSION_TEXT 25

/* This version writes the ledger from now on. dirfd: kmsdb/. Statuses of file_status. */
int version_tell(int dirfd);
/* The kmsd that wrote it; "": not known. */
void version_writer(int dirfd, char out[VERSION_TEXT]);

#endif
