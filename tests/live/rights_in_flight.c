/* Descriptors in flight in a process's own sockets: of many kinds, between plain bytes, in datagrams, nested three deep, and in its own queue. */
#include <dirent.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

#include "rights.h"

static int stream[2], datagram[2], packets[2];
static int file; /* the same description is in flight */

static int count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;

    CHECK(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static void send_all(void)
{
    int ends[2], pair[2], inner[2], memory, event = eventfd(7, EFD_SEMAPHORE | EFD_NONBLOCK), self[2], epoll, unlinked;
    struct epoll_event watch = {.events = EPOLLIN, .data.u64 = 4711};

    CHECK(pipe(ends) == 0 && write(ends[1], "in pipe", 7) == 7);
    CHECK(write(stream[0], "plain", 5) == 5);
    send_rights(stream[0], "with", (int[]){file, ends[0], event}, 3);
    CHECK(write(stream[0], "between", 7) == 7);
    send_rights(stream[0], "pipe's other end", &ends[1], 1);
    CHECK(write(stream[0], "after", 5) == 5);
    close(ends[0]);
    close(ends[1]);
    close(event);

    /* A socket with one in its queue, which has one in its queue. */
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET, 0, inner) == 0);
    CHECK((memory = memfd_create("nested", 0)) >= 0 && write(memory, "deep", 4) == 4);
    send_rights(inner[0], "memory", &memory, 1);
    send_rights(pair[0], "inner", &inner[1], 1);
    send_rights(datagram[0], "outer", (int[]){pair[1], file}, 2);
    send_rights(datagram[0], "", &inner[0], 1);
    close(memory);
    for (int i = 0; i < 2; i++)
        close(pair[i]), close(inner[i]);

    /* An end in its own queue keeps itself alive. */
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, self) == 0);
    send_rights(self[0], "own queue", &self[1], 1);
    send_rights(packets[0], "self", self, 2);
    close(self[0]);
    close(self[1]);
    CHECK((epoll = epoll_create1(0)) >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, stream[1], &watch) == 0);
    CHECK((unlinked = open("unlinked", O_RDWR | O_CREAT, 0600)) >= 0 && unlink("unlinked") == 0 && write(unlinked, "nameless", 8) == 8);
    send_rights(packets[0], "more", (int[]){epoll, unlinked}, 2);
    close(epoll);
    close(unlinked);
}

static void receive_all(void)
{
    int fds[8], inner, other, memory;
    char text[16];
    uint64_t value;
    struct stat st;
    struct epoll_event watch;

    CHECK(recv(stream[1], text, 5, MSG_DONTWAIT) == 5 && !memcmp(text, "plain", 5));
    receive_rights(stream[1], "with", fds, 3);
    CHECK(lseek(fds[0], 0, SEEK_CUR) == lseek(file, 0, SEEK_CUR));
    CHECK(lseek(fds[0], 1, SEEK_CUR) >= 1 && lseek(fds[0], 0, SEEK_CUR) == lseek(file, 0, SEEK_CUR));
    CHECK(read(fds[2], &value, 8) == 8 && value == 1);
    CHECK(recv(stream[1], text, 7, MSG_DONTWAIT) == 7 && !memcmp(text, "between", 7));
    receive_rights(stream[1], "pipe's other end", &other, 1);
    receive_rights(stream[1], "after", NULL, 0);
    CHECK(read(fds[1], text, sizeof text) == 7 && !memcmp(text, "in pipe", 7));
    CHECK(write(other, "on", 2) == 2 && close(other) == 0 && read(fds[1], text, sizeof text) == 2 && read(fds[1], text, sizeof text) == 0);
    for (int i = 0; i < 3; i++)
        close(fds[i]);

    receive_rights(datagram[1], "outer", fds, 2);
    CHECK(lseek(fds[1], 0, SEEK_CUR) == lseek(file, 0, SEEK_CUR) && close(fds[1]) == 0);
    receive_rights(datagram[1], "", &other, 1);
    receive_rights(fds[0], "inner", &inner, 1);
    CHECK(read(fds[0], text, sizeof text) == 0 && close(fds[0]) == 0); /* nobody has the other end any more */
    receive_rights(inner, "memory", &memory, 1);
    CHECK(pread(memory, text, sizeof text, 0) == 4 && !memcmp(text, "deep", 4) && lseek(memory, 0, SEEK_CUR) == 4 && close(memory) == 0);
    CHECK(write(other, "!", 1) == 1 && read(inner, text, sizeof text) == 1 && close(other) == 0 && read(inner, text, sizeof text) == 0);
    close(inner);

    receive_rights(packets[1], "self", fds, 2);
    receive_rights(fds[1], "own queue", &other, 1);
    CHECK(write(fds[0], "x", 1) == 1 && read(other, text, sizeof text) == 1);
    close(fds[0]);
    close(fds[1]);
    CHECK(read(other, text, sizeof text) == 0 && close(other) == 0);
    receive_rights(packets[1], "more", fds, 2);
    CHECK(write(stream[0], "e", 1) == 1 && epoll_wait(fds[0], &watch, 1, 0) == 1 && watch.data.u64 == 4711);
    CHECK(read(stream[1], text, 1) == 1 && close(fds[0]) == 0);
    CHECK(fstat(fds[1], &st) == 0 && st.st_nlink == 0 && pread(fds[1], text, sizeof text, 0) == 8 && !memcmp(text, "nameless", 8));
    close(fds[1]);
}

static void take_lock(void)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    CHECK(fcntl(file, F_SETLK, &lock) == 0);
}

/* Closing any descriptor of a file would have let go of it. */
static void check_lock(void)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int other = open("file", O_RDWR);

    CHECK(other >= 0 && fcntl(other, F_OFD_GETLK, &lock) == 0);
    CHECK(lock.l_type == F_WRLCK && lock.l_pid == getpid());
    close(other);
}

int main(void)
{
    char byte;

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, stream) == 0 && socketpair(AF_UNIX, SOCK_DGRAM, 0, datagram) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, packets) == 0);
    CHECK((file = open("file", O_RDWR | O_CREAT, 0600)) >= 0);
    int before = count_descriptors();
    send_all();
    take_lock();
    while (step()) {
        CHECK(count_descriptors() == before);
        check_lock();
        receive_all();
        CHECK(count_descriptors() == before);
        send_all();
        take_lock();
    }
    receive_all();
    CHECK(recv(stream[1], &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
    puts("all arrived");
    return 0;
}
