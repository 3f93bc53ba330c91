#include "signals.h"

#include "log/log.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define EXIT_AT_ONCE 1

static void handle(struct signals *signals, unsigned number, bool *first_came)
{
    log_event(LOG_INFO, "signal", LOG_UINT("number", number));
    if (*first_came) {
        log_event(LOG_WARN, "ended_at_once");
        _exit(EXIT_AT_ONCE);
    }
    *first_came = true;
    signals->_on_first(signals->_data);
}

static void *signals_main(void *data)
{
    struct signals *signals = data;
    struct pollfd fds[] = {
        {.fd = signals->_stop_fd, .events = POLLIN},
        {.fd = signals->_signal_fd, .events = POLLIN},
    };
    bool first_came = false;

    while (fds[0].revents == 0) {
        struct signalfd_siginfo info;
        if (poll(fds, COUNT_OF(fds), -1) < 0) {
            CHECK(errno == EINTR);
            fds[0].revents = 0;
        } else if (fds[1].revents != 0 &&
                   read(signals->_signal_fd, &info, sizeof(info)) == sizeof(info)) {
            handle(signals, info.ssi_signo, &first_came);
        }
    }
    return NULL;
}

static int make_fds(struct signals *signals)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    int error = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (error != 0) {
        return -error;
    }
    signals->_signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals->_signal_fd < 0) {
        return -errno;
    }
    signals->_stop_fd = eventfd(0, EFD_CLOEXEC);
    if (signals->_stop_fd < 0) {
        error = -errno;
        close(signals->_signal_fd);
        return error;
    }
    return 0;
}

int signals_start(struct signals *signals, void (*on_first)(void *data), void *data)
{
    signal(SIGPIPE, SIG_IGN);
    int error = make_fds(signals);
    if (error < 0) {
        return error;
    }
    signals->_on_first = on_first;
    signals->_data = data;
    error = pthread_create(&signals->_thread, NULL, signals_main, signals);
    if (error != 0) {
        close(signals->_signal_fd);
        close(signals->_stop_fd);
        return -error;
    }
    pthread_setname_np(signals->_thread, "signals");
    return 0;
}

void signals_stop(struct signals *signals)
{
    uint64_t one = 1;
    CHECK(write(signals->_stop_fd, &one, sizeof(one)) == sizeof(one));
    pthread_join(signals->_thread, NULL);
    close(signals->_signal_fd);
    close(signals->_stop_fd);
}
