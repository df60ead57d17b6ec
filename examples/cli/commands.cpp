#include "commands.h"

#include "common.h"

namespace cli {

void AddModelOptions(CLI::App& command, ModelOptions& options) {
  command.add_option("MODEL", options.model, "GGUF file, Hugging Face directory, or the bundled model's name: scout-tiny")
      ->required();
  command.add_option("--device", options.device, "device to run on, or several: cuda:0,cuda:1; see `scout devices`");
  command.add_option("--placement", options.placement,
                     "what lies where: \"experts=cpu\", \"layers 0-23=cuda:0; layers 24-47=cuda:1\"");
  command.add_option("-t,--threads", options.threads, "compute threads; 0 = as many as the process may use")
      ->check(CLI::Range(0, 4096));
  command.add_option("--numerics", options.numerics, "invariant, fast, or float32 (device ref)")->capture_default_str();
  command.add_option("--kv", options.kv, "format of keys and values: f16, q8 (half of it), bf16, f32")->capture_default_str();
  command.add_option("--context", options.context, "positions of context; 0 = what fits")
      ->check(CLI::Range(int64_t{0}, kMostTokens));
  command.add_option("--kv-gb", options.kv_gb, "GB for keys and values; 0 = a quarter of the memory left, at most 4")
      ->check(CLI::Range(0.0, 1e6));
  command.add_flag("--map", options.map, "map the file instead of reading it");
  command.add_flag("--packed", options.packed, "use the side-file MODEL.pack that `scout pack` made: loads in milliseconds");
  command.add_option("--pack-file", options.pack_file, "use this side-file");
  command.add_flag("-q,--quiet", options.quiet, "no progress");
}

void AddCommands(CLI::App& app) {
  app.name("scout");
  app.description("libscout " + std::string(scout_version()) + ": Meta's Llama 4 on this machine");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("scout ") + scout_version() + "\n" + scout_build_info());
  AddRun(app);
  AddTokenize(app);
  AddTiles(app);
  AddInspect(app);
  AddLogits(app);
  AddPerplexity(app);
  AddBench(app);
  AddPack(app);
  AddDevices(app);
  AddSelftest(app);
}

}  // namespace cli
