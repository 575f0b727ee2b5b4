/**
 * Links: two directions each, a direction being one row. Rate, queue and delay are worked out when a packet is sent
 * (a drop-tail queue needs no event of its own); what goes wrong on the way is in `impairments.ts`. Where a queue has a
 * discipline (`queues/`), packets wait there, and the driver asks for the next one when the link is free.
 *
 * @module
 */
import { type PlainValue, type StateVisitor, visitMap, visitNumbers } from "../base/state.ts";
import { CLOCK, newClock } from "../store/clock.ts";
import { alignedWords } from "../store/rows.ts";
import { PACKET, packetBytes, type PacketPool } from "../wire/packet.ts";
import type { AddressTable } from "../base/address.ts";
import { DIRECTION, DIRECTION_FLAG, PACE } from "./layout.ts";
import { impair, type ImpairedPacket, isLost, losesOnly } from "./impairments.ts";
import { markCongestion, type QueueDiscipline, QueuePackets } from "./queues/discipline.ts";
import { join } from "./queues/drop_tail.ts";
import { makeDiscipline } from "./queues/make.ts";
import { type Details, isCounting, type LinkSettings, noteFull, type Purge, type QueueRecord } from "./settings.ts";

export { DIRECTION, DIRECTION_FLAG, PACE } from "./layout.ts";
export type { LinkSettings, QueueRecord } from "./settings.ts";

/** What becomes of a packet on a link that was cut, or whose queue was emptied. */
export const LINK_FATE = { ARRIVES: 0, CUT: 1, PURGED: 2 } as const;

/** Why a link took no packet, or lost it; or (`HELD`) that the packet waits in the link. */
export const LINK_DROP = { NONE: 0, QUEUE_FULL: 1, LOST: 2, DOWN: 3, HELD: 4 } as const;

const { FROM, TO, SETTINGS, RANK, SENT, FLAGS, DETAILS, MTU, MASK, STRIDE } = DIRECTION;
// (A constant of this module is called without a check, an imported function is not.)
const bytesOf = packetBytes;
const { LINK, LINK_SEQ, HASH, SRC, MASK: PACKET_MASK, STRIDE: PACKET_STRIDE } = PACKET;
const { DOWN, ELABORATE, CUT } = DIRECTION_FLAG;
const { FREE_AT_NS, FREE_AT_REST, RATE_BPS, DELAY_NS, MASK: PACE_MASK, STRIDE: PACE_STRIDE } = PACE;

const { NONE, QUEUE_FULL, LOST, DOWN: LINK_DOWN, HELD } = LINK_DROP;
const { NOW, TIME } = CLOCK;

/** One as a double: V8 takes a literal for an integer, and converts and checks what it is added to. */
const UNIT = Float64Array.of(1);

/** Of a direction that draws nothing. */
const NO_KEY = new Int32Array(2);

/** The link directions of one partition. */
export class Links {
  /** The time, shared with the driver (`CLOCK`). */
  declare readonly clock: Float64Array;
  /** Rows: `words[d * DIRECTION.STRIDE + field]`. */
  declare readonly words: Int32Array;
  /** Times: `pace[d * PACE.STRIDE + place]`. */
  declare readonly pace: Float64Array;
  /** Settings by index. */
  readonly settings: LinkSettings[] = [];
  /** Rows in use. */
  count = 0;
  /** Of directions that were cut (`DIRECTION_FLAG.CUT`): the number of the first packet sent since. */
  readonly cuts: Map<number, number> = new Map();
  /** Of directions whose queue was emptied: which packets were in it. */
  readonly purges: Map<number, Purge[]> = new Map();
  /** Records of directions with a limited queue. */
  readonly queues: Map<number, QueueRecord> = new Map();
  /** The second packet of a duplication, and when it arrives; the caller queues it. */
  readonly duplicate: ImpairedPacket = { packet: 0, arrivalNs: 0 };
  /** Where disciplines leave what they drop. */
  declare readonly discarded: QueuePackets;
  /** The partition's packets. */
  declare readonly packets: PacketPool;
  /** The addresses behind the ids. */
  declare readonly addresses: AddressTable;
  readonly #details: Details[] = [];
  /** Directions that have got a limited queue in mid-run, in that order. */
  readonly #limitedLater: number[] = [];
  /** Packets that links have made by duplication. */
  duplicated = 0;
  /** See `sendNext`. */
  outcome = 0;
  /** See `sendNext`. */
  nextNs = -1;
  readonly #outcome = { drop: false, extraNs: 0, duplicate: false, corruptBit: 0 };

  /** Reserves `capacity` directions. `clock`: the driver's. */
  constructor(options: { packets: PacketPool; addresses: AddressTable; capacity: number; clock?: Float64Array }) {
    this.clock = options.clock ?? newClock();
    this.packets = options.packets;
    this.addresses = options.addresses;
    this.discarded = new QueuePackets(options.packets, options.addresses);
    this.words = alignedWords((options.capacity + 1) * STRIDE);
    this.pace = new Float64Array((options.capacity + 1) * PACE_STRIDE);
  }

  /** Adds a direction and returns its row. `key` seeds its random draws; needed if it has impairments. */
  add(
    options: {
      from: number;
      to: number;
      settings: number;
      rank: number;
      flags: number;
      extraDelayNs: number;
      key?: Int32Array;
    },
  ): number {
    const row = this.count++;
    const at = (row * STRIDE) & MASK;
    this.words[at + FROM] = options.from;
    this.words[at + TO] = options.to;
    this.words[at + SETTINGS] = options.settings;
    this.words[at + RANK] = options.rank;
    const settings = this.settings[options.settings];
    const { ecnThresholdBytes = Infinity, ecnThresholdPackets = Infinity } = settings;
    const limited = settings.queueBytes !== Infinity || settings.queuePackets !== Infinity;
    const managed = settings.discipline !== undefined;
    const watched = limited || managed || ecnThresholdBytes !== Infinity || ecnThresholdPackets !== Infinity;
    this.words[at + FLAGS] = options.flags | (watched || settings.impaired ? ELABORATE : 0);
    this.words[at + MTU] = settings.mtuBytes;
    this.pace[row * PACE_STRIDE + FREE_AT_NS] = -1;
    this.pace[row * PACE_STRIDE + RATE_BPS] = settings.rateBps;
    this.pace[row * PACE_STRIDE + DELAY_NS] = settings.delayNs + options.extraDelayNs;
    const record = watched ? { peakBytes: 0, peakPackets: 0, firstFullNs: -1, carriedBytes: 0 } : undefined;
    if (limited) this.queues.set(row, record!);
    if (watched || settings.impaired) this.#elaborate(row, record, isCounting(settings), options.key);
    return row;
  }

  #elaborate(row: number, record: QueueRecord | undefined, counting: boolean, key: Int32Array = NO_KEY): void {
    const packets = { departuresNs: new Float64Array(counting ? 16 : 0), head: 0, count: 0 };
    const { discipline: settings } = this.settings[this.words[row * STRIDE + SETTINGS]];
    const discipline = settings === undefined ? undefined : makeDiscipline(settings, this.discarded, key);
    const details = { record, packets, drops: 0, marks: 0, counting, key, discipline, awaited: false };
    this.words[row * STRIDE + DETAILS] = this.#details.push(details) - 1;
  }

  /** Makes direction `d` ready for settings that it may get later: impairments (`key` seeds their draws), a queue. */
  prepare(d: number, key: Int32Array): void {
    const at = (d * STRIDE) & MASK;
    const record = { peakBytes: 0, peakPackets: 0, firstFullNs: -1, carriedBytes: 0 };
    if ((this.words[at + FLAGS] & ELABORATE) === 0) {
      this.#elaborate(d, record, true, key);
      this.words[at + FLAGS] |= ELABORATE;
      return;
    }
    const details = this.#details[this.words[at + DETAILS]];
    details.record ??= record;
    if (details.key === NO_KEY) details.key = key;
    if (details.packets.departuresNs.length === 0) details.packets.departuresNs = new Float64Array(16);
  }

  /** Gives direction `d`, which was prepared, other settings. What is on its way, or waits, goes as it would have. */
  change(d: number, settings: number): void {
    const at = (d * STRIDE) & MASK;
    const paceAt = (d * PACE_STRIDE) & PACE_MASK;
    const { pace, words } = this;
    const before = this.settings[words[at + SETTINGS]];
    const after = this.settings[settings];
    const details = this.#details[words[at + DETAILS]];
    words[at + SETTINGS] = settings;
    words[at + MTU] = after.mtuBytes;
    pace[paceAt + DELAY_NS] += after.delayNs - before.delayNs;
    if (after.rateBps !== before.rateBps) {
      // (The rest is in units of the old rate.)
      if (pace[paceAt + FREE_AT_REST] > 0) pace[paceAt + FREE_AT_NS]++;
      pace[paceAt + FREE_AT_REST] = 0;
      pace[paceAt + RATE_BPS] = after.rateBps;
    }
    details.counting = isCounting(after);
    if (!details.counting) details.packets.count = details.packets.head = 0;
    if (this.queues.has(d) || (after.queueBytes === Infinity && after.queuePackets === Infinity)) return;
    this.queues.set(d, details.record!);
    this.#limitedLater.push(d);
  }

  /** Cuts direction `d`: what waits for it or is on its way is lost. */
  cut(d: number): void {
    const at = (d * STRIDE) & MASK;
    this.cuts.set(d, this.words[at + SENT]);
    this.words[at + FLAGS] |= CUT;
    this.#emptyQueue(d);
  }

  /**
   * Empties the queue of direction `d`: what has left goes on, what waits, or has not left in full, is lost. (Where the
   * link holds packets back at random, some that waited may get through.)
   */
  purge(d: number): void {
    const at = (d * STRIDE) & MASK;
    const nowNs = this.clock[NOW];
    if (this.backlogBytes(d, nowNs) > 0) {
      const { impairments } = this.settings[this.words[at + SETTINGS]];
      const heldNs = impairments.jitterNs + (impairments.reorder > 0 ? impairments.reorderNs : 0);
      const sinceNs = nowNs + this.pace[d * PACE_STRIDE + DELAY_NS] + heldNs;
      const purges = this.purges.get(d) ?? [];
      purges.push({ before: this.words[at + SENT], sinceNs });
      this.purges.set(d, purges);
      this.words[at + FLAGS] |= CUT;
    }
    this.#emptyQueue(d);
  }

  /** What became of packet `p`, which arrives over direction `d`, when that was cut or its queue emptied. */
  fateOf(d: number, p: number): number {
    const sequence = this.packets.rows.words[p * PACKET_STRIDE + LINK_SEQ];
    const cut = this.cuts.get(d);
    if (cut !== undefined && ((sequence - cut) | 0) < 0) return LINK_FATE.CUT;
    const purges = this.purges.get(d);
    if (purges === undefined) return LINK_FATE.ARRIVES;
    const arrivalNs = this.clock[NOW];
    const lost = purges.some(({ before, sinceNs }) => ((sequence - before) | 0) < 0 && arrivalNs > sinceNs);
    return lost ? LINK_FATE.PURGED : LINK_FATE.ARRIVES;
  }

  /** Nothing waits any more; what a discipline held is in `discarded.overflowed`. */
  #emptyQueue(d: number): void {
    this.pace[d * PACE_STRIDE + FREE_AT_NS] = -1;
    this.pace[d * PACE_STRIDE + FREE_AT_REST] = 0;
    const at = (d * STRIDE) & MASK;
    if ((this.words[at + FLAGS] & ELABORATE) === 0) return;
    const { packets, discipline } = this.#details[this.words[at + DETAILS]];
    packets.count = packets.head = 0;
    if (discipline === undefined) return;
    const { early, overflowed } = this.discarded;
    for (let p = discipline.dequeue(this.clock[NOW]); p !== 0; p = discipline.dequeue(this.clock[NOW])) early.push(p);
    overflowed.push(...early.splice(0));
  }

  /**
   * Sends packet `p` into direction `d` at `nowNs`. Returns its arrival time in ns, or `-LINK_DROP.…`: then the
   * packet is still the caller's. Sets `duplicate.packet` (else 0) where the link makes a second one.
   */
  send(d: number, p: number, nowNs: number): number {
    this.clock[CLOCK.NOW] = nowNs;
    const refusal = this.sendNow(d, p);
    return refusal === LINK_DROP.NONE ? this.clock[CLOCK.TIME] : -refusal;
  }

  /** As `send`, at `clock[CLOCK.NOW]`: returns a `LINK_DROP`; for `NONE` the arrival time is in `clock[CLOCK.TIME]`. */
  sendNow(d: number, p: number): number {
    const words = this.words;
    const at = (d * STRIDE) & MASK;
    const flags = words[at + FLAGS];
    const rows = this.packets.rows.words;
    const row = (p * PACKET_STRIDE) & PACKET_MASK;
    const bytes = bytesOf(this.packets, p, this.addresses.isIpv6(rows[row + SRC]));
    if (flags & ELABORATE) {
      this.duplicate.packet = 0;
      if (flags & DOWN) return LINK_DOWN;
      const details = this.#details[words[at + DETAILS]];
      if (details.discipline !== undefined) {
        this.#hold(details, details.discipline, d, p, bytes);
        return HELD;
      }
      if (!this.#queueTakes(details, d, p, bytes)) {
        details.drops++;
        return QUEUE_FULL;
      }
    } else if (flags & DOWN) return LINK_DOWN;
    this.#departure(d, bytes);
    return this.#leaves(d, p, bytes);
  }

  /** As `sendNow`, of a direction that is neither `ELABORATE` nor `DOWN`: the packet arrives at `clock[CLOCK.TIME]`. */
  sendPlain(d: number, p: number): void {
    const packets = this.packets;
    const source = packets.rows.words[((p * PACKET_STRIDE) & PACKET_MASK) + SRC];
    this.#departure(d, bytesOf(packets, p, this.addresses.isIpv6(source)));
    this.#number(d, p);
  }

  /** Packet `p` goes onto direction `d`: its number there, which is returned. */
  #number(d: number, p: number): number {
    const words = this.words;
    const at = (d * STRIDE) & MASK;
    const rows = this.packets.rows.words;
    const row = (p * PACKET_STRIDE) & PACKET_MASK;
    const sequence = words[at + SENT];
    words[at + SENT] = (sequence + 1) | 0;
    rows[row + LINK] = d;
    rows[row + LINK_SEQ] = sequence;
    rows[row + HASH] = 0;
    return sequence;
  }

  /** Packet `p` goes onto direction `d`: its number there, and what the link does to it. */
  #leaves(d: number, p: number, bytes: number): number {
    const sequence = this.#number(d, p);
    return this.words[d * STRIDE + FLAGS] & ELABORATE ? this.#impaired(d, p, sequence, bytes) : NONE;
  }

  /**
   * Of direction `d`, which has a discipline: the packet that it sends now, whose fate is in `outcome` (as of `sendNow`);
   * 0 if it is busy, or nothing waits. Whenever packets go on waiting, and that was not so before, `nextNs` is when to
   * ask again; else it is -1. What was dropped is in `discarded`.
   */
  sendNext(d: number, asked: boolean): number {
    const details = this.#details[this.words[d * STRIDE + DETAILS]];
    const discipline = details.discipline!;
    const nowNs = this.clock[NOW];
    if (asked) details.awaited = false;
    let p = 0;
    if (this.#freeNs(d) <= nowNs) {
      p = discipline.dequeue(nowNs);
      if (p !== 0) {
        const bytes = this.discarded.bytesOf(p);
        // (Asked when the last packet has gone, rounded up to whole ns: the next one begins at the exact time.)
        if (asked && this.pace[d * PACE_STRIDE + FREE_AT_REST] > 0) {
          this.clock[NOW] = Math.max(nowNs - 1, this.pace[d * PACE_STRIDE + FREE_AT_NS]);
        }
        this.#departure(d, bytes);
        this.clock[NOW] = nowNs;
        details.record!.carriedBytes += bytes;
        this.outcome = this.#leaves(d, p, bytes);
      }
    }
    this.nextNs = -1;
    if (discipline.packets > 0 && !details.awaited) {
      details.awaited = true;
      this.nextNs = this.#freeNs(d);
    }
    return p;
  }

  /** When direction `d` will have sent all that it is sending, ns, rounded up. */
  #freeNs(d: number): number {
    const at = (d * PACE_STRIDE) & PACE_MASK;
    return this.pace[at + FREE_AT_NS] + (this.pace[at + FREE_AT_REST] > 0 ? 1 : 0);
  }

  /** Hands packet `p` to a discipline. */
  #hold(details: Details, discipline: QueueDiscipline, d: number, p: number, bytes: number): void {
    const nowNs = this.clock[NOW];
    const record = details.record!;
    const { overflowed } = this.discarded;
    const before = overflowed.length;
    discipline.enqueue(p, bytes, nowNs, this.settings[this.words[d * STRIDE + SETTINGS]]);
    if (overflowed.length > before) {
      details.drops += overflowed.length - before;
      if (record.firstFullNs < 0) record.firstFullNs = nowNs;
    }
    if (discipline.packets > record.peakPackets) record.peakPackets = discipline.packets;
    if (discipline.bytes > record.peakBytes) record.peakBytes = discipline.bytes;
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    v.inPlace(this.words);
    v.inPlace(this.pace);
    this.duplicated = v.number(this.duplicated);
    visitMap(v, this.cuts);
    visitMap(v, this.purges);
    const settings = v.plain(this.settings as unknown as PlainValue[]);
    if (v.restoring) this.settings.splice(0, this.settings.length, ...settings as unknown as LinkSettings[]);
    const later = v.plain(this.#limitedLater);
    if (v.restoring) {
      for (const d of later) this.queues.set(d, this.#details[this.words[d * STRIDE + DETAILS]].record!);
      this.#limitedLater.splice(0, this.#limitedLater.length, ...later);
    }
    for (const details of this.#details) {
      details.counting = v.number(details.counting ? 1 : 0) === 1;
      details.drops = v.number(details.drops);
      details.marks = v.number(details.marks);
      details.awaited = v.number(details.awaited ? 1 : 0) === 1;
      details.discipline?.visitState(v);
      if (details.record !== undefined) visitNumbers(v, details.record);
      const { packets } = details;
      packets.head = v.number(packets.head);
      packets.count = v.number(packets.count);
      packets.departuresNs = v.column(packets.departuresNs);
    }
  }

  /** Bytes that wait in direction `d` at `nowNs`, what is left of the packet being sent included. */
  backlogBytes(d: number, nowNs: number): number {
    const at = (d * PACE_STRIDE) & PACE_MASK;
    const rateBps = this.pace[at + RATE_BPS];
    const waitNs = this.pace[at + FREE_AT_NS] - nowNs;
    const held = this.#disciplineOf(d)?.bytes ?? 0;
    if (waitNs < 0 || rateBps === Infinity) return held;
    return held + Math.round((waitNs * rateBps + this.pace[at + FREE_AT_REST]) / 8e9);
  }

  #disciplineOf(d: number): QueueDiscipline | undefined {
    const at = (d * STRIDE) & MASK;
    return this.words[at + FLAGS] & ELABORATE ? this.#details[this.words[at + DETAILS]].discipline : undefined;
  }

  /** Drops of direction `d` before its queue was full, by its discipline. */
  earlyDrops(d: number): number {
    return this.#disciplineOf(d)?.earlyDrops ?? 0;
  }

  /** Drops of direction `d` because its queue was full. */
  queueDrops(d: number): number {
    const at = (d * STRIDE) & MASK;
    return this.words[at + FLAGS] & ELABORATE ? this.#details[this.words[at + DETAILS]].drops : 0;
  }

  /**
   * Works out when a packet of `bytes` that is sent now arrives: the last bit leaves when those before it have, and
   * that is rounded up to whole ns. The exact time is kept, as whole ns and a rest, so that a busy link neither gains
   * nor loses time.
   */
  #departure(d: number, bytes: number): void {
    const { clock, pace } = this;
    const at = (d * PACE_STRIDE) & PACE_MASK;
    const rate = pace[at + RATE_BPS];
    let departNs = clock[NOW];
    if (rate !== Infinity) {
      let work = bytes * 8e9;
      const free = pace[at + FREE_AT_NS];
      if (free >= departNs) {
        departNs = free;
        work += pace[at + FREE_AT_REST];
      }
      const quotient = Math.floor(work / rate);
      // The quotient may have been rounded up to the next whole number; this remainder is exact. (What is seldom needed
      // is worked out before: V8 compiles nothing that it has not seen, and began again with all senders.)
      const lower = quotient - UNIT[0];
      const whole = quotient * rate > work ? lower : quotient;
      const rest = work - whole * rate;
      departNs += whole;
      pace[at + FREE_AT_NS] = departNs;
      pace[at + FREE_AT_REST] = rest;
      const rounded = departNs + UNIT[0];
      if (rest > 0) departNs = rounded;
    }
    clock[TIME] = departNs + pace[at + DELAY_NS];
  }

  /** Packets that direction `d` has marked with CE. */
  queueMarks(d: number): number {
    const at = (d * STRIDE) & MASK;
    const discipline = this.#disciplineOf(d);
    if (discipline !== undefined) return discipline.marks;
    return this.words[at + FLAGS] & ELABORATE ? this.#details[this.words[at + DETAILS]].marks : 0;
  }

  /** Has the queue room for packet `p` of `bytes`? Always, without a limit. Marks it where the queue is long. */
  #queueTakes(details: Details, d: number, p: number, bytes: number): boolean {
    const record = details.record;
    if (record === undefined) return true;
    const settings = this.settings[this.words[((d * STRIDE) & MASK) + SETTINGS]];
    const nowNs = this.clock[NOW];
    const pace = this.pace;
    const at = (d * PACE_STRIDE) & PACE_MASK;
    const rate = pace[at + RATE_BPS];
    const free = pace[at + FREE_AT_NS];
    const rest = pace[at + FREE_AT_REST];
    const ahead = free - nowNs;
    // As `backlogBytes`, without a discipline.
    const waiting = ahead < 0 || rate === Infinity ? 0 : Math.round((ahead * rate + rest) / 8e9);
    const queued = waiting + bytes;
    const { queueBytes } = settings;
    if (queued > queueBytes && (ahead > 0 || (ahead === 0 && rest > 0))) return noteFull(record, nowNs);
    let packets = 0;
    if (details.counting) {
      const work = bytes * 8e9 + (ahead >= 0 ? rest : 0);
      // The oldest is being sent.
      const most = settings.queuePackets;
      packets = join(details.packets, most, nowNs, (ahead > 0 ? free : nowNs) + Math.ceil(work / settings.rateBps));
      if (packets > most) return noteFull(record, nowNs);
      if (packets > record.peakPackets) record.peakPackets = packets;
    }
    const { ecnThresholdBytes = Infinity, ecnThresholdPackets = Infinity } = settings;
    const long = waiting >= ecnThresholdBytes || packets > ecnThresholdPackets;
    if (long && markCongestion(this.packets.rows.words, p)) details.marks++;
    record.carriedBytes += bytes;
    const peak = queued < queueBytes ? queued : queueBytes;
    if (peak > record.peakBytes) record.peakBytes = peak;
    return true;
  }

  /** What the link does to a packet on the way; its arrival is moved in `clock[CLOCK.TIME]`. */
  #impaired(d: number, p: number, sequence: number, bytes: number): number {
    const settings = this.settings[this.words[((d * STRIDE) & MASK) + SETTINGS]];
    if (!settings.impaired) return NONE;
    const key = this.#details[this.words[((d * STRIDE) & MASK) + DETAILS]].key;
    const { impairments } = settings;
    if (losesOnly(impairments)) return isLost(impairments.loss, key[0], key[1], sequence >>> 0) ? LOST : NONE;
    const arrivalNs = this.clock[TIME];
    const outcome = this.#outcome;
    impair(impairments, key[0], key[1], sequence >>> 0, 8 * bytes, outcome);
    if (outcome.drop) return LOST;
    if (outcome.duplicate) {
      const twin = this.packets.clone(p);
      const at = (d * STRIDE) & MASK;
      const twinSequence = this.words[at + SENT];
      this.words[at + SENT] = (twinSequence + 1) | 0;
      this.packets.rows.words[twin * PACKET_STRIDE + LINK_SEQ] = twinSequence;
      this.duplicated++;
      this.duplicate.packet = twin;
      this.duplicate.arrivalNs = arrivalNs;
    }
    if (outcome.corruptBit !== 0) {
      this.packets.rows.words[p * PACKET_STRIDE + PACKET.CORRUPT] = outcome.corruptBit;
    }
    this.clock[TIME] = arrivalNs + outcome.extraNs;
    return NONE;
  }
}
