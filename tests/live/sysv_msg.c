/* System V message queues: messages with their types and order, capacity, ids, keys, who waits to receive. */
#include <pthread.h>
#include <sys/msg.h>

#include "shared.h"

struct message {
    long type;
    char text[3000];
};

static key_t key;
static int named, private, got;
static volatile bool finished;

static void *receive_always(void *unused)
{
    struct message message;

    for (;;) {
        ssize_t n = msgrcv(private, &message, sizeof message.text, 9, 0);
        if (n == -1 && errno == EIDRM && finished)
            return NULL;
        CHECK(n == 4 && !memcmp(message.text, "wake", 4));
        __atomic_add_fetch(&got, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

static void put(int id, long type, const char *text, size_t size)
{
    struct message message = {.type = type};

    memcpy(message.text, text, size);
    CHECK(msgsnd(id, &message, size, IPC_NOWAIT) == 0);
}

static bool next(long type, long expected_type, const char *expected)
{
    struct message message;
    ssize_t n = msgrcv(named, &message, sizeof message.text, type, IPC_NOWAIT);

    return n == (ssize_t)strlen(expected) && message.type == expected_type && !memcmp(message.text, expected, (size_t)n);
}

static int work(int round, void *unused)
{
    if (!round)
        return 0;
    CHECK(msgget(key, 0) == named && msgget(key, IPC_CREAT | IPC_EXCL | 0600) == -1 && errno == EEXIST);
    put(private, 9, "wake", 4);
    return 1;
}

static void remove_all(void)
{
    msgctl(named, IPC_RMID, NULL);
    msgctl(private, IPC_RMID, NULL);
}

int main(int argc, char **argv)
{
    static char large[3000];
    struct msqid_ds state;
    pthread_t thread;

    key = (key_t)strtol(argv[argc - 1], NULL, 0);
    atexit(remove_all);
    CHECK((named = msgget(key, IPC_CREAT | IPC_EXCL | 0600)) >= 0 && (private = msgget(IPC_PRIVATE, 0600)) >= 0);
    CHECK(msgctl(named, IPC_STAT, &state) == 0);
    state.msg_qbytes = 9000;
    CHECK(msgctl(named, IPC_SET, &state) == 0);
    put(named, 2, "second kind", 11);
    put(named, 1, "first", 5);
    put(named, 7, "", 0);
    put(named, 1, "then", 4);
    put(named, 5, large, sizeof large);
    dprintf(2, "id %d\nid %d\n", named, private);
    struct child child = child_start(work, NULL);
    child_ask(&child);
    ZERO(pthread_create(&thread, NULL, receive_always, NULL));
    for (int round = 1; step(); round++) {
        CHECK(child_ask(&child) == 1);
        UNTIL(__atomic_load_n(&got, __ATOMIC_SEQ_CST) == round);
        CHECK(msgctl(named, IPC_STAT, &state) == 0 && state.msg_qnum == 5 && state.msg_qbytes == 9000 && state.msg_cbytes == 3020);
        CHECK(state.msg_perm.__key == key);
        CHECK(next(1, 1, "first") && next(0, 2, "second kind") && next(7, 7, "") && next(-3, 1, "then") && next(1, 0, "") == false);
        CHECK(msgrcv(named, &(struct message){0}, sizeof large, 0, IPC_NOWAIT) == sizeof large);
        CHECK(msgrcv(named, &(struct message){0}, sizeof large, 0, IPC_NOWAIT) == -1 && errno == ENOMSG);
        put(named, 2, "second kind", 11);
        put(named, 1, "first", 5);
        put(named, 7, "", 0);
        put(named, 1, "then", 4);
        put(named, 5, large, sizeof large);
        CHECK(msgctl(named, IPC_STAT, &state) == 0 && state.msg_lspid == getpid() && state.msg_lrpid == getpid());
        int fresh = msgget(IPC_PRIVATE, 0600);
        CHECK(fresh >= 0 && fresh != named && fresh != private && msgctl(fresh, IPC_RMID, NULL) == 0);
    }
    child_end(&child);
    puts("messages kept");
    fflush(stdout);
    finished = true;
    remove_all();
    _exit(0);
}
