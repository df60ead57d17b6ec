// cuBLASLt's file, opened as the plug-in does it: every function that is wanted is there, and without a device its handle is
// refused with a sentence. It takes what a product is described by.
#include <gtest/gtest.h>

#include "cuda/cublas_lt.cpp"  // for the words in it

namespace scout::gpu {

const char* const kPluginDevice = "cuda";

namespace {

TEST(CublasLt, IsOpenedOrSaysWhyNot) {
  const OpenedLibrary opened = OpenCublasLt(0);
  if (opened.why == "there is no libcublasLt.so.13, and there is no libcublasLt.so.12") GTEST_SKIP() << opened.why;
  if (opened.library) {
    EXPECT_EQ(opened.name.rfind("cuBLASLt 1", 0), 0u) << opened.name;
    EXPECT_EQ(opened.why, "");
    return;
  }
  // A file was found, and all of its functions.
  EXPECT_EQ(opened.why.find(" has no "), std::string::npos) << opened.why;
  EXPECT_NE(opened.why.find(": cublasLtCreate: "), std::string::npos) << opened.why;
  for (const char* version : {"13", "12"}) EXPECT_NE(opened.why.find(version), std::string::npos) << opened.why;
  const OpenedLibrary again = OpenCublasLt(0);
  EXPECT_EQ(again.why, opened.why);
  RecordProperty("why", opened.why);
}

// Descriptions, layouts and preferences want no device: with a handle that is none only the search for an algorithm fails.
TEST(CublasLt, TakesWhatAProductIsDescribedBy) {
  LtFile<CublasLt> file = File<13>();
  if (!file.why.empty()) file = File<12>();
  if (!file.why.empty()) GTEST_SKIP() << file.why;
  file.calls.create.function = [](cublasLtHandle_t* out) {
    *out = nullptr;
    return CUBLAS_STATUS_SUCCESS;
  };
  for (const bool bf16 : {false, true}) {
    LibraryStatus status;
    const auto library = LtLibrary<CublasLt>::Open(0, file.calls, status);
    ASSERT_TRUE(library);
    HalfProduct product;
    product.bf16 = bf16;
    product.outputs = 128;
    product.rows = 72;
    product.k = 64;
    product.out_cols = 130;
    status = library->Multiply(nullptr, product, nullptr, size_t{32} << 20);
    EXPECT_STREQ(status.call, "cublasLtMatmulAlgoGetHeuristic") << status.status.text;
    EXPECT_FALSE(status.ok());
  }
}

}  // namespace
}  // namespace scout::gpu
