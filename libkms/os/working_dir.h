/*
 * working_dir.h - AT_FDCWD, for paths of file.h that are relative to the working directory: the one
 * directory that every system knows.
 */
#ifndef KMS_LIBKMS_OS_WORKING_DIR_H
#define KMS_LIBKMS_OS_WORKING_DIR_H

#include <fcntl.h>

#ifndef AT_FDCWD
#define AT_FDCWD (-100)
#endif

#endif
