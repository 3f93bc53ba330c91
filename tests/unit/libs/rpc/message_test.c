/* Messages to bytes and back through an arena. */
#include "rpc/message.h"

#include "base/arena.h"

#include <echo.pb-c.h>
#include <errno.h>
#include <grpc/byte_buffer.h>
#include <grpc/slice.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define NOTE (&echo__v1__note__descriptor)
/* protobuf-c has no const strings. */
#define TEXT(literal) ((char *)(uintptr_t)(literal))

static Echo__V1__Note *sample(void)
{
    static char one[] = "one", two[] = "two", three[] = "three";
    static char *lines[] = {one, two, three};
    static uint8_t blob[] = {0, 1, 2, 0xff};
    static Echo__V1__Note inner, note;
    echo__v1__note__init(&inner);
    inner.text = TEXT("inner");
    echo__v1__note__init(&note);
    note.text = TEXT("outer");
    note.blob = (ProtobufCBinaryData){.len = sizeof(blob), .data = blob};
    note.lines = lines;
    note.n_lines = COUNT_OF(lines);
    note.inner = &inner;
    note.count = -7;
    return &note;
}

static void assert_sample(const ProtobufCMessage *message)
{
    const void *untyped = message;
    const Echo__V1__Note *note = untyped;
    assert_string_equal(note->text, "outer");
    assert_int_equal(note->blob.len, 4);
    assert_int_equal(note->n_lines, 3);
    assert_string_equal(note->lines[2], "three");
    assert_string_equal(note->inner->text, "inner");
    assert_int_equal(note->count, -7);
}

/* The core may deliver a message in one slice or in many; both are the same message. */
static void message_in_any_number_of_slices_is_read(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1024, 65536);
    grpc_byte_buffer *whole = rpc_message_to_buffer(&sample()->base);
    ProtobufCMessage *message = NULL;
    assert_int_equal(rpc_message_from_buffer(NOTE, whole, &arena, &message), 0);
    assert_sample(message);

    grpc_byte_buffer_destroy(whole);
    uint8_t bytes[256];
    size_t length = protobuf_c_message_pack(&sample()->base, bytes);
    grpc_slice slices[256];
    for (size_t i = 0; i < length; i++) {
        slices[i] = grpc_slice_from_copied_buffer((const char *)bytes + i, 1);
    }
    grpc_byte_buffer *split = grpc_raw_byte_buffer_create(slices, length);
    for (size_t i = 0; i < length; i++) {
        grpc_slice_unref(slices[i]);
    }
    assert_int_equal(rpc_message_from_buffer(NOTE, split, &arena, &message), 0);
    assert_sample(message);
    grpc_byte_buffer_destroy(split);

    grpc_byte_buffer *none = grpc_raw_byte_buffer_create(NULL, 0);
    assert_int_equal(rpc_message_from_buffer(NOTE, none, &arena, &message), 0);
    grpc_byte_buffer_destroy(none);
    arena_fini(&arena);
}

/* A small compressed message may be a huge one; it is not even looked at. */
static void message_compressed_is_refused(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1024, 65536);
    grpc_slice slice = grpc_slice_from_copied_string("whatever");
    grpc_byte_buffer *buffer =
        grpc_raw_compressed_byte_buffer_create(&slice, 1, GRPC_COMPRESS_GZIP);
    ProtobufCMessage *message = NULL;
    assert_int_equal(rpc_message_from_buffer(NOTE, buffer, &arena, &message), -ENOTSUP);
    assert_null(message);
    grpc_byte_buffer_destroy(buffer);
    grpc_slice_unref(slice);
    arena_fini(&arena);
}

/* Wherever memory runs out while unpacking, the result is that error, and nothing leaks. */
static void message_unpacked_with_every_arena_size_is_whole_or_no_memory(void **state)
{
    (void)state;
    uint8_t bytes[256];
    size_t length = protobuf_c_message_pack(&sample()->base, bytes);
    size_t failures = 0;
    bool whole = false;
    for (size_t bytes_max = 16; !whole; bytes_max += 16) {
        struct arena arena;
        arena_init(&arena, 16, bytes_max);
        ProtobufCMessage *message = NULL;
        int error = rpc_message_unpack(NOTE, bytes, length, &arena, &message);
        whole = error == 0;
        if (whole) {
            assert_sample(message);
        } else {
            assert_int_equal(error, -ENOMEM);
            assert_null(message);
            failures++;
        }
        arena_fini(&arena);
        assert_true(bytes_max < 65536);
    }
    assert_true(failures > 5);
}

/* Each error has words for the sender, and they differ. */
static void message_errors_have_their_own_words(void **state)
{
    (void)state;
    const int errors[] = {-EBADMSG, -EILSEQ, -ELOOP, -ENOMEM, -ENOTSUP};
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(rpc_message_error_text(errors[i]),
                                    rpc_message_error_text(errors[j]));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(message_in_any_number_of_slices_is_read),
        cmocka_unit_test(message_compressed_is_refused),
        cmocka_unit_test(message_unpacked_with_every_arena_size_is_whole_or_no_memory),
        cmocka_unit_test(message_errors_have_their_own_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
