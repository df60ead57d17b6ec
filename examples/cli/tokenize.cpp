#include <cstdio>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "common.h"

namespace cli {
namespace {

struct TokenizeOptions {
  ModelOptions model;
  std::string text;
  std::string file;
  std::string image;
  bool special = false;
  bool bos = false;
  bool count = false;
  bool json = false;
};

// A token's bytes for a terminal: control characters and bytes that are no characters of their own as \xNN.
std::string Shown(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f || byte == '\\') {
      char text[8];
      std::snprintf(text, sizeof text, "\\x%02x", byte);
      out += text;
    } else {
      out += c;
    }
  }
  return out;
}

// What stands for a picture in a prompt of the model; a model without vision is asked as if it were a released Llama 4.
std::vector<int32_t> ImageTokens(const scout_model* model, const std::string& path) {
  scout_image* made = nullptr;
  Check(scout_image_from_file(path.c_str(), nullptr, &made));
  const Image image(made);
  scout_tile_options tiles;
  Check(scout_tile_options_init(&tiles, sizeof tiles));
  if (const scout_status status = scout_model_get_tile_options(model, &tiles); status != SCOUT_ERR_STATE) Check(status);
  uint64_t needed = 0;
  Check(scout_image_tokens(image.get(), model, &tiles, nullptr, 0, &needed));
  std::vector<int32_t> ids(needed);
  Check(scout_image_tokens(image.get(), model, &tiles, ids.data(), ids.size(), &needed));
  return ids;
}

void Tokenize(const TokenizeOptions& options) {
  if (!options.image.empty() ? !options.text.empty() && !options.file.empty() : options.text.empty() == options.file.empty())
    throw Failure("give either TEXT or --file", kUsage);
  const std::string text = options.file.empty() ? options.text : ReadFile(options.file);
  const Model model = Load(options.model);
  const std::vector<int32_t> picture = options.image.empty() ? std::vector<int32_t>() : ImageTokens(model.get(), options.image);
  const uint32_t flags = (options.special ? uint32_t{SCOUT_ENCODE_SPECIAL} : 0u) | (options.bos ? uint32_t{SCOUT_ENCODE_BOS} : 0u);
  if (options.count) {
    uint64_t count = 0;
    Check(scout_count_tokens(model.get(), text.data(), text.size(), flags, &count));
    std::printf("%zu\n", static_cast<size_t>(count) + picture.size());
    return;
  }
  std::vector<int32_t> ids = Encode(model.get(), text, flags);
  ids.insert(ids.begin() + (options.bos ? 1 : 0), picture.begin(), picture.end());
  if (options.json) {
    std::printf("%s\n", nlohmann::json(ids).dump().c_str());
    return;
  }
  for (const int32_t id : ids) {
    const char* bytes = nullptr;
    uint64_t size = 0;
    Check(scout_token_bytes(model.get(), id, &bytes, &size, nullptr));
    std::printf("%7d  %s\n", id, Shown({bytes, size}).c_str());
  }
}

}  // namespace

void AddTokenize(CLI::App& app) {
  Command command(app, "tokenize", "show the token ids of a text");
  auto options = std::make_shared<TokenizeOptions>();
  AddModelOptions(command, options->model);
  command.Add("TEXT", options->text, "the text");
  command.Add("--file", options->file, "read the text from a file, - for stdin");
  command.Add("--image", options->image, "begin with the tokens of a picture: a PNG, JPEG or WebP file");
  command.Flag("--special", options->special, "spellings of control tokens become control tokens");
  command.Flag("--bos", options->bos, "begin with the begin-of-text token");
  command.Flag("--count", options->count, "print the number of tokens only");
  command.Flag("--json", options->json, "print the ids as a JSON array");
  command.OnRun([options] { Tokenize(*options); });
}

}  // namespace cli
