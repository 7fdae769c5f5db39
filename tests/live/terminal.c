/* Standard streams on a terminal: still one after a restart (a different one), with a name, our group in the foreground, line input. */
#include <sys/ioctl.h>
#include <termios.h>

#include "step.h"

int main(void)
{
    char line[64];
    struct winsize size;
    struct termios termios;

    for (int number = 1; step(); number++) {
        for (int fd = 0; fd < 3; fd++) {
            CHECK(isatty(fd));
            CHECK(ttyname(fd) && strncmp(ttyname(fd), "/dev/pts/", 9) == 0);
        }
        CHECK(tcgetattr(0, &termios) == 0 && termios.c_lflag & ICANON);
        CHECK(ioctl(0, TIOCGWINSZ, &size) == 0 && size.ws_row == 33 && size.ws_col == 111);
        CHECK(tcgetpgrp(0) == getpgrp());
        int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
        CHECK(tty >= 0);
        close(tty);
        CHECK(fgets(line, sizeof line, stdin));
        printf("line: %s", line);
        fflush(stdout);
    }
    return 0;
}
