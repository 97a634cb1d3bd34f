/*
 * scrub.h - files that hold secrets: what they were is overwritten when they are replaced, since
 * the blocks of a file without a name stay on the disk. A file system that copies on writing, and
 * an SSD, may keep them nevertheless (kms.ini(5), Backup).
 */
#ifndef KMSD_ACTIVATE_SCRUB_H
#define KMSD_ACTIVATE_SCRUB_H

#include <stddef.h>
#include <stdint.h>

/*
 * file_write of mode 0600, and nothing of the file before is left. Whenever this process is killed,
 * the old or the new file is on disk.
 */
int scrub_replace(int dirfd, const char *path, const uint8_t *file, size_t len);
/* No file, and nothing of it is left; what is no file of its own (a link) stays. */
void scrub_remove(int dirfd, const char *path);
/* What an interrupted scrub_replace of the path left. */
void scrub_unfinished(int dirfd, const char *path);

#endif
