/* Open files, directories and devices: offsets, flags, what is shared by dup, close-on-exec, numbers. */
#include <dirent.h>
#include <sys/stat.h>

#include "step.h"

static int open_at(const char *path, int flags, int number)
{
    int fd = open(path, flags, 0640);

    CHECK(fd >= 0);
    if (fd == number)
        return fd;
    CHECK((flags & O_CLOEXEC ? dup3(fd, number, O_CLOEXEC) : dup2(fd, number)) == number);
    close(fd);
    return number;
}

static void make(const char *path, char fill, size_t size)
{
    char line[1000];
    FILE *file = fopen(path, "w");

    CHECK(file);
    memset(line, fill, sizeof line);
    CHECK(fwrite(line, 1, size, file) == size);
    fclose(file);
}

static long flags_of(int fd)
{
    return fcntl(fd, F_GETFL);
}

int main(void)
{
    char byte;
    struct stat status;
    unsigned round = 0;

    CHECK(mkdir("many", 0755) == 0);
    for (int i = 0; i < 50; i++) {
        char name[32];
        snprintf(name, sizeof name, "many/%d", i);
        make(name, 'x', 1);
    }
    make("read", 'r', 1000);
    make("log", 'l', 100);
    int reader = open_at("read", O_RDONLY, 10);
    int shared = dup(reader), separate = open("read", O_RDONLY | O_CLOEXEC);
    int append = open_at("log", O_WRONLY | O_APPEND, 20), writer = open_at("written", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 900);
    int direct = open("written", O_RDONLY | O_NONBLOCK | O_NOATIME), directory = open("many", O_RDONLY | O_DIRECTORY);
    int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDONLY | O_CLOEXEC), random = open("/dev/urandom", O_RDONLY);
    int path = open("many", O_PATH);
    DIR *listing = opendir("many");
    unsigned entries = 0;

    CHECK(lseek(reader, 100, SEEK_SET) == 100 && lseek(separate, 700, SEEK_SET) == 700 && lseek(writer, 50, SEEK_SET) == 50);
    CHECK(listing && directory >= 0 && null >= 0 && zero >= 0 && random >= 0 && path >= 0 && direct >= 0);
    while (step()) {
        off_t at = 100 + round;

        CHECK(lseek(reader, 0, SEEK_CUR) == at);
        CHECK(read(shared, &byte, 1) == 1 && byte == 'r');
        CHECK(lseek(reader, 0, SEEK_CUR) == at + 1); /* one description, two numbers */
        CHECK(lseek(separate, 0, SEEK_CUR) == 700);
        CHECK(write(writer, "w", 1) == 1 && lseek(writer, 0, SEEK_CUR) == 51 + (off_t)round);
        CHECK(fstat(append, &status) == 0);
        off_t end = status.st_size;
        CHECK(write(append, "line\n", 5) == 5 && fstat(append, &status) == 0 && status.st_size == end + 5);
        CHECK(lseek(append, 0, SEEK_CUR) == status.st_size);

        CHECK((flags_of(append) & (O_APPEND | O_ACCMODE)) == (O_APPEND | O_WRONLY));
        CHECK((flags_of(writer) & (O_APPEND | O_ACCMODE | O_TRUNC | O_CREAT)) == O_RDWR);
        CHECK((flags_of(direct) & (O_NONBLOCK | O_NOATIME)) == (O_NONBLOCK | O_NOATIME));
        CHECK(flags_of(path) & O_PATH);
        CHECK(fcntl(writer, F_GETFD) == FD_CLOEXEC && fcntl(separate, F_GETFD) == FD_CLOEXEC && fcntl(zero, F_GETFD) == FD_CLOEXEC);
        CHECK(fcntl(reader, F_GETFD) == 0 && fcntl(append, F_GETFD) == 0 && fcntl(directory, F_GETFD) == 0);
        CHECK(fstat(writer, &status) == 0 && (status.st_mode & 0777) == 0640 && status.st_size == 51 + (off_t)round);

        CHECK(write(null, "x", 1) == 1 && read(null, &byte, 1) == 0);
        CHECK(read(zero, &byte, 1) == 1 && byte == 0);
        CHECK(read(random, &byte, 1) == 1);
        CHECK(faccessat(directory, "7", R_OK, 0) == 0 && faccessat(path, "7", R_OK, 0) == 0);
        for (int i = 0; i < 10; i++) { /* the listing goes on where it was */
            struct dirent *entry = readdir(listing);
            CHECK(entry);
            entries++;
        }
        for (int fd = 901; fd < 1000; fd++)
            CHECK(fcntl(fd, F_GETFD) == -1 && errno == EBADF);
        round++;
    }
    while (readdir(listing))
        entries++;
    CHECK(entries == 52);
    closedir(listing);
    CHECK(lseek(writer, 0, SEEK_END) == 50 + (off_t)round);
    puts("files kept");
    return 0;
}
