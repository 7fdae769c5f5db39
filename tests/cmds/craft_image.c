/* craft_image FILE [name=number]...: writes the checkpoint image of a made-up process with one page of memory. The numbers: computation,
 * pid, host, generation, processes, uid, gzip, and for images that must be refused: version, machine, page_size, feature (a bit of
 * cpu_features[0] that this processor need not have). */
#include <err.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf.h"
#include "image_build.h"

static struct {
    const char *name;
    uint64_t value;
} fields[] = {
    {"computation", 1}, {"pid", 100}, {"host", 1},    {"generation", 1}, {"processes", 1}, {"uid", 0},
    {"gzip", 0},        {"version", 0}, {"machine", 0}, {"page_size", 0},  {"feature", 64},
};
enum { FIELDS = sizeof fields / sizeof *fields };

static uint64_t *field(const char *name, size_t length)
{
    for (int i = 0; i < FIELDS; i++)
        if (strlen(fields[i].name) == length && !memcmp(fields[i].name, name, length))
            return &fields[i].value;
    errx(2, "no field %.*s", (int)length, name);
}

static uint32_t number(const char *name)
{
    return (uint32_t)*field(name, strlen(name));
}

static void add_records(struct image_build *build)
{
    static struct conf conf;
    static char text[CONF_TEXT_MAX];
    uint32_t tid = number("pid");

    conf_init(&conf);
    if (!getcwd(conf.ckpt_dir, sizeof conf.ckpt_dir))
        err(2, "getcwd");
    image_build_record(build, IMAGE_REC_CONF, text, (uint32_t)conf_encode(&conf, text, sizeof text) + 1);
    image_build_record(build, IMAGE_REC_THREADS, &tid, sizeof tid);
}

int main(int argc, char **argv)
{
    static const char contents[] = "not code";
    struct image_segment segment = {.start = 0x10000000, .end = 0x10001000, .kind = IMAGE_ANON, .prot = PROT_READ | PROT_WRITE};
    struct image_build build;

    if (argc < 2)
        errx(2, "usage: craft_image FILE [name=number]...");
    *field("uid", 3) = getuid();
    for (int i = 2; i < argc; i++) {
        char *equal = strchr(argv[i], '=');
        if (!equal)
            errx(2, "%s: no number", argv[i]);
        *field(argv[i], (size_t)(equal - argv[i])) = strtoull(equal + 1, NULL, 0);
    }
    image_build_start(&build);
    build.header.computation = (struct upid){.host = 1, .time = 1, .pid = number("computation")};
    build.header.process = (struct upid){.host = number("host"), .time = 1, .pid = number("pid")};
    build.header.generation = number("generation");
    build.header.processes = number("processes");
    build.header.entry = segment.start;
    if (number("version"))
        build.header.version = number("version");
    if (number("machine"))
        build.header.machine = number("machine");
    if (number("page_size"))
        build.header.page_size = number("page_size");
    build.process.pid = number("pid");
    build.process.uid = number("uid");
    build.process.program_name = image_build_string(&build, "crafted");
    if (number("feature") < 64)
        build.process.cpu_features[0] = 1ull << number("feature");
    image_build_contents(&build, image_build_segment(&build, &segment), segment.start, contents, sizeof contents, 0);
    add_records(&build);
    image_build_save(&build, number("gzip"), argv[1]);
    image_build_end(&build);
    return 0;
}
