#include "protojson/json_parser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Writes down what it is told: "{k:'v' n:1 }" and so on. */
struct transcript {
    char text[512];
    size_t stop_at; /* the token, counted from 0, that stops the parser */
    size_t tokens;
};

static int note(void *context, const char *prefix, const char *text, size_t length)
{
    struct transcript *transcript = context;
    size_t used = strlen(transcript->text);
    snprintf(transcript->text + used, sizeof(transcript->text) - used, "%s%.*s ", prefix,
             (int)length, text);
    return transcript->tokens++ != transcript->stop_at;
}

static int on_null(void *context)
{
    return note(context, "null", "", 0);
}

static int on_boolean(void *context, int boolean)
{
    return note(context, boolean ? "true" : "false", "", 0);
}

static int on_number(void *context, const char *text, size_t length)
{
    return note(context, "n:", text, length);
}

static int on_string(void *context, const unsigned char *text, size_t length)
{
    return note(context, "s:", (const char *)text, length);
}

static int on_key(void *context, const unsigned char *text, size_t length)
{
    return note(context, "k:", (const char *)text, length);
}

static int on_start_object(void *context)
{
    return note(context, "{", "", 0);
}

static int on_end_object(void *context)
{
    return note(context, "}", "", 0);
}

static int on_start_list(void *context)
{
    return note(context, "[", "", 0);
}

static int on_end_list(void *context)
{
    return note(context, "]", "", 0);
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_map_key = on_key,
    .yajl_start_map = on_start_object,
    .yajl_end_map = on_end_object,
    .yajl_start_array = on_start_list,
    .yajl_end_array = on_end_list,
};

/* An allocator that counts, and fails from one allocation on. */
struct memory {
    size_t allocations, outstanding, fail_at;
};

static void *allocate(void *context, size_t size)
{
    struct memory *memory = context;
    if (memory->allocations++ >= memory->fail_at) {
        return NULL;
    }
    memory->outstanding++;
    return malloc(size);
}

static void release(void *context, void *block)
{
    struct memory *memory = context;
    memory->outstanding--;
    free(block);
}

static enum json_parser_result parse_bytes(const char *text, size_t length, struct memory *memory,
                                           struct transcript *transcript,
                                           struct json_parser_problem *problem)
{
    ProtobufCAllocator allocator = {.alloc = allocate, .free = release, .allocator_data = memory};
    char *copy = malloc(length > 0 ? length : 1); /* ends where the text does */
    assert_non_null(copy);
    memcpy(copy, text, length);
    enum json_parser_result result =
        json_parser_parse(copy, length, &callbacks, transcript, &allocator, problem);
    free(copy);
    assert_int_equal(memory->outstanding, 0);
    return result;
}

static enum json_parser_result parse(const char *text, struct transcript *transcript,
                                     struct json_parser_problem *problem)
{
    struct memory memory = {.fail_at = SIZE_MAX};
    *transcript = (struct transcript){.stop_at = SIZE_MAX};
    return parse_bytes(text, strlen(text), &memory, transcript, problem);
}

/* Tokens come once each, in order, unescaped, numbers as they are written. */
static void json_parser_sound_text_gives_its_tokens(void **state)
{
    (void)state;
    struct transcript transcript;
    struct json_parser_problem problem;
    assert_int_equal(
        parse(" {\"a\" : [1, -2.50e+3,true,false,null,\"x\\n\\u00e9\\ud83d\\ude01\\/\"],\r\n\t"
              "\"\\u0062\":{}} ",
              &transcript, &problem),
        JSON_PARSER_OK);
    assert_string_equal(transcript.text, "{ k:a [ n:1 n:-2.50e+3 true false null "
                                         "s:x\n\xc3\xa9\xf0\x9f\x98\x81/ ] k:b { } } ");
}

static const char *const unsound[] = {
    "",
    " ",
    "{",
    "}",
    "{\"a\"",
    "{\"a\":",
    "{\"a\":1",
    "{\"a\":1,}",
    "{,}",
    "{\"a\" 1}",
    "{a:1}",
    "{'a':1}",
    "{\"a\":'b'}",
    "{1:1}",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1}",
    "{} {}",
    "{}x",
    "{},",
    "[01]",
    "[-01]",
    "[+1]",
    "[.5]",
    "[1.]",
    "[1e]",
    "[-]",
    "[0x1]",
    "[NaN]",
    "[Infinity]",
    "[-Infinity]",
    "[True]",
    "[TRUE]",
    "[nul]",
    "[undefined]",
    "[\"\\x41\"]",
    "[\"\\'\"]",
    "[\"\\U8C37\"]",
    "[\"\\u12g4\"]",
    "[\"\\u123\"]",
    "[\"\\u\"]",
    "[\"abc",
    "[\"abc\\",
    "[\"abc\\\"",
    "[\"a\nb\"]",
    "[\"a\tb\"]",
    "[\"a\x01\"]",
    "[1]\f",
    "[1,\v2]",
    "\xef\xbb\xbf{}",
    "[\"\xff\"]",
    "[\"\xc0\xaf\"]",
    "[\"\xed\xa0\x80\"]",
    "[\"\xf4\x90\x80\x80\"]",
    "[\"\xe2\x82\"]",
    "\xc3\xa9",
    "[\"\\ud800\"]",
    "[\"\\ud800x\"]",
    "[\"\\ud800\\n\"]",
    "[\"\\ud800\\u0041\"]",
    "[\"\\ud800\\ud800\"]",
    "[\"\\udc00\"]",
    "[\"\\udc00\\ud800\"]",
    "{\"\\ud800\":1}",
    "// comment\n{}",
    "/* comment */{}",
};

/* Whatever is not JSON to the letter of RFC 8259 is refused, yajl's own leniency included. */
static void json_parser_unsound_text_is_malformed(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(unsound); i++) {
        struct transcript transcript;
        struct json_parser_problem problem = {.text = ""};
        if (parse(unsound[i], &transcript, &problem) != JSON_PARSER_MALFORMED) {
            fail_msg("%s is taken for JSON", unsound[i]);
        }
        assert_true(problem.text[0] != '\0');
        assert_null(strchr(problem.text, '\n'));
        assert_true(problem.offset <= strlen(unsound[i]));
    }
}

/* A NUL is a byte like any other: the text goes on behind it. */
static void json_parser_nul_byte_is_malformed(void **state)
{
    (void)state;
    struct memory memory = {.fail_at = SIZE_MAX};
    struct transcript transcript = {.stop_at = SIZE_MAX};
    struct json_parser_problem problem;
    assert_int_equal(parse_bytes("{}\0", 3, &memory, &transcript, &problem), JSON_PARSER_MALFORMED);
    assert_int_equal(problem.offset, 2);
}

/* A body of brackets must not exhaust the stack: yajl keeps its depth on the heap. */
static void json_parser_deep_nesting_is_survived(void **state)
{
    (void)state;
    enum { DEPTH = 200000 };
    char *text = malloc(2 * DEPTH);
    assert_non_null(text);
    memset(text, '[', DEPTH);
    memset(text + DEPTH, ']', DEPTH);
    struct memory memory = {.fail_at = SIZE_MAX};
    struct transcript transcript = {.stop_at = SIZE_MAX};
    struct json_parser_problem problem;
    assert_int_equal(parse_bytes(text, 2 * DEPTH, &memory, &transcript, &problem), JSON_PARSER_OK);
    free(text);
}

/* Whoever stops the parser is asked nothing more. */
static void json_parser_stopped_calls_back_no_more(void **state)
{
    (void)state;
    for (size_t stop_at = 0; stop_at < 9; stop_at++) {
        struct memory memory = {.fail_at = SIZE_MAX};
        struct transcript transcript = {.stop_at = stop_at};
        struct json_parser_problem problem;
        static const char text[] = "{\"a\":[1,true,null,\"s\"],\"b\":0}";
        assert_int_equal(parse_bytes(text, sizeof(text) - 1, &memory, &transcript, &problem),
                         JSON_PARSER_STOPPED);
        assert_int_equal(transcript.tokens, stop_at + 1);
        assert_true(problem.offset <= sizeof(text) - 1);
    }
}

/*
 * yajl writes through the NULL of a failed allocation. A text with long escapes and deep nesting
 * makes it ask for memory in every way it knows; each of them may fail.
 */
static void json_parser_failing_allocation_is_no_memory(void **state)
{
    (void)state;
    enum { ESCAPES = 3000, DEPTH = 3000 };
    size_t length = 2 * ESCAPES + 2 * DEPTH + 2;
    char *text = malloc(length);
    assert_non_null(text);
    memset(text, '[', DEPTH);
    text[DEPTH] = '"';
    for (size_t i = 0; i < ESCAPES; i++) {
        memcpy(text + DEPTH + 1 + 2 * i, "\\n", 2);
    }
    text[DEPTH + 1 + 2 * ESCAPES] = '"';
    memset(text + DEPTH + 2 + 2 * ESCAPES, ']', DEPTH);
    size_t failures = 0;
    for (;; failures++) {
        struct memory memory = {.fail_at = failures};
        struct transcript transcript = {.stop_at = SIZE_MAX};
        struct json_parser_problem problem;
        enum json_parser_result result = parse_bytes(text, length, &memory, &transcript, &problem);
        if (result == JSON_PARSER_OK) {
            break;
        }
        assert_int_equal(result, JSON_PARSER_NO_MEMORY);
    }
    assert_true(failures > 1);
    free(text);
}

/* An ordinary body costs the request's allocator nothing. */
static void json_parser_small_text_allocates_nothing(void **state)
{
    (void)state;
    struct memory memory = {.fail_at = 0};
    struct transcript transcript = {.stop_at = SIZE_MAX};
    struct json_parser_problem problem;
    static const char text[] = "{\"customerId\":\"c-\\u0031\",\"quantity\":1}";
    assert_int_equal(parse_bytes(text, sizeof(text) - 1, &memory, &transcript, &problem),
                     JSON_PARSER_OK);
    assert_int_equal(memory.allocations, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_parser_sound_text_gives_its_tokens),
        cmocka_unit_test(json_parser_unsound_text_is_malformed),
        cmocka_unit_test(json_parser_nul_byte_is_malformed),
        cmocka_unit_test(json_parser_deep_nesting_is_survived),
        cmocka_unit_test(json_parser_stopped_calls_back_no_more),
        cmocka_unit_test(json_parser_failing_allocation_is_no_memory),
        cmocka_unit_test(json_parser_small_text_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
