#include <algorithm>
#include <map>

#include "ops/nn/reference.hpp"
#include "ops/nn/widened.hpp"

namespace skerry::ops {
namespace {

// Letters of each input and of the output; the axes of an ellipsis are the digits, counted from the right.
struct Equation {
  std::vector<std::string> inputs;
  std::string output;
  std::map<char, std::int64_t> extents;

  Equation(const Node& node, const std::vector<Shape>& shapes) {
    std::string text;
    for (const char c : node.text("equation", "")) {
      if (c != ' ') text += c;
    }
    const auto arrow = text.find("->");
    std::string left = text.substr(0, arrow);
    for (std::size_t begin = 0; begin <= left.size();) {
      const auto end = std::min(left.find(',', begin), left.size());
      inputs.push_back(left.substr(begin, end - begin));
      begin = end + 1;
    }
    if (inputs.size() != shapes.size()) refuse(node, "equation '" + text + "' is of another number of inputs");
    std::string dots;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const auto rank = static_cast<std::size_t>(shapes[i].rank());
      if (const auto at = inputs[i].find("..."); at != std::string::npos && inputs[i].size() - 3 <= rank) {
        std::string digits;
        for (std::size_t k = rank + 3 - inputs[i].size(); k-- > 0;) digits += static_cast<char>('0' + k);
        inputs[i].replace(at, 3, digits);
        if (digits.size() > dots.size()) dots = digits;
      }
      if (inputs[i].size() != rank) refuse(node, "equation '" + text + "' does not fit an input " + shapes[i].text());
      for (std::size_t k = 0; k < rank; ++k) {
        std::int64_t& extent = extents.emplace(inputs[i][k], 1).first->second;
        const std::int64_t own = shapes[i][static_cast<int>(k)];
        if (extent != 1 && own != 1 && own != extent)
          refuse(node, std::string("letter ") + inputs[i][k] + " has two extents");
        extent = own == 1 ? extent : own;
      }
    }
    if (arrow != std::string::npos) {
      output = text.substr(arrow + 2);
      if (const auto at = output.find("..."); at != std::string::npos) output.replace(at, 3, dots);
    } else {
      output = dots;
      for (const auto& [letter, extent] : extents) {
        if (letter > '9' && std::ranges::count(left, letter) == 1) output += letter;
      }
    }
    for (const char letter : output) {
      if (!extents.contains(letter) || std::ranges::count(output, letter) != 1)
        refuse(node, "equation '" + text + "' has a result of unknown letters");
    }
  }
};

void infer(TypeContext& context) {
  require(context, 0, kernels::Numbers{});
  std::vector<Shape> shapes;
  for (std::size_t i = 0; i < context.inputs.size(); ++i) {
    const auto shape = known_shape(context, i);
    require_same(context, 0, i);
    if (!shape) return set_output(context, 0, input(context, 0).dtype, std::nullopt);
    shapes.push_back(*shape);
  }
  Dims out;
  const Equation e(context.node, shapes);
  for (const char letter : e.output) out.emplace_back(e.extents.at(letter));
  set_output(context, 0, input(context, 0).dtype, std::move(out));
}

// What one input of T has along a row.
template <class T>
struct Factor {
  const T* from;
  std::int64_t step;
};

// The sum of a[i * sa] * b[i * sb], in four chains none of which waits for another.
template <class T>
double sum_of_products(const Factor<T>& a, const Factor<T>& b, std::int64_t length) {
  const auto term = [&](std::int64_t i) {
    return static_cast<double>(a.from[i * a.step]) * static_cast<double>(b.from[i * b.step]);
  };
  double first = 0.0, second = 0.0, third = 0.0, fourth = 0.0;
  std::int64_t i = 0;
  for (; i + 4 <= length; i += 4) {
    first += term(i);
    second += term(i + 1);
    third += term(i + 2);
    fourth += term(i + 3);
  }
  for (; i < length; ++i) first += term(i);
  return (first + second) + (third + fourth);
}

// y[i * step] += the product of the factors' i-th elements.
template <class T>
void add_products(std::span<const Factor<T>> factors, std::int64_t length, double* y, std::int64_t step) {
  static constexpr T kOne = T(1);
  if (factors.size() <= 2) {
    const Factor<T> a = factors[0], b = factors.size() == 2 ? factors[1] : Factor<T>{&kOne, 0};
    if (step == 0) {
      *y += sum_of_products(a, b, length);
      return;
    }
    for (std::int64_t i = 0; i < length; ++i)
      y[i] += static_cast<double>(a.from[i * a.step]) * static_cast<double>(b.from[i * b.step]);
    return;
  }
  for (std::int64_t i = 0; i < length; ++i) {
    double product = 1.0;
    for (const Factor<T>& f : factors) product *= static_cast<double>(f.from[i * f.step]);
    y[i * step] += product;
  }
}

// The loops over all letters: the last of them runs along a row, the others from row to row. More letters than a
// tensor has axes may be there.
struct Loops {
  std::vector<std::int64_t> extents;
  std::vector<Longs> strides;  ///< of each input
  std::int64_t total = 1, inner = 1;
  bool summed = false;

  template <class T>
  void run(const std::vector<const T*>& inputs, double* y) const {
    const bool none = extents.empty();
    const std::int64_t length = none ? 1 : extents.back();
    constexpr std::int64_t kStepsOfARow = 16;
    Pace pace;
    std::vector<Factor<T>> factors;
    for (std::size_t n = 0; n < inputs.size(); ++n) factors.push_back({inputs[n], none ? 0 : strides[n].back()});
    std::vector<std::int64_t> at(extents.size(), 0);
    for (std::int64_t i = 0; i < total * inner; i += length) {
      pace(length + kStepsOfARow);
      add_products<T>(factors, length, y + i / inner, summed ? 0 : 1);
      for (std::size_t k = none ? 0 : extents.size() - 1; k-- > 0;) {
        const bool wraps = ++at[k] == extents[k];
        for (std::size_t n = 0; n < inputs.size(); ++n)
          factors[n].from += wraps ? -(extents[k] - 1) * strides[n][k] : strides[n][k];
        if (!wraps) break;
        at[k] = 0;
      }
    }
  }
};

void run(const Node& node, const KernelArguments& a) {
  std::vector<Shape> shapes;
  for (const TensorView& x : a.inputs) shapes.push_back(x.shape());
  const Equation e(node, shapes);
  std::string letters = e.output;
  for (const auto& [letter, extent] : e.extents) {
    if (letters.find(letter) == std::string::npos) letters += letter;
  }
  Loops loops;
  loops.summed = e.output.size() < letters.size();
  for (std::size_t k = 0; k < letters.size(); ++k) {
    loops.extents.push_back(e.extents.at(letters[k]));
    (k < e.output.size() ? loops.total : loops.inner) *= loops.extents.back();
  }
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const Longs own = strides_of(shapes[i]);
    Longs along(letters.size(), 0);
    for (std::size_t k = 0; k < e.inputs[i].size(); ++k) {
      if (shapes[i][static_cast<int>(k)] != 1) along[letters.find(e.inputs[i][k])] += own[k];
    }
    loops.strides.push_back(along);
  }
  Doubles y(static_cast<std::size_t>(loops.total), 0.0);
  if (loops.total * loops.inner == 0) return store(y, a.outputs[0]);
  if (a.inputs[0].dtype() == DType::f32) {
    std::vector<const float*> inputs;
    for (const TensorView& x : a.inputs) inputs.push_back(x.as<float>().data());
    loops.run<float>(inputs, y.data());
  } else {
    std::vector<Doubles> values;
    values.reserve(a.inputs.size());
    std::vector<const double*> inputs;
    for (const TensorView& x : a.inputs) inputs.push_back(values.emplace_back(doubles(x)).data());
    loops.run<double>(inputs, y.data());
  }
  store(y, a.outputs[0]);
}

// Each combination of letters is a step for each input, each row one for each letter of each input.
Cost can(const Node& node, const NodeTypes& types) {
  if (auto takes = can_reference(node, types); !takes) return takes;
  std::vector<Shape> shapes;
  for (const TensorType& type : types.inputs) shapes.push_back(*type.static_shape());
  const Equation e(node, shapes);
  double steps = 1.0, length = 1.0;
  for (const auto& [letter, extent] : e.extents) {
    steps *= static_cast<double>(extent);
    if (e.output.empty() || e.output.back() == letter) length = static_cast<double>(extent);
  }
  for (const auto& [letter, extent] : e.extents)  // the last of those that are summed runs along a row
    if (e.output.find(letter) == std::string::npos) length = static_cast<double>(extent);
  constexpr double kOfAStep = 1.3, kOfAnInput = 1.0, kOfARow = 10.0;
  const auto inputs = static_cast<double>(shapes.size());
  steps *= kOfAStep + (shapes.size() <= 2 ? 0.0 : kOfAnInput * inputs) +
           kOfARow * inputs * static_cast<double>(e.extents.size()) / std::max(length, 1.0);
  const double of_a_copy = is_f32(types) ? 0.0 : 2.0;
  constexpr double kOfAResult = 1.0;
  steps += kOfAResult * static_cast<double>(elements(types.outputs[0]));
  double copies = 0.0;
  for (const TensorType& type : types.inputs) copies += static_cast<double>(elements(type));
  return serial_steps(types, steps + of_a_copy * copies);
}

}  // namespace

extern const OpRecord einsum_record;
const OpRecord einsum_record = {
    .name = "Einsum",
    .since_opset = 28,
    .help = "The sum of products that `equation` names by letters, with an ellipsis for axes that broadcast. Numbers.",
    .inputs = 1,
    .infer = infer,
    .kernels = kReference<run, can>,
};

}  // namespace skerry::ops
