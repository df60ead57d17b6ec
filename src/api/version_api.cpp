#include <scout/version.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "backend/backend.h"

#define SCOUT_TEXT_(x) #x
#define SCOUT_TEXT(x) SCOUT_TEXT_(x)
#define SCOUT_VERSION_TEXT SCOUT_TEXT(SCOUT_VERSION_MAJOR) "." SCOUT_TEXT(SCOUT_VERSION_MINOR) "." SCOUT_TEXT(SCOUT_VERSION_PATCH)

namespace {

#if defined(__clang__)
constexpr std::string_view kCompiler = "clang " __clang_version__;
#elif defined(__GNUC__)
constexpr std::string_view kCompiler = "gcc " __VERSION__;
#else
constexpr std::string_view kCompiler = "another compiler";
#endif
#if defined(NDEBUG)
constexpr std::string_view kMode = ", release, ";
#else
constexpr std::string_view kMode = ", debug, ";
#endif
#if defined(SCOUT_BUILD_SANITIZE)
constexpr std::string_view kSanitizers = ", sanitizers " SCOUT_BUILD_SANITIZE;
#else
constexpr std::string_view kSanitizers = "";
#endif

// Plain memory: nothing to destroy when the process ends.
struct BuildInfo {
  char text[512] = {};

  BuildInfo() noexcept {
    Append("libscout " SCOUT_VERSION_TEXT ", ");
    Append(kCompiler);
    Append(kMode);
    Append(SCOUT_BUILD_TARGET ", devices");
    for (const scout::BackendFactory* factory : scout::BuiltinBackends()) {
      Append(" ");
      Append(factory->name);
    }
    Append(kSanitizers);
  }
  void Append(std::string_view part) noexcept {
    const size_t used = std::strlen(text);
    std::memcpy(text + used, part.data(), std::min(part.size(), sizeof text - 1 - used));
  }
};

}  // namespace

const char* scout_version(void) { return SCOUT_VERSION_TEXT; }

int32_t scout_version_number(void) { return SCOUT_VERSION_MAJOR * 10000 + SCOUT_VERSION_MINOR * 100 + SCOUT_VERSION_PATCH; }

const char* scout_build_info(void) {
  static const BuildInfo info;
  return info.text;
}
