// The split pattern itself, read and executed by a small backtracking matcher: slow, recursive, and as obvious as the
// grammar of the pattern allows. It knows of the scanner under test nothing but the classes of characters.
#pragma once

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "prompt/unicode_tables.h"
#include "prompt/utf8.h"

namespace scout::prompt::test {

struct Symbol {
  CharClass kind;
  uint32_t code;  // code point; 0x110000 + byte for a byte that is not UTF-8
  size_t begin, length;
};

inline std::vector<Symbol> Symbols(std::string_view text) {
  std::vector<Symbol> out;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  for (size_t at = 0; at < text.size();) {
    const Utf8Char c = DecodeUtf8(bytes + at, bytes + text.size());
    if (c.length == 0)
      out.push_back({CharClass::kOther, 0x110000u + bytes[at], at, 1});
    else
      out.push_back({ClassOf(c.code_point), c.code_point, at, c.length});
    at += out.back().length;
  }
  return out;
}

class ReferenceSplitter {
 public:
  explicit ReferenceSplitter(std::string_view pattern) : pattern_(pattern), root_(Alternatives()) {
    if (at_ != pattern_.size()) throw std::logic_error("pattern not read to its end");
  }

  std::vector<std::string> Split(std::string_view text) const {
    const std::vector<Symbol> symbols = Symbols(text);
    std::vector<std::string> pieces;
    for (size_t at = 0; at < symbols.size();) {
      size_t end = at;
      const bool matched = root_(symbols, at, [&](size_t stop) {
        end = stop;
        return true;
      });
      if (!matched || end == at) throw std::logic_error("the pattern leaves text out");
      pieces.emplace_back(text.substr(symbols[at].begin, symbols[end - 1].begin + symbols[end - 1].length - symbols[at].begin));
      at = end;
    }
    return pieces;
  }

 private:
  using Text = std::vector<Symbol>;
  using Continue = std::function<bool(size_t)>;
  // Tries all ways to match from a place, in the order of preference, until the continuation accepts one.
  using Node = std::function<bool(const Text&, size_t, const Continue&)>;
  using Test = std::function<bool(const Symbol&)>;

  bool Take(std::string_view literal) {
    if (pattern_.substr(at_, literal.size()) != literal) return false;
    at_ += literal.size();
    return true;
  }

  Node Alternatives() {
    std::vector<Node> branches{Sequence()};
    while (Take("|")) branches.push_back(Sequence());
    return [branches](const Text& text, size_t at, const Continue& then) {
      for (const Node& branch : branches)
        if (branch(text, at, then)) return true;
      return false;
    };
  }

  Node Sequence() {
    Node node = [](const Text&, size_t at, const Continue& then) { return then(at); };
    std::vector<Node> items;
    while (at_ < pattern_.size() && pattern_[at_] != '|' && pattern_[at_] != ')') items.push_back(Quantified());
    for (size_t i = items.size(); i-- > 0;) {
      node = [item = items[i], rest = node](const Text& text, size_t at, const Continue& then) {
        return item(text, at, [&](size_t stop) { return rest(text, stop, then); });
      };
    }
    return node;
  }

  Node Quantified() {
    Node node = Atom();
    size_t low = 1, high = 1;
    if (Take("?"))
      low = 0;
    else if (Take("*"))
      low = 0, high = SIZE_MAX;
    else if (Take("+"))
      high = SIZE_MAX;
    else if (Take("{1,3}"))
      high = 3;
    else
      return node;
    return
        [node, low, high](const Text& text, size_t at, const Continue& then) { return Repeat(node, low, high, 0, text, at, then); };
  }

  static bool Repeat(const Node& node, size_t low, size_t high, size_t done, const Text& text, size_t at, const Continue& then) {
    if (done < high &&
        node(text, at, [&](size_t stop) { return stop > at && Repeat(node, low, high, done + 1, text, stop, then); }))
      return true;
    return done >= low && then(at);
  }

  Node Atom() {
    if (Take("(?!")) {
      Node inner = Alternatives();
      if (!Take(")")) throw std::logic_error("unclosed lookahead");
      return [inner](const Text& text, size_t at, const Continue& then) {
        return !inner(text, at, [](size_t) { return true; }) && then(at);
      };
    }
    if (Take("(?i:")) {
      fold_ = true;
      Node inner = Alternatives();
      fold_ = false;
      if (!Take(")")) throw std::logic_error("unclosed group");
      return inner;
    }
    return One(Take("[") ? Bracket() : Single());
  }

  static Node One(Test test) {
    return [test](const Text& text, size_t at, const Continue& then) { return at < text.size() && test(text[at]) && then(at + 1); };
  }

  Test Bracket() {
    const bool negated = Take("^");
    std::vector<Test> tests;
    while (!Take("]")) tests.push_back(Single());
    return [tests, negated](const Symbol& s) {
      bool any = false;
      for (const Test& test : tests) any = any || test(s);
      return any != negated;
    };
  }

  static Test Kinds(std::vector<CharClass> kinds, bool negated = false) {
    return [kinds, negated](const Symbol& s) {
      bool any = false;
      for (const CharClass kind : kinds) any = any || s.kind == kind;
      return any != negated;
    };
  }

  Test Single() {
    using C = CharClass;
    if (Take("\\p{Lu}") || Take("\\p{Lt}")) return Kinds({C::kUpper});
    if (Take("\\p{Ll}")) return Kinds({C::kLower});
    if (Take("\\p{Lm}") || Take("\\p{Lo}")) return Kinds({C::kCaseless});
    if (Take("\\p{L}")) return Kinds({C::kUpper, C::kLower, C::kCaseless});
    if (Take("\\p{M}")) return Kinds({C::kMark});
    if (Take("\\p{N}")) return Kinds({C::kNumber});
    if (Take("\\s")) return Kinds({C::kSpace, C::kNewline});
    if (Take("\\S")) return Kinds({C::kSpace, C::kNewline}, true);
    if (Take("\\r")) return [](const Symbol& s) { return s.code == '\r'; };
    if (Take("\\n")) return [](const Symbol& s) { return s.code == '\n'; };
    const auto literal = static_cast<uint32_t>(pattern_[at_++]);
    if (!fold_) return [literal](const Symbol& s) { return s.code == literal; };
    return [literal](const Symbol& s) {
      return s.code == literal || (s.code >= 'A' && s.code <= 'Z' && s.code + 32 == literal) || (literal == 's' && s.code == 0x17f);
    };
  }

  std::string_view pattern_;
  size_t at_ = 0;
  bool fold_ = false;
  Node root_;
};

}  // namespace scout::prompt::test
