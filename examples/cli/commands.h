// The commands: each adds itself to the program and runs when it was chosen.
#pragma once

#include <CLI/CLI.hpp>

namespace cli {

struct ModelOptions;
void AddModelOptions(CLI::App& command, ModelOptions& options);

// Everything that the program understands. The manual page and the shells' completions are written from it too (describe.cpp).
void AddCommands(CLI::App& app);

void AddRun(CLI::App& app);
void AddTokenize(CLI::App& app);
void AddTiles(CLI::App& app);
void AddInspect(CLI::App& app);
void AddLogits(CLI::App& app);
void AddPerplexity(CLI::App& app);
void AddBench(CLI::App& app);
void AddPack(CLI::App& app);
void AddDevices(CLI::App& app);
void AddSelftest(CLI::App& app);

}  // namespace cli
