# SPDX-License-Identifier: Apache-2.0
# scripts/mk/lint.mk - checks that need no run: format, layers, small rules, headers, cppcheck.

CLANG_FORMAT ?= clang-format-14
CPPCHECK     ?= cppcheck

SOURCES := $(sort $(wildcard include/mip/*.h host/*/*.[ch] tests/unit/*/*.[ch] tests/support/*.[ch] \
    tests/plugins/*.[ch] bench/*/*.[ch]))
HEADERS := $(filter %.h,$(SOURCES))

## lint: all checks of the source: format, layers, small rules, headers that compile alone, cppcheck
LINTS := lint-format lint-layers lint-rules lint-headers lint-cppcheck
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

-include $(HEADERS:%=build/lint/%.d)
