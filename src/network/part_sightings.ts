/**
 * What taps see of the packets of one part of a network, written down as words with its place in the total order
 * (DESIGN section 4), for the first thread, which puts the sightings of all parts together (`part_replay.ts`).
 *
 * @module
 */
import { DIRECTION } from "../link/links.ts";
import { NODE, NODE_KIND } from "../node/nodes.ts";
import { WordList } from "../store/word_list.ts";
import { EXTRA, PACKET } from "../wire/packet.ts";
import { APP_EVENT } from "./app_event.ts";
import { EVENT_KIND, type Part } from "./part.ts";
import { putAddresses, putBytes, sendSightings, speltOf } from "./part_crossing.ts";
import type { Partition } from "./partition.ts";

const { EXTRA: EXTRA_AT, LINK, LINK_SEQ, MASK, STRIDE } = PACKET;
const { PAYLOAD, MASK: EXTRA_MASK, STRIDE: EXTRA_STRIDE } = EXTRA;

/** Which of its taps somebody wants to have called: all of it is written down in each part. */
export interface Watched {
  deliveries: boolean;
  sends: boolean;
  drops: boolean;
  marks: boolean;
  /** Is to be known which packet is which, from hop to hop? */
  identities: boolean;
}

/** What was seen. */
export const SIGHTING = {
  DELIVERED: 0,
  SENT: 1,
  DROPPED: 2,
  /** A packet has ended at a gateway or a router that it was for. */
  GONE: 3,
  /** It has left for another part. */
  LEFT: 4,
  /** It has congestion's mark, now that a link has it. */
  MARKED: 5,
} as const;

/**
 * Words of a sighting: its length and kind (`length << 3 | kind`), its place in the total order, the packet's row, where.
 * Then come those of the packet, where it has been seen.
 */
export const SEEN = {
  HEAD: 0,
  TIME_LO: 1,
  TIME_HI: 2,
  /** Round and kind of event; its entity. */
  ORDER: 3,
  ENTITY: 4,
  /** Which of the entity's events, as far as others have to know, and how far within one that happens in every part. */
  TURN: 5,
  STEP: 6,
  PLACE: 7,
  ROW: 8,
  /** Nodes at both ends of the link; of a drop the node, and why. */
  FROM: 9,
  TO: 10,
  /** The link's direction (-1: loopback). Of LEFT: as `FROM`, and the packet's number there as `TO`. */
  DIRECTION: 11,
  WORDS: 12,
} as const;

/** Kinds of events fit in so many bits. */
const KINDS = 8;
/** One less than the steps of a stage: a power of two. */
const STEPS = 1023;
/** Sightings are handed over when there are so many words of them. */
const HANDED_OVER_WORDS = 32_768;
/** Words of a packet at most, beside its payload: two rows, addresses. */
const PACKET_WORDS = STRIDE + EXTRA_STRIDE + 32;

/** Writes down what the taps of one part see. */
export class Sightings {
  /** What was seen, and has not been handed over. */
  readonly list: WordList = new WordList();
  /** Sightings since the threads met last. */
  count = 0;
  /** What is watched. */
  declare readonly watched: Watched;
  /** The packet that is being sent. */
  packet = 0;
  readonly #partition: Partition;
  readonly #part: Part;
  /** The event of an application that happened last: when, in which round, whose; and how many of these happen in all parts. */
  #atNs = -1;
  #round = 0;
  #entity = -1;
  #common = 0;
  #turn = 0;
  #step = 0;
  /** The arrival that is beginning (-1: none), how many packets there were to send before it, and whose those are. */
  #arrival = -1;
  #tcpCount = 0;
  #udpCount = 0;
  readonly #arrivals = new Map<number, number>();

  /** Of the part that `s` runs. */
  constructor(s: Partition, part: Part, watched: Watched) {
    this.#partition = s;
    this.#part = part;
    this.watched = watched;
    if (watched.deliveries) {
      s.taps.push((p, timeNs, from, to, d) => this.#see(SIGHTING.DELIVERED, timeNs, p, from, to, d));
    }
    if (watched.sends) s.sendTaps.push((p, timeNs, from, to, d) => this.#see(SIGHTING.SENT, timeNs, p, from, to, d));
    if (watched.drops) {
      s.dropTaps.push((p, timeNs, node, reason) =>
        this.#see(SIGHTING.DROPPED, timeNs, p, node, reason, s.packets.rows.words[p * STRIDE + LINK])
      );
    }
    if (watched.marks) s.markTaps.push((p) => this.#note(SIGHTING.MARKED, s.nowNs, p, 0, 0, 0));
    if (watched.identities) s.endTaps.push((p) => this.#note(SIGHTING.GONE, s.nowNs, p, 0, 0, 0));
  }

  /** An event of an application begins: row `row`, which happens in all parts or not. */
  begins(row: number, everywhere: boolean): void {
    const s = this.#partition;
    const entity = s.events.words[row * APP_EVENT.STRIDE + APP_EVENT.RANK];
    const { nowNs, queue: { round } } = s;
    if (nowNs !== this.#atNs || round !== this.#round || entity !== this.#entity) {
      this.#atNs = nowNs;
      this.#round = round;
      this.#entity = entity;
      this.#common = 0;
    }
    // (An entity's own count of events is known in its part only. Others know those that happen in all parts.)
    if (everywhere) this.#common++;
    this.#turn = 2 * this.#common + (everywhere ? 0 : 1);
    this.#step = 0;
    this.#arrival = -1;
    if (this.#arrivals.size > 0) this.#arrivals.clear();
  }

  /** Arrival number `i` of a workload begins. */
  arrives(i: number): void {
    this.#number();
    this.#arrival = i;
    const { tcp, udpSockets } = this.#partition;
    this.#tcpCount = tcp.outCount;
    this.#udpCount = udpSockets?.outCount ?? 0;
  }

  /** What happens next within an event that happens in all parts comes after what was before, in all of them. */
  stepOn(): void {
    this.#step++;
  }

  /** The same, however many steps some parts have taken since the last time. */
  nextStage(): void {
    if (this.#arrival >= 0) this.#number();
    this.#arrival = -1;
    this.#step = (this.#step | STEPS) + 1;
  }

  /** Packet `p` leaves this part by direction `d`. */
  left(d: number, p: number): void {
    if (!this.watched.identities) return;
    const s = this.#partition;
    // (Where what is sent is not seen, a host's packets are seen for the first time where they arrive.)
    const from = s.links.words[d * DIRECTION.STRIDE + DIRECTION.FROM];
    if (!this.watched.sends && s.nodes.words[from * NODE.STRIDE + NODE.KIND] === NODE_KIND.HOST) return;
    this.#note(SIGHTING.LEFT, s.nowNs, p, d, s.packets.rows.words[p * STRIDE + LINK_SEQ], d);
  }

  /** Between two events: hands over what there is, if it is much or `all`. The first part keeps its own. */
  handOver(all: boolean): void {
    const { list } = this;
    if (this.#part.index === 0 || list.end === 0 || (!all && list.end < HANDED_OVER_WORDS)) return;
    sendSightings(this.#partition, this.#part, list);
    list.clear();
  }

  /** The packets that the arrival has to send are its. */
  #number(): void {
    if (this.#arrival < 0) return;
    const { tcp, udpSockets: udp } = this.#partition;
    for (let i = this.#tcpCount; i < tcp.outCount; i++) this.#arrivals.set(tcp.out[i], this.#arrival);
    if (udp !== undefined) {
      for (let i = this.#udpCount; i < udp.outCount; i++) this.#arrivals.set(udp.out[i], this.#arrival);
    }
    this.#tcpCount = tcp.outCount;
    this.#udpCount = udp?.outCount ?? 0;
  }

  #see(kind: number, timeNs: number, p: number, from: number, to: number, d: number): void {
    const s = this.#partition;
    const { list } = this;
    const rows = s.packets.rows.words;
    const o = (p * STRIDE) & MASK;
    const extra = rows[o + EXTRA_AT];
    const handle = extra === 0 ? 0 : s.packets.extras.words[extra * EXTRA_STRIDE + PAYLOAD];
    const bytes = handle === 0 ? undefined : s.packets.payloads.get(handle);
    this.#note(kind, timeNs, p, from, to, d, PACKET_WORDS + (bytes === undefined ? 0 : bytes.length + 3 >> 2));
    const begin = list.end - SEEN.WORDS;
    for (let i = 0; i < STRIDE; i++) list.put(rows[o + i]);
    const spelt = speltOf(s, this.#part, o, extra);
    list.put(spelt);
    if (extra !== 0) {
      const extras = s.packets.extras.words;
      const e = (extra * EXTRA_STRIDE) & EXTRA_MASK;
      for (let i = 0; i < EXTRA_STRIDE; i++) list.put(extras[e + i]);
      list.put(bytes === undefined ? -1 : bytes.length);
      if (bytes !== undefined) putBytes(list, bytes);
    }
    if (spelt !== 0) putAddresses(s, list, spelt, o, extra);
    list.words[begin] = (list.end - begin) << 3 | kind;
  }

  #note(kind: number, timeNs: number, p: number, from: number, to: number, d: number, more = 0): void {
    const { list } = this;
    const { eventKind, eventEntity } = this.#part;
    const s = this.#partition;
    this.count++;
    list.reserve(SEEN.WORDS + more);
    list.put(SEEN.WORDS << 3 | kind);
    list.put(timeNs | 0);
    list.put((timeNs / 4294967296) | 0);
    // (Timers come before all that was there at their instant.)
    list.put(eventKind < EVENT_KIND.DELIVERY ? eventKind : s.queue.round * KINDS + eventKind);
    list.put(eventEntity);
    const turn = eventKind === EVENT_KIND.APPLICATION ? this.#turn : 0;
    list.put(turn);
    // (Within an event that happens in one part the order is that part's.)
    const common = turn !== 0 && (turn & 1) === 0;
    list.put(common ? this.#step : 0);
    list.put(common ? this.#placeOf(kind === SIGHTING.DROPPED || kind === SIGHTING.SENT ? from : 0) : 0);
    list.put(p);
    list.put(from);
    list.put(to);
    list.put(d);
  }

  /** Where in a step what happens now stands: with the arrivals in their order, or with the nodes in theirs. */
  #placeOf(node: number): number {
    const arrival = this.#arrivals.get(this.packet);
    if (arrival !== undefined) return arrival;
    return this.#arrival >= 0 ? this.#arrival : this.#partition.nodes.rankOf(node);
  }
}
