/* The cryptography of ESP, one packet at a time: RFC 7402 §5.1.2 by the OpenSSL inside Node. */
#ifndef LOCI_TRANSFORM_H
#define LOCI_TRANSFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ESP_HEADER = 8, ESP_TRAILER = 2 };

/* Lengths in octets, as in src/esp/suites.ts. */
struct suite {
  int id;
  enum { CBC_HMAC, NULL_HMAC, CMAC, GCM, CCM, GMAC } protection;
  uint8_t key;  /* of the cipher */
  uint8_t salt; /* drawn behind the key */
  uint8_t authentication;
  const char *algorithm; /* of the MAC: its hash or cipher */
  uint8_t iv;
  uint8_t icv;
  uint8_t alignment;
};

struct transform;

/* The suite with this number, or NULL. */
const struct suite *suite_find(int id);
/* Keys of the suite's lengths, made ready for one direction; NULL when OpenSSL refuses. */
struct transform *transform_new(const struct suite *suite, bool seals, const uint8_t *encryption, const uint8_t *authentication);
/* Wipes the keys. */
void transform_free(struct transform *transform);

/* The number of a packet, in which form its ICV covers it. */
struct number {
  uint64_t value;
  bool extended;
};

/* Protect in place: the header is written, `length` octets of plaintext lie behind the IV. Writes IV and ICV; false on failure. */
bool transform_seal(struct transform *transform, uint8_t *packet, size_t length, struct number number);
/* Verify, then decrypt to `plaintext`; `length` octets of it lie behind the IV. False when the ICV is wrong. */
bool transform_open(struct transform *transform, const uint8_t *packet, size_t length, struct number number, uint8_t *plaintext);

#endif
