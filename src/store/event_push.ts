/**
 * The short way of an event into the queue: to the finest wheel, into a chunk that has room.
 *
 * @module
 */
import { CLOCK } from "./clock.ts";
import { type EventSlots, WHEELS } from "./event_slots.ts";

const { FINE_MASK, CHUNK_MASK } = WHEELS;
const { NOW, END, EPOCH, TIME, FINE_END, PER_NS } = CLOCK;

/**
 * Makes the function that adds an event of time `clock[CLOCK.TIME]` this way, and returns whether it could. Clock and slots
 * are constants in it, and it calls nothing: so V8 inlines it where packets are sent, at half the instructions.
 */
export function shortPush(clock: Float64Array, slots: EventSlots): (ref: number) => boolean {
  return function pushShort(ref: number): boolean {
    const timeNs = clock[TIME];
    if (timeNs >= clock[END] && timeNs < clock[FINE_END] && timeNs > clock[NOW] && Math.floor(timeNs) === timeNs) {
      const { refs } = slots;
      const slot = ((timeNs - clock[EPOCH]) * clock[PER_NS]) & FINE_MASK;
      const at = refs[slot];
      if ((at & CHUNK_MASK) !== 0) {
        slots.waiting = (slots.waiting + 1) | 0;
        slots.times[at] = timeNs;
        refs[at] = ref | 0;
        refs[slot] = at + 1;
        return true;
      }
    }
    return false;
  };
}
