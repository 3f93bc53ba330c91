#include "support/process.h"

#include "support/patience.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define POLL_NS 2000000

_Noreturn static void run_child(const char *const *argv, const char *const *environment,
                                const char *log_path)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (null < 0 || log < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0) {
        _exit(127);
    }
    for (size_t i = 0; environment != NULL && environment[i] != NULL; i++) {
        putenv((char *)(uintptr_t)environment[i]);
    }
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    dprintf(2, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

int process_start(struct process *ret, const char *const *argv, const char *const *environment,
                  const char *log_path)
{
    pid_t pid = fork();
    if (pid < 0) {
        fprintf(stderr, "fork: %s\n", strerror(errno));
        return -1;
    }
    if (pid == 0) {
        run_child(argv, environment, log_path);
    }
    ret->pid = pid;
    return 0;
}

void process_signal(const struct process *process, int signal_number)
{
    CHECK(process->pid > 0);
    kill(process->pid, signal_number);
}

void process_freeze(const struct process *process)
{
    siginfo_t info;
    process_signal(process, SIGSTOP);
    CHECK(waitid(P_PID, (id_t)process->pid, &info, WSTOPPED | WNOWAIT) == 0);
}

static int status_of(int wait_status)
{
    return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

int process_wait(struct process *process, int64_t timeout_ms)
{
    struct patience patience = patience_of_ms(timeout_ms);
    int status;

    CHECK(process->pid > 0);
    while (waitpid(process->pid, &status, WNOHANG) == 0) {
        if (patience_is_over(&patience)) {
            kill(process->pid, SIGKILL);
            waitpid(process->pid, &status, 0);
            process->pid = 0;
            return -1;
        }
        nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
    }
    process->pid = 0;
    return status_of(status);
}

bool process_is_running(struct process *process)
{
    siginfo_t info = {0};
    if (process->pid == 0) {
        return false;
    }
    return waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == 0;
}
