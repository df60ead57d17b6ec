// The commands: each adds itself to the program and runs when it was chosen.
#pragma once

#include <CLI/CLI.hpp>

namespace cli {

struct ModelOptions;
void AddModelOptions(CLI::App& command, ModelOptions& options);

void AddRun(CLI::App& app);
void AddTokenize(CLI::App& app);
void AddInspect(CLI::App& app);
void AddLogits(CLI::App& app);
void AddPerplexity(CLI::App& app);
void AddBench(CLI::App& app);
void AddDevices(CLI::App& app);

}  // namespace cli
