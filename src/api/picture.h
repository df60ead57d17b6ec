// A picture on its way into a prompt: cut into the tiles that a model takes, and named by their content.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "api/image_object.h"
#include "api/objects.h"
#include "engine/picture.h"
#include "prompt/chat_format.h"

namespace scout::api {

// Throws kUnsupported for a model that sees no pictures.
void NeedVision(const ModelObject& model);

// What a picture's tokens in a prompt depend on. Nothing is computed of its pixels. Throws as NeedVision.
prompt::ImagePart PartOf(const ModelObject& model, const ImageObject& image);

// By the model's own rules, in at most `max_tiles` tiles where that is not 0, else in as many as the picture itself allows. Throws
// as NeedVision.
PreparedPicture Prepare(const ModelObject& model, const ImageObject& image, int64_t max_tiles = 0);

// That the message which is begun may have another picture, beside those of the chat and `pending` ones. Throws as NeedVision;
// kState, kArgument, kLimit.
void CheckTakesPictures(const ChatObject& chat, size_t pending = 0);

// One place for each picture, in the same order.
std::vector<engine::Picture> PlacePictures(std::span<const PreparedPicture> pictures, std::span<const prompt::ImagePlace> places);

}  // namespace scout::api
