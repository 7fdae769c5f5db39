#include "traces.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "msg.h"
#include "process.h"
#include "ptable.h"

static char directory[PATH_MAX];
static char kept[UPID_TEXT_MAX]; /* the computation whose table had to stay; one at a time: a coordinator serves one computation */

static bool is_alive(const struct ptable_entry *entry, uint32_t unused)
{
    return entry->state >= PTABLE_STARTING && entry->state <= PTABLE_EXEC && entry->real > 0 && (!kill(entry->real, 0) || errno == EPERM);
}

static bool table_has(const char *path, bool (*is_wanted)(const struct ptable_entry *entry, uint32_t pid), uint32_t pid)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool found = false;
    struct stat st;

    if (fd < 0)
        return false;
    if (!fstat(fd, &st) && st.st_size == (off_t)sizeof(struct ptable)) {
        const struct ptable *table = mmap(NULL, sizeof *table, PROT_READ, MAP_SHARED, fd, 0);
        for (unsigned i = 0; table != MAP_FAILED && i < table->used && i < PTABLE_ENTRIES && !found; i++)
            found = is_wanted(&table->entry[i], pid);
        if (table != MAP_FAILED)
            munmap((void *)(uintptr_t)table, sizeof *table);
    }
    close(fd);
    return found;
}

static bool is_in_exec(const struct ptable_entry *entry, uint32_t pid)
{
    return entry->real == (int32_t)pid && (entry->state == PTABLE_EXEC || entry->state == PTABLE_STARTING) && process_lives(pid);
}

bool traces_is_in_exec(const struct upid *computation, uint32_t real_pid)
{
    char id[UPID_TEXT_MAX], path[PATH_MAX + 128];

    upid_text(computation, id);
    snprintf(path, sizeof path, "%s/" PTABLE_NAME "%s", directory, id);
    return table_has(path, is_in_exec, real_pid);
}

static FILE *left_out;

static bool tell_left(const struct ptable_entry *entry, uint32_t unused)
{
    char path[64], program[64] = "?";
    FILE *comm;

    if (entry->state != PTABLE_LEFT || !process_lives((uint32_t)entry->real) ||
        (entry->start && entry->start != process_start_time((uint32_t)entry->real)))
        return false;
    snprintf(path, sizeof path, "/proc/%d/comm", entry->real);
    comm = fopen(path, "re");
    if (comm) {
        if (fgets(program, sizeof program, comm))
            program[strcspn(program, "\n")] = 0;
        fclose(comm);
    }
    fprintf(left_out, "pid %d (%s) %s\n", entry->virtual, program, ptable_reason_text(entry->reason));
    return false;
}

char *traces_of_left(const struct upid *computation)
{
    char id[UPID_TEXT_MAX], path[PATH_MAX + 128], *text = NULL;
    size_t size = 0;

    upid_text(computation, id);
    snprintf(path, sizeof path, "%s/" PTABLE_NAME "%s", directory, id);
    left_out = open_memstream(&text, &size);
    if (!left_out)
        return NULL;
    table_has(path, tell_left, 0);
    if (fclose(left_out) || !size) {
        free(text);
        return NULL;
    }
    return text;
}

/* "descriptors-<computation>-…": libckpt/fd/elect.c. */
static void remove_lists(const char *computation)
{
    char start[UPID_TEXT_MAX + 32], path[PATH_MAX + 256];
    int length = snprintf(start, sizeof start, "descriptors-%s-", computation);
    struct dirent *entry;
    DIR *dir = opendir(directory);

    while (dir && (entry = readdir(dir)))
        if (!strncmp(entry->d_name, start, (size_t)length)) {
            snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
            unlink(path);
        }
    if (dir)
        closedir(dir);
}

static void remove_traces(const char *computation)
{
    char path[PATH_MAX + 128];

    snprintf(path, sizeof path, "%s/" PTABLE_NAME "%s", directory, computation);
    unlink(path);
    remove_lists(computation);
}

static void at_exit(void)
{
    if (kept[0])
        remove_traces(kept);
}

void traces_set_directory(const char *tmpdir)
{
    snprintf(directory, sizeof directory, "%s", tmpdir);
    atexit(at_exit);
}

void traces_of_ended(const struct upid *computation)
{
    char id[UPID_TEXT_MAX], path[PATH_MAX + 128];

    upid_text(computation, id);
    snprintf(path, sizeof path, "%s/" PTABLE_NAME "%s", directory, id);
    if (kept[0] && strcmp(kept, id))
        remove_traces(kept);
    kept[0] = 0;
    if (table_has(path, is_alive, 0))
        snprintf(kept, sizeof kept, "%s", id);
    else
        remove_traces(id);
}
