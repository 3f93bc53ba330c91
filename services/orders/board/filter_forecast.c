#include "orders/board/filter_forecast.h"

/* As many orders as there were for each unit that is out, for all units. That takes in both how
 * many units an order has and how many of them came back so far. */
static uint64_t forecast_ids(const struct sale *sale, uint64_t units_out)
{
    uint64_t total = (uint64_t)sale->stock_total;
    return ((uint64_t)sale->orders_count * total + units_out - 1) / units_out;
}

bool filter_forecast_shape(const struct sale *sale, const struct id_filter_shape *has,
                           struct id_filter_shape *ret)
{
    int64_t units_out = (int64_t)sale->stock_total - sale->stock_remaining - sale->stock_returning;
    if (units_out <= 0 || units_out < sale->stock_total / FILTER_FORECAST_STOCK_PART ||
        sale->orders_count > (int64_t)ID_FILTER_IDS_MAX) {
        return false;
    }
    uint64_t ids = forecast_ids(sale, (uint64_t)units_out);
    if (ids < FILTER_FORECAST_ORDERS_MIN || ids > ID_FILTER_IDS_MAX) {
        return false;
    }
    uint64_t doubt = (ids - (uint64_t)sale->orders_count) / FILTER_FORECAST_DOUBT_PART;
    uint64_t most = ids + doubt < ID_FILTER_IDS_MAX ? ids + doubt : ID_FILTER_IDS_MAX;
    bool is_kept = has != NULL && (id_filter_shape_equal(*has, id_filter_shape_for(ids - doubt)) ||
                                   id_filter_shape_equal(*has, id_filter_shape_for(most)));
    *ret = is_kept ? *has : id_filter_shape_for(ids);
    return true;
}
