/*
 * What the process itself takes of its machine, under the names that Prometheus gives these figures
 * everywhere: processor time, memory, open files and when it started.
 */
#ifndef OPS_OPS_PROCESS_H
#define OPS_OPS_PROCESS_H

struct metrics;

/*
 * Registers process_cpu_seconds_total, process_resident_memory_bytes, process_open_fds,
 * process_max_fds and process_start_time_seconds; once a registry. They are read at each scrape;
 * what the system does not tell is NaN.
 */
void ops_process_register(struct metrics *metrics);

#endif
