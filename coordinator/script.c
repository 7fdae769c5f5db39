#include "script.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "files.h"
#include "listen.h"
#include "msg.h"
#include "set.h"

struct script {
    char *text;
    size_t size;
    char name[UPID_TEXT_MAX + 32]; /* of the file */
};

static const char *directory;

/* Everything in the script that does not depend on the set. Before it stand the variables computation, dmtcp_bin, coord_host, coord_port and
 * hosts, and the function each_host. */
static const char body[] =
    "\n"
    "hostfile='' ckptdir=${DMTCP_CHECKPOINT_DIR:-} restartdir='' tmpdir='' strict=yes interval='' logfile=''\n"
    "\n"
    "fail() {\n"
    "    echo \"${0##*/}: $*\" >&2\n"
    "    exit 99\n"
    "}\n"
    "\n"
    "usage() {\n"
    "    cat <<END\n"
    "Usage: ${0##*/} [options]\n"
    "Restarts computation $computation.\n"
    "\n"
    "  -h, --coord-host H     the coordinator's host (now $coord_host)\n"
    "  -p, --coord-port P     the coordinator's port (now $coord_port)\n"
    "  --hostfile F           hosts to restart on, one a line, in the order of the hosts in this script\n"
    "  --ckptdir D            directory for later checkpoints\n"
    "  --restartdir D         the images are in D\n"
    "  --tmpdir D             directory for scratch\n"
    "  --no-strict-checking   also restart images of another user\n"
    "  --interval S           checkpoint every S seconds\n"
    "  --coord-logfile F      log of a coordinator that is started\n"
    "  --help                 this\n"
    "END\n"
    "    exit 0\n"
    "}\n"
    "\n"
    "absolute() {\n"
    "    case $1 in\n"
    "    /*) printf '%s\\n' \"$1\" ;;\n"
    "    *) printf '%s/%s\\n' \"$(pwd)\" \"$1\" ;;\n"
    "    esac\n"
    "}\n"
    "\n"
    "while [ $# -gt 0 ]; do\n"
    "    option=$1\n"
    "    shift\n"
    "    case $option in\n"
    "    --help) usage ;;\n"
    "    --no-strict-checking) strict=no && continue ;;\n"
    "    -h | --coord-host | --host | -p | --coord-port | --port | --hostfile | -c | --ckptdir | -r | --restartdir) ;;\n"
    "    -t | --tmpdir | -i | --interval | --coord-logfile) ;;\n"
    "    *) fail \"unknown option $option (--help lists them)\" ;;\n"
    "    esac\n"
    "    [ $# -gt 0 ] || fail \"option $option needs a value\"\n"
    "    case $option in\n"
    "    -h | --coord-host | --host) coord_host=$1 ;;\n"
    "    -p | --coord-port | --port) coord_port=$1 ;;\n"
    "    --hostfile) hostfile=$1 ;;\n"
    "    -c | --ckptdir) ckptdir=$(absolute \"$1\") ;;\n"
    "    -r | --restartdir) restartdir=$(absolute \"$1\") ;;\n"
    "    -t | --tmpdir) tmpdir=$(absolute \"$1\") ;;\n"
    "    -i | --interval) interval=$1 ;;\n"
    "    --coord-logfile) logfile=$(absolute \"$1\") ;;\n"
    "    esac\n"
    "    shift\n"
    "done\n"
    "[ -z \"$hostfile\" ] || [ -r \"$hostfile\" ] || fail \"--hostfile $hostfile: can't be read\"\n"
    "\n"
    "# The path of a DMTCP command: beside the coordinator that wrote this, else where PATH finds it.\n"
    "tool() {\n"
    "    if [ -x \"$dmtcp_bin/$1\" ]; then\n"
    "        printf '%s\\n' \"$dmtcp_bin/$1\"\n"
    "    else\n"
    "        printf '%s\\n' \"$1\"\n"
    "    fi\n"
    "}\n"
    "\n"
    "# The arguments as words for a shell, here or on another host.\n"
    "quote() {\n"
    "    for word in \"$@\"; do\n"
    "        printf \"'%s' \" \"$(printf '%s\\n' \"$word\" | sed \"s/'/'\\\\\\\\''/g\")\"\n"
    "    done\n"
    "}\n"
    "\n"
    "is_here() {\n"
    "    [ \"$1\" = \"$(uname -n)\" ] || [ \"$1\" = localhost ]\n"
    "}\n"
    "\n"
    "# Where the images of the host in turn are to run: sets number and host.\n"
    "choose_host() {\n"
    "    number=$((number + 1))\n"
    "    host=$1\n"
    "    [ -n \"$hostfile\" ] || return 0\n"
    "    host=$(sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' \"$hostfile\" | sed -n \"${number}p\")\n"
    "    [ -n \"$host\" ] || fail \"--hostfile $hostfile: it names fewer than the $hosts hosts of this checkpoint\"\n"
    "}\n"
    "\n"
    "# Sets command to what restarts the images: OPTION... -- IMAGE...\n"
    "set_command() {\n"
    "    command=$(quote \"$(tool dmtcp_restart)\" --coord-host \"$coord_host\" --coord-port \"$coord_port\")\n"
    "    [ -z \"$ckptdir\" ] || command=$command$(quote --ckptdir \"$ckptdir\")\n"
    "    [ -z \"$tmpdir\" ] || command=$command$(quote --tmpdir \"$tmpdir\")\n"
    "    [ -z \"$interval\" ] || command=$command$(quote --interval \"$interval\")\n"
    "    [ -z \"$logfile\" ] || command=$command$(quote --coord-logfile \"$logfile\")\n"
    "    [ \"$strict\" = yes ] || command=$command$(quote --no-strict-checking)\n"
    "    [ \"$hosts\" -eq 1 ] || command=$command$(quote --join-coordinator)\n"
    "    for image in \"$@\"; do\n"
    "        [ -z \"$restartdir\" ] || image=$restartdir/${image##*/}\n"
    "        command=$command$(quote \"$image\")\n"
    "    done\n"
    "}\n"
    "\n"
    "# Which host keeps the foreground: this one, if it has images, else the first.\n"
    "choose_foreground() {\n"
    "    choose_host \"$1\"\n"
    "    if [ \"$foreground\" -eq 0 ] || { is_here \"$host\" && [ \"$here\" = no ]; }; then\n"
    "        foreground=$number\n"
    "        is_here \"$host\" && here=yes\n"
    "    fi\n"
    "    is_here \"$host\" || elsewhere=yes\n"
    "}\n"
    "\n"
    "start() {\n"
    "    choose_host \"$1\"\n"
    "    shift\n"
    "    set_command \"$@\"\n"
    "    is_here \"$host\" || command=\"cd $(quote \"$(pwd)\") 2>/dev/null; exec $command\"\n"
    "    if [ \"$number\" -eq \"$foreground\" ]; then\n"
    "        foreground_host=$host\n"
    "        foreground_command=$command\n"
    "    elif is_here \"$host\"; then\n"
    "        eval \"$command\" </dev/null &\n"
    "    else\n"
    "        # shellcheck disable=SC2029 # it is quoted for the other side\n"
    "        ssh -n \"$host\" \"$command\" &\n"
    "    fi\n"
    "}\n"
    "\n"
    "number=0 foreground=0 here=no elsewhere=no\n"
    "each_host choose_foreground\n"
    "\n"
    "# Several hosts need a coordinator that all of them reach, before the first of them looks for it.\n"
    "if [ \"$elsewhere\" = yes ]; then\n"
    "    case $coord_host in\n"
    "    localhost | 127.* | ::1) coord_host=$(uname -n) ;;\n"
    "    esac\n"
    "fi\n"
    "if [ \"$hosts\" -gt 1 ]; then\n"
    "    set -- --coord-host \"$coord_host\" --coord-port \"$coord_port\"\n"
    "    [ -z \"$tmpdir\" ] || set -- \"$@\" --tmpdir \"$tmpdir\"\n"
    "    if ! \"$(tool dmtcp_command)\" \"$@\" --status >/dev/null 2>&1; then\n"
    "        [ -z \"$logfile\" ] || set -- \"$@\" --coord-logfile \"$logfile\"\n"
    "        \"$(tool dmtcp_coordinator)\" --daemon --exit-on-last \"$@\" || exit\n"
    "    fi\n"
    "fi\n"
    "\n"
    "number=0 foreground_host='' foreground_command=''\n"
    "each_host start\n"
    "if is_here \"$foreground_host\"; then\n"
    "    [ \"$hosts\" -gt 1 ] || eval \"exec $foreground_command\"\n"
    "    eval \"$foreground_command\"\n"
    "elif [ -t 0 ]; then\n"
    "    # shellcheck disable=SC2029 # it is quoted for the other side\n"
    "    ssh -t \"$foreground_host\" \"$foreground_command\"\n"
    "else\n"
    "    # shellcheck disable=SC2029 # it is quoted for the other side\n"
    "    ssh \"$foreground_host\" \"$foreground_command\"\n"
    "fi\n"
    "code=$?\n"
    "wait\n"
    "exit $code\n";

void script_set_directory(const char *path)
{
    directory = path;
}

const char *script_problem(void)
{
    static char text[PATH_MAX + 128];

    if (!faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS))
        return NULL;
    snprintf(text, sizeof text, "the restart script can't be written to %s: %s (dmtcp_coordinator --ckptdir gives another directory)", directory,
             strerror(errno));
    return text;
}

/* A word for the shell, whatever is in it. */
static void put_quoted(FILE *out, const char *word)
{
    fputc('\'', out);
    for (; *word; word++)
        if (*word == '\'')
            fputs("'\\''", out);
        else
            fputc(*word, out);
    fputc('\'', out);
}

/* Text from elsewhere in a comment: must stay in it. */
static void put_comment(FILE *out, const char *text)
{
    for (; *text; text++)
        fputc(*text == '\n' ? ' ' : *text, out);
}

static int by_host_and_image(const void *a, const void *b)
{
    const struct worker *left = *(struct worker *const *)a, *right = *(struct worker *const *)b;
    int order = strcmp(left->host->name, right->host->name);

    return order ? order : strcmp(left->image, right->image);
}

static void put_head(FILE *out, const char *computation_name, unsigned hosts)
{
    char date[64] = "", program[PATH_MAX];
    time_t now = time(NULL);
    struct tm local;
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    char *slash;

    program[n > 0 ? n : 0] = 0;
    slash = strrchr(program, '/');
    if (slash)
        *slash = 0;
    localtime_r(&now, &local);
    strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S %z", &local);
    fprintf(out, "#!/bin/sh\n# Restarts checkpoint %u of computation ", set_generation());
    put_comment(out, computation_name);
    fprintf(out, ", taken %s: %u process%s on %u host%s.\n", date, set_size(), set_size() == 1 ? "" : "es", hosts, hosts == 1 ? "" : "s");
    fprintf(out, "# Written by dmtcp_coordinator " DMTCP_VERSION ". To restart a host's images elsewhere, change its name below, or give --hostfile.\n"
                 "\n# shellcheck disable=SC2016,SC2317 # paths are meant as they stand; each_host calls what it is given\n");
    fprintf(out, "\ncomputation=");
    put_quoted(out, computation_name);
    fprintf(out, "\ndmtcp_bin=");
    put_quoted(out, program);
    fprintf(out, "\ncoord_host=${DMTCP_COORD_HOST:-${DMTCP_HOST:-localhost}}\n"
                 "coord_port=${DMTCP_COORD_PORT:-${DMTCP_PORT:-%u}}\nhosts=%u\n", listen_port(), hosts);
}

static void put_hosts(FILE *out, struct worker **members, unsigned count)
{
    fprintf(out, "\n# Each line that begins with \"$@\" is a host; its images follow.\neach_host() {\n");
    for (unsigned i = 0; i < count; i++) {
        if (!i || members[i]->host != members[i - 1]->host) {
            fprintf(out, "    \"$@\" ");
            put_quoted(out, members[i]->host->name);
        }
        fprintf(out, " \\\n        ");
        put_quoted(out, members[i]->image);
        if (i + 1 == count || members[i]->host != members[i + 1]->host)
            fputc('\n', out);
    }
    fprintf(out, "}\n");
}

struct script *script_compose(struct list *departed, unsigned departed_count)
{
    struct script *script = calloc(1, sizeof *script);
    struct worker **members = calloc(set_size() + departed_count, sizeof *members), *worker;
    char name[UPID_TEXT_MAX];
    unsigned count = 0, hosts = 0;
    FILE *out;

    out = script && members ? open_memstream(&script->text, &script->size) : NULL;
    if (!out) {
        free(members);
        free(script);
        return NULL;
    }
    LIST_EACH(worker, set_members(), struct worker, member_link)
        members[count++] = worker;
    LIST_EACH(worker, departed, struct worker, member_link)
        members[count++] = worker;
    qsort(members, count, sizeof *members, by_host_and_image);
    for (unsigned i = 0; i < count; i++)
        hosts += !i || members[i]->host != members[i - 1]->host;
    upid_text(&computation.name, name);
    snprintf(script->name, sizeof script->name, "dmtcp_restart_script_%s.sh", name);
    put_head(out, name, hosts);
    put_hosts(out, members, count);
    fputs(body, out);
    free(members);
    if (fclose(out)) {
        script_free(script);
        return NULL;
    }
    return script;
}

/* Returns 0 or errno. */
static int replace_link(const char *target)
{
    char path[PATH_MAX], temporary[PATH_MAX];

    if (snprintf(path, sizeof path, "%s/dmtcp_restart_script.sh", directory) >= (int)sizeof path ||
        snprintf(temporary, sizeof temporary, "%s.%d.temp", path, (int)getpid()) >= (int)sizeof temporary)
        return ENAMETOOLONG;
    unlink(temporary);
    if (symlink(target, temporary))
        return errno;
    if (rename(temporary, path)) {
        int error = errno;

        unlink(temporary);
        return error;
    }
    return 0;
}

char *script_write(const struct script *script)
{
    char path[PATH_MAX], *problem;
    int error = ENOMEM;

    if (script)
        error = snprintf(path, sizeof path, "%s/%s", directory, script->name) < (int)sizeof path
                    ? file_replace(path, script->text, script->size, 0755, true)
                    : ENAMETOOLONG;
    if (!error)
        error = replace_link(script->name);
    if (!error)
        return NULL;
    if (asprintf(&problem, "its restart script could not be written to %s: %s", directory, strerror(error)) < 0)
        return strdup("its restart script could not be written");
    return problem;
}

void script_free(struct script *script)
{
    if (script)
        free(script->text);
    free(script);
}
