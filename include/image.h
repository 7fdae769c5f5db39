/* The checkpoint image. docs/image-format.md is the specification in words; this header is the same in C.
 *
 * A raw image is: one header page, chunks of page data, then the sections. All offsets named raw_* count bytes of the raw image. The
 * compressed form is a sequence of gzip members, whose contents put together are exactly the raw image: member one holds the header
 * page (as a stored block, so that its length is known before its contents), then one member a chunk, then one a section. Each member
 * carries its own compressed size in an extra field 'D','C' (8 bytes: u32 size of the whole member, u32 size of its contents).
 * Offsets named file_* count bytes of the file that was written; in a raw image they equal the raw ones, and a reader that
 * finds raw contents (because somebody ran zcat) uses raw offsets everywhere.
 *
 * Little-endian. All counts and lengths are checked against the file by image_open() in base/, which is the only parser. */
#ifndef IMAGE_H
#define IMAGE_H

#include "ident.h"

#define IMAGE_MAGIC "DMTCP_CHECKPOINT_IMAGE_v1\n"
#define IMAGE_VERSION 1u
#define IMAGE_PAGE 4096u
#define IMAGE_MAX_CHUNK (1u << 20) /* raw bytes in a chunk, at most */

/* A range of the file that is no page data. Entries are fixed-size structs, except in STRINGS and RECORDS (bytes). */
enum image_section_id {
    IMAGE_SEGMENTS, /* struct image_segment, by ascending address */
    IMAGE_CHUNKS, /* struct image_chunk, by ascending raw offset */
    IMAGE_RUNS, /* struct image_run, those of one chunk together, in the order of the chunk's bytes */
    IMAGE_STRINGS, /* zero-terminated, offset 0 is the empty string */
    IMAGE_RECORDS, /* struct image_record and its payload, padded to 8 bytes, repeated */
    IMAGE_SECTIONS
};

struct image_section {
    uint64_t raw_offset;
    uint64_t raw_size;
    uint64_t file_offset;
    uint64_t file_size; /* of the gzip member, or raw_size */
    uint32_t crc; /* CRC-32C of the raw bytes */
    uint32_t unused;
};

enum { IMAGE_COMPRESSED = 1u << 0 };

struct image_header { /* padded with zeros to IMAGE_PAGE */
    char magic[32];
    uint32_t version;
    uint32_t page_size;
    uint32_t crc; /* CRC-32C of the whole header page with this field zero */
    uint32_t flags;
    uint64_t raw_size;
    uint64_t file_size;
    struct upid process;
    struct upid computation;
    uint32_t generation;
    uint32_t processes; /* in the set */
    uint64_t memory_bytes; /* page data stored */
    struct image_section section[IMAGE_SECTIONS];
    uint64_t entry; /* libckpt's restart entry: void entry(struct handoff *) */
    uint32_t machine; /* ELF e_machine */
    uint32_t unused;
};
_Static_assert(sizeof(struct image_header) <= IMAGE_PAGE, "one page");

/* One stored stretch of the raw image, checked, compressed and loaded on its own. */
struct image_chunk {
    uint64_t raw_offset; /* multiple of IMAGE_PAGE */
    uint64_t file_offset;
    uint32_t raw_size; /* multiple of IMAGE_PAGE, at most IMAGE_MAX_CHUNK */
    uint32_t file_size; /* of the gzip member, or raw_size */
    uint32_t crc; /* CRC-32C of the raw bytes */
    uint32_t run_count;
    uint64_t first_run;
};
_Static_assert(sizeof(struct image_chunk) == 40, "file format");

/* Consecutive pages of a chunk that go to consecutive addresses, all within one segment. */
struct image_run {
    uint64_t address; /* page aligned; the low bits are flags */
    uint32_t pages;
    uint32_t segment; /* index */
};
_Static_assert(sizeof(struct image_run) == 16, "file format");
/* The pages are those of the mapped file, never written to: need not be loaded where the file itself is mapped again. */
#define IMAGE_RUN_CLEAN 1u

enum image_segment_kind {
    IMAGE_ANON = 1, /* private anonymous, [heap] and the like included */
    IMAGE_STACK = 2, /* the main thread's stack, grows down */
    IMAGE_FILE_PRIVATE = 3, /* private mapping of a file; all contents are stored, so the file need not exist */
    IMAGE_FILE_SHARED = 4, /* shared mapping of a file that keeps the contents; none stored */
    IMAGE_SHARED = 5, /* shared memory without a file, or whose file is gone: contents stored; `device`,`inode` tell which mappings
                       * are the same memory */
    IMAGE_VDSO = 6, /* contents stored */
    IMAGE_VVAR = 7, /* [vvar], [vvar_vclock]: none stored */
};

/* VmFlags that come back (proc_pid_smaps(5)). */
enum {
    IMAGE_VM_GROWSDOWN = 1u << 0, /* gd */
    IMAGE_VM_NORESERVE = 1u << 1, /* nr */
    IMAGE_VM_DONTDUMP = 1u << 2, /* dd */
    IMAGE_VM_DONTFORK = 1u << 3, /* dc */
    IMAGE_VM_WIPEONFORK = 1u << 4, /* wf */
    IMAGE_VM_LOCKED = 1u << 5, /* lo */
    IMAGE_VM_HUGEPAGE = 1u << 6, /* hg */
    IMAGE_VM_NOHUGEPAGE = 1u << 7, /* nh */
    IMAGE_VM_MERGEABLE = 1u << 8, /* mg */
    IMAGE_VM_SEQUENTIAL = 1u << 9, /* sr */
    IMAGE_VM_RANDOM = 1u << 10, /* rr */
    IMAGE_VM_HUGETLB = 1u << 11, /* ht */
    IMAGE_VM_MAYWRITE = 1u << 12, /* mw: a shared mapping that may become writable */
    IMAGE_VM_NAMED = 1u << 13, /* not the kernel's: IMAGE_SHARED whose memory has a name, that of a file below /dev/shm */
};

struct image_segment {
    uint64_t start, end; /* page aligned, start < end */
    uint64_t offset; /* in the file */
    uint64_t device, inode; /* of the file or of the shared memory */
    uint64_t file_size; /* bytes, when the checkpoint was taken */
    int64_t mtime_ns;
    uint32_t kind; /* enum image_segment_kind */
    uint32_t prot; /* PROT_READ | PROT_WRITE | PROT_EXEC */
    uint32_t vm_flags;
    uint32_t name; /* offset in STRINGS: path or "[heap]" and the like */
    uint32_t huge_page_size; /* bytes; hugetlb only, else 0 */
    uint32_t mode; /* IMAGE_VM_NAMED: permissions of the file, as in st_mode */
};
_Static_assert(sizeof(struct image_segment) == 80, "file format");

struct image_record {
    uint32_t type; /* enum image_record_type; a reader rejects what it does not know unless OPTIONAL is set */
    uint32_t size; /* of the payload, without padding */
};
#define IMAGE_RECORD_OPTIONAL 0x80000000u

enum image_record_type {
    IMAGE_REC_PROCESS = 1, /* struct image_process; exactly one */
    IMAGE_REC_MM = 2, /* struct image_mm; exactly one */
    IMAGE_REC_VDSO = 3, /* struct image_vdso_symbol, repeated */
    IMAGE_REC_THREADS = 4, /* u32 virtual tids, main thread first */
    IMAGE_REC_CONF = 5, /* base/conf.h text with its terminator: how the program was launched */
    IMAGE_REC_GUARDS = 6, /* struct image_guard, repeated: MADV_GUARD_INSTALL regions */
    IMAGE_REC_ZOMBIES = 8, /* struct image_zombie, repeated: children that have ended and are not waited for yet */
    IMAGE_REC_PTYS = 9, /* struct image_pty, repeated: pseudo terminals whose master the process has */
    IMAGE_REC_SYSV = 17, /* struct image_sysv and contents, a record an object of System V IPC */
    IMAGE_REC_OBJECTS = 16, /* struct image_object, repeated: files and memory without a name that descriptors of the process hold */
    IMAGE_REC_DESCRIPTORS = 7 | IMAGE_RECORD_OPTIONAL, /* text, a line a descriptor: "3 file /path"; for people */
};

/* What dmtcp_restart needs before memory exists again. Offsets named *_name are in STRINGS. */
struct image_process {
    uint32_t pid, ppid, pgid, sid; /* virtual */
    uint32_t uid, gid;
    uint32_t host_name, program_name, kernel_name, libc_name;
    uint32_t threads;
    uint32_t terminal; /* bit n: descriptor n (0 to 2) was on the controlling terminal */
    uint64_t cpu_features[4]; /* x86_64: xcr0 in use and cpuid leaves, see libckpt/x86_64/cpu.c */
    uint64_t personality;
    uint32_t foreground; /* 1: its group was the terminal's foreground group */
    uint32_t flags; /* IMAGE_PROCESS_* */
    uint32_t pty; /* 1 and the virtual number of the pseudo terminal that is its controlling terminal; 0: none, or no pseudo terminal */
    uint32_t pty_group; /* virtual; the group in that terminal's foreground */
};
struct image_pty {
    uint32_t number; /* virtual */
    uint32_t unused;
};
enum {
    IMAGE_PROCESS_SUBREAPER = 1u << 0, /* prctl(2), PR_SET_CHILD_SUBREAPER */
    IMAGE_PROCESS_TERMINAL = 1u << 1, /* it had a controlling terminal */
    IMAGE_PROCESS_STOPPED = 1u << 2, /* by SIGSTOP, SIGTSTP … when the checkpoint began */
};

/* Where a mapping (IMAGE_SHARED) has the same device and inode, here or in another image of the set, both are one object. */
struct image_object {
    uint64_t device, inode;
    uint64_t size; /* bytes */
    uint32_t name; /* in STRINGS; "/memfd:x", or the path that it had */
    uint32_t huge_page_size; /* bytes; 0: not of huge pages; 1, IMAGE_OBJECT_NAMED: the path leads to it */
};
#define IMAGE_OBJECT_NAMED 1u
_Static_assert(sizeof(struct image_object) == 32, "file format");

enum image_sysv_kind { IMAGE_SYSV_SHM = 1, IMAGE_SYSV_SEM = 2, IMAGE_SYSV_MSG = 3 };
enum {
    IMAGE_SYSV_REMOVED = 1u << 0, /* shared memory that ends with its last attachment */
    IMAGE_SYSV_LOCKED = 1u << 1, /* shmctl(2), SHM_LOCK */
};
/* Followed by: of semaphores, their values (u16); of a queue, its messages, each struct image_sysv_message and the text, padded to 8 bytes. The
 * contents of shared memory are those of SHARED segments named /SYSV… whose inode is `real`, in the same image. */
struct image_sysv {
    uint32_t kind; /* enum image_sysv_kind */
    int32_t id; /* virtual */
    int32_t real; /* the kernel's, at the checkpoint */
    int32_t key; /* by which programs know it */
    uint32_t mode, uid, gid;
    uint32_t flags; /* IMAGE_SYSV_* */
    uint64_t size; /* shared memory: bytes; semaphores: how many; queue: msg_qbytes */
    uint64_t home; /* names the kernel's run and the IPC namespace in which `real` was its id */
    uint32_t count; /* of messages */
    uint32_t huge_page_size; /* shared memory; bytes, or 0 */
};
_Static_assert(sizeof(struct image_sysv) == 56, "file format");
struct image_sysv_message {
    int64_t type;
    uint32_t size; /* of the text */
    uint32_t unused;
};

struct image_zombie {
    uint32_t pid, pgid, sid; /* virtual */
    int32_t status; /* as wait4(2) gives it */
    char name[16]; /* terminated; comm */
};
_Static_assert(sizeof(struct image_zombie) == 32, "file format");

/* prctl(2) PR_SET_MM_MAP, and auxv. */
struct image_mm {
    uint64_t start_code, end_code, start_data, end_data, start_brk, brk, start_stack;
    uint64_t arg_start, arg_end, env_start, env_end;
    uint32_t auxv_size; /* bytes in auxv */
    uint32_t exe_name; /* offset in STRINGS */
    uint64_t auxv[128];
};

struct image_vdso_symbol {
    uint64_t offset; /* from the start of the vDSO */
    char name[40]; /* __vdso_clock_gettime … */
};

struct image_guard {
    uint64_t start, end;
};

#endif
