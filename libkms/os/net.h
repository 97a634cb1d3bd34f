/*
 * net.h - sockets as libkms uses them: none of them blocks, and no program that is started gets
 * one. A descriptor is an int everywhere: Windows' handles of sockets fit into one.
 *
 * errno tells why a call failed, as on POSIX; os_error_text has the words.
 */
#ifndef KMS_LIBKMS_OS_NET_H
#define KMS_LIBKMS_OS_NET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef _WIN32
#include <winsock2.h>
#include <ws2tcpip.h>
typedef unsigned long nfds_t;
#else
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#endif

/* A TCP socket, without Nagle's delay; -1: errno. */
int os_socket(int family);
/* 0: connected; -1 with EINPROGRESS: when it can be written to, os_socket_error tells. */
int os_connect(int fd, const struct sockaddr *to, socklen_t len);
/* What became of it: 0, or an errno. */
int os_socket_error(int fd);
/* -1: errno, EAGAIN when nothing goes now. No signal. */
ssize_t os_send(int fd, const void *bytes, size_t len);
ssize_t os_receive(int fd, void *out, size_t size);
void os_close_socket(int fd);
/* As poll(2); with no descriptor it waits for the time alone. */
int os_poll(struct pollfd *fds, nfds_t count, int ms);

#endif
