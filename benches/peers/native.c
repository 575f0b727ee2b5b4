/*
 * The work of examples/million.yaml in plain C, to measure fourtuple against.
 *
 *     1,000 hosts -- r1 -- nat -- r2 -- r3 -- server
 *
 * A host opens a connection every 10 us, through the NAT, to one port of the server. It sends a request of 100 bytes,
 * reads a reply of 1,000, and holds the connection open. Every packet takes every hop: it waits for its link, travels,
 * is routed by longest prefix, is translated by the NAT, and is taken by a small TCP at the end: handshake, sequence
 * and acknowledgement checks, round-trip and retransmission timers, congestion window, one packet per acknowledgement.
 * There is no loss here and nobody closes, so that is all the TCP that this work exercises.
 *
 *     gcc -O3 -march=native native.c -o native
 *     ./native [CONNECTIONS [HOSTS [REQUESTS]]]
 *
 * REQUESTS is a second phase: that many more requests, each over a connection picked at random among those held, which
 * is what tells a cache-friendly arrival order from a random one. One line of JSON comes out.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <sys/resource.h>
#include <time.h>

/* Parts of one program, compiled together so that the compiler sees through all of them. */
#include "native/nat.h"
#include "native/network.h"
#include "native/tcp.h"

/* Where a packet that comes to this place, no router, is looked up. */
static inline const struct table *tableAt(u32 place) {
  return place == NAT_FROM_INSIDE ? &byInside : place == NAT_FROM_OUTSIDE ? &byOutside : &byTuple;
}

/*
 * A million connections do not fit into any cache, so each lookup would wait for memory three times. A bucket's
 * arrivals are known beforehand: all their packets are asked for at once, then their hash entries, then their records.
 */
static void fetchAhead(const struct bucket *bucket) {
  for (u32 i = 0; i < bucket->count; i++) {
    if (bucket->items[i].link != GENERATOR) __builtin_prefetch(&packets[bucket->items[i].packet], 1);
  }
  for (u32 i = 0; i < bucket->count; i++) {
    struct arrival arrival = bucket->items[i];
    if (arrival.link == GENERATOR) continue;
    u32 place = links[arrival.link].to;
    if (place == ROUTER) continue;
    struct packet *packet = &packets[arrival.packet];
    packet->hash = place == NAT_FROM_INSIDE ? hashOf(packet->source, packet->destination, packet->ports)
                                            : hashOf(packet->destination, packet->source, turned(packet->ports));
    const struct table *table = tableAt(place);
    __builtin_prefetch(&table->entries[packet->hash & table->mask]);
  }
  for (u32 i = 0; i < bucket->count; i++) {
    struct arrival arrival = bucket->items[i];
    if (arrival.link == GENERATOR) continue;
    u32 place = links[arrival.link].to;
    if (place == ROUTER) continue;
    const struct table *table = tableAt(place);
    u32 row = table->entries[packets[arrival.packet].hash & table->mask].row;
    if (row == 0) continue;
    if (table == &byTuple) {
      __builtin_prefetch(&connections[row - 1], 1);
      __builtin_prefetch(&timers[row - 1], 1);
    } else {
      __builtin_prefetch(&mappings[row - 1], 1);
    }
  }
}

/* A packet comes off a link. */
static inline void arrive(u32 index, u32 row) {
  struct packet *packet = &packets[row];
  const struct link *link = &links[index];
  hops++;
  digest = (digest ^ (u64)now ^ (u64)index << 48) * 0xD6E8FEB86659FD93ull;
  digest = (digest ^ digest >> 29 ^ packet->seq) * 0x9FB21C651E98DF25ull;
  if (link->to == HOST || link->to == SERVER) {
    releasePacket(row);
    segmentArrives(link->to, *packet);
    return;
  }
  bool passes = --packet->ttl > 0;
  if (passes && link->to == NAT_FROM_INSIDE) translateOut(packet);
  else if (passes && link->to == NAT_FROM_OUTSIDE) passes = translateIn(packet);
  if (passes) {
    transmit(row, routeOf(link->router, packet->destination));
  } else {
    releasePacket(row);
    dropped++;
  }
}

static u32 opened, requested;
static nanoseconds secondPhase;

/* Opens the next connection; in the second phase, sends a request over any that is at rest. */
static void generate(void) {
  nanoseconds again = now + OPENING_EVERY;
  if (opened < connectionCount) {
    openConnection(opened++);
    if (opened == connectionCount) again = secondPhase;
  } else {
    static u32 random = 0x2545F491;
    random ^= random << 13;
    random ^= random >> 17;
    random ^= random << 5;
    u32 row = random % connectionCount;
    struct connection *client = &connections[row];
    if (client->state == ESTABLISHED && client->unacked == client->next) sendMessage(row, REQUEST);
    requested++;
  }
  if (opened < connectionCount || requested < requestCount) schedule((struct arrival){again, 0, GENERATOR});
}

/* Runs until nothing is on its way and no timer pends, or until a time (a bucket's beginning). */
static void run(nanoseconds until) {
  for (; arrivalsPending + timersPending > 0 && currentBucket < (u64)until >> BUCKET_BITS; currentBucket++) {
    if (currentBucket % BUCKETS_PER_TICK == 0) fireTimers((u32)(currentBucket / BUCKETS_PER_TICK));
    if (currentBucket % BLOCK == 0) moveBlock((currentBucket >> BLOCK_BITS) + 1);
    struct bucket *bucket = &fine[currentBucket & (2 * BLOCK - 1)];
    if (bucket->count == 0) continue;
    sort(bucket->items, bucket->count);
    fetchAhead(bucket);
    for (u32 i = 0; i < bucket->count; i++) {
      struct arrival arrival = bucket->items[i];
      now = arrival.time;
      arrivalsPending--;
      if (arrival.link == GENERATOR) generate();
      else arrive(arrival.link, arrival.packet);
    }
    bucket->count = 0;
  }
}

static void build(void) {
  u64 ends = 2 * (u64)connectionCount;
  packets = reserve(PACKETS_IN_FLIGHT, sizeof *packets);
  freePacket = NONE;
  connections = reserve(ends, sizeof *connections);
  histories = reserve(ends, sizeof *histories);
  timers = reserve(ends, sizeof *timers);
  mappings = reserve(connectionCount, sizeof *mappings);
  byTuple = newTable(ends);
  byInside = newTable(connectionCount);
  byOutside = newTable(connectionCount);

  links = reserve(2 * (size_t)hostCount + MIDDLE_LINKS, sizeof *links);
  for (u32 i = 0; i < hostCount; i++) {
    nanoseconds delay = 1000000 + (u64)i * 7919 % 4000 * 1000;
    links[i] = (struct link){0, delay, 80000, ROUTER, R1};
    links[hostCount + i] = (struct link){0, delay, 80000, HOST, 0};
  }
  links[middle(R1_NAT)] = (struct link){0, 50000, 800, NAT_FROM_INSIDE, NAT};
  links[middle(NAT_R1)] = (struct link){0, 50000, 800, ROUTER, R1};
  links[middle(NAT_R2)] = (struct link){0, 5000000, 800, ROUTER, R2};
  links[middle(R2_NAT)] = (struct link){0, 5000000, 800, NAT_FROM_OUTSIDE, NAT};
  links[middle(R2_R3)] = (struct link){0, 10000000, 800, ROUTER, R3};
  links[middle(R3_R2)] = (struct link){0, 10000000, 800, ROUTER, R2};
  links[middle(R3_SERVER)] = (struct link){0, 100000, 800, SERVER, 0};
  links[middle(SERVER_R3)] = (struct link){0, 100000, 800, ROUTER, R3};

  for (u32 i = 0; i < ROUTERS; i++) routes[i] = reserve(1 << 16, sizeof **routes);
  addRoute(R1, 0, 0, middle(R1_NAT));
  for (u32 i = 0; i < hostCount; i++) addRoute(R1, FIRST_HOST + i, 32, hostCount + i);
  addRoute(NAT, 0, 0, middle(NAT_R2));
  addRoute(NAT, 0x0A000000, 8, middle(NAT_R1));
  addRoute(R2, 0, 0, middle(R2_R3));
  addRoute(R2, FIRST_OUTER_ADDRESS, 24, middle(R2_NAT));
  addRoute(R3, 0, 0, middle(R3_R2));
  addRoute(R3, SERVER_ADDRESS, 32, middle(R3_SERVER));
}

static double wallClock(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

/* Most memory ever resident. Linux keeps it for this program alone; getrusage counts what started it, too. */
static long long peakRssBytes(void) {
  long long kibibytes = 0;
  FILE *status = fopen("/proc/self/status", "r");
  if (status != NULL) {
    char line[256];
    while (fgets(line, sizeof line, status) != NULL && sscanf(line, "VmHWM: %lld", &kibibytes) != 1) {}
    fclose(status);
  }
  if (kibibytes > 0) return kibibytes * 1024;
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
#ifdef __APPLE__
  return usage.ru_maxrss;
#else
  return usage.ru_maxrss * 1024ll;
#endif
}

static u32 argument(int count, char **values, int which, u32 otherwise, u32 from, u32 to) {
  if (which >= count) return otherwise;
  char *end;
  unsigned long long value = strtoull(values[which], &end, 10);
  if (*values[which] == '\0' || *end != '\0' || value < from || value > to) {
    fail("usage: native [CONNECTIONS [HOSTS [REQUESTS]]]: up to 15,000,000, 65,000 and 4,000,000,000, and at most "
         "64,512 connections a host");
  }
  return (u32)value;
}

static void printPhase(double wall, u64 packetHops, u64 answered) {
  printf("\"wallSeconds\":%.4f,\"packetHops\":%" PRIu64 ",\"nsPerHop\":%.1f,\"replies\":%" PRIu64, wall, packetHops,
         wall * 1e9 / (double)packetHops, answered);
}

int main(int count, char **values) {
  connectionCount = argument(count, values, 1, 1000000, 1, 15000000);
  hostCount = argument(count, values, 2, 1000, 1, 65000);
  requestCount = argument(count, values, 3, 0, 0, 4000000000u);
  if (connectionCount > (u64)hostCount * (65536 - FIRST_PORT)) fail("a host has 64,512 ports and no more");
  build();

  secondPhase = (nanoseconds)connectionCount * OPENING_EVERY + PAUSE;
  double began = wallClock();
  schedule((struct arrival){0, 0, GENERATOR});
  run(secondPhase);
  double wall = wallClock() - began;
  u64 firstHops = hops, firstReplies = replies;
  run(INT64_MAX);
  double secondWall = wallClock() - began - wall;
  if (dropped > 0 || retransmissions > 0) fail("packets were lost or late: too many connections for so few hosts");

  printf("{\"connections\":%" PRIu32 ",", connectionCount);
  printPhase(wall, firstHops, firstReplies);
  printf(",\"peakRssBytes\":%lld,\"established\":%" PRIu64, peakRssBytes(), established);
  if (requestCount > 0) {
    printf(",\"second\":{\"requests\":%" PRIu32 ",", requestCount);
    printPhase(secondWall, hops - firstHops, replies - firstReplies);
    printf("}");
  }
  printf(",\"digest\":\"%016" PRIx64 "\"}\n", digest);
  return 0;
}
