// The engine over the library's own tokenizer.
#include <memory>
#include <utility>

#include "engine/core.h"
#include "prompt/tokenizer.h"

namespace scout::engine {
namespace {

class TokenizerText final : public TokenText {
 public:
  explicit TokenizerText(std::shared_ptr<const prompt::Tokenizer> tokenizer) : tokenizer_(std::move(tokenizer)) {}
  // A model may have more rows than its tokenizer has entries; what such a row would say is nothing.
  std::string_view Bytes(int32_t id) const override { return Known(id) ? tokenizer_->TokenBytes(id) : std::string_view(); }
  bool IsSpecial(int32_t id) const override { return Known(id) && tokenizer_->IsSpecial(id); }

 private:
  bool Known(int32_t id) const { return id >= 0 && static_cast<size_t>(id) < tokenizer_->size(); }
  std::shared_ptr<const prompt::Tokenizer> tokenizer_;
};

}  // namespace

std::shared_ptr<Engine> Engine::Make(std::unique_ptr<model::Runner> runner, std::shared_ptr<const prompt::Tokenizer> tokenizer,
                                     std::vector<int32_t> stop_tokens, uint64_t model_fingerprint, const EngineOptions& options,
                                     std::unique_ptr<model::Vision> vision) {
  std::shared_ptr<const TokenText> text;
  if (tokenizer != nullptr) text = std::make_shared<TokenizerText>(std::move(tokenizer));
  return MakeEngine(std::move(runner), std::move(text), std::move(stop_tokens), model_fingerprint, options, std::move(vision));
}

}  // namespace scout::engine
