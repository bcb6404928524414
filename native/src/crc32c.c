/*
 * CRC32C (Castagnoli, reflected polynomial 0x82f63b78), by the processor's own instruction where
 * it has one and by a table elsewhere. The choice is made once, at load time, so that one binary
 * serves every processor of its architecture. Tests compare the two.
 */
#include "internal.h"

#include <errno.h>
#include <string.h>

#if defined(__aarch64__)
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
#endif

#define POLYNOMIAL 0x82f63b78u

static uint32_t table[256];
static crc32c_function chosen = crc32c_portable;

uint32_t crc32c_portable(uint32_t crc, const uint8_t *bytes, size_t length) {
  crc = ~crc;
  for (size_t i = 0; i < length; i++) crc = table[(crc ^ bytes[i]) & 0xff] ^ (crc >> 8);
  return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_instruction(uint32_t crc,
                                                                     const uint8_t *bytes,
                                                                     size_t length) {
  uint64_t state = (uint32_t)~crc;
  for (; length >= 8; bytes += 8, length -= 8) {
    uint64_t word;
    memcpy(&word, bytes, 8);
    state = __builtin_ia32_crc32di(state, word);
  }
  for (; length > 0; bytes++, length--)
    state = __builtin_ia32_crc32qi((uint32_t)state, *bytes);
  return ~(uint32_t)state;
}
#elif defined(__aarch64__)
__attribute__((target("+crc"))) static uint32_t crc32c_instruction(uint32_t crc,
                                                                   const uint8_t *bytes,
                                                                   size_t length) {
  uint32_t state = ~crc;
  for (; length >= 8; bytes += 8, length -= 8) {
    uint64_t word;
    memcpy(&word, bytes, 8);
    state = __builtin_aarch64_crc32cx(state, word);
  }
  for (; length > 0; bytes++, length--) state = __builtin_aarch64_crc32cb(state, *bytes);
  return ~state;
}
#endif

crc32c_function crc32c_hardware(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_supports("sse4.2") ? crc32c_instruction : NULL;
#elif defined(__aarch64__)
  return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0 ? crc32c_instruction : NULL;
#else
  return NULL;
#endif
}

__attribute__((constructor)) static void choose(void) {
  for (uint32_t value = 0; value < 256; value++) {
    uint32_t crc = value;
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) != 0 ? POLYNOMIAL : 0);
    table[value] = crc;
  }
  crc32c_function hardware = crc32c_hardware();
  if (hardware != NULL) chosen = hardware;
}

uint32_t crc32c(uint32_t crc, const uint8_t *bytes, size_t length) {
  return chosen(crc, bytes, length);
}

EXPORT int32_t mirrorbeat_crc32c(mirrorbeat_io *io) {
  uint64_t offset = io->header->arguments[0];
  uint64_t length = io->header->arguments[1];
  uint32_t before = (uint32_t)io->header->arguments[2];
  if (!area_contains(io, offset, length)) return -EINVAL;
  io->header->results[0] = crc32c(before, io->area + offset, (size_t)length);
  return 0;
}
