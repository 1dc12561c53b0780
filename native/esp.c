/* ESP over slabs: a batch of packets sealed or opened with one call, RFC 4303 §3.3 and §3.4, in BEET mode (RFC 7402 Appendix B). */
#include "association.h"
#include "segment.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/uio.h>

/* UDP_SEGMENT takes 64 datagrams on every kernel, and 65507 octets over IPv4. */
enum { TRAIN_DATAGRAMS = 64, TRAIN_OCTETS = 65000 };
enum { IPV4_HEADER = 20, DUMMY = 59 };
/* As in src/esp/security-association.ts. */
enum { RESYNC_AFTER = 1024, RESYNC_EVERY = 64, RESYNC_REACH = 4 };
/* FLAGS of what is no packet of an SA, as in src/host/esp-ports.ts. */
enum { CONTROL = -1, UNKNOWN_SPI = -2 };

static const uint8_t MAPPED[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* Where sealed packets go: the row that is being filled, if `association` is not NULL. */
struct trains {
  struct batch *into;
  int32_t filled;
  struct association *association;
  int32_t *row;
  int32_t size; /* of the first datagram; shorter ones end the train */
  int32_t count;
};

static void put_u16(uint8_t *at, size_t value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

static void put_u32(uint8_t *at, uint32_t value) {
  value = htonl(value);
  memcpy(at, &value, 4);
}

static uint32_t u32_at(const uint8_t *octets) {
  uint32_t value;
  memcpy(&value, octets, 4);
  return ntohl(value);
}

/* Octets in front of ESP: a raw socket wants the outer header written. */
static size_t outer_length(const struct association *association) {
  if (association->port != 0) return 0;
  return memcmp(association->outer, MAPPED, sizeof MAPPED) == 0 ? IPV4_HEADER : IPV6_HEADER;
}

/* RFC 7402 §B.1.5: traffic class and hop limit are the inner ones. The kernel fills in what is missing for IPv4. */
static void write_outer(const struct association *association, uint8_t *at, size_t header, size_t esp, const uint8_t *inner) {
  const uint8_t class = (uint8_t)(inner[0] << 4 | inner[1] >> 4);
  if (header == IPV6_HEADER) {
    memset(at, 0, 8);
    at[0] = inner[0];
    at[1] = inner[1] & 0xf0;
    put_u16(at + 4, esp);
    at[6] = IPPROTO_ESP;
    at[7] = inner[7];
    memcpy(at + 8, association->outer, 32);
  } else if (header == IPV4_HEADER) {
    memset(at, 0, IPV4_HEADER);
    at[0] = 0x45;
    at[1] = class;
    put_u16(at + 2, IPV4_HEADER + esp);
    at[8] = inner[7];
    at[9] = IPPROTO_ESP;
    memcpy(at + 12, association->outer + 12, 4);
    memcpy(at + 16, association->outer + 28, 4);
  }
}

/* A row for a train that begins; false when there is none. */
static bool begin_train(struct trains *trains, struct association *association, int32_t size, const uint8_t *inner) {
  trains->association = NULL;
  if (trains->filled == trains->into->slots) return false;
  const size_t base = (size_t)trains->filled * (size_t)trains->into->stride;
  int32_t *row = trains->row = trains->into->meta + (size_t)trains->filled++ * FIELDS;
  memset(row, 0, sizeof(int32_t) * FIELDS);
  row[OFFSET] = (int32_t)base + HEADROOM;
  row[SOCKET] = association->socket;
  row[HOP_LIMIT] = inner[7];
  row[TRAFFIC_CLASS] = (uint8_t)(inner[0] << 4 | inner[1] >> 4);
  row[FLAGS] = association->handle;
  row[SPARE] = association->port;
  memcpy(trains->into->slab + base, association->outer, 32);
  trains->association = association;
  trains->size = size;
  trains->count = 0;
  return true;
}

/* Whether a datagram of this size goes on with the train; all of one have the same hop limit and traffic class. */
static bool joins(const struct trains *trains, const struct association *association, int32_t size, const uint8_t *inner) {
  return trains->association == association && size <= trains->size && trains->count < TRAIN_DATAGRAMS &&
         trains->row[LENGTH] == trains->size * trains->count && trains->row[LENGTH] + size <= TRAIN_OCTETS &&
         trains->row[LENGTH] + size <= trains->into->stride - HEADROOM && trains->row[HOP_LIMIT] == inner[7] &&
         trains->row[TRAFFIC_CLASS] == (uint8_t)(inner[0] << 4 | inner[1] >> 4);
}

/* An inner packet, its payload in two parts, becomes a datagram; 0 or an errno. */
static int seal(struct trains *trains, struct association *association, const uint8_t *inner, const struct iovec *parts) {
  const struct suite *suite = association->suite;
  const size_t payload = parts[0].iov_len + parts[1].iov_len, unit = suite->alignment;
  const size_t text = (payload + ESP_TRAILER + unit - 1) / unit * unit, esp = ESP_HEADER + (size_t)suite->iv + text + suite->icv;
  const size_t outer = outer_length(association), size = outer + esp;
  if (association->sequence >= (association->extended ? UINT64_MAX : UINT32_MAX)) {
    association->counters[EXHAUSTED]++;
    return EOVERFLOW; /* RFC 4303 §3.3.3: never again with these keys */
  }
  if (size > (size_t)trains->into->stride - HEADROOM || esp > UINT16_MAX) return EMSGSIZE;
  if (!joins(trains, association, (int32_t)size, inner) && !begin_train(trains, association, (int32_t)size, inner)) return ENOBUFS;
  uint8_t *start = trains->into->slab + trains->row[OFFSET] + trains->row[LENGTH], *packet = start + outer;
  uint8_t *at = packet + ESP_HEADER + suite->iv;
  const struct number number = {++association->sequence, association->extended};
  write_outer(association, start, outer, esp, inner);
  put_u32(packet, association->spi);
  put_u32(packet + 4, (uint32_t)number.value);
  for (int i = 0; i < 2; i++) {
    if (parts[i].iov_len > 0) memcpy(at, parts[i].iov_base, parts[i].iov_len);
    at += parts[i].iov_len;
  }
  const size_t padding = text - payload - ESP_TRAILER;
  for (size_t i = 1; i <= padding; i++) *at++ = (uint8_t)i; /* RFC 4303 §2.4 */
  at[0] = (uint8_t)padding;
  at[1] = inner[6];
  if (!transform_seal(association->transform, packet, text, number)) {
    if (trains->count == 0) trains->filled--;
    trains->association = NULL;
    return EIO;
  }
  trains->row[LENGTH] += (int32_t)size;
  if (++trains->count == 2) trains->row[GSO_SIZE] = trains->size;
  association->counters[PACKETS]++;
  association->counters[OCTETS] += payload;
  return 0;
}

/* One packet or super-packet of a program; 0 or an errno. */
static int seal_packet(struct trains *trains, struct association *association, uint8_t *packet, size_t length, int32_t *row) {
  if (packet == NULL || length < IPV6_HEADER || packet[0] >> 4 != 6) return EINVAL;
  if (memcmp(packet + 8, association->inner, 32) != 0) return EPERM; /* RFC 7402 §B.1.5 */
  struct iovec parts[2] = {{packet + IPV6_HEADER, length - IPV6_HEADER}, {NULL, 0}};
  if (row[GSO_SIZE] <= 0) {
    if (IPV6_HEADER + ((size_t)packet[4] << 8 | packet[5]) != length) return EINVAL;
    const int reason = row[CHECKSUM_START] > 0 ? checksum_complete(packet, length, row) : 0;
    return reason != 0 ? reason : seal(trains, association, packet, parts);
  }
  struct segments segments;
  uint8_t headers[TEMPLATE];
  int reason = segments_begin(&segments, packet, length, row);
  if (reason != 0) return reason;
  do {
    const size_t payload = segments_payload(&segments);
    parts[1] = (struct iovec){(void *)segments_next(&segments, headers), payload};
    parts[0] = (struct iovec){headers + IPV6_HEADER, segments.header - IPV6_HEADER};
    reason = seal(trains, association, headers, parts);
  } while (reason == 0 && segments.at < length);
  return reason;
}

static bool two_batches(napi_env env, napi_callback_info call, size_t first, napi_value *values, struct batch *from, struct batch *into) {
  return arguments(env, call, first + 8, values) && batch_argument(env, values + first, from) &&
         batch_argument(env, values + first + 4, into);
}

/* espSeal(slab, meta, count, stride, into slab, meta, slots, stride): how many rows of `into` are to be sent. */
napi_value esp_seal(napi_env env, napi_callback_info call) {
  napi_value values[8];
  struct batch from, into;
  if (!two_batches(env, call, 0, values, &from, &into)) return NULL;
  struct trains trains = {.into = &into};
  for (int32_t slot = 0; slot < from.slots; slot++) {
    int32_t *row = from.meta + (size_t)slot * FIELDS;
    if (row[FLAGS] < 0) continue;
    struct association *association = association_find(env, row[FLAGS], false);
    size_t length = 0;
    uint8_t *packet = packet_at(&from, slot, &length);
    row[ERROR] = association == NULL ? ENOENT : seal_packet(&trains, association, packet, length, row);
  }
  return int_result(env, trains.filled);
}

/* Verify and decrypt to `plaintext`, by the number that follows from the window or, rarely, one further ahead; false when forged. */
static bool verified(struct association *association, const uint8_t *packet, size_t text, uint64_t number, uint8_t *plaintext) {
  const bool resyncs = association->extended && association->failures >= RESYNC_AFTER && association->failures % RESYNC_EVERY == 0;
  for (uint64_t ahead = 0; ahead <= (resyncs ? RESYNC_REACH : 0); ahead++) {
    const uint64_t candidate = number + (ahead << 32);
    if (candidate < number) break;
    if (!transform_open(association->transform, packet, text, (struct number){candidate, association->extended}, plaintext)) continue;
    association->failures = 0;
    window_accept(&association->window, candidate);
    return true;
  }
  association->failures++;
  return false;
}

/* Octets of payload when what was decrypted is a packet to deliver, else -1. */
static ptrdiff_t unpadded(struct association *association, const uint8_t *text, size_t length) {
  const size_t padding = text[length - 2];
  if (text[length - 1] == DUMMY) {
    association->counters[DUMMIES]++;
    return -1;
  }
  uint8_t wrong = padding + ESP_TRAILER > length;
  for (size_t i = 1; wrong == 0 && i <= padding; i++) wrong |= text[length - ESP_TRAILER - padding + i - 1] ^ (uint8_t)i;
  if (wrong != 0) association->counters[PADDING]++;
  return wrong != 0 ? -1 : (ptrdiff_t)(length - ESP_TRAILER - padding);
}

/* Open to `inner`, which has room for `room` octets: the length of the inner packet, 0 when it is dropped. */
static size_t open_packet(struct association *association, const uint8_t *packet, size_t length, uint8_t *inner, size_t room, const int32_t *row) {
  const struct suite *suite = association->suite;
  const size_t around = ESP_HEADER + (size_t)suite->iv + suite->icv, text = length - around;
  if (length < around + suite->alignment || text % suite->alignment != 0 || text + IPV6_HEADER > room) {
    association->counters[MALFORMED]++;
    return 0;
  }
  uint64_t number;
  if (!window_recover(&association->window, u32_at(packet + 4), &number) || !window_fresh(&association->window, number)) {
    association->counters[REPLAYED]++;
    return 0;
  }
  uint8_t *plaintext = inner + IPV6_HEADER;
  if (!verified(association, packet, text, number, plaintext)) {
    association->counters[FORGED]++;
    return 0;
  }
  const ptrdiff_t payload = unpadded(association, plaintext, text);
  if (payload < 0) return 0;
  const uint32_t class = (uint32_t)row[TRAFFIC_CLASS] & 0xff;
  put_u32(inner, 0x60000000 | class << 20); /* RFC 7402 §B.1.6 */
  put_u16(inner + 4, (size_t)payload);
  inner[6] = plaintext[text - 1];
  inner[7] = (uint8_t)row[HOP_LIMIT];
  memcpy(inner + 8, association->inner, 32);
  association->counters[PACKETS]++;
  association->counters[OCTETS] += (uint64_t)payload;
  return IPV6_HEADER + (size_t)payload;
}

/* What a datagram becomes in its slot: its length, 0 when nothing remains. `flags` tells what it is. */
static size_t take(napi_env env, bool udp, const uint8_t *packet, size_t length, uint8_t *into, size_t room, const int32_t *row, int32_t *flags) {
  if (length < ESP_HEADER) return 0; /* also a keepalive, RFC 3948 §2.3 */
  const uint32_t spi = u32_at(packet);
  struct association *association = association_by_spi(env, spi);
  if (association != NULL) {
    *flags = association->handle;
    return open_packet(association, packet, length, into, room, row);
  }
  const bool control = udp && spi == 0; /* RFC 5770 §5.1: the marker in front of HIP packets */
  *flags = control ? CONTROL : UNKNOWN_SPI;
  if (control) {
    packet += 4;
    length -= 4;
  }
  if (length > room) length = control ? 0 : room;
  if (length > 0) memcpy(into, packet, length);
  return length;
}

/*
 * espOpen(udp, slab, meta, count, stride, into slab, meta, slots, stride): how many rows of `into` were filled. What was taken
 * is cut from the front of its row, so that a call goes on where the one before ran out of slots; 0 when nothing is left.
 */
napi_value esp_open(napi_env env, napi_callback_info call) {
  napi_value values[9];
  struct batch from, into;
  int32_t udp, filled = 0;
  if (!two_batches(env, call, 1, values, &from, &into) || !int_argument(env, values[0], &udp)) return NULL;
  const size_t room = (size_t)into.stride - HEADROOM;
  for (int32_t slot = 0; slot < from.slots; slot++) {
    int32_t *row = from.meta + (size_t)slot * FIELDS;
    size_t length = 0;
    const uint8_t *packet = packet_at(&from, slot, &length);
    while (packet != NULL && row[LENGTH] > 0) {
      if (filled == into.slots) return int_result(env, filled);
      const int32_t size = row[GSO_SIZE] > 0 && row[GSO_SIZE] < row[LENGTH] ? row[GSO_SIZE] : row[LENGTH];
      const size_t base = (size_t)filled * (size_t)into.stride;
      int32_t *to = into.meta + (size_t)filled * FIELDS, flags = 0;
      const size_t taken = take(env, udp != 0, from.slab + row[OFFSET], (size_t)size, into.slab + base + HEADROOM, room, row, &flags);
      row[OFFSET] += size;
      row[LENGTH] -= size;
      if (taken == 0) continue;
      memset(to, 0, sizeof(int32_t) * FIELDS);
      to[OFFSET] = (int32_t)base + HEADROOM;
      to[LENGTH] = (int32_t)taken;
      to[INTERFACE] = row[INTERFACE];
      to[HOP_LIMIT] = row[HOP_LIMIT];
      to[TRAFFIC_CLASS] = row[TRAFFIC_CLASS];
      to[FLAGS] = flags;
      to[SPARE] = udp != 0 ? row[SPARE] : 0;
      memcpy(into.slab + base, from.slab + (size_t)slot * (size_t)from.stride, 32);
      filled++;
    }
  }
  return int_result(env, filled);
}
