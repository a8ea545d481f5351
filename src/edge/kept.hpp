/// \file
/// A store bounded in bytes that keeps what is dear to make again and often asked for.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace skerry::edge {

/// GreedyDual-Size with frequency (Cherkasova, HP Labs HPL-98-69R1, 1998): each entry's worth is clock + uses * seconds
/// / bytes, the least worth goes first, and the clock rises to what went, so that old uses fade. Not thread-safe.
template <class T>
class Kept {
 public:
  explicit Kept(std::uint64_t limit_bytes) : limit_(limit_bytes) {}

  std::shared_ptr<const T> find(std::string_view key) const {
    const auto found = entries_.find(key);
    return found == entries_.end() ? nullptr : found->second.value;
  }
  /// Finds and counts the use.
  std::shared_ptr<const T> use(std::string_view key) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return nullptr;
    ++found->second.uses;
    value_again(found->second);
    return found->second.value;
  }
  /// What alone exceeds the limit is not kept. seconds: what making it took.
  void keep(const std::string& key, std::shared_ptr<const T> value, std::uint64_t bytes, double seconds) {
    drop(key);
    if (bytes > limit_) return;
    while (bytes_ + bytes > limit_) drop_least();
    Entry entry{std::move(value), bytes, std::max(seconds, 1e-6), 1, 0.0};
    value_again(entry);
    entries_.emplace(key, std::move(entry));
    bytes_ += bytes;
  }
  void clear() {
    entries_.clear();
    bytes_ = 0;
    clock_ = 0.0;
  }

  std::uint64_t bytes() const noexcept { return bytes_; }
  std::size_t size() const noexcept { return entries_.size(); }
  template <class F>
  void for_each(F&& f) const {
    for (const auto& [key, entry] : entries_) f(key, entry.value);
  }

 private:
  struct Entry {
    std::shared_ptr<const T> value;  // shared: whoever uses it may outlive its place here
    std::uint64_t bytes;
    double seconds;
    std::uint64_t uses;
    double worth;
  };

  void value_again(Entry& entry) const {
    const double size = static_cast<double>(std::max<std::uint64_t>(entry.bytes, 1));
    entry.worth = clock_ + static_cast<double>(entry.uses) * entry.seconds / size;
  }
  void drop(std::string_view key) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return;
    bytes_ -= found->second.bytes;
    entries_.erase(found);
  }
  void drop_least() {
    const auto least = std::min_element(entries_.begin(), entries_.end(),
                                        [](const auto& a, const auto& b) { return a.second.worth < b.second.worth; });
    clock_ = least->second.worth;
    bytes_ -= least->second.bytes;
    entries_.erase(least);
  }

  std::uint64_t limit_;
  std::uint64_t bytes_ = 0;
  double clock_ = 0.0;
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace skerry::edge
