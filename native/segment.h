/* A TCP super-packet on its way to become segments. */
#ifndef LOCI_SEGMENT_H
#define LOCI_SEGMENT_H

#include "loci.h"

enum { TEMPLATE = 256 }; /* room for the headers of a segment */

struct segments {
  const uint8_t *packet;
  size_t length;
  size_t header; /* everything up to the end of the TCP header is repeated in front of every segment */
  size_t size;   /* payload of a segment */
  size_t at;     /* of the payload of the next one; `length` when none is left */
  size_t start;  /* of the TCP header */
  uint32_t sequence;
  uint64_t without_length; /* sum of the pseudo-header */
};

/* 0, or EINVAL when the packet contradicts its row. There is at least one segment, which may be empty. */
int segments_begin(struct segments *segments, const uint8_t *packet, size_t length, const int32_t *row);
/* Octets of payload of the next segment. */
size_t segments_payload(const struct segments *segments);
/* Write the headers of the next segment, which are `header` octets, to `copy`; its payload. */
const uint8_t *segments_next(struct segments *segments, uint8_t *copy);

/* Finish a checksum as the row says; 0 or EINVAL. */
int checksum_complete(uint8_t *packet, size_t length, int32_t *row);

#endif
