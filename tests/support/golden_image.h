/* SPDX-License-Identifier: Apache-2.0 */
/* tests/support/golden_image.h - pictures of tests/golden/image and what Pillow makes of them. */
#ifndef MIP_TESTS_SUPPORT_GOLDEN_IMAGE_H
#define MIP_TESTS_SUPPORT_GOLDEN_IMAGE_H

#include "image/image.h"
#include "io/safetensors_read.h"

/* golden_image_read - tests/golden/image/<name>; a failure fails the test. image_deinit it. */
image golden_image_read(const char *name);

/* golden_image_assert - the picture equals a [h, w, 3] U8 tensor in every byte. */
void golden_image_assert(const image *got, const safetensors_entry *expected);

#endif
