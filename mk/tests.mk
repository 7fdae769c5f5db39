# Tests. `make check` does everything: packages, build, unit tests (with sanitizers), live tests, fuzzers for a moment.
#   make check T="tls fmt"   only tests whose name contains one of these words
#   make check-unit          make check-live
#   make check RUNNER_FLAGS="-k -j1 -r5"    keep the files of failures, one at a time, five times
# Other parts add test files (binaries or scripts) of their own to CHECK_FILES, with the rules that build them.

S := build-san
SAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
T ?=
RUNNER_FLAGS ?=

LIVE_BIN := $(patsubst tests/live/%.c,$(B)/tests/live/%,$(wildcard tests/live/*.c))
JAVAC := $(shell command -v javac)
ifneq ($(JAVAC),)
LIVE_BIN += $(B)/tests/live/java/Threads.class
endif
UNIT_BIN := $(patsubst tests/unit/%.c,$(S)/tests/unit/%,$(wildcard tests/unit/*_test.c))
LIVE_TESTS := $(sort $(wildcard tests/live/*.sh tests/fault/*.sh))
FUZZ_TESTS := $(sort $(wildcard tests/fuzz/*.sh))
CHECK_FILES += $(UNIT_BIN) $(LIVE_TESTS) $(FUZZ_TESTS)
# What scripts run without its being in test-programs.
CHECK_NEEDS += $(patsubst tests/fuzz/%.c,$(S)/tests/fuzz/%,$(wildcard tests/fuzz/*_mutate.c))

RUNNER := $(B)/tests/runner
RUN_TESTS = $(RUNNER) -B $(B) -T tests $(RUNNER_FLAGS)
JOBS_FLAG = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

# Packages come first: which libraries exist decides how make reads the rest, hence a make of its own for the build.
check:
	@if [ -x mk/packages.sh ]; then mk/packages.sh; fi
	@+$(MAKE) --no-print-directory $(if $(V),,-s) $(JOBS_FLAG) all test-programs $(CHECK_NEEDS) $(filter-out %.sh,$(CHECK_FILES))
	@$(RUN_TESTS) $(CHECK_FILES) -- $(T)

check-unit: $(RUNNER) $(UNIT_BIN)
	@$(RUN_TESTS) $(UNIT_BIN) -- $(T)

check-live: all test-programs
	@$(RUN_TESTS) $(LIVE_TESTS) -- $(T)

test-programs: $(RUNNER) $(LIVE_BIN)

$(RUNNER): $(call obj,$(wildcard tests/runner/*.c))
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) -o $@ $^

$(B)/obj/tests/runner/%.o: tests/runner/%.c
	@mkdir -p $(@D)
	$(call say,CC $<)
	$(Q)$(CC) $(COMMON) -Itests/runner -c $< -o $@

# A live test program is one file, an ordinary program that knows nothing of us. What they share is in tests/live/*.h.
$(B)/tests/live/%: tests/live/%.c
	@mkdir -p $(@D)
	$(call say,CC $<)
	$(Q)$(CC) $(COMMON) -Itests/live $(LIVE_FLAGS) -MF $@.d -o $@ $< -pthread -ldl -lrt -lm -lutil

$(B)/tests/live/java/%.class: tests/live/programs/%.java
	@mkdir -p $(@D)
	$(call say,JAVAC $<)
	$(Q)$(JAVAC) -d $(@D) $<

# base/ as a hosted library with sanitizers; base/mem.c would replace the functions that they watch.
$(S)/obj/base/%.o: base/%.c
	@mkdir -p $(@D)
	$(call say,CC $<)
	$(Q)$(CC) $(COMMON) $(SAN) -c $< -o $@

$(S)/lib/libbase.a: $(patsubst %.c,$(S)/obj/%.o,$(BASE_SRC))
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(S)/tests/unit/%: tests/unit/%.c $(S)/lib/libbase.a
	@mkdir -p $(@D)
	$(call say,CC $<)
	$(Q)$(CC) $(COMMON) $(SAN) -Itests/unit -MF $@.d -o $@ $< $(S)/lib/libbase.a -lcmocka -lz -lmd

-include $(wildcard $(B)/tests/live/*.d $(S)/tests/unit/*.d $(S)/obj/base/*.d $(S)/obj/base/$(ARCH)/*.d)

.PHONY: check check-unit check-live test-programs
