/**
 * Captures: what passes an interface of a node, as pcapng. They look at a run by its taps and change nothing.
 *
 * A packet is written as it is when it enters or leaves the node: one that goes out before the link sees it (so that
 * also those are there which the link drops), one that comes in as it arrives. What becomes of it in the same instant,
 * if it is dropped or marked, is a comment on it.
 *
 * @module
 */
import { lengthened } from "../base/growth.ts";
import { formatDurationNs, formatRateBps } from "../base/units.ts";
import { DIRECTION } from "../link/links.ts";
import { NODE, NODE_KIND } from "../node/nodes.ts";
import { PACKET } from "../wire/packet.ts";
import { LINKTYPE_RAW } from "../wire/pcap.ts";
import { encodePacket } from "../wire/row_codec.ts";
import { CaptureFile, type CaptureSink, InterfaceCounts } from "./capture_file.ts";
import { DROP, DROP_REASONS } from "./drops.ts";
import { Interfaces, LOOPBACK } from "./interfaces.ts";
import { late, takeOff } from "./observers.ts";
import { type PacketFilter, readFilter } from "./packet_filter.ts";
import type { Simulation } from "./simulation.ts";

export type { CaptureSink } from "./capture_file.ts";

/** Where to capture, and what. */
export interface CaptureOptions {
  /** The node: `server`, `clients[3]`; `clients` means all members, in one file. */
  node: string;
  /** One of its interfaces, by the neighbour (`r1`, `clients[3]`) or the link's name; `lo` is loopback. Default all. */
  interface?: string;
  /** Only these packets: an expression such as `host 192.0.2.1 port 443`, or a function. Default all. */
  filter?: string | PacketFilter;
  /** What the file says that the filter was, if it is a function. */
  filterText?: string;
  /** Most bytes of a packet that are kept. Default all. */
  snaplen?: number;
  /** Most bytes of a file; then the sink's `next` is called and another begins. Default unlimited. */
  fileBytes?: number;
  /** Comment on the file, after scenario and seed. */
  comment?: string;
  /** What wrote the file. Default `fourtuple`. */
  application?: string;
}

/** A capture under way. */
export interface Capture {
  /** Packets written so far. */
  readonly packets: number;
  /** Writes what is gathered and the statistics of the interfaces; nothing is captured from now on. */
  close(): void;
}

const { RANK: DIRECTION_RANK, FROM, TO, SETTINGS, MTU, STRIDE: DIRECTION_STRIDE } = DIRECTION;
const { WINDOW_TTL_TOS, CORRUPT, STRIDE } = PACKET;
const { QUEUE, LOSS, LINK_DOWN, NO_ROUTE } = DROP;
/** The ECN field: both bits are CE. */
const CE = 3;

/**
 * Raw IP again, as libpcap calls it within (DLT_RAW). libpcap (tcpdump) up to 1.10 refuses files with several interfaces
 * of type 101, which it translates for the first of them only; 12 it leaves alone, and Wireshark knows both.
 */
const LINKTYPE_RAW_OF_SEVERAL = 12;

/** Bytes of the largest packet: IPv6's header and 65,535 (RFC 8200), rounded up. */
const LARGEST_PACKET = 65_576;

/** An interface in a file. */
interface Seen {
  readonly id: number;
  readonly counts: InterfaceCounts;
}

/** A packet of this instant, of which more may become known. */
interface Pending {
  readonly point: CapturePoint;
  readonly seen: Seen;
  readonly p: number;
  readonly timeNs: number;
  readonly outbound: boolean;
  /** Where in the buffer its bytes are, and how many; -1 where the filter did not want it. */
  readonly at: number;
  readonly kept: number;
  readonly originalBytes: number;
  readonly ecn: number;
  comment: string | undefined;
  dropped: boolean;
}

/** One capture point: a file, and the interfaces that it has seen. */
class CapturePoint implements Capture {
  packets = 0;
  readonly filter: PacketFilter | undefined;
  readonly filterText: string | undefined;
  declare readonly snaplen: number;
  declare readonly file: CaptureFile;
  readonly interfaces: Map<number, Seen> = new Map();
  readonly #close: () => void;

  constructor(
    simulation: Simulation,
    options: CaptureOptions,
    sink: CaptureSink,
    { linkType, startNs }: { linkType: number; startNs: number },
    close: () => void,
  ) {
    const { filter, snaplen = Infinity } = options;
    if (!(snaplen === Infinity || (Number.isSafeInteger(snaplen) && snaplen >= 1 && snaplen <= 262_144))) {
      throw new RangeError(`A snap length is 1 to 262,144 bytes, not ${snaplen}.`);
    }
    this.filter = typeof filter === "string" ? readFilter(filter) : filter;
    this.filterText = typeof filter === "string" ? filter : options.filterText;
    this.snaplen = snaplen;
    this.#close = close;
    const about = [`scenario ${simulation.name}`, `seed ${simulation.seed}`];
    if (options.comment !== undefined) about.push(options.comment);
    this.file = new CaptureFile(sink, {
      comment: about.join(", "),
      application: options.application,
      snaplen: snaplen === Infinity ? undefined : snaplen,
      fileBytes: options.fileBytes,
      linkType,
      startNs,
    });
  }

  close(): void {
    this.#close();
  }
}

/** Sees everything for the captures of one simulation, which has one tap for them however many they are. */
export class Captures {
  declare readonly interfaces: Interfaces;
  readonly #simulation: Simulation;
  /** Who wants a direction's packets, as they leave and as they arrive; by node, loopback. */
  readonly #leaving = new Map<number, CapturePoint[]>();
  readonly #arriving = new Map<number, CapturePoint[]>();
  readonly #looping = new Map<number, CapturePoint[]>();
  readonly #byNode = new Map<number, CapturePoint>();
  /** The links as they were when the first capture began: as such they are described. */
  readonly #directions: Int32Array;
  #everyNode: ((node: string) => { options: CaptureOptions; sink: CaptureSink }) | undefined;
  readonly #points = new Set<CapturePoint>();
  readonly #pending: Pending[] = [];
  /** Bytes of the packets of this instant. */
  #buffer = new Uint8Array(2 * LARGEST_PACKET);
  #used = 0;
  #takeOff: (() => void) | undefined;

  /** Of one simulation. */
  constructor(simulation: Simulation) {
    this.#simulation = simulation;
    this.interfaces = new Interfaces(simulation.partition, simulation.links);
    const { links } = simulation.partition;
    const changes = simulation.declaration.events.some(({ kind }) => kind === "link");
    this.#directions = changes ? links.words.slice() : links.words;
  }

  /** Begins a capture. Throws `NetworkError` where there is no such interface, `InputError` for a wrong filter. */
  add(options: CaptureOptions, sink: CaptureSink): Capture {
    const of = this.interfaces.nodesOf(options.node);
    const { outbound, inbound } = this.interfaces.directionsOf(of, options.node, options.interface);
    const point = this.#open(options, sink, outbound.length > 1, this.#simulation.nowNs);
    for (const d of outbound) listOf(this.#leaving, d).push(point);
    for (const d of inbound) listOf(this.#arriving, d).push(point);
    if (options.interface === undefined || options.interface === LOOPBACK) {
      for (let i = 0; i < of.count; i++) listOf(this.#looping, of.first + i).push(point);
    }
    if (of.count === 1 && options.interface !== undefined && options.interface !== LOOPBACK) {
      // It is there even if nothing ever passes.
      for (const d of outbound) this.#seenBy(point, of.first, d);
    }
    return point;
  }

  /** Captures of every node that sees a packet, all its interfaces together: `open` says where to. */
  addEveryNode(open: (node: string) => { options: CaptureOptions; sink: CaptureSink }): void {
    this.#everyNode = open;
    this.#install();
  }

  /** Ends all. */
  close(): void {
    for (const point of [...this.#points]) point.close();
    this.#everyNode = undefined;
    this.#takeOff?.();
    this.#takeOff = undefined;
  }

  #open(options: CaptureOptions, sink: CaptureSink, severalInterfaces: boolean, startNs: number): CapturePoint {
    const linkType = severalInterfaces ? LINKTYPE_RAW_OF_SEVERAL : LINKTYPE_RAW;
    const begin = { linkType, startNs };
    const point: CapturePoint = new CapturePoint(this.#simulation, options, sink, begin, () => this.#end(point));
    this.#points.add(point);
    this.#install();
    return point;
  }

  #end(point: CapturePoint): void {
    if (!this.#points.delete(point)) return;
    this.#settle();
    for (const map of [this.#leaving, this.#arriving, this.#looping]) {
      for (const [key, list] of map) {
        const at = list.indexOf(point);
        if (at >= 0) list.splice(at, 1);
        if (list.length === 0) map.delete(key);
      }
    }
    for (const [node, other] of this.#byNode) if (other === point) this.#byNode.delete(node);
    point.file.close(this.#simulation.nowNs);
    if (this.#points.size > 0 || this.#everyNode !== undefined) return;
    this.#takeOff?.();
    this.#takeOff = undefined;
  }

  #install(): void {
    if (this.#takeOff !== undefined) return;
    const s = this.#simulation.partition;
    const delivered = (p: number, timeNs: number, from: number, to: number, d: number) =>
      this.#delivered(p, timeNs, from, to, d);
    const sent = (p: number, timeNs: number, from: number, to: number, d: number) => this.#sent(p, timeNs, from, to, d);
    const dropped = (p: number, _timeNs: number, node: number, reason: number) => this.#dropped(p, node, reason);
    const marked = (p: number) => this.#marked(p);
    const { taps, sendTaps, dropTaps, markTaps } = s;
    taps.push(late(delivered));
    sendTaps.push(late(sent));
    dropTaps.push(late(dropped));
    markTaps.push(marked);
    this.#takeOff = () => {
      takeOff(taps, delivered);
      takeOff(sendTaps, sent);
      takeOff(dropTaps, dropped);
      takeOff(markTaps, marked);
    };
  }

  #delivered(p: number, timeNs: number, from: number, to: number, d: number): void {
    this.#settle();
    const points = d < 0 ? this.#looping.get(to) : this.#arriving.get(d);
    if (points !== undefined) { for (const point of points) this.#see(point, to, p, timeNs, from, to, d, false); }
    if (this.#everyNode !== undefined) this.#see(this.#pointOf(to, timeNs), to, p, timeNs, from, to, d, false);
  }

  #sent(p: number, timeNs: number, from: number, to: number, d: number): void {
    if (this.#pending.length > 0 && this.#pending[0].timeNs !== timeNs) this.#settle();
    const points = this.#leaving.get(d);
    if (points !== undefined) { for (const point of points) this.#see(point, from, p, timeNs, from, to, d, true); }
    if (this.#everyNode !== undefined) this.#see(this.#pointOf(from, timeNs), from, p, timeNs, from, to, d, true);
  }

  #dropped(p: number, node: number, reason: number): void {
    const { nodes } = this.#simulation.partition;
    const outbound = reason === QUEUE || reason === LOSS || reason === LINK_DOWN;
    // (Hosts do not forward: what has no route there is a packet of their own, which no interface saw.)
    if (reason === NO_ROUTE && nodes.words[node * NODE.STRIDE + NODE.KIND] === NODE_KIND.HOST) return;
    let i = this.#pending.length - 1;
    while (i >= 0 && this.#pending[i].p !== p) i--;
    // Several points may have seen it there, one after the other.
    for (; i >= 0; i--) {
      const one = this.#pending[i];
      if (one.p !== p || one.dropped || one.outbound !== outbound) return;
      one.dropped = true;
      one.comment = `dropped: ${DROP_REASONS[reason]}`;
      one.seen.counts.drop(reason, outbound);
    }
  }

  #marked(p: number): void {
    for (let i = this.#pending.length - 1; i >= 0 && this.#pending[i].p === p; i--) {
      const one = this.#pending[i];
      if (one.outbound && one.ecn !== CE) one.comment = "marked: congestion experienced, by this interface's queue";
    }
  }

  /** The file of a node, in captures of every node. */
  #pointOf(node: number, timeNs: number): CapturePoint {
    let point = this.#byNode.get(node);
    if (point === undefined) {
      const { options, sink } = this.#everyNode!(this.#simulation.partition.nodes.nameOf(node));
      this.#byNode.set(node, point = this.#open(options, sink, this.interfaces.isMultihomed(node), timeNs));
    }
    return point;
  }

  #see(
    point: CapturePoint,
    node: number,
    p: number,
    timeNs: number,
    from: number,
    to: number,
    d: number,
    outbound: boolean,
  ): void {
    const { packets, addresses, nodes } = this.#simulation.partition;
    const seen = this.#seenBy(point, node, d);
    seen.counts.received++;
    const { filter } = point;
    const wanted = filter === undefined ||
      filter({ packets, addresses, p, timeNs, from: nodes.nameOf(from), to: nodes.nameOf(to) });
    const at = this.#used;
    let originalBytes = 0;
    let kept = -1;
    if (wanted) {
      if (at + LARGEST_PACKET > this.#buffer.length) this.#grow();
      originalBytes = encodePacket(packets, addresses, p, at === 0 ? this.#buffer : this.#buffer.subarray(at));
      kept = Math.min(originalBytes, point.snaplen);
      this.#used += kept;
      seen.counts.accepted++;
      point.packets++;
    }
    const words = packets.rows.words;
    const flipped = words[p * STRIDE + CORRUPT];
    this.#pending.push({
      point,
      seen,
      p,
      timeNs,
      outbound,
      at,
      kept,
      originalBytes,
      ecn: words[p * STRIDE + WINDOW_TTL_TOS] & CE,
      comment: flipped === 0 ? undefined : `corrupt: bit ${flipped - 1} was flipped on the way`,
      dropped: false,
    });
  }

  /** Writes the packets of an instant that is over: nothing more can become of them where they were seen. */
  #settle(): void {
    for (const one of this.#pending) {
      if (one.kept < 0) continue;
      one.point.file.packet(one.seen.id, one.timeNs, this.#buffer.subarray(one.at, one.at + one.kept), {
        originalBytes: one.originalBytes,
        direction: one.outbound ? "outbound" : "inbound",
        comment: one.comment,
      });
    }
    this.#pending.length = 0;
    this.#used = 0;
  }

  #grow(): void {
    this.#buffer = lengthened(this.#buffer, 2 * this.#buffer.length);
  }

  #seenBy(point: CapturePoint, node: number, d: number): Seen {
    // (A link between two members of one population has both its ends in their file.)
    const words = this.#simulation.partition.links.words;
    const rank = d < 0 ? -1 - node : words[d * DIRECTION_STRIDE + DIRECTION_RANK];
    const key = d < 0 ? rank : words[d * DIRECTION_STRIDE + FROM] === node ? rank : rank ^ 1;
    let seen = point.interfaces.get(key);
    if (seen === undefined) {
      const counts = new InterfaceCounts();
      const id = point.file.addInterface({ ...this.#describe(node, d), filter: point.filterText }, counts);
      point.interfaces.set(key, seen = { id, counts });
    }
    return seen;
  }

  #describe(node: number, d: number): { name: string; description: string; speedBps?: number } {
    const { nodes, links } = this.#simulation.partition;
    const words = this.#directions;
    const name = this.interfaces.nameOf(node, d);
    if (d < 0) return { name, description: `loopback of ${nodes.nameOf(node)}` };
    const at = this.interfaces.outOf(node, d) * DIRECTION_STRIDE;
    const peer = words[at + TO];
    const { rateBps, delayNs } = links.settings[words[at + SETTINGS]];
    const facts = [`link ${this.interfaces.linkOf(d)} to ${nodes.nameOf(peer)}`];
    if (rateBps !== Infinity) facts.push(formatRateBps(rateBps));
    facts.push(`delay ${formatDurationNs(delayNs)}`, `MTU ${words[at + MTU]}`);
    const speedBps = Number.isSafeInteger(rateBps) ? rateBps : undefined;
    return { name, description: facts.join(", "), speedBps };
  }
}

function listOf<T>(map: Map<number, T[]>, key: number): T[] {
  let list = map.get(key);
  if (list === undefined) map.set(key, list = []);
  return list;
}
