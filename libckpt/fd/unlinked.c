/* Regular files that have no name any more, O_TMPFILE included (open(2)): contents and all are in the image (object.c). */
#include "fd.h"
#include "object_list.h"
#include "str.h"

static bool unlinked_claim(const struct description *d)
{
    return S_ISREG(d->st.st_mode) && d->deleted && d->link[0] == '/' && !str_after(d->link, "/memfd:");
}

const struct fd_kind fd_unlinked = {.name = "unlinked file",
                                    .claim = unlinked_claim,
                                    .save = object_save,
                                    .restore = object_restore,
                                    .connect = object_connect,
                                    .refill = object_refill};
