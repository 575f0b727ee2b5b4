/* Hash tables: open addressing, eight bytes an entry, the key in the record that is wanted anyway. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "records.h"

struct entry {
  u32 hash, row; /* row + 1; 0: empty */
};

struct table {
  struct entry *entries;
  u32 mask;
};

static struct table byTuple, byInside, byOutside;

static struct table newTable(u64 rows) {
  u64 size = 1024;
  while (size * 7 < rows * 10) size *= 2;
  return (struct table){reserve(size, sizeof(struct entry)), (u32)(size - 1)};
}

static inline u32 hashOf(u32 local, u32 remote, u32 ports) {
  u64 h = ((u64)local << 32 | remote) * 0x9FB21C651E98DF25ull;
  h = (h ^ h >> 32 ^ ports) * 0xD6E8FEB86659FD93ull;
  return (u32)(h >> 32);
}

static inline bool same(const struct tuple *t, u32 local, u32 remote, u32 ports) {
  return t->local == local && t->ports == ports && t->remote == remote;
}

/* The two ends of a packet, swapped. */
static inline u32 turned(u32 ports) {
  return ports << 16 | ports >> 16;
}

#define NONE UINT32_MAX

/* The row whose tuple, `offset` bytes into records of `size` bytes, is this one; or NONE. */
static inline __attribute__((always_inline)) u32 find(const struct table *table, u32 hash, const void *records,
                                                      size_t size, size_t offset, u32 local, u32 remote, u32 ports) {
  for (u32 i = hash & table->mask;; i = (i + 1) & table->mask) {
    struct entry entry = table->entries[i];
    if (entry.row == 0) return NONE;
    if (entry.hash != hash) continue;
    const char *record = (const char *)records + (size_t)(entry.row - 1) * size;
    if (same((const struct tuple *)(record + offset), local, remote, ports)) return entry.row - 1;
  }
}

static void insert(struct table *table, u32 hash, u32 row) {
  u32 i = hash & table->mask;
  while (table->entries[i].row != 0) i = (i + 1) & table->mask;
  table->entries[i] = (struct entry){hash, row + 1};
}

static inline u32 findConnection(u32 hash, u32 local, u32 remote, u32 ports) {
  size_t offset = offsetof(struct connection, tuple);
  return find(&byTuple, hash, connections, sizeof *connections, offset, local, remote, ports);
}
