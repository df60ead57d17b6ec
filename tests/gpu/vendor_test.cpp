// Kernel sources know no vendor: what differs between devices is in backends/cuda, backends/hip and the emulator's words.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace {

struct Found {
  size_t files = 0;
  std::vector<std::string> lines;  // "file:line: text" of each conditional, or vendor's name, of the preprocessor
};

bool IsConditional(const std::string& line) {
  const size_t at = line.find_first_not_of(" \t");
  if (at == std::string::npos || line[at] != '#') return false;
  const size_t word = line.find_first_not_of(" \t", at + 1);
  return word != std::string::npos && (line.compare(word, 2, "if") == 0 || line.compare(word, 4, "elif") == 0);
}
bool NamesAVendor(const std::string& line) {
  for (const char* name :
       {"__CUDA", "__NVCC__", "__HIP", "__gfx", "__AMDGCN", "cuda_runtime", "hip_runtime", "threadIdx", "__shfl", "__syncthreads"})
    if (line.find(name) != std::string::npos) return true;
  return false;
}

Found Search(const std::vector<std::string>& folders) {
  Found found;
  for (const std::string& folder : folders) {
    for (const auto& entry : std::filesystem::directory_iterator(std::string(SCOUT_SOURCE_DIR) + "/backends/" + folder)) {
      const std::string extension = entry.path().extension().string();
      if (extension != ".h" && extension != ".cpp" && extension != ".inl" && extension != ".cu") continue;
      ++found.files;
      std::ifstream file(entry.path());
      std::string line;
      for (size_t number = 1; std::getline(file, line); ++number)
        if (IsConditional(line) || NamesAVendor(line))
          found.lines.push_back(entry.path().filename().string() + ":" + std::to_string(number) + ": " + line);
    }
  }
  return found;
}

TEST(Vendors, KernelSourcesHaveNoConditionalOnThem) {
  const Found found = Search({"gpu"});
  EXPECT_GE(found.files, 20u);
  EXPECT_TRUE(found.lines.empty()) << found.lines.size() << " of them, the first: " << found.lines.front();
}

// The search would see one: the words themselves have some.
TEST(Vendors, TheirOwnWordsHaveSome) {
  EXPECT_FALSE(Search({"cuda"}).lines.empty());
  EXPECT_FALSE(Search({"hip"}).lines.empty());
}

}  // namespace
