/*
 * win.h - Windows' own headers, in the only order that they allow.
 */
#ifndef KMS_LIBKMS_OS_WINDOWS_WIN_H
#define KMS_LIBKMS_OS_WINDOWS_WIN_H

/* clang-format off */
#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>
#include <aclapi.h>
#include <iphlpapi.h>
#include <sddl.h>
#include <shellapi.h>
#include <windns.h>
/* clang-format on */

#ifndef RRF_SUBKEY_WOW6464KEY /* mingw-w64 does not name it yet */
#define RRF_SUBKEY_WOW6464KEY 0x00010000
#endif

#endif
