// Who may include whom: every #include of src/ and backends/ against the table in src/README.md, so that the rooms stay what the
// picture says.
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <set>

#include "house.h"

namespace {

using house::SourceFile;

// A room may include files of itself and of these; "backend/step_plan.h" stands for that one file.
using Table = std::map<std::string, std::set<std::string>>;

// The rows of the one Markdown table whose header begins with "| Room |": | room | may include |. Code marks are ignored; "nothing"
// is an empty list; "backends/*" is a row for every backend.
Table ParseTable(const std::vector<std::string>& lines) {
  Table table;
  bool inside = false;
  for (const std::string& line : lines) {
    if (line.starts_with("| Room |")) inside = true;
    if (!inside) continue;
    if (!line.starts_with("|")) break;
    std::vector<std::string> cells(1);
    for (const char c : line.substr(1)) {
      if (c == '|')
        cells.emplace_back();
      else if (c != '`' && c != ' ')
        cells.back().push_back(c);
    }
    if (cells.size() < 2 || cells[0] == "Room" || cells[0].starts_with("---")) continue;
    std::set<std::string>& allowed = table[cells[0]];
    std::string name;
    for (const char c : cells[1] + ",") {
      if (c != ',') {
        name.push_back(c);
      } else {
        if (!name.empty() && name != "nothing") allowed.insert(name);
        name.clear();
      }
    }
  }
  return table;
}

// "src/io/gguf.cpp" -> "io"; "backends/cpu/attention.cpp" -> "backends/cpu"; src/README.md and CMake files are not asked for.
std::string RoomOf(const std::string& path) {
  const size_t first = path.find('/');
  const size_t second = path.find('/', first + 1);
  if (second == std::string::npos) return "";
  const std::string folder = path.substr(first + 1, second - first - 1);
  return path.starts_with("backends/") ? "backends/" + folder : folder;
}

struct Include {
  std::string target;
  bool angled = false;
};

std::optional<Include> ParseInclude(const std::string& line) {
  size_t at = line.find_first_not_of(" \t");
  if (at == std::string::npos || line[at] != '#') return std::nullopt;
  at = line.find_first_not_of(" \t", at + 1);
  if (at == std::string::npos || line.compare(at, 7, "include") != 0) return std::nullopt;
  at = line.find_first_of("<\"", at + 7);
  if (at == std::string::npos) return Include{"(a macro)", false};
  const bool angled = line[at] == '<';
  const size_t end = line.find(angled ? '>' : '"', at + 1);
  return Include{line.substr(at + 1, end == std::string::npos ? end : end - at - 1), angled};
}

// One line per broken rule, "path:line: what".
std::vector<std::string> Violations(const Table& table, const std::vector<SourceFile>& files,
                                    const std::set<std::string>& existing) {
  std::vector<std::string> found;
  for (const SourceFile& file : files) {
    const std::string room = RoomOf(file.path);
    std::string row = room;
    if (room.starts_with("backends/") && !table.contains(row)) row = "backends/*";
    for (size_t i = 0; i < file.lines.size(); ++i) {
      const std::optional<Include> include = ParseInclude(file.lines[i]);
      const auto report = [&](const std::string& what) { found.push_back(file.path + ":" + std::to_string(i + 1) + ": " + what); };
      if (i == 0 && !table.contains(row)) report("room \"" + room + "\" is not in the table");
      if (!include || !table.contains(row)) continue;
      const std::string& target = include->target;
      const std::set<std::string>& allowed = table.at(row);
      if (include->angled) {
        if (target.starts_with("scout/") && !allowed.contains("include/scout"))
          report("only api includes the public header, not <" + target + ">");
        if (target.starts_with("nlohmann/") && file.path.ends_with(".h"))
          report("<" + target + "> belongs into a .cpp: it is slow to compile");
        continue;
      }
      if (target.find("..") != std::string::npos) {
        report("\"" + target + "\" climbs out of its folder");
        continue;
      }
      const std::string target_room = target.substr(0, target.find('/'));
      const bool backend_file = existing.contains("backends/" + target);
      if (!existing.contains("src/" + target) && !backend_file) {
        report("\"" + target + "\" is no file of src/ or backends/ (includes are room-qualified)");
        continue;
      }
      const std::string wanted = backend_file ? "backends/" + target_room : target_room;
      if (wanted == room || allowed.contains(wanted) || allowed.contains(target)) continue;
      report("room " + room + " may not include \"" + target + "\"");
    }
  }
  return found;
}

std::string Joined(const std::vector<std::string>& lines) {
  std::string all;
  for (const std::string& line : lines) all += line + "\n";
  return all;
}

std::set<std::string> PathsOf(const std::vector<SourceFile>& files) {
  std::set<std::string> paths;
  for (const SourceFile& file : files) paths.insert(file.path);
  return paths;
}

const std::vector<std::string> kEndings = {".h", ".cpp", ".c", ".cu", ".cuh", ".in", ".inc", ".inl"};

Table TableOfTheHouse() {
  const std::vector<SourceFile> readme = house::ReadTree(SCOUT_SOURCE_DIR, {"src"}, {"README.md"});
  return readme.empty() ? Table() : ParseTable(readme.front().lines);
}

TEST(IncludeRule, HoldsForEveryFile) {
  const Table table = TableOfTheHouse();
  ASSERT_TRUE(table.contains("engine") && table.contains("api")) << "src/README.md has lost its table";
  const std::vector<SourceFile> files = house::ReadTree(SCOUT_SOURCE_DIR, {"src", "backends"}, kEndings);
  ASSERT_GT(files.size(), 20u);
  const std::vector<std::string> violations = Violations(table, files, PathsOf(files));
  EXPECT_TRUE(violations.empty()) << Joined(violations);
}

// The layering itself: no cycle can be written into the table without this test noticing.
TEST(IncludeRule, TableHasNoCycle) {
  const Table table = TableOfTheHouse();
  std::set<std::string> done;
  bool progress = true;
  while (progress) {
    progress = false;
    for (const auto& [room, allowed] : table) {
      if (done.contains(room)) continue;
      bool ready = true;
      for (const std::string& name : allowed) {
        const std::string on = name.find('.') == std::string::npos ? name : name.substr(0, name.find('/'));
        ready &= !table.contains(on) || done.contains(on);
      }
      if (ready) progress = done.insert(room).second || progress;
    }
  }
  EXPECT_EQ(done.size(), table.size());
}

struct Case {
  const char* path;
  const char* line;
  bool fine;
};

TEST(IncludeRule, FailsWhenAForbiddenIncludeIsAdded) {
  const Table table = ParseTable({"| Room | may include |", "|---|---|", "| base | nothing |", "| `backend` | base |",
                                  "| engine | backend/step_plan.h, base |", "| api | engine, base, include/scout |",
                                  "| backends/* | backend, base |", "", "| base | api |"});
  const std::set<std::string> existing = {"src/base/text.h",     "src/backend/backend.h", "src/backend/step_plan.h",
                                          "src/engine/engine.h", "backends/ref/ref.h",    "backends/cpu/pool.h"};
  const Case cases[] = {
      {"src/engine/a.cpp", "#include \"backend/step_plan.h\"", true},
      {"src/engine/a.cpp", "#include \"backend/backend.h\"", false},
      {"src/engine/a.cpp", "#include \"engine/engine.h\"", true},
      {"src/engine/a.cpp", "#include <scout/scout.h>", false},
      {"src/engine/a.cpp", "#include <vector>", true},
      {"src/engine/a.cpp", "  #  include \"backend/backend.h\"  // spaced", false},
      {"src/engine/a.cpp", "#include \"engine.h\"", false},
      {"src/engine/a.cpp", "#include \"../backend/backend.h\"", false},
      {"src/engine/a.h", "#include <nlohmann/json.hpp>", false},
      {"src/engine/a.cpp", "#include <nlohmann/json.hpp>", true},
      {"src/engine/a.cpp", "#include SOME_HEADER", false},
      {"src/api/a.cpp", "#include <scout/scout.h>", true},
      {"src/api/a.cpp", "#include \"backend/backend.h\"", false},
      {"src/base/a.cpp", "#include \"base/text.h\"", true},
      {"src/base/a.cpp", "#include \"engine/engine.h\"", false},
      {"src/attic/a.cpp", "#include \"base/text.h\"", false},
      {"backends/cpu/a.cpp", "#include \"cpu/pool.h\"", true},
      {"backends/cpu/a.cpp", "#include \"ref/ref.h\"", false},
      {"backends/cpu/a.cpp", "#include \"backend/backend.h\"", true},
      {"backends/cpu/a.cpp", "#include \"engine/engine.h\"", false},
      {"src/engine/a.cpp", "#include \"cpu/pool.h\"", false},
      {"src/engine/a.cpp", "// #include \"backend/backend.h\"", true},
  };
  for (const Case& c : cases) {
    const std::vector<SourceFile> files = {{c.path, {c.line}}};
    EXPECT_EQ(Violations(table, files, existing).empty(), c.fine) << c.path << ": " << c.line;
  }
}

}  // namespace
