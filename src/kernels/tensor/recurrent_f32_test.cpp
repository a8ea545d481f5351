#include "kernels/tensor/recurrent_f32.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "base/threads.hpp"
#include "kernels/tensor/recurrent_gates.hpp"
#include "kernels/testing/targets.hpp"

namespace skerry::kernels {
namespace {

struct RecurrentCase {
  std::size_t gates, steps, batch, inputs, hidden;
  bool reverse, linear, biased, batch_first;
};

RecurrentShape shape_of(const RecurrentCase& c) {
  RecurrentShape shape{c.steps, c.batch, c.inputs, c.hidden, c.gates};
  shape.reverse = c.reverse;
  shape.linear_before_reset = c.linear;
  shape.activations = {*find_activation("sigmoid"), *find_activation("tanh"), *find_activation("tanh")};
  return shape;
}

// All operands and results of a run in T.
template <class T>
struct Run {
  std::vector<T> x, weights, recurrence, bias, y, h, c;

  explicit Run(const RecurrentCase& s)
      : x(s.steps * s.batch * s.inputs),
        weights(s.gates * s.hidden * s.inputs),
        recurrence(s.gates * s.hidden * s.hidden),
        bias(2 * s.gates * s.hidden),
        y(s.steps * s.batch * s.hidden),
        h(s.batch * s.hidden),
        c(h.size()) {
    std::mt19937 random(5);
    std::normal_distribution<float> normal(0.0F, 0.4F);
    for (std::vector<T>* values : {&x, &weights, &recurrence, &bias, &h, &c}) {
      for (T& value : *values) value = static_cast<T>(normal(random));
    }
  }
  RecurrentData<T> data(const RecurrentCase& s) {
    RecurrentData<T> out;
    out.x = x.data();
    out.x_step = s.batch_first ? s.inputs : s.batch * s.inputs;
    out.x_batch = s.batch_first ? s.steps * s.inputs : s.inputs;
    out.y = y.data();
    out.y_step = s.batch_first ? s.hidden : s.batch * s.hidden;
    out.y_batch = s.batch_first ? s.steps * s.hidden : s.hidden;
    if (s.biased) out.bias = bias.data();
    out.h = h.data();
    out.c = c.data();
    return out;
  }
};

// Within a test, Run is a name of googletest's.
Run<float> random_run(const RecurrentCase& s) {
  return Run<float>(s);
}

Run<float> fast(const RecurrentCase& s, int threads) {
  const base::ThreadLimit limit(threads);
  Run<float> run(s);
  const RecurrentF32 layer(shape_of(s), run.weights.data(), run.recurrence.data());
  std::vector<std::byte> scratch(layer.scratch_bytes());
  layer.run(run.data(s), scratch);
  return run;
}

Run<double> formula(const RecurrentCase& s) {
  const RecurrentShape shape = shape_of(s);
  Run<double> run(s);
  auto data = run.data(s);
  std::vector<double> weights(run.weights.size()), recurrence(run.recurrence.size()), scratch(recurrent_scratch(shape));
  transpose(run.weights.data(), s.gates * s.hidden, s.inputs, weights.data());
  transpose(run.recurrence.data(), s.gates * s.hidden, s.hidden, recurrence.data());
  data.weights = weights.data();
  data.recurrence = recurrence.data();
  data.scratch = scratch;
  s.gates == 4 ? lstm(shape, data) : gru(shape, data);
  return run;
}

TEST(RecurrentF32, AgreesWithTheEquationsForBatchesDirectionsAndManySteps) {
  testing::for_each_target([](const char* target) {
    SCOPED_TRACE(target);
    for (const RecurrentCase& s : {RecurrentCase{4, 5, 1, 3, 4, false, false, true, false},
                                   RecurrentCase{4, 70, 2, 9, 17, true, false, true, false},
                                   RecurrentCase{4, 130, 3, 5, 33, true, false, false, true},
                                   RecurrentCase{3, 5, 1, 3, 3, false, true, true, false},
                                   RecurrentCase{3, 66, 9, 4, 20, true, true, true, true},
                                   RecurrentCase{3, 7, 2, 40, 64, false, false, true, false},
                                   RecurrentCase{3, 1, 1, 1, 1, false, true, false, false},
                                   RecurrentCase{4, 67, 1, 6, 33, true, false, true, true},
                                   RecurrentCase{4, 9, 1, 4, 128, false, false, false, false},
                                   RecurrentCase{3, 66, 1, 5, 37, true, true, true, false},
                                   RecurrentCase{3, 8, 1, 3, 64, false, true, false, true},
                                   RecurrentCase{3, 8, 1, 3, 21, false, false, true, false},
                                   RecurrentCase{4, 3, 1, 2, 1, false, false, true, false}}) {
      const auto one = fast(s, 1);
      EXPECT_EQ(one.y, fast(s, 2).y);
      const auto wanted = formula(s);
      for (std::size_t i = 0; i < one.y.size(); ++i)
        ASSERT_NEAR(one.y[i], wanted.y[i], 3e-6) << s.gates << " gates, " << s.steps << " steps, at " << i;
      for (std::size_t i = 0; i < one.h.size(); ++i) ASSERT_NEAR(one.h[i], wanted.h[i], 3e-6);
      for (std::size_t i = 0; s.gates == 4 && i < one.c.size(); ++i) ASSERT_NEAR(one.c[i], wanted.c[i], 5e-6);
    }
  });
}

// The order in which weights are read is chosen for the cache's sake.
TEST(RecurrentF32, GivesTheSameBitsReadFromTheFrontAndFromTheBack) {
  testing::for_each_target([](const char* target) {
    SCOPED_TRACE(target);
    for (const std::size_t hidden : {1U, 5U, 16U, 33U, 64U, 130U}) {
      auto run = random_run({4, 1, 1, 1, hidden, false, false, true, false});
      std::vector<float> lstm(recurrent_row_floats(4, hidden)), gru(recurrent_row_floats(3, hidden));
      pack_recurrent_row(run.recurrence.data(), 4, hidden, lstm.data());
      pack_recurrent_row(run.recurrence.data(), 3, hidden, gru.data());
      std::vector<std::vector<float>> results;
      for (const bool backwards : {false, true}) {
        std::vector<float> gates = run.bias, c = run.c, h(hidden), linear = run.c, next(hidden);
        lstm_row({hidden, lstm.data(), run.h.data(), backwards}, gates.data(), c.data(), h.data());
        gru_row({hidden, gru.data(), run.h.data(), backwards}, gates.data(), linear.data(), next.data());
        h.insert(h.end(), c.begin(), c.end());
        h.insert(h.end(), next.begin(), next.end());
        results.push_back(h);
      }
      EXPECT_EQ(results[0], results[1]) << hidden;
    }
  });
}

}  // namespace
}  // namespace skerry::kernels
