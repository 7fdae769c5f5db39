/* Ends, stops or counts signals as the file $STEP_DIR/how tells it at each step: "exit N", "signal N", "stop", "count" (signals so far, to
 * the file `counted`), "say" (something to standard output, and whether that is a terminal). */
#include <signal.h>

#include "step.h"

static volatile int interrupts, users, terms;

static void on_signal(int number)
{
    if (number == SIGINT)
        interrupts++;
    else if (number == SIGUSR1)
        users++;
    else
        terms++;
}

static void write_counts(void)
{
    char text[64];
    int n = snprintf(text, sizeof text, "INT %d USR1 %d TERM %d\n", interrupts, users, terms);
    int fd = open("counted.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    CHECK(fd >= 0 && write(fd, text, (size_t)n) == n && close(fd) == 0 && rename("counted.new", "counted") == 0);
}

int main(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    while (step()) {
        char path[512], text[64] = "";
        int fd = open(step_path_(path, sizeof path, "how"), O_RDONLY | O_CLOEXEC), number = 0;

        CHECK(fd >= 0 && read(fd, text, sizeof text - 1) > 0 && close(fd) == 0);
        if (sscanf(text, "exit %d", &number) == 1)
            exit(number);
        if (sscanf(text, "signal %d", &number) == 1)
            raise(number);
        if (!strncmp(text, "stop", 4))
            raise(SIGTSTP);
        if (!strncmp(text, "handle", 6)) {
            CHECK(!sigaction(SIGINT, &action, NULL) && !sigaction(SIGUSR1, &action, NULL) && !sigaction(SIGTERM, &action, NULL));
        }
        if (!strncmp(text, "say", 3))
            dprintf(1, "said at step %d, %s\n", step_number_, isatty(1) && isatty(0) ? "to a terminal" : "to no terminal");
        if (!strncmp(text, "count", 5))
            write_counts();
    }
    return 0;
}
