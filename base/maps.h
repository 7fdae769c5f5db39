/* /proc/self/maps, line by line: proc_pid_maps(5). Free code; the caller's buffer, no allocation. */
#ifndef MAPS_H
#define MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map {
    uint64_t start, end, offset, inode;
    uint32_t prot; /* PROT_* */
    bool shared;
    bool deleted; /* name ended in " (deleted)", which is cut off */
    uint32_t major, minor;
    char name[4096]; /* path or "[heap]", "" if none; octal escapes (\012) undone */
};

/* Parses one line of `size` bytes without its newline. False: not a line of maps. */
bool maps_parse_line(const char *line, size_t size, struct map *map);

struct maps_reader {
    int fd;
    size_t start, end; /* of unread bytes in buffer */
    char buffer[16384];
};

/* Opens path ("/proc/self/maps"). 0 or -errno. The reader is large: not for a small stack. */
long maps_open(struct maps_reader *reader, const char *path);
/* 1: *map is the next mapping; 0: no more; -errno. */
long maps_next(struct maps_reader *reader, struct map *map);
/* The same, for the next line as it stands, without its newline; it is overwritten by the next call (smaps has lines of other kinds). */
long maps_line(struct maps_reader *reader, const char **text, size_t *text_size);
void maps_close(struct maps_reader *reader);

#endif
