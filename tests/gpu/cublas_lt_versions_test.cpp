// Which of the versions of cuBLASLt that are installed is taken: with two planted ones in the folder where this program looks
// first.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "cuda/cublas_lt.h"

namespace scout::gpu {

const char* const kPluginDevice = "cuda";

namespace {

// Null where another library of that name is found first.
int* Planted(int version, const char* name) {
  void* const file = dlopen(StrCat("libcublasLt.so.", version).c_str(), RTLD_NOW | RTLD_LOCAL);
  return file ? static_cast<int*>(dlsym(file, name)) : nullptr;
}

class CublasLtVersions : public testing::Test {
 protected:
  void SetUp() override {
    for (int i = 0; i < 2; ++i) {
      create_[i] = Planted(13 - i, "planted_create");
      handles_[i] = Planted(13 - i, "planted_handles");
      if (!create_[i] || !handles_[i]) GTEST_SKIP() << "another libcublasLt.so." << 13 - i << " is found first";
      *create_[i] = 0;
    }
  }
  int* create_[2] = {};  // of 13, of 12
  int* handles_[2] = {};
};

TEST_F(CublasLtVersions, TheNewestIsTaken) {
  const OpenedLibrary opened = OpenCublasLt(0);
  ASSERT_TRUE(opened.library);
  EXPECT_EQ(opened.name, "cuBLASLt 13.1.2");
  EXPECT_EQ(opened.why, "");
  EXPECT_EQ(*handles_[0], 1);
  EXPECT_EQ(*handles_[1], 0);
}

TEST_F(CublasLtVersions, TheOlderIsTakenWhereTheNewestGivesNoHandle) {
  *create_[0] = 1;
  {
    const OpenedLibrary opened = OpenCublasLt(0);
    ASSERT_TRUE(opened.library);
    EXPECT_EQ(opened.name, "cuBLASLt 12.1.2");
    EXPECT_EQ(opened.why, "");
    EXPECT_EQ(*handles_[0], 0);
    EXPECT_EQ(*handles_[1], 1);
  }
  EXPECT_EQ(*handles_[1], 0);
}

TEST_F(CublasLtVersions, WhereNoneGivesAHandleBothSayWhy) {
  *create_[0] = 1;
  *create_[1] = 3;
  const OpenedLibrary opened = OpenCublasLt(0);
  EXPECT_FALSE(opened.library);
  EXPECT_EQ(opened.why, "cuBLASLt 13.1.2: cublasLtCreate: planted (1), and cuBLASLt 12.1.2: cublasLtCreate: planted (3)");
}

}  // namespace
}  // namespace scout::gpu
