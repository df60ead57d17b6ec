/** @file version.h  Which library this is. */
#ifndef SCOUT_VERSION_H
#define SCOUT_VERSION_H

#include "types.h"

/** The version of the header. The library's own may be newer: scout_version(). */
#define SCOUT_VERSION_MAJOR 0
#define SCOUT_VERSION_MINOR 1
#define SCOUT_VERSION_PATCH 0

SCOUT_BEGIN_DECLS

/** The library's version as "major.minor.patch". Static.
 * @threads any
 * @since 0.1 */
SCOUT_API const char *scout_version(void);

/** The library's version as major * 10000 + minor * 100 + patch.
 * @threads any
 * @since 0.1 */
SCOUT_API int32_t scout_version_number(void);

/** One line about the build: compiler, options, built-in devices. For bug reports; the wording may change. Static.
 * @threads any
 * @since 0.1 */
SCOUT_API const char *scout_build_info(void);

SCOUT_END_DECLS

#endif /* SCOUT_VERSION_H */
