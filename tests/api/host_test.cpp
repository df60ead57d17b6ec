// What a host may do to its process: fork, small stacks, guard pages, another floating-point environment or locale, signals in a
// storm, no more threads. None of it changes an answer or brings the process down.
#include <fenv.h>
#include <locale.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bit>
#include <cstdlib>
#include <cstring>
#include <functional>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

#include "support/small_stack.h"
#include "tiny.h"

namespace {

using tiny::Prompt;

constexpr int64_t kTokens = 10;

// Everything that a program does with a model, in one call.
struct Day {
  std::vector<int32_t> ids, tokens;
  std::string text;
  std::vector<float> logprobs, logits;
  bool operator==(const Day& o) const {
    return ids == o.ids && tokens == o.tokens && text == o.text && Bits(logprobs) == Bits(o.logprobs) &&
           Bits(logits) == Bits(o.logits);
  }
  static std::vector<uint32_t> Bits(const std::vector<float>& values) {
    std::vector<uint32_t> bits;
    for (const float value : values) bits.push_back(std::bit_cast<uint32_t>(value));
    return bits;
  }
};

Day Live(int threads = 2, bool stepped = false) {
  Day day;
  const user::Model model = tiny::Load(threads);
  scout_engine_options options = user::EngineOptions();
  options.mode = stepped ? SCOUT_ENGINE_STEPPED : SCOUT_ENGINE_THREADED;
  const user::Engine engine = user::NewEngine(model, options);
  scout_request_options request_options = user::RequestOptions();
  request_options.max_tokens = kTokens;
  request_options.ignore_end = 1;
  request_options.logprobs = 1;
  request_options.temperature = 0.9f;
  request_options.top_p = 0.9f;
  const user::Request request = user::Submit(engine, Prompt(50), request_options);
  const auto step = [&] {
    while (stepped && scout_engine_step(engine.get(), 100) == SCOUT_OK) {
    }
  };
  step();
  const user::Answer answer = user::Read(request.get());
  day.ids = answer.ids;
  day.text = answer.text;
  day.logprobs = answer.logprobs;
  if (!stepped) day.logits = user::Logits(engine, Prompt(20));
  uint64_t needed = 0;
  day.tokens.resize(64);
  EXPECT_EQ(scout_encode(model.get(),
                         "Gr\xc3\xbc\xc3\x9f"
                         "e 1,5",
                         SCOUT_NUL, 0, day.tokens.data(), 64, &needed),
            SCOUT_OK);
  day.tokens.resize(needed);
  return day;
}

// Runs in a child; what EXPECT finds there becomes its exit code.
void InChild(const std::function<void()>& call) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(60);
    call();
    _exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

// The first three of the file use the library in a child, so the process itself must not have used it before.
TEST(Host, AForkBeforeTheFirstModelIsFine) {
  if (scout::test::kSanitized) GTEST_SKIP() << "a sanitizer's own threads do not survive a fork";
  tiny::Path();  // a child's end removes nothing
  InChild([] {
    EXPECT_GE(tiny::DeviceCount(), 1u);
    InChild([] { EXPECT_EQ(tiny::Solo(tiny::Load(), Prompt(5), 3).ids.size(), 3u); });
    EXPECT_EQ(tiny::Solo(tiny::Load(), Prompt(5), 3).ids.size(), 3u);
  });
}

// F09, F11: when the system gives no more threads or address space, calls that need one fail with a sentence; those that can do
// without go on.
TEST(Host, NoMoreThreadsIsAnErrorNotACrash) {
  if (scout::test::kSanitized) GTEST_SKIP() << "a sanitizer needs threads and address space of its own";
  tiny::Path();
  InChild([] {
    // In this child nothing of the library runs yet. Threads are refused by taking away the address space for their stacks.
    rlimit limit = {};
    ASSERT_EQ(getrlimit(RLIMIT_AS, &limit), 0);
    tiny::DeviceCount();
    std::vector<void*> hoard;
    rlimit tight = limit;
    tight.rlim_cur = size_t{64} << 20;
    ASSERT_EQ(setrlimit(RLIMIT_AS, &tight), 0);
    for (size_t size = size_t{1} << 26; size >= size_t{1} << 20; size /= 2) {
      void* taken;
      while ((taken = mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) != MAP_FAILED) hoard.push_back(taken);
    }
    scout_model* model = nullptr;
    const scout_status status = scout_load(tiny::Path().c_str(), nullptr, &model);
    ASSERT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
    EXPECT_EQ(status, SCOUT_ERR_NO_MEMORY) << scout_last_error();
    EXPECT_EQ(model, nullptr);
    EXPECT_EQ(tiny::Solo(tiny::Load(), Prompt(5), 3).ids.size(), 3u);
  });
}

// F09: standard streams and nothing else may be open.
TEST(Host, NoDescriptorLeftIsAnErrorNotACrash) {
  if (scout::test::kSanitized) GTEST_SKIP() << "a sanitizer needs descriptors of its own";
  tiny::Path();
  InChild([] {
    rlimit limit = {};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    rlimit tight = limit;
    tight.rlim_cur = 3;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
    scout_model* model = nullptr;
    const scout_status status = scout_load(tiny::Path().c_str(), nullptr, &model);
    const std::string message = scout_last_error();
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    EXPECT_EQ(status, SCOUT_ERR_IO) << message;
    EXPECT_NE(message.find("errno 24"), std::string::npos) << message;
    EXPECT_EQ(model, nullptr);
    EXPECT_EQ(tiny::Solo(tiny::Load(), Prompt(5), 3).ids.size(), 3u);
  });
}

TEST(Host, AForkAfterwardsGetsAClearError) {
  if (scout::test::kSanitized)
    GTEST_SKIP() << "a child waits for ever for a lock that a thread of its parent had in a sanitizer's allocator";
  const user::Model model = tiny::Load(2);
  const user::Engine engine = user::NewEngine(model, user::EngineOptions());
  scout_chat* chat = nullptr;
  ASSERT_EQ(scout_chat_new(model.get(), &chat), SCOUT_OK);
  const user::Chat owned(chat);
  scout_request_options options = user::RequestOptions();
  options.ignore_end = 1;
  const user::Request request = user::Submit(engine, Prompt(20), options);
  InChild([&] {
    const scout_event* event = nullptr;
    scout_request* made = nullptr;
    scout_model* loaded = nullptr;
    EXPECT_EQ(scout_request_next(request.get(), SCOUT_WAIT, &event), SCOUT_ERR_STATE);
    EXPECT_NE(std::string(scout_last_error()).find("fork"), std::string::npos) << scout_last_error();
    EXPECT_EQ(scout_engine_next(engine.get(), SCOUT_WAIT, &event), SCOUT_ERR_STATE);
    EXPECT_EQ(scout_generate(model.get(), "x", nullptr, &made), SCOUT_ERR_STATE);
    EXPECT_EQ(scout_submit(engine.get(), chat, nullptr, &made), SCOUT_ERR_STATE);
    EXPECT_EQ(scout_load(tiny::Path().c_str(), nullptr, &loaded), SCOUT_ERR_STATE);
    EXPECT_EQ(scout_request_cancel(request.get()), SCOUT_ERR_STATE);
    scout_request_free(request.get());
    scout_engine_free(engine.get());
    scout_chat_free(chat);
    scout_free(model.get());
    EXPECT_STREQ(scout_version(), "0.1.0");
  });
  // The parent goes on.
  const scout_event* event = nullptr;
  EXPECT_EQ(scout_request_next(request.get(), SCOUT_WAIT, &event), SCOUT_OK);
}

TEST(Host, EverythingRunsOnASmallStack) {
  const Day expected = Live(), stepped = Live(1, true);
  EXPECT_EQ(stepped.ids, expected.ids);
  scout::test::OnSmallStack([&] { EXPECT_TRUE(Live() == expected); });
  scout::test::OnSmallStack([&] { EXPECT_TRUE(Live(1, true) == stepped); });
  scout::test::OnSmallStack([&] {
    scout_model* model = nullptr;
    EXPECT_LT(scout_load("/nonexistent/model", nullptr, &model), 0);
    const user::Model small = tiny::Load();
    const std::string text(1 << 20, 'a');
    uint64_t count = 0;
    EXPECT_EQ(scout_count_tokens(small.get(), text.data(), text.size(), 0, &count), SCOUT_OK);
    EXPECT_EQ(count, text.size());
  });
}

TEST(Host, AnotherFloatingPointEnvironmentChangesNothing) {
  const Day expected = Live(), stepped = Live(1, true);
  for (const int rounding : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
    ASSERT_EQ(fesetround(rounding), 0);
#if defined(__SSE2__)
    const unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040);  // flush to zero, subnormals are zero
    const unsigned host = _mm_getcsr() & ~0x3fu;
#endif
    const Day day = Live(), day_stepped = Live(1, true);
#if defined(__SSE2__)
    EXPECT_EQ(_mm_getcsr() & ~0x3fu, host) << "the host's environment was not put back";
    _mm_setcsr(before);
#endif
    EXPECT_EQ(fegetround(), rounding);
    ASSERT_EQ(fesetround(FE_TONEAREST), 0);
    EXPECT_TRUE(day == expected) << rounding;
    EXPECT_TRUE(day_stepped == stepped) << rounding;
  }
}

#if defined(__GLIBC__)
TEST(Host, UnmaskedExceptionsDoNotTrapInside) {
  const Day expected = Live(1, true);
  feclearexcept(FE_ALL_EXCEPT);
  ASSERT_NE(feenableexcept(FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW | FE_UNDERFLOW | FE_INEXACT), -1);
  const user::Model model = tiny::Load(1);
  scout_engine_options options = user::EngineOptions();
  options.mode = SCOUT_ENGINE_STEPPED;
  const user::Engine engine = user::NewEngine(model, options);
  const user::Request request = user::Submit(engine, Prompt(50), user::RequestOptions());
  for (int i = 0; i < 40; ++i) scout_engine_step(engine.get(), 0);
  EXPECT_EQ(fegetexcept(), FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW | FE_UNDERFLOW | FE_INEXACT);
  fedisableexcept(FE_ALL_EXCEPT);
  EXPECT_TRUE(Live(1, true) == expected);
}
#endif

TEST(Host, AnotherLocaleChangesNothing) {
  const Day expected = Live();
  // A locale of our own where none with a comma is installed but its sources are (package "locales").
  const scout::test::TempDir folder;
  if (setlocale(LC_ALL, "de_DE.UTF-8") == nullptr &&
      std::system(("localedef -c -i de_DE -f UTF-8 " + (folder / "de_DE.UTF-8") + " >/dev/null 2>&1").c_str()) == 0)
    setenv("LOCPATH", folder.path().c_str(), 1);
  const char* const names[] = {"de_DE.UTF-8", "de_DE.utf8", "de_DE", "fr_FR.UTF-8", "tr_TR.UTF-8", "C.UTF-8"};
  bool comma = false;
  for (const char* name : names) {
    if (setlocale(LC_ALL, name) == nullptr) continue;
    comma |= localeconv()->decimal_point[0] == ',';
    EXPECT_TRUE(Live() == expected) << name;
    scout_request_options options = user::RequestOptions();
    options.temperature = 1000.5f;
    const user::Model model = tiny::Load();
    scout_request* request = nullptr;
    EXPECT_EQ(scout_generate(model.get(), "x", &options, &request), SCOUT_ERR_ARGUMENT);
    EXPECT_NE(std::string(scout_last_error()).find("1000.5"), std::string::npos) << scout_last_error();
  }
  setlocale(LC_ALL, "C");
  unsetenv("LOCPATH");
  if (!comma) GTEST_SKIP() << "no locale with a decimal comma is installed here; C.UTF-8 alone was tried";
}

TEST(Host, AStormOfSignalsIsNotNoticed) {
  const Day expected = Live();
  static volatile sig_atomic_t storms = 0;
  struct sigaction action = {}, former = {};
  action.sa_handler = [](int) { storms = storms + 1; };  // no SA_RESTART: system calls return EINTR
  ASSERT_EQ(sigaction(SIGALRM, &action, &former), 0);
  itimerval timer = {{0, 1000}, {0, 1000}}, off = {};
  ASSERT_EQ(setitimer(ITIMER_REAL, &timer, nullptr), 0);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(Live() == expected);
  ASSERT_EQ(setitimer(ITIMER_REAL, &off, nullptr), 0);
  sigaction(SIGALRM, &former, nullptr);
  EXPECT_GT(storms, 0);
}

// A text that ends where the memory ends: one byte too far is a fault.
TEST(Host, NothingIsReadOrWrittenPastItsEnd) {
  const user::Model model = tiny::Load();
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  auto* memory = static_cast<char*>(mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(memory, MAP_FAILED);
  ASSERT_EQ(mprotect(memory + page, page, PROT_NONE), 0);
  char* const end = memory + page;
  uint64_t needed = 0;
  for (const size_t size : {size_t{1}, size_t{2}, size_t{7}, size_t{64}, size_t{100}}) {
    std::memset(memory, 'a', page);
    std::memcpy(end - size, "\xf0\x9f\x98", std::min(size, size_t{3}));
    if (size == 1) end[-1] = '\xc3';  // a character that would go on
    EXPECT_EQ(scout_count_tokens(model.get(), end - size, size, SCOUT_ENCODE_SPECIAL, &needed), SCOUT_OK);
    EXPECT_EQ(needed, size);
    // The ids at the end of memory too; in and out are different places.
    std::string text(end - size, size);
    auto* ids = reinterpret_cast<int32_t*>(end) - size;
    EXPECT_EQ(scout_encode(model.get(), text.data(), size, 0, ids, size, &needed), SCOUT_OK);
    EXPECT_EQ(scout_encode(model.get(), text.data(), size, 0, ids + 1, size - 1, &needed), SCOUT_ERR_LIMIT);
    std::vector<int32_t> copy(ids, ids + size);
    EXPECT_EQ(scout_decode(model.get(), copy.data(), size, 0, end - size, size, &needed), SCOUT_OK);
    EXPECT_EQ(std::string(end - size, size), text);
    EXPECT_EQ(scout_decode(model.get(), ids, 0, 0, end, 0, &needed), SCOUT_OK);
  }
  // A chat's text and a stop string without NUL.
  scout_chat* chat = nullptr;
  ASSERT_EQ(scout_chat_new(model.get(), &chat), SCOUT_OK);
  EXPECT_EQ(scout_chat_add(chat, SCOUT_ROLE_USER, end - 5, 5), SCOUT_OK);
  scout_chat_free(chat);
  const char* stop[] = {end - 4};
  const uint64_t sizes[] = {4};
  std::memcpy(end - 4, "stop", 4);
  scout_request_options options = user::RequestOptions();
  options.stop = stop;
  options.stop_sizes = sizes;
  options.stop_count = 1;
  options.max_tokens = 1;
  scout_request* request = nullptr;
  EXPECT_EQ(scout_generate(model.get(), "x", &options, &request), SCOUT_OK) << scout_last_error();
  scout_request_free(request);
  munmap(memory, 2 * page);
}

TEST(Host, OverlappingInAndOutIsServed) {
  const user::Model model = tiny::Load();
  alignas(4) char memory[64];
  std::memcpy(memory, "abcd", 4);
  uint64_t needed = 0;
  ASSERT_EQ(scout_encode(model.get(), memory, 4, 0, reinterpret_cast<int32_t*>(memory), 16, &needed), SCOUT_OK);
  ASSERT_EQ(scout_decode(model.get(), reinterpret_cast<int32_t*>(memory), 4, 0, memory, 64, &needed), SCOUT_OK);
  EXPECT_EQ(std::string(memory, 4), "abcd");
}

}  // namespace
