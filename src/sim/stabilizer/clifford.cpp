#include "sim/stabilizer/clifford.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <ranges>

#include "ops/qubit/gate_record.hpp"

namespace skerry::sim {
namespace {

using Entries = std::span<const std::complex<double>>;

/// Angles come from text and arithmetic: an entry that is off by this much is off by rounding.
constexpr double kTolerance = 1e-9;

/// A Hermitian Pauli string on a few wires; both bits of a wire: Y.
struct Pauli {
  std::uint32_t x = 0, z = 0;
  bool negative = false;
};

std::complex<double> power_of_i(int e) {
  constexpr std::array<std::complex<double>, 4> powers = {std::complex<double>(1, 0), {0, 1}, {-1, 0}, {0, -1}};
  return powers[static_cast<std::size_t>(e & 3)];
}

/// Entry (c ^ x, c) of the string: i^|x & z| (-1)^(z . c).
std::complex<double> entry(const Pauli& p, std::uint32_t column) {
  const int e = std::popcount(p.x & p.z) + 2 * (std::popcount(p.z & column) & 1) + (p.negative ? 2 : 0);
  return power_of_i(e);
}

/// U P U†, if it is a Pauli string again.
std::optional<Pauli> image(Entries u, int wires, const Pauli& p) {
  const std::uint32_t rows = 1U << wires;
  std::vector<std::complex<double>> product(std::size_t{rows} * rows);
  for (std::uint32_t r = 0; r < rows; ++r)
    for (std::uint32_t c = 0; c < rows; ++c)
      for (std::uint32_t k = 0; k < rows; ++k)
        product[std::size_t{r} * rows + c] +=
            u[std::size_t{r} * rows + (k ^ p.x)] * entry(p, k) * std::conj(u[std::size_t{c} * rows + k]);
  const auto is = [&](std::uint32_t row, std::uint32_t column, std::complex<double> value) {
    return std::abs(product[std::size_t{row} * rows + column] - value) < kTolerance;
  };
  Pauli out;
  while (out.x < rows && is(out.x, 0, 0)) ++out.x;
  if (out.x == rows) return std::nullopt;
  const std::complex<double> first = product[std::size_t{out.x} * rows];
  for (int wire = 0; wire < wires; ++wire) {
    const std::uint32_t column = 1U << wire;
    if (is(column ^ out.x, column, -first)) out.z |= column;
  }
  out.negative = (first / power_of_i(std::popcount(out.x & out.z))).real() < 0;
  for (std::uint32_t c = 0; c < rows; ++c)
    for (std::uint32_t r = 0; r < rows; ++r)
      if (!is(r, c, r == (c ^ out.x) ? entry(out, c) : 0)) return std::nullopt;
  return out;
}

/// Takes the images of X_i and Z_i back to X_i and Z_i by gates, which are noted.
class Reduction {
 public:
  Reduction(std::vector<Pauli> images, int wires) : images_(std::move(images)), wires_(wires) {}

  std::vector<StabilizerStep> run() {
    for (int i = 0; i < wires_; ++i) {
      clear_x_image(i);
      clear_z_image(i);
    }
    // What is left are signs: the gate began with the Pauli string that makes them.
    std::vector<StabilizerStep> steps;
    for (int i = 0; i < wires_; ++i) {
      const bool flips_x = images_[2 * at(i)].negative, flips_z = images_[2 * at(i) + 1].negative;
      if (!flips_x && !flips_z) continue;
      const StabilizerOp op = !flips_x ? StabilizerOp::x : !flips_z ? StabilizerOp::z : StabilizerOp::y;
      steps.push_back({op, wire(i), 0, 0});
    }
    // The inverse of what was done, last first.
    for (const StabilizerStep& step : std::views::reverse(done_)) {
      steps.push_back(step);
      if (step.op == StabilizerOp::s) steps.push_back({StabilizerOp::z, step.a, 0, 0});
    }
    return steps;
  }

 private:
  static std::size_t at(int i) { return static_cast<std::size_t>(i); }
  static std::uint32_t wire(int i) { return static_cast<std::uint32_t>(i); }
  static bool bit(std::uint32_t word, int i) { return (word >> i & 1) != 0; }

  void clear_x_image(int i) {
    const Pauli& p = images_[2 * at(i)];
    for (int j = i; j < wires_; ++j) {
      if (bit(p.x, j) && bit(p.z, j)) apply(StabilizerOp::s, j);
      if (bit(p.z, j)) apply(StabilizerOp::h, j);
    }
    for (int j = i + 1; j < wires_ && !bit(p.x, i); ++j)
      if (bit(p.x, j)) apply(StabilizerOp::swap, i, j);
    for (int j = i + 1; j < wires_; ++j)
      if (bit(p.x, j)) apply(StabilizerOp::cx, i, j);
  }
  void clear_z_image(int i) {
    const Pauli& p = images_[2 * at(i) + 1];
    for (int j = i + 1; j < wires_; ++j) {
      if (bit(p.x, j) && bit(p.z, j)) apply(StabilizerOp::s, j);
      if (bit(p.x, j)) apply(StabilizerOp::h, j);
      if (bit(p.z, j)) apply(StabilizerOp::cx, j, i);
    }
    if (!bit(p.x, i)) return;
    for (const StabilizerOp op : {StabilizerOp::h, StabilizerOp::s, StabilizerOp::h}) apply(op, i);
  }

  void apply(StabilizerOp op, int a, int b = 0) {
    done_.push_back({op, wire(a), wire(b), 0});
    for (Pauli& p : images_) conjugate(p, op, a, b);
  }
  static void conjugate(Pauli& p, StabilizerOp op, int a, int b) {
    const bool xa = bit(p.x, a), za = bit(p.z, a), xb = bit(p.x, b), zb = bit(p.z, b);
    const auto set = [](std::uint32_t& word, int i, bool value) {
      word = (word & ~(1U << i)) | static_cast<std::uint32_t>(value) << i;
    };
    if (op == StabilizerOp::h) {
      p.negative ^= xa && za;
      set(p.x, a, za);
      set(p.z, a, xa);
    } else if (op == StabilizerOp::s) {
      p.negative ^= xa && za;
      set(p.z, a, za != xa);
    } else if (op == StabilizerOp::cx) {
      p.negative ^= xa && zb && xb == za;
      set(p.x, b, xb != xa);
      set(p.z, a, za != zb);
    } else {
      set(p.x, a, xb);
      set(p.z, a, zb);
      set(p.x, b, xa);
      set(p.z, b, za);
    }
  }

  std::vector<Pauli> images_;
  int wires_;
  std::vector<StabilizerStep> done_;
};

/// h b, cx a b, h b is cz a b, which moves no rows twice.
void shorten(std::vector<StabilizerStep>& steps) {
  for (std::size_t i = 0; i + 2 < steps.size(); ++i) {
    const StabilizerStep &first = steps[i], &middle = steps[i + 1], &last = steps[i + 2];
    const bool is_cz = first.op == StabilizerOp::h && last.op == StabilizerOp::h && middle.op == StabilizerOp::cx &&
                       first.a == middle.b && last.a == middle.b;
    if (!is_cz) continue;
    steps[i] = {StabilizerOp::cz, middle.a, middle.b, 0};
    steps.erase(steps.begin() + static_cast<std::ptrdiff_t>(i) + 1, steps.begin() + static_cast<std::ptrdiff_t>(i) + 3);
  }
}

/// The matrix with its controls, which are the wires above the targets.
std::vector<std::complex<double>> with_controls(std::span<const std::complex<double>> matrix, std::size_t rows,
                                                std::size_t controls) {
  const std::size_t all = rows << controls;
  std::vector<std::complex<double>> out(all * all);
  for (std::size_t i = 0; i < all - rows; ++i) out[i * all + i] = 1;
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < rows; ++c) out[(all - rows + r) * all + all - rows + c] = matrix[r * rows + c];
  return out;
}

}  // namespace

std::optional<std::vector<StabilizerStep>> clifford_steps(std::span<const std::complex<double>> matrix, int wires) {
  std::vector<Pauli> images;
  for (int wire = 0; wire < wires; ++wire) {
    for (const Pauli& generator : {Pauli{1U << wire, 0, false}, Pauli{0, 1U << wire, false}}) {
      const auto found = image(matrix, wires, generator);
      if (!found) return std::nullopt;
      images.push_back(*found);
    }
  }
  std::vector<StabilizerStep> steps = Reduction(std::move(images), wires).run();
  shorten(steps);
  return steps;
}

namespace {

std::string refusal(const Instruction& instruction) {
  std::string name(op_name(instruction.op));
  if (!instruction.params.empty()) {
    std::string angles;
    for (const Param& param : instruction.params) angles += (angles.empty() ? "" : ", ") + std::to_string(param.value);
    name += "(" + angles + ")";
  }
  if (instruction.controls > 0)
    name += " with " + std::to_string(instruction.controls) + (instruction.controls > 1 ? " controls" : " control");
  return name + " is not a Clifford gate";
}

}  // namespace

/// The steps of a gate (nothing in them if it is no Clifford gate); no pointer for a phase of the whole.
Expected<const CliffordLowering::Known::Steps*> CliffordLowering::look_up(const Instruction& instruction) {
  std::array<double, 3> params{};
  for (std::size_t i = 0; i < instruction.params.size(); ++i) {
    if (!instruction.params[i].is_constant())
      return Unexpected{"an angle of " + std::string(op_name(instruction.op)) + " is not a number yet"};
    params[i] = instruction.params[i].value;
  }
  const std::size_t wires = instruction.wires.size();
  if (wires > static_cast<std::size_t>(kMaxCliffordWires))
    return Unexpected{"a gate on " + std::to_string(wires) + " wires is not looked at"};
  if (wires == 0) return static_cast<const Known::Steps*>(nullptr);
  const Known::Key key{instruction.op, instruction.controls, instruction.op == Op::unitary ? instruction.aux : 0,
                       params};
  const auto known = known_.gates.find(key);
  if (known != known_.gates.end()) return &known->second;
  const auto matrix = ops::instruction_matrix(circuit_, instruction);
  const std::size_t rows = std::size_t{1} << instruction.targets().size();
  auto steps = clifford_steps(with_controls(matrix, rows, instruction.controls), static_cast<int>(wires));
  return &known_.gates.emplace(key, std::move(steps)).first->second;
}

std::optional<std::string> CliffordLowering::append(const Instruction& instruction,
                                                    std::span<const std::uint32_t> positions,
                                                    std::vector<StabilizerStep>& out) {
  const std::size_t targets = instruction.targets().size();
  const bool is_plain = instruction.params.empty() && instruction.controls < 2 && instruction.op != Op::unitary;
  const std::size_t plain = 2 * static_cast<std::size_t>(instruction.op) + instruction.controls;
  const Known::Steps* found = is_plain ? known_.plain[plain] : nullptr;
  if (found == nullptr) {
    auto looked_up = look_up(instruction);
    if (!looked_up) return looked_up.error();
    found = *looked_up;
    if (found == nullptr) return std::nullopt;  // a phase of the whole
    if (is_plain) known_.plain[plain] = found;
  }
  if (!*found) return refusal(instruction);
  // Matrix wires count the targets first, then the controls; an instruction lists its controls first.
  const auto position = [&](std::uint32_t wire) {
    return positions[wire < targets ? instruction.targets()[wire] : instruction.control_wires()[wire - targets]];
  };
  for (const StabilizerStep& step : **found) {
    const bool is_pair = step.op == StabilizerOp::cx || step.op == StabilizerOp::cz || step.op == StabilizerOp::swap;
    out.push_back({step.op, position(step.a), is_pair ? position(step.b) : 0, 0});
  }
  return std::nullopt;
}

}  // namespace skerry::sim
