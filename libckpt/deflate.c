#include "deflate.h"

#include <zlib.h>

#include "str.h"

#define MEMBER_HEAD 24 /* fixed header, length of the extra field, the field */
#define MEMBER_TAIL 8
#define STORED_MAX 65535u

struct deflater {
    z_stream stream;
    unsigned hard; /* chunks in a row that did not shrink */
    size_t used; /* of arena */
    unsigned char arena[] __attribute__((aligned(16)));
};

static void *arena_alloc(void *opaque, unsigned items, unsigned size)
{
    struct deflater *deflater = opaque;
    size_t need = ((size_t)items * size + 15) & ~(size_t)15;

    if (need > DEFLATE_MEMORY - sizeof *deflater - deflater->used)
        return NULL;
    deflater->used += need;
    return deflater->arena + deflater->used - need;
}

static void arena_free(void *opaque, void *memory)
{
}

struct deflater *deflater_place(void *memory, unsigned level)
{
    struct deflater *deflater = memory;

    deflater->stream.zalloc = arena_alloc;
    deflater->stream.zfree = arena_free;
    deflater->stream.opaque = deflater;
    return deflateInit2(&deflater->stream, (int)level, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK ? deflater : NULL;
}

static unsigned char *put16(unsigned char *to, unsigned value)
{
    to[0] = (unsigned char)value;
    to[1] = (unsigned char)(value >> 8);
    return to + 2;
}

static unsigned char *put32(unsigned char *to, size_t value)
{
    return put16(put16(to, value & 0xffff), (unsigned)(value >> 16) & 0xffff);
}

static size_t stored_size(size_t raw_size)
{
    return raw_size + 5 * ((raw_size + STORED_MAX - 1) / STORED_MAX);
}

size_t member_stored_size(size_t raw_size)
{
    return MEMBER_HEAD + stored_size(raw_size) + MEMBER_TAIL;
}

size_t member_bound(size_t raw_size)
{
    return member_stored_size(raw_size);
}

/* Head and tail around `size` bytes of deflate data. */
static size_t enclose(const struct iovec *pieces, unsigned count, size_t raw_size, unsigned char *out, size_t size)
{
    static const unsigned char fixed[12] = {0x1f, 0x8b, 8, 4 /* FEXTRA */, 0, 0, 0, 0, 0, 3 /* Unix */, 12, 0};
    uLong crc = 0;

    memcpy(out, fixed, sizeof fixed);
    unsigned char *at = out + sizeof fixed;
    *at++ = 'D';
    *at++ = 'C';
    at = put16(at, 8);
    at = put32(at, MEMBER_HEAD + size + MEMBER_TAIL);
    put32(at, raw_size);
    for (unsigned i = 0; i < count; i++)
        crc = crc32(crc, pieces[i].iov_base, (uInt)pieces[i].iov_len);
    put32(put32(out + MEMBER_HEAD + size, crc), raw_size);
    return MEMBER_HEAD + size + MEMBER_TAIL;
}

size_t member_store(const struct iovec *pieces, unsigned count, size_t raw_size, unsigned char *out)
{
    unsigned char *to = out + MEMBER_HEAD;
    size_t left = raw_size, room = 0;

    for (unsigned i = 0; i < count; i++) {
        const unsigned char *from = pieces[i].iov_base;

        for (size_t size = pieces[i].iov_len; size;) {
            if (!room) {
                room = left < STORED_MAX ? left : STORED_MAX;
                left -= room;
                *to++ = left ? 0 : 1; /* final */
                to = put16(put16(to, (unsigned)room), ~(unsigned)room & 0xffff);
            }
            size_t now = size < room ? size : room;
            memcpy(to, from, now);
            to += now;
            from += now;
            room -= now;
            size -= now;
        }
    }
    return enclose(pieces, count, raw_size, out, stored_size(raw_size));
}

/* Size of the deflate data, 0: it is not worth it. The first stretch is ended by a block boundary, so that what it came to is known. */
static size_t deflate_pieces(struct deflater *deflater, const struct iovec *pieces, unsigned count, size_t raw_size, unsigned char *out)
{
    z_stream *stream = &deflater->stream;
    size_t sample = deflater->hard ? 16u << 10 : 32u << 10, fed = 0, room = raw_size - raw_size / 64;

    deflateReset(stream);
    stream->next_out = out;
    stream->avail_out = (uInt)room;
    for (unsigned i = 0; i < count; i++) {
        unsigned char *from = pieces[i].iov_base;

        for (size_t left = pieces[i].iov_len; left;) {
            size_t now = fed < sample && left > sample - fed ? sample - fed : left;
            bool last = fed + now == raw_size;

            stream->next_in = from;
            stream->avail_in = (uInt)now;
            from += now;
            left -= now;
            fed += now;
            int result = deflate(stream, last ? Z_FINISH : fed == sample ? Z_BLOCK : Z_NO_FLUSH);
            if (last ? result != Z_STREAM_END : stream->avail_in || !stream->avail_out)
                return 0;
            if (!last && fed == sample && stream->total_out > sample - sample / 32)
                return 0;
        }
    }
    return room - stream->avail_out;
}

size_t deflater_member(struct deflater *deflater, const struct iovec *pieces, unsigned count, size_t raw_size, unsigned char *out)
{
    size_t size = 0;

    /* Among data that does not shrink only every fourth chunk is tried at all. */
    if (deflater->hard < 4 || deflater->hard % 4 == 0)
        size = deflate_pieces(deflater, pieces, count, raw_size, out + MEMBER_HEAD);
    deflater->hard = size ? 0 : deflater->hard + 1;
    return size ? enclose(pieces, count, raw_size, out, size) : member_store(pieces, count, raw_size, out);
}
