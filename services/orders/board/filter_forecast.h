/*
 * How many orders a sale that is still selling will have when it is sold out, and so the shape of
 * the filter that is begun for it ahead of that.
 *
 * Replicas must make the same bytes of the same orders, so a filter that is given out has the shape
 * of its sale's orders_count and no other (docs/decisions/0008). What is begun ahead is a guess at
 * that shape: where it was wrong the work was in vain, and nothing else.
 */
#ifndef ORDERS_BOARD_FILTER_FORECAST_H
#define ORDERS_BOARD_FILTER_FORECAST_H

#include "base/id_filter.h"
#include "orders/domain/sale.h"

/* A filter of fewer orders than this is read within a tenth of a second after the sell-out. */
#define FILTER_FORECAST_ORDERS_MIN 100000
/* So much of the stock is out before anything is begun: one part in so many. Most large sales that
 * never sell out take no memory, and what is left is forecast by what there was. */
#define FILTER_FORECAST_STOCK_PART 8
/* The orders that are still to come may be fewer or more than it looks, by one part in so many: as
 * long as the shape that was begun is within that doubt it is kept. */
#define FILTER_FORECAST_DOUBT_PART 16

/* The shape of a filter for the sale; has is what it has one of already, or NULL. False where none
 * is to be begun. The caller sees to it that the sale is selling. */
bool filter_forecast_shape(const struct sale *sale, const struct id_filter_shape *has,
                           struct id_filter_shape *ret) MUST_CHECK;

#endif
