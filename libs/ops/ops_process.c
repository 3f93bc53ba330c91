#include "ops/ops_process.h"

#include "metrics/metrics.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define STAT_BYTES_MAX 1024
#define LINE_BYTES_MAX 256

/* Fields of /proc/self/stat, counted from the one after the name; proc(5) counts from 1. */
#define STAT_START_TIME 19
#define STAT_RSS        21

static double seconds_of(const struct timeval *time)
{
    return (double)time->tv_sec + (double)time->tv_usec * 1e-6;
}

static double read_cpu(void *data)
{
    struct rusage usage;
    (void)data;
    if (getrusage(RUSAGE_SELF, &usage) != 0) {
        return NAN;
    }
    return seconds_of(&usage.ru_utime) + seconds_of(&usage.ru_stime);
}

/* A number of /proc/self/stat, or NaN. The name may hold spaces and brackets: fields are counted
 * from its last bracket on. */
static double read_stat(size_t field)
{
    char text[STAT_BYTES_MAX];
    FILE *file = fopen("/proc/self/stat", "re");
    if (file == NULL) {
        return NAN;
    }
    size_t length = fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file);
    text[length] = '\0';
    const char *at = strrchr(text, ')');
    for (size_t i = 0; at != NULL && i <= field; i++) {
        at = strchr(at + 1, ' ');
    }
    return at == NULL ? NAN : strtod(at, NULL);
}

static double read_memory(void *data)
{
    (void)data;
    return read_stat(STAT_RSS) * (double)sysconf(_SC_PAGESIZE);
}

/* When the machine started, in seconds since 1970, or NaN. */
static double boot_time(void)
{
    char line[LINE_BYTES_MAX];
    double time = NAN;
    FILE *file = fopen("/proc/stat", "re");
    if (file == NULL) {
        return NAN;
    }
    while (isnan(time) && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "btime ", 6) == 0) {
            time = strtod(line + 6, NULL);
        }
    }
    (void)fclose(file);
    return time;
}

static double read_start_time(void *data)
{
    (void)data;
    return boot_time() + read_stat(STAT_START_TIME) / (double)sysconf(_SC_CLK_TCK);
}

static double read_open_files(void *data)
{
    double files = 0;
    (void)data;
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL) {
        return NAN;
    }
    while (readdir(folder) != NULL) {
        files++;
    }
    (void)closedir(folder);
    /* The two entries of every folder, and the descriptor of this one. */
    return files - 3;
}

static double read_files_max(void *data)
{
    struct rlimit files;
    (void)data;
    return getrlimit(RLIMIT_NOFILE, &files) == 0 ? (double)files.rlim_cur : NAN;
}

void ops_process_register(struct metrics *metrics)
{
    metrics_counter_callback(metrics, "process_cpu_seconds_total",
                             "Processor time of the process, in its own code and the kernel's.",
                             NULL, read_cpu, NULL);
    metrics_gauge_callback(metrics, "process_resident_memory_bytes",
                           "Memory of the process that is resident.", NULL, read_memory, NULL);
    metrics_gauge_callback(metrics, "process_open_fds", "Files and sockets that are open.", NULL,
                           read_open_files, NULL);
    metrics_gauge_callback(metrics, "process_max_fds", "How many of them may be open.", NULL,
                           read_files_max, NULL);
    metrics_gauge_callback(metrics, "process_start_time_seconds",
                           "When the process started, in seconds since 1970.", NULL,
                           read_start_time, NULL);
}
