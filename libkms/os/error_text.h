/*
 * error_text.h - an errno in words, those of sockets included.
 */
#ifndef KMS_LIBKMS_OS_ERROR_TEXT_H
#define KMS_LIBKMS_OS_ERROR_TEXT_H

const char *os_error_text(int error);

#endif
