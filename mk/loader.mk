# The restart loader: linked as a static position-independent program, so that a pointer table shows up as a relocation and fails the
# gate, then marked ET_EXEC. The kernel maps an ET_DYN without PT_INTERP near mmap_base, which is just where images live; an ET_EXEC goes to
# the address it was linked for.
$(B)/lib/dmtcp/dmtcp_loader: $(LOADER_OBJ) $(B)/lib/libbase.a $(MEM_OBJ) linker-scripts/loader-$(ARCH).lds linker-scripts/check-loader
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) -nostdlib -static-pie -o $@.new $(LOADER_OBJ) $(MEM_OBJ) $(B)/lib/libbase.a $(STATIC_Z) \
	    -Wl,-T,linker-scripts/loader-$(ARCH).lds -Wl,--no-dynamic-linker -Wl,-z,norelro,-z,noexecstack,-z,max-page-size=4096 \
	    -Wl,--build-id=none -Wl,--gc-sections
	$(Q)linker-scripts/check-loader $@.new
	$(Q)printf '\002\000' | dd of=$@.new bs=1 seek=16 conv=notrunc status=none
	$(Q)mv $@.new $@

# The loader without libckpt: a made-up process (blob, linked for a fixed address) whose images loader_case builds.
LOADER_CASE := $(B)/tests/loader/loader_case $(B)/tests/loader/blob
test-programs: $(LOADER_CASE)

$(B)/tests/loader/blob: tests/loader/blob.c $(B)/lib/libbase.a $(MEM_OBJ)
	@mkdir -p $(@D)
	$(call say,CC $@)
	$(Q)$(CC) $(FREE) -Itests/loader -fno-pie -nostdlib -static -MF $@.d -o $@ $< $(B)/lib/libbase.a $(MEM_OBJ) \
	    -Wl,-Ttext-segment=0x10000000 -Wl,-z,noexecstack -Wl,--build-id=none

$(B)/tests/loader/loader_case: $(call obj,tests/loader/loader_case.c tests/image/image_build.c) $(B)/lib/libbase.a
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) -o $@ $^ -lz

$(B)/obj/tests/loader/%.o: tests/loader/%.c
	@mkdir -p $(@D)
	$(call say,CC $<)
	$(Q)$(CC) $(COMMON) -Itests/loader -c $< -o $@

$(B)/obj/tests/image/%.o: tests/image/%.c
	@mkdir -p $(@D)
	$(call say,CC $<)
	$(Q)$(CC) $(COMMON) -c $< -o $@

-include $(wildcard $(B)/tests/loader/*.d)

# Unit tests and fuzzer of the image reader, with sanitizers (mk/tests.mk).
S := build-san
$(S)/tests/unit/image_read_test: tests/unit/image_read_test.c tests/image/image_build.c $(S)/lib/libbase.a
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(COMMON) $(SAN) -MF $@.d -o $@ $(filter %.c,$^) $(S)/lib/libbase.a -lcmocka -lz -lmd

# Mutations without libFuzzer, a bounded number, always the same: part of `make check`.
$(S)/tests/fuzz/image_mutate: tests/fuzz/image_mutate.c tests/fuzz/image_fuzz.c tests/image/image_build.c $(S)/lib/libbase.a
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(COMMON) $(SAN) -MF $@.d -o $@ $(filter %.c,$^) $(S)/lib/libbase.a -lz -lmd
