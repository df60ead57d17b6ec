// One object of a type for the whole process, made for the first who asks and gone with the last who holds it.
#pragma once

#include <memory>
#include <mutex>

namespace scout {

template <typename T>
std::shared_ptr<T> SharedInstance() {
  // Never destroyed: the order in which a process's statics end is nobody's to rely on.
  static std::mutex& mutex = *new std::mutex;
  static std::weak_ptr<T>& current = *new std::weak_ptr<T>;
  const std::lock_guard lock(mutex);
  std::shared_ptr<T> object = current.lock();
  if (!object) {
    object = std::make_shared<T>();
    current = object;
  }
  return object;
}

}  // namespace scout
