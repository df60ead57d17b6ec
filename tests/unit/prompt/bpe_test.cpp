#include "prompt/bpe.h"

#include <bit>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "gtest/gtest.h"
#include "small_vocabulary.h"
#include "support/small_stack.h"

namespace scout::prompt {
namespace {

using Ids = std::vector<TokenId>;

// Merging by rank as its definition says it.
Ids SlowByRank(const std::map<std::string, TokenId>& ranks, std::string_view piece) {
  std::vector<std::string> parts;
  for (const char c : piece) parts.emplace_back(1, c);
  for (;;) {
    size_t best = parts.size();
    TokenId best_rank = INT32_MAX;
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      const auto found = ranks.find(parts[i] + parts[i + 1]);
      if (found != ranks.end() && found->second < best_rank) best = i, best_rank = found->second;
    }
    if (best == parts.size()) break;
    parts[best] += parts[best + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
  Ids ids;
  for (const std::string& part : parts) ids.push_back(ranks.at(part));
  return ids;
}

// Merging by a list of pairs as its definition says it.
Ids SlowByPair(const std::vector<Merge>& merges, Ids ids) {
  for (;;) {
    size_t best_merge = merges.size(), best = 0;
    for (size_t i = 0; i + 1 < ids.size(); ++i)
      for (size_t m = 0; m < best_merge; ++m)
        if (merges[m].left == ids[i] && merges[m].right == ids[i + 1]) best_merge = m, best = i;
    if (best_merge == merges.size()) return ids;
    ids[best] = merges[best_merge].result;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

struct Learned {
  TokenTable table;
  std::map<std::string, TokenId> ranks;
  std::vector<Merge> merges;

  Learned() {
    for (const std::string& text : test::Small().texts) {
      const TokenId id = table.Add(text);
      table.Index(id);
      ranks[text] = id;
    }
    for (const auto& [left, right] : test::Small().merges)
      merges.push_back({ranks.at(left), ranks.at(right), ranks.at(left + right)});
  }
};

std::string RandomPiece(std::mt19937& random, size_t longest) {
  static constexpr std::string_view kLetters = "aetonshr th.dcim ";
  const size_t width = 1 + random() % kLetters.size();
  std::string piece;
  const size_t length = 2 + random() % (longest - 1);
  while (piece.size() < length) piece += kLetters[random() % width];
  return piece;
}

TEST(Bpe, MergesTheLowestRankFirstAndTheLeftmostAmongEquals) {
  const Learned learned;
  const Bpe bpe(learned.table, nullptr);
  std::mt19937 random(1);
  for (int round = 0; round < 3000; ++round) {
    // Short pieces and long ones go through different code.
    const std::string piece = RandomPiece(random, round % 3 ? Bpe::kSmallPiece : 300);
    Ids ids;
    bpe.Encode(piece, ids);
    ASSERT_EQ(ids, SlowByRank(learned.ranks, piece)) << piece;
  }
}

TEST(Bpe, PiecesAroundTheBorderOfTheSmallPathAgree) {
  const Learned learned;
  const Bpe bpe(learned.table, nullptr);
  for (size_t length = 1; length < 300; ++length) {
    for (const std::string_view unit : {"a", "the", "repeats ", "xq", "\xd0\xbf\xd1\x80"}) {
      std::string piece;
      while (piece.size() < length) piece += unit[piece.size() % unit.size()];
      Ids ids;
      bpe.Encode(piece, ids);
      ASSERT_EQ(ids, SlowByRank(learned.ranks, piece)) << piece;
    }
  }
}

TEST(Bpe, MergesInTheOrderOfTheListWhereItIsNotTheOrderOfIds) {
  Learned learned;
  std::mt19937 random(2);
  std::shuffle(learned.merges.begin(), learned.merges.end(), random);
  const PairTable pairs(learned.merges);
  EXPECT_FALSE(pairs.ranks_are_ids());
  const Bpe bpe(learned.table, &pairs);
  for (int round = 0; round < 400; ++round) {
    const std::string piece = RandomPiece(random, round % 3 ? Bpe::kSmallPiece : 150);
    Ids bytes, ids;
    for (const char c : piece) bytes.push_back(learned.ranks.at(std::string(1, c)));
    bpe.Encode(piece, ids);
    ASSERT_EQ(ids, SlowByPair(learned.merges, bytes)) << piece;
  }
}

TEST(Bpe, AListInTheOrderOfIdsGivesWhatRanksGive) {
  const Learned learned;
  const PairTable pairs(learned.merges);
  EXPECT_TRUE(pairs.ranks_are_ids());
  const Bpe by_pair(learned.table, &pairs), by_rank(learned.table, nullptr);
  // Every split of every token listed, as converters of tiktoken files write it, changes nothing either.
  std::vector<Merge> all;
  for (size_t id = 256; id < learned.table.size(); ++id) {
    const std::string text(learned.table.Bytes(static_cast<TokenId>(id)));
    for (size_t cut = 1; cut < text.size(); ++cut) {
      const TokenId left = learned.table.Find(text.substr(0, cut)), right = learned.table.Find(text.substr(cut));
      if (left != kNoToken && right != kNoToken) all.push_back({left, right, static_cast<TokenId>(id)});
    }
  }
  EXPECT_GT(all.size(), learned.merges.size());
  const PairTable every_split(all);
  const Bpe by_all(learned.table, &every_split);
  std::mt19937 random(4);
  for (int round = 0; round < 3000; ++round) {
    const std::string piece = RandomPiece(random, round % 3 ? Bpe::kSmallPiece : 300);
    Ids a, b, c;
    by_pair.Encode(piece, a);
    by_rank.Encode(piece, b);
    by_all.Encode(piece, c);
    ASSERT_EQ(a, b) << piece;
    ASSERT_EQ(c, b) << piece;
  }
}

TEST(Bpe, WorkGrowsAsNLogN) {
  const Learned learned;
  const Bpe bpe(learned.table, nullptr);
  scout::test::OnSmallStack(
      [&] {
        std::mt19937 random(5);
        for (const std::string_view unit : {"a", ".", "the", "", "repeats "}) {
          for (const size_t n : {size_t{1000}, size_t{100000}, size_t{1000000}}) {
            std::string piece;
            while (piece.size() < n)
              piece += unit.empty() ? std::string(1, static_cast<char>('a' + random() % 26)) : std::string(unit);
            Ids ids;
            BpeWork work;
            bpe.Encode(piece, ids, &work);
            // A merge asks for two new ranks; there are fewer than n. It descends once and repairs at most three paths of a tree
            // of fan 16, whose height is at most log2(n) / 4 + 2.
            EXPECT_LE(work.lookups, 2 * piece.size());
            EXPECT_LE(work.tree_steps, 4 * piece.size() * (std::bit_width(piece.size()) / 4 + 2));
          }
        }
      },
      scout::test::kSmallStack);
}

TEST(Bpe, AVocabularyWithoutAByteIsRefused) {
  TokenTable table;
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    if (byte != 77) table.Index(table.Add(std::string_view(&c, 1)));
  }
  try {
    Bpe bpe(table, nullptr);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kFormat);
    EXPECT_NE(std::string(error.what()).find("single byte 77"), std::string::npos) << error.what();
  }
}

TEST(TokenTable, FindsEveryTextAndNothingElse) {
  TokenTable table;
  std::mt19937 random(6);
  std::map<std::string, TokenId> known;
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    const size_t length = 1 + random() % 40;
    while (text.size() < length) text += static_cast<char>(random() % 3 ? 'a' : random());
    const TokenId id = table.Add(text);
    const TokenId earlier = table.Index(id);
    const auto [place, fresh] = known.emplace(text, id);
    ASSERT_EQ(earlier, fresh ? kNoToken : place->second);
  }
  for (const auto& [text, id] : known) {
    ASSERT_EQ(table.Find(text), id);
    ASSERT_EQ(table.Bytes(id), text);
    if (!known.count(text + "b")) {
      ASSERT_EQ(table.Find(text + "b"), kNoToken);
    }
  }
  EXPECT_EQ(table.Find(""), kNoToken);
}

}  // namespace
}  // namespace scout::prompt
