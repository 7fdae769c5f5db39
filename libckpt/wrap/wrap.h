/* Interposed functions. Each is tiny: guard, translate in, real call, translate out.
 *
 *     WRAP(int, kill, (pid_t process, int signal))
 *     {
 *         return REAL(kill)(vpid_to_real(process), signal);
 *     }
 *
 * WRAP defines and exports the function (linker-scripts/libckpt.map must name it too). REAL(f) is the next definition of f in the
 * process: libc's, or another preloaded library's. wrap_resolve looks all of them up at once, from the constructor, because dlsym takes the
 * loader's lock and may allocate, which a wrapper that is called in a signal handler or with locks held must not do. A wrapper that
 * is called before our constructor (from another library's) resolves its own function by itself.
 *
 * Guest code: libc's contracts to the letter. errno is the real function's. A wrapped cancellation point stays one: what a wrapper must
 * undo, it undoes by __attribute__((cleanup)). */
#ifndef WRAP_H
#define WRAP_H

struct wrap {
    const char *symbol;
    void *real;
};

/* Every REAL is resolved. The constructor, once; no other thread needs to wait for it. */
void wrap_resolve(void) __attribute__((visibility("hidden")));

/* Resolves one. A function that this libc does not have fails with ENOSYS. */
void *wrap_resolve_one(struct wrap *wrap) __attribute__((visibility("hidden")));

static inline void *wrap_real(struct wrap *wrap)
{
    void *real = __atomic_load_n(&wrap->real, __ATOMIC_RELAXED);

    return __builtin_expect(real != 0, 1) ? real : wrap_resolve_one(wrap);
}

#define WRAP_ENTRY(name, symbol) static struct wrap wrap_of_##name __attribute__((section("dmtcp_wraps"), used)) = {symbol, 0};

#define WRAP(type, name, parameters)                                                                                                       \
    WRAP_ENTRY(name, #name)                                                                                                                \
    __attribute__((visibility("default"))) type name parameters

/* For a symbol that no header declares, or declares under another name. */
#define WRAP_SYMBOL(type, name, symbol, parameters)                                                                                        \
    WRAP_ENTRY(name, symbol)                                                                                                               \
    __attribute__((visibility("default"))) type name parameters __asm__(symbol);                                                           \
    type name parameters

#define REAL(name) ((__typeof__(&name))wrap_real(&wrap_of_##name))

#endif
