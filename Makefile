# SPDX-License-Identifier: Apache-2.0
# Makefile - builds the library, the program and the tests; `make help` lists the targets.
#
# What    host/<room>/*.c -> build/<variant>/libmip.a, host/cli/*.c -> build/<variant>/mip,
#         one test binary per room.
# Options VARIANT=release|debug|asan  CC=gcc|clang  V=1 (show commands)  MARCH=native
#         (use this CPU's instructions)
#         ROOMS="base io" builds and tests these rooms only (and base), in a folder of their own.
# Parts   scripts/mk/flags.mk compiler and libraries, scripts/mk/test.mk tests, scripts/mk/fuzz.mk
#         hostile input, scripts/mk/lint.mk checks of the source, scripts/mk/bench.mk the benchmark,
#         scripts/mk/install.mk what other programs use.

.DEFAULT_GOAL := all
.SUFFIXES:
.SECONDARY:
.DELETE_ON_ERROR:

VARIANT ?= release
ROOMS   ?=
V       ?= 0
PREFIX  ?= /usr/local
# Sub-makes of `test` and `demo` use every core unless the caller chose a number.
PARALLEL = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))
Q       := $(if $(filter 1,$(V)),,@)

empty :=
space := $(empty) $(empty)

ALL_ROOMS   := $(sort $(notdir $(patsubst %/,%,$(dir $(wildcard host/*/*.c)))))
BUILD_ROOMS := $(if $(ROOMS),$(sort base $(ROOMS)),$(ALL_ROOMS))
B           := build/$(VARIANT)$(if $(ROOMS),-$(subst $(space),-,$(sort $(ROOMS))))

include scripts/mk/flags.mk

LIB_SRC := $(foreach room,$(filter-out cli,$(BUILD_ROOMS)),$(wildcard host/$(room)/*.c))
TEST_SRC := $(foreach room,$(if $(ROOMS),$(ROOMS),$(ALL_ROOMS)),$(wildcard tests/unit/$(room)/*.c))
CLI_SRC := $(if $(filter cli,$(BUILD_ROOMS)),$(wildcard host/cli/*.c))
LIB_OBJ := $(LIB_SRC:%.c=$(B)/obj/%.o)
CLI_OBJ := $(CLI_SRC:%.c=$(B)/obj/%.o)
LIB     := $(B)/libmip.a
PROGRAM := $(if $(CLI_SRC),$(B)/mip)

## all: build the library and the program (the default)
.PHONY: all
all: $(LIB) $(PROGRAM)

$(LIB): $(LIB_OBJ) $(B)/sources
	@echo "  AR    $@"
	$(Q)rm -f $@ && $(AR) qcs $@ $(LIB_OBJ)

$(B)/mip: $(CLI_OBJ) $(LIB) $(B)/sources
	@echo "  LINK  $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $(CLI_OBJ) $(LIB) $(LDLIBS)

$(B)/obj/host/%.o: host/%.c $(B)/flags
	@echo "  CC    $<"
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

# build_info.c tells the commit the binary was made from, so it alone is compiled again
# when the commit changes.
$(B)/obj/host/base/build_info.o: $(B)/commit
$(B)/obj/host/base/build_info.o: CPPFLAGS += -DMIP_BUILD_COMMIT='"$(COMMIT)"' -DMIP_BUILD_VARIANT='"$(VARIANT)"' \
    -DMIP_BUILD_FLAGS='"$(strip $(OPT_FLAGS))"'

# Files rewritten only when their content changes: everything compiled depends on the flags,
# everything linked on the list of sources (a deleted file must leave it).
$(call stamp,$(B)/flags,$(CC) $(CC_VERSION) $(CPPFLAGS) $(CFLAGS) $(TEST_CFLAGS) $(LDFLAGS) $(LDLIBS))
$(call stamp,$(B)/sources,$(LIB_SRC) $(CLI_SRC) $(TEST_SRC))
$(call stamp,$(B)/commit,$(COMMIT))
$(B)/flags $(B)/sources $(B)/commit: ;

include scripts/mk/test.mk
include scripts/mk/fuzz.mk
include scripts/mk/lint.mk
include scripts/mk/bench.mk
include scripts/mk/install.mk

## deps: install what is missing (Debian 12, Ubuntu 24.04); prints what it does
.PHONY: deps
deps:
	@scripts/install_deps.sh

## real: a real 135M language model and the Qwen vocabulary against transformers (not part of test)
.PHONY: real
real: all $(B)/tests/test_text
	@scripts/real_model.sh

## demo: install, build, and run a whole experiment on the shipped model and data
.PHONY: demo
demo: deps
	@$(MAKE) --no-print-directory $(PARALLEL) all
	@scripts/demo.sh

## clean: remove build/
.PHONY: clean
clean:
	rm -rf build

## help: this list
.PHONY: help
help:
	@echo "make [target] [VARIANT=release|debug|asan] [CC=gcc|clang] [V=1] [MARCH=native] [ROOMS=\"base io\"]"
	@sed -n 's/^## \([a-z-]*\): /\1\t/p' Makefile scripts/mk/*.mk | awk -F '\t' '{printf "  %-8s %s\n", $$1, $$2}'

-include $(LIB_OBJ:.o=.d) $(CLI_OBJ:.o=.d)
