/* What ordinary calls cost while nothing is checkpointed: nanoseconds for one, the least of several stretches, so that what else goes on on the
 * machine counts little. Prints "NAME NANOSECONDS". */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { STRETCHES = 40 };

static int ends[2], file;
static char buffer[4096];

static void by_getppid(void)
{
    getppid();
}

static void by_getpid(void)
{
    getpid();
}

static void by_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
}

static void by_malloc(void)
{
    void *volatile a = malloc(100), *volatile b = malloc(3000);

    free(a);
    free(b);
}

static void by_open(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    close(fd);
}

static void by_stat(void)
{
    struct stat st;

    stat("/etc/passwd", &st);
}

static void by_file(void)
{
    if (pread(file, buffer, sizeof buffer, 0) < 0)
        exit(1);
}

static void by_socket(void)
{
    if (send(ends[0], buffer, 64, 0) != 64 || recv(ends[1], buffer, sizeof buffer, 0) != 64)
        exit(1);
}

static void by_syscall(void)
{
    syscall(SYS_getppid);
}

static const struct {
    const char *name;
    void (*call)(void);
    int times;
} calls[] = {{"getppid", by_getppid, 5000},     {"getpid", by_getpid, 5000},      {"clock_gettime", by_clock, 10000}, {"malloc+free", by_malloc, 10000},
             {"open+close", by_open, 1000},   {"stat", by_stat, 1000},          {"pread 4 KiB", by_file, 2000},     {"send+recv 64 B", by_socket, 1000},
             {"syscall()", by_syscall, 5000}};

static double now_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

int main(void)
{
    file = open("/proc/self/exe", O_RDONLY);
    if (file < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
        return 1;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        double least = 1e18;

        for (int stretch = 0; stretch < STRETCHES; stretch++) {
            double begin = now_ns();
            for (int n = 0; n < calls[i].times; n++)
                calls[i].call();
            double took = (now_ns() - begin) / calls[i].times;
            least = took < least ? took : least;
        }
        printf("%s\t%.2f\n", calls[i].name, least);
    }
    return 0;
}
