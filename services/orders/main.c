/* stampede-orders: decides and remembers orders. What it is made of is in service.h. */
#include "config/config.h"
#include "drain.h"
#include "log/log.h"
#include "service.h"
#include "settings.h"
#include "signals.h"

#include <stdlib.h>
#include <string.h>

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

static void on_signal(void *data)
{
    drain_begin(data);
}

static int serve(const struct settings *settings, struct drain *drain)
{
    struct service *service;

    if (service_create(settings, drain, &service) < 0) {
        return EXIT_FAILURE;
    }
    bool started = service_start(service) == 0;
    if (started) {
        service_run(service);
    }
    service_destroy(service);
    return started ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* The signals' thread is the first to be made, so every later one has them blocked. */
static int run(const struct settings *settings)
{
    struct drain drain;
    struct signals signals;

    drain_init(&drain);
    int error = signals_start(&signals, on_signal, &drain);
    int status = EXIT_FAILURE;
    if (error < 0) {
        log_event(LOG_ERROR, "cannot_start", LOG_STR("message", strerror(-error)));
    } else {
        status = serve(settings, &drain);
        signals_stop(&signals);
    }
    drain_fini(&drain);
    return status;
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
        .fd = 2,
    };
    log_init(&options);
    log_event(LOG_INFO, "starting", LOG_STR("version", STAMPEDE_VERSION));
    log_settings(config);
    int status = run(&settings);
    config_destroy(config);
    return status;
}
