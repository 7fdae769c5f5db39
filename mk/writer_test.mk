# The image writer as a program of its own: libckpt's writer objects with hosted code around them (tests/writer/).
WRITER_OBJ := $(patsubst %,$(B)/obj/libckpt/%.o,chunk deflate finish flags io pages records runs saved scratch region segments snapshot writer \
    $(ARCH)/writer_stack)
WRITER_TEST_OBJ := $(call obj,$(wildcard tests/writer/*.c))

$(B)/obj/tests/writer/%.o: tests/writer/%.c
	@mkdir -p $(@D)
	$(call say,CC $<)
	$(Q)$(CC) $(COMMON) -Ilibckpt -Ilibckpt/$(ARCH) -Itests/writer -c $< -o $@

$(B)/tests/writer/write_image: $(WRITER_TEST_OBJ) $(WRITER_OBJ) $(B)/lib/libbase.a
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) -o $@ $^ $(STATIC_URING) $(STATIC_Z)

test-programs: $(B)/tests/writer/write_image
