/*
 * Who may call what. The contract says for each method whether it is for anybody whom the shop
 * trusts to reach the service or for administrators; an administrator is whoever sends the token
 * that the program was started with. This is the only place where it is enforced.
 */
#ifndef ORDERS_ADAPTERS_GRPC_ACCESS_H
#define ORDERS_ADAPTERS_GRPC_ACCESS_H

#include "base/digest.h"

#include <stdbool.h>
#include <stddef.h>

struct rpc_call;
struct rpc_status;

/* Constant once made; any thread may decide. Holds a digest, not the token. */
struct access {
    bool _is_open; /* a token was set */
    uint8_t _digest[DIGEST_BYTES];
};

/* token is NULL when none is set: admin methods are then closed. It is not kept. */
void access_init(struct access *access, const char *token);

/*
 * Whether a call of full_method ("/package.Service/Method") with this authorization header may go
 * on; authorization is NULL when there is none. Methods that the contract does not know are for
 * administrators. False fills *ret_refusal, whose strings are constant. How long it takes tells
 * nothing about the token.
 */
bool access_decide(const struct access *access, const char *full_method, const char *authorization,
                   size_t authorization_length, struct rpc_status *ret_refusal);

/*
 * Whether this authorization is an administrator's, whatever the method. False fills *ret_refusal
 * with how an admin method refuses it. Time as above.
 */
bool access_decide_admin(const struct access *access, const char *authorization,
                         size_t authorization_length, struct rpc_status *ret_refusal);

/* The two for a call that has arrived. */
bool access_admit(const struct access *access, struct rpc_call *call,
                  struct rpc_status *ret_refusal);
bool access_is_admin(const struct access *access, const struct rpc_call *call,
                     struct rpc_status *ret_refusal);

#endif
