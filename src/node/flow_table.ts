/**
 * A balancer's connection table: a row for each flow, found from both of its sides.
 *
 * @module
 */
import { rowMask } from "../base/row_mask.ts";
import type { StateVisitor } from "../base/state.ts";
import { RowPool } from "../store/rows.ts";
import { hashTuple, probeStart, TupleTable } from "../store/tuple_table.ts";
import { TCP_FLAG } from "../wire/packet.ts";

/** Word offsets of a flow. Endpoints are an address id, and half of a word of ports. */
export const FLOW = {
  /** Its client, and the virtual address that it talks to. */
  CLIENT: 0,
  VIRTUAL: 1,
  /** The client's port << 16 | the virtual port. */
  PORTS: 2,
  /** Balancer << 1 | 1 for UDP. */
  OWNER: 3,
  /** As its back end sees it: who talks to it (the client, or in full-nat a source of the balancer; 0: unseen) … */
  LOCAL: 4,
  /** … and its own address … */
  REAL: 5,
  /** … and their ports: the local one << 16 | the back end's. */
  REAL_PORTS: 6,
  /** Index of its back end in `Balancers.backends`. */
  BACKEND: 7,
  /** `FLOW_STATE`, and `FLOW_BIT` bits. */
  STATE: 8,
  /** When it is forgotten, ms. */
  DEADLINE: 9,
  /** Its timer, 0 for none. */
  TIMER: 10,
  /** The balancer's own count. */
  SERIAL: 11,
  /** When the timer acts, ms. */
  TIMER_AT: 12,
  /** Words in a row. */
  STRIDE: 16,
  /** The bits of a row's offset. */
  MASK: rowMask(16),
} as const;

/** How far a flow has come. */
export const FLOW_STATE = { SYN: 0, ESTABLISHED: 1, FIN: 2, CLOSED: 3, UDP: 4, MASK: 7 } as const;

/** Bits above the state. */
export const FLOW_BIT = {
  /** A FIN came from the client; from the back end. */
  CLIENT_FIN: 8,
  BACKEND_FIN: 16,
  /** It counts among its back end's active flows. */
  ACTIVE: 32,
  /** It is counted as broken. */
  BROKEN: 64,
} as const;

const { CLIENT, VIRTUAL, PORTS, OWNER, LOCAL, REAL, REAL_PORTS, MASK, STRIDE } = FLOW;
const { SYN, ESTABLISHED, FIN, CLOSED, UDP, MASK: STATE_MASK } = FLOW_STATE;
const { CLIENT_FIN, BACKEND_FIN } = FLOW_BIT;

/** Keeps the hashes of the two sides apart. */
const BACKWARD = 1 << 30;

/** The flows of all balancers of a partition. */
export class FlowTable {
  /** The rows. */
  readonly rows: RowPool = new RowPool({ strideWords: STRIDE, capacity: 256 });
  /** Flow << 1, and flow << 1 | 1 from the back end's side. */
  readonly index: TupleTable = new TupleTable({ capacity: 256 });

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.rows.visitState(v);
    this.index.visitState(v);
  }

  /** The flow of a packet from a client; 0 if there is none. `ports`: the client's << 16 | the virtual one. */
  findForward(owner: number, client: number, virtual: number, ports: number): number {
    const hash = hashTuple(owner, client, virtual, ports);
    const { entries, mask } = this.index;
    const words = this.rows.words;
    for (let at = probeStart(hash, mask);; at = (at + 2) & mask) {
      const value = entries[at + 1];
      if (value === 0) return 0;
      if (entries[at] !== hash || (value & 1) !== 0) continue;
      const o = (value >>> 1) * STRIDE;
      if (
        words[o + CLIENT] === client && words[o + PORTS] === ports && words[o + VIRTUAL] === virtual &&
        words[o + OWNER] === owner
      ) return value >>> 1;
    }
  }

  /** The flow of a packet from a back end; 0 if there is none. `ports`: the local one << 16 | the back end's. */
  findBackward(owner: number, local: number, real: number, ports: number): number {
    const hash = hashTuple(owner | BACKWARD, local, real, ports);
    const { entries, mask } = this.index;
    const words = this.rows.words;
    for (let at = probeStart(hash, mask);; at = (at + 2) & mask) {
      const value = entries[at + 1];
      if (value === 0) return 0;
      if (entries[at] !== hash || (value & 1) === 0) continue;
      const o = (value >>> 1) * STRIDE;
      if (
        words[o + LOCAL] === local && words[o + REAL_PORTS] === ports && words[o + REAL] === real &&
        words[o + OWNER] === owner
      ) return value >>> 1;
    }
  }

  /** Puts a row whose words are set into the index. */
  insert(flow: number): void {
    const words = this.rows.words;
    const o = (flow * STRIDE) & MASK;
    this.index.insert(hashTuple(words[o + OWNER], words[o + CLIENT], words[o + VIRTUAL], words[o + PORTS]), flow << 1);
    if (words[o + LOCAL] === 0) return;
    this.index.insert(this.#backwardHash(flow), (flow << 1) | 1);
  }

  /** Forgets a flow. */
  remove(flow: number): void {
    const words = this.rows.words;
    const o = (flow * STRIDE) & MASK;
    this.index.remove(hashTuple(words[o + OWNER], words[o + CLIENT], words[o + VIRTUAL], words[o + PORTS]), flow << 1);
    if (words[o + LOCAL] !== 0) this.index.remove(this.#backwardHash(flow), (flow << 1) | 1);
    this.rows.release(flow);
  }

  /** Room for so many: `rows` of them, and `flows` in the index, which is touched all over. */
  reserve(flows: number, rows: number): void {
    this.rows.reserve(rows);
    this.index.reserve(2 * flows);
  }

  /** Bytes in use. */
  get bytes(): number {
    return this.rows.peak * STRIDE * 4 + this.index.entries.byteLength;
  }

  #backwardHash(flow: number): number {
    const words = this.rows.words;
    const o = (flow * STRIDE) & MASK;
    return hashTuple(words[o + OWNER] | BACKWARD, words[o + LOCAL], words[o + REAL], words[o + REAL_PORTS]);
  }
}

/** The state word after a TCP segment with these flags. A balancer in direct return sees the client's alone. */
export function trackFlow(state: number, flags: number, fromBackend: boolean): number {
  const now = state & STATE_MASK;
  if (now === UDP || now === CLOSED) return state;
  if ((flags & TCP_FLAG.RST) !== 0) return (state & ~STATE_MASK) | CLOSED;
  if ((flags & TCP_FLAG.FIN) !== 0) return (state & ~STATE_MASK) | FIN | (fromBackend ? BACKEND_FIN : CLIENT_FIN);
  if (now === SYN && !fromBackend && (flags & TCP_FLAG.SYN) === 0) return (state & ~STATE_MASK) | ESTABLISHED;
  return state;
}

/** Has the flow of this state word ended, so that a SYN begins another? */
export function isOver(state: number): boolean {
  return (state & STATE_MASK) === CLOSED || (state & STATE_MASK) === FIN;
}
