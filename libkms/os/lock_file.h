/*
 * lock_file.h - a file that one process has at a time. A process that ends gives it back, however
 * it ends.
 */
#ifndef KMS_LIBKMS_OS_LOCK_FILE_H
#define KMS_LIBKMS_OS_LOCK_FILE_H

#include <stdint.h>

#define OS_NO_LOCK ((intptr_t)-1)

/*
 * Makes the file if there is none, for this user alone, and does not wait. OS_NO_LOCK: errno,
 * EWOULDBLOCK when somebody else has it (also another object of this process).
 */
intptr_t os_lock(const char *path);
void os_unlock(intptr_t lock);

#endif
