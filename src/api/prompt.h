// What a caller gives as a prompt, as the engine takes it: ids, and pictures among them.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "api/image_object.h"
#include "api/objects.h"

namespace scout::api {

using Images = std::vector<std::shared_ptr<const ImageObject>>;

// The pictures of a caller's options, held. Throws kLimit for too many, and what is wrong with them by their index.
Images ImagesOf(const scout_image* const* images, uint64_t count);

// scout_request_options over their defaults, checked as far as no engine is needed for it.
struct RequestInput {
  engine::RequestOptions options;
  bool raw = false;
  Images images;
};
RequestInput ReadRequest(const scout_request_options* options);

// Whether the pictures are cut into tiles too, which takes time; without them the ids can be counted.
enum class WithTiles : uint8_t { kNo, kYes };

// As scout_submit_text reads a text.
Prompt TextPrompt(const ModelObject& model, std::string_view text, bool raw, const Images& images, WithTiles tiles);
// As scout_submit_tokens reads ids.
Prompt TokenPrompt(const ModelObject& model, std::vector<int32_t> ids, const Images& images, WithTiles tiles);

}  // namespace scout::api
