// The tokenizer of a checkpoint.
#pragma once

#include <memory>

#include "io/checkpoint.h"
#include "prompt/tokenizer.h"

namespace scout::prompt {

// A GGUF file's own arrays where it has them; a directory's tokenizer.json; else a tiktoken tokenizer.model beside either.
// Null when there is none of these: such a model serves token ids only. Begin and end of text come from the file's metadata
// (GGUF keys, or bos_token_id and eos_token_id of config.json) and, where it is silent, from the names of control tokens.
// Throws Error for a tokenizer that is there and wrong.
std::shared_ptr<const Tokenizer> LoadTokenizer(const io::Checkpoint& checkpoint);

}  // namespace scout::prompt
