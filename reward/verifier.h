/* The C interface of a verifier in a shared library of your own. This header is all that one needs:
 * C99 or later, C++ too, no library of hone to link with. examples/verifiers/ has one that works.
 *
 * A library exports one function, hone_verifier_plugin, which gives the table below. hone loads it
 * in processes of their own (hone_verifier_host), so a crash costs the sample that caused it and no
 * run; which samples a process sees, and in which order, is not promised.
 *
 * Threads: a process makes one instance and calls it from one thread, one call at a time.
 * Ownership: what hone passes in is hone's and valid until the call returns; what an instance needs
 * longer it copies. An instance is the library's, from create to destroy.
 * Versions: HONE_VERIFIER_ABI changes when a struct or a signature does; hone refuses a library of
 * another one. */
#ifndef HONE_VERIFIER_H_
#define HONE_VERIFIER_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HONE_VERIFIER_ABI 1

/* Text in UTF-8, `size` bytes, not ended by a zero. */
typedef struct hone_text {
  const char* data;
  size_t size;
} hone_text;

typedef struct hone_sample {
  hone_text prompt;
  hone_text completion; /* what the model wrote, special tokens left out */
  hone_text columns;    /* the line of the data set, a JSON object */
  uint64_t group;       /* ordinal of the prompt in the run */
  uint32_t index;       /* of the sample in its group */
} hone_sample;

/* Where a message is to be written: at most `size` bytes with a zero at the end. */
typedef struct hone_message {
  char* data;
  size_t size;
} hone_message;

typedef struct hone_verifier_table {
  uint32_t abi; /* HONE_VERIFIER_ABI */
  /* What metrics call it: letters, digits, "_" and "-". */
  const char* name;
  /* Makes an instance with the options of its [[reward]] table, a JSON object. NULL when they are
   * wrong; `error` then says why. */
  void* (*create)(hone_text options, hone_message error);
  /* 0 and a finite reward; or anything else and a reason in `error` when it cannot decide. */
  int (*score)(void* instance, const hone_sample* sample, double* reward, hone_message error);
  void (*destroy)(void* instance);
} hone_verifier_table;

#if defined(_WIN32)
#define HONE_VERIFIER_EXPORT __declspec(dllexport)
#else
#define HONE_VERIFIER_EXPORT __attribute__((visibility("default")))
#endif

/* What a library defines. The table stays valid as long as the library is loaded. */
HONE_VERIFIER_EXPORT const hone_verifier_table* hone_verifier_plugin(void);

#ifdef __cplusplus
}
#endif
#endif /* HONE_VERIFIER_H_ */
