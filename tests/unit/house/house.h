// What the tests of this folder share: the source tree as text.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace house {

struct SourceFile {
  std::string path;  // relative to the repository's top, with '/'
  std::vector<std::string> lines;
};

inline std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

// All files below `folders` (relative to `top`) whose names end in one of `endings`, sorted by path. Folders called "build*" and
// hidden ones are left out.
inline std::vector<SourceFile> ReadTree(const std::filesystem::path& top, const std::vector<std::string>& folders,
                                        const std::vector<std::string>& endings) {
  namespace fs = std::filesystem;
  std::vector<SourceFile> files;
  for (const std::string& folder : folders) {
    if (!fs::exists(top / folder)) continue;
    for (auto entry = fs::recursive_directory_iterator(top / folder); entry != fs::recursive_directory_iterator(); ++entry) {
      const std::string name = entry->path().filename().string();
      if (entry->is_directory() && (name.starts_with("build") || name.starts_with("."))) entry.disable_recursion_pending();
      if (!entry->is_regular_file()) continue;
      bool wanted = false;
      for (const std::string& ending : endings) wanted |= name.ends_with(ending);
      if (!wanted) continue;
      std::ifstream in(entry->path(), std::ios::binary);
      const std::string text{std::istreambuf_iterator<char>(in), {}};
      files.push_back({fs::relative(entry->path(), top).generic_string(), Lines(text)});
    }
  }
  std::sort(files.begin(), files.end(), [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  return files;
}

}  // namespace house
