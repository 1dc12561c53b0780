/* TCP super-packets become segments; checksums that were left to be finished. */
#include "segment.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

enum { TCP_FIN_PSH = 0x09, TCP_CWR = 0x80 };

/* The field holds the sum of the pseudo-header; whatever it was made of, it is not computed again. */
int checksum_complete(uint8_t *packet, size_t length, int32_t *row) {
  const size_t start = (size_t)row[CHECKSUM_START], field = start + (size_t)row[CHECKSUM_OFFSET];
  if (row[CHECKSUM_OFFSET] < 0 || start >= length || field + 2 > length) return EINVAL;
  uint16_t checksum = (uint16_t)~checksum_fold(checksum_add(packet + start, length - start, 0));
  if (checksum == 0 && row[CHECKSUM_OFFSET] == UDP_CHECKSUM) checksum = 0xffff; /* RFC 8200 §8.1 */
  memcpy(packet + field, &checksum, 2);
  row[CHECKSUM_START] = 0; /* doing it once more must not sum it twice */
  return 0;
}

int segments_begin(struct segments *segments, const uint8_t *packet, size_t length, const int32_t *row) {
  const size_t start = (size_t)row[CHECKSUM_START];
  if (row[CHECKSUM_START] < IPV6_HEADER || row[CHECKSUM_OFFSET] != TCP_CHECKSUM || start + TCP_HEADER > length) return EINVAL;
  const size_t tcp_header = (size_t)(packet[start + 12] >> 4) * 4, header = start + tcp_header;
  if (tcp_header < TCP_HEADER || header > length || header > TEMPLATE) return EINVAL;
  uint32_t sequence;
  uint16_t pseudo;
  memcpy(&sequence, packet + start + 4, 4);
  memcpy(&pseudo, packet + start + TCP_CHECKSUM, 2);
  *segments = (struct segments){
      .packet = packet,
      .length = length,
      .header = header,
      .size = (size_t)row[GSO_SIZE],
      .at = header,
      .start = start,
      .sequence = ntohl(sequence),
      .without_length = (uint64_t)pseudo + (uint16_t)~checksum_fold(htonl((uint32_t)(length - start))),
  };
  return 0;
}

size_t segments_payload(const struct segments *segments) {
  const size_t left = segments->length - segments->at;
  return left < segments->size ? left : segments->size;
}

const uint8_t *segments_next(struct segments *segments, uint8_t *copy) {
  const size_t payload = segments_payload(segments), tcp_header = segments->header - segments->start;
  const uint8_t *octets = segments->packet + segments->at;
  uint8_t *tcp = copy + segments->start;
  memcpy(copy, segments->packet, segments->header);
  const uint16_t ipv6_length = htons((uint16_t)(segments->header - IPV6_HEADER + payload));
  const uint32_t sequence = htonl(segments->sequence + (uint32_t)(segments->at - segments->header));
  memcpy(copy + 4, &ipv6_length, 2);
  memcpy(tcp + 4, &sequence, 4);
  if (segments->at + payload < segments->length) tcp[13] &= (uint8_t)~TCP_FIN_PSH;
  if (segments->at > segments->header) tcp[13] &= (uint8_t)~TCP_CWR;
  const uint16_t sum = checksum_fold(segments->without_length + htonl((uint32_t)(tcp_header + payload)));
  memcpy(tcp + TCP_CHECKSUM, &sum, 2);
  const uint16_t checksum = (uint16_t)~checksum_fold(checksum_add(octets, payload, checksum_add(tcp, tcp_header, 0)));
  memcpy(tcp + TCP_CHECKSUM, &checksum, 2);
  segments->at += payload;
  return octets;
}
