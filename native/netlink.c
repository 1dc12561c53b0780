/* Netlink sockets: a synchronous exchange for requests, a drain for multicast messages. */
#include "loci.h"

#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef NETLINK_CAP_ACK
#define NETLINK_CAP_ACK 10
#endif
#ifndef NETLINK_EXT_ACK
#define NETLINK_EXT_ACK 11
#endif

enum {
  RECEIVE_BUFFER = 8 << 20,
  DATAGRAM = 64 << 10, /* the kernel builds at most 32 KB */
  DRAIN_LIMIT = 1 << 20,
  PATIENCE_MS = 2000
};

/* netlinkOpen(protocol, groups): groups is a Uint8Array of multicast group numbers. */
napi_value netlink_open(napi_env env, napi_callback_info call) {
  napi_value values[2];
  int32_t protocol;
  struct octets groups;
  if (!arguments(env, call, 2, values) || !int_argument(env, values[0], &protocol) || !octets_argument(env, values[1], &groups))
    return NULL;
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
  if (fd < 0) return int_result(env, -errno);
  const int one = 1, size = RECEIVE_BUFFER;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof one);
  setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof one);
  struct sockaddr_nl own = {.nl_family = AF_NETLINK};
  int failed = bind(fd, (struct sockaddr *)&own, sizeof own);
  for (size_t i = 0; failed == 0 && i < groups.length; i++) {
    const int group = groups.at[i];
    failed = setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group);
  }
  if (failed != 0) {
    const int reason = errno;
    close(fd);
    return int_result(env, -reason);
  }
  if (handle_add(env, fd, KIND_NETLINK) == NULL) {
    close(fd);
    return int_result(env, -ENOMEM);
  }
  return int_result(env, fd);
}

/* One datagram of the kernel behind the first `used` octets of the buffer: its length, 0 when ignored, or a negative errno. */
static ssize_t receive_one(struct environment *environment, int fd, size_t used) {
  if (environment->netlink_capacity - used < DATAGRAM) {
    const size_t capacity = 2 * environment->netlink_capacity + DATAGRAM;
    uint8_t *larger = realloc(environment->netlink_buffer, capacity);
    if (larger == NULL) return -ENOMEM;
    environment->netlink_buffer = larger;
    environment->netlink_capacity = capacity;
  }
  struct iovec space = {environment->netlink_buffer + used, environment->netlink_capacity - used};
  struct sockaddr_nl from;
  struct msghdr message = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &space, .msg_iovlen = 1};
  ssize_t length;
  do length = recvmsg(fd, &message, MSG_DONTWAIT);
  while (length < 0 && errno == EINTR);
  if (length < 0) return -errno;
  if (message.msg_flags & MSG_TRUNC) return -EMSGSIZE;
  return from.nl_pid == 0 ? length : 0; /* any process can send to our port; only the kernel is believed */
}

struct progress {
  uint32_t first, count; /* sequence numbers of the request */
  uint32_t answered;
  bool failed;
};

/* Counts the messages that end the answer to one message of the request. */
static void count_answers(struct progress *progress, const uint8_t *octets, size_t length) {
  while (length >= sizeof(struct nlmsghdr)) {
    struct nlmsghdr header;
    memcpy(&header, octets, sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > length) return;
    if (header.nlmsg_seq - progress->first < progress->count && (header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR)) {
      int32_t code = 0;
      if (header.nlmsg_len >= sizeof header + sizeof code) memcpy(&code, octets + sizeof header, sizeof code);
      if (code != 0) progress->failed = true;
      progress->answered++;
    }
    const size_t step = NLMSG_ALIGN(header.nlmsg_len);
    if (step >= length) return;
    octets += step;
    length -= step;
  }
}

/* netlinkExchange(fd, request, first, count, answers): send, then read until `answers` messages of the request, whose sequence
 * numbers are first .. first+count-1, have been answered for good. The kernel works on a request while it is sent, so an empty
 * queue after an error, or when no answer was asked for, means that nothing more will come. */
napi_value netlink_exchange(napi_env env, napi_callback_info call) {
  napi_value values[5];
  int32_t fd, first, count, answers;
  struct octets request;
  if (!arguments(env, call, 5, values) || !int_argument(env, values[0], &fd) || !octets_argument(env, values[1], &request) ||
      !int_argument(env, values[2], &first) || !int_argument(env, values[3], &count) || !int_argument(env, values[4], &answers))
    return NULL;
  if (handle_find(env, fd, KIND_NETLINK) == NULL) return int_result(env, -EBADF);
  struct environment *environment = environment_of(env);
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  ssize_t sent;
  do sent = sendto(fd, request.at, request.length, 0, (struct sockaddr *)&kernel, sizeof kernel);
  while (sent < 0 && errno == EINTR);
  if (sent < 0) return int_result(env, -errno);
  struct progress progress = {.first = (uint32_t)first, .count = (uint32_t)count};
  size_t used = 0;
  while (answers == 0 || progress.answered < (uint32_t)answers) {
    const ssize_t length = receive_one(environment, fd, used);
    if (length == -EAGAIN) {
      struct pollfd wait = {.fd = fd, .events = POLLIN};
      if (answers == 0 || progress.failed) break;
      if (poll(&wait, 1, PATIENCE_MS) == 0) return int_result(env, -ETIMEDOUT);
      continue;
    }
    if (length < 0) return int_result(env, (int32_t)length);
    count_answers(&progress, environment->netlink_buffer + used, (size_t)length);
    used += NLMSG_ALIGN((size_t)length);
  }
  return octets_result(env, environment->netlink_buffer, used);
}

/* netlinkReceive(fd): what has arrived, empty when nothing has; -ENOBUFS, once, after messages were lost. */
napi_value netlink_receive(napi_env env, napi_callback_info call) {
  napi_value value;
  int32_t fd;
  if (!arguments(env, call, 1, &value) || !int_argument(env, value, &fd)) return NULL;
  struct handle *handle = handle_find(env, fd, KIND_NETLINK);
  if (handle == NULL) return int_result(env, -EBADF);
  struct environment *environment = environment_of(env);
  size_t used = 0;
  while (used < DRAIN_LIMIT && !handle->overrun) {
    const ssize_t length = receive_one(environment, fd, used);
    if (length == -EAGAIN) break;
    if (length == -ENOBUFS) handle->overrun = true;
    else if (length < 0) return int_result(env, (int32_t)length);
    else used += NLMSG_ALIGN((size_t)length);
  }
  if (used == 0 && handle->overrun) {
    handle->overrun = false;
    return int_result(env, -ENOBUFS);
  }
  return octets_result(env, environment->netlink_buffer, used);
}
