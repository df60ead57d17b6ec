// For a build of the tests without FFmpeg.
#include "support/clip_writer.h"

namespace clips {

bool CanMake() { return false; }

std::optional<std::string> Make(const Spec&, const Draw&) { return std::nullopt; }

}  // namespace clips
