// Page pool, prefix keys, prefix cache and page store, each on its own.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "engine/page_store.h"
#include "harness.h"

namespace scout::engine {
namespace {

using test::Numbers;

TEST(PagePool, GivesEveryPageOnceAndTakesItBack) {
  PagePool pool(5);
  std::set<int32_t> pages;
  for (int i = 0; i < 5; ++i) pages.insert(pool.Take().page);
  EXPECT_EQ(pages, (std::set<int32_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(pool.Take().page, -1);
  pool.Drop(3);
  EXPECT_EQ(pool.Take().page, 3);
  EXPECT_EQ(pool.peak_held(), 5);
  pool.Check();
}

TEST(PagePool, IdlePagesAreGivenAwayInTheOrderTheyFellIdle) {
  PagePool pool(3);
  for (int i = 0; i < 3; ++i) pool.SetCached(pool.Take().page);
  pool.Drop(1);
  pool.Drop(2);
  pool.Drop(0);
  pool.Hold(2);  // used again: no longer idle
  EXPECT_EQ(pool.available(), 2);
  const PagePool::Taken first = pool.Take();
  EXPECT_EQ(first.page, 1);
  EXPECT_TRUE(first.was_cached);
  EXPECT_EQ(pool.Take().page, 0);
  EXPECT_EQ(pool.Take().page, -1);
  pool.Check();
}

TEST(PagePool, ADropTooManyIsADefectThatIsNoticed) {
  PagePool pool(2);
  const int32_t page = pool.Take().page;
  pool.Drop(page);
  EXPECT_THROW(pool.Drop(page), Error);
  EXPECT_THROW(pool.Hold(page), Error) << "a free page has no contents to share";
}

TEST(PagePool, AnyOrderOfUseKeepsEveryPageInOneState) {
  Numbers numbers(7);
  PagePool pool(20);
  std::vector<int32_t> held;
  for (int i = 0; i < 5000; ++i) {
    const int64_t what = numbers.Below(4);
    if (what == 0) {
      const PagePool::Taken taken = pool.Take();
      if (taken.page >= 0) held.push_back(taken.page);
    } else if (!held.empty()) {
      const size_t at = static_cast<size_t>(numbers.Below(static_cast<int64_t>(held.size())));
      if (what == 1) {
        pool.SetCached(held[at]);
      } else if (what == 2 && held.size() < 60) {
        pool.Hold(held[at]);
        held.push_back(held[at]);
      } else {
        pool.Drop(held[at]);
        held.erase(held.begin() + static_cast<std::ptrdiff_t>(at));
      }
    }
    pool.Check();
    EXPECT_EQ(pool.held(), static_cast<int64_t>(std::set<int32_t>(held.begin(), held.end()).size()));
  }
}

TEST(PrefixKey, IsSipHashWith128BitsOfOutput) {
  // Key 00..0f over the first 0, 4, 8 and 12 bytes of 00 01 02 ...; computed with `openssl mac -macopt size:16 SIPHASH`, 3.0.19.
  PrefixHasher hasher(PrefixKey{0x0706050403020100u, 0x0f0e0d0c0b0a0908u});
  EXPECT_EQ(hasher.Finish(), (PrefixKey{0xe6a825ba047f81a3u, 0x930255c71472f66du}));
  hasher.Add(0x03020100u);
  EXPECT_EQ(hasher.Finish(), (PrefixKey{0xaf8f9c2dc16481f8u, 0x7955cd7b7c6e0f7du}));
  EXPECT_EQ(hasher.Finish(0x07060504u), (PrefixKey{0x61f55862baa9623bu, 0xb49714f364e2830fu}));
  hasher.Add(0x07060504u);
  hasher.Add(0x0b0a0908u);
  EXPECT_EQ(hasher.Finish(), (PrefixKey{0x58f35e9066b226d6u, 0x25c13285f64d6382u}));
}

TEST(PrefixCache, AgreesWithAMapThroughAnyInsertionsAndErasures) {
  Numbers numbers(3);
  PrefixCache cache(50);
  std::map<int32_t, PrefixKey> by_page;
  for (int i = 0; i < 20000; ++i) {
    const auto page = static_cast<int32_t>(numbers.Below(50));
    // Few different homes, so that runs of full slots form and have to be closed again.
    const PrefixKey key{static_cast<uint64_t>(numbers.Below(8)) * 3, static_cast<uint64_t>(numbers.Below(12))};
    if (by_page.count(page)) {
      cache.Erase(page);
      by_page.erase(page);
    } else {
      const bool known = std::any_of(by_page.begin(), by_page.end(), [&](const auto& e) { return e.second == key; });
      EXPECT_EQ(cache.Insert(key, page), !known);
      if (!known) by_page[page] = key;
    }
    EXPECT_EQ(cache.size(), static_cast<int64_t>(by_page.size()));
    for (const auto& [there, name] : by_page) ASSERT_EQ(cache.Find(name), there);
  }
}

PageStore::Options Geometry(int32_t page_size, int64_t chunk, int64_t local, int64_t global) {
  PageStore::Options options;
  options.geometry = {PageGeometry{page_size, chunk}, PageGeometry{page_size, 0}};
  options.count = {local, global};
  return options;
}

TEST(PageStore, GrowGivesAsMuchAsBothPoolsHave) {
  PageStore store(Geometry(4, 10, 7, 100));  // three local pages a chunk
  SequencePages sequence;
  store.Start(sequence, 0);
  EXPECT_EQ(store.Grow(sequence, 100), 24) << "two chunks of ten and one page of four";
  EXPECT_EQ(sequence.page[kLocalPages].size(), 7u);
  EXPECT_EQ(sequence.page[kGlobalPages].size(), 6u);
  const std::vector<int32_t> tokens(100, 1);
  store.Commit(sequence, tokens, 20);
  EXPECT_EQ(sequence.local_first, 20);
  EXPECT_EQ(sequence.page[kLocalPages].size(), 1u) << "two chunks are over";
  EXPECT_EQ(store.Grow(sequence, 100), 44);
  store.Release(sequence);
  EXPECT_EQ(store.pool(kLocalPages).held() + store.pool(kGlobalPages).held(), 0);
}

TEST(PageStore, CapacityIsWhatOneSequenceAloneCanHold) {
  EXPECT_EQ(PageStore(Geometry(4, 16, 4, 10)).capacity(), 40);
  EXPECT_EQ(PageStore(Geometry(4, 16, 3, 10)).capacity(), 12) << "less than one chunk of local pages";
  EXPECT_EQ(PageStore(Geometry(4, 16, 0, 10)).capacity(), 40);
  EXPECT_EQ(PageStore(Geometry(4, 16, 4, 0)).capacity(), INT32_MAX) << "without global layers nothing grows";
}

// What may be taken over, by the definition: every prefix length is tried.
int64_t Usable(const PageStore& store, const std::vector<int32_t>& tokens, int64_t limit) {
  const auto cached = [&](int group, int64_t end) {
    PrefixHasher hasher = [&] {
      SequencePages sequence;
      store.Start(sequence, 0);
      return sequence.hasher;
    }();
    for (int64_t i = 0; i < end; ++i) hasher.Add(static_cast<uint32_t>(tokens[static_cast<size_t>(i)]));
    return store.cache(group).Find(hasher.Finish(static_cast<uint32_t>(group))) >= 0;
  };
  const int64_t size = store.geometry(kGlobalPages).page_size;
  const int64_t chunk = store.geometry(kLocalPages).chunk;
  for (int64_t p = limit; p > 0; --p) {
    if (p % size != 0 || (p % chunk) % size != 0) continue;
    bool all = true;
    for (int64_t end = size; end <= p; end += size) all = all && cached(kGlobalPages, end);
    for (int64_t end = p / chunk * chunk + size; end <= p; end += size) all = all && cached(kLocalPages, end);
    if (all) return p;
  }
  return 0;
}

TEST(PageStore, AdoptsTheLongestPrefixThatTheDefinitionAllows) {
  for (const int64_t chunk : {8, 16, 10, 4, 3}) {
    Numbers numbers(static_cast<uint64_t>(chunk));
    PageStore store(Geometry(4, chunk, 3 * ((chunk + 3) / 4) + 2, 24));
    int64_t adopted = 0, longest = 0;
    for (int round = 0; round < 400; ++round) {
      // One of a few texts that share beginnings.
      std::vector<int32_t> tokens(static_cast<size_t>(10 + numbers.Below(70)), 5);
      const auto fork = static_cast<size_t>(numbers.Below(60));
      if (fork < tokens.size()) tokens[fork] = static_cast<int32_t>(numbers.Below(3));
      SequencePages sequence;
      store.Start(sequence, 0);
      const auto limit = static_cast<int64_t>(tokens.size()) - 1;
      const int64_t expected = Usable(store, tokens, limit);
      EXPECT_EQ(store.Adopt(sequence, tokens, limit), expected) << "chunk " << chunk << ", round " << round;
      EXPECT_EQ(sequence.local_first, expected / chunk * chunk);
      adopted += expected > 0;
      longest = std::max(longest, expected);
      while (sequence.computed < static_cast<int64_t>(tokens.size())) {
        const int64_t end =
            store.Grow(sequence, std::min(sequence.computed + 1 + numbers.Below(20), static_cast<int64_t>(tokens.size())));
        ASSERT_GT(end, sequence.computed);
        store.Commit(sequence, tokens, end);
      }
      store.Release(sequence);
      store.pool(0).Check();
      store.pool(1).Check();
    }
    EXPECT_GT(adopted, 50) << "chunk " << chunk;
    EXPECT_GT(longest, 20);
  }
}

}  // namespace
}  // namespace scout::engine
