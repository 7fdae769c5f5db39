/* Who may say what, when: the whole of the coordinator's input in one table. */
#include "ckpt.h"
#include "client.h"
#include "command.h"
#include "kv.h"
#include "restart.h"
#include "set.h"
#include "worker.h"

#define IN(state) (1u << CLIENT_##state)

static const struct message_kind kinds[] = {
    [PROTO_HELLO] = {IN(HELLO), client_take_hello},
    [PROTO_PROOF] = {IN(PROOF), client_take_proof},
    [PROTO_JOIN] = {IN(NEW_WORKER), worker_take_join},
    [PROTO_RESTART_BEGIN] = {IN(NEW_RESTART), restart_take_begin},
    [PROTO_COMMAND] = {IN(NEW_COMMAND), command_take},
    [PROTO_PHASE_DONE] = {IN(WORKER), set_take_phase_done},
    [PROTO_CKPT_FAILED] = {IN(WORKER), ckpt_take_failed},
    [PROTO_WRITTEN] = {IN(WORKER), ckpt_take_written},
    [PROTO_COMMITTED] = {IN(WORKER), ckpt_take_committed},
    [PROTO_WRITE_PROGRESS] = {IN(WORKER), ckpt_take_progress},
    [PROTO_LEAVE] = {IN(WORKER), worker_take_leave},
    [PROTO_KV_SET] = {IN(WORKER), kv_take_set},
    [PROTO_KV_GET] = {IN(WORKER), kv_take_get},
    [PROTO_STATE] = {IN(WORKER), worker_take_state},
    [PROTO_IMAGE] = {IN(WORKER), ckpt_take_image},
    [PROTO_CKPT_REQUEST] = {IN(WORKER), ckpt_take_request},
};

const struct message_kind *message_kind(unsigned type)
{
    static const struct message_kind none;

    return type < sizeof kinds / sizeof *kinds ? &kinds[type] : &none;
}
