/* Files of /dev/shm: memory that has a name (shm_overview(7)). Their contents go with the computation (object.c), as those of the mappings do: the
 * program finds what was there at the checkpoint, whatever has become of the file since. Only directly in /dev/shm, where shm_open(3) makes them;
 * below, people keep ordinary files. One that was opened by another name than it has now counts too. */
#include "fd.h"
#include "object.h"
#include "object_list.h"
#include "str.h"
#include "sys.h"

static bool memory_file_claim(const struct description *d)
{
    if (S_ISREG(d->st.st_mode) && d->deleted && d->st.st_nlink && object_is_memory_file(d->link))
        return d->st.st_uid == sys_geteuid();
    return S_ISREG(d->st.st_mode) && !d->deleted && object_is_memory_file(d->link) && !str_find(d->link + sizeof "/dev/shm", '/') &&
           d->st.st_uid == sys_geteuid();
}

const struct fd_kind fd_memory_file = {.name = "memory file",
                                       .claim = memory_file_claim,
                                       .save = object_save,
                                       .restore = object_restore,
                                       .connect = object_connect,
                                       .refill = object_refill};
