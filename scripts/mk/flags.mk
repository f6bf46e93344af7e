# SPDX-License-Identifier: Apache-2.0
# scripts/mk/flags.mk - compiler flags and libraries; sets CPPFLAGS, CFLAGS, TEST_CFLAGS,
# LDFLAGS, LDLIBS.
#
# No fast-math anywhere and no fused multiply-add behind our back (-ffp-contract=off):
# scores are compared across machines. -fno-math-errno and -fno-trapping-math change no result:
# sqrt need not set errno, and a comparison may be computed for all lanes of a vector (we never
# look at floating-point exception flags).

ifeq ($(origin CC),default)
CC := gcc
endif
MARCH ?=

OPT_FLAGS_release := -O3 -g -fno-math-errno -fno-trapping-math
OPT_FLAGS_debug   := -O0 -g3
OPT_FLAGS_asan    := -O1 -g3 -fsanitize=address,undefined -fno-sanitize-recover=all \
    -fno-omit-frame-pointer
OPT_FLAGS_fuzz    := -O2 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
    -fno-omit-frame-pointer
ifeq ($(OPT_FLAGS_$(VARIANT)),)
$(error VARIANT=$(VARIANT) is none of release, debug, asan, fuzz)
endif
OPT_FLAGS := $(OPT_FLAGS_$(VARIANT)) -ffp-contract=off $(if $(MARCH),-march=$(MARCH))

# pkg-config where a library has a file for it, else the plain name: a missing one is reported
# by `make deps`, or by the compiler with the header's name.
pkg_cflags = $(shell pkg-config --silence-errors --cflags $(1))
pkg_libs   = $(or $(shell pkg-config --silence-errors --libs $(1)),$(2))

LIB_CPPFLAGS := $(call pkg_cflags,hdf5-serial) $(call pkg_cflags,libcjson)
LDLIBS := -ldnnl $(call pkg_libs,hdf5-serial,-lhdf5_serial) $(call pkg_libs,libcjson,-lcjson) \
    -lhdf5_serial_hl -lyaml -lpcre2-8 \
    -lutf8proc -ljpeg -lspng -lxxhash -lcrypto -lz -lm -ldl

# System paths as -isystem, so that -Wconversion and -Wshadow judge our code only.
CPPFLAGS := -Iinclude -Ihost -D_POSIX_C_SOURCE=200809L $(patsubst -I%,-isystem %,$(LIB_CPPFLAGS))
WARN     := -Wall -Wextra -Wshadow -Werror
# The library shows what its public headers mark MIP_API and nothing else.
CFLAGS   := -std=c11 $(OPT_FLAGS) $(WARN) -Wconversion -fPIC -fvisibility=hidden -fopenmp
# gcc's shared libubsan beside libasan ignores log_path, and its reports would be lost
# in Criterion's workers.
LDFLAGS  := -fopenmp -Wl,--as-needed $(filter -fsanitize=%,$(OPT_FLAGS)) \
    $(if $(filter asan,$(VARIANT)),$(if $(findstring clang,$(CC)),,-static-libubsan))

# Tests see every room; Criterion's macros and short test arithmetic do not pass -Wconversion.
TEST_CPPFLAGS := $(CPPFLAGS) -Itests -DTEST_BUILD_DIR='"$(B)"'
TEST_CFLAGS   := -std=c11 $(OPT_FLAGS) $(WARN) -fPIC -fopenmp
TEST_LDLIBS   := $(call pkg_libs,criterion,-lcriterion)

CC_VERSION := $(shell $(CC) -dumpfullversion -dumpversion 2>/dev/null)
COMMIT     := $(or $(shell git describe --always --dirty --abbrev=12 2>/dev/null),unknown)

# $(call stamp,FILE,TEXT) - at parse time, write TEXT to FILE if it says something else.
quote = '$(subst ','\'',$(1))'
stamp = $(shell mkdir -p $(dir $(1)); printf '%s\n' $(call quote,$(2)) | cmp -s - $(1) || \
    printf '%s\n' $(call quote,$(2)) > $(1))
