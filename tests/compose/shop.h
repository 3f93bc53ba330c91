/*
 * What a shop does over HTTP, and what a test expects of the answer: one answer at a time, one sale
 * in hand. What goes wrong fails the cmocka test that called. One thread.
 */
#ifndef COMPOSE_SHOP_H
#define COMPOSE_SHOP_H

#include "support/http_client.h"
#include "target.h"

#include <stdbool.h>
#include <stddef.h>

#define SHOP_ID_BYTES 37

/* Of a sale that is made; what is 0 or NULL has the default. */
struct shop_plan {
    int stock, limit, hold_seconds;
    const char *start_time; /* NULL: now */
};

/* Whose system it is from here on; the target outlives every call. Names of this run differ from
 * those of every other run. */
void shop_open(const struct target *target);

/* The last answer, and the ids that the last sale and the last placed order got. */
const struct http_answer *shop_answer(void);
const char *shop_sale_id(void);
const char *shop_order_id(void);

/* The key of that name in this run. */
void shop_key(const char *name, char *ret_key, size_t key_bytes);

/* One call; path begins with "/". Headers as in http_call, up to 6; as_admin adds the token, and a
 * body its content type. */
void shop_call(const char *method, const char *path, bool as_admin, const char *const *headers,
               const char *body);

/* GET of a whole URL, for the ops listeners. */
void shop_get_url(const char *base_url, const char *path);

/* Makes a sale whose name in this run is given, and holds it. */
void shop_make_sale(const char *name, const struct shop_plan *plan);

/* A call to the sale in hand: what stands after "/v1/sales/<id>", as an administrator or not. */
void shop_call_sale(const char *method, const char *suffix, bool as_admin, const char *body);

/* The same with an idempotency key of that name. */
void shop_call_sale_once(const char *suffix, const char *key, const char *body);

/* Places an order in the sale in hand; the key is that of the name, its order is then in hand. */
void shop_place(const char *customer, const char *key, int quantity);

/* A call to the order in hand: ":confirm" and its like. */
void shop_call_order(const char *suffix, bool as_admin, const char *body);

/* Reads the order in hand as that customer. */
void shop_get_order(const char *customer);

void shop_expect_status(long status);
void shop_expect_json(const char *path, const char *expected);
void shop_expect_header(const char *name, const char *expected);

/* A problem of RFC 9457 with that status and reason, and everything that ours always have. */
void shop_expect_problem(long status, const char *reason);

#endif
