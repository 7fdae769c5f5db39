/* terminal_driver FIFO COMMAND...: runs the command on a new terminal of its own, copies what it writes there to standard output, and what
 * comes through the FIFO to the terminal. Exit code: the command's. */
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct winsize size = {.ws_row = 33, .ws_col = 111};
    int master, status, fifo = open(argv[1], O_RDWR | O_CLOEXEC);
    pid_t child = forkpty(&master, NULL, NULL, &size);
    char buffer[4096];

    if (child == 0) {
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    if (child < 0 || fifo < 0)
        return 126;
    for (;;) {
        struct pollfd set[] = {{.fd = master, .events = POLLIN}, {.fd = fifo, .events = POLLIN}};
        ssize_t n;

        if (poll(set, 2, -1) < 0)
            return 126;
        if (set[0].revents) {
            if ((n = read(master, buffer, sizeof buffer)) <= 0)
                break; /* EIO: the last one has closed it */
            if (write(STDOUT_FILENO, buffer, (size_t)n) != n)
                return 126;
        } else if (set[1].revents) {
            if ((n = read(fifo, buffer, sizeof buffer)) > 0 && write(master, buffer, (size_t)n) != n)
                return 126;
        }
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
