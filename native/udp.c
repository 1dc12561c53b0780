/* UDP for IPv6 and IPv4 on one socket: trains of datagrams in and out with one system call each (UDP_GRO, UDP_SEGMENT). */
#include "udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { RECEIVE_SLOTS = 32 };

/* udpOpen(locator, port, mark): bound to one own locator, or to all of both families when it is unspecified. */
napi_value udp_open(napi_env env, napi_callback_info call) {
  napi_value values[3];
  struct octets locator;
  int32_t port, mark;
  if (!arguments(env, call, 3, values) || !octets_argument(env, values[0], &locator) || !int_argument(env, values[1], &port) ||
      !int_argument(env, values[2], &mark))
    return NULL;
  if (locator.length != 16) return int_result(env, -EINVAL);
  int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
  if (fd < 0) return int_result(env, -errno);
  const int one = 1, zero = 0;
  struct sockaddr_in6 own = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
  memcpy(&own.sin6_addr, locator.at, 16);
  const bool failed = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero) != 0 ||
                      setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof one) != 0 ||
                      setsockopt(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &one, sizeof one) != 0 ||
                      setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &one, sizeof one) != 0 ||
                      setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &one, sizeof one) != 0 ||
                      setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &one, sizeof one) != 0 ||
                      (mark != 0 && setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0) ||
                      bind(fd, (struct sockaddr *)&own, sizeof own) != 0;
  setsockopt(fd, IPPROTO_UDP, UDP_GRO, &one, sizeof one); /* kernels before 5.0 give single datagrams */
  const int reason = failed ? errno : 0;
  force_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
  force_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF);
  errno = reason;
  return opened(env, fd, KIND_UDP, failed);
}

/* udpReceive(fd, slab, meta, slots, stride): GSO_SIZE is the length of each datagram of a train; SPARE the sender's port. */
napi_value udp_receive(napi_env env, napi_callback_info call) {
  int32_t fd;
  struct batch batch;
  if (!batch_arguments(env, call, &fd, &batch)) return NULL;
  struct handle *handle = handle_find(env, fd, KIND_UDP);
  if (handle == NULL) return int_result(env, -EBADF);
  struct mmsghdr messages[RECEIVE_SLOTS];
  struct iovec vectors[RECEIVE_SLOTS];
  struct sockaddr_in6 sources[RECEIVE_SLOTS];
  _Alignas(struct cmsghdr) uint8_t controls[RECEIVE_SLOTS][192];
  const size_t stride = (size_t)batch.stride;
  const int wanted = batch.slots < RECEIVE_SLOTS ? batch.slots : RECEIVE_SLOTS;
  for (int i = 0; i < wanted; i++) {
    vectors[i] = (struct iovec){batch.slab + (size_t)i * stride + HEADROOM, stride - HEADROOM};
    messages[i].msg_hdr = (struct msghdr){.msg_name = &sources[i],
                                          .msg_namelen = sizeof sources[i],
                                          .msg_iov = &vectors[i],
                                          .msg_iovlen = 1,
                                          .msg_control = controls[i],
                                          .msg_controllen = sizeof controls[i]};
  }
  int received;
  do received = recvmmsg(fd, messages, (unsigned)wanted, MSG_DONTWAIT, NULL);
  while (received < 0 && errno == EINTR);
  if (received < 0) return int_result(env, errno == EAGAIN ? 0 : -errno);
  for (int i = 0; i < received; i++) {
    int32_t *row = batch.meta + (size_t)i * FIELDS;
    const bool cut = (messages[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
    if (cut) handle->dropped++;
    describe(&messages[i].msg_hdr, &sources[i], batch.slab + (size_t)i * stride, row);
    row[OFFSET] = (int32_t)((size_t)i * stride + HEADROOM);
    row[LENGTH] = cut ? 0 : (int32_t)messages[i].msg_len;
    row[SPARE] = ntohs(sources[i].sin6_port);
    if (row[GSO_SIZE] >= row[LENGTH]) row[GSO_SIZE] = 0;
  }
  return int_result(env, received);
}

static struct cmsghdr *attach(struct msghdr *message, int level, int type, const void *value, size_t length) {
  struct cmsghdr *control = (struct cmsghdr *)((uint8_t *)message->msg_control + message->msg_controllen);
  *control = (struct cmsghdr){.cmsg_level = level, .cmsg_type = type, .cmsg_len = CMSG_LEN(length)};
  memcpy(CMSG_DATA(control), value, length);
  message->msg_controllen += CMSG_SPACE(length);
  return control;
}

/* One system call; `size` is the length of each datagram of a train, 0 for a single one. */
static int transmit(int fd, struct msghdr *message, uint8_t *octets, size_t length, uint16_t size) {
  const size_t without_size = message->msg_controllen;
  struct iovec vector = {octets, length};
  message->msg_iov = &vector;
  message->msg_iovlen = 1;
  if (size > 0) attach(message, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size);
  ssize_t sent;
  do sent = sendmsg(fd, message, MSG_DONTWAIT);
  while (sent < 0 && errno == EINTR);
  message->msg_controllen = without_size;
  return sent < 0 ? errno : 0;
}

int udp_send(const struct batch *batch, int32_t slot) {
  const int32_t *row = batch->meta + (size_t)slot * FIELDS;
  const uint8_t *ends = batch->slab + (size_t)slot * (size_t)batch->stride;
  size_t length = 0;
  uint8_t *octets = packet_at(batch, slot, &length);
  const size_t size = (size_t)row[GSO_SIZE];
  if (octets == NULL || row[GSO_SIZE] < 0 || size > UINT16_MAX || row[SPARE] <= 0 || row[SPARE] > UINT16_MAX) return EINVAL;
  struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)row[SPARE])};
  memcpy(&to.sin6_addr, ends + DESTINATION_AT, 16);
  struct in6_pktinfo from = {0};
  memcpy(&from.ipi6_addr, ends + SOURCE_AT, 16);
  _Alignas(struct cmsghdr) uint8_t control[128] = {0};
  struct msghdr message = {.msg_name = &to, .msg_namelen = sizeof to, .msg_control = control};
  const bool bound = !IN6_IS_ADDR_UNSPECIFIED(&from.ipi6_addr), mapped = IN6_IS_ADDR_V4MAPPED(&to.sin6_addr);
  const int hops = row[HOP_LIMIT], class = row[TRAFFIC_CLASS];
  if (bound) attach(&message, IPPROTO_IPV6, IPV6_PKTINFO, &from, sizeof from);
  if (hops > 0 && hops < 256) attach(&message, mapped ? IPPROTO_IP : IPPROTO_IPV6, mapped ? IP_TTL : IPV6_HOPLIMIT, &hops, sizeof hops);
  if (class > 0 && class < 256) attach(&message, mapped ? IPPROTO_IP : IPPROTO_IPV6, mapped ? IP_TOS : IPV6_TCLASS, &class, sizeof class);
  int reason = transmit(row[SOCKET], &message, octets, length, (uint16_t)size);
  if (size > 0 && (reason == EINVAL || reason == EMSGSIZE || reason == EIO)) { /* no offload, or fragments are needed: one by one */
    reason = 0;
    for (size_t at = 0; at < length && reason == 0; at += size)
      reason = transmit(row[SOCKET], &message, octets + at, length - at < size ? length - at : size, 0);
  }
  return reason == EINVAL && bound ? EADDRNOTAVAIL : reason; /* the source is no address of this host any more */
}
