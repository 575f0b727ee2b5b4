/* The NAT: one mapping per connection, found from either side. */
#pragma once
#include "table.h"
#include "timers.h"

/* The outer side of mapping n: addresses are used up one after another, ports in order. */
static u32 addMapping(struct packet *packet) {
  u32 row = mappingCount++;
  struct mapping *mapping = &mappings[row];
  u32 outer = FIRST_OUTER_ADDRESS + row / PORTS_PER_OUTER_ADDRESS;
  u32 port = FIRST_PORT + row % PORTS_PER_OUTER_ADDRESS;
  mapping->inside = (struct tuple){packet->source, packet->destination, packet->ports};
  mapping->outside = (struct tuple){outer, packet->destination, port << 16 | (packet->ports & 0xFFFF)};
  mapping->createdTick = currentTick;
  insert(&byInside, packet->hash, row);
  insert(&byOutside, hashOf(outer, packet->destination, mapping->outside.ports), row);
  return row;
}

static inline u32 findMapping(const struct table *table, size_t side, u32 hash, u32 local, u32 remote, u32 ports) {
  return find(table, hash, mappings, sizeof *mappings, side, local, remote, ports);
}

static void translateOut(struct packet *packet) {
  u32 row = findMapping(&byInside, offsetof(struct mapping, inside), packet->hash, packet->source, packet->destination,
                        packet->ports);
  if (row == NONE) row = addMapping(packet);
  struct mapping *mapping = &mappings[row];
  packet->source = mapping->outside.local;
  packet->ports = mapping->outside.ports;
  mapping->usedTick = currentTick;
  mapping->packetsOut++;
  mapping->bytesOut += packet->length;
}

/* Returns false where no mapping asks for this packet. */
static bool translateIn(struct packet *packet) {
  u32 row = findMapping(&byOutside, offsetof(struct mapping, outside), packet->hash, packet->destination,
                        packet->source, turned(packet->ports));
  if (row == NONE) return false;
  struct mapping *mapping = &mappings[row];
  packet->destination = mapping->inside.local;
  packet->ports = turned(mapping->inside.ports);
  mapping->usedTick = currentTick;
  mapping->packetsIn++;
  mapping->bytesIn += packet->length;
  return true;
}
