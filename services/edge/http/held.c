#include "edge/http/held.h"

/* More came, or the client is gone: libh2o sees to it once the answer is written, and may have read
 * it by then if the answer was being written. No more is read before that. */
static void on_readable(h2o_socket_t *sock, const char *error)
{
    (void)error;
    h2o_socket_read_stop(sock);
}

/* NULL where sockets are shared by requests. */
static h2o_socket_t *socket_of(h2o_req_t *req)
{
    return req->version < 0x200 ? req->conn->callbacks->get_socket(req->conn) : NULL;
}

void held_begin(h2o_req_t *req)
{
    h2o_socket_t *sock = socket_of(req);
    if (sock != NULL) {
        h2o_socket_dont_read(sock, 1);
        h2o_socket_read_start(sock, on_readable);
    }
}

void held_end(h2o_req_t *req)
{
    h2o_socket_t *sock = socket_of(req);
    if (sock != NULL) {
        h2o_socket_dont_read(sock, 0);
    }
}
