/* Timers: one per connection, on a wheel of ticks of 2^20 ns. */
#pragma once
#include "arrivals.h"

/*
 * Moving a deadline later, or taking it away, leaves the wheel alone: when the tick comes for which the connection is
 * queued, it is queued again, or forgotten.
 */
enum { TICK_BITS = 20, TIMER_SLOTS = 4096, BUCKETS_PER_TICK = 1 << (TICK_BITS - BUCKET_BITS) };
enum { TICKS_MIN = 191, TICKS_FIRST = 954, TICKS_MAX = 57220 }; /* 200 ms, 1 s, 60 s */

struct timer {
  u32 deadline, queuedFor; /* ticks; 0: none */
};

struct timerSlot {
  u32 *rows;
  u32 count, room;
};

static struct timer *timers;
static struct timerSlot timerSlots[TIMER_SLOTS];
static u32 currentTick;
static u64 timersPending;

static void queueTimer(u32 row, u32 tick) {
  if (tick - currentTick >= TIMER_SLOTS) tick = currentTick + TIMER_SLOTS - 1;
  timers[row].queuedFor = tick;
  timersPending++;
  struct timerSlot *slot = &timerSlots[tick & (TIMER_SLOTS - 1)];
  if (slot->count == slot->room) {
    slot->room = slot->room ? slot->room * 2 : 64;
    slot->rows = realloc(slot->rows, slot->room * sizeof *slot->rows);
    if (slot->rows == NULL) fail("there is not enough memory");
  }
  slot->rows[slot->count++] = row;
}

static inline void arm(u32 row, u32 ticks) {
  u32 deadline = (u32)(now >> TICK_BITS) + 1 + ticks;
  struct timer *timer = &timers[row];
  timer->deadline = deadline;
  if (timer->queuedFor == 0 || timer->queuedFor > deadline) queueTimer(row, deadline);
}

static inline void disarm(u32 row) {
  timers[row].deadline = 0;
}

static void retransmit(u32 row);

static void fireTimers(u32 tick) {
  currentTick = tick;
  now = (nanoseconds)tick << TICK_BITS;
  struct timerSlot *slot = &timerSlots[tick & (TIMER_SLOTS - 1)];
  /* Nothing is queued for the tick that is being fired, so the slot does not change meanwhile. */
  for (u32 i = 0; i < slot->count; i++) {
    struct timer *timer = &timers[slot->rows[i]];
    if (timer->queuedFor != tick) continue; /* queued for an earlier tick since */
    timer->queuedFor = 0;
    if (timer->deadline > tick) {
      queueTimer(slot->rows[i], timer->deadline);
    } else if (timer->deadline != 0) {
      timer->deadline = 0;
      retransmit(slot->rows[i]);
    }
  }
  timersPending -= slot->count;
  slot->count = 0;
}
