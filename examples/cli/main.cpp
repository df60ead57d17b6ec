// The scout program: libscout from a terminal.
#include <cstdio>

#include "commands.h"
#include "common.h"

int main(int argc, char** argv) {
  CLI::App app;
  cli::AddCommands(app);
  try {
    app.parse(argc, argv);
    return cli::kOk;
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? cli::kOk : cli::kUsage;
  } catch (const cli::Failure& failure) {
    std::fprintf(stderr, "scout: %s\n", failure.what());
    return failure.exit_code();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "scout: %s\n", error.what());
    return cli::kFailed;
  }
}
