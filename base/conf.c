#include "conf.h"

#include "fmt.h"
#include "log.h"
#include "str.h"

enum kind { TEXT, NUMBER, WIDE };

#define ROW(kind, field) {#field, kind, sizeof(((struct conf *)0)->field), offsetof(struct conf, field)}
static const struct {
    char name[20];
    unsigned kind;
    size_t size, offset;
} rows[] = {
    ROW(TEXT, coord_host),   ROW(TEXT, coord_address),  ROW(TEXT, host_name),      ROW(TEXT, secret_path),
    ROW(TEXT, ckpt_dir),     ROW(TEXT, tmp_dir),        ROW(TEXT, log_file),       ROW(TEXT, computation),
    ROW(NUMBER, coord_port), ROW(NUMBER, gzip),         ROW(NUMBER, gzip_level),   ROW(NUMBER, snapshot),
    ROW(NUMBER, fsync),      ROW(NUMBER, ckpt_signal),  ROW(NUMBER, disabled),     ROW(NUMBER, log_level),
    ROW(NUMBER, unique_names), ROW(NUMBER, open_files), ROW(NUMBER, allow_overwrite), ROW(NUMBER, strict),
    ROW(WIDE, host_id),      ROW(NUMBER, had_preload),
    ROW(NUMBER, launch_pid), ROW(NUMBER, launch_group), ROW(NUMBER, launch_session),
    ROW(WIDE, stream0),      ROW(WIDE, stream1),        ROW(WIDE, stream2),        ROW(NUMBER, seccomp_filters),
};

void conf_init(struct conf *conf)
{
    memset(conf, 0, sizeof *conf);
    str_copy(conf->coord_host, sizeof conf->coord_host, "localhost");
    str_copy(conf->coord_address, sizeof conf->coord_address, "127.0.0.1");
    conf->coord_port = 7779;
    conf->gzip = 1;
    conf->gzip_level = 1;
    conf->fsync = 1;
    conf->ckpt_signal = 64;
    conf->log_level = LOG_WARN;
    conf->strict = 1;
}

size_t conf_encode(const struct conf *conf, char *text, size_t size)
{
    size_t used = 0;

    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        const char *field = (const char *)conf + rows[r].offset;
        char number[24];

        if (rows[r].kind == NUMBER) {
            fmt(number, sizeof number, "%u", *(const uint32_t *)(const void *)field);
            field = number;
        } else if (rows[r].kind == WIDE) {
            fmt(number, sizeof number, "%lu", *(const uint64_t *)(const void *)field);
            field = number;
        }
        if (used + sizeof rows[r].name + 2 >= size)
            return 0;
        used += fmt(text + used, size - used, "%s=", rows[r].name);
        for (; *field; field++) {
            if (used + 4 >= size)
                return 0;
            if (*field == '\\' || *field == '\n')
                text[used++] = '\\';
            text[used++] = *field == '\n' ? 'n' : *field;
        }
        text[used++] = '\n';
        text[used] = 0;
    }
    return used;
}

static bool take_value(const char **at, char *to, size_t size)
{
    size_t n = 0;

    for (; **at != '\n'; ++*at) {
        char c = **at;

        if (c == '\\') {
            c = *++*at;
            if (c == 'n')
                c = '\n';
            else if (c != '\\')
                return false;
        }
        if (!c || n + 1 >= size)
            return false;
        to[n++] = c;
    }
    to[n] = 0;
    ++*at;
    return true;
}

bool conf_decode(struct conf *conf, const char *text)
{
    while (*text) {
        char skipped[4096], number[24];
        char *field = NULL;
        size_t r;

        for (r = 0; r < sizeof rows / sizeof *rows; r++) {
            const char *rest = str_after(text, rows[r].name);
            if (rest && *rest == '=') {
                text = rest + 1;
                field = (char *)conf + rows[r].offset;
                break;
            }
        }
        if (!field) {
            text = str_find(text, '=');
            if (!text++ || !take_value(&text, skipped, sizeof skipped))
                return false;
        } else if (rows[r].kind == TEXT) {
            if (!take_value(&text, field, rows[r].size))
                return false;
        } else {
            uint64_t value;
            if (!take_value(&text, number, sizeof number) ||
                !str_to_number(number, 0, rows[r].kind == NUMBER ? UINT32_MAX : UINT64_MAX, &value))
                return false;
            if (rows[r].kind == NUMBER)
                *(uint32_t *)(void *)field = (uint32_t)value;
            else
                *(uint64_t *)(void *)field = value;
        }
    }
    return true;
}
