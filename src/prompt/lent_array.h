// An array that is the object's own and grows, or one that lies in memory which somebody else keeps: a table in a packed side-file.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace scout::prompt {

template <typename T>
class LentArray {
 public:
  LentArray() = default;
  explicit LentArray(std::vector<T> own) : own_(std::move(own)) { Look(); }
  LentArray(LentArray&& other) noexcept : own_(std::move(other.own_)), view_(std::exchange(other.view_, {})) {}
  LentArray& operator=(LentArray&& other) noexcept {
    own_ = std::move(other.own_);  // its elements stay where they are
    view_ = std::exchange(other.view_, {});
    return *this;
  }

  void Lend(std::span<const T> view) {
    own_.clear();
    view_ = view;
  }

  const T& operator[](size_t i) const { return view_[i]; }
  const T* data() const { return view_.data(); }
  size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }
  std::span<const T> span() const { return view_; }

  // Only of an array that is the object's own.
  T& Mutable(size_t i) { return own_[i]; }
  void push_back(const T& value) {
    own_.push_back(value);
    Look();
  }
  void Append(std::span<const T> values) {
    own_.insert(own_.end(), values.begin(), values.end());
    Look();
  }
  void assign(size_t count, const T& value) {
    own_.assign(count, value);
    Look();
  }
  void reserve(size_t count) {
    own_.reserve(count);
    Look();
  }

 private:
  void Look() { view_ = own_; }

  std::vector<T> own_;
  std::span<const T> view_;
};

}  // namespace scout::prompt
