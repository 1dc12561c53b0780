#include "association.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 4096, SMALLEST_SPI = 256 };

struct associations {
  struct association *inbound[BUCKETS];
  struct association **all; /* by handle */
  int32_t room;
  int32_t lowest_free;
};

static struct associations *table(napi_env env) {
  struct environment *environment = environment_of(env);
  if (environment->associations == NULL) environment->associations = calloc(1, sizeof *environment->associations);
  return environment->associations;
}

static struct association **bucket(struct associations *associations, uint32_t spi) {
  return &associations->inbound[(spi ^ spi >> 12 ^ spi >> 24) % BUCKETS]; /* SPIs are random */
}

struct association *association_by_spi(napi_env env, uint32_t spi) {
  struct associations *associations = environment_of(env)->associations;
  if (associations == NULL) return NULL;
  struct association *found = *bucket(associations, spi);
  while (found != NULL && found->spi != spi) found = found->next;
  return found;
}

static struct association *by_handle(napi_env env, int32_t handle) {
  struct associations *associations = environment_of(env)->associations;
  return associations == NULL || handle < 0 || handle >= associations->room ? NULL : associations->all[handle];
}

struct association *association_find(napi_env env, int32_t handle, bool inbound) {
  struct association *found = by_handle(env, handle);
  return found != NULL && found->inbound == inbound ? found : NULL;
}

static void association_free(struct association *association) {
  transform_free(association->transform);
  free(association->window.seen);
  free(association);
}

void associations_free(struct associations *associations) {
  if (associations == NULL) return;
  for (int32_t handle = 0; handle < associations->room; handle++)
    if (associations->all[handle] != NULL) association_free(associations->all[handle]);
  free(associations->all);
  free(associations);
}

/* Give it a handle; false when there is no memory. */
static bool enlist(struct associations *associations, struct association *association) {
  int32_t handle = associations->lowest_free;
  while (handle < associations->room && associations->all[handle] != NULL) handle++;
  if (handle == associations->room) {
    const int32_t room = associations->room == 0 ? 64 : associations->room * 2;
    struct association **all = realloc(associations->all, sizeof *all * (size_t)room);
    if (all == NULL) return false;
    memset(all + associations->room, 0, sizeof *all * (size_t)(room - associations->room));
    associations->all = all;
    associations->room = room;
  }
  associations->all[handle] = association;
  associations->lowest_free = handle + 1;
  association->handle = handle;
  if (!association->inbound) return true;
  struct association **head = bucket(associations, association->spi);
  association->next = *head;
  *head = association;
  return true;
}

static uint64_t u64_at(const uint8_t *octets) {
  uint64_t value = 0;
  for (int i = 0; i < 8; i++) value = value << 8 | octets[i];
  return value;
}

/* espAdd(inbound, suite, spi, encryption, authentication, inner, sequence, short, window): a handle. Copies the keys. */
napi_value esp_add(napi_env env, napi_callback_info call) {
  napi_value values[9];
  int32_t inbound, suite_id, spi, is_short, window;
  struct octets encryption, authentication, inner, sequence;
  if (!arguments(env, call, 9, values) || !int_argument(env, values[0], &inbound) || !int_argument(env, values[1], &suite_id) ||
      !int_argument(env, values[2], &spi) || !octets_argument(env, values[3], &encryption) ||
      !octets_argument(env, values[4], &authentication) || !octets_argument(env, values[5], &inner) ||
      !octets_argument(env, values[6], &sequence) || !int_argument(env, values[7], &is_short) || !int_argument(env, values[8], &window))
    return NULL;
  const struct suite *suite = suite_find(suite_id);
  if (suite == NULL || (uint32_t)spi < SMALLEST_SPI || encryption.length != (size_t)suite->key + suite->salt ||
      authentication.length != suite->authentication || inner.length != 32 || sequence.length != 8 || window < 64 ||
      window > 65536 || (window & (window - 1)) != 0)
    return int_result(env, -EINVAL);
  struct associations *associations = table(env);
  if (associations == NULL) return int_result(env, -ENOMEM);
  if (inbound && association_by_spi(env, (uint32_t)spi) != NULL) return int_result(env, -EEXIST);
  struct association *association = calloc(1, sizeof *association);
  if (association == NULL) return int_result(env, -ENOMEM);
  association->inbound = inbound != 0;
  association->spi = (uint32_t)spi;
  association->suite = suite;
  association->extended = is_short == 0;
  association->sequence = u64_at(sequence.at);
  association->socket = -1;
  memcpy(association->inner, inner.at, 32);
  association->transform = transform_new(suite, !inbound, encryption.at, authentication.at);
  if (association->transform != NULL &&
      (!inbound || window_open(&association->window, (uint32_t)window, association->sequence, association->extended)) &&
      enlist(associations, association))
    return int_result(env, association->handle);
  association_free(association);
  return int_result(env, -ENOMEM);
}

/* espPath(handle, socket, outer, port): where packets of an outbound SA go from now on. */
napi_value esp_path(napi_env env, napi_callback_info call) {
  napi_value values[4];
  int32_t handle, socket, port;
  struct octets outer;
  if (!arguments(env, call, 4, values) || !int_argument(env, values[0], &handle) || !int_argument(env, values[1], &socket) ||
      !octets_argument(env, values[2], &outer) || !int_argument(env, values[3], &port))
    return NULL;
  struct association *association = association_find(env, handle, false);
  if (association == NULL) return int_result(env, -ENOENT);
  if (outer.length != 32 || port < 0 || port > UINT16_MAX) return int_result(env, -EINVAL);
  association->socket = socket;
  association->port = (uint16_t)port;
  memcpy(association->outer, outer.at, 32);
  return int_result(env, 0);
}

/* espRemove(handle): its keys are wiped. */
napi_value esp_remove(napi_env env, napi_callback_info call) {
  napi_value value;
  int32_t handle;
  if (!arguments(env, call, 1, &value) || !int_argument(env, value, &handle)) return NULL;
  struct association *association = by_handle(env, handle);
  if (association == NULL) return int_result(env, -ENOENT);
  struct associations *associations = table(env);
  if (association->inbound) {
    struct association **link = bucket(associations, association->spi);
    while (*link != association) link = &(*link)->next;
    *link = association->next;
  }
  associations->all[handle] = NULL;
  if (handle < associations->lowest_free) associations->lowest_free = handle;
  association_free(association);
  return int_result(env, 0);
}

/* espCounters(handle, into): the counters of `enum counter`, then the high and the low half of the number reached. */
napi_value esp_counters(napi_env env, napi_callback_info call) {
  napi_value values[2];
  int32_t handle;
  napi_typedarray_type type;
  size_t length;
  void *into;
  if (!arguments(env, call, 2, values) || !int_argument(env, values[0], &handle)) return NULL;
  const struct association *association = by_handle(env, handle);
  if (association == NULL) return int_result(env, -ENOENT);
  if (napi_get_typedarray_info(env, values[1], &type, &length, &into, NULL, NULL) != napi_ok || type != napi_float64_array ||
      length != COUNTERS + 2)
    return int_result(env, -EINVAL);
  double *numbers = into;
  for (int i = 0; i < COUNTERS; i++) numbers[i] = (double)association->counters[i];
  const uint64_t sequence = association->inbound ? association->window.highest : association->sequence;
  numbers[COUNTERS] = (double)(sequence >> 32);
  numbers[COUNTERS + 1] = (double)(uint32_t)sequence;
  return int_result(env, 0);
}
