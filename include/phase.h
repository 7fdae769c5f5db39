/* The phases of a checkpoint and of a restart.
 *
 * The coordinator counts a barrier at the end of each phase: a process says PROTO_PHASE_DONE, and goes on when the coordinator
 * says PROTO_PHASE_GO for the next. Values travel in messages: append only. */
#ifndef PHASE_H
#define PHASE_H

enum phase {
    /* User code runs. No checkpoint is under way, or only its background part (WRITE, COMMIT). */
    PHASE_RUNNING = 0,

    /* Entry: user code runs. All processes take part.
     * Exit: every thread of every process is parked, with its kernel state recorded; what can't be restored has been refused. */
    PHASE_SUSPEND = 1,

    /* Entry: all parked. Exit: every open file description shared between processes has exactly one owner. */
    PHASE_ELECT = 2,

    /* Exit: descriptors and other kernel objects are recorded, data in flight has been read without consuming it where possible. */
    PHASE_DRAIN = 3,

    /* Exit: frozen copies of the processes exist (or, without clone, the image is written); the set's size is final. */
    PHASE_SNAPSHOT = 4,

    /* Also the last but one phase of a restart. Exit: data that had to be consumed is back in its queues. */
    PHASE_REFILL = 5,

    /* Entry: everything is as it was. Exit: threads run. */
    PHASE_RESUME = 6,

    /* Background: the frozen copy writes the image to its temporary name. Exit: complete and flushed. */
    PHASE_WRITE = 7,

    /* Background. Entry: every process of the set reported a complete image. Exit: renamed to the final names. */
    PHASE_COMMIT = 8,

    /* Restart. The loader rebuilds memory; the coordinator waits for all processes of the set to join. */
    PHASE_LOAD = 9,

    /* Restart. Exit: pids, resources and descriptors exist again. */
    PHASE_RESTORE = 10,

    /* Restart. Exit: peers have found each other through the key-value store. Then REFILL and RESUME as in a checkpoint. */
    PHASE_RECONNECT = 11,

    PHASE_COUNT
};

/* Name of a phase for logs and messages, "?" if out of range. */
static inline const char *phase_name(unsigned phase)
{
    static const char names[PHASE_COUNT][12] = {
        [PHASE_RUNNING] = "RUNNING", [PHASE_SUSPEND] = "SUSPEND", [PHASE_ELECT] = "ELECT",     [PHASE_DRAIN] = "DRAIN",
        [PHASE_SNAPSHOT] = "SNAPSHOT", [PHASE_REFILL] = "REFILL", [PHASE_RESUME] = "RESUME",   [PHASE_WRITE] = "WRITE",
        [PHASE_COMMIT] = "COMMIT",   [PHASE_LOAD] = "LOAD",       [PHASE_RESTORE] = "RESTORE", [PHASE_RECONNECT] = "RECONNECT",
    };
    return phase < PHASE_COUNT ? names[phase] : "?";
}

#endif
