/* Files without a name: contents, holes, offsets, flags, attributes; descriptors of two processes and a mapping see one file. */
#include <sys/mman.h>
#include <sys/stat.h>

#include "shared.h"

#define FAR (64l << 20)

static int file, other, temporary, path_only;
static char *shared_map;

static int make(const char *name, int flags)
{
    int fd = open(name, flags | O_RDWR | O_CREAT | O_TRUNC, 0640);

    CHECK(fd >= 0);
    return fd;
}

/* The child has its own description of the same file. */
static int work(int round, void *unused)
{
    char text[8] = "";

    if (!round) {
        char path[64];
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
        CHECK((other = open(path, O_RDWR)) >= 0 && lseek(other, 2, SEEK_SET) == 2);
        return 0;
    }
    CHECK(lseek(other, 0, SEEK_CUR) == 2 && pread(other, text, 5, 8192) == 5);
    CHECK(pwrite(other, &round, sizeof round, 100) == sizeof round);
    return text[4];
}

int main(void)
{
    struct stat status;
    char text[64] = "";

    /* Removed, and something else has its name now. */
    file = make("gone", 0);
    CHECK(pwrite(file, "hello", 5, 0) == 5 && pwrite(file, "world", 5, 8192) == 5 && pwrite(file, "end", 3, FAR) == 3);
    CHECK(lseek(file, 3, SEEK_SET) == 3 && unlink("gone") == 0);
    int replacement = open("gone", O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK(replacement >= 0 && write(replacement, "new", 3) == 3);
    shared_map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 8192);
    CHECK(shared_map != MAP_FAILED);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    CHECK((path_only = open(path, O_PATH)) >= 0);
    /* Never had one. */
    temporary = open(".", O_TMPFILE | O_RDWR | O_APPEND, 0600);
    CHECK(temporary >= 0 && write(temporary, "abc", 3) == 3);
    int empty = make("empty", 0);
    CHECK(unlink("empty") == 0);
    /* Has another one, and a new one. */
    int linked = make("first", 0), renamed = make("before", 0);
    CHECK(link("first", "second") == 0 && unlink("first") == 0 && rename("before", "after") == 0 && write(linked, "x", 1) == 1);
    CHECK(mkdir("removed", 0750) == 0);
    int removed = open("removed", O_RDONLY | O_DIRECTORY);
    CHECK(removed >= 0 && rmdir("removed") == 0);
    struct child child = child_start(work, NULL);
    child_ask(&child);
    for (int round = 1; step(); round++) {
        int number = 0;
        CHECK(child_ask(&child) == 'd' + round - 1);
        CHECK(lseek(file, 0, SEEK_CUR) == 3 && pread(file, text, 5, 0) == 5 && !memcmp(text, "hello", 5));
        CHECK(pread(file, &number, sizeof number, 100) == sizeof number && number == round);
        CHECK(pread(file, text, 3, FAR) == 3 && !memcmp(text, "end", 3));
        CHECK(fstat(file, &status) == 0 && status.st_size == FAR + 3 && status.st_nlink == 0 && status.st_blocks < 100);
        CHECK(status.st_mode == (S_IFREG | 0640));
        CHECK(lseek(file, 16384, SEEK_DATA) == FAR && lseek(file, 3, SEEK_SET) == 3);
        shared_map[4]++; /* seen by all in the next round */
        CHECK(pread(file, text, 5, 8192) == 5 && text[4] == 'd' + round);
        CHECK((fcntl(path_only, F_GETFL) & O_PATH) && fstat(path_only, &status) == 0 && status.st_size == FAR + 3);
        CHECK(pread(replacement, text, 4, 0) == 3 && !memcmp(text, "new", 3) && access("gone", F_OK) == 0);
        CHECK(lseek(temporary, 0, SEEK_SET) == 0 && write(temporary, "d", 1) == 1 && lseek(temporary, 0, SEEK_CUR) == 3 + round);
        CHECK(pread(temporary, text, 4, 0) == 4 && !memcmp(text, "abcd", 4));
        CHECK((fcntl(temporary, F_GETFL) & (O_APPEND | O_ACCMODE)) == (O_APPEND | O_RDWR));
        CHECK(fstat(empty, &status) == 0 && status.st_size == 0 && status.st_nlink == 0);
        CHECK(fstat(removed, &status) == 0 && status.st_mode == (S_IFDIR | 0750) && openat(removed, "x", O_RDWR | O_CREAT, 0600) == -1);
        CHECK(fstat(linked, &status) == 0 && status.st_nlink == 1 && stat("second", &status) == 0 && status.st_size == 1);
        CHECK(fstat(renamed, &status) == 0 && status.st_nlink == 1);
    }
    child_end(&child);
    CHECK(access("first", F_OK) != 0 && access("before", F_OK) != 0);
    puts("files without a name kept");
    return 0;
}
