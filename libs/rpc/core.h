/*
 * The C core as a process-wide thing: started with the first server or channel and there until the
 * process ends, and what it has to say about itself.
 *
 * It is never shut down on purpose. grpc_shutdown joins the core's own threads, and one of them
 * rests for up to ten seconds after a write had to wait for a slow reader: a program would sit
 * there after its last call, past the patience of whoever stops it. Servers and channels end
 * completely by themselves; the idle threads that remain hold nothing of theirs.
 *
 * The core logs by a global function. Here that is silent but for errors, and those go to one
 * settable hook. A broken assertion of the core ends the process; its text always reaches standard
 * error.
 */
#ifndef RPC_CORE_H
#define RPC_CORE_H

#include <stddef.h>

/* An error that the C core reports. text is borrowed. Any thread, the core's own included. */
typedef void (*rpc_log_fn)(const char *text, void *data);

/*
 * Sets who hears the core's errors; NULL for nobody, which is the default. For the whole process;
 * before the first server or channel is made.
 */
void rpc_core_on_log(rpc_log_fn on_log, void *data);

/*
 * Starts the core unless it runs. Servers and channels do it themselves. Fork before, never after.
 * The core makes threads whenever it likes, in whichever thread calls it, and they inherit that
 * one's signal mask: block the signals that the program waits for in main, before anything else.
 * Any thread.
 */
void rpc_core_start(void);

/* How many connections clients have open to the servers of this process, as far as the core tells:
 * 0 where it has been built or told not to keep these accounts (channelz). The core must run. Takes
 * as long as there are connections: for people who ask. Any thread. */
size_t rpc_core_server_connections(void);

#endif
