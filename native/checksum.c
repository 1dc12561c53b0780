/* The Internet checksum (RFC 1071): words are summed as they lie in memory, 32 bits at a time into 64. */
#include "loci.h"

#include <arpa/inet.h>
#include <string.h>

uint64_t checksum_add(const uint8_t *octets, size_t length, uint64_t sum) {
  const size_t words = length / 4;
  for (size_t i = 0; i < words; i++) { /* vectorised by the compiler */
    uint32_t word;
    memcpy(&word, octets + 4 * i, 4);
    sum += word;
  }
  if (length % 4 != 0) {
    uint32_t last = 0;
    memcpy(&last, octets + 4 * words, length % 4);
    sum += last;
  }
  return sum;
}

uint16_t checksum_fold(uint64_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)sum;
}

uint64_t checksum_pseudo_header(const uint8_t *ipv6, uint32_t length, uint8_t protocol) {
  return checksum_add(ipv6 + 8, 32, (uint64_t)htonl(length) + htonl(protocol));
}

/* checksum(octets, initial): what onesComplementSum of src/wire/checksum.ts returns. */
napi_value checksum_sum(napi_env env, napi_callback_info call) {
  napi_value values[2];
  struct octets octets;
  int32_t initial;
  if (!arguments(env, call, 2, values) || !octets_argument(env, values[0], &octets) || !int_argument(env, values[1], &initial))
    return NULL;
  return int_result(env, ntohs(checksum_fold(checksum_add(octets.at, octets.length, htonl((uint32_t)initial)))));
}
