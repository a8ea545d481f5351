#include "wire/circuits.hpp"

#include <gtest/gtest.h>

#include <array>
#include <complex>

#include "base/thrown_by.hpp"
#include "wire/json_writer.hpp"

namespace skerry::wire {
namespace {

using base::thrown_by;

Tensor plus_state() {
  const std::array<std::complex<double>, 2> amplitudes = {{{0.6, 0.0}, {0.0, -0.8}}};
  return Tensor::from<std::complex<double>>(amplitudes, {2});
}

CircuitRequest full_request() {
  CircuitRequest request{.id = "r1", .token = "t-1", .program = std::string("SKR\0\xff\"q\"", 8)};
  request.parameter_sets = {{.values = {0.1, 1e-300}}, {.named = {{"theta", -0.5}}}};
  request.shots = 1000;
  request.seed = ~std::uint64_t{0};
  request.method = "mps";
  request.single_precision = true;
  request.observables = {"0.5*Z0 Z1 - X2", "Y0"};
  request.probabilities = true;
  request.probability_wires = {2, 0};
  request.state = true;
  request.memory = true;
  request.initial_state = plus_state();
  request.noise = R"({"gates":[]})";
  request.inputs = {{"x", Tensor::from<float>(std::array<float, 2>{1.5F, -2.0F}, {1, 2})},
                    {"ids", Tensor::from<std::int64_t>(std::array<std::int64_t, 1>{-7}, {1})}};
  request.max_bond_dimension = 8;
  request.max_memory_mb = 1.5;
  request.max_execution_time = 0.25;
  request.binary = true;
  return request;
}

void expect_equal(const std::optional<Tensor>& a, const std::optional<Tensor>& b) {
  ASSERT_EQ(a.has_value(), b.has_value());
  if (!a) return;
  EXPECT_EQ(a->dtype(), b->dtype());
  EXPECT_EQ(a->shape(), b->shape());
  EXPECT_TRUE(std::equal(a->view().data(), a->view().data() + a->view().bytes(), b->view().data()));
}

TEST(CircuitRequest, ComesBackWithEveryField) {
  const CircuitRequest sent = full_request();
  const Body body = encode(sent);
  EXPECT_TRUE(body.has_binary());
  const CircuitRequest got = decode_circuit_request(body);
  EXPECT_EQ(got.id, sent.id);
  EXPECT_EQ(got.token, sent.token);
  EXPECT_EQ(got.program, sent.program);
  EXPECT_EQ(got.parameter_sets, sent.parameter_sets);
  EXPECT_EQ(got.shots, sent.shots);
  EXPECT_EQ(got.seed, sent.seed);
  EXPECT_EQ(got.method, sent.method);
  EXPECT_EQ(got.single_precision, sent.single_precision);
  EXPECT_EQ(got.observables, sent.observables);
  EXPECT_EQ(got.probability_wires, sent.probability_wires);
  EXPECT_TRUE(got.probabilities && got.state && got.memory && got.binary);
  expect_equal(got.initial_state, sent.initial_state);
  ASSERT_EQ(got.inputs.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(got.inputs[i].first, sent.inputs[i].first);
    expect_equal(got.inputs[i].second, sent.inputs[i].second);
  }
  EXPECT_EQ(got.noise, sent.noise);
  EXPECT_EQ(got.max_bond_dimension, sent.max_bond_dimension);
  EXPECT_EQ(got.max_memory_mb, sent.max_memory_mb);
  EXPECT_EQ(got.max_execution_time, sent.max_execution_time);
}

TEST(CircuitRequest, TakesWhatPeopleWrite) {
  const CircuitRequest text = decode_circuit_request(
      std::string_view(R"({"program":"OPENQASM 3.0;","shots":10,"parameters":{"theta":1},"probabilities":[0]})"));
  EXPECT_EQ(text.program, "OPENQASM 3.0;");
  ASSERT_EQ(text.parameter_sets.size(), 1U);
  EXPECT_EQ(text.parameter_sets[0].named.at("theta"), 1.0);
  const CircuitRequest gates =
      decode_circuit_request(std::string_view(R"({"program":[{"gate": "H", "qubit": 0}],"parameters":[0.5, 2]})"));
  EXPECT_EQ(gates.program, R"([{"gate":"H","qubit":0}])");
  EXPECT_EQ(gates.parameter_sets[0].values, (std::vector<double>{0.5, 2.0}));
}

TEST(CircuitRequest, NamesAProgramByItsDigestWithItsBytesOrWithout) {
  const std::string digest(64, 'a');
  CircuitRequest both = full_request(), name = full_request();
  both.program_digest = name.program_digest = digest;
  name.program.clear();
  const Body with = encode(both), without = encode(name);
  EXPECT_EQ(decode_circuit_request(with).program_digest, digest);
  EXPECT_EQ(decode_circuit_request(with).program, both.program);
  EXPECT_EQ(decode_circuit_request(without).program_digest, digest);
  EXPECT_EQ(decode_circuit_request(without).program, "");
  EXPECT_EQ(decode_circuit_request(without).inputs.size(), name.inputs.size());
}

struct Refusal {
  std::string_view body, where;
};
class Refusals : public testing::TestWithParam<Refusal> {};

TEST_P(Refusals, NameTheField) {
  const Error error = thrown_by([&] { decode_circuit_request(GetParam().body); });
  EXPECT_EQ(error.where(), GetParam().where) << error.what();
  EXPECT_GE(error_info(error.code()).http_status, 400);
  EXPECT_LT(error_info(error.code()).http_status, 500);
}

INSTANTIATE_TEST_SUITE_P(
    CircuitRequest, Refusals,
    testing::Values(
        Refusal{"", "body"}, Refusal{"{", "body"}, Refusal{"[]", "body"}, Refusal{"{}", "program"},
        Refusal{R"({"program":"x","shot":1})", "shot"}, Refusal{R"({"program":"x","shots":-1})", "shots"},
        Refusal{R"({"program":"x","shots":1.5})", "shots"}, Refusal{R"({"program":"x","shots":NaN})", "body"},
        Refusal{R"({"program":"x","token":""})", "token"}, Refusal{R"({"program":"x","token":"a b"})", "token"},
        Refusal{R"({"program":"x","precision":"half"})", "precision"},
        Refusal{R"({"program":"x","parameter_sets":[{"a":"b"}]})", "parameter_sets[0].a"},
        Refusal{R"({"program":"x","parameters":[1,"b"]})", "parameters"},
        Refusal{R"({"program":"x","observables":[1]})", "observables[0]"},
        Refusal{R"({"program":"x","probabilities":[4294967296]})", "probabilities[0]"},
        Refusal{R"({"program":"x","max_memory_mb":0})", "max_memory_mb"},
        Refusal{R"({"program":"x","inputs":[{"datatype":"FP32","shape":[1],"data":[1]}]})", "inputs[0]"},
        Refusal{R"({"program":"x","inputs":{"x":[1]}})", "inputs"},
        Refusal{R"({"program":{"binary_data_size":5}})", "program.binary_data_size"},
        Refusal{R"({"program":{"sha256":"abc"}})", "program.sha256"}, Refusal{R"({"program":{}})", "program"},
        Refusal{R"({"program":{"sha256":7}})", "program.sha256"},
        Refusal{R"({"program":"x","initial_state":{"datatype":"FP64","shape":[3],"data":[1,0,0]}})", "initial_state"},
        Refusal{R"({"program":"x","initial_state":{"datatype":"FP64","shape":[99999999999,9999999999999],"data":[]}})",
                "initial_state.shape"},
        Refusal{R"({"program":"x","initial_state":{"datatype":"FP64","shape":[1099511627776,2],"data":[]}})",
                "initial_state.data"}));

TEST(CircuitRequest, IsNotFollowedIntoTheDepths) {
  const std::string deep = std::string(200'000, '[');
  EXPECT_EQ(error_info(thrown_by([&] { decode_circuit_request(std::string_view(deep)); }).code()).http_status / 100, 4);
  const std::string closed = R"({"program":)" + std::string(200, '[') + std::string(200, ']') + "}";
  EXPECT_EQ(thrown_by([&] { decode_circuit_request(std::string_view(closed)); }).code(), ErrorCode::limit_exceeded);
}

TEST(CircuitReply, ComesBackAsJsonAndAsRawBytes) {
  CircuitReply sent{.id = "r1"};
  sent.results.resize(2);
  CircuitAnswer& answer = sent.results[0];
  answer.counts = {{"00", 490}, {"11", 510}};
  answer.expectations = {0.1, -1.0 / 3.0};
  answer.standard_errors = {1e-3, 2e-3};
  const std::array<double, 2> probabilities = {0.36, 0.64};
  answer.probabilities = Tensor::from<double>(probabilities, {2});
  answer.state = plus_state();
  const std::array<std::uint64_t, 3> memory = {0, 3, ~std::uint64_t{0}};
  answer.memory = Tensor::from<std::uint64_t>(memory, {3, 1});
  answer.outputs = {{"energy", -7.5}};
  answer.tensors = {{"y", Tensor::from<float>(std::array<float, 2>{0.25F, 8.0F}, {2, 1})}};
  answer.discarded_weight = 1e-9;
  answer.error_bound = 1e-4;
  answer.bond_dimension = 16;
  answer.method = "mps";
  answer.predicted_bytes = 1ULL << 40U;
  answer.peak_bytes = 17;
  answer.predicted_seconds = 0.5;
  answer.seconds = 0.25;
  answer.threads = 2;
  for (const bool binary : {false, true}) {
    const Body body = encode(sent, binary);
    EXPECT_EQ(body.has_binary(), binary);
    const CircuitReply got = decode_circuit_reply(body);
    ASSERT_EQ(got.results.size(), 2U);
    const CircuitAnswer& back = got.results[0];
    EXPECT_EQ(back.counts, answer.counts);
    EXPECT_EQ(back.expectations, answer.expectations);
    EXPECT_EQ(back.standard_errors, answer.standard_errors);
    expect_equal(back.probabilities, answer.probabilities);
    expect_equal(back.state, answer.state);
    expect_equal(back.memory, answer.memory);
    EXPECT_EQ(back.outputs, answer.outputs);
    ASSERT_EQ(back.tensors.size(), 1U);
    EXPECT_EQ(back.tensors[0].first, "y");
    expect_equal(back.tensors[0].second, answer.tensors[0].second);
    EXPECT_EQ(back.discarded_weight, answer.discarded_weight);
    EXPECT_EQ(back.error_bound, answer.error_bound);
    EXPECT_EQ(back.bond_dimension, answer.bond_dimension);
    EXPECT_EQ(back.method, answer.method);
    EXPECT_EQ(back.predicted_bytes, answer.predicted_bytes);
    EXPECT_EQ(back.peak_bytes, answer.peak_bytes);
    EXPECT_EQ(back.predicted_seconds, answer.predicted_seconds);
    EXPECT_EQ(back.seconds, answer.seconds);
    EXPECT_EQ(back.threads, answer.threads);
  }
}

TEST(JobStatus, ComesBackWithItsFailure) {
  JobStatus sent{.id = "0123", .token = "t", .state = JobState::failed, .progress = 0.5, .stage = "gates"};
  sent.submitted = 1.5e9;
  sent.started = 1.5e9 + 0.25;
  sent.error = Error(ErrorCode::semantic_error, "wire 9 is outside q[8]", "ghz.qasm:7:12", "declare more");
  const JobStatus got = decode_job_status(encode(sent));
  EXPECT_EQ(got.id, sent.id);
  EXPECT_EQ(got.token, sent.token);
  EXPECT_EQ(got.state, sent.state);
  EXPECT_EQ(got.progress, sent.progress);
  EXPECT_EQ(got.stage, sent.stage);
  EXPECT_EQ(got.started, sent.started);
  ASSERT_TRUE(got.error);
  EXPECT_EQ(got.error->code(), ErrorCode::semantic_error);
  EXPECT_STREQ(got.error->what(), sent.error->what());
}

TEST(ErrorMessage, KeepsItsCodeOrTakesThatOfTheStatus) {
  const Error sent(ErrorCode::budget_exceeded, "needs 3 of 2 bytes", "state", "raise the limit");
  const Error got = decode_error(507, encode(sent));
  EXPECT_EQ(got.code(), sent.code());
  EXPECT_STREQ(got.what(), sent.what());
  EXPECT_EQ(decode_error(404, R"({"error":"no such model"})").code(), ErrorCode::not_found);
  EXPECT_EQ(decode_error(401, "").code(), ErrorCode::permission_denied);
  EXPECT_EQ(decode_error(502, "<html>").code(), ErrorCode::unavailable);
  EXPECT_EQ(decode_error(429, "{}").code(), ErrorCode::unavailable);
}

TEST(JsonWriter, EscapesWhatJsonCannotHold) {
  JsonWriter json;
  json.open('[').value(std::string("a\"\\\n\x01\xff\xed\xa0\x80 \xc3\xa9", 12)).value(0.1).value(1.0 / 0.0).close(']');
  EXPECT_EQ(json.text(), "[\"a\\\"\\\\\\n\\u0001\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD \xc3\xa9\",0.1,null]");
}

}  // namespace
}  // namespace skerry::wire
