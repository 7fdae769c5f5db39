#include "superseded.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "set.h"
#include "worker.h"

struct images {
    char **path; /* ascending */
    size_t count, room;
};
static struct images before, next;

static void forget(struct images *images)
{
    for (size_t i = 0; i < images->count; i++)
        free(images->path[i]);
    free(images->path);
    *images = (struct images){0};
}

/* Without memory an image is not noted, and so not removed. */
static void note_image(const struct worker *worker)
{
    if (!worker->host->own || !worker->image)
        return;
    if (next.count == next.room) {
        size_t room = next.room ? 2 * next.room : 64;
        char **path = realloc(next.path, room * sizeof *path);
        if (!path)
            return;
        next.path = path;
        next.room = room;
    }
    if ((next.path[next.count] = strdup(worker->image)))
        next.count++;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void superseded_next(struct list *departed)
{
    struct worker *worker;

    forget(&next);
    LIST_EACH(worker, set_members(), struct worker, member_link)
        note_image(worker);
    LIST_EACH(worker, departed, struct worker, member_link)
        note_image(worker);
    if (next.count)
        qsort(next.path, next.count, sizeof *next.path, by_path);
}

static bool is_in_next(char *const *path)
{
    return next.count && bsearch(path, next.path, next.count, sizeof *next.path, by_path);
}

void superseded_committed(void)
{
    bool replaced = false; /* otherwise the set before is complete still */

    for (size_t i = 0; i < before.count && !replaced; i++)
        replaced = is_in_next(&before.path[i]);
    for (size_t i = 0; i < before.count && replaced; i++)
        if (!is_in_next(&before.path[i]))
            unlink(before.path[i]);
    forget(&before);
    before = next;
    next = (struct images){0};
}
