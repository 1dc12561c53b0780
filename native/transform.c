#include "transform.h"

#include <arpa/inet.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

enum { NONCE = 12, CCM_NONCE = 11, ICV_SPACE = 32, RANDOM_POOL = 1024 };

static const struct suite SUITES[] = {
    {1, CBC_HMAC, 16, 0, 20, "SHA1", 16, 12, 16},
    {7, NULL_HMAC, 0, 0, 32, "SHA256", 0, 16, 4},
    {8, CBC_HMAC, 16, 0, 32, "SHA256", 16, 16, 16},
    {9, CBC_HMAC, 32, 0, 32, "SHA256", 16, 16, 16},
    {10, CCM, 16, 3, 0, NULL, 8, 8, 4},
    {11, CCM, 16, 3, 0, NULL, 8, 16, 4},
    {12, GCM, 16, 4, 0, NULL, 8, 8, 4},
    {13, GCM, 16, 4, 0, NULL, 8, 16, 4},
    {14, CMAC, 0, 0, 16, "AES-128-CBC", 0, 12, 4},
    {15, GMAC, 16, 4, 0, NULL, 8, 16, 4},
};

struct transform {
  const struct suite *suite;
  EVP_CIPHER_CTX *cipher;
  EVP_MAC_CTX *mac;
  uint8_t salt[4];
  uint8_t pool[RANDOM_POOL]; /* unpredictable octets for IVs, which are no secret once sent */
  size_t pool_left;
};

const struct suite *suite_find(int id) {
  for (size_t i = 0; i < sizeof SUITES / sizeof *SUITES; i++)
    if (SUITES[i].id == id) return &SUITES[i];
  return NULL;
}

static bool start_cipher(struct transform *transform, bool seals, const uint8_t *key) {
  const struct suite *suite = transform->suite;
  const char *mode = suite->protection == CBC_HMAC ? (suite->key == 32 ? "AES-256-CBC" : "AES-128-CBC")
                     : suite->protection == CCM    ? "AES-128-CCM"
                                                   : "AES-128-GCM";
  EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, mode, NULL);
  EVP_CIPHER_CTX *context = transform->cipher = EVP_CIPHER_CTX_new();
  bool good = cipher != NULL && context != NULL && EVP_CipherInit_ex2(context, cipher, NULL, NULL, seals, NULL) == 1;
  if (good && suite->protection == CCM)
    good = EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN, CCM_NONCE, NULL) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, suite->icv, NULL) == 1;
  good = good && EVP_CipherInit_ex2(context, NULL, key, NULL, seals, NULL) == 1 && EVP_CIPHER_CTX_set_padding(context, 0) == 1;
  EVP_CIPHER_free(cipher);
  return good;
}

static bool start_mac(struct transform *transform, const uint8_t *key) {
  const struct suite *suite = transform->suite;
  const bool cmac = suite->protection == CMAC;
  EVP_MAC *mac = EVP_MAC_fetch(NULL, cmac ? "CMAC" : "HMAC", NULL);
  transform->mac = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
  EVP_MAC_free(mac);
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(cmac ? OSSL_MAC_PARAM_CIPHER : OSSL_MAC_PARAM_DIGEST, (char *)suite->algorithm, 0),
      OSSL_PARAM_construct_end(),
  };
  return transform->mac != NULL && EVP_MAC_init(transform->mac, key, suite->authentication, parameters) == 1;
}

struct transform *transform_new(const struct suite *suite, bool seals, const uint8_t *encryption, const uint8_t *authentication) {
  struct transform *transform = calloc(1, sizeof *transform);
  if (transform == NULL) return NULL;
  transform->suite = suite;
  if (suite->salt > 0) memcpy(transform->salt, encryption + suite->key, suite->salt);
  if ((suite->key == 0 || start_cipher(transform, seals, encryption)) &&
      (suite->authentication == 0 || start_mac(transform, authentication)))
    return transform;
  transform_free(transform);
  return NULL;
}

void transform_free(struct transform *transform) {
  if (transform == NULL) return;
  EVP_CIPHER_CTX_free(transform->cipher); /* these two wipe what they hold */
  EVP_MAC_CTX_free(transform->mac);
  OPENSSL_cleanse(transform, sizeof *transform);
  free(transform);
}

/* RFC 4303 §2.2.1: the ICV covers the packet and, behind it, the high half of the number, which is not sent. */
static bool compute_mac(struct transform *transform, const uint8_t *packet, size_t length, struct number number, uint8_t *icv) {
  const uint32_t high = htonl((uint32_t)(number.value >> 32));
  size_t written;
  return EVP_MAC_init(transform->mac, NULL, 0, NULL) == 1 && EVP_MAC_update(transform->mac, packet, length) == 1 &&
         (!number.extended || EVP_MAC_update(transform->mac, (const uint8_t *)&high, 4) == 1) &&
         EVP_MAC_final(transform->mac, icv, &written, ICV_SPACE) == 1;
}

/* RFC 4106 §5, RFC 4309 §5: SPI and the whole number; its length. */
static int associated(const uint8_t *packet, struct number number, uint8_t *aad) {
  const uint32_t high = htonl((uint32_t)(number.value >> 32));
  memcpy(aad, packet, 4);
  if (!number.extended) {
    memcpy(aad + 4, packet + 4, 4);
    return 8;
  }
  memcpy(aad + 4, &high, 4);
  memcpy(aad + 8, packet + 4, 4);
  return 12;
}

static bool combined_start(struct transform *transform, const uint8_t *packet) {
  uint8_t nonce[NONCE];
  memcpy(nonce, transform->salt, transform->suite->salt);
  memcpy(nonce + transform->suite->salt, packet + ESP_HEADER, 8);
  return EVP_CipherInit_ex2(transform->cipher, NULL, NULL, nonce, -1, NULL) == 1;
}

/* Associated octets, then text from `from` to `to`; GMAC has only the first. */
static bool combined_run(struct transform *transform, const uint8_t *packet, struct number number, const uint8_t *from, uint8_t *to, size_t length) {
  EVP_CIPHER_CTX *cipher = transform->cipher;
  uint8_t aad[12];
  int written;
  const int aad_length = associated(packet, number, aad);
  if (transform->suite->protection == CCM && EVP_CipherUpdate(cipher, NULL, &written, NULL, (int)length) != 1) return false;
  if (EVP_CipherUpdate(cipher, NULL, &written, aad, aad_length) != 1) return false;
  if (transform->suite->protection != GMAC) return EVP_CipherUpdate(cipher, to, &written, from, (int)length) == 1;
  /* RFC 4543 §3.3 and its Figure 4: the IV is associated as well */
  if (EVP_CipherUpdate(cipher, NULL, &written, packet + ESP_HEADER, 8) != 1 ||
      EVP_CipherUpdate(cipher, NULL, &written, from, (int)length) != 1)
    return false;
  if (to != from) memcpy(to, from, length);
  return true;
}

/* RFC 3602 §3: unpredictable for CBC; RFC 4106 §3.1: for the others the number, which never repeats. */
static bool write_iv(struct transform *transform, uint8_t *iv, uint64_t number) {
  if (transform->suite->iv == 8) {
    const uint32_t halves[] = {htonl((uint32_t)(number >> 32)), htonl((uint32_t)number)};
    memcpy(iv, halves, 8);
  } else if (transform->suite->iv == 16) {
    if (transform->pool_left < 16) {
      if (RAND_bytes(transform->pool, RANDOM_POOL) != 1) return false;
      transform->pool_left = RANDOM_POOL;
    }
    transform->pool_left -= 16;
    memcpy(iv, transform->pool + transform->pool_left, 16);
  }
  return true;
}

bool transform_seal(struct transform *transform, uint8_t *packet, size_t length, struct number number) {
  const struct suite *suite = transform->suite;
  uint8_t *iv = packet + ESP_HEADER, *text = iv + suite->iv, *icv = text + length, mac[ICV_SPACE];
  int written;
  if (!write_iv(transform, iv, number.value)) return false;
  if (suite->authentication == 0)
    return combined_start(transform, packet) && combined_run(transform, packet, number, text, text, length) &&
           EVP_CipherFinal_ex(transform->cipher, icv, &written) == 1 &&
           EVP_CIPHER_CTX_ctrl(transform->cipher, EVP_CTRL_AEAD_GET_TAG, suite->icv, icv) == 1;
  if (suite->protection == CBC_HMAC && (EVP_CipherInit_ex2(transform->cipher, NULL, NULL, iv, -1, NULL) != 1 ||
                                        EVP_CipherUpdate(transform->cipher, text, &written, text, (int)length) != 1))
    return false;
  if (!compute_mac(transform, packet, (size_t)(icv - packet), number, mac)) return false;
  memcpy(icv, mac, suite->icv);
  return true;
}

bool transform_open(struct transform *transform, const uint8_t *packet, size_t length, struct number number, uint8_t *plaintext) {
  const struct suite *suite = transform->suite;
  const uint8_t *iv = packet + ESP_HEADER, *text = iv + suite->iv, *icv = text + length;
  uint8_t mac[ICV_SPACE], rest[16];
  int written;
  if (suite->authentication == 0) {
    if (EVP_CIPHER_CTX_ctrl(transform->cipher, EVP_CTRL_AEAD_SET_TAG, suite->icv, (void *)icv) != 1 || !combined_start(transform, packet) ||
        !combined_run(transform, packet, number, text, plaintext, length))
      return false;
    return suite->protection == CCM || EVP_CipherFinal_ex(transform->cipher, rest, &written) == 1; /* CCM has judged already */
  }
  if (!compute_mac(transform, packet, (size_t)(icv - packet), number, mac) || CRYPTO_memcmp(mac, icv, suite->icv) != 0) return false;
  if (suite->protection != CBC_HMAC) {
    memcpy(plaintext, text, length);
    return true;
  }
  return EVP_CipherInit_ex2(transform->cipher, NULL, NULL, iv, -1, NULL) == 1 &&
         EVP_CipherUpdate(transform->cipher, plaintext, &written, text, (int)length) == 1;
}
