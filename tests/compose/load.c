/*
 * Each connection is a thread with a slice of the rate. No order is asked for twice: what was not
 * answered is lost, and counted so.
 */
#include "load.h"

#include "base/clock.h"
#include "shop.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STOCK         10000000
#define ANSWER_BYTES  1024
#define TIMEOUT_MS    60000L
#define LATENCIES_MAX 1000000

struct load {
    const struct target *target;
    const struct load_plan *plan;
    atomic_bool ended;
    atomic_uint placed, refused, failed, lost, connected;
    atomic_uint latency_count;
    uint32_t *latencies_us;
    pthread_mutex_t first_lock;
    char first[ANSWER_BYTES + 64]; /* the first answer that was no order */
};

/* One connection. */
struct lane {
    struct load *load;
    unsigned number;
    pthread_t thread;
    char answer[ANSWER_BYTES];
    size_t answer_length;
};

static size_t on_body(char *bytes, size_t size, size_t count, void *data)
{
    struct lane *lane = data;
    size_t room = sizeof(lane->answer) - 1 - lane->answer_length;
    size_t taken = size * count < room ? size * count : room;
    memcpy(lane->answer + lane->answer_length, bytes, taken);
    lane->answer_length += taken;
    lane->answer[lane->answer_length] = '\0';
    return size * count;
}

static void note_first(struct load *load, long status, const char *text)
{
    pthread_mutex_lock(&load->first_lock);
    if (load->first[0] == '\0') {
        snprintf(load->first, sizeof(load->first), "%ld %s", status, text);
    }
    pthread_mutex_unlock(&load->first_lock);
}

static void count(struct load *load, CURLcode code, long status, const char *text)
{
    atomic_uint *counter = &load->failed;
    if (code != CURLE_OK) {
        counter = &load->lost;
        text = curl_easy_strerror(code);
    } else if (status == 201) {
        counter = &load->placed;
    } else if (status >= 400 && status < 500) {
        counter = &load->refused;
    }
    atomic_fetch_add(counter, 1);
    if (counter != &load->placed) {
        note_first(load, status, text);
    }
}

static void place(struct lane *lane, CURL *curl, unsigned order)
{
    struct load *load = lane->load;
    char key[128], body[128];
    long status = 0, connects = 0;

    snprintf(key, sizeof(key), "Idempotency-Key: order-%u-%u", lane->number, order);
    snprintf(body, sizeof(body), "{\"customerId\":\"c-%u-%u\",\"quantity\":1}", lane->number,
             order);
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    headers = curl_slist_append(headers, key);
    lane->answer_length = 0;
    lane->answer[0] = '\0';
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, body);
    int64_t begun_ns = clock_monotonic_ns();
    CURLcode code = curl_easy_perform(curl);
    int64_t took_us = (clock_monotonic_ns() - begun_ns) / 1000;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(curl, CURLINFO_NUM_CONNECTS, &connects);
    curl_slist_free_all(headers);
    count(load, code, status, lane->answer);
    atomic_fetch_add(&load->connected, (unsigned)connects);
    unsigned at = atomic_fetch_add(&load->latency_count, 1);
    if (at < LATENCIES_MAX) {
        load->latencies_us[at] = (uint32_t)took_us;
    }
}

static CURL *open_curl(struct lane *lane)
{
    const struct load_plan *plan = lane->load->plan;
    const char *base = plan->url_count > 0 ? plan->urls[lane->number % plan->url_count]
                                           : lane->load->target->base_url;
    CURL *curl = curl_easy_init();
    char url[TARGET_URL_BYTES + 128];

    CHECK(curl != NULL);
    snprintf(url, sizeof(url), "%s/v1/sales/%s/orders", base, shop_sale_id());
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, lane);
    return curl;
}

static void sleep_until(int64_t at_ns)
{
    const struct timespec at = {.tv_sec = at_ns / CLOCK_NS_PER_SECOND,
                                .tv_nsec = at_ns % CLOCK_NS_PER_SECOND};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR) {
    }
}

/*
 * Who falls behind does not catch up in a burst: the rate is a bound. Each places one order at
 * least, however late it came to run.
 */
static void *run_lane(void *data)
{
    struct lane *lane = data;
    const struct load_plan *plan = lane->load->plan;
    int64_t gap_ns = CLOCK_NS_PER_SECOND * plan->connections / plan->per_second;
    int64_t next_ns = clock_monotonic_ns() + gap_ns * lane->number / plan->connections;
    CURL *curl = open_curl(lane);

    unsigned order = 0;
    do {
        sleep_until(next_ns);
        place(lane, curl, order++);
        int64_t now_ns = clock_monotonic_ns();
        next_ns = next_ns + gap_ns > now_ns ? next_ns + gap_ns : now_ns;
    } while (!atomic_load(&lane->load->ended));
    curl_easy_cleanup(curl);
    return NULL;
}

static int compare_latencies(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double percentile_ms(const struct load *load, unsigned count, unsigned per_mille)
{
    if (count == 0) {
        return 0;
    }
    size_t at = (size_t)count * per_mille / 1000;
    return load->latencies_us[at < count ? at : count - 1] / 1000.0;
}

/* The stock that is left, as the system under test counts it; -1 if it does not say. */
static long read_remaining(void)
{
    char value[32];
    shop_call_sale("GET", "", false, NULL);
    http_client_json(shop_answer(), "stockRemaining", value, sizeof(value));
    return shop_answer()->status == 200 ? strtol(value, NULL, 10) : -1;
}

static int report(struct load *load)
{
    unsigned latencies = load->latency_count < LATENCIES_MAX ? load->latency_count : LATENCIES_MAX;
    long sold = STOCK - read_remaining();

    qsort(load->latencies_us, latencies, sizeof(uint32_t), compare_latencies);
    printf("load: %u placed, %u refused, %u failed (5xx), %u lost, %ld units sold; p50 %.1f ms, "
           "p99 %.1f ms, max %.1f ms; %u connections opened\n",
           load->placed, load->refused, load->failed, load->lost, sold,
           percentile_ms(load, latencies, 500), percentile_ms(load, latencies, 990),
           percentile_ms(load, latencies, 1000), load->connected);
    if (load->first[0] != '\0') {
        printf("first answer that was no order: %s\n", load->first);
    }
    bool good = load->placed > 0 && load->refused + load->failed + load->lost == 0 &&
                sold == (long)load->placed;
    return good ? 0 : 1;
}

static void wait_for_end(unsigned seconds, const sigset_t *signals)
{
    const struct timespec time = {.tv_sec = seconds};
    while (sigtimedwait(signals, NULL, &time) < 0 && errno == EINTR) {
    }
}

int load_run(const struct target *target, const struct load_plan *plan)
{
    struct load load = {.target = target, .plan = plan, .first_lock = PTHREAD_MUTEX_INITIALIZER};
    struct lane *lanes = calloc(plan->connections, sizeof(*lanes));
    sigset_t signals;

    load.latencies_us = calloc(LATENCIES_MAX, sizeof(uint32_t));
    CHECK(lanes != NULL && load.latencies_us != NULL);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    shop_open(target);
    shop_make_sale("load", &(struct shop_plan){.stock = STOCK});
    for (unsigned i = 0; i < plan->connections; i++) {
        lanes[i].load = &load;
        lanes[i].number = i;
        CHECK(pthread_create(&lanes[i].thread, NULL, run_lane, &lanes[i]) == 0);
    }
    wait_for_end(plan->seconds, &signals);
    atomic_store(&load.ended, true);
    for (unsigned i = 0; i < plan->connections; i++) {
        pthread_join(lanes[i].thread, NULL);
    }
    int status = report(&load);
    free(load.latencies_us);
    free(lanes);
    return status;
}
