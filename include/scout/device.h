/** @file device.h  What a model can run on. */
#ifndef SCOUT_DEVICE_H
#define SCOUT_DEVICE_H

#include "types.h"

SCOUT_BEGIN_DECLS

/** What is known of a device. */
typedef struct scout_device_info {
  uint32_t struct_size; /**< set by the caller: sizeof(scout_device_info) */
  uint32_t reserved;
  const char *name;            /**< for scout_load_options.device: "cpu", "ref", "cuda", "cuda:1"; static */
  const char *description;     /**< "AVX-512 VNNI, 2 threads"; static */
  uint64_t memory_total_bytes; /**< of the device */
  uint64_t memory_free_bytes;  /**< what is left for this process, cgroup limits included */
} scout_device_info;

/** The number of devices that a model can be loaded on here.
 * @param[out] count  the answer
 * @return SCOUT_OK, _ARGUMENT, _STATE (after fork), _NO_MEMORY
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_device_count(uint64_t *count);

/** Describes device `index` (0 is the default one).
 * @param[out] info  struct_size set by the caller; members past it are not written
 * @return SCOUT_OK; SCOUT_ERR_ARGUMENT for an index that is not there or a struct_size below 8; SCOUT_ERR_STATE after fork; _NO_MEMORY
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_device_get(uint64_t index, scout_device_info *info);

SCOUT_END_DECLS

#endif /* SCOUT_DEVICE_H */
