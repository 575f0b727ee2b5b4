/* Links, routes, and packets on them. */
#pragma once
#include "arrivals.h"
#include "records.h"

enum place { HOST, SERVER, ROUTER, NAT_FROM_INSIDE, NAT_FROM_OUTSIDE };

struct link {
  nanoseconds freeAt, delay;
  u32 picosecondsPerByte;
  u8 to;     /* a place */
  u8 router; /* whose routes decide where a packet goes from there */
};

/* Hosts have two links each, up and down; then come those of the middle. */
enum { R1_NAT, NAT_R1, NAT_R2, R2_NAT, R2_R3, R3_R2, R3_SERVER, SERVER_R3, MIDDLE_LINKS };
enum { R1, NAT, R2, R3, ROUTERS };

static struct link *links;

static inline u32 middle(u32 which) {
  return 2 * hostCount + which;
}

/* Longest prefix in at most two steps: by the upper 16 bits, and where prefixes are longer than that, the lower. */
static u32 *routes[ROUTERS], *leaves[8];
static u32 leafCount;

#define IN_LEAF 0x80000000u

/* Shorter prefixes must be added before longer ones. */
static void addRoute(u32 router, u32 prefix, u32 length, u32 link) {
  u32 *upper = routes[router] + (prefix >> 16);
  if (length <= 16) {
    for (u32 i = 0; i < 1u << (16 - length); i++) upper[i] = link;
    return;
  }
  if (!(*upper & IN_LEAF)) {
    u32 *leaf = leaves[leafCount] = reserve(1 << 16, sizeof *leaf);
    for (u32 i = 0; i < 1 << 16; i++) leaf[i] = *upper;
    *upper = IN_LEAF | leafCount++;
  }
  u32 *lower = leaves[*upper & ~IN_LEAF] + (prefix & 0xFFFF);
  for (u32 i = 0; i < 1u << (32 - length); i++) lower[i] = link;
}

static inline u32 routeOf(u32 router, u32 destination) {
  u32 link = routes[router][destination >> 16];
  return link & IN_LEAF ? leaves[link & ~IN_LEAF][destination & 0xFFFF] : link;
}

/* Puts a packet on a link: behind those that wait for it, then its own bytes, then the way. */
static inline void transmit(u32 packet, u32 index) {
  struct link *link = &links[index];
  nanoseconds start = link->freeAt > now ? link->freeAt : now;
  link->freeAt = start + (u64)(packets[packet].length + HEADERS) * link->picosecondsPerByte / 1000;
  schedule((struct arrival){link->freeAt + link->delay, packet, index});
}

static u32 takePacket(void) {
  u32 packet = freePacket;
  if (packet != NONE) {
    freePacket = packets[packet].nextFree;
    return packet;
  }
  if (packetsUsed == PACKETS_IN_FLIGHT) fail("too many packets in flight");
  return packetsUsed++;
}

static inline void releasePacket(u32 packet) {
  packets[packet].nextFree = freePacket;
  freePacket = packet;
}
