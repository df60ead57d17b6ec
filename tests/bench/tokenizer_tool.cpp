// The tokenizer on a pipe, for comparing it with others and for timing it.
//
//   tokenizer_tool VOCABULARY encode <texts >ids     a text is its size (u32) and its bytes; the answer its count and ids (i32
//   each) tokenizer_tool VOCABULARY time FILE [SECONDS]    encodes the file again and again on one thread; prints MB/s
//
// VOCABULARY is a tiktoken file, or a tokenizer.json when its name ends in .json. Every text is decoded again and compared.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "prompt/tokenizer.h"

namespace {

using scout::prompt::TokenId;

std::string ReadFile(const char* path) {
  std::string bytes;
  std::FILE* file = std::fopen(path, "rb");
  if (!file) {
    std::fprintf(stderr, "cannot open %s\n", path);
    std::exit(1);
  }
  char buffer[65536];
  for (size_t n; (n = std::fread(buffer, 1, sizeof buffer, file)) > 0;) bytes.append(buffer, n);
  std::fclose(file);
  return bytes;
}

int EncodeAll(const scout::prompt::Tokenizer& tokenizer) {
  std::vector<TokenId> ids;
  std::string text;
  for (uint32_t size; std::fread(&size, sizeof size, 1, stdin) == 1;) {
    text.resize(size);
    if (std::fread(text.data(), 1, size, stdin) != size) return 1;
    ids.clear();
    tokenizer.EncodeAppend(text, {}, ids);
    if (tokenizer.Decode(ids) != text) {
      std::fprintf(stderr, "decode(encode(x)) differs from x for a text of %u bytes\n", size);
      return 1;
    }
    const auto count = static_cast<uint32_t>(ids.size());
    std::fwrite(&count, sizeof count, 1, stdout);
    std::fwrite(ids.data(), sizeof ids[0], ids.size(), stdout);
  }
  return 0;
}

int Time(const scout::prompt::Tokenizer& tokenizer, const std::string& text, double seconds) {
  using Clock = std::chrono::steady_clock;
  double best = 0, total = 0;
  size_t tokens = 0;
  std::vector<TokenId> ids;
  for (int round = 0; round < 2 || total < seconds; ++round) {
    ids.clear();
    const auto begin = Clock::now();
    tokenizer.EncodeAppend(text, {}, ids);
    const double took = std::chrono::duration<double>(Clock::now() - begin).count();
    total += took;
    if (best == 0 || took < best) best = took;
    tokens = ids.size();
  }
  std::printf("%.2f MB/s, %zu bytes, %zu tokens, %.4f s\n", static_cast<double>(text.size()) / best * 1e-6, text.size(), tokens,
              best);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 2 ? argv[2] : "";
  if (!(argc == 3 && mode == "encode") && !((argc == 4 || argc == 5) && mode == "time")) {
    std::fprintf(stderr, "usage: tokenizer_tool VOCABULARY encode | tokenizer_tool VOCABULARY time FILE [SECONDS]\n");
    return 2;
  }
  try {
    const std::string_view path = argv[1];
    const std::string source = ReadFile(argv[1]);
    const auto begin = std::chrono::steady_clock::now();
    const scout::prompt::Tokenizer tokenizer(path.ends_with(".json") ? scout::prompt::ReadJsonVocabulary(source, path)
                                                                     : scout::prompt::ReadTiktokenVocabulary(source, path));
    std::fprintf(stderr, "%zu tokens, read in %.0f ms\n", tokenizer.size(),
                 std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() * 1e3);
    if (mode == "encode") return EncodeAll(tokenizer);
    return Time(tokenizer, ReadFile(argv[3]), argc == 5 ? std::atof(argv[4]) : 3.0);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
