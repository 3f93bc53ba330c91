#include "orders/adapters/grpc/access.h"

#include "contract/contract.h"
#include "orders/adapters/grpc/messages.h"
#include "rpc/server.h"

#include <openssl/crypto.h>
#include <string.h>
#include <strings.h>

#define SCHEME "Bearer "

void access_init(struct access *access, const char *token)
{
    *access = (struct access){._is_open = token != NULL};
    if (token != NULL) {
        digest_sha256(token, strlen(token), access->_digest);
    }
}

/* Digests are compared, so that neither the bytes nor the length of the token can be timed. */
static bool token_is_right(const struct access *access, const char *token, size_t length)
{
    uint8_t digest[DIGEST_BYTES];
    digest_sha256(token, length, digest);
    return CRYPTO_memcmp(digest, access->_digest, sizeof(digest)) == 0;
}

/* The token behind the scheme, whose case does not matter (RFC 9110, 11.1); NULL without one. */
static const char *token_of(const char *authorization, size_t length, size_t *ret_length)
{
    const size_t scheme = sizeof(SCHEME) - 1;
    if (authorization == NULL || length <= scheme ||
        strncasecmp(authorization, SCHEME, scheme) != 0) {
        return NULL;
    }
    *ret_length = length - scheme;
    return authorization + scheme;
}

bool access_decide_admin(const struct access *access, const char *authorization,
                         size_t authorization_length, struct rpc_status *ret_refusal)
{
    size_t length = 0;
    if (!access->_is_open) {
        *ret_refusal =
            messages_reason("ADMIN_CLOSED", "administration is closed: no admin token is set");
        return false;
    }
    const char *token = token_of(authorization, authorization_length, &length);
    if (token == NULL) {
        *ret_refusal =
            messages_reason("UNAUTHENTICATED", "this needs \"authorization: Bearer <token>\"");
        return false;
    }
    if (!token_is_right(access, token, length)) {
        *ret_refusal = messages_reason("UNAUTHENTICATED", "the admin token is not the right one");
        return false;
    }
    return true;
}

bool access_decide(const struct access *access, const char *full_method, const char *authorization,
                   size_t authorization_length, struct rpc_status *ret_refusal)
{
    const struct contract_method *method = contract_method_by_full_name(full_method);
    if (method != NULL && method->access == CONTRACT_ACCESS_PUBLIC) {
        return true;
    }
    return access_decide_admin(access, authorization, authorization_length, ret_refusal);
}

bool access_admit(const struct access *access, struct rpc_call *call,
                  struct rpc_status *ret_refusal)
{
    size_t length = 0;
    const char *authorization = rpc_call_metadata(call, "authorization", &length);
    return access_decide(access, rpc_call_method(call), authorization, length, ret_refusal);
}

bool access_is_admin(const struct access *access, const struct rpc_call *call,
                     struct rpc_status *ret_refusal)
{
    size_t length = 0;
    const char *authorization = rpc_call_metadata(call, "authorization", &length);
    return access_decide_admin(access, authorization, length, ret_refusal);
}
