/* TUN devices with virtio headers: checksums and TCP segmentation are left to us. */
#include "loci.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Set the MTU and bring the device up; 0 or an errno. */
static int configure(struct ifreq *request, int mtu) {
  int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  int reason = 0;
  request->ifr_mtu = mtu;
  if (ioctl(fd, SIOCSIFMTU, request) != 0) reason = errno;
  if (reason == 0 && ioctl(fd, SIOCGIFFLAGS, request) != 0) reason = errno;
  request->ifr_flags |= IFF_UP;
  if (reason == 0 && ioctl(fd, SIOCSIFFLAGS, request) != 0) reason = errno;
  close(fd);
  return reason;
}

/* The most that this kernel offers; a TUN without any offload still works. */
static int offer_offloads(int fd) {
  static const unsigned OFFERS[] = {TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6, TUN_F_CSUM | TUN_F_TSO6, TUN_F_CSUM, 0};
  for (size_t i = 0; i < sizeof OFFERS / sizeof *OFFERS; i++)
    if (ioctl(fd, TUNSETOFFLOAD, (unsigned long)OFFERS[i]) == 0) return 0;
  return errno;
}

/* tunOpen(name, mtu) */
napi_value tun_open(napi_env env, napi_callback_info call) {
  napi_value values[2];
  struct ifreq request;
  int32_t mtu;
  size_t length;
  memset(&request, 0, sizeof request);
  if (!arguments(env, call, 2, values) || !int_argument(env, values[1], &mtu)) return NULL;
  if (napi_get_value_string_utf8(env, values[0], request.ifr_name, IFNAMSIZ, &length) != napi_ok) return int_result(env, -EINVAL);
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return int_result(env, -errno);
  const int header = sizeof(struct virtio_net_hdr);
  request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
  int reason = 0;
  if (ioctl(fd, TUNSETIFF, &request) != 0 || ioctl(fd, TUNSETVNETHDRSZ, &header) != 0) reason = errno;
  if (reason == 0) reason = offer_offloads(fd);
  if (reason == 0) reason = configure(&request, mtu);
  if (reason == 0 && handle_add(env, fd, KIND_TUN) == NULL) reason = ENOMEM;
  if (reason != 0) close(fd);
  return int_result(env, reason != 0 ? -reason : fd);
}

/* tunIndex(fd): the interface index. */
napi_value tun_index(napi_env env, napi_callback_info call) {
  napi_value value;
  int32_t fd;
  struct ifreq request;
  if (!arguments(env, call, 1, &value) || !int_argument(env, value, &fd)) return NULL;
  if (handle_find(env, fd, KIND_TUN) == NULL) return int_result(env, -EBADF);
  memset(&request, 0, sizeof request);
  if (ioctl(fd, TUNGETIFF, &request) != 0) return int_result(env, -errno);
  const unsigned index = if_nametoindex(request.ifr_name);
  return int_result(env, index == 0 ? -ENODEV : (int32_t)index);
}

/* tunRead(fd, slab, meta, slots, stride) */
napi_value tun_read(napi_env env, napi_callback_info call) {
  int32_t fd;
  struct batch batch;
  if (!batch_arguments(env, call, &fd, &batch)) return NULL;
  struct handle *handle = handle_find(env, fd, KIND_TUN);
  if (handle == NULL) return int_result(env, -EBADF);
  const size_t capacity = (size_t)(batch.stride - HEADROOM);
  int32_t filled = 0;
  while (filled < batch.slots) {
    struct virtio_net_hdr header;
    uint8_t excess; /* the kernel cuts silently: one octet more tells */
    const size_t offset = (size_t)filled * (size_t)batch.stride + HEADROOM;
    struct iovec space[] = {{&header, sizeof header}, {batch.slab + offset, capacity}, {&excess, 1}};
    const ssize_t length = readv(fd, space, 3);
    if (length < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || filled > 0) break;
      return int_result(env, -errno);
    }
    if ((size_t)length > sizeof header + capacity) {
      handle->dropped++;
      continue;
    }
    if ((size_t)length <= sizeof header) continue;
    int32_t *row = batch.meta + (size_t)filled * FIELDS;
    const bool partial = (header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0;
    row[OFFSET] = (int32_t)offset;
    row[LENGTH] = (int32_t)((size_t)length - sizeof header);
    row[GSO_SIZE] = header.gso_type == VIRTIO_NET_HDR_GSO_NONE ? 0 : header.gso_size;
    row[CHECKSUM_START] = partial ? header.csum_start : 0;
    row[CHECKSUM_OFFSET] = partial ? header.csum_offset : 0;
    filled++;
  }
  return int_result(env, filled);
}
