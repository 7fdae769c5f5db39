#include "image_name.h"

#include "fmt.h"
#include "library.h"
#include "msg.h"
#include "str.h"
#include "sys.h"

bool image_name(char *path, size_t size, uint32_t generation, char *problem, size_t problem_size)
{
    char id[UPID_TEXT_MAX], set[UPID_TEXT_MAX + 32] = "";

    if (lib.conf.unique_names) {
        upid_text(&lib.computation, id);
        fmt(set, sizeof set, "/ckpt_%s_%05u", id, generation);
        fmt(path, size, "%s%s", lib.conf.ckpt_dir, set);
        long error = sys_mkdir(path, 0700);
        if (error < 0 && error != -EEXIST) {
            fmt(problem, problem_size, "can't make the directory %s: %e", path, (int)error);
            return false;
        }
    }
    upid_text(&lib.process, id);
    if (fmt(path, size, "%s%s/ckpt_%s_%s.dmtcp", lib.conf.ckpt_dir, set, lib.program, id) + 8 >= size) {
        fmt(problem, problem_size, "the image's name is too long: %s", path);
        return false;
    }
    return true;
}

long image_sync_directory(const char *path)
{
    char directory[4096];
    long fd, error;

    str_copy(directory, sizeof directory, path);
    directory[str_base(path) - path] = 0;
    fd = sys_open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0)
        return fd;
    error = sys_fsync((int)fd);
    sys_close((int)fd);
    return error == -EINVAL ? 0 : error; /* file systems without fsync of directories */
}
