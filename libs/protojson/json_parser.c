#include "protojson/json_parser.h"

#include "protojson/utf8.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Holds what yajl needs for a text whose escaped strings are shorter than 2 KiB, two buffers of
   that size included; what is not needed is not touched. */
#define INLINE_BYTES 8192

/* In front of each allocation: its size, for realloc. Keeps what follows aligned. */
struct header {
    alignas(max_align_t) size_t size;
};

/* An allocation that did not fit inline. */
struct block {
    struct block *next;
    struct header header;
};

/* yajl's memory during one parse. Nothing is freed before the end, and then everything is. */
struct memory {
    ProtobufCAllocator *allocator;
    struct block *blocks;
    size_t used;
    jmp_buf exhausted;
    alignas(max_align_t) char bytes[INLINE_BYTES];
};

static void *memory_alloc(void *context, size_t size)
{
    struct memory *memory = context;
    size_t rounded =
        (size + sizeof(struct header) - 1) / sizeof(struct header) * sizeof(struct header);
    struct header *header;
    if (rounded <= INLINE_BYTES - memory->used &&
        sizeof(*header) <= INLINE_BYTES - memory->used - rounded) {
        header = (struct header *)(void *)(memory->bytes + memory->used);
        memory->used += sizeof(*header) + rounded;
    } else {
        ProtobufCAllocator *allocator = memory->allocator;
        struct block *block = allocator->alloc(allocator->allocator_data, sizeof(*block) + rounded);
        if (block == NULL) {
            longjmp(memory->exhausted, 1); /* yajl does not look at what it gets */
        }
        block->next = memory->blocks;
        memory->blocks = block;
        header = &block->header;
    }
    header->size = size;
    return header + 1;
}

static void *memory_realloc(void *context, void *old, size_t size)
{
    if (old == NULL) {
        return memory_alloc(context, size);
    }
    size_t old_size = ((struct header *)old - 1)->size;
    if (size <= old_size) {
        return old;
    }
    void *larger = memory_alloc(context, size);
    memcpy(larger, old, old_size);
    return larger;
}

static void memory_free(void *context, void *old)
{
    (void)context;
    (void)old;
}

static void memory_fini(struct memory *memory)
{
    while (memory->blocks != NULL) {
        struct block *block = memory->blocks;
        memory->blocks = block->next;
        memory->allocator->free(memory->allocator->allocator_data, block);
    }
}

static bool report(struct json_parser_problem *problem, size_t offset, const char *text)
{
    problem->offset = offset;
    snprintf(problem->text, sizeof(problem->text), "%s", text);
    return false;
}

/* The value of the escape "\uXXXX" at text, or -1 if there is none. */
static int32_t unicode_escape(const char *text, size_t length)
{
    if (length < 6 || text[0] != '\\' || text[1] != 'u') {
        return -1;
    }
    int32_t value = 0;
    for (size_t i = 2; i < 6; i++) {
        char c = text[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) {
            return -1;
        }
        value = value << 4 | digit;
    }
    return value;
}

/* The length of the escape at text, surrogate pairs as one; 0 for a surrogate without a partner. */
static size_t escape_length(const char *text, size_t length)
{
    int32_t value = unicode_escape(text, length);
    if (value < 0) {
        return 2; /* some other escape, or none: yajl knows */
    }
    if (value < 0xd800 || value > 0xdfff) {
        return 6;
    }
    int32_t low = unicode_escape(text + 6, length - 6);
    return value <= 0xdbff && low >= 0xdc00 && low <= 0xdfff ? 12 : 0;
}

/* ASCII that needs no second look: what is printable, and the white space of JSON. */
static bool is_plain(unsigned char byte)
{
    return (byte >= 0x20 && byte < 0x80 && byte != '\\') || byte == '\t' || byte == '\n' ||
           byte == '\r';
}

/* Finds what yajl would let pass. */
static bool check_text(const char *text, size_t length, struct json_parser_problem *problem)
{
    size_t at = 0;
    while (at < length) {
        unsigned char byte = (unsigned char)text[at];
        if (is_plain(byte)) {
            at++;
        } else if (byte == '\\') {
            size_t taken = escape_length(text + at, length - at);
            if (taken == 0) {
                return report(problem, at, "a string holds half of a surrogate pair");
            }
            at += taken;
        } else if (byte >= 0x80) {
            size_t taken = utf8_sequence_length(text + at, length - at);
            if (taken == 0) {
                return report(problem, at, "a byte is not UTF-8");
            }
            at += taken;
        } else {
            return report(problem, at, "a control character is not escaped");
        }
    }
    return true;
}

/* Copies yajl's message: "parse error: trailing garbage" and a line feed. */
static void report_yajl(yajl_handle handle, struct json_parser_problem *problem)
{
    unsigned char *message = yajl_get_error(handle, 0, NULL, 0);
    const char *text = message != NULL ? (const char *)message : "not JSON";
    snprintf(problem->text, sizeof(problem->text), "%.*s", (int)strcspn(text, "\n"), text);
    yajl_free_error(handle, message);
}

static enum json_parser_result run(struct memory *memory, const char *text, size_t length,
                                   const yajl_callbacks *callbacks, void *context,
                                   struct json_parser_problem *problem)
{
    yajl_alloc_funcs functions = {
        .malloc = memory_alloc, .realloc = memory_realloc, .free = memory_free, .ctx = memory};
    if (setjmp(memory->exhausted) != 0) {
        report(problem, 0, "memory is exhausted");
        return JSON_PARSER_NO_MEMORY;
    }
    yajl_handle handle = yajl_alloc(callbacks, &functions, context);
    yajl_config(handle, yajl_dont_validate_strings, 1); /* check_text() did */
    yajl_status status = yajl_parse(handle, (const unsigned char *)text, length);
    problem->offset = yajl_get_bytes_consumed(handle);
    if (status == yajl_status_ok) {
        status = yajl_complete_parse(handle);
    }
    enum json_parser_result result = status == yajl_status_ok ? JSON_PARSER_OK
                                     : status == yajl_status_client_canceled
                                         ? JSON_PARSER_STOPPED
                                         : JSON_PARSER_MALFORMED;
    if (result == JSON_PARSER_MALFORMED) {
        report_yajl(handle, problem);
    }
    return result; /* the handle's memory is ours and goes with the rest */
}

enum json_parser_result json_parser_parse(const char *text, size_t length,
                                          const yajl_callbacks *callbacks, void *context,
                                          ProtobufCAllocator *allocator,
                                          struct json_parser_problem *ret_problem)
{
    if (!check_text(text, length, ret_problem)) {
        return JSON_PARSER_MALFORMED;
    }
    struct memory memory;
    memory.allocator = allocator;
    memory.blocks = NULL;
    memory.used = 0;
    enum json_parser_result result = run(&memory, text, length, callbacks, context, ret_problem);
    memory_fini(&memory);
    return result;
}
