/*
 * A history's stage on a real PostgreSQL: the program's own store for who plays, and a connection
 * of the superuser's for who judges. The clock cannot be moved, so a sale's times are.
 */
#ifndef HISTORY_POSTGRES_STAGE_H
#define HISTORY_POSTGRES_STAGE_H

#include "stage.h"
#include "support/scratch_postgres.h"

struct postgres_stage;

/* The application_name of the players' connections. */
#define POSTGRES_STAGE_NAME "history"

/* Connects both; the server must outlive it. NULL, with the reason on stderr, when it cannot. */
struct postgres_stage *postgres_stage_create(const struct scratch_postgres *server);
void postgres_stage_destroy(struct postgres_stage *postgres);

/* The stage on it; lives as long. One thread at a time, but another stage is another's. */
struct stage *postgres_stage_of(struct postgres_stage *postgres);

/* Runs a statement as the superuser; false, with the reason on stderr, when it fails. */
bool postgres_stage_run(struct postgres_stage *postgres, const char *sql);

/* Runs tools/audit/audit.sql on the whole database; false, with what it says on stderr, when it
 * finds something. */
bool postgres_stage_audit(const struct scratch_postgres *server);

#endif
