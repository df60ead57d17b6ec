#include "api/prompt.h"

#include <utility>

#include "api/picture.h"
#include "prompt/image_tokens.h"

namespace scout::api {
namespace {

std::vector<prompt::ImagePart> PartsOf(const ModelObject& model, const Images& images) {
  std::vector<prompt::ImagePart> parts;
  parts.reserve(images.size());
  for (const auto& image : images) parts.push_back(PartOf(model, *image));
  return parts;
}

std::vector<engine::Picture> PicturesOf(const ModelObject& model, const Images& images, std::span<const prompt::ImagePlace> places,
                                        WithTiles tiles) {
  if (tiles == WithTiles::kNo) return {};
  std::vector<PreparedPicture> prepared;
  prepared.reserve(images.size());
  for (const auto& image : images) prepared.push_back(Prepare(model, *image));
  return PlacePictures(prepared, places);
}

}  // namespace

Images ImagesOf(const scout_image* const* images, uint64_t count) {
  if (count > static_cast<uint64_t>(engine::kMostPictures))
    Fail(ErrorCode::kLimit, "image_count is ", count, ", at most ", engine::kMostPictures);
  if (count != 0 && images == nullptr) Fail(ErrorCode::kArgument, "images is NULL with a count of ", count);
  Images held;
  held.reserve(count);
  for (uint64_t i = 0; i < count; ++i) held.push_back(Get(images[i], StrCat("images[", i, "]")));
  return held;
}

Prompt TextPrompt(const ModelObject& model, std::string_view text, bool raw, const Images& images, WithTiles tiles) {
  const prompt::Tokenizer& tokenizer = model.NeedTokenizer();
  const std::vector<prompt::ImagePart> parts = PartsOf(model, images);
  if (model.chat_format != nullptr && !raw) {
    prompt::Message question;
    for (const prompt::ImagePart& part : parts) question.parts.push_back({prompt::Part::Kind::kImage, {}, part});
    question.parts.push_back({prompt::Part::Kind::kText, std::string(text), {}});
    prompt::Chat chat(model.chat_format);
    chat.Add(question);
    return {chat.AnswerPrompt(), PicturesOf(model, images, chat.images(), tiles)};
  }
  Prompt made;
  if (images.empty()) {
    made.ids = tokenizer.Encode(text, {.allow_special = false, .add_bos = tokenizer.bos().has_value()});
    return made;
  }
  if (tokenizer.bos()) made.ids.push_back(*tokenizer.bos());
  std::vector<prompt::ImagePlace> places;
  prompt::AppendTextWithImages(text, parts, tokenizer, made.ids, places);
  made.pictures = PicturesOf(model, images, places, tiles);
  return made;
}

Prompt TokenPrompt(const ModelObject& model, std::vector<int32_t> ids, const Images& images, WithTiles tiles) {
  if (images.empty()) return {std::move(ids), {}};
  const std::vector<prompt::ImagePart> parts = PartsOf(model, images);
  Prompt made;
  std::vector<prompt::ImagePlace> places;
  prompt::AppendIdsWithImages(ids, parts, prompt::ImageTokenIds(model.NeedTokenizer()), made.ids, places);
  made.pictures = PicturesOf(model, images, places, tiles);
  return made;
}

}  // namespace scout::api
