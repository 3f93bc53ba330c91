#include "fake_database.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

void fake_database_init(struct fake_database *database)
{
    memset(database, 0, sizeof(*database));
    pthread_mutex_init(&database->lock, NULL);
    atomic_store(&database->now_ns, CLOCK_NS_PER_SECOND);
    atomic_store(&database->clock_us, FAKE_STORE_CLOCK_US);
}

void fake_database_forget_events(struct fake_sale *fake, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(fake->events[i].orders);
    }
    fake->event_count -= count;
    memmove(fake->events, fake->events + count, fake->event_count * sizeof(*fake->events));
}

void fake_database_fini(struct fake_database *database)
{
    for (size_t i = 0; i < database->sale_count; i++) {
        fake_database_forget_events(&database->sales[i], database->sales[i].event_count);
        free(database->sales[i].events);
        pthread_mutex_destroy(&database->sales[i].row_lock);
    }
    pthread_mutex_destroy(&database->lock);
}

static int compare_event_orders(const void *a, const void *b)
{
    int64_t first = ((const struct fake_event_order *)a)->number;
    int64_t second = ((const struct fake_event_order *)b)->number;
    return first < second ? -1 : first > second;
}

void fake_database_tell(struct fake_sale *fake, int64_t time_us, struct fake_event_order *orders,
                        size_t count)
{
    if (fake->event_count == fake->event_capacity) {
        fake->event_capacity = fake->event_capacity == 0 ? 16 : 2 * fake->event_capacity;
        fake->events = realloc(fake->events, fake->event_capacity * sizeof(*fake->events));
        CHECK(fake->events != NULL);
    }
    if (count > 0) {
        qsort(orders, count, sizeof(*orders), compare_event_orders);
    }
    fake->events[fake->event_count++] =
        (struct fake_event){fake->sale.version, time_us, orders, count};
}

struct fake_sale *fake_database_append_sale(struct fake_database *database, const struct sale *sale)
{
    CHECK(database->sale_count < FAKE_STORE_SALES_MAX);
    struct fake_sale *fake = &database->sales[database->sale_count++];
    pthread_mutex_init(&fake->row_lock, NULL);
    fake->sale = *sale;
    fake_database_tell(fake, atomic_load(&database->clock_us), NULL, 0);
    return fake;
}

struct uuid fake_database_add_sale(struct fake_database *database, int32_t stock, int32_t limit)
{
    struct uuid id = {{(uint8_t)database->sale_count, 0xaa}};
    struct sale sale = {
        .sale_id = id,
        .sku = "s",
        .title = "t",
        .unit_price = {"EUR", 100},
        .start_us = 0,
        .end_us = FAKE_STORE_CLOCK_US * 2,
        .stock_total = stock,
        .stock_remaining = stock,
        .per_customer_limit = limit,
        .version = 1,
    };
    fake_database_append_sale(database, &sale);
    return id;
}

bool fake_database_is_sound(const struct fake_sale *fake)
{
    int64_t held = 0;
    for (size_t i = 0; i < fake->order_count; i++) {
        const struct order *order = &fake->orders[i].order;
        held += transition_holds_units(order->status) ? order->quantity : 0;
        if (order->number != (int64_t)i + 1) {
            return false;
        }
    }
    for (size_t i = 0; i < fake->event_count; i++) {
        if (fake->events[i].sequence != fake->sale.version - (int64_t)(fake->event_count - 1 - i)) {
            return false;
        }
    }
    return sale_is_consistent(&fake->sale) &&
           fake->sale.orders_count == (int64_t)fake->order_count && fake->event_count > 0 &&
           held + fake->sale.stock_remaining + fake->sale.stock_returning == fake->sale.stock_total;
}

void fake_database_add_step(struct fake_database *database, struct fake_step step)
{
    CHECK(database->step_count < FAKE_STORE_STEPS_MAX);
    database->steps[database->step_count++] = step;
}

const struct fake_step *fake_database_next_step(struct fake_database *database,
                                                enum fake_place where)
{
    const struct fake_step *step = NULL;
    pthread_mutex_lock(&database->lock);
    if (database->steps_done < database->step_count &&
        database->steps[database->steps_done].where == where) {
        step = &database->steps[database->steps_done++];
    }
    if (step != NULL) {
        atomic_fetch_add(&database->now_ns, step->elapsed_ns);
        atomic_store(&database->is_down, step->goes_down);
    }
    pthread_mutex_unlock(&database->lock);
    return step;
}

struct fake_sale *fake_database_find_sale(struct fake_database *database,
                                          const struct uuid *sale_id)
{
    for (size_t i = 0; i < database->sale_count; i++) {
        if (uuid_equal(&database->sales[i].sale.sale_id, sale_id)) {
            return &database->sales[i];
        }
    }
    return NULL;
}

const struct fake_order *fake_database_find_order(const struct fake_sale *fake,
                                                  const struct uuid *order_id)
{
    for (size_t i = 0; i < fake->order_count; i++) {
        if (uuid_equal(&fake->orders[i].order.order_id, order_id)) {
            return &fake->orders[i];
        }
    }
    return NULL;
}
