/* What the files of the addon share: open descriptors, arguments, batches. */
#ifndef LOCI_H
#define LOCI_H

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum kind { KIND_TUN, KIND_SENDER, KIND_RECEIVER, KIND_NETLINK, KIND_CAPTURE, KIND_UDP };

struct environment;

/* An open descriptor. It belongs to one environment, which closes it at the latest when it ends. */
struct handle {
  struct handle *next;
  struct environment *owner;
  enum kind kind;
  int fd;
  uint32_t dropped; /* packets that did not fit their slot */
  bool overrun;     /* netlink: ENOBUFS seen and not reported yet */
  bool polling;
  napi_ref callback;
  uv_poll_t poll;
};

/* The state of one environment (main thread or worker). Scratch memory lives here because workers run concurrently. */
struct environment {
  napi_env env;
  napi_async_cleanup_hook_handle cleanup;
  struct handle *handles;
  unsigned closing; /* uv_close calls whose callback is outstanding */
  bool ending;
  uint8_t *netlink_buffer;
  size_t netlink_capacity;
  struct send_queue *send_queue;
  struct coalescer *coalescer;
  struct associations *associations;
};

/* poll.c */
struct environment *environment_of(napi_env env);
struct environment *environment_open(napi_env env);
struct handle *handle_add(napi_env env, int fd, enum kind kind);
struct handle *handle_find(napi_env env, int32_t fd, enum kind kind);
napi_value poll_watch(napi_env env, napi_callback_info call);
napi_value poll_unref(napi_env env, napi_callback_info call);
napi_value poll_pause(napi_env env, napi_callback_info call);
napi_value poll_close(napi_env env, napi_callback_info call);
napi_value poll_dropped(napi_env env, napi_callback_info call);

/* netlink.c */
napi_value netlink_open(napi_env env, napi_callback_info call);
napi_value netlink_exchange(napi_env env, napi_callback_info call);
napi_value netlink_receive(napi_env env, napi_callback_info call);

/* tun.c, coalesce.c */
napi_value tun_open(napi_env env, napi_callback_info call);
napi_value tun_index(napi_env env, napi_callback_info call);
napi_value tun_read(napi_env env, napi_callback_info call);
napi_value tun_write(napi_env env, napi_callback_info call);

/* raw.c */
napi_value sender_open(napi_env env, napi_callback_info call);
napi_value sender_send(napi_env env, napi_callback_info call);
napi_value receiver_open(napi_env env, napi_callback_info call);
napi_value receiver_open_ipv4(napi_env env, napi_callback_info call);
napi_value receiver_filter(napi_env env, napi_callback_info call);
napi_value receiver_receive(napi_env env, napi_callback_info call);
napi_value icmpv6_send(napi_env env, napi_callback_info call);

/* udp.c */
napi_value udp_open(napi_env env, napi_callback_info call);
napi_value udp_receive(napi_env env, napi_callback_info call);

/* association.c, esp.c */
napi_value esp_add(napi_env env, napi_callback_info call);
napi_value esp_path(napi_env env, napi_callback_info call);
napi_value esp_remove(napi_env env, napi_callback_info call);
napi_value esp_counters(napi_env env, napi_callback_info call);
napi_value esp_seal(napi_env env, napi_callback_info call);
napi_value esp_open(napi_env env, napi_callback_info call);
void associations_free(struct associations *associations);

/* packet.c */
napi_value capture_open(napi_env env, napi_callback_info call);
napi_value capture_receive(napi_env env, napi_callback_info call);

/* notify.c */
napi_value notify_send(napi_env env, napi_callback_info call);

/* checksum.c: sums are of words in network order as they lie in memory, so they need no swapping. */
uint64_t checksum_add(const uint8_t *octets, size_t length, uint64_t sum);
uint16_t checksum_fold(uint64_t sum);
uint64_t checksum_pseudo_header(const uint8_t *ipv6, uint32_t length, uint8_t protocol);
napi_value checksum_sum(napi_env env, napi_callback_info call);

/* The layout of src/host/ports.ts. */
enum { HEADROOM = 64, FIELDS = 12, SOURCE_AT = 0, DESTINATION_AT = 16 };
enum column {
  OFFSET,
  LENGTH,
  GSO_SIZE,
  CHECKSUM_START,
  CHECKSUM_OFFSET,
  SOCKET,
  ERROR,
  INTERFACE,
  HOP_LIMIT,
  TRAFFIC_CLASS,
  FLAGS,
  SPARE
};

struct batch {
  uint8_t *slab;
  size_t slab_length;
  int32_t *meta;
  int32_t slots;
  int32_t stride;
};

enum { IPV6_HEADER = 40, TCP_HEADER = 20, TCP_CHECKSUM = 16, UDP_CHECKSUM = 6 };

/* module.c: arguments and results. Functions answer a count, or a negative errno that TypeScript turns into an error. */
struct octets {
  uint8_t *at;
  size_t length;
};

bool arguments(napi_env env, napi_callback_info call, size_t count, napi_value *values);
bool int_argument(napi_env env, napi_value value, int32_t *out);
bool octets_argument(napi_env env, napi_value value, struct octets *out);
/* Five arguments: descriptor, slab, meta, slots, stride. */
bool batch_arguments(napi_env env, napi_callback_info call, int32_t *fd, struct batch *batch);
/* Slab, meta, slots, stride. */
bool batch_argument(napi_env env, const napi_value *values, struct batch *batch);
/* The packet of a slot, or NULL when its row points outside the slab. */
uint8_t *packet_at(const struct batch *batch, int32_t slot, size_t *length);
napi_value int_result(napi_env env, int32_t value);
napi_value octets_result(napi_env env, const uint8_t *octets, size_t length);

#endif
