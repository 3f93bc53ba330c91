/*
 * A TCP proxy on 127.0.0.1 that can fail like a network: cut, swallow, delay, alter. One thread of
 * its own forwards; every function below may be called from any thread and takes effect at once.
 */
#ifndef SUPPORT_PROXY_H
#define SUPPORT_PROXY_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum proxy_direction { PROXY_TO_SERVER, PROXY_TO_CLIENT };

#define PROXY_UNLIMITED UINT64_MAX

struct proxy;

/* Listens on a free port and forwards to server_port of 127.0.0.1. 0 or -errno. */
int proxy_create(int server_port, struct proxy **ret) MUST_CHECK;

/* Resets all connections and ends the thread. NULL is fine. */
void proxy_destroy(struct proxy *proxy);

int proxy_port(const struct proxy *proxy);

/* Resets every connection and returns when that is done; new ones are served. */
void proxy_drop(struct proxy *proxy);

/* While set, nothing is read, forwarded or accepted, and nothing is closed: a silent network. */
void proxy_set_black_hole(struct proxy *proxy, bool on);

/* Every byte arrives this much later, in each direction. */
void proxy_set_delay_ms(struct proxy *proxy, int delay_ms);

/*
 * Forwards only that many bytes more in one direction, all connections together, and then resets
 * them all, once; PROXY_UNLIMITED lifts a limit that was not reached. The other direction is not
 * limited until then.
 */
void proxy_cut_after(struct proxy *proxy, enum proxy_direction direction, uint64_t bytes);

/*
 * Overwrites each occurrence of from, within what one read returns, with to, which must be as long
 * (asserted); texts must live as long as the proxy. NULL ends it.
 */
void proxy_replace(struct proxy *proxy, enum proxy_direction direction, const char *from,
                   const char *to);

/* The bytes forwarded so far, those counted that anybody has received, and the connections
 * accepted. */
uint64_t proxy_bytes(struct proxy *proxy, enum proxy_direction direction);
unsigned proxy_accepted(struct proxy *proxy);

#endif
