/* inotify: watches on files, directories, symbolic links, unlinked files; their numbers, masks and flags; events after a restart. */
#include <sys/inotify.h>
#include <sys/stat.h>

#include "step.h"

static int fd;

static void make(const char *name)
{
    int file = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    CHECK(file >= 0);
    close(file);
}

/* The next event is this one, exactly. */
static void expect(int watch, uint32_t mask, const char *name)
{
    char buffer[sizeof(struct inotify_event) + 256] __attribute__((aligned(8)));
    const struct inotify_event *event = (const void *)buffer;
    static char rest[4096] __attribute__((aligned(8)));
    static ssize_t length, at;

    if (at >= length) {
        length = read(fd, rest, sizeof rest);
        CHECK(length > 0);
        at = 0;
    }
    event = (const void *)(rest + at);
    at += (ssize_t)(sizeof *event + event->len);
    if (event->wd != watch || event->mask != mask || strcmp(event->len ? event->name : "", name))
        FAIL("step %d: watch %d, mask %x, \"%s\"; not watch %d, mask %x, \"%s\"", step_number_, event->wd, event->mask,
             event->len ? event->name : "", watch, mask, name);
}

static void expect_none(void)
{
    char byte[512];

    CHECK(read(fd, byte, sizeof byte) == -1 && errno == EAGAIN);
}

int main(void)
{
    CHECK((fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) >= 0);
    CHECK(mkdir("watched", 0700) == 0 && mkdir("dropped", 0700) == 0 && mkdir("late", 0700) == 0 && symlink("late", "link") == 0);
    make("file");
    int dropped = inotify_add_watch(fd, "dropped", IN_CREATE), directory = inotify_add_watch(fd, "watched", IN_CREATE | IN_DELETE);
    int unlinked = open("gone", O_RDWR | O_CREAT, 0600), gone = inotify_add_watch(fd, "gone", IN_MODIFY);
    int file = inotify_add_watch(fd, "./file", IN_MODIFY), link = inotify_add_watch(fd, "link", IN_CREATE | IN_DONT_FOLLOW | IN_ATTRIB);
    CHECK(unlink("gone") == 0 && inotify_add_watch(fd, "file", IN_CLOSE_WRITE | IN_MASK_ADD) == file);
    CHECK(inotify_rm_watch(fd, dropped) == 0);
    int once = inotify_add_watch(fd, "late", IN_CREATE | IN_ONESHOT);
    CHECK(dropped == 1 && directory == 2 && gone == 3 && file == 4 && link == 5 && once == 6);
    expect(dropped, IN_IGNORED, "");
    expect_none();
    int round = 0;
    while (step()) {
        expect_none();
        make("watched/new");
        expect(directory, IN_CREATE, "new");
        CHECK(unlink("watched/new") == 0);
        expect(directory, IN_DELETE, "new");
        CHECK(write(unlinked, "x", 1) == 1);
        expect(gone, IN_MODIFY, "");
        make("dropped/new");
        int writer = open("file", O_WRONLY);
        CHECK(writer >= 0 && write(writer, "x", 1) == 1 && close(writer) == 0);
        expect(file, IN_MODIFY, "");
        expect(file, IN_CLOSE_WRITE, "");
        CHECK(lchown("link", geteuid(), (gid_t)-1) == 0);
        expect(link, IN_ATTRIB, "");
        make("late/once");
        if (!round) {
            expect(once, IN_CREATE, "once");
            expect(once, IN_IGNORED, "");
            unlink("late/once");
        }
        expect_none();
        CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC && (fcntl(fd, F_GETFL) & O_NONBLOCK));
        round++;
    }
    int new = inotify_add_watch(fd, ".", IN_CREATE);
    CHECK(new > once);
    puts("watches kept");
    return 0;
}
