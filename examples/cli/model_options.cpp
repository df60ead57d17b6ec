#include "commands.h"

#include "common.h"

namespace cli {

void AddModelOptions(Command& command, ModelOptions& options) {
  command.Add("MODEL", options.model, "GGUF file, Hugging Face directory, or the bundled model's name: scout-tiny").Required();
  command.Add("--device", options.device, "device to run on, or several: cuda:0,cuda:1; see `scout devices`");
  command.Add("--placement", options.placement, "what lies where: \"experts=cpu\", \"layers 0-23=cuda:0; layers 24-47=cuda:1\"");
  command.Add("-t,--threads", options.threads, "compute threads; 0 = as many as the process may use").Between(0, 4096);
  command.Add("--numerics", options.numerics, "invariant, fast, or float32 (device ref)").ShowsDefault();
  command.Add("--kv", options.kv, "format of keys and values: f16, q8 (half of it), bf16, f32").ShowsDefault();
  command.Add("--context", options.context, "positions of context; 0 = what fits").Between(0, kMostTokens);
  command.Add("--kv-gb", options.kv_gb, "GB for keys and values; 0 = a quarter of the memory left, at most 4").BetweenReals(0, 1e6);
  command.Flag("--map", options.map, "map the file instead of reading it");
  command.Flag("--packed", options.packed, "use the side-file MODEL.pack that `scout pack` made: loads in milliseconds");
  command.Add("--pack-file", options.pack_file, "use this side-file");
  command.Flag("-q,--quiet", options.quiet, "no progress");
}

}  // namespace cli
