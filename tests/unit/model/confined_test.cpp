// S17 of the project's list of hostile inputs: a config.json with keys that other loaders act on (code to fetch, code to run) is
// loaded on a thread that may neither make a socket nor start a program: the kernel reports each attempt. And every file that is
// opened lies in the model's folder, and no library is loaded.
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/io_ops.h"
#include "io/checkpoint.h"
#include "model/model.h"
#include "support/checkpoint_files.h"
#include "support/memory_checkpoint.h"
#include "support/temp_dir.h"

#if defined(__linux__) && defined(__x86_64__)

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>

namespace scout::model {
namespace {

std::atomic<int> g_attempts{0};
std::atomic<long> g_last{-1};

void Report(int, siginfo_t* info, void* context) {
  ++g_attempts;
  g_last = info->si_syscall;
  static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RAX] = -EPERM;
}

// For the calling thread and those that it makes. False where the system does not allow filters.
bool ForbidNetworkAndPrograms() {
  constexpr uint32_t kForbidden[] = {SYS_socket, SYS_socketpair, SYS_connect,  SYS_sendto, SYS_sendmsg, SYS_bind,
                                     SYS_listen, SYS_execve,     SYS_execveat, SYS_fork,   SYS_vfork};
  std::vector<sock_filter> program;
  program.push_back({BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)});
  for (const uint32_t call : kForbidden) {
    program.push_back({BPF_JMP | BPF_JEQ | BPF_K, 0, 1, call});
    program.push_back({BPF_RET | BPF_K, 0, 0, SECCOMP_RET_TRAP});
  }
  program.push_back({BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW});
  const sock_fprog filter = {static_cast<unsigned short>(program.size()), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

std::vector<std::string>& Opened() {
  static std::vector<std::string> paths;
  return paths;
}

// Lines of the process's map of memory that may be run: libraries, one or more each.
int ExecutableMappings() {
  std::ifstream maps("/proc/self/maps");
  int count = 0;
  for (std::string line; std::getline(maps, line);) count += line.find("r-xp") != std::string::npos;
  return count;
}

TEST(Confined, KeysThatAskForCodeAreTextAndNothingIsFetchedOrRun) {
  const test::TempDir folder;
  const auto checkpoint = test::MakeTinyHuggingFace({});
  checkpoint->meta().SetString("auto_map.AutoConfig", "http://169.254.169.254/x.py--C");
  checkpoint->meta().SetString("auto_map.AutoModelForCausalLM", "modeling.Model");
  checkpoint->meta().SetBool("trust_remote_code", true);
  checkpoint->meta().SetString("_attn_implementation_internal", "kernels-community/x");
  checkpoint->meta().SetString("_name_or_path", "https://example.invalid/model");
  test::WriteHuggingFace(*checkpoint, folder.path());
  test::WriteFile(folder / "modeling.py", "raise SystemExit");

  struct sigaction action = {}, before = {};
  action.sa_sigaction = Report;
  action.sa_flags = SA_SIGINFO;
  ASSERT_EQ(::sigaction(SIGSYS, &action, &before), 0);
  IoOps ops = SystemIo();
  ops.open_read = [](const char* path) {
    Opened().emplace_back(path);
    return SystemIo().open_read(path);
  };
  bool confined = false, loaded = false;
  std::string message;
  int attempts = -1, control = -1, libraries = 0;
  {
    const ScopedIoOps scope(&ops);
    std::thread([&] {
      const int executable = ExecutableMappings();
      confined = ForbidNetworkAndPrograms();
      if (!confined) return;
      try {
        LoadOptions options;
        options.device = "ref";
        LoadProgress progress;
        loaded = Model::Load(io::OpenCheckpoint(folder.path(), {}), options, progress) != nullptr;
      } catch (const Error& error) {
        message = error.what();
      }
      attempts = g_attempts;
      libraries = ExecutableMappings() - executable;
      if (::socket(AF_INET, SOCK_STREAM, 0) == -1 && errno == EPERM) control = g_attempts - attempts;  // the filter is in force
    }).join();
  }
  ::sigaction(SIGSYS, &before, nullptr);
  if (!confined) GTEST_SKIP() << "this system does not let a thread give up system calls";
  EXPECT_TRUE(loaded) << message;
  EXPECT_EQ(attempts, 0) << "the last was system call " << g_last;
  EXPECT_EQ(control, 1);
  EXPECT_EQ(libraries, 0);
  EXPECT_GE(Opened().size(), 2u);
  for (const std::string& path : Opened()) {
    EXPECT_EQ(path.rfind(folder.path(), 0), 0u) << path;
    EXPECT_EQ(path.find("modeling"), std::string::npos) << path;
  }
}

}  // namespace
}  // namespace scout::model

#endif
