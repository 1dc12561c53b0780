/* Security associations of one environment, RFC 4303 §4.4.2. */
#ifndef LOCI_ASSOCIATION_H
#define LOCI_ASSOCIATION_H

#include "loci.h"
#include "replay.h"
#include "transform.h"

/* The order of src/host/esp-ports.ts. */
enum counter { PACKETS, OCTETS, REPLAYED, FORGED, MALFORMED, PADDING, DUMMIES, EXHAUSTED, COUNTERS };

struct association {
  struct association *next; /* inbound: of the same bucket */
  bool inbound;
  int32_t handle;
  uint32_t spi;
  const struct suite *suite;
  struct transform *transform;
  uint8_t inner[32]; /* source and destination */
  uint64_t counters[COUNTERS];
  bool extended;
  uint64_t sequence; /* outbound: the last number used */
  int32_t socket;    /* outbound: where packets go */
  uint8_t outer[32];
  uint16_t port; /* 0: protocol 50 */
  struct window window;
  uint32_t failures; /* inbound: wrong ICVs in a row */
};

/* NULL when there is none, or it has the other direction. */
struct association *association_find(napi_env env, int32_t handle, bool inbound);
/* The inbound one with this SPI, or NULL. */
struct association *association_by_spi(napi_env env, uint32_t spi);

#endif
