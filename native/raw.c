/* Raw IPv6 sockets: batches in and out, super-packets split on the way out. */
#include "loci.h"
#include "segment.h"
#include "udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IPV4_HEADER = 20 };
enum { QUEUE = 128, RECEIVE_SLOTS = 64, SOCKET_BUFFER = 8 << 20 };

void force_buffer(int fd, int forced, int ordinary) {
  const int size = SOCKET_BUFFER;
  if (setsockopt(fd, SOL_SOCKET, forced, &size, sizeof size) != 0) setsockopt(fd, SOL_SOCKET, ordinary, &size, sizeof size);
}

napi_value opened(napi_env env, int fd, enum kind kind, bool failed) {
  int reason = failed ? errno : 0;
  if (reason == 0 && handle_add(env, fd, kind) == NULL) reason = ENOMEM;
  if (reason != 0) close(fd);
  return int_result(env, reason != 0 ? -reason : fd);
}

union end {
  struct sockaddr_in6 six;
  struct sockaddr_in four;
};

/* senderOpen(locator, mark): a socket that sends whole packets, routed as from `locator`; IPv4 when that is IPv4-mapped. */
napi_value sender_open(napi_env env, napi_callback_info call) {
  napi_value values[2];
  struct octets locator;
  int32_t mark;
  if (!arguments(env, call, 2, values) || !octets_argument(env, values[0], &locator) || !int_argument(env, values[1], &mark))
    return NULL;
  if (locator.length != 16) return int_result(env, -EINVAL);
  const bool mapped = IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)locator.at);
  int fd = socket(mapped ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
  if (fd < 0) return int_result(env, -errno);
  force_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF);
  union end own = {.six = {.sin6_family = AF_INET6}};
  memcpy(&own.six.sin6_addr, locator.at, 16);
  if (mapped) {
    own = (union end){.four = {.sin_family = AF_INET}};
    memcpy(&own.four.sin_addr, locator.at + 12, 4);
  }
  const socklen_t length = mapped ? sizeof own.four : sizeof own.six;
  const bool failed = setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0 || bind(fd, (struct sockaddr *)&own, length) != 0;
  return opened(env, fd, KIND_SENDER, failed);
}

/* Packets for one sendmmsg on one socket. */
struct send_queue {
  struct mmsghdr messages[QUEUE];
  struct iovec vectors[QUEUE][2];
  union end destinations[QUEUE];
  int32_t *rows[QUEUE];
  uint8_t headers[QUEUE][TEMPLATE];
  unsigned count;
  int fd;
};

/* The first failure of a packet ends it; its remaining segments would only confuse the peer. */
static void flush(struct send_queue *queue) {
  unsigned done = 0;
  while (done < queue->count) {
    const int sent = sendmmsg(queue->fd, queue->messages + done, queue->count - done, 0);
    if (sent > 0) {
      done += (unsigned)sent;
      continue;
    }
    if (errno == EINTR) continue;
    int32_t *row = queue->rows[done];
    row[ERROR] = errno;
    while (done < queue->count && queue->rows[done] == row) done++;
  }
  queue->count = 0;
}

static bool is_packet(const uint8_t *packet, size_t length) {
  return length >= IPV6_HEADER ? packet[0] >> 4 == 6 || packet[0] >> 4 == 4 : length >= IPV4_HEADER && packet[0] >> 4 == 4;
}

/* Room for one message; its destination is taken from the IP header. */
static unsigned enqueue(struct send_queue *queue, int32_t *row, const uint8_t *packet) {
  if (queue->count == QUEUE) flush(queue);
  const unsigned i = queue->count++;
  union end *destination = &queue->destinations[i];
  const bool six = packet[0] >> 4 == 6;
  memset(destination, 0, sizeof *destination);
  if (six) {
    destination->six.sin6_family = AF_INET6;
    memcpy(&destination->six.sin6_addr, packet + 24, 16);
  } else {
    destination->four.sin_family = AF_INET;
    memcpy(&destination->four.sin_addr, packet + 16, 4);
  }
  queue->rows[i] = row;
  queue->messages[i].msg_hdr = (struct msghdr){.msg_name = destination,
                                               .msg_namelen = six ? sizeof destination->six : sizeof destination->four,
                                               .msg_iov = queue->vectors[i],
                                               .msg_iovlen = 1};
  return i;
}

/* Split a TCP super-packet. */
static int enqueue_segments(struct send_queue *queue, const uint8_t *packet, size_t length, int32_t *row) {
  struct segments segments;
  const int reason = segments_begin(&segments, packet, length, row);
  if (reason != 0) return reason;
  do {
    const size_t payload = segments_payload(&segments);
    const unsigned i = enqueue(queue, row, packet);
    if (row[ERROR] != 0) { /* the flush that made room met an error of this packet */
      queue->count--;
      return row[ERROR];
    }
    const uint8_t *octets = segments_next(&segments, queue->headers[i]);
    queue->vectors[i][0] = (struct iovec){queue->headers[i], segments.header};
    queue->vectors[i][1] = (struct iovec){(uint8_t *)octets, payload};
    queue->messages[i].msg_hdr.msg_iovlen = 2;
  } while (segments.at < length);
  return 0;
}

/* Packets of the same length, back to back; the last may be shorter. */
static int enqueue_train(struct send_queue *queue, uint8_t *packet, size_t length, int32_t *row) {
  const size_t size = (size_t)row[GSO_SIZE];
  for (size_t at = 0; at < length; at += size) {
    const size_t part = length - at < size ? length - at : size;
    if (!is_packet(packet + at, part)) return EINVAL;
    const unsigned i = enqueue(queue, row, packet + at);
    if (row[ERROR] != 0) {
      queue->count--;
      return row[ERROR];
    }
    queue->vectors[i][0] = (struct iovec){packet + at, part};
  }
  return 0;
}

static int enqueue_packet(struct send_queue *queue, uint8_t *packet, size_t length, int32_t *row) {
  if (packet == NULL || !is_packet(packet, length)) return EINVAL;
  if (row[GSO_SIZE] > 0) {
    return row[CHECKSUM_START] == 0 ? enqueue_train(queue, packet, length, row) : enqueue_segments(queue, packet, length, row);
  }
  if (row[CHECKSUM_START] > 0) {
    const int reason = checksum_complete(packet, length, row);
    if (reason != 0) return reason;
  }
  queue->vectors[enqueue(queue, row, packet)][0] = (struct iovec){packet, length};
  return 0;
}

/* senderSend(slab, meta, count, stride), after an ignored first argument: every row names its socket, raw or UDP. */
napi_value sender_send(napi_env env, napi_callback_info call) {
  int32_t ignored;
  struct batch batch;
  if (!batch_arguments(env, call, &ignored, &batch)) return NULL;
  struct environment *environment = environment_of(env);
  if (environment->send_queue == NULL) environment->send_queue = calloc(1, sizeof *environment->send_queue);
  struct send_queue *queue = environment->send_queue;
  if (queue == NULL) return int_result(env, -ENOMEM);
  queue->fd = -1;
  for (int32_t slot = 0; slot < batch.slots; slot++) {
    int32_t *row = batch.meta + (size_t)slot * FIELDS;
    row[ERROR] = 0;
    if (row[SOCKET] < 0) {
      row[ERROR] = EADDRNOTAVAIL;
      continue;
    }
    if (row[SOCKET] != queue->fd) {
      flush(queue);
      queue->fd = -1;
      if (handle_find(env, row[SOCKET], KIND_UDP) != NULL) {
        row[ERROR] = udp_send(&batch, slot);
        continue;
      }
      if (handle_find(env, row[SOCKET], KIND_SENDER) == NULL) {
        row[ERROR] = EBADF;
        continue;
      }
      queue->fd = row[SOCKET];
    }
    size_t length = 0;
    uint8_t *packet = packet_at(&batch, slot, &length);
    const int reason = enqueue_packet(queue, packet, length, row);
    if (reason != 0) row[ERROR] = reason;
  }
  flush(queue);
  return int_result(env, 0);
}

/* receiverOpen(protocol, mark, types): all packets of one protocol; of ICMPv6 only the types listed. */
napi_value receiver_open(napi_env env, napi_callback_info call) {
  napi_value values[3];
  int32_t protocol, mark;
  struct octets types;
  if (!arguments(env, call, 3, values) || !int_argument(env, values[0], &protocol) || !int_argument(env, values[1], &mark) ||
      !octets_argument(env, values[2], &types))
    return NULL;
  int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
  if (fd < 0) return int_result(env, -errno);
  const int one = 1, hops = 255;
  bool failed = setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof one) != 0 ||
                setsockopt(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &one, sizeof one) != 0 ||
                setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &one, sizeof one) != 0 ||
                (mark != 0 && setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0);
  if (!failed && protocol == IPPROTO_ICMPV6) {
    struct icmp6_filter filter;
    ICMP6_FILTER_SETBLOCKALL(&filter);
    for (size_t i = 0; i < types.length; i++) ICMP6_FILTER_SETPASS(types.at[i], &filter);
    failed = setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter) != 0 ||
             setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof hops) != 0 ||
             setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops) != 0;
  }
  force_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
  return opened(env, fd, KIND_RECEIVER, failed);
}

/* receiverOpenIpv4(protocol, mark): all IPv4 packets of one protocol. */
napi_value receiver_open_ipv4(napi_env env, napi_callback_info call) {
  napi_value values[2];
  int32_t protocol, mark;
  if (!arguments(env, call, 2, values) || !int_argument(env, values[0], &protocol) || !int_argument(env, values[1], &mark)) return NULL;
  int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
  if (fd < 0) return int_result(env, -errno);
  const int one = 1;
  const bool failed = setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof one) != 0 ||
                      (mark != 0 && setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0);
  if (!failed) force_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
  return opened(env, fd, KIND_RECEIVER, failed);
}

/* An IPv4 socket gives the header as well: it goes into the row, addresses in their mapped form. */
static void without_ipv4_header(uint8_t *slot, int32_t *row) {
  const uint8_t *packet = slot + HEADROOM;
  const int32_t header = (packet[0] & 0x0f) * 4;
  if (row[LENGTH] < IPV4_HEADER || header < IPV4_HEADER || header > row[LENGTH]) {
    row[LENGTH] = 0;
    return;
  }
  for (int i = 0; i < 2; i++) {
    uint8_t *address = slot + (i == 0 ? SOURCE_AT : DESTINATION_AT);
    memset(address, 0, 10);
    memset(address + 10, 0xff, 2);
    memcpy(address + 12, packet + 12 + 4 * i, 4);
  }
  row[TRAFFIC_CLASS] = packet[1];
  row[HOP_LIMIT] = packet[8];
  row[OFFSET] += header;
  row[LENGTH] -= header;
}

/* receiverFilter(fd, program): of the packets to come, those that a classic BPF program (struct sock_filter) accepts. */
napi_value receiver_filter(napi_env env, napi_callback_info call) {
  napi_value values[2];
  int32_t fd;
  struct octets program;
  if (!arguments(env, call, 2, values) || !int_argument(env, values[0], &fd) || !octets_argument(env, values[1], &program)) return NULL;
  if (handle_find(env, fd, KIND_RECEIVER) == NULL) return int_result(env, -EBADF);
  const size_t size = sizeof(struct sock_filter);
  if (program.length == 0 || program.length % size != 0 || program.length / size > BPF_MAXINSNS) return int_result(env, -EINVAL);
  struct sock_filter instructions[program.length / size];
  memcpy(instructions, program.at, program.length);
  const struct sock_fprog filter = {.len = (unsigned short)(program.length / size), .filter = instructions};
  return int_result(env, setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0 ? 0 : -errno);
}

void describe(struct msghdr *header, const struct sockaddr_in6 *from, uint8_t *slot, int32_t *row) {
  memset(row + GSO_SIZE, 0, sizeof(int32_t) * (FLAGS - GSO_SIZE));
  memset(slot, 0, DESTINATION_AT + 16);
  memcpy(slot + SOURCE_AT, &from->sin6_addr, 16);
  for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control != NULL; control = CMSG_NXTHDR(header, control)) {
    if (control->cmsg_level == IPPROTO_UDP && control->cmsg_type == UDP_GRO) memcpy(&row[GSO_SIZE], CMSG_DATA(control), sizeof(int));
    if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_TTL) memcpy(&row[HOP_LIMIT], CMSG_DATA(control), sizeof(int));
    if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_TOS) row[TRAFFIC_CLASS] = *CMSG_DATA(control);
    if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
      struct in_pktinfo info;
      memcpy(&info, CMSG_DATA(control), sizeof info);
      row[INTERFACE] = info.ipi_ifindex;
    }
    if (control->cmsg_level != IPPROTO_IPV6) continue;
    if (control->cmsg_type == IPV6_PKTINFO) {
      struct in6_pktinfo info;
      memcpy(&info, CMSG_DATA(control), sizeof info);
      memcpy(slot + DESTINATION_AT, &info.ipi6_addr, 16);
      row[INTERFACE] = (int32_t)info.ipi6_ifindex;
    } else if (control->cmsg_type == IPV6_HOPLIMIT) {
      memcpy(&row[HOP_LIMIT], CMSG_DATA(control), sizeof(int));
    } else if (control->cmsg_type == IPV6_TCLASS) {
      memcpy(&row[TRAFFIC_CLASS], CMSG_DATA(control), sizeof(int));
    }
  }
}

/* receiverReceive(fd, slab, meta, slots, stride) */
napi_value receiver_receive(napi_env env, napi_callback_info call) {
  int32_t fd;
  struct batch batch;
  if (!batch_arguments(env, call, &fd, &batch)) return NULL;
  struct handle *handle = handle_find(env, fd, KIND_RECEIVER);
  if (handle == NULL) return int_result(env, -EBADF);
  struct mmsghdr messages[RECEIVE_SLOTS];
  struct iovec vectors[RECEIVE_SLOTS];
  struct sockaddr_in6 sources[RECEIVE_SLOTS];
  _Alignas(struct cmsghdr) uint8_t controls[RECEIVE_SLOTS][128];
  const size_t stride = (size_t)batch.stride;
  int32_t filled = 0;
  while (filled < batch.slots) {
    const int wanted = batch.slots - filled < RECEIVE_SLOTS ? batch.slots - filled : RECEIVE_SLOTS;
    for (int i = 0; i < wanted; i++) {
      vectors[i] = (struct iovec){batch.slab + (size_t)(filled + i) * stride + HEADROOM, stride - HEADROOM};
      messages[i].msg_hdr = (struct msghdr){.msg_name = &sources[i],
                                            .msg_namelen = sizeof sources[i],
                                            .msg_iov = &vectors[i],
                                            .msg_iovlen = 1,
                                            .msg_control = controls[i],
                                            .msg_controllen = sizeof controls[i]};
    }
    const int received = recvmmsg(fd, messages, (unsigned)wanted, MSG_DONTWAIT, NULL);
    if (received < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || filled > 0) break;
      return int_result(env, -errno);
    }
    for (int i = 0; i < received; i++) {
      if (messages[i].msg_hdr.msg_flags & MSG_TRUNC) {
        handle->dropped++;
        continue;
      }
      uint8_t *slot = batch.slab + (size_t)filled * stride;
      int32_t *row = batch.meta + (size_t)filled * FIELDS;
      if (slot + HEADROOM != vectors[i].iov_base) memmove(slot + HEADROOM, vectors[i].iov_base, messages[i].msg_len);
      describe(&messages[i].msg_hdr, &sources[i], slot, row);
      row[OFFSET] = (int32_t)((size_t)filled * stride + HEADROOM);
      row[LENGTH] = (int32_t)messages[i].msg_len;
      if (sources[i].sin6_family == AF_INET) without_ipv4_header(slot, row);
      filled++;
    }
    if (received < wanted) break;
  }
  return int_result(env, filled);
}

/* icmpv6Send(fd, destination, interfaceIndex, octets): the kernel chooses the source and fills in the checksum. */
napi_value icmpv6_send(napi_env env, napi_callback_info call) {
  napi_value values[4];
  int32_t fd, index;
  struct octets destination, octets;
  if (!arguments(env, call, 4, values) || !int_argument(env, values[0], &fd) || !octets_argument(env, values[1], &destination) ||
      !int_argument(env, values[2], &index) || !octets_argument(env, values[3], &octets))
    return NULL;
  if (handle_find(env, fd, KIND_RECEIVER) == NULL) return int_result(env, -EBADF);
  if (destination.length != 16) return int_result(env, -EINVAL);
  struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_scope_id = (uint32_t)index};
  memcpy(&to.sin6_addr, destination.at, 16);
  struct iovec vector = {octets.at, octets.length};
  const struct in6_pktinfo info = {.ipi6_ifindex = (unsigned)index};
  _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof info)] = {0};
  struct msghdr message = {.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &vector, .msg_iovlen = 1};
  if (index != 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){.cmsg_level = IPPROTO_IPV6, .cmsg_type = IPV6_PKTINFO, .cmsg_len = CMSG_LEN(sizeof info)};
    memcpy(CMSG_DATA(header), &info, sizeof info);
  }
  return int_result(env, sendmsg(fd, &message, MSG_DONTWAIT) < 0 ? -errno : 0);
}
