/* The published check values of CRC32C, and table against instruction. */
#include "harness.h"

static void known_values(void) {
  const uint8_t zeroes[32] = {0};
  uint8_t rising[32];
  for (int i = 0; i < 32; i++) rising[i] = (uint8_t)i;
  CHECK_EQUAL(crc32c(0, (const uint8_t *)"", 0), 0);
  CHECK_EQUAL(crc32c(0, (const uint8_t *)"123456789", 9), 0xe3069283u);
  CHECK_EQUAL(crc32c(0, zeroes, 32), 0x8a9136aau); /* RFC 3720, B.4 */
  CHECK_EQUAL(crc32c(0, rising, 32), 0x46dd794eu);
  CHECK_EQUAL(crc32c_portable(0, (const uint8_t *)"123456789", 9), 0xe3069283u);
}

static void in_pieces(void) {
  const uint8_t *text = (const uint8_t *)"123456789";
  for (size_t cut = 0; cut <= 9; cut++)
    CHECK_EQUAL(crc32c(crc32c(0, text, cut), text + cut, 9 - cut), 0xe3069283u);
}

static void table_agrees_with_instruction(void) {
  uint8_t bytes[640];
  uint32_t state = 1;
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)((state = state * 1664525u + 1013904223u) >> 24);
  crc32c_function hardware = crc32c_hardware();
  for (size_t start = 0; start < 8; start++)
    for (size_t length = 0; length <= 600; length++)
      CHECK_EQUAL(hardware(0, bytes + start, length), crc32c_portable(0, bytes + start, length));
}

void crc32c_tests(void) {
  test_run("crc32c: known values", known_values);
  test_run("crc32c: in pieces", in_pieces);
  if (crc32c_hardware() == NULL) test_skip("crc32c: instruction", "this processor has none");
  else test_run("crc32c: table agrees with instruction", table_agrees_with_instruction);
}
