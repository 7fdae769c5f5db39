# The images that tests of dmtcp_restart give it are made by hand, independently of libckpt.
CRAFT_OBJ := $(B)/obj/tests/cmds/craft_image.o $(B)/obj/tests/cmds/image_build.o

test-programs: $(B)/tests/craft_image

$(B)/tests/craft_image: $(CRAFT_OBJ) $(B)/lib/libbase.a
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) -o $@ $^ $(STATIC_Z)

$(B)/obj/tests/cmds/%.o: tests/cmds/%.c
	@mkdir -p $(@D)
	$(call say,CC $<)
	$(Q)$(CC) $(COMMON) -Itests/image -c $< -o $@

$(B)/obj/tests/cmds/%.o: tests/image/%.c
	@mkdir -p $(@D)
	$(call say,CC $<)
	$(Q)$(CC) $(COMMON) -Itests/image -c $< -o $@
