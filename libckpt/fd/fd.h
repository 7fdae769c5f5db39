/* Descriptors of the program: one table row per kind of open file description, both halves side by side.
 *
 * The checkpoint thread looks at the program's table through /proc/self/task/T/fd and has nothing of it in its own; what needs the
 * descriptor itself is done by the executor thread (park_call). Everything recorded is in the arena. A descriptor is a number and its
 * close-on-exec flag; a description is what dup(2) shares: kind, flags, offset, and what the kind adds. */
#ifndef FD_H
#define FD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "image.h"
#include "unix_peers.h"

struct fd_kind;
struct scratch_array;

/* Who gets a description from this process at a restart, and as which of his (description.index). */
struct receiver {
    struct receiver *next;
    int virtual;
    int holder; /* in whose list the index is: his own, but for descriptors in flight (unix_flight.c) */
    unsigned index;
};

/* Whom a description sends signals about input and output, and which (async.c). */
struct signal_owner { /* struct f_owner_ex of fcntl(2) */
    int type;
    int pid;
};

struct async {
    int type;
    int pid; /* virtual; 0: nobody */
    int signal; /* 0: SIGIO */
    bool own_group; /* it is the process's own group, whatever that is called */
    bool owned; /* this process sees to it */
};

struct description {
    struct description *next;
    const struct fd_kind *kind;
    const char *link; /* what /proc/self/fd/N points to, without " (deleted)" */
    bool deleted;
    struct stat st;
    uint32_t flags; /* F_GETFL, without O_CLOEXEC */
    uint64_t position;
    int domain; /* a socket's: AF_UNIX …; else 0 */
    int protocol; /* an internet socket's, unless raw */
    struct unix_peer peer; /* a unix socket's */
    int first; /* lowest descriptor; foreign: -1 */
    unsigned standard; /* bit n: descriptor n (0 to 2) is one of its descriptors, here or in another process */
    const char *info; /* text of fdinfo; valid until fd_save has ended; foreign: NULL */
    void *own; /* the kind's */
    struct descriptor *descriptors; /* its numbers, in no order */
    unsigned index; /* among this process's descriptions, as other processes name it */
    bool received; /* another process saves and restores it, and passes it on: no kind, nothing saved */
    bool foreign; /* held by other processes only, but made here with the rest of its object (the other end of a pipe) */
    struct receiver *receivers;
    struct async async;
    int kept; /* restart, executor: a descriptor for the receivers until the exchange is over */
};

struct descriptor {
    int fd;
    bool close_on_exec;
    struct description *description;
    struct descriptor *next; /* of the same description */
};

struct fd_kind {
    const char *name;
    /* Is this description of this kind? Kinds are asked in the order of the table. */
    bool (*claim)(const struct description *description);
    /* Kinds whose descriptions belong together two or more to an object, which one process has to make whole: the inode of the other half, or 0
     * if the object is this inode alone. NULL: every description stands for itself. */
    uint64_t (*partner)(const struct description *description);
    /* Unix sockets, TCP sockets: one process makes all of the host. */
    bool together;
    /* ELECT, nothing has been changed yet: can it be restored? On an error, problem says what to do. NULL: yes. */
    long (*check)(const struct description *description, char *problem, size_t size);
    /* ELECT, in the executor of the owner, before anything is recorded: sees to it that what is on its way arrives. NULL: nothing. */
    void (*ready)(const struct description *description);
    /* ELECT, in a holder of a description that another process will make: appends what that process can't see for itself to `data`. NULL: nothing. */
    long (*publish)(struct description *description, struct scratch_array *data, char *problem, size_t size);
    /* DRAIN: record. NULL: flags and position are all there is. Foreign descriptions: with what was published, valid during the call. */
    long (*save)(struct description *description, char *problem, size_t size);
    long (*adopt)(struct description *description, const void *data, size_t data_size, char *problem, size_t size);
    /* Restart, in the executor: makes the description, returns a descriptor (anywhere at or above `low`), or -errno with problem. */
    long (*restore)(struct description *description, int low, char *problem, size_t size);
    /* Restart, in the executor, when all descriptors have their numbers. NULL: nothing. */
    long (*connect)(struct description *description, char *problem, size_t size);
    /* REFILL, in the executor: puts back what save has taken out, also when a checkpoint is given up. NULL: nothing. */
    long (*refill)(struct description *description, bool restarted);
    /* REFILL of a checkpoint, and when one is given up in any phase, in the executor of the owner (be it the maker or not): whatever was done to the
     * description itself from ELECT on is undone. NULL: nothing. */
    void (*release)(struct description *description);
    /* The same, when all of the process's descriptions have been released: for what waits for another one's, of this process or of another. NULL:
     * nothing. */
    void (*released)(struct description *description);
};

/* SUSPEND, all threads parked: finds all descriptors, and tells the other processes of the host what it found. */
long fd_survey(uint32_t generation, char *problem, size_t size);
/* ELECT: who saves and restores each description; claims, and refuses what can't be restored. poll and deadline as suspend_all has them. */
long fd_elect(uint64_t deadline_ns, int (*poll)(void), char *problem, size_t size);
/* DRAIN. */
long fd_save(char *problem, size_t size);
/* REFILL of a checkpoint, and when one is undone in any phase, before fd_forget. */
void fd_release(void);
/* REFILL, and when a checkpoint is undone in any phase: nothing of survey and election stays behind. */
void fd_forget(void);
/* REFILL: after a checkpoint or a restart. */
long fd_refill(bool restarted);
/* RESTORE: the descriptors that this process restores get their old numbers in the program's table, the numbers of those it will receive are
 * held; everything else in it is closed. */
long fd_restore(char *problem, size_t size);
/* RECONNECT: processes pass shared descriptions to each other; then connect. poll as in suspend_all. */
long fd_connect(int (*poll)(void), char *problem, size_t size);

/* RLIMIT_NOFILE as the program has it: between survey and release the process may have a higher one, that library and restart can work. */
struct fd_limit { /* struct rlimit64 of prlimit(2) */
    uint64_t current, maximum;
};
struct fd_limit fd_limit(void);

/* A line a descriptor, for the image's records; arena. */
const char *fd_description(void);

/* Closes everything from a number on, in the calling thread's table. */
void fd_close_from(int first);

/* --- for the kinds --- */

/* /proc/self/task/T/fdinfo/N */
void fd_info_path(char *path, size_t size, int fd);
/* /proc/self/task/T/fd/N */
void fd_link_path(char *path, size_t size, int fd);
/* Runs a function with the descriptors of a description at hand: park_call of the executor, or here if it is only in flight. Checkpoint only. */
long fd_call(const struct description *description, long (*function)(void *), void *argument);
/* First description of the list. */
struct description *fd_descriptions(void);
/* The standard descriptor of dmtcp_restart that takes the place of an inherited stream: a duplicate, at or above low. */
long fd_inherited(const struct description *description, int low);
/* Puts a new descriptor at or above low and closes the original; passes errors on. */
long fd_lift(long fd, int low);
/* ELECT: does any process of the computation on this host hold a description of the inode? */
bool fd_held(uint64_t device, uint64_t inode);
/* Is none of them lower than this process? */
bool fd_lowest_holder(uint64_t device, uint64_t inode);
/* ELECT, DRAIN: is this the lowest process of the computation on this host? */
bool fd_lowest_process(void);
/* ELECT: with another access mode than this description has? */
bool fd_other_mode_held(const struct description *description);

/* SNAPSHOT: the ptys whose master is here; arena. */
const struct image_pty *fd_ptys(uint32_t *count);
/* Restart, in the executor: the numbers of the ptys of the handoff are learned; when all of them that are wanted have been opened, they are closed. */
void fd_ptys_arrived(void);
void fd_ptys_leave(void);

extern const struct fd_kind fd_pty_master, fd_pty_slave, fd_signalfd, fd_timerfd;
extern const struct fd_kind fd_netlink, fd_unlinked, fd_memory_file, fd_memfd, fd_pidfd, fd_inotify;
extern const struct fd_kind fd_file, fd_directory, fd_device, fd_standard, fd_terminal, fd_pipe, fd_fifo, fd_epoll, fd_eventfd, fd_proc_file, fd_unix, fd_tcp, fd_udp;

/* --- between the files of this folder --- */

/* What others have done to a socket's stream while all stood still, for its owner, who puts it back before its threads run on. */
enum fd_refill_state {
    FD_UNTOUCHED,
    FD_TAKING, /* by somebody, who will soon be done */
    FD_TAKEN, /* the file fd_refill_path has what is to be put back */
    FD_RUNNING, /* nobody may any more */
};

/* What the program has; part of the image. */
struct fd_state {
    struct description *descriptions; /* by lowest descriptor; foreign ones at the end */
    struct descriptor *descriptors; /* ascending */
    unsigned descriptor_count;
    struct description **indexed; /* by device, inode, and the kernel's order of descriptions */
    unsigned count; /* of indexed */
    int owner_tid; /* the thread whose table is looked at */
    int flight_first; /* from this number on they are in flight (unix_flight.c) */
    bool flights_aside; /* in the checkpoint thread's table */
    bool kcmp;
    struct fd_limit limit;
    bool limit_raised;
};
extern struct fd_state fd_state;

/* What a process tells the others about a description, in a file of the tmp dir that all of them map. The holder writes, at the times said. */
struct fd_entry {
    uint64_t device, inode;
    uint64_t label; /* ELECT without kcmp: equal for equal descriptions */
    uint32_t mode; /* st_mode */
    uint32_t flags;
    uint32_t standard; /* bits */
    int32_t owner; /* ELECT: virtual pid of the lowest process that holds the description, */
    uint32_t owner_index; /* and as which of his */
    int32_t maker; /* ELECT, by the owner: who saves and restores it */
    uint32_t kind; /* ELECT, by the owner: in fd_kinds */
    uint32_t data_size; /* ELECT, by the owner that is not the maker: what fd_kind.publish gave */
    uint64_t data; /* offset in the second file */
    int32_t first; /* lowest descriptor */
    int32_t domain, protocol; /* a socket's */
    uint32_t flight; /* is it in flight through a socket of the process's? */
    uint32_t refill; /* enum fd_refill_state; the owner and others change it atomically, from ELECT to the end of REFILL */
};

/* ELECT to REFILL: the entry of the owner of a socket that the computation holds on this host; NULL: it does not, or lists are closed. */
struct fd_entry *fd_entry_of(uint64_t device, uint64_t inode);
/* The same for an own description, also after DRAIN. */
struct fd_entry *fd_own_entry(const struct description *description);
void fd_refill_path(char *path, size_t size, uint64_t inode);

/* refused.c: says why a description can't be restored, and what to do. -EOPNOTSUPP. */
long fd_refuse(const struct description *d, char *problem, unsigned long size);

/* elect.c: the last step of SUSPEND; DRAIN: foreign descriptions and receivers; what was published about foreign ones; the lists of others are let
 * go of; after REFILL, the own one is removed. */
long fd_publish(uint32_t generation);
long fd_gather(void);
long fd_adopt(char *problem, size_t size);
void fd_others_close(void);
void fd_lists_close(void);
/* Restart: they did not come back. */
void fd_lists_lost(void);
void fd_lists_remove(void);

/* fd.c: checkpoint: is the number one of the checkpoint thread's table? In whose is it? */
bool fd_aside(int fd);
int fd_tid(int fd);

/* survey.c */
long survey_descriptors(void);
/* SUSPEND: a descriptor of the checkpoint thread's; until it is closed no other process changes, for a look at it, what others may have too. -1: there
 * are no others. */
long survey_lock(void);
/* Status, position, flags and info of a description as they are now: other processes may have changed them after the survey. */
long survey_refresh(struct description *description);
/* kinds, in the order in which they are asked (fd.c). */
extern const struct fd_kind *const fd_kinds[];
extern const unsigned fd_kind_count;
/* async.c: ELECT, with what the kernel said before anybody changed it; REFILL after a restart. */
void async_record(struct description *description, const struct signal_owner *owner, int signal);
void async_restore(void);
/* unix_flight.c: SUSPEND; fd_forget. */
long flights_find(char *problem, size_t size);
void flights_leave(void);
/* DRAIN: notes a descriptor in flight that will be sent here, as somebody's list has it. */
struct flight {
    struct flight *next;
    int holder;
    unsigned index;
    int fd; /* restart; -1 */
};
long flights_expect(int holder, unsigned index);
struct flight *flights_expected(void);
/* exchange.c: the socket on which this process receives, before the RESTORE barrier; in the executor. Then the exchange. */
long exchange_open(char *problem, size_t size);
long exchange_run(int (*poll)(void), char *problem, size_t size);
/* Puts a description in all its places, in the executor, and closes fd. */
long fd_place(const struct description *description, long fd, char *problem, size_t size);

#endif
