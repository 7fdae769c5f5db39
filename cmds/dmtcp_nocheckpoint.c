/* dmtcp_nocheckpoint: runs a command outside checkpoint control, from within a program that is under it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "die.h"
#include "str.h"

/* Takes our library out of LD_PRELOAD; ld.so(8): spaces or colons separate. The user's own entries stay as they are. */
static void clean_preload(void)
{
    const char *at = getenv("LD_PRELOAD");
    char *rest, *to;

    if (!at)
        return;
    to = rest = malloc(strlen(at) + 1);
    if (!rest)
        die(FAIL_TOOL, "no memory");
    while (*at) {
        size_t length = strcspn(at, " :"), whole = length + (at[length] != 0);
        char *start = to;

        to = mempcpy(to, at, length);
        *to = 0;
        if (str_equal(str_base(start), "libckpt.so"))
            to = start;
        else if (at[length])
            *to++ = at[length];
        at += whole;
    }
    while (to > rest && (to[-1] == ':' || to[-1] == ' '))
        to--;
    *to = 0;
    if (*rest ? setenv("LD_PRELOAD", rest, 1) : unsetenv("LD_PRELOAD"))
        die(FAIL_TOOL, "LD_PRELOAD: %m");
    free(rest);
}

int main(int argc, char **argv)
{
    int command = 1;

    die_init(argv[0]);
    if (argc > 1 && str_equal(argv[1], "--help")) {
        puts("usage: dmtcp_nocheckpoint [--] command [argument]...\n"
             "Runs a command outside checkpoint control.");
        return 0;
    }
    if (argc > 1 && str_equal(argv[1], "--version")) {
        printf("%s (DMTCP) %s\n", die_name(), DMTCP_VERSION);
        return 0;
    }
    if (argc > 1 && str_equal(argv[1], "--"))
        command++;
    else if (argc > 1 && argv[1][0] == '-')
        die(FAIL_TOOL, "unknown option %s (see %s --help)", argv[1], die_name());
    if (command >= argc)
        die(FAIL_TOOL, "no command given (see %s --help)", die_name());
    clean_preload();
    unsetenv(CONF_VARIABLE);
    execvp(argv[command], argv + command);
    die(FAIL_TOOL, "%s: %m", argv[command]);
}
