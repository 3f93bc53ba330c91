/*
 * The C core as a process-wide thing: started with the first user, ended with the last, and what it
 * has to say about itself.
 *
 * The core logs by a global function. Here that is silent but for errors, and those go to one
 * settable hook. A broken assertion of the core ends the process; its text always reaches standard
 * error.
 */
#ifndef RPC_CORE_H
#define RPC_CORE_H

/* An error that the C core reports. text is borrowed. Any thread, the core's own included. */
typedef void (*rpc_log_fn)(const char *text, void *data);

/*
 * Sets who hears the core's errors; NULL for nobody, which is the default. For the whole process;
 * before the first server or channel is made.
 */
void rpc_core_on_log(rpc_log_fn on_log, void *data);

/* Starts the core, or counts one more user. Servers and channels do it themselves. Any thread. */
void rpc_core_acquire(void);

/* One user less; the last one ends the core and waits for its threads. Any thread of ours. */
void rpc_core_release(void);

#endif
