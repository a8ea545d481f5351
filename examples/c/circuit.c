/* Lesson 4: the C door; a circuit's counts and expectation, a model's output, and a refusal with its reasons. */
#include <math.h>
#include <skerry/skerry.h>
#include <stdio.h>
#include <string.h>

static const char kRotation[] =
    "OPENQASM 3.0;\ninclude \"stdgates.inc\";\ninput angle theta;\nqubit q;\nrx(theta) q;\n";

static int failed(const skerry_error* error) {
  fprintf(stderr, "%s: %s: %s; %s\n", error->code, error->where, error->message, error->hint);
  return error->status;
}

static int count_ghz(const char* path) {
  skerry_error error;
  skerry_program* program = NULL;
  skerry_counts* counts = NULL;
  if (skerry_load(path, &program, &error) != 0) return failed(&error);
  skerry_options options = {0};
  options.shots = 1000;
  options.seed = 7;
  if (skerry_run_circuit(program, &options, &counts, &error) != 0) return failed(&error);
  uint64_t sum = 0;
  for (size_t i = 0; i < skerry_counts_size(counts); ++i) {
    printf("%s %llu\n", skerry_counts_outcome(counts, i), (unsigned long long)skerry_counts_times(counts, i));
    sum += skerry_counts_times(counts, i);
  }
  skerry_counts_free(counts);
  skerry_program_free(program);
  return sum == 1000 ? 0 : 1;
}

/* <Z> after rx(theta) is cos(theta). */
static int expect_cosine(double theta) {
  skerry_error error;
  skerry_program* program = NULL;
  double value = 0.0;
  skerry_options options = {0};
  options.parameters = &theta;
  options.num_parameters = 1;
  if (skerry_load_bytes(kRotation, strlen(kRotation), "rotation", &program, &error) != 0) return failed(&error);
  if (skerry_expectation(program, "Z0", &options, &value, &error) != 0) return failed(&error);
  printf("<Z>(%.1f) = %.6f\n", theta, value);
  skerry_program_free(program);
  return fabs(value - cos(theta)) < 1e-9 ? 0 : 1;
}

static int run_model(const char* path) {
  skerry_error error;
  skerry_program* program = NULL;
  skerry_session* session = NULL;
  if (skerry_load(path, &program, &error) != 0) return failed(&error);
  if (skerry_session_open(program, NULL, &session, &error) != 0) return failed(&error);

  /* A picture of an 8 x 8 "one": a bright column. */
  float picture[64] = {0};
  for (int row = 1; row < 7; ++row) picture[8 * row + 4] = 1.0F;
  const skerry_tensor input = {.name = skerry_session_input_name(session, 0),
                               .dtype = SKERRY_f32,
                               .rank = 4,
                               .shape = {1, 1, 8, 8},
                               .data = picture};
  skerry_tensor output;
  if (skerry_session_run(session, &input, 1, &error) != 0) return failed(&error);
  if (skerry_session_output(session, 0, &output, &error) != 0) return failed(&error);
  const float* logits = output.data;
  int best = 0;
  for (int digit = 1; digit < 10; ++digit) best = logits[digit] > logits[best] ? digit : best;
  printf("the picture shows a %d\n", best);
  skerry_session_free(session);
  skerry_program_free(program);
  return best == 1 ? 0 : 1;
}

/* What cannot run says why; nothing is left to free. */
static int be_refused(const char* path) {
  skerry_error error;
  skerry_program* program = NULL;
  skerry_counts* counts = NULL;
  if (skerry_load("no such file", &program, &error) != 3 || program != NULL) return 1;
  printf("refused: %s: %s\n", error.where, error.message);
  if (skerry_load(NULL, &program, &error) != 2) return 1;
  if (skerry_load_bytes("qreg q[", 7, NULL, &program, NULL) != 3) return 1;
  if (skerry_load(path, &program, &error) != 0) return failed(&error);
  skerry_options options = {0};
  options.shots = 10;
  options.max_memory_bytes = 10;
  if (skerry_run_circuit(program, &options, &counts, &error) != 4 || counts != NULL) return 1;
  printf("refused: %s: %s\n", error.code, error.message);
  skerry_program_free(program);
  return strcmp(error.code, "budget_exceeded") == 0 ? 0 : 1;
}

int main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: circuit FILE.qasm [digits_cnn.onnx]\n");
    return 2;
  }
  printf("skerry %s\n", skerry_version());
  int status = count_ghz(argv[1]);
  if (status == 0) status = expect_cosine(0.5);
  if (status == 0) status = be_refused(argv[1]);
  if (status == 0 && argc > 2) status = run_model(argv[2]);
  return status;
}
