#include "frontend/stim/reader.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <skerry/error.hpp>
#include <vector>

#include "frontend/suggest.hpp"

namespace skerry::frontend::stim {
namespace {

enum class Kind : std::uint8_t {
  gate,
  measure,
  measure_reset,
  measure_pair,
  measure_product,
  reset,
  error,
  depolarize,
  channel,
  detector,
  observable,
  coordinates,
  repeat,
  ignored,
  refused,
};

struct Row {
  std::string_view name;
  Kind kind;
  int argument;  ///< targets of a gate; else see instructions.def
  std::string_view steps{};
};

constexpr Row kRows[] = {
#define SKERRY_STIM_GATE(name, targets, steps) {#name, Kind::gate, targets, steps},
#include "frontend/stim/gates.def"
#undef SKERRY_STIM_GATE
#define SKERRY_STIM(name, kind, argument) {#name, Kind::kind, argument},
#include "frontend/stim/instructions.def"
#undef SKERRY_STIM
};

char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}
bool is_word(char c) {
  return (upper(c) >= 'A' && upper(c) <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}
bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

const Row* find_row(std::string_view word) {
  for (const Row& row : kRows) {
    if (std::ranges::equal(row.name, word, {}, {}, upper)) return &row;
  }
  return nullptr;
}

/// A target of an instruction.
struct Target {
  std::uint32_t index = 0;  ///< qubit or record
  bool is_record = false, inverted = false;
  char letter = 0;      ///< X, Y, Z of a product
  bool joined = false;  ///< `*` follows: the product goes on
  std::size_t place = 0;
};

class Reader {
 public:
  Reader(std::string_view text, const ImportLimits& limits, const std::string& name)
      : text_(text), limits_(limits), name_(name) {}

  StabilizerCircuit run() {
    for (;;) {
      skip_to_instruction();
      if (at_ == text_.size()) break;
      count_work();
      if (text_[at_] == '}')
        close_block();
      else
        instruction();
    }
    if (!blocks_.empty()) fail(blocks_.back().place, ErrorCode::syntax_error, "a block is not closed", "add a }");
    return std::move(circuit_);
  }

 private:
  struct Loop {
    std::size_t place = 0, body = 0;
    std::uint64_t left = 0;
  };

  [[noreturn]] void fail(std::size_t place, ErrorCode code, std::string message, std::string hint = {}) const {
    const std::string_view before = text_.substr(0, place);
    const auto line = 1 + std::ranges::count(before, '\n');
    const std::size_t start = before.rfind('\n');
    const std::size_t column = place - (start == std::string_view::npos ? 0 : start + 1) + 1;
    throw Error(code, std::move(message), name_ + ":" + std::to_string(line) + ":" + std::to_string(column),
                std::move(hint));
  }

  /// Every step, target and line that is read counts, so that repetitions of nothing end too.
  void count_work() {
    if (++work_ <= limits_.max_instructions) return;
    fail(at_, ErrorCode::limit_exceeded,
         "the circuit has more than max_instructions = " + std::to_string(limits_.max_instructions) +
             " instructions and targets, repetitions written out",
         "raise max_instructions");
  }

  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }
  void skip_to_instruction() {
    for (;;) {
      skip_blanks();
      if (at_ == text_.size()) return;
      if (text_[at_] == '#') at_ = std::min(text_.find('\n', at_), text_.size());
      if (at_ == text_.size() || text_[at_] != '\n') return;
      ++at_;
    }
  }
  bool take(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool at_line_end() {
    skip_blanks();
    return at_ == text_.size() || text_[at_] == '\n' || text_[at_] == '#' || text_[at_] == '{' || text_[at_] == '}';
  }

  void close_block() {
    if (blocks_.empty()) fail(at_, ErrorCode::syntax_error, "there is no block to close", "leave the } out");
    ++at_;
    Loop& loop = blocks_.back();
    if (--loop.left > 0)
      at_ = loop.body;
    else
      blocks_.pop_back();
  }

  std::string_view word() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  void instruction() {
    const std::size_t place = at_;
    const std::string_view name = word();
    const Row* const row = find_row(name);
    if (row == nullptr) {
      Nearest near(name);
      for (const Row& known : kRows) near.offer(known.name);
      fail(
          place, ErrorCode::syntax_error,
          name.empty() ? "an instruction is expected" : "unknown instruction '" + std::string(name.substr(0, 60)) + "'",
          near.hint("see the instructions in docs/stabilizer.md"));
    }
    if (row->kind == Kind::refused) {
      fail(place, ErrorCode::unsupported, std::string(row->name) + " is not simulated",
           "write it in other instructions, or leave it out");
    }
    skip_tag();
    read_arguments();
    if (row->kind == Kind::repeat) return open_block(place);
    read_targets();
    try {
      run_row(*row, place);
    } catch (const Error& error) {
      if (!error.where().empty()) throw;
      fail(place, error.code() == ErrorCode::invalid_argument ? ErrorCode::semantic_error : error.code(),
           error.message(), error.hint());
    }
    check_sizes(place);
  }

  void skip_tag() {
    if (!take('[')) return;
    const std::size_t end = text_.find_first_of("]\n", at_);
    if (end == std::string_view::npos || text_[end] != ']')
      fail(at_ - 1, ErrorCode::syntax_error, "a tag is not closed", "add a ]");
    at_ = end + 1;
  }

  void read_arguments() {
    arguments_.clear();
    if (!take('(')) return;
    do {
      skip_blanks();
      const char* const begin = text_.data() + at_;
      double value = 0.0;
      const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
      if (error != std::errc() || !std::isfinite(value)) fail(at_, ErrorCode::syntax_error, "a number is expected");
      arguments_.push_back(value);
      count_work();
      at_ += static_cast<std::size_t>(end - begin);
      skip_blanks();
    } while (take(','));
    if (!take(')')) fail(at_, ErrorCode::syntax_error, "the arguments are not closed", "add a )");
  }

  std::uint64_t whole_number(std::uint64_t most, const char* what) {
    const char* const begin = text_.data() + at_;
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
    if (error == std::errc::invalid_argument) fail(at_, ErrorCode::syntax_error, std::string(what) + " is expected");
    if (error != std::errc() || value > most)
      fail(at_, ErrorCode::limit_exceeded, std::string(what) + " is larger than " + std::to_string(most));
    at_ += static_cast<std::size_t>(end - begin);
    return value;
  }

  void open_block(std::size_t place) {
    skip_blanks();
    const std::uint64_t times = whole_number(std::uint64_t{1} << 62, "a number of repetitions");
    if (times == 0) fail(place, ErrorCode::semantic_error, "a block is repeated 0 times", "leave it out");
    skip_blanks();
    if (!take('{')) fail(at_, ErrorCode::syntax_error, "a block is expected", "write REPEAT 10 { on one line");
    if (blocks_.size() >= limits_.max_nesting) {
      fail(place, ErrorCode::limit_exceeded,
           "blocks are nested deeper than max_nesting = " + std::to_string(limits_.max_nesting));
    }
    blocks_.push_back({place, at_, times});
  }

  void read_targets() {
    targets_.clear();
    while (!at_line_end()) {
      count_work();
      targets_.push_back(target());
      if (take('*')) targets_.back().joined = true;
    }
    if (at_ < text_.size() && text_[at_] == '{') fail(at_, ErrorCode::syntax_error, "only REPEAT takes a block");
    if (!targets_.empty() && targets_.back().joined)
      fail(targets_.back().place, ErrorCode::syntax_error, "a product ends with *");
  }

  Target target() {
    Target out;
    out.place = at_;
    out.inverted = take('!');
    if (text_.substr(at_).starts_with("rec[-")) {
      at_ += 5;
      out.is_record = true;
      const std::uint64_t back = whole_number(std::uint64_t{1} << 62, "a record's distance");
      if (!take(']')) fail(at_, ErrorCode::syntax_error, "a record is not closed", "add a ]");
      if (back == 0 || back > circuit_.num_measurements()) {
        fail(out.place, ErrorCode::semantic_error,
             "rec[-" + std::to_string(back) + "] lies before the first of " +
                 std::to_string(circuit_.num_measurements()) + " measurements");
      }
      out.index = circuit_.num_measurements() - static_cast<std::uint32_t>(back);
      return out;
    }
    if (at_ < text_.size() && std::string_view("XYZ").find(upper(text_[at_])) != std::string_view::npos)
      out.letter = upper(text_[at_++]);
    if (text_.substr(at_).starts_with("sweep["))
      fail(out.place, ErrorCode::unsupported, "sweep bits are not simulated", "write the circuit for one setting");
    out.index = static_cast<std::uint32_t>(whole_number(limits_.max_qubits - 1, "a qubit"));
    if (at_ < text_.size() && is_word(text_[at_])) fail(at_, ErrorCode::syntax_error, "a qubit is a number");
    return out;
  }

  void check_sizes(std::size_t place) const {
    const auto check = [&](std::uint64_t size, const char* what) {
      if (size <= limits_.max_bits) return;
      fail(place, ErrorCode::limit_exceeded,
           "there are more than max_bits = " + std::to_string(limits_.max_bits) + " " + what, "raise max_bits");
    };
    check(circuit_.num_measurements(), "measurements");
    check(circuit_.num_detectors(), "detectors");
  }

  void want_arguments(const Row& row, std::size_t place, std::size_t least, std::size_t most) const {
    if (arguments_.size() >= least && arguments_.size() <= most) return;
    fail(place, ErrorCode::syntax_error,
         std::string(row.name) + " takes " + (least == most ? "" : "at most ") + std::to_string(most) +
             " arguments, not " + std::to_string(arguments_.size()));
  }
  const Target& qubit(const Target& target) const {
    if (target.is_record || target.letter != 0 || target.joined)
      fail(target.place, ErrorCode::syntax_error, "a qubit is expected");
    return target;
  }
  const Target& plain_qubit(const Target& target) const {
    if (target.inverted) fail(target.place, ErrorCode::syntax_error, "only measurements are inverted by !");
    return qubit(target);
  }
  void want_pairs(const Row& row, std::size_t place) const {
    if (targets_.size() % 2 != 0)
      fail(place, ErrorCode::syntax_error,
           std::string(row.name) + " takes pairs of targets, not " + std::to_string(targets_.size()));
  }

  void run_row(const Row& row, std::size_t place) {
    switch (row.kind) {
      case Kind::gate:
        want_arguments(row, place, 0, 0);
        return gates(row, place);
      case Kind::measure:
      case Kind::measure_reset:
        want_arguments(row, place, 0, 1);
        for (const Target& target : targets_) {
          const Target factor = with_letter(qubit(target), row.argument);
          measure({&factor, 1});
          if (row.kind == Kind::measure_reset) reset(target.index, row.argument);
        }
        return;
      case Kind::measure_pair:
        want_arguments(row, place, 0, 1);
        want_pairs(row, place);
        for (std::size_t i = 0; i < targets_.size(); i += 2) {
          const std::array factors = {with_letter(qubit(targets_[i]), row.argument),
                                      with_letter(qubit(targets_[i + 1]), row.argument)};
          measure(factors);
        }
        return;
      case Kind::measure_product:
        want_arguments(row, place, 0, 1);
        return products();
      case Kind::reset:
        want_arguments(row, place, 0, 0);
        for (const Target& target : targets_) reset(plain_qubit(target).index, row.argument);
        return;
      case Kind::error: {
        want_arguments(row, place, 1, 1);
        PauliChannel channel{.weights = {}, .size = 3};
        channel.weights[static_cast<std::size_t>(row.argument)] = arguments_[0];
        return noise(row, place, channel);
      }
      case Kind::depolarize: {
        want_arguments(row, place, 1, 1);
        PauliChannel channel{.weights = {}, .size = row.argument == 1 ? 3U : 15U};
        std::fill_n(channel.weights.begin(), channel.size, arguments_[0] / channel.size);
        return noise(row, place, channel);
      }
      case Kind::channel: {
        PauliChannel channel{.weights = {}, .size = row.argument == 1 ? 3U : 15U};
        want_arguments(row, place, channel.size, channel.size);
        std::ranges::copy(arguments_, channel.weights.begin());
        return noise(row, place, channel);
      }
      case Kind::detector:
        circuit_.add_detector(records());
        return;
      case Kind::observable: {
        want_arguments(row, place, 1, 1);
        const double id = arguments_[0];
        if (!(id >= 0 && id < limits_.max_bits && id == std::floor(id)))
          fail(place, ErrorCode::semantic_error, "an observable's number is not a whole number below max_bits");
        circuit_.add_to_observable(static_cast<std::uint32_t>(id), records());
        return;
      }
      case Kind::coordinates:
        for (const Target& target : targets_) circuit_.touch(plain_qubit(target).index);
        return;
      case Kind::ignored:
      case Kind::repeat:
      case Kind::refused:
        return;
    }
  }

  static Target with_letter(Target target, int letter) {
    target.letter = static_cast<char>(letter);
    return target;
  }

  /// The steps of a gates.def row on two qubits: a name, then one or two digits that say which targets.
  void steps(std::string_view list, std::uint32_t first, std::uint32_t second) {
    while (!list.empty()) {
      const std::string_view step = list.substr(0, list.find(' '));
      list.remove_prefix(std::min(step.size() + 1, list.size()));
      const std::size_t letters = step.find_first_of("01");
      const auto target = [&](std::size_t i) { return step[letters + i] == '0' ? first : second; };
      const bool is_pair = step.size() == letters + 2;
      count_work();
      circuit_.gate(op_of(step.substr(0, letters)), target(0), is_pair ? target(1) : 0);
    }
  }
  static StabilizerOp op_of(std::string_view name) {
    if (name == "h") return StabilizerOp::h;
    if (name == "s") return StabilizerOp::s;
    if (name == "x") return StabilizerOp::x;
    if (name == "y") return StabilizerOp::y;
    if (name == "z") return StabilizerOp::z;
    if (name == "cx") return StabilizerOp::cx;
    if (name == "cz") return StabilizerOp::cz;
    return StabilizerOp::swap;
  }

  void gates(const Row& row, std::size_t place) {
    if (row.argument == 1) {
      for (const Target& target : targets_) {
        circuit_.touch(plain_qubit(target).index);
        steps(row.steps, target.index, 0);
      }
      return;
    }
    want_pairs(row, place);
    for (std::size_t i = 0; i < targets_.size(); i += 2) {
      const Target &a = targets_[i], &b = targets_[i + 1];
      if (a.is_record || b.is_record) {
        feedback(row, a, b);
        continue;
      }
      if (plain_qubit(a).index == plain_qubit(b).index)
        fail(b.place, ErrorCode::semantic_error, "a gate acts twice on qubit " + std::to_string(b.index));
      circuit_.touch(std::max(a.index, b.index));
      steps(row.steps, a.index, b.index);
    }
  }

  /// A control that is a record: a Pauli gate that the record decides. The Z side of a gate may be the record.
  void feedback(const Row& row, const Target& a, const Target& b) {
    const bool first_is_z = row.name == "CX" || row.name == "CNOT" || row.name == "ZCX" || row.name == "CY" ||
                            row.name == "ZCY" || row.name == "CZ" || row.name == "ZCZ";
    const bool second_is_z = row.name == "XCZ" || row.name == "YCZ" || row.name == "CZ" || row.name == "ZCZ";
    const bool by_first = a.is_record && first_is_z && !b.is_record;
    if (!by_first && !(b.is_record && second_is_z && !a.is_record)) {
      fail(a.is_record ? a.place : b.place, ErrorCode::semantic_error, std::string(row.name) + " takes no record here",
           "a record may be the Z side of CX, CY, CZ, XCZ or YCZ");
    }
    const Target &record = by_first ? a : b, &on = plain_qubit(by_first ? b : a);
    const bool has_x = row.name != "CZ" && row.name != "ZCZ";
    const bool has_z = !has_x || row.name == "CY" || row.name == "ZCY" || row.name == "YCZ";
    if (has_x) circuit_.feedback(StabilizerOp::x_if, on.index, record.index);
    if (has_z) circuit_.feedback(StabilizerOp::z_if, on.index, record.index);
  }

  /// Takes X or Y of a qubit to Z, and back: both changes of basis are their own inverse, up to a sign that cancels.
  void turn(std::uint32_t qubit, char letter) {
    if (letter == 'X') circuit_.gate(StabilizerOp::h, qubit);
    if (letter == 'Y') steps("h0 s0 h0 z0", qubit, 0);
  }

  /// Measures the product of the factors: each is turned to Z, their parity gathered in the first.
  void measure(std::span<const Target> factors) {
    bool inverted = false;
    const std::uint32_t first = factors[0].index;
    for (std::size_t i = 0; i < factors.size(); ++i) {
      inverted ^= factors[i].inverted;
      for (std::size_t j = 0; j < i; ++j)
        if (factors[j].index == factors[i].index)
          fail(factors[i].place, ErrorCode::semantic_error,
               "a product has qubit " + std::to_string(factors[i].index) + " twice");
    }
    for (const Target& factor : factors) turn(factor.index, factor.letter);
    for (std::size_t i = 1; i < factors.size(); ++i) circuit_.gate(StabilizerOp::cx, factors[i].index, first);
    const std::uint32_t record = circuit_.measure(first);
    count_work();
    for (std::size_t i = 1; i < factors.size(); ++i) circuit_.gate(StabilizerOp::cx, factors[i].index, first);
    for (const Target& factor : factors) turn(factor.index, factor.letter);
    if (inverted) circuit_.invert(record);
    if (arguments_.empty() || arguments_[0] == 0.0) return;
    PauliChannel flip{.weights = {arguments_[0]}, .size = 1};
    circuit_.noise(StabilizerOp::noise_record, 0, record, flip);
  }

  void products() {
    for (std::size_t begin = 0; begin < targets_.size();) {
      std::size_t end = begin;
      while (targets_[end].joined) ++end;
      ++end;
      for (std::size_t i = begin; i < end; ++i)
        if (targets_[i].letter == 0)
          fail(targets_[i].place, ErrorCode::syntax_error, "a factor is X, Y or Z and a qubit");
      measure(std::span(targets_).subspan(begin, end - begin));
      begin = end;
    }
  }

  void reset(std::uint32_t qubit, int letter) {
    circuit_.reset(qubit);
    count_work();
    turn(qubit, static_cast<char>(letter));
  }

  void noise(const Row& row, std::size_t place, const PauliChannel& channel) {
    const bool is_pair = channel.size == 15;
    if (is_pair) want_pairs(row, place);
    for (std::size_t i = 0; i < targets_.size(); i += is_pair ? 2 : 1) {
      const std::uint32_t a = plain_qubit(targets_[i]).index;
      const std::uint32_t b = is_pair ? plain_qubit(targets_[i + 1]).index : 0;
      circuit_.noise(is_pair ? StabilizerOp::noise2 : StabilizerOp::noise1, a, b, channel);
    }
  }

  std::span<const std::uint32_t> records() {
    records_.clear();
    for (const Target& target : targets_) {
      if (!target.is_record || target.inverted || target.joined)
        fail(target.place, ErrorCode::syntax_error, "a record is expected", "write rec[-1]");
      records_.push_back(target.index);
    }
    return records_;
  }

  std::string_view text_;
  ImportLimits limits_;
  const std::string& name_;
  std::size_t at_ = 0;
  std::uint64_t work_ = 0;
  std::vector<Loop> blocks_;
  std::vector<double> arguments_;
  std::vector<Target> targets_;
  std::vector<std::uint32_t> records_;
  StabilizerCircuit circuit_;
};

}  // namespace

bool looks_like_stim(std::string_view text) {
  for (;;) {
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return false;
    text.remove_prefix(first);
    if (text.front() != '#') break;
    text.remove_prefix(std::min(text.find('\n'), text.size()));
  }
  std::size_t length = 0;
  while (length < text.size() && is_word(text[length])) ++length;
  if (find_row(text.substr(0, length)) == nullptr) return false;
  // What follows the word tells it from a gate call of another language: `x q[0];`.
  const std::size_t next = text.find_first_not_of(" \t\r", length);
  if (next == std::string_view::npos) return true;
  const std::string_view line = text.substr(next, text.substr(next).find('\n'));
  return line.find(';') == std::string_view::npos &&
         std::string_view("(0123456789!\n#[rXYZxyz").find(text[next]) != std::string_view::npos;
}

StabilizerCircuit read_stim(std::string_view text, const ImportLimits& limits, const std::string& name) {
  if (text.size() > limits.max_text_bytes) {
    throw Error(ErrorCode::limit_exceeded,
                "the text has " + std::to_string(text.size()) + " bytes, max_text_bytes is " +
                    std::to_string(limits.max_text_bytes),
                name, "raise max_text_bytes");
  }
  return Reader(text, limits, name).run();
}

}  // namespace skerry::frontend::stim
