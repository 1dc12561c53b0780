/* Datagrams to a Unix socket: how a service manager is told, sd_notify(3). */
#include "loci.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* notify(address, text): a first octet of '@' stands for the NUL of an abstract address. A full queue is waited for, shortly. */
napi_value notify_send(napi_env env, napi_callback_info call) {
  napi_value values[2];
  struct octets address, text;
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  const struct timeval patience = {.tv_usec = 100000};
  if (!arguments(env, call, 2, values) || !octets_argument(env, values[0], &address) || !octets_argument(env, values[1], &text))
    return NULL;
  if (address.length < 2 || address.length > sizeof to.sun_path) return int_result(env, -EINVAL);
  memcpy(to.sun_path, address.at, address.length);
  if (to.sun_path[0] == '@') to.sun_path[0] = '\0';
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return int_result(env, -errno);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  const socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + address.length);
  const ssize_t sent = sendto(fd, text.at, text.length, MSG_NOSIGNAL, (const struct sockaddr *)&to, length);
  const int result = sent < 0 ? -errno : 0;
  close(fd);
  return int_result(env, result);
}
