/* Setup, clocks, the instance lock, and the way out when io_uring is forbidden. */
#include "harness.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void refuses_nonsense(void) {
  struct mirrorbeat_setup setup = {.abi_version = MIRRORBEAT_ABI_VERSION + 1, .data_bytes = 4096};
  CHECK_EQUAL(mirrorbeat_create(&setup), -EINVAL);
  setup.abi_version = mirrorbeat_abi_version();
  setup.data_bytes = 0;
  CHECK_EQUAL(mirrorbeat_create(&setup), -EINVAL);
  setup.data_bytes = UINT64_MAX;
  CHECK_EQUAL(mirrorbeat_create(&setup), -EINVAL);
  setup.data_bytes = 4096;
  setup.engine = 3;
  CHECK_EQUAL(mirrorbeat_create(&setup), -EINVAL);
}

static void clocks(void) {
  struct bench bench;
  bench_open(&bench);
  CHECK_EQUAL(mirrorbeat_clocks(bench.io), 0);
  uint64_t before = bench.header->results[0];
  CHECK(bench.header->results[1] >= before);
  CHECK(bench.header->results[2] > 0);
  CHECK_EQUAL(mirrorbeat_clocks(bench.io), 0);
  CHECK(bench.header->results[0] > before);
  bench_close(&bench);
}

static int32_t lock(struct bench *bench, const char *path) {
  char *scratch = (char *)(uintptr_t)(bench->setup.area + bench->setup.scratch_start);
  (void)strcpy(scratch, path);
  bench->header->arguments[0] = bench->setup.scratch_start;
  return mirrorbeat_lock_file(bench->io);
}

static void instance_lock(void) {
  struct bench bench;
  bench_open(&bench);
  CHECK_EQUAL(lock(&bench, test_path("lock")), 0);
  CHECK_EQUAL(lock(&bench, test_path("lock")), -EWOULDBLOCK);
  CHECK_EQUAL(lock(&bench, test_path("missing/lock")), -ENOENT);
  bench.header->arguments[0] = UINT64_MAX;
  CHECK_EQUAL(mirrorbeat_lock_file(bench.io), -ENAMETOOLONG);
  bench_close(&bench);
}

/* The kernel marks what a forked child does not get with "dc". */
static void area_stays_out_of_children(void) {
  struct bench bench;
  bench_open(&bench);
  FILE *maps = fopen("/proc/self/smaps", "r");
  CHECK(maps != NULL);
  char line[512];
  bool inside = false, kept_out = false;
  while (fgets(line, sizeof line, maps) != NULL) {
    unsigned long start, end;
    if (sscanf(line, "%lx-%lx ", &start, &end) == 2) inside = start == bench.setup.area;
    if (inside && strncmp(line, "VmFlags:", 8) == 0) kept_out = strstr(line, " dc") != NULL;
  }
  (void)fclose(maps);
  CHECK(kept_out);
  bench_close(&bench);
}

static int forbid(uint32_t system_call, uint32_t reason) {
  struct sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, system_call, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | reason),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog filter = {.len = sizeof program / sizeof program[0], .filter = program};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

/* In a child, for a filter cannot be taken off. Its exit code is the number of the wrong answer. */
static int without_io_uring(uint32_t system_call, uint32_t reason, uint32_t step) {
  pid_t child = fork();
  if (child == 0) {
    if (forbid(system_call, reason) != 0) _exit(9);
    struct mirrorbeat_setup setup = {.abi_version = MIRRORBEAT_ABI_VERSION, .data_bytes = 4096};
    if (mirrorbeat_create(&setup) != 0) _exit(1);
    if (setup.engine != MIRRORBEAT_ENGINE_AIO) _exit(2);
    if (setup.refusal != step || setup.refusal_errno != (int32_t)reason) _exit(3);
    setup = (struct mirrorbeat_setup){.abi_version = MIRRORBEAT_ABI_VERSION, .data_bytes = 4096,
                                      .engine = MIRRORBEAT_ENGINE_URING};
    if (mirrorbeat_create(&setup) >= 0) _exit(4);
    _exit(0);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static void falls_back(void) {
  CHECK_EQUAL(without_io_uring(SYS_io_uring_setup, EPERM, MIRRORBEAT_REFUSAL_SETUP), 0);
  CHECK_EQUAL(without_io_uring(SYS_io_uring_setup, ENOSYS, MIRRORBEAT_REFUSAL_SETUP), 0);
  CHECK_EQUAL(without_io_uring(SYS_io_uring_enter, EPERM, MIRRORBEAT_REFUSAL_ENTER), 0);
  CHECK_EQUAL(without_io_uring(SYS_io_uring_register, EOPNOTSUPP, MIRRORBEAT_REFUSAL_FEATURES), 0);
}

void host_tests(void) {
  test_run("setup: refuses nonsense", refuses_nonsense);
  test_run("clocks", clocks);
  test_run("instance lock", instance_lock);
  test_run("area stays out of children", area_stays_out_of_children);
  test_run("falls back to AIO where io_uring is forbidden", falls_back);
}
