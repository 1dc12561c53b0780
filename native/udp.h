/* What UDP and raw sockets share. */
#ifndef LOCI_UDP_H
#define LOCI_UDP_H

#include "loci.h"

struct msghdr;
struct sockaddr_in6;

/* Send the datagrams of a slot on the UDP socket that its row names; 0 or an errno. */
int udp_send(const struct batch *batch, int32_t slot);

/* raw.c */
void force_buffer(int fd, int forced, int ordinary);
/* Register an open socket, or close it when `failed`; the descriptor or a negative errno. */
napi_value opened(napi_env env, int fd, enum kind kind, bool failed);
/* Copies what the kernel says about a packet into its slot and row. */
void describe(struct msghdr *header, const struct sockaddr_in6 *from, uint8_t *slot, int32_t *row);

#endif
