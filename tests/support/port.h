/*
 * Ports of 127.0.0.1 for programs that are stopped and started again where they were: nobody else
 * gets such a port while the test runs, which a port that the kernel chose does not promise.
 */
#ifndef SUPPORT_PORT_H
#define SUPPORT_PORT_H

/*
 * A port that nothing listens on, and that is this process's until it ends: no other test is given
 * it, and the kernel gives it to no connection, for it lies below the range that those are from.
 */
int port_take(void);

#endif
