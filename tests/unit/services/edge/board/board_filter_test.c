#include "edge/board/board_filter.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define BYTES   ((size_t)ID_FILTER_BYTES_MIN)
#define THREADS 4
#define ROUNDS  20000

static struct board_filter *make(void)
{
    struct id_filter_shape shape;
    struct board_filter *filter;
    assert_true(id_filter_shape_read((int64_t)BYTES, 7, &shape));
    assert_int_equal(board_filter_create(3, shape, &filter), 0);
    return filter;
}

static struct board_chunk chunk_of(const uint8_t *data, size_t begin, size_t end)
{
    return (struct board_chunk){.version = 3,
                                .offset = (int64_t)begin,
                                .total = (int64_t)BYTES,
                                .hashes = 7,
                                .data = data + begin,
                                .length = end - begin};
}

/* What travels in pieces must arrive as it was. */
static void board_filter_pieces_in_order_make_the_whole(void **state)
{
    uint8_t data[ID_FILTER_BYTES_MIN];
    (void)state;
    for (size_t i = 0; i < BYTES; i++) {
        data[i] = (uint8_t)(i * 7 + 1);
    }
    struct board_filter *filter = make();
    struct board_chunk first = chunk_of(data, 0, 1000);
    struct board_chunk second = chunk_of(data, 1000, BYTES);
    assert_true(board_filter_write(filter, &first));
    assert_false(board_filter_is_complete(filter));
    assert_false(board_filter_write(filter, &first));
    assert_true(board_filter_write(filter, &second));
    assert_true(board_filter_is_complete(filter));
    assert_memory_equal(filter->ids.bytes, data, BYTES);
    assert_false(board_filter_write(filter, &second));
    board_filter_unref(filter);
}

/* A chunk of another filter would leave bits unset that stand for orders. */
static void board_filter_chunk_of_another_is_not_written(void **state)
{
    static const uint8_t data[ID_FILTER_BYTES_MIN];
    (void)state;
    struct board_filter *filter = make();
    struct board_chunk chunk = chunk_of(data, 0, 8);
    chunk.version = 4;
    assert_false(board_filter_write(filter, &chunk));
    chunk = chunk_of(data, 0, 8);
    chunk.hashes = 6;
    assert_false(board_filter_write(filter, &chunk));
    chunk = chunk_of(data, 0, 8);
    chunk.total = (int64_t)BYTES + 8;
    assert_false(board_filter_write(filter, &chunk));
    chunk = chunk_of(data, 0, 8);
    chunk.length = BYTES + 8;
    assert_false(board_filter_write(filter, &chunk));
    assert_int_equal(filter->received, 0);
    board_filter_unref(filter);
}

static void *use(void *data)
{
    struct board_filter *filter = data;
    struct uuid id = {{1}};
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct board_filter *own = board_filter_ref(filter);
        (void)id_filter_may_contain(&own->ids, &id);
        board_filter_unref(own);
    }
    board_filter_unref(filter);
    return NULL;
}

/* The last one to let go frees it, whichever thread that is. */
static void board_filter_many_threads_let_go_once(void **state)
{
    pthread_t threads[THREADS];
    (void)state;
    struct board_filter *filter = make();
    for (size_t i = 0; i < THREADS; i++) {
        (void)board_filter_ref(filter);
        assert_int_equal(pthread_create(&threads[i], NULL, use, filter), 0);
    }
    board_filter_unref(filter);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(board_filter_pieces_in_order_make_the_whole),
        cmocka_unit_test(board_filter_chunk_of_another_is_not_written),
        cmocka_unit_test(board_filter_many_threads_let_go_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
