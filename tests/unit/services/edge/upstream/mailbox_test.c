#include "edge/upstream/mailbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <cmocka.h>

#define LETTERS 20000

struct post {
    struct mailbox mailbox;
    struct mailbox_letter letters[LETTERS];
    atomic_uint wakes;
};

static void count_wake(void *data)
{
    struct post *post = data;
    atomic_fetch_add(&post->wakes, 1);
}

/* One wake-up per batch of letters is what keeps system calls away from the hot path. */
static void mailbox_letters_into_a_full_box_wake_once(void **state)
{
    static struct post post;
    struct list taken;
    (void)state;
    list_init(&taken);
    assert_int_equal(mailbox_init(&post.mailbox, count_wake, &post), 0);
    for (size_t i = 0; i < 3; i++) {
        mailbox_post(&post.mailbox, &post.letters[i]);
    }
    assert_int_equal(atomic_load(&post.wakes), 1);
    mailbox_take(&post.mailbox, &taken);
    for (size_t i = 0; i < 3; i++) {
        assert_ptr_equal(list_pop_front(&taken), &post.letters[i].link);
    }
    mailbox_fini(&post.mailbox);
}

static void *post_all(void *data)
{
    struct post *post = data;
    for (size_t i = 0; i < LETTERS; i++) {
        mailbox_post(&post->mailbox, &post->letters[i]);
    }
    return NULL;
}

/* A lost letter would be an order that is never answered. */
static void mailbox_two_threads_lose_nothing(void **state)
{
    static struct post post;
    struct list taken;
    pthread_t thread;
    size_t received = 0;
    (void)state;
    list_init(&taken);
    assert_int_equal(mailbox_init(&post.mailbox, count_wake, &post), 0);
    assert_int_equal(pthread_create(&thread, NULL, post_all, &post), 0);
    while (received < LETTERS) {
        struct list_link *link;
        mailbox_take(&post.mailbox, &taken);
        while ((link = list_pop_front(&taken)) != NULL) {
            assert_ptr_equal(link, &post.letters[received].link);
            received++;
        }
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    mailbox_fini(&post.mailbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mailbox_letters_into_a_full_box_wake_once),
        cmocka_unit_test(mailbox_two_threads_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
