#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct member {
    int number;
    struct list_link link;
};

static int number_of(struct list_link *link)
{
    return LIST_OBJECT(link, struct member, link)->number;
}

static void assert_numbers(struct list *list, const int *numbers, size_t count)
{
    size_t i = 0;
    assert_int_equal(list->count, count);
    LIST_FOREACH_SAFE (list, link, following) {
        assert_true(i < count);
        assert_int_equal(number_of(link), numbers[i++]);
    }
    assert_int_equal(i, count);
}

/* A lane is served in arrival order. */
static void list_push_back_and_pop_front_keep_the_order(void **state)
{
    struct list list;
    struct member members[3] = {{.number = 1}, {.number = 2}, {.number = 3}};
    (void)state;

    list_init(&list);
    assert_true(list_is_empty(&list));
    assert_null(list_pop_front(&list));
    for (size_t i = 0; i < 3; i++) {
        list_push_back(&list, &members[i].link);
    }
    assert_false(list_is_empty(&list));
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(number_of(list_first(&list)), i);
        assert_int_equal(number_of(list_pop_front(&list)), i);
    }
    assert_null(list_first(&list));
    assert_int_equal(list.count, 0);
}

/* Confirmations go before placements. */
static void list_push_front_and_insert_before_place_where_told(void **state)
{
    struct list list;
    struct member members[3] = {{.number = 1}, {.number = 2}, {.number = 3}};
    (void)state;

    list_init(&list);
    list_push_back(&list, &members[2].link);
    list_push_front(&list, &members[0].link);
    list_insert_before(&list, &members[2].link, &members[1].link);
    assert_numbers(&list, (const int[]){1, 2, 3}, 3);
}

/* An order that gives up leaves from the middle; its link must know that it is free again. */
static void list_remove_from_the_middle_unlinks(void **state)
{
    struct list list;
    struct member members[3] = {{.number = 1}, {.number = 2}, {.number = 3}};
    (void)state;

    list_init(&list);
    for (size_t i = 0; i < 3; i++) {
        list_push_back(&list, &members[i].link);
    }
    assert_true(list_link_is_linked(&members[1].link));
    list_remove(&list, &members[1].link);
    assert_false(list_link_is_linked(&members[1].link));
    assert_numbers(&list, (const int[]){1, 3}, 2);
    list_push_back(&list, &members[1].link);
    assert_numbers(&list, (const int[]){1, 3, 2}, 3);
}

/* The walk over waiting orders drops those that are too old as it goes. */
static void list_foreach_removing_the_current_visits_all(void **state)
{
    struct list list;
    struct member members[4] = {{.number = 1}, {.number = 2}, {.number = 3}, {.number = 4}};
    int visited = 0;
    (void)state;

    list_init(&list);
    for (size_t i = 0; i < 4; i++) {
        list_push_back(&list, &members[i].link);
    }
    LIST_FOREACH_SAFE (&list, link, following) {
        visited++;
        if (number_of(link) % 2 == 0) {
            list_remove(&list, link);
        }
    }
    assert_int_equal(visited, 4);
    assert_numbers(&list, (const int[]){1, 3}, 2);
}

/* A batch of unknown outcome returns to the head of its lane, in its old order. */
static void list_prepend_all_keeps_both_orders(void **state)
{
    struct list lane, batch;
    struct member members[4] = {{.number = 1}, {.number = 2}, {.number = 3}, {.number = 4}};
    (void)state;

    list_init(&lane);
    list_init(&batch);
    list_prepend_all(&lane, &batch);
    assert_int_equal(lane.count, 0);
    list_push_back(&batch, &members[0].link);
    list_push_back(&batch, &members[1].link);
    list_prepend_all(&lane, &batch);
    assert_numbers(&lane, (const int[]){1, 2}, 2);
    list_push_back(&batch, &members[2].link);
    list_push_back(&batch, &members[3].link);
    list_prepend_all(&lane, &batch);
    assert_numbers(&lane, (const int[]){3, 4, 1, 2}, 4);
    assert_true(list_is_empty(&batch));
    list_push_back(&batch, list_pop_front(&lane));
    assert_numbers(&lane, (const int[]){4, 1, 2}, 3);
    assert_numbers(&batch, (const int[]){3}, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list_push_back_and_pop_front_keep_the_order),
        cmocka_unit_test(list_push_front_and_insert_before_place_where_told),
        cmocka_unit_test(list_remove_from_the_middle_unlinks),
        cmocka_unit_test(list_foreach_removing_the_current_visits_all),
        cmocka_unit_test(list_prepend_all_keeps_both_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
