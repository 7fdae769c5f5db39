#include "maps.h"

#include "str.h"
#include "sys.h"

static bool expect(const char **at, char c)
{
    if (**at != c)
        return false;
    ++*at;
    return true;
}

/* seq_path escapes newline as \012 and nothing else (fs/seq_file.c mangles "\n"). */
static void copy_name(struct map *map, const char *from, const char *end)
{
    size_t n = 0;

    for (; from < end && n + 1 < sizeof map->name; from++) {
        if (end - from >= 4 && from[0] == '\\' && from[1] == '0' && from[2] == '1' && from[3] == '2') {
            map->name[n++] = '\n';
            from += 3;
        } else {
            map->name[n++] = *from;
        }
    }
    map->name[n] = 0;
    static const char tail[] = " (deleted)";
    if (n > sizeof tail - 1 && map->name[0] == '/' && str_equal(map->name + n - (sizeof tail - 1), tail)) {
        map->deleted = true;
        map->name[n - (sizeof tail - 1)] = 0;
    }
}

bool maps_parse_line(const char *line, size_t size, struct map *map)
{
    char head[128];
    size_t head_size = size < sizeof head - 1 ? size : sizeof head - 1;
    const char *at = head;
    uint64_t major, minor;

    memcpy(head, line, head_size);
    head[head_size] = 0;
    map->deleted = false;
    map->prot = 0;
    if (!str_number(&at, 16, &map->start) || !expect(&at, '-') || !str_number(&at, 16, &map->end) || !expect(&at, ' '))
        return false;
    for (int i = 0; i < 4; i++)
        if (!at[i])
            return false;
    map->prot |= at[0] == 'r' ? PROT_READ : 0;
    map->prot |= at[1] == 'w' ? PROT_WRITE : 0;
    map->prot |= at[2] == 'x' ? PROT_EXEC : 0;
    map->shared = at[3] == 's';
    at += 4;
    if (!expect(&at, ' ') || !str_number(&at, 16, &map->offset) || !expect(&at, ' ') || !str_number(&at, 16, &major) ||
        !expect(&at, ':') || !str_number(&at, 16, &minor) || !expect(&at, ' ') || !str_number(&at, 10, &map->inode))
        return false;
    map->major = (uint32_t)major;
    map->minor = (uint32_t)minor;
    while (*at == ' ')
        at++;
    copy_name(map, line + (at - head), line + size);
    return map->start < map->end;
}

long maps_open(struct maps_reader *reader, const char *path)
{
    long fd = sys_open(path, O_RDONLY | O_CLOEXEC, 0);

    if (fd < 0)
        return fd;
    reader->fd = (int)fd;
    reader->start = reader->end = 0;
    return 0;
}

long maps_line(struct maps_reader *reader, const char **text, size_t *text_size)
{
    for (;;) {
        char *line = reader->buffer + reader->start;
        size_t size = 0, unread = reader->end - reader->start;

        while (size < unread && line[size] != '\n')
            size++;
        if (size < unread) {
            reader->start += size + 1;
            *text = line;
            *text_size = size;
            return 1;
        }
        memmove(reader->buffer, line, unread);
        reader->start = 0;
        reader->end = unread;
        if (unread == sizeof reader->buffer)
            return -EOVERFLOW;
        long n = sys_read(reader->fd, reader->buffer + unread, sizeof reader->buffer - unread);
        if (n == -EINTR)
            continue;
        if (n <= 0)
            return n ? n : unread ? -EPROTO : 0;
        reader->end += (size_t)n;
    }
}

long maps_next(struct maps_reader *reader, struct map *map)
{
    const char *line;
    size_t size;
    long n = maps_line(reader, &line, &size);

    return n <= 0 ? n : maps_parse_line(line, size, map) ? 1 : -EPROTO;
}

void maps_close(struct maps_reader *reader)
{
    sys_close(reader->fd);
}
