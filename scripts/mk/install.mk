# SPDX-License-Identifier: Apache-2.0
# scripts/mk/install.mk - what other programs use: shared library, archive, mip.pc, manual pages,
# bash completion; and the targets that put them under PREFIX.
#
# Both libraries are made of one object that shows what include/mip marks MIP_API; its other names
# are local, so they cannot meet the names of a program (str_init, model_load).

VERSION := $(shell sed -n 's/^\#define MIP_VERSION_STRING "\(.*\)"/\1/p' include/mip/mip.h)
SONAME  := libmip.so.$(firstword $(subst ., ,$(VERSION)))
SHARED  := $(B)/share/libmip.so.$(VERSION)

OBJCOPY ?= objcopy

$(B)/share/libmip.o: $(LIB_OBJ) $(B)/sources
	$(Q)mkdir -p $(@D) && $(LD) -r -o $@ $(LIB_OBJ) && \
	    $(OBJCOPY) --localize-hidden --wildcard --keep-global-symbol='mip_*' $@

$(SHARED): $(B)/share/libmip.o
	@echo "  LINK  $@"
	$(Q)$(CC) $(LDFLAGS) -shared -Wl,-soname,$(SONAME) \
	    $(if $(filter asan,$(VARIANT)),,-Wl,-z,defs) -o $@ $< $(LDLIBS)

$(B)/share/libmip.a: $(B)/share/libmip.o
	@echo "  AR    $@"
	$(Q)rm -f $@ && $(AR) qcs $@ $<

# Manual pages and completion come from the tables that the program works by.
$(B)/share/man/mip.1: $(PROGRAM)
	$(Q)rm -rf $(@D) && mkdir -p $(@D) && $(PROGRAM) help --man $(@D)

$(B)/share/mip.bash: $(PROGRAM)
	$(Q)mkdir -p $(@D) && $(PROGRAM) help --bash > $@

D := $(DESTDIR)$(abspath $(PREFIX))

## install: program, libraries, headers, mip.pc, manual, completion under PREFIX (/usr/local)
.PHONY: install
install: all $(SHARED) $(B)/share/libmip.a $(B)/share/man/mip.1 $(B)/share/mip.bash
	@install -d $(D)/bin $(D)/lib/pkgconfig $(D)/include/mip $(D)/share/man/man1 \
	    $(D)/share/man/man5 $(D)/share/bash-completion/completions $(D)/share/doc/mip
	@install -m 755 $(PROGRAM) $(D)/bin/
	@install -m 644 $(B)/share/libmip.a $(SHARED) $(D)/lib/
	@ln -sf $(notdir $(SHARED)) $(D)/lib/$(SONAME)
	@ln -sf $(SONAME) $(D)/lib/libmip.so
	@install -m 644 include/mip/*.h $(D)/include/mip/
	@sed -e 's|@PREFIX@|$(abspath $(PREFIX))|' -e 's|@VERSION@|$(VERSION)|' -e 's|@LIBS@|$(LDLIBS)|' \
	    scripts/mk/mip.pc.in > $(D)/lib/pkgconfig/mip.pc
	@install -m 644 $(B)/share/man/*.1 $(D)/share/man/man1/
	@install -m 644 $(B)/share/man/*.5 $(D)/share/man/man5/
	@install -m 644 $(B)/share/mip.bash $(D)/share/bash-completion/completions/mip
	@install -m 644 LICENSE README.md examples/attribute.c $(D)/share/doc/mip/
	@install -m 644 include/mip/README.md $(D)/share/doc/mip/library.md
	@echo "installed under $(D)"

## uninstall: remove what install put there
.PHONY: uninstall
uninstall:
	@rm -f $(D)/bin/mip $(D)/lib/libmip.a $(D)/lib/libmip.so $(D)/lib/libmip.so.* \
	    $(D)/lib/pkgconfig/mip.pc $(D)/share/man/man1/mip.1 $(D)/share/man/man1/mip-*.1 \
	    $(D)/share/man/man5/mip-*.5 $(D)/share/bash-completion/completions/mip
	@rm -rf $(D)/include/mip $(D)/share/doc/mip
	@echo "removed from $(D)"
