/* The sockets on which clients come in: loopback, and the address that was asked for. */
#ifndef LISTEN_H
#define LISTEN_H

/* host NULL or "": loopback only. A host's name or address: loopback and its addresses; a wildcard ("0.0.0.0", "::", "*"): all. port 0: any
 * free one. Dies with one line when that can't be. */
void listen_open(const char *host, unsigned port);

/* Begins to accept: the loop is ready, and so is the secret. */
void listen_start(void);
unsigned listen_port(void);

/* The name under which others reach it: what was asked for, or this host's name. */
const char *listen_host(void);

/* No more connections; the port is free for others. */
void listen_close(void);

/* A descriptor has become free: go on, if we stopped for want of one. */
void listen_resume(void);

#endif
