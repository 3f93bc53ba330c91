/*
 * A database in memory with room for one sale, behind the real port: rows, one transaction at a
 * time, and a clock that stands still until it is moved. It is made for tens of thousands of
 * histories in a few seconds, which the fake store of the unit tests, with its scripts, threads and
 * room for 20,000 orders, is not.
 */
#ifndef HISTORY_MEMORY_STAGE_H
#define HISTORY_MEMORY_STAGE_H

#include "stage.h"

struct memory_stage;

/* Never NULL. */
struct memory_stage *memory_stage_create(void);
void memory_stage_destroy(struct memory_stage *memory);

/* The stage on it; lives as long. */
struct stage *memory_stage_of(struct memory_stage *memory);

#endif
