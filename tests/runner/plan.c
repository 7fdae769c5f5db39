#include "runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORD_ROOT = 1, WORD_UNPRIV = 2, WORD_GZIP = 4, WORD_RAW = 8, WORD_FALLBACKS = 16 };

static const struct {
    const char *text;
    unsigned bit;
} words[] = {
    {"root", WORD_ROOT}, {"unpriv", WORD_UNPRIV}, {"gzip", WORD_GZIP}, {"raw", WORD_RAW}, {"fallbacks", WORD_FALLBACKS},
};

/* Chosen pids are a matter of privilege, so switching them off means something for root only; the others run unprivileged. */
static const struct {
    const char *feature;
    enum runner_user user;
} fallbacks[] = {
    {"uring", USER_NOBODY},     {"pagemap_scan", USER_NOBODY}, {"set_mm_map", USER_NOBODY},
    {"vdso_move", USER_NOBODY}, {"snapshot", USER_NOBODY},     {"set_tid", USER_SAME},
};

struct header {
    unsigned words; /* 0: no line of variants */
    unsigned limit;
};

static unsigned parse_words(const char *path, char *text)
{
    unsigned bits = 0;

    for (char *rest, *word = strtok_r(text, " \t\n", &rest); word; word = strtok_r(NULL, " \t\n", &rest)) {
        size_t i = 0;

        while (i < sizeof words / sizeof *words && strcmp(words[i].text, word))
            i++;
        if (i == sizeof words / sizeof *words)
            die("%s: unknown variant \"%s\"", path, word);
        bits |= words[i].bit;
    }
    return bits;
}

/* The comment block at the top; a binary has none. */
static struct header read_header(const char *path)
{
    struct header header = {.limit = RUNNER_LIMIT};
    char line[256];
    FILE *file = fopen(path, "r");

    if (!file)
        die("open %s: %m", path);
    while (fgets(line, sizeof line, file) && line[0] == '#') {
        if (!strncmp(line, "# variants:", 11))
            header.words = parse_words(path, line + 11);
        if (!strncmp(line, "# limit:", 8))
            header.limit = (unsigned)atoi(line + 8);
    }
    fclose(file);
    return header;
}

static bool wanted(const char *name, char **names, int count)
{
    for (int i = 0; i < count; i++)
        if (strstr(name, names[i]))
            return true;
    return count == 0;
}

static void add(struct plan *plan, const char *path, const struct header *header, enum runner_user user, enum runner_form form,
                const char *disable)
{
    static const char *const form_text[] = {[FORM_DEFAULT] = "", [FORM_RAW] = " raw", [FORM_GZIP] = " gzip"};
    bool root = getuid() == 0;
    struct run *run;

    if (plan->count == plan->size) {
        plan->size = plan->size ? 2 * plan->size : 64;
        plan->run = reallocarray(plan->run, plan->size, sizeof *plan->run);
        if (!plan->run)
            die("out of memory");
    }
    run = &plan->run[plan->count];
    memset(run, 0, sizeof *run);
    run->number = (unsigned)plan->count++;
    run->limit = header->limit;
    run->user = user;
    run->form = form;
    run->disable = disable;
    snprintf(run->path, sizeof run->path, "%s", path);
    const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    snprintf(run->name, sizeof run->name, "%.*s", (int)strcspn(base, "."), base);
    if (header->words)
        snprintf(run->variant, sizeof run->variant, "%s%s%s%s", !root ? "user" : user == USER_NOBODY ? "unpriv" : "root", form_text[form],
                 disable ? " no-" : "", disable ? disable : "");
}

void plan_add(struct plan *plan, const char *path, const char *only, char **names, int name_count)
{
    const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    bool root = getuid() == 0;
    enum runner_user users[2];
    enum runner_form forms[2];
    unsigned user_count = 0, form_count = 0;

    if (!wanted(base, names, name_count))
        return;
    struct header header = read_header(path);
    if (!header.words) { /* a binary, or a script that does not care */
        if (strcmp(only, "unpriv"))
            add(plan, path, &header, USER_SAME, FORM_DEFAULT, NULL);
        return;
    }
    if (root) {
        if (header.words & WORD_ROOT && strcmp(only, "unpriv"))
            users[user_count++] = USER_SAME;
        if (header.words & WORD_UNPRIV && strcmp(only, "root"))
            users[user_count++] = USER_NOBODY;
    } else {
        users[user_count++] = USER_SAME;
    }
    if (header.words & WORD_GZIP)
        forms[form_count++] = FORM_GZIP;
    if (header.words & WORD_RAW)
        forms[form_count++] = FORM_RAW;
    if (!form_count)
        forms[form_count++] = FORM_DEFAULT;

    for (unsigned u = 0; u < user_count; u++)
        for (unsigned f = 0; f < form_count; f++) {
            add(plan, path, &header, users[u], forms[f], NULL);
            if (!root && header.words & WORD_ROOT && !(header.words & WORD_UNPRIV))
                plan->run[plan->count - 1].impossible = "needs root";
        }
    for (size_t i = 0; header.words & WORD_FALLBACKS && i < sizeof fallbacks / sizeof *fallbacks; i++) {
        enum runner_user user = root ? fallbacks[i].user : USER_SAME;
        if (*only && (user == USER_NOBODY) != !strcmp(only, "unpriv"))
            continue;
        add(plan, path, &header, user, FORM_DEFAULT, fallbacks[i].feature);
    }
}
