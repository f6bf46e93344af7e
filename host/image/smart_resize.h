/* SPDX-License-Identifier: Apache-2.0 */
/* host/image/smart_resize.h - the size Qwen2-VL and Qwen2.5-VL scale a picture to: multiples of
 * `factor`, total within limits.
 *
 * Tested  tests/unit/image/test_smart_resize.c */
#ifndef MIP_IMAGE_SMART_RESIZE_H
#define MIP_IMAGE_SMART_RESIZE_H

#include <stdint.h>

#include <mip/status.h>

/* smart_resize - the size for a picture of w x h pixels.
 *   in     factor = patch * merge (28); min_pixels <= max_pixels
 *   out    multiples of factor, at least factor
 *   error  MIP_E_ARG side, factor or limits not positive; MIP_E_UNSUPPORTED one side more than 200
 *          times the other */
mip_status smart_resize(int64_t w, int64_t h, int64_t factor, int64_t min_pixels,
                        int64_t max_pixels, int64_t *out_w, int64_t *out_h);

#endif
