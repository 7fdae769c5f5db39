#include "io.h"

#include "sys.h"

void io_open(struct io *io, int file, bool uring)
{
    io->file = file;
    io->in_flight = 0;
    io->uring = uring && io_uring_queue_init(2 * IO_DEPTH, &io->ring, 0) == 0;
}

/* What is left of a write after `done` bytes, directly. Also the second try for whatever the ring could not do: the error that people
 * see is that of a plain write. */
static long write_rest(struct io *io, struct io_slot *slot, size_t done)
{
    struct iovec *at = slot->vector;
    unsigned count = slot->count;
    uint64_t offset = slot->offset;
    size_t left = slot->size;

    for (;;) {
        offset += done;
        left -= done;
        for (; count && done >= at->iov_len; at++, count--)
            done -= at->iov_len;
        if (!left)
            return 0;
        at->iov_base = (char *)at->iov_base + done;
        at->iov_len -= done;
        long n = sys_pwritev(io->file, at, (int)count, offset);
        if (n == -EINTR)
            n = 0;
        else if (n <= 0)
            return n ? n : -EIO;
        done = (size_t)n;
    }
}

static long reap(struct io *io)
{
    struct io_uring_cqe *cqe;
    long error = io_uring_wait_cqe(&io->ring, &cqe);

    if (error == -EINTR)
        return 0;
    if (error)
        return error;
    struct io_slot *slot = io_uring_cqe_get_data(cqe);
    long result = cqe->res;
    io_uring_cqe_seen(&io->ring, cqe);
    io->in_flight--;
    slot->busy = false;
    return result == (long)slot->size ? 0 : write_rest(io, slot, result > 0 ? (size_t)result : 0);
}

struct io_slot *io_take(struct io *io, long *error)
{
    for (;;) {
        /* What has ended, first: a buffer that is in use already costs no new pages. */
        while (io->in_flight && io_uring_cq_ready(&io->ring))
            if ((*error = reap(io)))
                return NULL;
        for (unsigned i = 0; i < IO_DEPTH; i++)
            if (!io->slots[i].busy)
                return &io->slots[i];
        if ((*error = reap(io)))
            return NULL;
    }
}

long io_write(struct io *io, struct io_slot *slot)
{
    struct io_uring_sqe *sqe = io->uring ? io_uring_get_sqe(&io->ring) : NULL;

    if (!sqe)
        return write_rest(io, slot, 0);
    io_uring_prep_writev(sqe, io->file, slot->vector, slot->count, slot->offset);
    io_uring_sqe_set_data(sqe, slot);
    slot->busy = true;
    io->in_flight++;
    long n = io_uring_submit(&io->ring);
    return n < 0 && n != -EINTR && n != -EAGAIN && n != -EBUSY ? n : 0;
}

long io_drain(struct io *io)
{
    long error = 0, first = 0;

    while (io->in_flight) {
        if (io_uring_sq_ready(&io->ring))
            io_uring_submit(&io->ring);
        if ((error = reap(io)) && !first)
            first = error;
        if (error == -EBADF || error == -ENXIO) /* the ring itself is gone */
            break;
    }
    return first;
}

void io_close(struct io *io)
{
    if (io->uring)
        io_uring_queue_exit(&io->ring);
    io->uring = false;
}
