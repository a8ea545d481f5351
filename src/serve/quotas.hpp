/// \file
/// What a tenant may take: allowances of requests, bytes, shots and seconds that refill evenly.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace skerry::serve {

/// What is counted. Bytes are those of requests' bodies, seconds those of runs.
enum class Meter : std::uint8_t { requests, bytes, shots, seconds };
inline constexpr std::array<std::string_view, 4> kMeterNames = {"requests", "bytes", "shots", "seconds"};

/// At most `amount` at once, and as much again over `seconds`.
struct Allowance {
  double amount = 0.0;  ///< 0: no limit
  double seconds = 1.0;
};
/// `1000/h`, `2.5e6/d`, `20/s`, `5/m`. Errors: syntax_error.
Allowance allowance_of(std::string_view text);

struct Tenant {
  std::string name;
  std::array<Allowance, kMeterNames.size()> allowances{};  ///< by Meter
  std::uint32_t max_qubits = 0;                            ///< of a circuit; 0: no limit of its own

  const Allowance& of(Meter meter) const noexcept { return allowances[static_cast<std::size_t>(meter)]; }
};

/// What is left of allowances, by name: token buckets that are full at first. From any thread.
class Buckets {
 public:
  /// Takes `amount` (below zero: gives it back), or nothing and gives the seconds until it would be there; infinity if
  /// it never will be.
  std::optional<double> take(const std::string& name, const Allowance& allowance, double amount);
  /// Takes what was used already; what is left may fall below zero, and nothing is given until it has refilled.
  void charge(const std::string& name, const Allowance& allowance, double amount);
  double left(const std::string& name, const Allowance& allowance);

 private:
  struct Bucket {
    double left = 0.0;
    std::int64_t filled_ns = 0;
  };
  Bucket& filled(const std::string& name, const Allowance& allowance);

  std::mutex mutex_;
  std::map<std::string, Bucket> buckets_;
};

}  // namespace skerry::serve
