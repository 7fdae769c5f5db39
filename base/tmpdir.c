#include "tmpdir.h"

#include "fmt.h"
#include "host.h"
#include "str.h"
#include "sys.h"

long tmpdir_path(char *path, size_t size, const char *option, const char *dmtcp_tmpdir, const char *tmpdir, const char *user)
{
    const char *choice[] = {option, dmtcp_tmpdir, tmpdir, "/tmp"};
    char host[256], number[16];
    unsigned c = 0;
    size_t used = 0;

    while (!choice[c] || !*choice[c])
        c++;
    if (*choice[c] != '/') {
        long length = sys_getcwd(path, size);
        if (length < 0)
            return length == -ERANGE ? -ENAMETOOLONG : length;
        used = (size_t)length - 1;
        used += fmt(path + used, size - used, "/");
    }
    if (!user) {
        fmt(number, sizeof number, "%u", sys_geteuid());
        user = number;
    }
    host_name(host, sizeof host);
    used += fmt(path + used, size - used, "%s/dmtcp-%s@%s", choice[c], user, host);
    return used + 1 < size ? 0 : -ENAMETOOLONG;
}

long tmpdir_make(const char *path)
{
    struct stat st;
    long fd, error = sys_mkdir(path, 0700);

    if (error && error != -EEXIST)
        return error;
    fd = sys_open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
    if (fd < 0)
        return fd == -EACCES && error == -EEXIST ? -EPERM : fd;
    error = sys_fstat((int)fd, &st);
    if (!error && st.st_uid != sys_geteuid())
        error = -EPERM;
    if (!error && (st.st_mode & 0777) != 0700)
        error = sys_fchmod((int)fd, 0700);
    sys_close((int)fd);
    return error;
}

long secret_file_path(char *path, size_t size, const char *tmpdir, unsigned port)
{
    return fmt(path, size, "%s/coordinator-%u.secret", tmpdir, port) + 1 < size ? 0 : -ENAMETOOLONG;
}
