/* Open descriptors: one uv_poll_t each when watched, all closed when their environment ends. */
#include "loci.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct environment *environment_of(napi_env env) {
  void *data = NULL;
  napi_get_instance_data(env, &data);
  return data;
}

static void environment_free(struct environment *environment) {
  napi_remove_async_cleanup_hook(environment->cleanup);
  free(environment->netlink_buffer);
  free(environment->send_queue);
  free(environment->coalescer);
  associations_free(environment->associations);
  free(environment);
}

static void on_closed(uv_handle_t *poll) {
  struct handle *handle = poll->data;
  struct environment *environment = handle->owner;
  free(handle);
  if (--environment->closing == 0 && environment->ending) environment_free(environment);
}

/* The kernel's registration ends with uv_poll_stop, so the descriptor may be closed before libuv's callback. */
static void handle_close(struct handle *handle) {
  struct environment *environment = handle->owner;
  struct handle **link = &environment->handles;
  while (*link != handle) link = &(*link)->next;
  *link = handle->next;
  if (handle->callback != NULL) napi_delete_reference(environment->env, handle->callback);
  if (handle->polling) uv_poll_stop(&handle->poll);
  close(handle->fd);
  if (handle->polling) {
    environment->closing++;
    uv_close((uv_handle_t *)&handle->poll, on_closed);
  } else {
    free(handle);
  }
}

/* An asynchronous hook, because the loop of a worker must have run uv_close to its end before it may be closed. */
static void on_environment_end(napi_async_cleanup_hook_handle cleanup, void *data) {
  struct environment *environment = data;
  environment->cleanup = cleanup;
  environment->ending = true;
  while (environment->handles != NULL) handle_close(environment->handles);
  if (environment->closing == 0) environment_free(environment);
}

struct environment *environment_open(napi_env env) {
  struct environment *environment = calloc(1, sizeof *environment);
  if (environment == NULL) return NULL;
  environment->env = env;
  if (napi_set_instance_data(env, environment, NULL, NULL) != napi_ok ||
      napi_add_async_cleanup_hook(env, on_environment_end, environment, &environment->cleanup) != napi_ok) {
    free(environment);
    return NULL;
  }
  return environment;
}

struct handle *handle_add(napi_env env, int fd, enum kind kind) {
  struct environment *environment = environment_of(env);
  struct handle *handle = calloc(1, sizeof *handle);
  if (handle == NULL) return NULL;
  handle->owner = environment;
  handle->kind = kind;
  handle->fd = fd;
  handle->next = environment->handles;
  environment->handles = handle;
  return handle;
}

static struct handle *find(napi_env env, int32_t fd) {
  struct handle *handle = environment_of(env)->handles;
  while (handle != NULL && handle->fd != fd) handle = handle->next;
  return handle;
}

struct handle *handle_find(napi_env env, int32_t fd, enum kind kind) {
  struct handle *handle = find(env, fd);
  return handle != NULL && handle->kind == kind ? handle : NULL;
}

static void on_readable(uv_poll_t *poll, int status, int events) {
  struct handle *handle = poll->data;
  napi_env env = handle->owner->env;
  napi_handle_scope scope;
  napi_value callback, receiver, thrown;
  (void)events;
  /* libuv stops at an error such as ENOBUFS or ENETDOWN. The reader meets it, and goes on or closes. */
  if (status < 0) uv_poll_start(poll, UV_READABLE, on_readable);
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  if (napi_get_reference_value(env, handle->callback, &callback) == napi_ok && napi_get_global(env, &receiver) == napi_ok &&
      napi_make_callback(env, NULL, receiver, callback, 0, NULL, NULL) == napi_pending_exception &&
      napi_get_and_clear_last_exception(env, &thrown) == napi_ok)
    napi_fatal_exception(env, thrown);
  napi_close_handle_scope(env, scope);
}

/* watch(fd, callback): call back while the descriptor is readable; a second call replaces the callback. */
napi_value poll_watch(napi_env env, napi_callback_info call) {
  napi_value values[2];
  int32_t fd;
  if (!arguments(env, call, 2, values) || !int_argument(env, values[0], &fd)) return NULL;
  struct handle *handle = find(env, fd);
  if (handle == NULL) return int_result(env, -EBADF);
  napi_ref callback;
  if (napi_create_reference(env, values[1], 1, &callback) != napi_ok) return int_result(env, -EINVAL);
  if (handle->callback != NULL) napi_delete_reference(env, handle->callback);
  handle->callback = callback;
  if (handle->polling) return int_result(env, 0);
  uv_loop_t *loop;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return int_result(env, -ENOSYS);
  int result = uv_poll_init(loop, &handle->poll, fd);
  if (result < 0) return int_result(env, result);
  handle->poll.data = handle;
  handle->polling = true;
  return int_result(env, uv_poll_start(&handle->poll, UV_READABLE, on_readable));
}

/* unref(fd): watching it alone does not keep the process alive. */
napi_value poll_unref(napi_env env, napi_callback_info call) {
  napi_value value;
  int32_t fd;
  if (!arguments(env, call, 1, &value) || !int_argument(env, value, &fd)) return NULL;
  struct handle *handle = find(env, fd);
  if (handle != NULL && handle->polling) uv_unref((uv_handle_t *)&handle->poll);
  return int_result(env, handle == NULL ? -EBADF : 0);
}

/* pause(fd, paused): call back no more, or again. Only for a descriptor that is watched. */
napi_value poll_pause(napi_env env, napi_callback_info call) {
  napi_value values[2];
  int32_t fd, paused;
  if (!arguments(env, call, 2, values) || !int_argument(env, values[0], &fd) || !int_argument(env, values[1], &paused)) return NULL;
  struct handle *handle = find(env, fd);
  if (handle == NULL || !handle->polling) return int_result(env, -EBADF);
  return int_result(env, paused != 0 ? uv_poll_stop(&handle->poll) : uv_poll_start(&handle->poll, UV_READABLE, on_readable));
}

napi_value poll_close(napi_env env, napi_callback_info call) {
  napi_value value;
  int32_t fd;
  if (!arguments(env, call, 1, &value) || !int_argument(env, value, &fd)) return NULL;
  struct handle *handle = find(env, fd);
  if (handle == NULL) return int_result(env, -EBADF);
  handle_close(handle);
  return int_result(env, 0);
}

/* dropped(fd): packets that did not fit their slot, since the descriptor was opened. */
napi_value poll_dropped(napi_env env, napi_callback_info call) {
  napi_value value;
  int32_t fd;
  if (!arguments(env, call, 1, &value) || !int_argument(env, value, &fd)) return NULL;
  struct handle *handle = find(env, fd);
  return int_result(env, handle == NULL ? -EBADF : (int32_t)(handle->dropped & INT32_MAX));
}
