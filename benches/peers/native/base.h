/* The figures of the work, the clock, and memory. */
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t nanoseconds;

enum { REQUEST = 100, REPLY = 1000, HEADERS = 40, SEGMENT = 1460, WINDOW = 65535 };
enum { SERVER_PORT = 443, FIRST_PORT = 1024, PORTS_PER_OUTER_ADDRESS = 60000 };

#define OPENING_EVERY 10000           /* ns between two connections, and between two requests of the second phase */
#define PAUSE 1000000000              /* ns between the last connection and the second phase */
#define PACKETS_IN_FLIGHT (1u << 20)  /* room for this many; address space only until they are used */
#define FIRST_HOST 0x0A000002u        /* 10.0.0.2 */
#define SERVER_ADDRESS 0xC0000201u    /* 192.0.2.1 */
#define FIRST_OUTER_ADDRESS 0xCB007100u /* 203.0.113.0 */

static u32 connectionCount, hostCount, requestCount;
static nanoseconds now;

static void fail(const char *why) {
  fprintf(stderr, "native: %s\n", why);
  exit(2);
}

/* Zeroed memory on a page boundary, so that 64-byte records are cache lines; resident only once it is touched. */
static void *reserve(size_t count, size_t size) {
  void *memory = mmap(NULL, count * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) fail("there is not enough memory");
  return memory;
}
