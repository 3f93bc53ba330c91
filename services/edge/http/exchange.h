/*
 * One HTTP request and its answer.
 *
 *     on_req ─▶ checked, matched, transcoded ─▶ upstream ─▶ answered
 *                  │ refused                       │ client gone: forgotten
 *                  ▼                               ▼
 *               answered                       (nothing)
 *
 * Its memory is the request's pool. The pool's dispose hook tells when the client has gone first;
 * what was sent upstream then goes on without it. Loop thread only.
 */
#ifndef EDGE_HTTP_EXCHANGE_H
#define EDGE_HTTP_EXCHANGE_H

#include <h2o.h>

struct loop;
struct upstream_answer;

/* The handler of every path; always takes the request. */
int exchange_on_req(h2o_handler_t *handler, h2o_req_t *req);

/* What upstream said; owner is the exchange. The form of upstream_config.answer. */
void exchange_on_answer(void *owner, const struct upstream_answer *answer, void *data);

/* Answers every request of the loop that is unanswered: the time for waiting is over. */
void exchange_cut_all(struct loop *loop);

#endif
