/*
 * What OpsService answers with: the program's own account of itself at a moment, put together from
 * whoever knows.
 */
#ifndef ORDERS_STATUS_H
#define ORDERS_STATUS_H

struct drain;
struct gauges;
struct ops_service_reading;
struct pool_gauges;
struct pool_view;

/* Who is asked; all of them outlive the last reading. */
struct status {
    struct gauges *gauges;
    const struct pool_gauges *pool;
    struct pool_view *pool_view;
    struct drain *drain;
};

/* As struct ops_service wants them; data is the status. Any thread. */
void status_begin_drain(void *data);
void status_read(void *data, struct ops_service_reading *ret);

#endif
