/* The key-value store, in which the processes of a computation find each other and programs publish what they like. It ends with the
 * computation, and is emptied when a restart begins: what was said before is no longer true. */
#ifndef KV_H
#define KV_H

#include "worker.h"

message_handler kv_take_set, kv_take_get;

void kv_worker_gone(struct worker *worker);
void kv_clear(void);

/* --write-kv-data: the file that kv_write puts everything into, as JSON; NULL: it does nothing. */
void kv_set_file(const char *path);
void kv_write(void);

#endif
