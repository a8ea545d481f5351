/// \file
/// Values as bytes, for pickles: one list of fields writes them and reads them, and reading trusts nothing.
#pragma once

#include <bit>
#include <complex>
#include <cstring>
#include <map>
#include <optional>
#include <type_traits>
#include <utility>

#include "bind.hpp"

namespace skerry::python {

[[noreturn]] inline void fail_pickle(const char* what) {
  throw Error(ErrorCode::corrupt, what, "<pickle>", "make it again with this version of Skerry");
}

/// Writes fields one after the other, numbers as they lie in memory (little-endian on every machine that we know).
class Saver {
 public:
  static constexpr bool is_loading = false;
  template <class... T>
  void operator()(T&... values) {
    (save(values), ...);
  }
  nb::bytes bytes() const { return nb::bytes(bytes_.data(), bytes_.size()); }

 private:
  void raw(const void* data, std::size_t size) {
    if (size != 0) bytes_.append(static_cast<const char*>(data), size);
  }
  template <class T>
  void save(const T& value) {
    if constexpr (std::is_arithmetic_v<T>) {
      raw(&value, sizeof value);
    } else {
      fields(*this, const_cast<T&>(value));  // a list of fields serves both ways; this one only reads
    }
  }
  void save(const std::string& text) {
    save(std::uint64_t{text.size()});
    raw(text.data(), text.size());
  }
  template <class T>
  void save(const std::vector<T>& values) {
    save(std::uint64_t{values.size()});
    for (const T& value : values) save(value);
  }
  void save(const std::vector<std::uint64_t>& values) {
    save(std::uint64_t{values.size()});
    raw(values.data(), values.size() * sizeof(std::uint64_t));
  }
  template <class T>
  void save(const std::optional<T>& value) {
    save(value.has_value());
    if (value) save(*value);
  }
  template <class A, class B>
  void save(const std::pair<A, B>& value) {
    save(value.first);
    save(value.second);
  }
  template <class T>
  void save(const std::map<std::string, T>& values) {
    save(std::uint64_t{values.size()});
    for (const auto& value : values) save(value);
  }
  void save(const std::complex<double>& value) { raw(&value, sizeof value); }
  void save(const Tensor& tensor) {
    if (tensor.dtype() == DType::string) throw Error(ErrorCode::unsupported, "a tensor of texts cannot be pickled");
    const auto dims = tensor.shape().dims();
    save(std::string(dtype_name(tensor.dtype())));
    save(std::vector<std::int64_t>(dims.begin(), dims.end()));
    raw(tensor.view().data(), tensor.view().bytes());
  }
  void save(const State& state) { save(state.amplitudes()); }
  void save(const Counts& counts) {
    save(counts.bits());
    save(std::uint64_t{counts.size()});
    for (std::size_t i = 0; i < counts.size(); ++i) {
      save(counts.times(i));
      raw(counts.outcome(i).data(), counts.outcome(i).size_bytes());
    }
  }

  std::string bytes_;
};

/// Reads what a Saver wrote. Errors: corrupt; nothing is allocated beyond what the bytes themselves can fill.
class Loader {
 public:
  static constexpr bool is_loading = true;
  explicit Loader(const nb::bytes& bytes) : at_(bytes.c_str()), left_(bytes.size()) {}
  template <class... T>
  void operator()(T&... values) {
    (load(values), ...);
  }
  void finish() const {
    if (left_ != 0) fail_pickle("the pickle is longer than what it holds");
  }

 private:
  void raw(void* data, std::size_t size) {
    if (size > left_) fail_pickle("the pickle ends too soon");
    if (size != 0) std::memcpy(data, at_, size);
    at_ += size;
    left_ -= size;
  }
  /// Of elements that take at least `least` bytes each.
  std::size_t count(std::size_t least) {
    std::uint64_t size = 0;
    raw(&size, sizeof size);
    if (size > left_ / least) fail_pickle("the pickle ends too soon");
    return static_cast<std::size_t>(size);
  }
  template <class T>
  void load(T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      std::uint8_t byte = 0;
      raw(&byte, 1);
      if (byte > 1) fail_pickle("a truth value is neither 0 nor 1");
      value = byte != 0;
    } else if constexpr (std::is_arithmetic_v<T>) {
      raw(&value, sizeof value);
    } else {
      fields(*this, value);
    }
  }
  void load(std::string& text) {
    text.resize(count(1));
    raw(text.data(), text.size());
  }
  template <class T>
  void load(std::vector<T>& values) {
    const std::size_t size = count(std::is_arithmetic_v<T> ? sizeof(T) : 1);
    values.clear();
    for (std::size_t i = 0; i < size; ++i) load(values.emplace_back());
  }
  template <class T>
  void load(std::optional<T>& value) {
    bool is_set = false;
    load(is_set);
    if (is_set) load(value.emplace());
  }
  void load(std::optional<State>& value) {
    std::optional<Tensor> amplitudes;
    load(amplitudes);
    if (amplitudes) value.emplace(*std::move(amplitudes));
  }
  template <class A, class B>
  void load(std::pair<A, B>& value) {
    load(value.first);
    load(value.second);
  }
  template <class T>
  void load(std::map<std::string, T>& values) {
    const std::size_t size = count(1);
    for (std::size_t i = 0; i < size; ++i) {
      std::pair<std::string, T> value;
      load(value);
      values.insert(std::move(value));
    }
  }
  void load(std::complex<double>& value) { raw(&value, sizeof value); }
  void load(Tensor& tensor) {
    std::string name;
    std::vector<std::int64_t> dims;
    load(name);
    load(dims);
    const DType dtype = dtype_from_name(name);
    const Shape shape{std::span<const std::int64_t>(dims)};
    if (dtype == DType::string || tensor_bytes(dtype, shape) > left_) fail_pickle("the pickle ends too soon");
    tensor = Tensor(dtype, shape);
    auto* data = tensor.mutable_view().data();
    raw(data, tensor.view().bytes());
    if (dtype != DType::boolean) return;
    for (std::size_t i = 0; i < tensor.view().bytes(); ++i)
      if (data[i] > std::byte{1}) fail_pickle("a truth value is neither 0 nor 1");
  }
  void load(Counts& counts) {
    std::uint32_t bits = 0;
    load(bits);
    const std::size_t words = (std::size_t{bits} + 63) / 64;
    std::vector<std::uint64_t> times(count(8 * (words + 1)));
    std::vector<std::uint64_t> outcomes(words * times.size());
    for (std::size_t i = 0; i < times.size(); ++i) {
      raw(&times[i], 8);
      raw(outcomes.data() + words * i, 8 * words);
    }
    counts = Counts(bits, std::move(outcomes), std::move(times));
  }

  const char* at_;
  std::size_t left_;
};

/// `__getstate__` and `__setstate__` by the list of fields of a class; the first field is the version of that list.
template <class T>
void bind_pickle(nb::class_<T>& c) {
  c.def("__getstate__", [](const T& self) {
    Saver saver;
    fields(saver, const_cast<T&>(self));  // see Saver
    return saver.bytes();
  });
  c.def("__setstate__", [](T& self, const nb::bytes& bytes) {
    Loader loader(bytes);
    T loaded;
    fields(loader, loaded);
    loader.finish();
    new (&self) T(std::move(loaded));
  });
}

}  // namespace skerry::python
