#include "orders/lanes/lane_table.h"

#include <stdlib.h>

void lane_table_init(struct lane_table *table, size_t lanes_max)
{
    *table = (struct lane_table){.lanes_max = lanes_max};
    list_init(&table->ready);
    list_init(&table->idle);
}

void lane_table_fini(struct lane_table *table)
{
    struct lane *lane, *following;
    HASH_ITER(by_id, table->by_id, lane, following)
    {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): following was read before the free. */
        HASH_DELETE(by_id, table->by_id, lane);
        free(lane);
    }
}

struct lane *lane_table_find(const struct lane_table *table, const struct uuid *sale_id)
{
    struct lane *lane = NULL;
    HASH_FIND(by_id, table->by_id, sale_id, sizeof(*sale_id), lane);
    return lane;
}

struct lane *lane_table_make(struct lane_table *table, const struct uuid *sale_id)
{
    struct lane *lane;
    if (HASH_CNT(by_id, table->by_id) >= table->lanes_max) {
        struct list_link *link = list_pop_front(&table->idle);
        if (link == NULL) {
            return NULL;
        }
        lane = LIST_OBJECT(link, struct lane, link);
        HASH_DELETE(by_id, table->by_id, lane);
    } else {
        lane = malloc(sizeof(*lane));
        if (lane == NULL) {
            return NULL;
        }
    }
    lane_init(lane, sale_id);
    HASH_ADD(by_id, table->by_id, sale_id, sizeof(lane->sale_id), lane);
    if (lane->by_id.tbl == NULL) {
        free(lane);
        return NULL;
    }
    list_push_back(&table->idle, &lane->link);
    return lane;
}

struct lane *lane_table_own(struct lane_table *table)
{
    struct list_link *link = list_pop_front(&table->ready);
    CHECK(link != NULL);
    struct lane *lane = LIST_OBJECT(link, struct lane, link);
    CHECK(!lane->is_owned);
    lane->is_owned = true;
    return lane;
}

bool lane_table_settle(struct lane_table *table, struct lane *lane, struct list *from)
{
    CHECK(!lane->is_owned);
    if (from != NULL) {
        list_remove(from, &lane->link);
    }
    bool is_ready = !lane_is_empty(lane);
    list_push_back(is_ready ? &table->ready : &table->idle, &lane->link);
    return is_ready;
}
