/* A verifier as a shared library: 1 when the completion has an even number of words, or, with the
 * option {"odd": true}, an odd one.
 *
 *   cc -shared -fPIC -I path/to/hone -o even_words.so even_words.c
 *
 *   [[reward]]
 *   verifier = "./even_words.so"
 *   odd = true
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reward/verifier.h"

struct instance {
  int odd;
};

static int contains(hone_text text, const char* word) {
  const size_t size = strlen(word);
  for (size_t i = 0; i + size <= text.size; ++i) {
    if (memcmp(text.data + i, word, size) == 0) return 1;
  }
  return 0;
}

static void* create(hone_text options, hone_message error) {
  struct instance* self = malloc(sizeof(*self));
  if (self == NULL) {
    snprintf(error.data, error.size, "out of memory");
    return NULL;
  }
  /* A real one would read the JSON with a library. */
  self->odd = contains(options, "\"odd\":true");
  return self;
}

static int score(void* instance, const hone_sample* sample, double* reward, hone_message error) {
  const struct instance* self = instance;
  const hone_text text = sample->completion;
  int words = 0;
  if (text.size == 0) {
    snprintf(error.data, error.size, "an empty completion has no words to count");
    return 1;
  }
  for (size_t i = 0; i < text.size; ++i) {
    words += text.data[i] != ' ' && (i == 0 || text.data[i - 1] == ' ');
  }
  *reward = words % 2 == self->odd;
  return 0;
}

static void destroy(void* instance) { free(instance); }

const hone_verifier_table* hone_verifier_plugin(void) {
  static const hone_verifier_table table = {
      .abi = HONE_VERIFIER_ABI,
      .name = "even_words",
      .create = create,
      .score = score,
      .destroy = destroy,
  };
  return &table;
}
