// The driver table over a vendor's runtime, with a vendor whose calls are written down.
#include "gpu/runtime_driver.h"

#include <gtest/gtest.h>

namespace scout::gpu {

const char* const kPluginDevice = "planted";

namespace {

struct Planted {
  struct Thing {
    int edges = 0, early_edges = 0, nodes = 0;
  };
  struct NodeParameters {
    void* func;
    struct Dim {
      unsigned x, y, z;
    } gridDim, blockDim;
    unsigned sharedMemBytes;
    void** kernelParams;
  };
  using Error = int;
  using Stream = Thing*;
  using Graph = Thing*;
  using MadeGraph = Thing*;
  using Node = Thing*;
  static constexpr Error kSuccess = 0, kOutOfMemory = 2, kFailure = 5, kLosses[] = {7, 9};

  // What the runtime is asked for, and what it says.
  static inline int device, last_error, things, launched_early, launched, cleared;
  static inline Error next, refuses_early;
  static inline unsigned grid_x;
  static inline size_t allowed;
  static void Clear() {
    device = 3;
    last_error = things = launched_early = launched = cleared = next = refuses_early = 0;
    allowed = 0;
  }
  static Error Say() {
    const Error error = std::exchange(next, 0);
    if (error) last_error = error;
    return error;
  }
  template <typename T>
  static Error Make(T** out) {
    *out = new Thing;
    ++things;
    return Say();
  }
  static Error Drop(Thing* thing) {
    delete thing;
    --things;
    return 0;
  }

  static Error GetDevice(int* out) {
    *out = device;
    return 0;
  }
  static Error SetDevice(int index) {
    device = index;
    return 0;
  }
  static Error LastError() {
    ++cleared;
    return std::exchange(last_error, 0);
  }
  static const char* ErrorText(Error) { return "planted"; }
  static Error MemoryInfo(size_t* free_bytes, size_t* total_bytes) {
    *free_bytes = 10;
    *total_bytes = 20;
    return Say();
  }
  static Error Malloc(void** out, size_t) {
    *out = nullptr;
    EXPECT_EQ(device, 1);
    return Say();
  }
  static Error MallocHost(void** out, size_t bytes) { return Malloc(out, bytes); }
  static Error Free(void*) { return 0; }
  static Error FreeHost(void*) { return 0; }
  static Error MakeStream(Stream* out) { return Make(out); }
  static Error FreeStream(Stream stream) { return Drop(stream); }
  static Error Synchronize(Stream) { return Say(); }
  static Error CopyIn(void*, const void*, size_t, Stream) { return Say(); }
  static Error CopyOut(void*, const void*, size_t, Stream) { return Say(); }
  static Error CopyWithin(void*, const void*, size_t, Stream) { return Say(); }
  static Error CreateGraph(Graph* out, unsigned) { return Make(out); }
  static Error FreeGraph(Graph graph) { return Drop(graph); }
  static Error FreeMadeGraph(MadeGraph graph) { return Drop(graph); }
  static Error AddNode(Node* out, Graph graph, const Node*, size_t, const NodeParameters* parameters) {
    *out = graph;
    grid_x = parameters->gridDim.x;
    ++graph->nodes;
    return 0;
  }
  static Error AddEdge(Graph graph, Node, Node, bool early) {
    ++graph->edges;
    graph->early_edges += early;
    if (early && refuses_early) return last_error = refuses_early;
    return 0;
  }
  static Error Instantiate(MadeGraph* out, Graph graph, unsigned long long) {
    const Error error = Make(out);
    **out = *graph;
    return error;
  }
  static Error UpdateNode(MadeGraph, Node, const NodeParameters* parameters) {
    grid_x = parameters->gridDim.x;
    return Say();
  }
  static Error LaunchGraph(MadeGraph graph, Stream) {
    launched += graph->nodes;
    launched_early += graph->early_edges;
    return Say();
  }
  static Error Describe(int, std::string& out) {
    out = "a planted device";
    return 0;
  }
  static Error AllowShared(const void*, size_t bytes) {
    allowed = bytes;
    return 0;
  }
  static Error Launch(Stream, const KernelLaunch& launch, void** pointers, bool early) {
    EXPECT_EQ(pointers[0], launch.arguments);
    ++launched;
    launched_early += early;
    return Say();
  }
  static OpenedLibrary OpenLibrary(int index) {
    OpenedLibrary opened;
    opened.why = std::to_string(index);
    return opened;
  }
  static const KernelTable& Kernels() {
    static const KernelTable kTable = {};
    return kTable;
  }
};

KernelLaunch LaunchOf(unsigned grid, bool early) {
  static const int arguments = 0;
  return {"a test", &arguments, {grid, 1}, 32, 100, &arguments, sizeof arguments, early};
}

TEST(RuntimeDriver, LeavesTheThreadsDeviceAsItWas) {
  Planted::Clear();
  RuntimeDriver<Planted> driver(1, true);
  void* out = nullptr;
  EXPECT_TRUE(driver.Allocate(5, &out).ok());  // on device 1, as Malloc expects
  EXPECT_EQ(Planted::device, 3);
  DeviceFacts facts;
  EXPECT_TRUE(driver.Facts(facts).ok());
  EXPECT_EQ(facts.name, "planted:1");
  EXPECT_EQ(facts.description, "a planted device");
  EXPECT_EQ(facts.memory_free_bytes, 10u);
  EXPECT_EQ(driver.OpenLibrary().why, "1");
}

TEST(RuntimeDriver, TellsWhatFailedAndLeavesNoErrorBehind) {
  Planted::Clear();
  RuntimeDriver<Planted> driver(1, true);
  void* out = nullptr;
  for (const auto& [error, no_memory, lost] : {std::tuple{2, true, false}, {5, false, false}, {7, false, true}, {9, false, true}}) {
    Planted::next = error;
    const DriverStatus status = driver.Allocate(5, &out);
    EXPECT_EQ(status.code, error);
    EXPECT_EQ(status.no_memory, no_memory);
    EXPECT_EQ(status.lost, lost);
    EXPECT_EQ(Planted::last_error, 0);
    Planted::next = error;
    EXPECT_EQ(driver.Launch(nullptr, LaunchOf(1, false)).code, error);
    EXPECT_EQ(Planted::last_error, 0);
  }
}

TEST(RuntimeDriver, LaunchesBeginEarlyWhereTheDeviceHasThat) {
  for (const bool has : {false, true}) {
    Planted::Clear();
    RuntimeDriver<Planted> driver(1, has);
    for (const bool early : {false, true}) EXPECT_TRUE(driver.Launch(nullptr, LaunchOf(1, early)).ok());
    EXPECT_EQ(Planted::launched_early, has ? 1 : 0);
    EXPECT_EQ(Planted::allowed, 100u);
  }
}

// Early launches are edges of their own kind; a runtime that refuses those gets plain ones.
TEST(RuntimeDriver, AGraphIsAChain) {
  for (const auto& [has, refused, early] : {std::tuple{true, 0, 2}, {false, 0, 0}, {true, 5, 0}}) {
    Planted::Clear();
    Planted::refuses_early = refused;
    RuntimeDriver<Planted> driver(1, has);
    const std::vector<KernelLaunch> launches = {LaunchOf(4, true), LaunchOf(5, true), LaunchOf(6, false), LaunchOf(7, true)};
    Graph graph = nullptr;
    ASSERT_TRUE(driver.MakeGraph(launches, &graph).ok());
    EXPECT_EQ(Planted::grid_x, 7u);
    EXPECT_EQ(Planted::last_error, 0);
    EXPECT_TRUE(driver.UpdateGraph(graph, 2, LaunchOf(60, false)).ok());
    EXPECT_EQ(Planted::grid_x, 60u);
    EXPECT_TRUE(driver.LaunchGraph(nullptr, graph).ok());
    EXPECT_EQ(Planted::launched, 4);
    EXPECT_EQ(Planted::launched_early, early);
    EXPECT_EQ(Planted::things, 2);
    driver.FreeGraph(graph);
    EXPECT_EQ(Planted::things, 0);
  }
}

TEST(RuntimeDriver, AGraphThatCannotBeMadeLeavesNothing) {
  Planted::Clear();
  Planted::refuses_early = 5;
  RuntimeDriver<Planted> driver(1, false);
  Planted::next = Planted::kFailure;
  Graph graph = nullptr;
  EXPECT_EQ(driver.MakeGraph(std::vector<KernelLaunch>{LaunchOf(4, true)}, &graph).code, 5);
  EXPECT_EQ(graph, nullptr);
  EXPECT_EQ(Planted::things, 0);
}

}  // namespace
}  // namespace scout::gpu
