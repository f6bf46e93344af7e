/* SPDX-License-Identifier: Apache-2.0 */
/* tests/plugins/no_device_backend.c - a plugin that finds nothing to run on and says so. */
#include <stddef.h>

#include <mip/backend.h>

const mip_backend *mip_backend_entry(uint32_t abi, const mip_host_services *host);

const mip_backend *mip_backend_entry(uint32_t abi, const mip_host_services *host) {
    (void)abi;
    host->report(MIP_E_BACKEND, __FILE__, __LINE__, __func__, "buy one",
                 "no imaginary device found");
    return NULL;
}
