# SPDX-License-Identifier: Apache-2.0
# scripts/mk/test.mk - test binaries (one per room), test plugins, and the targets that run them.
#
# tests/support is an archive, so a test binary pulls in only the helpers it calls.
# A test plugin includes include/mip only; it may link reference kernels of host/cpu,
# whose symbols stay hidden in it.

TEST_ROOMS := $(sort $(notdir $(patsubst %/,%,$(dir $(TEST_SRC)))))
TEST_BINS  := $(TEST_ROOMS:%=$(B)/tests/test_%)
TEST_OBJ   := $(TEST_SRC:%.c=$(B)/obj/%.o)
SUPPORT_OBJ := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/support/*.c))
SUPPORT     := $(B)/libsupport.a

# Without host/cpu among the built rooms a plugin has nothing to link.
PLUGIN_SRC := $(if $(filter cpu,$(BUILD_ROOMS)),$(wildcard tests/plugins/*.c))
PLUGINS    := $(PLUGIN_SRC:tests/plugins/%.c=$(B)/plugins/%.so)
PLUGIN_REF := $(patsubst %.c,$(B)/obj/%.o,$(wildcard host/cpu/ref_*.c) host/base/status.c)

$(B)/obj/tests/%.o: tests/%.c $(B)/flags
	@echo "  CC    $<"
	$(Q)mkdir -p $(@D) && $(CC) $(TEST_CPPFLAGS) $(TEST_CFLAGS) -MMD -MP -c $< -o $@

$(SUPPORT): $(SUPPORT_OBJ)
	$(Q)rm -f $@ && $(AR) qcs $@ $^

$(B)/libref.a: $(PLUGIN_REF)
	$(Q)rm -f $@ && $(AR) qcs $@ $^

$(B)/plugins/%.so: $(B)/obj/tests/plugins/%.o $(B)/libref.a
	@echo "  LINK  $@"
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -shared -Wl,--exclude-libs,ALL \
	    $(if $(filter asan,$(VARIANT)),,-Wl,-z,defs) -o $@ $^ -lm

# What LD_PRELOAD loads comes before a sanitizer's runtime and is built without one.
PRELOADS := $(patsubst tests/preload/%.c,$(B)/preload/%.so,$(wildcard tests/preload/*.c))

$(B)/preload/%.so: tests/preload/%.c $(B)/flags
	@echo "  LINK  $@"
	$(Q)mkdir -p $(@D) && $(CC) -std=c11 -O2 -g $(WARN) -fPIC -shared -o $@ $< -ldl

# One binary per room: its own objects, then the support archive and the library.
define test_rule
$(B)/tests/test_$(1): $(filter $(B)/obj/tests/unit/$(1)/%,$(TEST_OBJ)) $(SUPPORT) $(LIB) \
    $(B)/sources
	@echo "  LINK  $$@"
	$(Q)mkdir -p $$(@D) && $$(CC) $$(LDFLAGS) -o $$@ $$(filter %.o %.a,$$^) $$(LDLIBS) $$(TEST_LDLIBS)
endef
$(foreach room,$(TEST_ROOMS),$(eval $(call test_rule,$(room))))

.PHONY: tests
tests: $(TEST_BINS) $(PLUGINS) $(PRELOADS)

## check: build and run the unit tests (with ROOMS="base io": of these rooms)
.PHONY: check
check: tests
	@scripts/run_tests.sh --unit $(B)/tests

## test: install what is missing, then everything: unit and command line tests, asan+ubsan, lint
.PHONY: test
test: deps
	@$(MAKE) --no-print-directory $(PARALLEL) all tests && \
	    $(MAKE) --no-print-directory $(PARALLEL) VARIANT=asan tests || \
	    { echo "the build failed"; echo "0 passed, 1 failed"; exit 1; }
	@scripts/run_tests.sh --unit build/release/tests --unit build/asan/tests \
	    --cli build/release/mip --lint

## faults: every allocation site of every command fails once (half an hour; `make test` draws a few)
.PHONY: faults
faults: all $(PRELOADS)
	@MIP_ALLOC_SITES=all MIP=$(PROGRAM) bash tests/cli/alloc_failures.sh

-include $(TEST_OBJ:.o=.d) $(SUPPORT_OBJ:.o=.d) $(PLUGIN_SRC:%.c=$(B)/obj/%.d)
