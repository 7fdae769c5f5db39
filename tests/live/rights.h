/* Sending descriptors over unix sockets: SCM_RIGHTS of unix(7). */
#ifndef RIGHTS_H
#define RIGHTS_H

#include <sys/socket.h>

#include "step.h"

__attribute__((unused)) static void send_rights(int through, const char *word, const int *fds, int count)
{
    char control[CMSG_SPACE(16 * sizeof(int))] __attribute__((aligned(8))) = {0};
    struct iovec part = {(char *)word, strlen(word)};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE((size_t)count * sizeof(int))};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);

    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
    memcpy(CMSG_DATA(rights), fds, (size_t)count * sizeof(int));
    CHECK(sendmsg(through, &header, 0) == (ssize_t)strlen(word));
}

/* Exactly these words and so many descriptors. */
__attribute__((unused)) static void receive_rights(int from, const char *word, int *fds, int count)
{
    char control[CMSG_SPACE(16 * sizeof(int))] __attribute__((aligned(8))), text[64];
    struct iovec part = {text, sizeof text};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(from, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);

    if (n != (ssize_t)strlen(word) || memcmp(text, word, strlen(word)))
        FAIL("step %d: %zd bytes for \"%s\": %.*s (errno %d)", step_number_, n, word, (int)n, text, errno);
    if (!count) {
        CHECK(!rights);
        return;
    }
    if (!rights || rights->cmsg_type != SCM_RIGHTS || rights->cmsg_len != CMSG_LEN((size_t)count * sizeof(int)))
        FAIL("step %d: \"%s\" came with type %d, %zu bytes, flags %x", step_number_, word, rights ? rights->cmsg_type : -1,
             rights ? (size_t)rights->cmsg_len : 0, header.msg_flags);
    memcpy(fds, CMSG_DATA(rights), (size_t)count * sizeof(int));
}

#endif
