/* The directory for scratch and secrets, <DMTCP_TMPDIR or TMPDIR or /tmp>/dmtcp-USER@HOST, and what lies in it. Free code, so that
 * coordinator and commands compute the same paths; what only libc knows (environment, login name) they hand in:
 *
 *     const struct passwd *user = getpwuid(geteuid());
 *     tmpdir_path(path, sizeof path, option, getenv("DMTCP_TMPDIR"), getenv("TMPDIR"), user ? user->pw_name : NULL); */
#ifndef TMPDIR_H
#define TMPDIR_H

#include <stddef.h>

/* Absolute path below the first of the three that is neither NULL nor empty, else below /tmp. user NULL: the effective uid as a number.
 * 0, -ENAMETOOLONG, or getcwd(2)'s error for a relative one. Looks at nothing in the file system else. */
long tmpdir_path(char *path, size_t size, const char *option, const char *dmtcp_tmpdir, const char *tmpdir, const char *user);

/* Makes it, mode 0700, if it is not there. 0 or -errno; -ENOTDIR or -ELOOP: something else has the name, a symbolic link for one; -EPERM:
 * it is another user's. One of ours whose mode is too open is closed. */
long tmpdir_make(const char *path);

/* <tmpdir>/coordinator-<port>.secret. 0 or -ENAMETOOLONG. */
long secret_file_path(char *path, size_t size, const char *tmpdir, unsigned port);

#endif
