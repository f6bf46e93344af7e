# SPDX-License-Identifier: Apache-2.0
# scripts/mk/fuzz.mk - the parsers under hostile input; see tests/fuzz/README.md.
#
# tests/fuzz/fuzz_NAME.c is linked twice: with a main that runs the corpus once (part of the
# tests, any compiler), and with clang's libFuzzer (VARIANT=fuzz, `make fuzz`).

FUZZ_SECONDS ?= 60
FUZZ_RUNS    ?= -1
FUZZ_TARGETS ?= $(FUZZ_NAMES)

FUZZ_NAMES := $(filter-out main,$(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c)))
# A target needs the rooms up to data.
FUZZ_READY := $(filter data,$(BUILD_ROOMS))
FUZZ_BINS  := $(if $(FUZZ_READY),$(FUZZ_NAMES:%=$(B)/tests/fuzz_%))
FUZZ_MAIN  := $(B)/obj/tests/fuzz/$(if $(filter fuzz,$(VARIANT)),fuzz,corpus)_main.o

# base holds no parser of a format (but words for unknown keys, at some thousand comparisons each):
# checked by the sanitizers, not followed by libFuzzer.
ifeq ($(VARIANT),fuzz)
$(B)/obj/host/base/%.o: CFLAGS += -fno-sanitize=fuzzer-no-link
endif

$(B)/tests/fuzz_%: $(B)/obj/tests/fuzz/fuzz_%.o $(FUZZ_MAIN) $(LIB) $(B)/sources
	@echo "  LINK  $@"
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) $(if $(filter fuzz,$(VARIANT)),-fsanitize=fuzzer) -o $@ \
	    $(filter %.o %.a,$^) $(LDLIBS)

.PHONY: fuzz-bins
fuzz-bins: $(FUZZ_BINS)
tests: $(FUZZ_BINS)

## fuzz: libFuzzer on every parser, a minute each (FUZZ_SECONDS, FUZZ_RUNS, FUZZ_TARGETS); wants clang
.PHONY: fuzz
fuzz:
	@scripts/fuzz.sh --check
	@$(MAKE) --no-print-directory VARIANT=fuzz CC=$(CLANG) fuzz-bins
	@FUZZ_SECONDS=$(FUZZ_SECONDS) FUZZ_RUNS=$(FUZZ_RUNS) scripts/fuzz.sh $(FUZZ_TARGETS)

-include $(FUZZ_NAMES:%=$(B)/obj/tests/fuzz/fuzz_%.d) $(FUZZ_MAIN:.o=.d)
