# SPDX-License-Identifier: Apache-2.0
# scripts/mk/lint.mk - checks that need no run: format, layers, small rules, headers, the other
# compiler, cppcheck.

CLANG_FORMAT ?= clang-format-14
CPPCHECK     ?= cppcheck
CLANG        ?= clang

SOURCES := $(sort $(wildcard include/mip/*.h host/*/*.[ch] tests/unit/*/*.[ch] tests/support/*.[ch] \
    tests/plugins/*.[ch] tests/preload/*.[ch] tests/fuzz/*.[ch] bench/*/*.[ch] examples/*.[ch]))
HEADERS := $(filter %.h,$(SOURCES))

## lint: all checks of the source: format, layers, small rules, headers alone, clang, cppcheck
LINTS := lint-format lint-layers lint-rules lint-headers lint-clang lint-cppcheck
.PHONY: lint $(LINTS)
lint: $(LINTS)

lint-format:
	@$(CLANG_FORMAT) --dry-run --Werror $(SOURCES)
	@echo "lint: format of $(words $(SOURCES)) files"

lint-layers:
	@scripts/lint_layers.sh

lint-rules:
	@scripts/lint_rules.sh

lint-headers: $(HEADERS:%=build/lint/%.ok)
	@echo "lint: $(words $(HEADERS)) headers compile alone"

build/lint/%.h.ok: %.h $(B)/flags
	$(Q)mkdir -p $(@D) && $(CC) $(TEST_CPPFLAGS) -std=c11 $(WARN) -Wno-unused-function \
	    -MMD -MP -MT $@ -MF $(@:.ok=.d) \
	    -fsyntax-only -include $< -x c /dev/null && touch $@

# build_info.c wants definitions of its own, see the Makefile.
CLANG_OK := $(patsubst %.c,build/lint/%.clang.ok,$(filter-out host/base/build_info.c,\
    $(LIB_SRC) $(CLI_SRC)))

# Every warning of clang, where it is installed: the release build is gcc's.
CLANG_WORKS := $(shell printf '\043include <omp.h>\n' | \
    $(CLANG) -fopenmp -fsyntax-only -x c - 2>/dev/null && echo yes)
ifeq ($(CLANG_WORKS),yes)
lint-clang: $(CLANG_OK)
	@echo "lint: $(words $^) sources without a warning of $(CLANG)"
else
lint-clang:
	@echo "lint: clang with OpenMP is not installed, not tried (scripts/install_deps.sh --clang)"
endif

build/lint/%.clang.ok: %.c $(B)/flags
	$(Q)mkdir -p $(@D) && $(CLANG) $(CPPFLAGS) -std=c11 -fopenmp $(WARN) -MMD -MP -MT $@ -MF $(@:.ok=.d) \
	    -fsyntax-only $< && touch $@

lint-cppcheck:
	@mkdir -p build/lint/cppcheck
	@$(CPPCHECK) --quiet --std=c11 --language=c -j 2 --inline-suppr --error-exitcode=1 \
	    --enable=warning,portability,performance --cppcheck-build-dir=build/lint/cppcheck \
	    --suppressions-list=.cppcheck-suppressions \
	    -D__STDC__=1 -Iinclude -Ihost host
	@echo "lint: cppcheck"

## format: rewrite the sources with clang-format
.PHONY: format
format:
	@$(CLANG_FORMAT) -i $(SOURCES)

-include $(HEADERS:%=build/lint/%.d) $(CLANG_OK:.ok=.d)
