/*
 * The orders service as a test wants it: it answers each call by the next step of a script, holds
 * calls until it is told to answer, and can be killed and started again on its port.
 */
#ifndef FAKE_ORDERS_H
#define FAKE_ORDERS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_STEPS_MAX 64
#define FAKE_HELD_MAX  64
#define FAKE_TEXT      160
#define FAKE_RETRY_MS  12000 /* what FAKE_OVERLOADED asks to wait */

struct rpc_call;
struct rpc_server;

/* What one call gets. The last step of a script repeats. */
enum fake_step {
    FAKE_PLACED,
    FAKE_REPLAYED,
    FAKE_SOLD_OUT,
    FAKE_ITEM_UNKNOWN, /* each item: OUTCOME_UNKNOWN */
    FAKE_ITEM_EMPTY,   /* each item: neither order nor error */
    FAKE_WRONG_COUNT,  /* one result too few */
    FAKE_LOST,         /* UNAVAILABLE without details */
    FAKE_TOO_LONG,     /* RESOURCE_EXHAUSTED without details, as gRPC says it of a long message */
    FAKE_OVERLOADED,   /* the whole call: OVERLOADED, with details */
    FAKE_DRAINING,     /* the whole call: DRAINING, with details */
    FAKE_HELD,         /* kept until fake_orders_release; a sale is read before that */
};

/* What the calls said, as far as a test looks at it. */
struct fake_seen {
    unsigned calls, items, items_max; /* batch calls, their items, the most in one call */
    int timeout_ms_max;
    char key[FAKE_TEXT], request_id[FAKE_TEXT], traceparent[FAKE_TEXT]; /* of the last item */
    unsigned reads;                                                     /* GetSale and PauseSale */
    char authorization[FAKE_TEXT], metadata_request_id[FAKE_TEXT];      /* of the last read */
};

/* What ReadBoard says of every sale that is asked for. */
struct fake_board {
    bool is_served; /* else it is METHOD_UNIMPLEMENTED */
    int state;      /* Stampede__Sales__V1__Sale__State */
    int64_t version, sold_out_since;
    int stock_remaining, stock_returning;
    int64_t starts_in_ms, age_ms;
    int64_t delay_ms;       /* before it answers */
    const char *placed_key; /* of c-1, who has the only order in the filter; NULL: no filter */
    size_t filter_bytes;
};

struct fake_orders {
    struct rpc_server *server;
    int port;
    pthread_mutex_t lock; /* of all below */
    enum fake_step script[FAKE_STEPS_MAX];
    size_t steps, next;
    struct {
        struct rpc_call *call;
        const void *request;  /* of a batch; NULL: a sale is asked for, */
        int64_t sale_version; /* and this was its version when the call came */
    } held[FAKE_HELD_MAX];
    size_t held_count;
    struct fake_seen seen;
    int64_t sale_version; /* 7 at the start */
    struct fake_board board;
    unsigned board_calls;
    unsigned
        board_calls_until_sale;  /* since fake_orders_set_board; 0: EDGE_SALE was not asked for */
    unsigned board_calls_before; /* fake_orders_set_board */
};

/* Fails the test when it cannot. */
void fake_orders_start(struct fake_orders *fake);

/* Replaces the script; count steps. */
void fake_orders_script(struct fake_orders *fake, const enum fake_step *steps, size_t count);

/* Somebody has changed the sale: it has this version from now on. */
void fake_orders_set_sale_version(struct fake_orders *fake, int64_t version);

/* What ReadBoard says from now on; how often it was called so far. */
void fake_orders_set_board(struct fake_orders *fake, const struct fake_board *board);
unsigned fake_orders_board_calls(struct fake_orders *fake);

/* How many calls of ReadBoard it took since fake_orders_set_board until one asked for the sale of
 * the tests; 0 while none has. */
unsigned fake_orders_board_calls_until_sale(struct fake_orders *fake);

/* Waits until so many calls are held. */
void fake_orders_wait_held(struct fake_orders *fake, size_t count);

/* Whether the first held call has been given up by the edge. */
bool fake_orders_held_is_cancelled(struct fake_orders *fake);

/* Answers all held calls with placed orders, or the sale as they read it; returns how many. */
size_t fake_orders_release(struct fake_orders *fake);

/* Ends the server at once, calls in flight included. */
void fake_orders_kill(struct fake_orders *fake);

/* Serves again on the same port. */
void fake_orders_restart(struct fake_orders *fake);

struct fake_seen fake_orders_seen(struct fake_orders *fake);

void fake_orders_stop(struct fake_orders *fake);

#endif
