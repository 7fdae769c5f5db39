# Unlike other live test programs this one speaks our protocol, so it is linked with base/.
$(B)/tests/live/synthetic_worker: tests/live/synthetic_worker.c $(B)/lib/libbase.a
	@mkdir -p $(@D)
	$(call say,CC $@)
	$(Q)$(CC) $(COMMON) -MF $@.d -o $@ $< $(B)/lib/libbase.a $(STATIC_MD)
