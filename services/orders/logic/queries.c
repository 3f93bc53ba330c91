#include "orders/logic/queries.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A token is this version and the last sale's id or the last order's number, so that it means the
 * same on every replica. */
#define TOKEN_PREFIX "1-"

/* Digits of the largest number, 9223372036854775807. */
#define NUMBER_DIGITS_MAX 19

_Static_assert(QUERIES_TOKEN_CHARS == sizeof(TOKEN_PREFIX) - 1 + UUID_TEXT_CHARS,
               "a token is its prefix and a UUID");
_Static_assert(QUERIES_TOKEN_CHARS >= sizeof(TOKEN_PREFIX) - 1 + NUMBER_DIGITS_MAX,
               "or its prefix and a number");

/* A read changes nothing, so nothing about it is ever in doubt, and one whose connection was lost
 * under way is asked once more: the store opens a new one quickly. */
static enum verdict verdict_of(enum store_result result, enum verdict not_found)
{
    switch (result) {
    case STORE_OK:
        return VERDICT_DONE;
    case STORE_NOT_FOUND:
        return not_found;
    case STORE_UNAVAILABLE:
    case STORE_UNKNOWN:
        return VERDICT_DATABASE_UNAVAILABLE;
    case STORE_BUSY:
    case STORE_CONFLICT:
        return VERDICT_OVERLOADED;
    case STORE_REJECTED:
    case STORE_BROKEN:
        return VERDICT_INTERNAL;
    }
    UNREACHABLE("every result is listed");
}

enum verdict queries_get_sale(const struct store *store, const struct uuid *sale_id,
                              int64_t deadline_ns, struct arena *arena, struct store_sale *ret)
{
    enum store_result result = store->get_sale(store->data, sale_id, deadline_ns, arena, ret);
    if (result == STORE_UNAVAILABLE) {
        result = store->get_sale(store->data, sale_id, deadline_ns, arena, ret);
    }
    return verdict_of(result, VERDICT_SALE_NOT_FOUND);
}

/* --- Pages ---------------------------------------------------------------------------------------
 */

static size_t page_limit(int32_t page_size, struct violations *violations)
{
    if (page_size < 0) {
        violations_add(violations, "page_size", "must not be negative; 0 means 50");
    }
    return page_size <= 0                 ? QUERIES_PAGE_DEFAULT
           : page_size > QUERIES_PAGE_MAX ? QUERIES_PAGE_MAX
                                          : (size_t)page_size;
}

static void add_token_violation(struct violations *violations)
{
    violations_add(violations, "page_token", "must be a nextPageToken that an earlier page gave");
}

static bool token_parse(const char *token, struct uuid *ret)
{
    size_t prefix = sizeof(TOKEN_PREFIX) - 1;
    return strncmp(token, TOKEN_PREFIX, prefix) == 0 &&
           uuid_parse(token + prefix, strlen(token + prefix), ret);
}

static void token_format(const struct uuid *last, char ret_token[QUERIES_TOKEN_CHARS + 1])
{
    memcpy(ret_token, TOKEN_PREFIX, sizeof(TOKEN_PREFIX) - 1);
    uuid_format(last, ret_token + sizeof(TOKEN_PREFIX) - 1);
}

enum verdict queries_list_sales(const struct store *store, int32_t page_size, const char *token,
                                int64_t deadline_ns, struct arena *arena,
                                struct queries_sale_page *ret, struct violations *ret_violations)
{
    struct uuid before;
    bool first_page = token[0] == '\0';

    *ret_violations = (struct violations){0};
    size_t limit = page_limit(page_size, ret_violations);
    if (!first_page && !token_parse(token, &before)) {
        add_token_violation(ret_violations);
    }
    if (ret_violations->count > 0) {
        return VERDICT_INVALID_FIELD;
    }
    const struct uuid *from = first_page ? NULL : &before;
    enum store_result result =
        store->list_sales(store->data, from, limit, deadline_ns, arena, &ret->page);
    if (result == STORE_UNAVAILABLE) {
        result = store->list_sales(store->data, from, limit, deadline_ns, arena, &ret->page);
    }
    ret->next_token[0] = '\0';
    if (result == STORE_OK && ret->page.more) {
        CHECK(ret->page.count > 0);
        token_format(&ret->page.sales[ret->page.count - 1].sale.sale_id, ret->next_token);
    }
    return verdict_of(result, VERDICT_SALE_NOT_FOUND);
}

enum verdict queries_get_order(const struct store *store, const struct uuid *sale_id,
                               const struct uuid *order_id, const char *customer_id,
                               int64_t deadline_ns, struct arena *arena, struct store_order *ret,
                               struct violations *ret_violations)
{
    *ret_violations = (struct violations){0};
    order_customer_validate(customer_id, strlen(customer_id), ret_violations);
    if (ret_violations->count > 0) {
        return VERDICT_INVALID_FIELD;
    }
    enum store_result result =
        store->get_order(store->data, sale_id, order_id, customer_id, deadline_ns, arena, ret);
    if (result == STORE_UNAVAILABLE) {
        result =
            store->get_order(store->data, sale_id, order_id, customer_id, deadline_ns, arena, ret);
    }
    return verdict_of(result, VERDICT_ORDER_NOT_FOUND);
}

/* Exactly what was given out: digits, without a sign or a leading zero. */
static bool number_token_parse(const char *token, int64_t *ret)
{
    const char *digits = token + sizeof(TOKEN_PREFIX) - 1;
    int64_t number = 0;

    if (strncmp(token, TOKEN_PREFIX, sizeof(TOKEN_PREFIX) - 1) != 0 || digits[0] < '1') {
        return false;
    }
    for (const char *c = digits; *c != '\0'; c++) {
        if (*c < '0' || *c > '9' || number > (INT64_MAX - (*c - '0')) / 10) {
            return false;
        }
        number = number * 10 + (*c - '0');
    }
    *ret = number;
    return true;
}

enum verdict queries_list_orders(const struct store *store, const struct uuid *sale_id,
                                 const char *customer_id, int32_t page_size, const char *token,
                                 int64_t deadline_ns, struct arena *arena,
                                 struct queries_order_page *ret, struct violations *ret_violations)
{
    int64_t after = 0;

    *ret_violations = (struct violations){0};
    size_t limit = page_limit(page_size, ret_violations);
    if (customer_id[0] != '\0') {
        order_customer_validate(customer_id, strlen(customer_id), ret_violations);
    }
    if (token[0] != '\0' && !number_token_parse(token, &after)) {
        add_token_violation(ret_violations);
    }
    if (ret_violations->count > 0) {
        return VERDICT_INVALID_FIELD;
    }
    const char *customer = customer_id[0] == '\0' ? NULL : customer_id;
    enum store_result result = store->list_orders(store->data, sale_id, customer, after, limit,
                                                  deadline_ns, arena, &ret->page);
    if (result == STORE_UNAVAILABLE) {
        result = store->list_orders(store->data, sale_id, customer, after, limit, deadline_ns,
                                    arena, &ret->page);
    }
    ret->next_token[0] = '\0';
    if (result == STORE_OK && ret->page.more) {
        CHECK(ret->page.count > 0);
        snprintf(ret->next_token, sizeof(ret->next_token), TOKEN_PREFIX "%" PRId64,
                 ret->page.orders[ret->page.count - 1].order.number);
    }
    return verdict_of(result, VERDICT_SALE_NOT_FOUND);
}
