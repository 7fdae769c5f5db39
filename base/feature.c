#include "feature.h"

#include "str.h"

static const struct {
    char name[16];
    uint32_t bit;
} features[] = {
    {"uring", FEATURE_URING},           {"pagemap_scan", FEATURE_PAGEMAP_SCAN}, {"kcmp", FEATURE_KCMP},
    {"set_mm_map", FEATURE_SET_MM_MAP}, {"set_tid", FEATURE_SET_TID},           {"vdso_move", FEATURE_VDSO_MOVE},
    {"snapshot", FEATURE_SNAPSHOT},     {"close_range", FEATURE_CLOSE_RANGE},   {"procmap_query", FEATURE_PROCMAP_QUERY},
    {"timer_ids", FEATURE_TIMER_IDS},     {"timer_ticks", FEATURE_TIMER_TICKS},
};

bool feature_parse(const char *text, uint32_t *bits, const char **unknown)
{
    while (*text) {
        bool found = false;

        for (unsigned i = 0; i < sizeof features / sizeof *features && !found; i++) {
            const char *rest = str_after(text, features[i].name);
            if (!rest || (*rest && *rest != ','))
                continue;
            *bits |= features[i].bit;
            text = *rest ? rest + 1 : rest;
            found = true;
        }
        if (!found) {
            *unknown = text;
            return false;
        }
    }
    return true;
}
