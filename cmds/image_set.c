#include "image_set.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <ftw.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cpu.h"
#include "die.h"
#include "fmt.h"
#include "msg.h"
#include "str.h"

#define TEMPORARY ".temp"

/* One of the two files that an image may be in. */
struct version {
    int fd;     /* -1: not open */
    long error; /* of open or of the header, -errno; 0: *header is valid */
    dev_t device;
    ino_t inode;
    struct image_header header;
    char problem[IMAGE_PROBLEM_MAX];
};

struct candidate {
    char *path; /* final name */
    struct version final, temporary;
};

struct candidates {
    struct candidate *list;
    size_t count;
};

static char *copy(const char *text)
{
    char *result = strdup(text);

    if (!result)
        die(FAIL_TOOL, "no memory");
    return result;
}

static void look(struct version *version, const char *path)
{
    struct stat st = {0};
    bool compressed;

    /* Without O_NONBLOCK a FIFO of that name would hang us. */
    version->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (version->fd < 0) {
        version->error = -errno;
        str_copy(version->problem, sizeof version->problem, strerror(errno));
        return;
    }
    if (!fstat(version->fd, &st)) {
        version->device = st.st_dev;
        version->inode = st.st_ino;
    }
    if (S_ISDIR(st.st_mode)) {
        version->error = -EISDIR;
        str_copy(version->problem, sizeof version->problem, "is a directory; to restart all images in it use --restartdir");
        return;
    }
    version->error = image_read_header(version->fd, &version->header, &compressed, version->problem);
}

static void forget(struct version *version)
{
    if (version->fd >= 0)
        close(version->fd);
    version->fd = -1;
}

/* The name of a temporary file stands for the image. */
static void cut_temporary(char *path)
{
    size_t length = strlen(path), cut = strlen(TEMPORARY);

    if (length > cut && str_equal(path + length - cut, TEMPORARY))
        path[length - cut] = 0;
}

static void add(struct candidates *candidates, const char *path)
{
    char temporary[PATH_MAX + sizeof TEMPORARY];
    struct candidate *c;

    candidates->list = realloc(candidates->list, (candidates->count + 1) * sizeof *candidates->list);
    if (!candidates->list)
        die(FAIL_TOOL, "no memory");
    c = &candidates->list[candidates->count++];
    memset(c, 0, sizeof *c);
    c->path = copy(path);
    cut_temporary(c->path);
    if (snprintf(temporary, sizeof temporary, "%s%s", c->path, TEMPORARY) >= (int)sizeof temporary)
        die(FAIL_TOOL, "%s: the path is too long", c->path);
    look(&c->final, c->path);
    look(&c->temporary, temporary);
}

static bool is_image_name(const char *name)
{
    return !fnmatch("ckpt_*.dmtcp", name, 0) || !fnmatch("ckpt_*.dmtcp" TEMPORARY, name, 0);
}

static bool is_listed(const struct candidates *candidates, const char *path)
{
    for (size_t i = 0; i < candidates->count; i++)
        if (str_equal(candidates->list[i].path, path))
            return true;
    return false;
}

/* nftw(3) has no argument for its function. */
static struct candidates *walk_target;

static int walk(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    char final[PATH_MAX];

    (void)st;
    if (kind != FTW_F || !is_image_name(path + at->base) || !str_copy(final, sizeof final, path))
        return 0;
    cut_temporary(final);
    if (!is_listed(walk_target, final))
        add(walk_target, final);
    return 0;
}

static void add_directory(struct candidates *candidates, const char *directory)
{
    size_t before = candidates->count;

    walk_target = candidates;
    if (nftw(directory, walk, 16, FTW_PHYS) || access(directory, R_OK | X_OK))
        die(FAIL_TOOL, "--restartdir %s: %m", directory);
    if (candidates->count == before)
        die(FAIL_TOOL, "--restartdir %s: there are no images (ckpt_*.dmtcp) in it", directory);
}

static bool same_upid(const struct upid *a, const struct upid *b)
{
    return a->host == b->host && a->time == b->time && a->pid == b->pid;
}

static bool belongs(const struct version *version, const struct image_header *set)
{
    return !version->error && same_upid(&version->header.computation, &set->computation) && version->header.generation == set->generation;
}

/* The newest header under a final name: it says which checkpoint is meant. All final images must be sound and of one computation. */
static const struct candidate *newest(const struct candidates *candidates)
{
    const struct candidate *best = NULL;

    for (size_t i = 0; i < candidates->count; i++) {
        const struct candidate *c = &candidates->list[i];

        if (c->final.error == -ENOENT && !c->temporary.error)
            continue; /* perhaps renamed by nobody yet */
        if (c->final.error)
            die(FAIL_TOOL, "%s: %s", c->path, c->final.problem);
        if (best && !same_upid(&best->final.header.computation, &c->final.header.computation)) {
            char one[UPID_TEXT_MAX], other[UPID_TEXT_MAX];
            upid_text(&best->final.header.computation, one);
            upid_text(&c->final.header.computation, other);
            die(FAIL_TOOL, "%s is of computation %s, but %s of %s; restart one computation at a time", best->path, one, c->path, other);
        }
        if (!best || c->final.header.generation > best->final.header.generation)
            best = c;
    }
    if (!best)
        die(FAIL_TOOL, "%s%s: its checkpoint was never completed", candidates->list[0].path, TEMPORARY);
    return best;
}

/* Processes that ended between two checkpoints leave images that `ckpt_*.dmtcp` matches. Where the newest set is complete without them they are
 * left out; otherwise something is amiss, and choose() says what. */
static void leave_out_older(struct candidates *candidates, const struct image_header *set)
{
    size_t members = 0, kept = 0;
    const char *first = NULL;

    for (size_t i = 0; i < candidates->count; i++)
        members += belongs(&candidates->list[i].final, set) || belongs(&candidates->list[i].temporary, set);
    if (members != set->processes || members == candidates->count)
        return;
    for (size_t i = 0; i < candidates->count; i++) {
        struct candidate *c = &candidates->list[i];
        if (belongs(&c->final, set) || belongs(&c->temporary, set)) {
            candidates->list[kept++] = *c;
            continue;
        }
        first = first ? first : c->path;
        forget(&c->final);
        forget(&c->temporary);
    }
    note("%zu image%s of earlier checkpoints left out: %s%s", candidates->count - kept, candidates->count - kept == 1 ? "" : "s", first,
         candidates->count - kept == 1 ? "" : " …");
    candidates->count = kept;
}

static const struct image_header *chosen(const struct set_image *image)
{
    return &image->image.header;
}

/* Takes the version that belongs to the set, or says why none does. */
static void choose(struct set_image *image, struct candidate *c, const struct candidate *reference)
{
    const struct image_header *set = &reference->final.header;
    struct version *version = &c->final;

    if (!belongs(&c->final, set)) {
        version = &c->temporary;
        if (!belongs(version, set)) {
            if (c->final.error)
                die(FAIL_TOOL, "%s: its checkpoint was never completed", c->path);
            die(FAIL_TOOL, "%s is of checkpoint %u, but %s of checkpoint %u; give the images of one checkpoint", c->path,
                c->final.header.generation, reference->path, set->generation);
        }
        image->temporary = true;
    }
    image->path = c->path;
    image->fd = version->fd;
    image->image.header = version->header;
    version->fd = -1;
}

static void check_distinct(const struct image_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        for (size_t j = 0; j < i; j++) {
            if (!same_upid(&chosen(&set->images[i])->process, &chosen(&set->images[j])->process))
                continue;
            if (str_equal(set->images[i].path, set->images[j].path))
                die(FAIL_TOOL, "%s is given twice", set->images[i].path);
            die(FAIL_TOOL, "%s and %s are images of the same process; give one of them", set->images[j].path, set->images[i].path);
        }
}

/* Images of the same set that lie beside those given. Those that still have their temporary name are taken (a shell pattern doesn't match
 * them); the first one that has its final name is named in *left_out. */
static void look_beside(struct candidates *candidates, const struct image_header *set, const char *beside, char *left_out, size_t size)
{
    char directory[PATH_MAX], path[PATH_MAX + NAME_MAX + 2];
    const char *base = str_base(beside);
    struct dirent *entry;
    DIR *dir;

    snprintf(directory, sizeof directory, "%.*s", (int)(base - beside), beside);
    dir = opendir(directory[0] ? directory : ".");
    while (dir && (entry = readdir(dir))) {
        struct candidate *c;

        if (!is_image_name(entry->d_name))
            continue;
        snprintf(path, sizeof path, "%s%s", directory, entry->d_name);
        cut_temporary(path);
        if (is_listed(candidates, path))
            continue;
        add(candidates, path);
        c = &candidates->list[candidates->count - 1];
        if (belongs(&c->final, set) && !left_out[0])
            str_copy(left_out, size, path);
        if (belongs(&c->final, set) || !belongs(&c->temporary, set)) {
            forget(&c->final);
            forget(&c->temporary);
            free(c->path);
            candidates->count--;
        }
    }
    if (dir)
        closedir(dir);
}

static void check_complete(const struct image_set *set, const char *left_out, bool others_join)
{
    const struct image_header *header = chosen(&set->images[0]);

    for (size_t i = 1; i < set->count; i++)
        if (chosen(&set->images[i])->processes != header->processes)
            die(FAIL_TOOL, "%s is of a set of %u processes, but %s of one of %u", set->images[0].path, header->processes,
                set->images[i].path, chosen(&set->images[i])->processes);
    if (set->count == header->processes)
        return;
    if (set->count > header->processes)
        die(FAIL_TOOL, "the set has %u processes, but %zu images were given", header->processes, set->count);
    if (left_out[0])
        die(FAIL_TOOL, "%zu of the set's %u images are missing: %s belongs to it too", header->processes - set->count, header->processes,
            left_out);
    if (!others_join)
        die(FAIL_TOOL,
            "%zu of the set's %u images are missing: there are no more beside %s; give them, or restart them on their host with "
            "--join-coordinator",
            header->processes - set->count, header->processes, set->images[0].path);
    warn("%zu of the set's %u images are not here: waiting for another dmtcp_restart to bring them", header->processes - set->count,
         header->processes);
}

static void check_user(const struct set_image *image)
{
    const struct passwd *user;
    unsigned uid = image->image.process->uid;

    if (uid == getuid())
        return;
    user = getpwuid(uid);
    die(FAIL_TOOL, "%s: is of user %s (%u), not yours; restart it as that user, or with --no-strict-checking", image->path,
        user ? user->pw_name : "unknown", uid);
}

static void check_processor(const struct set_image *image)
{
    uint64_t here[CPU_FEATURE_WORDS];
    char list[256] = "";
    unsigned missing = 0;

    cpu_features(here);
    for (unsigned word = 0; word < CPU_FEATURE_WORDS; word++)
        for (unsigned bit = 0; bit < 64; bit++) {
            if (!(image->image.process->cpu_features[word] & ~here[word] & 1ull << bit))
                continue;
            if (missing++ < 4)
                snprintf(list + strlen(list), sizeof list - strlen(list), " %s", cpu_feature_name(word, bit));
        }
    if (missing)
        die(FAIL_TOOL,
            "%s: its program may use what this processor lacks (%s%s); restart it on a machine that has it, or try --no-strict-checking",
            image->path, list + 1, missing > 4 ? " …" : "");
}

void image_set_load(struct image_set *set, char **paths, int count, const char *restart_dir, bool strict, bool others_join)
{
    struct candidates candidates = {0};
    struct image_header header;
    char left_out[PATH_MAX] = "", problem[IMAGE_PROBLEM_MAX] = "";
    size_t reference_at;

    for (int i = 0; i < count; i++)
        add(&candidates, paths[i]);
    if (restart_dir)
        add_directory(&candidates, restart_dir);
    header = newest(&candidates)->final.header;
    leave_out_older(&candidates, &header);
    reference_at = (size_t)(newest(&candidates) - candidates.list);
    if (candidates.count < header.processes)
        for (size_t i = 0, given = candidates.count; i < given; i++)
            look_beside(&candidates, &header, candidates.list[i].path, left_out, sizeof left_out);

    set->computation = header.computation;
    set->generation = header.generation;
    set->count = candidates.count;
    set->images = calloc(set->count, sizeof *set->images);
    if (!set->images)
        die(FAIL_TOOL, "no memory");
    for (size_t i = 0; i < set->count; i++)
        choose(&set->images[i], &candidates.list[i], &candidates.list[reference_at]);
    for (size_t i = 0; i < candidates.count; i++) {
        forget(&candidates.list[i].final);
        forget(&candidates.list[i].temporary);
    }
    free(candidates.list);
    check_distinct(set);
    check_complete(set, left_out, others_join);
    for (size_t i = 0; i < set->count; i++) {
        struct set_image *image = &set->images[i];

        if (image_open(image->fd, &image->image, problem))
            die(FAIL_TOOL, "%s: %s", image->path, problem);
        if (strict) {
            check_user(image);
            check_processor(image);
        }
    }
}

void image_set_roll_forward(struct image_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        struct set_image *image = &set->images[i];
        char temporary[PATH_MAX + sizeof TEMPORARY];

        if (!image->temporary)
            continue;
        snprintf(temporary, sizeof temporary, "%s%s", image->path, TEMPORARY);
        if (rename(temporary, image->path))
            warn("%s: can't be renamed to its final name: %m", temporary);
        else
            note("%s: completed a checkpoint that was interrupted", image->path);
    }
}
