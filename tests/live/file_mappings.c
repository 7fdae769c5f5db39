/* Private mappings of a file survive the file; shared mappings are the file. */
#include <sys/mman.h>

#include "step.h"

#define SIZE 65536

static int make(const char *name, char fill)
{
    char block[SIZE];
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);

    CHECK(fd >= 0);
    memset(block, fill, SIZE);
    CHECK(write(fd, block, SIZE) == SIZE);
    return fd;
}

int main(void)
{
    int gone = make("gone", 'g'), kept = make("kept", 'k'), both = make("both", 'b');
    char *private = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, gone, 0);
    char *read_only = mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE, gone, 0);
    char *stays = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, kept, 0);
    char *shared = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, both, 0), *second = mmap(NULL, 4096, PROT_READ, MAP_SHARED, both, 4096);

    CHECK(private != MAP_FAILED && read_only != MAP_FAILED && shared != MAP_FAILED && stays != MAP_FAILED && second != MAP_FAILED);
    close(gone);
    close(kept);
    close(both);
    private[5000] = 'P';
    stays[5000] = 'S';
    memset(shared, 'm', SIZE);
    while (step()) {
        for (int i = 0; i < SIZE; i++) {
            CHECK(private[i] == (i == 5000 ? 'P' : 'g'));
            CHECK(read_only[i] == 'g');
            CHECK(stays[i] == (i == 5000 ? 'S' : 'k'));
        }
        private[6000] = 'X';
        private[6000] = 'g';
        CHECK(shared[0] == 'm' && second[1] == 'm');
        shared[4096 + 7] = (char)step_number_;
        CHECK(second[7] == (char)step_number_);
        int fd = open("both", O_RDONLY);
        char byte;
        CHECK(pread(fd, &byte, 1, 4096 + 7) == 1 && byte == (char)step_number_);
        close(fd);
    }
    puts("mappings kept");
    return 0;
}
