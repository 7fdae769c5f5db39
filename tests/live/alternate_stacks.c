/* A checkpoint while the main thread stands in a handler on its alternate stack, and another thread has one set but unused. */
#include <pthread.h>
#include <signal.h>

#include "step.h"

static char main_stack[65536], thread_stack[65536];
static volatile int handled, end, thread_ready, thread_round, wanted;

static bool within(const void *address, const char *stack)
{
    return (const char *)address >= stack && (const char *)address < stack + 65536;
}

static void on_main(int number)
{
    stack_t now;
    char here;

    CHECK(within(&here, main_stack));
    while (step()) {
        CHECK(within(&here, main_stack));
        CHECK(sigaltstack(NULL, &now) == 0);
        CHECK(now.ss_sp == main_stack && now.ss_size == sizeof main_stack && now.ss_flags == SS_ONSTACK);
        CHECK(sigaltstack(&now, NULL) == -1 && errno == EPERM);
        wanted++;
        UNTIL(thread_round == wanted);
    }
    handled++;
}

static void on_thread(int number)
{
    char here;

    CHECK(within(&here, thread_stack));
    thread_round++;
}

static void *run(void *unused)
{
    stack_t now, set = {.ss_sp = thread_stack, .ss_size = sizeof thread_stack};

    CHECK(sigaltstack(&set, NULL) == 0);
    thread_ready = 1;
    while (!end) {
        CHECK(sigaltstack(NULL, &now) == 0);
        CHECK(now.ss_sp == thread_stack && now.ss_size == sizeof thread_stack && now.ss_flags == 0);
        if (thread_round < wanted)
            ZERO(pthread_kill(pthread_self(), SIGUSR2));
        step_nap_();
    }
    return NULL;
}

int main(void)
{
    stack_t now, set = {.ss_sp = main_stack, .ss_size = sizeof main_stack};
    struct sigaction action = {.sa_handler = on_main, .sa_flags = SA_ONSTACK};
    pthread_t thread;

    CHECK(sigaltstack(&set, NULL) == 0);
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    action.sa_handler = on_thread;
    CHECK(sigaction(SIGUSR2, &action, NULL) == 0);
    ZERO(pthread_create(&thread, NULL, run, NULL));
    UNTIL(thread_ready);
    CHECK(raise(SIGUSR1) == 0);
    CHECK(handled == 1);
    CHECK(sigaltstack(NULL, &now) == 0);
    CHECK(now.ss_sp == main_stack && now.ss_flags == 0);
    end = 1;
    ZERO(pthread_join(thread, NULL));
    puts("alternate stacks kept");
    return 0;
}
