// The scout program: libscout from a terminal.
#include <cstdio>

#include "commands.h"
#include "common.h"

int main(int argc, char** argv) {
  try {
    return cli::RunCommandLine(argc, argv);
  } catch (const cli::Failure& failure) {
    std::fprintf(stderr, "scout: %s\n", failure.what());
    return failure.exit_code();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "scout: %s\n", error.what());
    return cli::kFailed;
  }
}
