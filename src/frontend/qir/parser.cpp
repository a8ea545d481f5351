#include "frontend/qir/parser.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <skerry/error.hpp>
#include <tuple>
#include <unordered_map>

#include "frontend/qir/lexer.hpp"

namespace skerry::frontend::qir {
namespace {

using Names = std::unordered_map<std::string_view, std::uint32_t>;

constexpr std::string_view kArithmetic[] = {"add", "sub", "mul",  "udiv", "sdiv", "urem", "srem", "and",  "or",
                                            "xor", "shl", "lshr", "ashr", "fadd", "fsub", "fmul", "fdiv", "frem"};
constexpr std::string_view kCasts[] = {"zext",   "sext",  "trunc",   "sitofp",   "uitofp", "fptosi",
                                       "fptoui", "fpext", "fptrunc", "inttoptr", "bitcast"};
/// What may stand before a type, an operand or a call and changes nothing here.
constexpr std::string_view kDecoration[] = {
    "tail",         "musttail",  "notail",   "fastcc",  "ccc",          "nuw",       "nsw",      "exact",
    "disjoint",     "nneg",      "fast",     "nnan",    "ninf",         "nsz",       "arcp",     "contract",
    "afn",          "reassoc",   "noundef",  "nonnull", "readonly",     "writeonly", "readnone", "nocapture",
    "zeroext",      "signext",   "immarg",   "noalias", "returned",     "inreg",     "inbounds", "local_unnamed_addr",
    "unnamed_addr", "dso_local", "internal", "private", "linkonce_odr", "weak",      "hidden",   "protected",
    "default",      "samesign"};

template <std::size_t N>
bool is_one_of(const std::string_view (&list)[N], std::string_view word) {
  return std::ranges::find(list, word) != std::end(list);
}

/// c"r1\00": escapes are two hexadecimal digits. What cannot be printed becomes an underscore, as it may be a name.
std::string unescaped(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '\\' && i + 2 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16).ptr == text.data() + i + 3) {
      bytes += static_cast<char>(value);
      i += 2;
    } else {
      bytes += text[i];
    }
  }
  while (!bytes.empty() && bytes.back() == '\0') bytes.pop_back();
  std::ranges::replace_if(
      bytes, [](char c) { return c < ' ' || c > '~'; }, '_');
  return bytes;
}

class Parser {
 public:
  Parser(std::string_view text, const ImportLimits& limits, const std::string& name)
      : lexer_(text, name), limits_(limits) {}

  Module run() {
    for (lexer_.skip_line_ends(); lexer_.token().kind != Token::end; lexer_.skip_line_ends()) {
      if (lexer_.accept("define"))
        function();
      else if (lexer_.accept("attributes"))
        attributes();
      else if (lexer_.token().kind == Token::global)
        global();
      else
        lexer_.skip_line();  // types, declarations, targets, metadata
    }
    choose_entry();
    return std::move(module_);
  }

 private:
  [[noreturn]] void fail(ErrorCode code, Place place, std::string message, std::string hint = {}) const {
    lexer_.fail(code, place, std::move(message), std::move(hint));
  }
  [[noreturn]] void fail_syntax(const std::string& expected) const {
    fail(ErrorCode::syntax_error, lexer_.token().place, expected + " is missing before " + lexer_.shown());
  }

  void skip_decoration() {
    while (lexer_.token().kind == Token::word && is_one_of(kDecoration, lexer_.token().text_of)) lexer_.take();
    while (lexer_.token().is("dereferenceable") || lexer_.token().is("align")) {
      lexer_.take();
      skip_round();
      if (lexer_.token().kind == Token::number) lexer_.take();
      while (lexer_.token().kind == Token::word && is_one_of(kDecoration, lexer_.token().text_of)) lexer_.take();
    }
  }
  /// (...), to its end on this line.
  void skip_round() {
    if (!lexer_.accept("(")) return;
    for (int depth = 1; depth > 0; lexer_.take()) {
      if (lexer_.token().kind == Token::line_end || lexer_.token().kind == Token::end) fail_syntax("')'");
      depth += lexer_.token().is("(") ? 1 : lexer_.token().is(")") ? -1 : 0;
    }
  }

  // `i64`, `double`, `%Qubit*`, `ptr`, `[3 x i8]*`; void where nothing is given back.
  Type type() {
    skip_decoration();
    const Token token = lexer_.take();
    Type found{Type::other, 0};
    if (token.is("void")) {
      found = {};
    } else if (token.is("double")) {
      found = {Type::real, 64};
    } else if (token.is("ptr")) {
      found = {Type::pointer, 0};
    } else if (token.is("[")) {
      while (!lexer_.token().is("]")) {
        if (lexer_.token().kind == Token::line_end || lexer_.token().kind == Token::end) fail_syntax("']'");
        lexer_.take();
      }
      lexer_.take();
    } else if (token.kind == Token::word && token.text_of.starts_with('i')) {
      unsigned width = 0;
      const auto digits = token.text_of.substr(1);
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), width);
      if (error != std::errc{} || end != digits.data() + digits.size()) fail_type(token);
      if (width == 0 || width > 64)
        fail(ErrorCode::unsupported, token.place, "integers have at most 64 bits here, not " + std::to_string(width));
      found = {Type::integer, static_cast<std::uint8_t>(width)};
    } else if (token.kind != Token::local) {
      fail_type(token);
    }
    while (lexer_.accept("*")) found = {Type::pointer, 0};
    skip_decoration();
    return found;
  }
  /// A type, or an array of so many of one: `[4 x ptr]`.
  std::pair<Type, std::uint64_t> sized_type() {
    skip_decoration();
    if (!lexer_.accept("[")) return {type(), 1};
    const std::uint64_t count = whole_number();
    lexer_.expect("x");
    const Type of = type();
    lexer_.expect("]");
    if (!lexer_.accept("*")) return {of, count};
    return {Type{Type::pointer, 0}, 1};
  }
  [[noreturn]] void fail_type(const Token& token) const {
    fail(ErrorCode::unsupported, token.place, "'" + shown_word(token.text_of) + "' is no type of the profiles",
         "they have void, integers, double and pointers");
  }

  std::uint32_t value_of(std::string_view name) {
    return values_.try_emplace(name, static_cast<std::uint32_t>(values_.size())).first->second;
  }
  std::uint32_t label_of(std::string_view name, Place place) {
    const auto [found, is_new] = labels_.try_emplace(name, static_cast<std::uint32_t>(labels_.size()));
    if (is_new) label_places_.push_back({place, false});
    return found->second;
  }

  std::uint64_t whole_number() {
    const Token token = lexer_.take();
    std::int64_t number = 0;
    std::uint64_t large = 0;
    const char* const end = token.text_of.data() + token.text_of.size();
    if (token.is("true")) return 1;
    if (token.is("false")) return 0;
    if (std::from_chars(token.text_of.data(), end, number).ptr == end && token.kind == Token::number)
      return static_cast<std::uint64_t>(number);
    const auto [stop, error] = std::from_chars(token.text_of.data(), end, large);
    if (token.kind == Token::number && stop == end && error == std::errc{}) return large;
    fail(ErrorCode::syntax_error, token.place, "a whole number of at most 64 bits is expected");
  }

  // 1.5e+00, or the bits of a double: 0x3FF0000000000000.
  double real_number() {
    const Token token = lexer_.take();
    const std::string_view text = token.text_of;
    const char* const end = text.data() + text.size();
    std::uint64_t bits = 0;
    if (text.starts_with("0x") && text.size() > 2 && std::from_chars(text.data() + 2, end, bits, 16).ptr == end)
      return checked(std::bit_cast<double>(bits), token.place);
    // Debian's g++ reads "1e+00" by from_chars as well.
    double number = 0.0;
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (token.kind != Token::number || stop != end || error != std::errc{})
      fail(ErrorCode::syntax_error, token.place, "a number is expected");
    return checked(number, token.place);
  }
  double checked(double number, Place place) const {
    if (!std::isfinite(number)) fail(ErrorCode::semantic_error, place, "a number that is not finite");
    return number;
  }

  Operand operand(Type of) {
    skip_decoration();
    const Token& token = lexer_.token();
    Operand made;
    made.type = of;
    made.place = token.place;
    if (token.kind == Token::local) {
      made.kind = Operand::local;
      made.index = value_of(lexer_.take().text_of);
    } else if (token.kind == Token::global) {
      made.kind = Operand::global;
      made.name = lexer_.take().text_of;
    } else if (lexer_.accept("undef") || lexer_.accept("poison") || lexer_.accept("zeroinitializer")) {
      made.kind = Operand::undefined;
    } else if (of.kind == Type::pointer) {
      pointer(made);
    } else if (of.kind == Type::real) {
      made.kind = Operand::real;
      made.number = real_number();
    } else if (of.kind == Type::integer) {
      made.kind = Operand::integer;
      made.bits = whole_number();
    } else {
      fail_syntax("an operand");
    }
    return made;
  }

  // null, inttoptr (i64 1 to %Qubit*), getelementptr inbounds ([3 x i8], [3 x i8]* @0, i32 0, i32 0), bitcast (…).
  void pointer(Operand& made) {
    made.kind = Operand::pointer;
    if (lexer_.accept("null")) return;
    if (lexer_.accept("inttoptr")) {
      lexer_.expect("(");
      (void)type();
      made.bits = whole_number();
      lexer_.expect("to");
      (void)type();
      lexer_.expect(")");
      return;
    }
    if (!lexer_.token().is("getelementptr") && !lexer_.token().is("bitcast")) fail_syntax("a pointer");
    lexer_.take();
    skip_decoration();
    made.kind = Operand::undefined;
    lexer_.expect("(");
    const bool in_bytes = lexer_.token().is("i8");
    std::string_view last;
    for (int depth = 1; depth > 0;) {
      const Token token = lexer_.take();
      if (token.kind == Token::line_end || token.kind == Token::end)
        fail(ErrorCode::syntax_error, token.place, "a ')' is missing");
      if (token.kind == Token::global) {
        made.kind = Operand::global;
        made.name = token.text_of;
      } else if (token.kind == Token::number && made.kind == Operand::global) {
        last = token.text_of;
      }
      if (depth == 1 && token.is(")")) std::from_chars(last.data(), last.data() + last.size(), made.bits);
      depth += token.is("(") ? 1 : token.is(")") ? -1 : 0;
    }
    made.bits = in_bytes ? made.bits / 8 : made.bits;  // numbers and pointers of constant arrays have 8 bytes
  }

  Operand typed_operand() { return operand(type()); }

  // @0 = internal constant [3 x i8] c"r0\00"; @1 = internal constant [2 x ptr] [ptr null, ptr inttoptr (i64 1 to ptr)]
  void global() {
    const std::string_view name = lexer_.take().text_of;
    const auto is_over = [this] { return lexer_.token().kind == Token::line_end || lexer_.token().kind == Token::end; };
    while (!is_over() && !lexer_.token().is("[")) lexer_.take();
    const Type of = is_over() ? Type{} : sized_type().first;
    if (lexer_.accept("c") && lexer_.token().kind == Token::text)
      module_.strings[name] = unescaped(lexer_.token().text_of);
    else if ((of.kind == Type::pointer || of.kind == Type::integer || of.kind == Type::real) && lexer_.accept("[")) {
      std::vector<Operand>& elements = module_.arrays[name];
      for (bool goes_on = true; goes_on; goes_on = lexer_.accept(",")) elements.push_back(typed_operand());
      lexer_.expect("]");
    }
    while (!is_over()) lexer_.take();
  }

  // attributes #0 = { "entry_point" "required_num_qubits"="2" nounwind }
  void attributes() {
    const std::string_view group = lexer_.take().text_of;
    lexer_.expect("=");
    lexer_.expect("{");
    read_attributes(groups_[group]);
    lexer_.expect("}");
  }
  void read_attributes(std::map<std::string_view, std::string_view>& into) {
    for (;;) {
      lexer_.skip_line_ends();
      if (lexer_.token().kind == Token::text) {
        const std::string_view key = lexer_.take().text_of;
        into[key] = lexer_.accept("=") && lexer_.token().kind == Token::text ? lexer_.take().text_of : "";
      } else if (lexer_.token().is("}") || lexer_.token().is("{") || lexer_.token().kind == Token::end) {
        return;
      } else if (lexer_.token().kind == Token::group) {
        function_groups_.push_back(lexer_.take().text_of);
      } else {
        lexer_.take();
      }
    }
  }

  // define i64 @main(i64 %n) #0 { … }
  void function() {
    values_.clear();
    labels_.clear();
    label_places_.clear();
    function_groups_.clear();
    own_attributes_.clear();
    Function made;
    made.result = type();
    made.place = lexer_.token().place;
    if (lexer_.token().kind != Token::global) fail_syntax("a function's @name");
    made.name = lexer_.take().text_of;
    lexer_.expect("(");
    unnamed_ = 0;
    while (!lexer_.accept(")")) {
      made.parameters.push_back(type());
      const bool is_named = lexer_.token().kind == Token::local;
      const std::uint32_t id = value_of(is_named ? lexer_.take().text_of : unnamed());
      if (id + 1 != made.parameters.size()) fail(ErrorCode::semantic_error, made.place, "a parameter's name is taken");
      if (!lexer_.accept(",") && !lexer_.token().is(")")) fail_syntax("')'");
    }
    read_attributes(own_attributes_);
    lexer_.expect("{");
    body(made);
    made.num_values = static_cast<std::uint32_t>(values_.size());
    const auto index = static_cast<std::uint32_t>(module_.functions.size());
    if (!module_.by_name.emplace(made.name, index).second)
      fail(ErrorCode::semantic_error, made.place, "the function is defined twice");
    module_.functions.push_back(std::move(made));
    attributes_of_.push_back({function_groups_, own_attributes_});
  }

  /// The name that LLVM gives to a parameter or a first block without one: the next number.
  std::string_view unnamed() {
    static constexpr std::array<std::string_view, 17> kNumbers = {"0", "1",  "2",  "3",  "4",  "5",  "6",  "7", "8",
                                                                  "9", "10", "11", "12", "13", "14", "15", "16"};
    if (unnamed_ + 1 >= kNumbers.size())
      fail(ErrorCode::unsupported, lexer_.token().place, "a function with more than 16 parameters without names");
    return kNumbers[unnamed_++];
  }

  void body(Function& made) {
    lexer_.skip_line_ends();
    if (lexer_.token().kind != Token::label) open_block(made, unnamed(), lexer_.token().place);
    for (lexer_.skip_line_ends(); !lexer_.accept("}"); lexer_.skip_line_ends()) {
      if (lexer_.token().kind == Token::end) fail_syntax("'}'");
      if (lexer_.token().kind == Token::label) {
        if (!made.blocks.empty() && !is_closed_) fail_open();
        const Token label = lexer_.take();
        open_block(made, label.text_of, label.place);
        continue;
      }
      if (is_closed_) fail_syntax("a label");
      if (++instructions_ > limits_.max_instructions) fail_length();
      blocks_[current_].instructions.push_back(instruction());
      lexer_.skip_line();  // metadata and attributes of the call
    }
    if (!is_closed_) fail_open();
    finish_blocks(made);
  }
  [[noreturn]] void fail_length() const {
    fail(ErrorCode::limit_exceeded, lexer_.token().place,
         "the module has more than max_instructions = " + std::to_string(limits_.max_instructions) + " instructions",
         "raise max_instructions");
  }
  [[noreturn]] void fail_open() const {
    fail(ErrorCode::syntax_error, lexer_.token().place, "the block before this does not end in br, switch or ret");
  }
  void open_block(Function& made, std::string_view name, Place place) {
    current_ = label_of(name, place);
    if (label_places_[current_].second) fail(ErrorCode::semantic_error, place, "the label is defined twice");
    label_places_[current_] = {place, true};
    if (blocks_.size() <= current_) blocks_.resize(current_ + 1);
    made.blocks.emplace_back();  // counts until finish_blocks()
    is_closed_ = false;
  }
  // The entry's label is met first, so it is block 0.
  void finish_blocks(Function& made) {
    for (const auto& [place, is_defined] : label_places_)
      if (!is_defined) fail(ErrorCode::semantic_error, place, "there is no block with this label");
    made.blocks = std::move(blocks_);
    blocks_.clear();
  }

  std::uint32_t label() {
    lexer_.expect("label");
    if (lexer_.token().kind != Token::local) fail_syntax("a label's %name");
    const Token token = lexer_.take();
    return label_of(token.text_of, token.place);
  }

  Instruction instruction() {
    Instruction made;
    made.place = lexer_.token().place;
    if (lexer_.token().kind == Token::local) {
      const Token token = lexer_.take();
      made.result = value_of(token.text_of);
      lexer_.expect("=");
    }
    skip_decoration();
    const Token word = lexer_.take();
    made.word = word.text_of;
    if (word.is("call")) {
      call(made);
    } else if (word.is("br")) {
      branch(made);
    } else if (word.is("switch")) {
      switch_to(made);
    } else if (word.is("ret")) {
      made.kind = Kind::ret;
      made.type = type();
      if (made.type.kind != Type::nothing) made.operands.push_back(operand(made.type));
      is_closed_ = true;
    } else if (word.is("phi")) {
      phi(made);
    } else if (word.is("select")) {
      made.kind = Kind::select;
      made.operands.push_back(typed_operand());
      for (int i = 0; i < 2; ++i) {
        lexer_.expect(",");
        made.operands.push_back(typed_operand());
      }
      made.type = made.operands[1].type;
    } else if (word.is("icmp") || word.is("fcmp")) {
      made.kind = word.is("icmp") ? Kind::compare : Kind::compare_reals;
      skip_decoration();
      made.word = lexer_.take().text_of;
      two_operands(made);
      made.type = {Type::integer, 1};
    } else if (is_one_of(kArithmetic, made.word)) {
      made.kind = Kind::arithmetic;
      two_operands(made);
      made.type = made.operands[0].type;
    } else if (is_one_of(kCasts, made.word)) {
      made.kind = Kind::cast;
      made.operands.push_back(typed_operand());
      lexer_.expect("to");
      made.type = type();
    } else if (!memory(made)) {
      fail(ErrorCode::unsupported, word.place,
           "'" + shown_word(made.word) + "' is no instruction of the base and adaptive profiles",
           "compile to one of these profiles, with optimisation");
    }
    return made;
  }

  // alloca [4 x ptr], align 8; getelementptr inbounds [4 x ptr], ptr %a, i64 0, i64 %i; load ptr, ptr %p; store i1 0,
  // ptr %p
  bool memory(Instruction& made) {
    if (made.word == "alloca") {
      made.kind = Kind::memory;
      std::tie(made.type, made.count) = sized_type();
      while (lexer_.accept(",") && !lexer_.token().is("align")) {
        const Operand times = typed_operand();
        if (times.kind != Operand::integer || times.bits > limits_.max_instructions)
          fail(ErrorCode::unsupported, times.place, "the extent of this memory is no number that can be known");
        made.count *= times.bits;
      }
    } else if (made.word == "getelementptr") {
      made.kind = Kind::element;
      std::tie(made.type, made.count) = sized_type();
      while (lexer_.accept(",")) made.operands.push_back(typed_operand());
      if (made.operands.size() < 2 || made.operands.size() > 3 || (made.operands.size() == 3 && made.count == 0))
        fail(ErrorCode::unsupported, made.place, "elements are those of arrays of numbers and pointers");
    } else if (made.word == "load" || made.word == "store") {
      made.kind = made.word == "load" ? Kind::load : Kind::store;
      if (made.kind == Kind::load) made.type = type();
      if (made.kind == Kind::store) made.operands.push_back(typed_operand());
      lexer_.expect(",");
      made.operands.push_back(typed_operand());
    } else {
      return false;
    }
    if (made.count > limits_.max_instructions) fail_length();
    return true;
  }

  void two_operands(Instruction& made) {
    const Type of = type();
    made.operands.push_back(operand(of));
    lexer_.expect(",");
    made.operands.push_back(operand(of));
  }

  void call(Instruction& made) {
    made.kind = Kind::call;
    made.type = type();
    // The whole signature may stand before the name: void (%Qubit*)
    skip_round();
    while (lexer_.accept("*")) {
    }
    if (lexer_.token().kind != Token::global)
      fail(ErrorCode::unsupported, lexer_.token().place, "only functions with a @name can be called");
    made.word = lexer_.take().text_of;
    lexer_.expect("(");
    while (!lexer_.accept(")")) {
      made.operands.push_back(typed_operand());
      if (!lexer_.accept(",") && !lexer_.token().is(")")) fail_syntax("')'");
    }
  }

  void branch(Instruction& made) {
    is_closed_ = true;
    made.kind = Kind::branch;
    if (lexer_.token().is("label")) {
      made.blocks.push_back(label());
      return;
    }
    made.kind = Kind::branch_if;
    made.operands.push_back(typed_operand());
    for (int i = 0; i < 2; ++i) {
      lexer_.expect(",");
      made.blocks.push_back(label());
    }
  }

  void switch_to(Instruction& made) {
    is_closed_ = true;
    made.kind = Kind::switch_to;
    made.operands.push_back(typed_operand());
    lexer_.expect(",");
    made.blocks.push_back(label());
    lexer_.expect("[");
    for (lexer_.skip_line_ends(); !lexer_.accept("]"); lexer_.skip_line_ends()) {
      made.operands.push_back(typed_operand());
      lexer_.expect(",");
      made.blocks.push_back(label());
    }
  }

  void phi(Instruction& made) {
    made.kind = Kind::phi;
    made.type = type();
    if (!blocks_[current_].instructions.empty() && blocks_[current_].instructions.back().kind != Kind::phi)
      fail(ErrorCode::semantic_error, made.place, "a phi stands after another instruction of its block");
    do {
      lexer_.expect("[");
      made.operands.push_back(operand(made.type));
      lexer_.expect(",");
      if (lexer_.token().kind != Token::local) fail_syntax("a label's %name");
      const Token origin = lexer_.take();
      made.blocks.push_back(label_of(origin.text_of, origin.place));
      lexer_.expect("]");
    } while (lexer_.accept(","));
  }

  // The function that says it is the entry point; else main; else the only one.
  void choose_entry() {
    std::size_t entry = module_.functions.size();
    for (std::size_t i = 0; i < module_.functions.size(); ++i) {
      auto all = attributes_of_[i].second;
      for (const std::string_view group : attributes_of_[i].first)
        for (const auto& [key, value] : groups_[group]) all.emplace(key, value);
      if (!all.contains("entry_point") && !all.contains("EntryPoint")) continue;
      if (entry != module_.functions.size())
        fail(ErrorCode::semantic_error, module_.functions[i].place, "the module has two entry points");
      entry = i;
      module_.attributes = std::move(all);
    }
    if (entry == module_.functions.size()) {
      const auto main = module_.by_name.find("main");
      if (main != module_.by_name.end())
        entry = main->second;
      else if (module_.functions.size() == 1)
        entry = 0;
      else
        fail(ErrorCode::semantic_error, 0, "no function has the attribute \"entry_point\"", "mark the one to run");
    }
    module_.functions[entry].is_entry = true;
  }

  Lexer lexer_;
  const ImportLimits& limits_;
  Module module_;
  std::map<std::string_view, std::map<std::string_view, std::string_view>> groups_;
  std::vector<std::pair<std::vector<std::string_view>, std::map<std::string_view, std::string_view>>> attributes_of_;
  std::uint64_t instructions_ = 0;
  // Of the function that is being read.
  Names values_, labels_;
  std::vector<std::pair<Place, bool>> label_places_;  // first mention; is it defined?
  std::vector<std::string_view> function_groups_;
  std::map<std::string_view, std::string_view> own_attributes_;
  std::vector<Block> blocks_;
  std::uint32_t current_ = 0;
  std::size_t unnamed_ = 0;
  bool is_closed_ = true;
};

}  // namespace

Module parse(std::string_view text, const ImportLimits& limits, const std::string& name) {
  if (text.size() > limits.max_text_bytes)
    throw Error(ErrorCode::limit_exceeded,
                "the text has " + std::to_string(text.size()) +
                    " bytes, more than max_text_bytes = " + std::to_string(limits.max_text_bytes),
                name, "raise max_text_bytes");
  return Parser(text, limits, name).run();
}

}  // namespace skerry::frontend::qir
