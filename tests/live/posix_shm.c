/* shm_open(3): contents, exact size, mode, mappings of two processes, descriptors; read-only, in parts, unmapped, empty, unlinked. */
#include <sys/mman.h>
#include <sys/stat.h>

#include "shared.h"

#define SIZE (3 * 4096 + 100)

static char name[4][64];
static volatile unsigned *counter;

static int make(const char *shm, off_t size)
{
    int fd;

    shm_unlink(shm);
    fd = shm_open(shm, O_RDWR | O_CREAT | O_EXCL, 0640);
    CHECK(fd >= 0 && ftruncate(fd, size) == 0);
    return fd;
}

static int work(int round, void *unused)
{
    static volatile unsigned *mine;
    static char *part;

    if (!round) { /* by its own description, and not at the start */
        int fd = shm_open(name[0], O_RDWR, 0);
        CHECK(fd >= 0);
        mine = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        part = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 8192);
        CHECK(mine != MAP_FAILED && part != MAP_FAILED && close(fd) == 0);
        return 0;
    }
    CHECK(part[4096 + 99] == 'z' && !part[10]);
    return (int)++*mine;
}

int main(int argc, char **argv)
{
    struct stat status;
    char byte, path[80];

    for (int i = 0; i < 4; i++)
        snprintf(name[i], sizeof name[i], "/%s.%d", argv[argc - 1], i);
    int both = make(name[0], SIZE), open_only = make(name[1], 10), empty = make(name[2], 0), gone = make(name[3], 4096);
    counter = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, both, 0);
    volatile char *lost = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, gone, 0);
    CHECK(counter != MAP_FAILED && lost != MAP_FAILED && shm_unlink(name[3]) == 0 && close(gone) == 0);
    ((volatile char *)counter)[SIZE - 1] = 'z';
    CHECK(pwrite(open_only, "0123456789", 10, 0) == 10 && lseek(open_only, 3, SEEK_SET) == 3);
    snprintf(path, sizeof path, "/dev/shm%s", name[0]);
    struct child child = child_start(work, NULL);
    child_ask(&child);
    for (unsigned round = 1; step(); round++) {
        CHECK((unsigned)child_ask(&child) == 2 * round - 1 && ++*counter == 2 * round);
        CHECK(((volatile char *)counter)[SIZE - 1] == 'z' && !((volatile char *)counter)[9000]);
        CHECK(stat(path, &status) == 0 && status.st_size == SIZE && (status.st_mode & 07777) == 0640);
        CHECK(pread(both, &byte, 1, 0) == 1 && byte == (char)(2 * round)); /* the descriptor's, the mapping's and the name's are one */
        int again = shm_open(name[0], O_RDONLY, 0);
        CHECK(again >= 0 && pread(again, &byte, 1, 0) == 1 && byte == (char)(2 * round) && close(again) == 0);
        CHECK(fstat(open_only, &status) == 0 && status.st_size == 10 + (off_t)round - 1);
        CHECK(pread(open_only, &byte, 1, 9) == 1 && byte == '9' && lseek(open_only, 0, SEEK_CUR) == 3);
        CHECK(ftruncate(open_only, 10 + (off_t)round) == 0);
        CHECK(fstat(empty, &status) == 0 && status.st_size == 0 && status.st_nlink == 1);
        CHECK(lost[5] == (char)(round - 1));
        lost[5]++;
    }
    child_end(&child);
    for (int i = 0; i < 3; i++)
        CHECK(shm_unlink(name[i]) == 0);
    puts("shared memory kept");
    return 0;
}
