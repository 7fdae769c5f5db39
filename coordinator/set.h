/* The workers that go through phases together, in a checkpoint or in a restart (never in both), and the barrier at the end of each phase.
 *
 * Every message costs constant time: who is missing is counted, and only looked for when the deadline is over. A message about another
 * generation than the set's is one from an attempt that was given up, and is dropped; so each attempt must have a number of its own. */
#ifndef SET_H
#define SET_H

#include "worker.h"

struct set_owner {
    const char *what; /* "checkpoint", "restart" */
    void (*passed)(enum phase phase); /* all members have ended the phase; at least one member */
    void (*empty)(void); /* the last member has left */
    const char *(*missing)(void); /* who or what the phase is waiting for, in words: set_missing, or better */
    void (*lost)(struct worker *worker); /* a member's connection ended: must call set_remove or set_end */
    void (*late)(const char *who); /* the deadline is over: "waiting for pid 4711 (python3) on host n2: in SUSPEND, …" */
};

/* Seconds that a phase may last; longer ones have a multiple (set.c). Set from the options. */
void set_deadline_seconds(unsigned seconds);
unsigned set_deadline_ms(void);

void set_begin(const struct set_owner *owner, uint32_t generation);
void set_end(void);

/* NULL: neither a checkpoint nor a restart is under way. */
const struct set_owner *set_current(void);
enum phase set_phase(void); /* PHASE_RUNNING if there is none */
uint32_t set_generation(void);
uint32_t set_size(void);
struct list *set_members(void); /* struct worker by member_link */
bool set_has(const struct worker *worker);

void set_add(struct worker *worker);

/* For a worker that is gone: the barrier counts without it. */
void set_remove(struct worker *worker);

/* As long as it is held, the barrier stays closed, and a set without members is not empty: somebody will join in this phase. */
void set_hold(bool hold);
bool set_held(void);

/* The phase begins, with its deadline; set_go also tells the members. Members of whom has_ended (may be NULL) says so have ended it at once. */
void set_enter(enum phase phase, bool (*has_ended)(const struct worker *worker));
void set_go(enum phase phase);

/* A member has ended the phase that is under way. May begin the next one. */
void set_ended(struct worker *worker);

/* Somebody got on: the deadline counts from now. */
void set_progress(void);

/* Who is missing, in words. */
const char *set_missing(void);

message_handler set_take_phase_done;

#endif
