/* How a program is run under checkpoint control: what dmtcp_launch hands to libckpt in the environment variable CONF_VARIABLE (which
 * libckpt takes out again before main), what an image keeps of it, and what dmtcp_restart may change. Text form: "name=value" pairs, each
 * ended by a newline; backslash escapes newline and backslash. */
#ifndef CONF_H
#define CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONF_VARIABLE "DMTCP_LAUNCHED"
#define CONF_TEXT_MAX 16384

enum { CONF_SNAPSHOT_AUTO = 0, CONF_SNAPSHOT_ALWAYS = 1, CONF_SNAPSHOT_NEVER = 2 };

struct conf {
    char coord_host[256]; /* as the user gave it, for messages */
    char coord_address[64]; /* numeric, IPv4 or IPv6 */
    char host_name[256]; /* this host's */
    char secret_path[4096]; /* of the coordinator's secret, absolute */
    char ckpt_dir[4096]; /* absolute */
    char tmp_dir[4096]; /* absolute, the 0700 directory dmtcp-USER@HOST */
    char log_file[4096]; /* absolute, "" for standard error */
    char computation[48]; /* text of its identity, "" when not part of one yet */
    uint32_t coord_port;
    uint32_t gzip; /* 0, 1 */
    uint32_t gzip_level; /* 1 to 9 */
    uint32_t snapshot; /* CONF_SNAPSHOT_* */
    uint32_t fsync; /* 0, 1 */
    uint32_t ckpt_signal; /* 1 to 64 */
    uint32_t disabled; /* enum feature bits */
    uint32_t log_level; /* enum log_level */
    uint32_t unique_names; /* 0, 1 */
    uint32_t open_files; /* 0, 1: --ckpt-open-files */
    uint32_t allow_overwrite; /* 0, 1 */
    uint32_t strict; /* 0: no uid check at restart */
    uint64_t host_id; /* hash of the host's name, as in upid.host */
    uint32_t had_preload; /* 1: LD_PRELOAD was set by the user */
    uint32_t launch_pid, launch_group, launch_session; /* dmtcp_launch's own, which the program has from it; 0: not known */
    uint64_t stream0, stream1, stream2; /* conf_stream of the standard descriptors upon the launch, or the restart; 0: a file */
    uint32_t seccomp_filters; /* that were upon the launch, or the restart; a container's */
};

/* Names a pipe or a socket that somebody else may have the other end of. Never 0. */
static inline uint64_t conf_stream(uint64_t device, uint64_t inode)
{
    return (device * 0x9e3779b97f4a7c15u ^ inode) | 1ull << 63;
}

/* Defaults of interface.md. */
void conf_init(struct conf *conf);

/* Text form, terminated. Returns its length, or 0 if it does not fit. */
size_t conf_encode(const struct conf *conf, char *text, size_t size);

/* Reads the text form over *conf; names it does not know are skipped (a newer launch), fields not named keep their values. False: malformed. */
bool conf_decode(struct conf *conf, const char *text);

#endif
