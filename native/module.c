/* Registration, and the conversion of arguments and results. */
#include "loci.h"

#include <string.h>

static napi_value refuse(napi_env env, const char *what) {
  napi_throw_type_error(env, NULL, what);
  return NULL;
}

bool arguments(napi_env env, napi_callback_info call, size_t count, napi_value *values) {
  size_t given = count;
  if (napi_get_cb_info(env, call, &given, values, NULL, NULL) == napi_ok && given >= count) return true;
  refuse(env, "too few arguments");
  return false;
}

bool int_argument(napi_env env, napi_value value, int32_t *out) {
  if (napi_get_value_int32(env, value, out) == napi_ok) return true;
  refuse(env, "expected a number");
  return false;
}

bool octets_argument(napi_env env, napi_value value, struct octets *out) {
  napi_typedarray_type type;
  void *data;
  if (napi_get_typedarray_info(env, value, &type, &out->length, &data, NULL, NULL) != napi_ok || type != napi_uint8_array) {
    refuse(env, "expected a Uint8Array");
    return false;
  }
  out->at = data;
  return true;
}

bool batch_argument(napi_env env, const napi_value *values, struct batch *batch) {
  struct octets slab;
  napi_typedarray_type type;
  size_t meta_length;
  void *meta;
  if (!octets_argument(env, values[0], &slab) || !int_argument(env, values[2], &batch->slots) ||
      !int_argument(env, values[3], &batch->stride))
    return false;
  if (napi_get_typedarray_info(env, values[1], &type, &meta_length, &meta, NULL, NULL) != napi_ok || type != napi_int32_array ||
      batch->slots < 0 || batch->stride <= HEADROOM || (size_t)batch->slots * (size_t)batch->stride > slab.length ||
      (size_t)batch->slots * FIELDS > meta_length) {
    refuse(env, "not a batch");
    return false;
  }
  batch->slab = slab.at;
  batch->slab_length = slab.length;
  batch->meta = meta;
  return true;
}

bool batch_arguments(napi_env env, napi_callback_info call, int32_t *fd, struct batch *batch) {
  napi_value values[5];
  return arguments(env, call, 5, values) && int_argument(env, values[0], fd) && batch_argument(env, values + 1, batch);
}

uint8_t *packet_at(const struct batch *batch, int32_t slot, size_t *length) {
  const int32_t *row = batch->meta + (size_t)slot * FIELDS;
  if (row[OFFSET] < 0 || row[LENGTH] < 0 || (size_t)row[OFFSET] + (size_t)row[LENGTH] > batch->slab_length) return NULL;
  *length = (size_t)row[LENGTH];
  return batch->slab + row[OFFSET];
}

napi_value int_result(napi_env env, int32_t value) {
  napi_value result = NULL;
  napi_create_int32(env, value, &result);
  return result;
}

napi_value octets_result(napi_env env, const uint8_t *octets, size_t length) {
  napi_value buffer, result = NULL;
  void *data;
  if (napi_create_arraybuffer(env, length, &data, &buffer) != napi_ok) return NULL;
  if (length > 0) memcpy(data, octets, length);
  napi_create_typedarray(env, napi_uint8_array, length, buffer, 0, &result);
  return result;
}

static const struct {
  const char *name;
  napi_callback function;
} FUNCTIONS[] = {
    {"watch", poll_watch},
    {"unref", poll_unref},
    {"pause", poll_pause},
    {"close", poll_close},
    {"dropped", poll_dropped},
    {"checksum", checksum_sum},
    {"tunOpen", tun_open},
    {"tunIndex", tun_index},
    {"tunRead", tun_read},
    {"tunWrite", tun_write},
    {"senderOpen", sender_open},
    {"senderSend", sender_send},
    {"receiverOpen", receiver_open},
    {"receiverOpenIpv4", receiver_open_ipv4},
    {"receiverFilter", receiver_filter},
    {"receiverReceive", receiver_receive},
    {"icmpv6Send", icmpv6_send},
    {"udpOpen", udp_open},
    {"udpReceive", udp_receive},
    {"espAdd", esp_add},
    {"espPath", esp_path},
    {"espRemove", esp_remove},
    {"espCounters", esp_counters},
    {"espSeal", esp_seal},
    {"espOpen", esp_open},
    {"captureOpen", capture_open},
    {"captureReceive", capture_receive},
    {"netlinkOpen", netlink_open},
    {"netlinkExchange", netlink_exchange},
    {"netlinkReceive", netlink_receive},
    {"notify", notify_send},
};

NAPI_MODULE_INIT() {
  if (environment_open(env) == NULL) return NULL;
  for (size_t i = 0; i < sizeof FUNCTIONS / sizeof *FUNCTIONS; i++) {
    napi_value function;
    if (napi_create_function(env, FUNCTIONS[i].name, NAPI_AUTO_LENGTH, FUNCTIONS[i].function, NULL, &function) != napi_ok ||
        napi_set_named_property(env, exports, FUNCTIONS[i].name, function) != napi_ok)
      return NULL;
  }
  return exports;
}
