// The golden fixtures as a list: every container of every directory with its prompts and the reference's logits.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace goldens {

namespace fs = std::filesystem;

inline std::string Slurp(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path.string() + " cannot be opened");
  return std::string(std::istreambuf_iterator<char>(file), {});
}

struct Array {
  size_t rows = 0, cols = 0;
  std::vector<float> values;  // [rows, cols]
};

// A 2-D little-endian float32 .npy file in C order.
inline Array ReadNpy(const fs::path& path) {
  const std::string bytes = Slurp(path);
  if (bytes.size() < 10 || bytes.compare(0, 6, "\x93NUMPY") != 0) throw std::runtime_error(path.string() + " is no .npy file");
  const size_t header = static_cast<unsigned char>(bytes[8]) + 256u * static_cast<unsigned char>(bytes[9]);
  const std::string text = bytes.substr(10, header);
  if (text.find("'<f4'") == std::string::npos || text.find("'fortran_order': False") == std::string::npos)
    throw std::runtime_error(path.string() + " is not float32 in C order");
  Array array;
  const size_t open = text.find("'shape': (") + 10;
  char comma = 0;
  std::istringstream(text.substr(open)) >> array.rows >> comma >> array.cols;
  array.values.resize(array.rows * array.cols);
  if (bytes.size() != 10 + header + array.values.size() * 4) throw std::runtime_error(path.string() + " has the wrong size");
  std::memcpy(array.values.data(), bytes.data() + 10 + header, array.values.size() * 4);
  return array;
}

inline std::vector<int32_t> ReadTokens(const fs::path& path) {
  std::istringstream text(Slurp(path));
  return std::vector<int32_t>(std::istream_iterator<int32_t>(text), {});
}

struct Golden {
  std::string name;  // directory, container and prompt
  std::string directory;
  std::string container;  // what to load
  fs::path tokens;
  fs::path logits;
};

inline std::vector<Golden> All(const fs::path& root) {
  std::vector<Golden> all;
  std::vector<fs::path> directories;
  for (const auto& entry : fs::directory_iterator(root))
    if (entry.is_directory()) directories.push_back(entry.path());
  std::sort(directories.begin(), directories.end());
  for (const fs::path& directory : directories) {
    std::vector<fs::path> containers, prompts;
    if (fs::exists(directory / "config.json")) containers.push_back(directory);
    for (const auto& entry : fs::directory_iterator(directory)) {
      const std::string file = entry.path().filename().string();
      if (file.ends_with(".gguf") && (file.find("-of-") == std::string::npos || file.find("-00001-of-") != std::string::npos))
        containers.push_back(entry.path());
      if (file.starts_with("tokens") && file.ends_with(".txt")) prompts.push_back(entry.path());
    }
    std::sort(containers.begin(), containers.end());
    std::sort(prompts.begin(), prompts.end());
    for (const fs::path& container : containers)
      for (const fs::path& tokens : prompts) {
        std::string logits = tokens.filename().string();
        logits.replace(0, 6, "logits");
        logits.replace(logits.size() - 3, 3, "npy");
        const bool gguf = container.extension() == ".gguf";
        all.push_back({directory.filename().string() + (gguf ? " gguf " : " safetensors ") + tokens.stem().string(),
                       directory.filename().string(), container.string(), tokens, directory / logits});
      }
  }
  return all;
}

// Whether the matrices of a model are BF16 (fixtures/goldens/spec.py).
inline bool IsBf16(const Golden& golden) {
  for (const char* const directory : {"layer-types", "linear", "multimodal", "scout"})
    if (golden.directory == directory) return true;
  return false;
}

// Largest |difference| over the rms of the reference.
inline double RelativeError(const std::vector<float>& got, const std::vector<float>& reference) {
  if (got.size() != reference.size() || got.empty()) return INFINITY;
  double largest = 0, squares = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const double difference = std::abs(static_cast<double>(got[i]) - static_cast<double>(reference[i]));
    if (!(difference <= largest)) largest = difference;  // a NaN stays
    squares += static_cast<double>(reference[i]) * static_cast<double>(reference[i]);
  }
  return largest / std::sqrt(squares / static_cast<double>(reference.size()));
}

// The rms of the differences over that of the reference.
inline double RelativeRms(const std::vector<float>& got, const std::vector<float>& reference) {
  if (got.size() != reference.size() || got.empty()) return INFINITY;
  double error = 0, squares = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const double difference = static_cast<double>(got[i]) - static_cast<double>(reference[i]);
    error += difference * difference;
    squares += static_cast<double>(reference[i]) * static_cast<double>(reference[i]);
  }
  return std::sqrt(error / squares);
}

// Where BF16 weights meet activations rounded to BF16, such an activation is off by at most half a unit of its last place, evenly
// spread: a value between 1 and 2 by 2^-8 / sqrt 3, which over all magnitudes is 0.17 % of the value. On the way to a logit lie 4
// products in each of at most 5 layers, and the head: 21 independent noises, sqrt(21) * 0.17 % = 0.76 % of the logits' rms. A token
// near two experts may go to the other, and then its logits and those of tokens that see it are others altogether; so the middle
// one of all tokens is held to this, and four fifths of them to twice as much.
constexpr double kBf16Rms = 0.0076;

// RelativeRms of each token's logits, ascending.
inline std::vector<double> RmsOfTokens(const std::vector<float>& got, const Array& reference) {
  std::vector<double> rms;
  for (size_t row = 0; row < reference.rows && got.size() == reference.values.size(); ++row) {
    const auto of_row = [&](const std::vector<float>& values) {
      const auto begin = values.begin() + static_cast<std::ptrdiff_t>(row * reference.cols);
      return std::vector<float>(begin, begin + static_cast<std::ptrdiff_t>(reference.cols));
    };
    rms.push_back(RelativeRms(of_row(got), of_row(reference.values)));
  }
  std::sort(rms.begin(), rms.end());
  return rms;
}

}  // namespace goldens
