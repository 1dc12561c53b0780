/* The anti-replay window of an inbound SA, RFC 4303 §3.4.3 and Appendix A2.2: as src/esp/replay-window.ts. */
#ifndef LOCI_REPLAY_H
#define LOCI_REPLAY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct window {
  uint64_t highest;
  uint64_t size; /* a power of two, at least 64 */
  bool extended;
  uint64_t *seen; /* one bit for each of the last `size` numbers, at number mod `size` */
};

static inline bool window_open(struct window *window, uint32_t size, uint64_t highest, bool extended) {
  *window = (struct window){.highest = highest, .size = size, .extended = extended, .seen = malloc(size / 8)};
  if (window->seen != NULL) memset(window->seen, 0xff, size / 8);
  return window->seen != NULL;
}

/* The number that a genuine packet with this low half has; false when none can be. */
static inline bool window_recover(const struct window *window, uint32_t low, uint64_t *number) {
  *number = low;
  if (!window->extended) return true;
  const uint32_t high = (uint32_t)(window->highest >> 32), top = (uint32_t)window->highest;
  const bool above = low >= top - (uint32_t)window->size + 1;
  uint64_t guess = high;
  if (top >= window->size - 1) guess += above ? 0 : 1;
  else if (above) guess -= 1;
  *number |= guess << 32;
  return guess <= UINT32_MAX;
}

static inline bool window_fresh(const struct window *window, uint64_t number) {
  if (number > window->highest) return true;
  const uint64_t bit = number & (window->size - 1);
  return window->highest - number < window->size && (window->seen[bit / 64] >> bit % 64 & 1) == 0;
}

static inline void window_accept(struct window *window, uint64_t number) {
  const uint64_t mask = window->size - 1;
  if (number > window->highest) {
    if (number - window->highest >= window->size) memset(window->seen, 0, window->size / 8);
    else
      for (uint64_t skipped = window->highest + 1; skipped < number; skipped++)
        window->seen[(skipped & mask) / 64] &= ~(UINT64_C(1) << skipped % 64);
    window->highest = number;
  }
  window->seen[(number & mask) / 64] |= UINT64_C(1) << number % 64;
}

#endif
