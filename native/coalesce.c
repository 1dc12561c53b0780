/* Writing to a TUN device: consecutive TCP segments go in as one super-packet, as GRO would have made them. */
#include "loci.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

enum { MAX_GROUPS = 8, MAX_SEGMENTS = 128, MAX_PACKET = IPV6_HEADER + 65535 };
enum { TCP_PSH = 0x08, TCP_ACK = 0x10 };

/* Segments of one flow that become one packet. The first lies whole in `vectors[1]`, of the others only the payload. */
struct group {
  struct iovec vectors[1 + MAX_SEGMENTS];
  unsigned segments; /* 0: free */
  uint8_t *packet;
  size_t header; /* IPv6 and TCP header */
  size_t payload; /* of every segment but the last */
  size_t total;
  uint32_t next; /* sequence number expected */
  bool complete; /* a short segment or PSH was the last */
};

struct coalescer {
  struct group groups[MAX_GROUPS];
  int fd;
  int32_t accepted;
};

static uint32_t u32_at(const uint8_t *octets) {
  uint32_t value;
  memcpy(&value, octets, 4);
  return ntohl(value);
}

static void put_u16(uint8_t *at, uint16_t network_order) { memcpy(at, &network_order, 2); }

static void write_out(struct coalescer *coalescer, struct iovec *vectors, unsigned segments, struct virtio_net_hdr *header) {
  ssize_t written;
  vectors[0] = (struct iovec){header, sizeof *header};
  do written = writev(coalescer->fd, vectors, (int)segments + 1);
  while (written < 0 && errno == EINTR);
  if (written >= 0) coalescer->accepted += (int32_t)segments;
}

static void write_alone(struct coalescer *coalescer, uint8_t *packet, size_t length, struct virtio_net_hdr header) {
  struct iovec vectors[2] = {[1] = {packet, length}};
  write_out(coalescer, vectors, 1, &header);
}

static void flush(struct coalescer *coalescer, struct group *group) {
  struct virtio_net_hdr header = {.flags = VIRTIO_NET_HDR_F_DATA_VALID};
  if (group->segments > 1) {
    const uint32_t length = (uint32_t)(group->total - IPV6_HEADER);
    put_u16(group->packet + 4, htons((uint16_t)length));
    put_u16(group->packet + IPV6_HEADER + TCP_CHECKSUM,
            checksum_fold(checksum_pseudo_header(group->packet, length, IPPROTO_TCP)));
    header = (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                     .gso_type = VIRTIO_NET_HDR_GSO_TCPV6,
                                     .hdr_len = (uint16_t)group->header,
                                     .gso_size = (uint16_t)group->payload,
                                     .csum_start = IPV6_HEADER,
                                     .csum_offset = TCP_CHECKSUM};
  }
  write_out(coalescer, group->vectors, group->segments, &header);
  group->segments = 0;
}

static void flush_all(struct coalescer *coalescer) {
  for (unsigned i = 0; i < MAX_GROUPS; i++)
    if (coalescer->groups[i].segments > 0) flush(coalescer, &coalescer->groups[i]);
}

/* The length of the headers when this is TCP directly after an IPv6 header, with nothing cut off or left over; else 0. */
static size_t plain_tcp(const uint8_t *packet, size_t length) {
  if (length < IPV6_HEADER + TCP_HEADER || packet[0] >> 4 != 6 || packet[6] != IPPROTO_TCP) return 0;
  if (((size_t)packet[4] << 8 | packet[5]) + IPV6_HEADER != length) return 0;
  const size_t header = IPV6_HEADER + (size_t)(packet[IPV6_HEADER + 12] >> 4) * 4;
  return header < IPV6_HEADER + TCP_HEADER || header > length ? 0 : header;
}

static bool checksum_good(const uint8_t *packet, size_t length) {
  const size_t tcp = length - IPV6_HEADER;
  return checksum_fold(checksum_add(packet + IPV6_HEADER, tcp, checksum_pseudo_header(packet, (uint32_t)tcp, IPPROTO_TCP))) == 0xffff;
}

/* Only segments that carry payload and no flag besides ACK and PSH may be merged. */
static bool mergeable(const uint8_t *packet, size_t length, size_t header) {
  const uint8_t *tcp = packet + IPV6_HEADER;
  return length > header && (tcp[12] & 0x0f) == 0 && (tcp[13] & ~TCP_PSH) == TCP_ACK && checksum_good(packet, length);
}

/* Everything but lengths, sequence number, PSH and checksum must agree. */
static bool continues(const struct group *group, const uint8_t *packet, size_t length, size_t header) {
  const uint8_t *tcp = packet + IPV6_HEADER, *first = group->packet + IPV6_HEADER;
  const size_t payload = length - header;
  return !group->complete && group->segments < MAX_SEGMENTS && header == group->header && payload <= group->payload &&
         group->total + payload <= MAX_PACKET && u32_at(tcp + 4) == group->next &&
         memcmp(packet, group->packet, 4) == 0 && packet[7] == group->packet[7] && /* class, flow label, hop limit */
         memcmp(tcp + 8, first + 8, 4) == 0 && memcmp(tcp + 14, first + 14, 2) == 0 && /* acknowledgement, window */
         memcmp(tcp + TCP_HEADER, first + TCP_HEADER, header - IPV6_HEADER - TCP_HEADER) == 0;
}

static struct group *group_of(struct coalescer *coalescer, const uint8_t *packet) {
  for (unsigned i = 0; i < MAX_GROUPS; i++) {
    struct group *group = &coalescer->groups[i];
    if (group->segments > 0 && memcmp(group->packet + 8, packet + 8, 32) == 0 &&
        memcmp(group->packet + IPV6_HEADER, packet + IPV6_HEADER, 4) == 0)
      return group;
  }
  return NULL;
}

static struct group *free_group(struct coalescer *coalescer) {
  for (unsigned i = 0; i < MAX_GROUPS; i++)
    if (coalescer->groups[i].segments == 0) return &coalescer->groups[i];
  flush_all(coalescer);
  return &coalescer->groups[0];
}

static void append(struct group *group, uint8_t *octets, size_t length, size_t payload, bool push) {
  group->vectors[++group->segments] = (struct iovec){octets, length};
  group->total += length;
  group->next += (uint32_t)payload;
  if (push) group->packet[IPV6_HEADER + 13] |= TCP_PSH;
  if (push || payload < group->payload) group->complete = true;
}

static void write_tcp(struct coalescer *coalescer, uint8_t *packet, size_t length, size_t header) {
  struct group *group = group_of(coalescer, packet);
  const bool candidate = mergeable(packet, length, header);
  const size_t payload = length - header;
  const bool push = (packet[IPV6_HEADER + 13] & TCP_PSH) != 0;
  if (group != NULL && candidate && continues(group, packet, length, header)) {
    append(group, packet + header, payload, payload, push);
    return;
  }
  if (group != NULL) flush(coalescer, group); /* order within the flow */
  if (!candidate) {
    write_alone(coalescer, packet, length, (struct virtio_net_hdr){0}); /* the kernel judges it */
    return;
  }
  group = free_group(coalescer);
  group->packet = packet;
  group->header = header;
  group->payload = payload;
  group->total = 0;
  group->next = u32_at(packet + IPV6_HEADER + 4);
  group->complete = false;
  append(group, packet, length, payload, push);
}

/* A packet with an unfinished checksum, such as another TUN's super-packet: the kernel goes on where it stopped. */
static void write_partial(struct coalescer *coalescer, uint8_t *packet, size_t length, const int32_t *row) {
  struct virtio_net_hdr header = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                  .csum_start = (uint16_t)row[CHECKSUM_START],
                                  .csum_offset = (uint16_t)row[CHECKSUM_OFFSET]};
  if (row[GSO_SIZE] > 0) {
    const size_t offset = (size_t)row[CHECKSUM_START] + 12;
    if (row[CHECKSUM_START] < IPV6_HEADER || offset >= length) return;
    header.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
    header.gso_size = (uint16_t)row[GSO_SIZE];
    header.hdr_len = (uint16_t)(row[CHECKSUM_START] + (packet[offset] >> 4) * 4);
  }
  write_alone(coalescer, packet, length, header);
}

/* tunWrite(fd, slab, meta, count, stride): how many packets the kernel took. */
napi_value tun_write(napi_env env, napi_callback_info call) {
  int32_t fd;
  struct batch batch;
  if (!batch_arguments(env, call, &fd, &batch)) return NULL;
  if (handle_find(env, fd, KIND_TUN) == NULL) return int_result(env, -EBADF);
  struct environment *environment = environment_of(env);
  if (environment->coalescer == NULL) environment->coalescer = calloc(1, sizeof *environment->coalescer);
  struct coalescer *coalescer = environment->coalescer;
  if (coalescer == NULL) return int_result(env, -ENOMEM);
  coalescer->fd = fd;
  coalescer->accepted = 0;
  for (int32_t slot = 0; slot < batch.slots; slot++) {
    const int32_t *row = batch.meta + (size_t)slot * FIELDS;
    size_t length;
    uint8_t *packet = packet_at(&batch, slot, &length);
    if (packet == NULL) continue;
    const size_t header = row[CHECKSUM_START] > 0 ? 0 : plain_tcp(packet, length);
    if (header > 0) {
      write_tcp(coalescer, packet, length, header);
      continue;
    }
    flush_all(coalescer);
    if (row[CHECKSUM_START] > 0) write_partial(coalescer, packet, length, row);
    else write_alone(coalescer, packet, length, (struct virtio_net_hdr){0});
  }
  flush_all(coalescer);
  return int_result(env, coalescer->accepted);
}
