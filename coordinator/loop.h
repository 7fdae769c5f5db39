/* The event loop: one thread, epoll, every descriptor non-blocking. Callbacks run one after another and must not block; what they
 * want undone later (closing a client in the middle of a broadcast) they leave to the function given to loop_run, which runs after
 * every round, when no event of the round is left to be delivered. */
#ifndef LOOP_H
#define LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct source {
    int fd;
    void (*ready)(struct source *source, uint32_t events);
};

/* A few static ones; loop_run looks through all of them in each round. */
struct timer {
    void (*expired)(struct timer *timer);
    uint64_t at_ns; /* CLOCK_MONOTONIC, 0: not set; set to 0 before expired is called */
    struct timer *next;
    bool known;
};

/* errno of epoll_create1 on failure, else 0. */
int loop_init(void);

/* 0 or errno; EPERM: a regular file, which is always ready. */
int loop_add(struct source *source, uint32_t events);
void loop_change(struct source *source, uint32_t events);
void loop_remove(struct source *source);

uint64_t loop_now_ns(void);
void timer_set(struct timer *timer, uint64_t at_ns);
void timer_after(struct timer *timer, uint64_t delay_ns);
void timer_clear(struct timer *timer);

/* Runs until loop_stop. */
void loop_run(void (*after_round)(void));
void loop_stop(void);

#define SECOND_NS UINT64_C(1000000000)

#endif
