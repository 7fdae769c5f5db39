#include "unix_held.h"

#include "str.h"
#include "sys.h"

bool unix_held_possible;

int unix_held_take(int fd)
{
    char word[UNIX_HELD_SIZE], control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
    struct iovec part = {word, sizeof word};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    const struct cmsghdr *rights = (const void *)control;

    if (sys_recvfrom(fd, word, sizeof word, MSG_PEEK | MSG_DONTWAIT) != UNIX_HELD_SIZE || memcmp(word, UNIX_HELD_WORD, UNIX_HELD_SIZE))
        return -1;
    memset(control, 0, sizeof control);
    if (syscall3(__NR_recvmsg, fd, (long)&header, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != UNIX_HELD_SIZE ||
        header.msg_controllen < sizeof *rights || rights->cmsg_level != SOL_SOCKET || rights->cmsg_type != SCM_RIGHTS)
        return -1;
    sys_close(fd);
    return *(const int *)(const void *)CMSG_DATA(rights);
}
