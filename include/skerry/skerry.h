/**
 * \file
 * The door for C and for every language that calls C: load a program, run circuits and models.
 *
 *     skerry_error error;
 *     skerry_program* program = NULL;
 *     if (skerry_load("ghz.qasm", &program, &error) != 0) { puts(error.message); return 1; }
 *
 * Every call that can fail returns 0 when it worked, else the exit code of the error's row (2 usage, 3 bad input, 4
 * over budget, 5 remote unreachable, 6 refused, 70 internal), and says more in `error`, which may be NULL. No exception
 * leaves this door. What a call gives through `T**` belongs to the caller until the matching skerry_..._free, which
 * takes NULL too. Pointers into an object live as long as it does. Different objects may be used from different threads
 * at once; one object only by one thread at a time, programs excepted: they never change.
 */
#ifndef SKERRY_SKERRY_H
#define SKERRY_SKERRY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What went wrong, where, and what to change; texts end in a zero byte and are cut when they are longer. */
typedef struct skerry_error {
  int32_t status; /**< the call's return value; 0: no error, and all texts empty */
  char code[32];  /**< `budget_exceeded`; the names of src/base/errors.def */
  char message[1024];
  char where[512]; /**< `ghz.qasm:7:12`, a node, an option */
  char hint[512];
} skerry_error;

/** Element types: SKERRY_f32, SKERRY_i64 … */
typedef enum skerry_dtype {
#define SKERRY_DTYPE(name, bits, onnx) SKERRY_##name,
#include <skerry/dtypes.def>
#undef SKERRY_DTYPE
  SKERRY_NUM_DTYPES
} skerry_dtype;

#define SKERRY_MAX_RANK 8

/** Dense, row-major elements that somebody else owns. */
typedef struct skerry_tensor {
  const char* name;
  skerry_dtype dtype;
  int32_t rank;
  int64_t shape[SKERRY_MAX_RANK]; /**< the first `rank` count */
  const void* data;
} skerry_tensor;

/** How to run. All zero is a good default: `skerry_options options = {0};` */
typedef struct skerry_options {
  uint64_t shots;            /**< of a circuit */
  uint64_t seed;             /**< same seed, same counts, for any number of threads */
  int32_t threads;           /**< 0: the process's budget */
  int32_t single_precision;  /**< not 0: complex64 amplitudes */
  uint64_t max_memory_bytes; /**< refused before anything is allocated; 0: what is free */
  double max_seconds;        /**< refused if predicted longer, stopped if overrun; 0: no limit */
  const double* parameters;  /**< of a circuit, in order of declaration; angles in radians */
  size_t num_parameters;
} skerry_options;

typedef struct skerry_program skerry_program;
typedef struct skerry_counts skerry_counts;
typedef struct skerry_session skerry_session;

/** Version of the library, `0.1.0`. */
const char* skerry_version(void);

/** A program from a file: OpenQASM, a JSON gate list, ONNX, Skerry's text form or a package; the content decides. */
int skerry_load(const char* path, skerry_program** program, skerry_error* error);
/** The same from memory, which is copied. name: what messages call it; may be NULL. */
int skerry_load_bytes(const void* bytes, size_t size, const char* name, skerry_program** program, skerry_error* error);
void skerry_program_free(skerry_program* program);
/** 1 for a circuit, 0 for a model. */
int skerry_program_is_circuit(const skerry_program* program);

/** Samples a circuit `options->shots` times. options may be NULL: then no shots and no outcomes. */
int skerry_run_circuit(const skerry_program* program, const skerry_options* options, skerry_counts** counts,
                       skerry_error* error);
/** How many different outcomes came. */
size_t skerry_counts_size(const skerry_counts* counts);
/** Outcome i as text, `0110`, leftmost the highest bit; ascending. NULL for an i past the end. */
const char* skerry_counts_outcome(const skerry_counts* counts, size_t i);
/** How often outcome i came; 0 for an i past the end. */
uint64_t skerry_counts_times(const skerry_counts* counts, size_t i);
void skerry_counts_free(skerry_counts* counts);

/** Exact <psi|O|psi> after the circuit. observable: `0.5*Z0 Z1 - 1.2*X2`. */
int skerry_expectation(const skerry_program* program, const char* observable, const skerry_options* options,
                       double* value, skerry_error* error);

/** A model ready to run many times. options: threads and limits of every run; may be NULL. */
int skerry_session_open(const skerry_program* program, const skerry_options* options, skerry_session** session,
                        skerry_error* error);
size_t skerry_session_num_inputs(const skerry_session* session);
/** NULL for an i past the end. */
const char* skerry_session_input_name(const skerry_session* session, size_t i);
/** inputs: any order, by name; read during the call only. */
int skerry_session_run(skerry_session* session, const skerry_tensor* inputs, size_t num_inputs, skerry_error* error);
/** Outputs of the last run; 0 before the first. */
size_t skerry_session_num_outputs(const skerry_session* session);
/** Output i of the last run, in the model's order; its data live until the next run. */
int skerry_session_output(const skerry_session* session, size_t i, skerry_tensor* output, skerry_error* error);
void skerry_session_free(skerry_session* session);

#ifdef __cplusplus
}
#endif
#endif
