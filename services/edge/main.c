/* stampede-edge: translates and protects. What it is made of is in service.h. */
#include "base/clock.h"
#include "config/config.h"
#include "log/log.h"
#include "service.h"
#include "settings.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void log_settings(const struct config *config)
{
    size_t count;
    const struct config_value *values = config_values(config, &count);
    for (size_t i = 0; i < count; i++) {
        if (!values[i].is_default) {
            log_event(LOG_INFO, "setting", LOG_STR("name", values[i].name),
                      LOG_STR("value", values[i].text), LOG_STR("origin", values[i].origin));
        }
    }
}

/* Blocks the signals that ask to stop in this thread and all that it makes; they are waited for. */
static void block_signals(sigset_t *ret_signals)
{
    sigemptyset(ret_signals);
    sigaddset(ret_signals, SIGTERM);
    sigaddset(ret_signals, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, ret_signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* Sleeps, and tells whether a second signal came. */
static bool wait_for_signal(int64_t wait_ms, void *data)
{
    const sigset_t *signals = data;
    const struct timespec wait = {.tv_sec = wait_ms / 1000,
                                  .tv_nsec = wait_ms % 1000 * CLOCK_NS_PER_MS};
    int number = sigtimedwait(signals, NULL, &wait);
    if (number < 0) {
        return false;
    }
    log_event(LOG_WARN, "stopped_at_once", LOG_INT("signal", number));
    return true;
}

static int run(const struct settings *settings)
{
    sigset_t signals;
    struct service *service;
    int number;
    block_signals(&signals);
    if (service_start(settings, &service) != 0) {
        return EXIT_FAILURE;
    }
    do {
        number = sigwaitinfo(&signals, NULL);
    } while (number < 0);
    if (!service_drain(service, wait_for_signal, &signals)) {
        /* Nothing is taken down: whoever asks twice does not want to wait for it. */
        _exit(EXIT_FAILURE);
    }
    service_destroy(service);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct settings settings;
    struct config *config;
    struct config_source source = config_source_of_process(argc, argv);

    switch (config_load(&settings_program, &source, &settings, &config)) {
    case CONFIG_DONE:
        return CONFIG_EXIT_DONE;
    case CONFIG_REFUSED:
        return CONFIG_EXIT_REFUSED;
    case CONFIG_RUN:
        break;
    }
    const struct log_options options = {
        .program = SETTINGS_PROGRAM,
        .level = (enum log_level)settings.log_level,
        .format = (enum log_format)settings.log_format,
        .fd = STDERR_FILENO,
    };
    log_init(&options);
    log_event(LOG_INFO, "starting", LOG_STR("version", STAMPEDE_VERSION));
    log_settings(config);
    int status = run(&settings);
    config_destroy(config);
    return status;
}
