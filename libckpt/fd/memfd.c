/* memfd_create(2): contents are in the image, seals come back (object.c). */
#include "fd.h"
#include "object_list.h"
#include "str.h"

static bool memfd_claim(const struct description *d)
{
    return S_ISREG(d->st.st_mode) && d->deleted && str_after(d->link, "/memfd:");
}

const struct fd_kind fd_memfd = {.name = "memfd",
                                 .claim = memfd_claim,
                                 .save = object_save,
                                 .restore = object_restore,
                                 .connect = object_connect,
                                 .refill = object_refill};
