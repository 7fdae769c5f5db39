/* Memory contents of known kinds, the same in every program of bench/, so that a limit is measured with the bytes that are in the image. */
#ifndef CONTENTS_H
#define CONTENTS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum contents { CONTENTS_TEXT, CONTENTS_RANDOM, CONTENTS_ZERO, CONTENTS_SPARSE, CONTENTS_NONE };

static inline int contents_named(const char *name)
{
    static const char names[][8] = {"text", "random", "zero", "sparse", "none"};

    for (int i = 0; i < (int)(sizeof names / sizeof *names); i++)
        if (!strcmp(name, names[i]))
            return i;
    return -1;
}

static inline uint64_t contents_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Words of a small vocabulary, numbers among them: zlib level 1 makes about a third of it, as of source texts and logs. */
static inline void contents_text(char *to, size_t size, uint64_t *state)
{
    static const char syllables[][4] = {"ka", "ter", "mo", "lin", "es", "pra", "to", "vel", "si", "nor", "um", "da", "rek", "ol", "fi", "ba"};
    size_t at = 0;

    while (at < size) {
        uint64_t word = contents_next(state);
        char text[24];
        size_t length = 0;

        if (word % 8 == 0) {
            for (uint64_t number = word >> 40; number && length < 7; number /= 10)
                text[length++] = (char)('0' + number % 10);
        } else {
            uint64_t pick = (word >> 8) % 1024 * 0x9e3779b97f4a7c15u;
            for (unsigned i = 0; i < 1 + (pick >> 60) % 3; i++) {
                const char *syllable = syllables[pick >> (8 * i) & 15];
                memcpy(text + length, syllable, strlen(syllable));
                length += strlen(syllable);
            }
        }
        text[length++] = word % 61 ? ' ' : '\n';
        length = length < size - at ? length : size - at;
        memcpy(to + at, text, length);
        at += length;
    }
}

static inline void contents_fill(char *to, size_t size, int kind)
{
    uint64_t state = 0x1234567890abcdefu;

    if (kind == CONTENTS_TEXT) /* as much as no window of a compressor sees twice, then again and again with a number that differs */
        for (size_t at = 0; at < size; at += 1 << 20) {
            size_t now = size - at < 1 << 20 ? size - at : 1 << 20;
            if (at < 8 << 20)
                contents_text(to + at, now, &state);
            else
                memcpy(to + at, to + at - (8 << 20), now);
            memcpy(to + at, &at, sizeof at);
        }
    if (kind == CONTENTS_RANDOM)
        for (size_t at = 0; at + 8 <= size; at += 8) {
            uint64_t value = contents_next(&state);
            memcpy(to + at, &value, sizeof value);
        }
    if (kind == CONTENTS_ZERO)
        for (size_t at = 0; at < size; at += 4096)
            *(volatile char *)(to + at) = 0;
    if (kind == CONTENTS_SPARSE)
        for (size_t at = 0; at < size; at += 8192) {
            uint64_t value = contents_next(&state);
            memcpy(to + at, &value, sizeof value);
        }
}

#endif
