/**
 * Opening connections to names: look the name up, then try its addresses, by a race (Happy Eyeballs) or one after the
 * other, as users of getaddrinfo do. The time of a connection counts from the lookup; a lookup that fails is how the
 * connection failed.
 *
 * @module
 */
import type { StateVisitor } from "../base/state.ts";
import { RowPool } from "../store/rows.ts";
import type { AddressClient, AddressLookups } from "./address_lookups.ts";
import { interleave, type Races } from "./happy_eyeballs.ts";
import type { TargetCounts } from "./target_counts.ts";
import type { AppRuntime } from "./types.ts";

/** Word offsets of a connection whose name is being looked up. */
const ROW = { NODE: 0, NUMBER: 1, NAME: 2, PORT: 3, STARTED_US: 4, STRIDE: 8 } as const;

const { NODE, NUMBER, NAME, PORT, STARTED_US, STRIDE } = ROW;

/** Which addresses are tried, and in which order. */
export interface AddressChoice {
  /** Of one family only, or of any. */
  family: "any" | "ipv4" | "ipv6";
  /** Which family comes first. */
  prefersIpv6: boolean;
  /** Do the families take turns (RFC 8305 section 4), or come one after the other (RFC 6724)? */
  interleaved: boolean;
}

/** Connections of one application to names. */
export class NamedOpens implements AddressClient {
  /** Where they led. */
  readonly counts: TargetCounts;
  readonly #runtime: AppRuntime;
  readonly #addresses: AddressLookups;
  readonly #races: Races;
  readonly #choice: AddressChoice;
  readonly #lost: (errno: number) => void;
  readonly #client: number;
  readonly #rows = new RowPool({ strideWords: STRIDE, capacity: 16 });
  readonly #ordered: number[] = [];

  /** `races` open the connections; `lost` is told of one that has no address to go to. */
  constructor(
    options: {
      runtime: AppRuntime;
      addresses: AddressLookups;
      counts: TargetCounts;
      races: Races;
      choice: AddressChoice;
      lost: (errno: number) => void;
    },
  ) {
    this.#runtime = options.runtime;
    this.#addresses = options.addresses;
    this.counts = options.counts;
    this.#races = options.races;
    this.#choice = options.choice;
    this.#lost = options.lost;
    this.#client = options.addresses.addClient(this);
  }

  /** Begins connection `number` of the application from a node to a name (its number). */
  open(node: number, number: number, name: number, port: number): void {
    const row = this.#rows.allocate();
    const words = this.#rows.words;
    const o = row * STRIDE;
    words[o + NODE] = node;
    words[o + NUMBER] = number;
    words[o + NAME] = name;
    words[o + PORT] = port;
    words[o + STARTED_US] = (this.#runtime.nowNs / 1000) | 0;
    this.#addresses.lookup(node, name, this.#client, row, this.#choice.family);
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.#rows.visitState(v);
  }

  /** See {@linkcode AddressClient}. */
  onAddresses(row: number, errno: number, list: number): void {
    const words = this.#rows.words;
    const o = row * STRIDE;
    const [node, number, name, port] = [words[o + NODE], words[o + NUMBER], words[o + NAME], words[o + PORT]];
    const startedUs = words[o + STARTED_US];
    this.#rows.release(row);
    if (errno !== 0) return this.#lost(errno);
    const { addresses } = this.#runtime.tcp;
    const all = this.#addresses.lookups.answers.list(list);
    // Addresses that are never tried count too, with 0.
    for (const address of all) this.counts.of(name, address, port);
    const preferred = all.filter((address) => addresses.isIpv6(address) === this.#choice.prefersIpv6);
    const other = all.filter((address) => addresses.isIpv6(address) !== this.#choice.prefersIpv6);
    const ordered = this.#ordered;
    if (this.#choice.interleaved) interleave(preferred, other, ordered);
    else ordered.splice(0, ordered.length, ...preferred, ...other);
    this.#races.begin(node, number, ordered, port, startedUs);
  }
}
