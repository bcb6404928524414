/*
 * A test is a function that CHECKs; a failed check ends it, and the next test runs. A bench is a
 * handle with the few calls that a test needs, waiting for events with a limit and never for a
 * fixed time.
 */
#ifndef MIRRORBEAT_TEST_HARNESS_H
#define MIRRORBEAT_TEST_HARNESS_H

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define WAIT_LIMIT_MS 10000
#define SECOND_NS NANOSECONDS_PER_SECOND

extern jmp_buf test_failed;

#define CHECK(condition)                                                              \
  do {                                                                                \
    if (!(condition)) {                                                               \
      printf("    %s:%d: %s\n", __FILE__, __LINE__, #condition);                      \
      longjmp(test_failed, 1);                                                        \
    }                                                                                 \
  } while (0)

#define CHECK_EQUAL(actual, expected)                                                 \
  do {                                                                                \
    long long actual_value = (long long)(actual), expected_value = (long long)(expected); \
    if (actual_value != expected_value) {                                             \
      printf("    %s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #actual,        \
             actual_value, expected_value);                                           \
      longjmp(test_failed, 1);                                                        \
    }                                                                                 \
  } while (0)

void test_run(const char *name, void (*body)(void));
void test_skip(const char *name, const char *reason);

struct bench {
  mirrorbeat_io *io;
  struct mirrorbeat_setup setup;
  struct mirrorbeat_header *header;
  struct mirrorbeat_request *records;
  uint8_t *data;
};

/* The engine under test; suites of both engines run once with each. */
extern uint32_t test_engine;

void bench_open(struct bench *bench);
void bench_close(struct bench *bench);
/* Reaps until something is reported for this record; its enum mirrorbeat_event. */
uint32_t bench_wait(struct bench *bench, uint32_t index);
int32_t bench_transfer(struct bench *bench, uint32_t index, uint32_t operation,
                         uint32_t device, uint64_t offset, uint32_t length, uint64_t memory);
/* Opens and stats a device; 0 or -errno. */
int32_t bench_open_device(struct bench *bench, uint32_t device, const char *path,
                            uint32_t flags);
int32_t bench_begin_open(struct bench *bench, uint32_t index, uint32_t device,
                           const char *path, uint32_t flags, uint64_t deadline_ns);
int32_t bench_close_device(struct bench *bench, uint32_t device);

/* A file of so many bytes in the test's own folder, removed at the end. */
const char *test_file(const char *name, size_t bytes);
const char *test_path(const char *name);

void crc32c_tests(void);
void area_scan_tests(void);
void host_tests(void);
void fence_tests(void);
void scsi_command_tests(void);
void request_tests(void);
void loop_device_tests(void);

#endif
