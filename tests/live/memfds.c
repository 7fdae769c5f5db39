/* memfd_create: contents, holes, size, seals, mappings, descriptors of two processes; a process that has a mapping only. */
#include <sys/mman.h>
#include <sys/stat.h>

#include "shared.h"

#define SIZE (3 * 4096 + 5)

static int memory, sealed, unsealable;
static char *mapped;

static int work(int round, void *unused)
{
    if (!round) { /* only the mapping, and one descriptor of its own */
        close(sealed);
        CHECK(close(memory) == 0);
        return 0;
    }
    return ++mapped[1];
}

int main(void)
{
    struct stat status;
    char byte;

    memory = memfd_create("shared", MFD_CLOEXEC);
    CHECK(memory >= 0 && ftruncate(memory, SIZE) == 0);
    mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    CHECK(mapped != MAP_FAILED && pwrite(memory, "tail!", 5, SIZE - 5) == 5 && lseek(memory, 77, SEEK_SET) == 77);

    sealed = memfd_create("sealed", MFD_ALLOW_SEALING);
    CHECK(sealed >= 0 && write(sealed, "frozen", 6) == 6);
    CHECK(fcntl(sealed, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0);
    char *frozen = mmap(NULL, 4096, PROT_READ, MAP_SHARED, sealed, 0); /* allowed since Linux 6.7 */

    unsealable = memfd_create("plain", 0);
    int growing = memfd_create("sparse", MFD_ALLOW_SEALING), huge = memfd_create("huge", MFD_HUGETLB);
    CHECK(growing >= 0 && ftruncate(growing, 1l << 40) == 0 && pwrite(growing, "x", 1, 1l << 39) == 1 && fcntl(growing, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
    int path_only = -1;
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", growing);
    CHECK((path_only = open(path, O_PATH)) >= 0);
    struct child child = child_start(work, NULL);
    child_ask(&child);
    for (int round = 1; step(); round++) {
        CHECK(child_ask(&child) == round && mapped[1] == round);
        CHECK(pread(memory, &byte, 1, 1) == 1 && byte == round); /* the descriptor's and both mappings' memory are one */
        CHECK(fcntl(memory, F_GETFD) == FD_CLOEXEC && lseek(memory, 0, SEEK_CUR) == 77);
        CHECK(fstat(memory, &status) == 0 && status.st_size == SIZE && status.st_nlink == 0);
        CHECK(pread(memory, &byte, 1, SIZE - 1) == 1 && byte == '!');

        CHECK(fcntl(sealed, F_GET_SEALS) == (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL));
        CHECK(write(sealed, "x", 1) == -1 && errno == EPERM && pread(sealed, &byte, 1, 5) == 1 && byte == 'n');
        CHECK(frozen == MAP_FAILED || (!memcmp(frozen, "frozen", 6) && mprotect(frozen, 4096, PROT_READ | PROT_WRITE) == -1));
        CHECK(fcntl(unsealable, F_GET_SEALS) == F_SEAL_SEAL && write(unsealable, "y", 1) == 1 && lseek(unsealable, 0, SEEK_CUR) == round);
        CHECK(fcntl(growing, F_GET_SEALS) == F_SEAL_SHRINK && fstat(growing, &status) == 0 && status.st_size == 1l << 40 && status.st_blocks <= 8);
        CHECK(pread(growing, &byte, 1, 1l << 39) == 1 && byte == 'x' && ftruncate(growing, 5) == -1);
        CHECK(fstat(path_only, &status) == 0 && status.st_size == 1l << 40);
        if (huge >= 0)
            CHECK(fstat(huge, &status) == 0 && status.st_blksize >= 65536 && status.st_size == 0);
        ssize_t n = readlink("/proc/self/fd/3", path, sizeof path - 1);
        CHECK(n > 0 && (path[n] = 0, !strcmp(path, "/memfd:shared (deleted)")));
    }
    child_end(&child);
    puts("memory files kept");
    return 0;
}
