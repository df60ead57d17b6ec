// Whether this program was built with AddressSanitizer or ThreadSanitizer.
#pragma once

namespace scout::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace scout::test
