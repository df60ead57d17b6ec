#include <cstdio>
#include <filesystem>

#include "commands.h"
#include "common.h"

namespace cli {
namespace {

struct PackOptions {
  ModelOptions model;
  bool check = false;
};

void Pack(const PackOptions& given) {
  ModelOptions options = given.model;
  options.packed = true;
  options.pack = given.check ? SCOUT_PACK_CHECK : SCOUT_PACK_WRITE;
  const double begin = NowSeconds();
  const Model model = Load(options);
  const double seconds = NowSeconds() - begin;
  std::error_code unknown;
  const std::string path = options.pack_file.empty() ? options.model + ".pack" : options.pack_file;
  const auto bytes = std::filesystem::file_size(path, unknown);
  std::printf("%s%s %s in %.1f s\n", unknown ? "" : (path + ": ").c_str(), unknown ? "the side-file" : Bytes(bytes).c_str(),
              given.check ? "are what they were made from," : "written", seconds);
}

}  // namespace

void AddPack(CLI::App& app) {
  Command command(app, "pack", "write a side-file with which a GGUF file loads in milliseconds, shared by processes");
  auto options = std::make_shared<PackOptions>();
  command.Add("MODEL", options->model.model, "GGUF file, or the bundled model's name: scout-tiny").Required();
  command.Add("-o,--output", options->model.pack_file, "the side-file; MODEL.pack otherwise");
  command.Flag("--check", options->check, "compare all of a side-file that is there with its hashes, and write nothing");
  command.Add("--device", options->model.device, "device whose arrangement of weights it holds; see `scout devices`");
  command.Add("-t,--threads", options->model.threads, "compute threads; 0 = as many as the process may use").Between(0, 4096);
  command.Flag("-q,--quiet", options->model.quiet, "no progress");
  command.OnRun([options] { Pack(*options); });
}

}  // namespace cli
