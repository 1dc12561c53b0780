/* AF_PACKET: copies of the frames of one interface, both directions, with the time of their arrival. */
#include "loci.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CAPTURE_BUFFER = 32 << 20 };

/* captureOpen(interfaceIndex): bound before the protocol is named, so that no other interface's frames slip in. */
napi_value capture_open(napi_env env, napi_callback_info call) {
  napi_value value;
  int32_t index;
  if (!arguments(env, call, 1, &value) || !int_argument(env, value, &index)) return NULL;
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return int_result(env, -errno);
  const int one = 1, size = CAPTURE_BUFFER;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  const struct sockaddr_ll link = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = index};
  int reason = 0;
  if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one) != 0 || bind(fd, (const struct sockaddr *)&link, sizeof link) != 0)
    reason = errno;
  if (reason == 0 && handle_add(env, fd, KIND_CAPTURE) == NULL) reason = ENOMEM;
  if (reason != 0) close(fd);
  return int_result(env, reason != 0 ? -reason : fd);
}

/* captureReceive(fd, slab, meta, slots, stride): FLAGS and SPARE are the seconds and nanoseconds of arrival since 1970. */
napi_value capture_receive(napi_env env, napi_callback_info call) {
  int32_t fd;
  struct batch batch;
  if (!batch_arguments(env, call, &fd, &batch)) return NULL;
  struct handle *handle = handle_find(env, fd, KIND_CAPTURE);
  if (handle == NULL) return int_result(env, -EBADF);
  int32_t filled = 0;
  while (filled < batch.slots) {
    const size_t offset = (size_t)filled * (size_t)batch.stride + HEADROOM;
    struct iovec space = {batch.slab + offset, (size_t)batch.stride - HEADROOM};
    struct sockaddr_ll from;
    _Alignas(struct cmsghdr) uint8_t control[64];
    struct msghdr message = {.msg_name = &from,
                             .msg_namelen = sizeof from,
                             .msg_iov = &space,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    const ssize_t length = recvmsg(fd, &message, MSG_DONTWAIT);
    if (length < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == ENETDOWN || filled > 0) break; /* the link may come up again */
      return int_result(env, -errno);
    }
    if (message.msg_flags & MSG_TRUNC) {
      handle->dropped++;
      continue;
    }
    int32_t *row = batch.meta + (size_t)filled * FIELDS;
    memset(row, 0, sizeof(int32_t) * FIELDS);
    row[OFFSET] = (int32_t)offset;
    row[LENGTH] = (int32_t)length;
    row[INTERFACE] = from.sll_ifindex;
    row[TRAFFIC_CLASS] = from.sll_pkttype;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header)) {
      if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_TIMESTAMPNS) continue;
      struct timespec arrival;
      memcpy(&arrival, CMSG_DATA(header), sizeof arrival);
      row[FLAGS] = (int32_t)arrival.tv_sec;
      row[SPARE] = (int32_t)arrival.tv_nsec;
    }
    filled++;
  }
  return int_result(env, filled);
}
