# Test programs that link parts of libckpt instead of running under it.
REDO_OBJ := $(call obj,libckpt/redo.c libckpt/redo_call.c libckpt/ckpt_signal.c libckpt/$(ARCH)/redo_stub.S libckpt/$(ARCH)/redo_syscall.S)
REDO_TEST := $(patsubst tests/live/%.c,$(B)/tests/live/%,$(wildcard tests/live/redo_*.c))

$(REDO_TEST): $(B)/tests/live/%: tests/live/%.c $(REDO_OBJ)
	@mkdir -p $(@D)
	$(call say,CC $@)
	$(Q)$(CC) $(COMMON) -Itests/live -Ilibckpt -Ilibckpt/$(ARCH) -MF $@.d -o $@ $< $(REDO_OBJ) -rdynamic -pthread -lrt

# All of the library but its constructor.
WRAP_TEST_OBJ := $(filter-out %/wrap/init.o,$(CKPT_OBJ)) $(MEM_OBJ)
$(B)/tests/live/wrap_signal: tests/live/wrap_signal.c $(WRAP_TEST_OBJ) $(B)/lib/libbase.a
	@mkdir -p $(@D)
	$(call say,CC $@)
	$(Q)$(CC) $(COMMON) -Itests/live -Ilibckpt -Ilibckpt/wrap -MF $@.d -o $@ $< $(WRAP_TEST_OBJ) $(B)/lib/libbase.a $(STATIC_URING) $(STATIC_Z) $(STATIC_MD) \
	    -rdynamic -pthread -ldl
