/* A working directory that has been removed stays one after a restart; and where a new root directory or a filter of system calls can't be restored,
 * the checkpoint is refused and the program runs on. The first argument says which. */
#include <linux/seccomp.h>
#include <linux/filter.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "step.h"

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";
    char path[600], link[700], was[700] = "";
    ssize_t n;

    if (!strcmp(how, "removed")) {
        CHECK(!mkdir(step_path_(path, sizeof path, "above"), 0700));
        CHECK(!mkdir(step_path_(path, sizeof path, "above/gone"), 0700) && !chdir(path) && !rmdir(path));
        CHECK(!rmdir(step_path_(path, sizeof path, "above")));
    } else if (!strcmp(how, "chroot")) {
        CHECK(!chroot(step_path_(path, sizeof path, "")) && !chdir("/"));
        setenv("STEP_DIR", "/", 1);
    } else if (!strcmp(how, "seccomp")) {
        struct sock_filter allow = {.code = BPF_RET | BPF_K, .k = SECCOMP_RET_ALLOW};
        struct sock_fprog program = {.len = 1, .filter = &allow};
        CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
    }
    while (step()) {
        if (strcmp(how, "removed"))
            continue;
        n = readlink("/proc/self/cwd", link, sizeof link - 1);
        CHECK(n > 0);
        link[n] = 0;
        CHECK(strstr(link, "/above/gone (deleted)"));
        CHECK(!was[0] || !strcmp(was, link));
        strcpy(was, link);
        CHECK(access(step_path_(path, sizeof path, "above"), F_OK) && errno == ENOENT);
        CHECK(!getcwd(path, sizeof path) && errno == ENOENT);
    }
    return 0;
}
