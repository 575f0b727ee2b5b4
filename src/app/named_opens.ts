/**
 * Opening connections to names: look the name up and try its addresses, by a race that begins with the first answer
 * (Happy Eyeballs), or one after the other when all are known, as users of getaddrinfo do. The time of a connection counts from the lookup; a lookup that fails is how the
 * connection failed.
 *
 * @module
 */
import { rowMask } from "../base/row_mask.ts";
import type { StateVisitor } from "../base/state.ts";
import { RowPool } from "../store/rows.ts";
import type { AddressClient, AddressLookups, LookupManner } from "./address_lookups.ts";
import type { RaceRules, Races } from "./happy_eyeballs.ts";
import type { TargetCounts } from "./target_counts.ts";
import type { AppRuntime } from "./types.ts";

/** Word offsets of a connection whose name is being looked up. */
const ROW = {
  NODE: 0,
  NUMBER: 1,
  NAME: 2,
  PORT: 3,
  STARTED_US: 4,
  /** The race that runs already, while more addresses may come; 0 for none. */
  RACE: 5,
  STRIDE: 8,
  /** The bits of a row's offset. */
  MASK: rowMask(8),
} as const;

const { NODE, NUMBER, NAME, PORT, STARTED_US, RACE, MASK, STRIDE } = ROW;

/** Connections of one application to names. */
export class NamedOpens implements AddressClient {
  /** Where they led. */
  declare readonly counts: TargetCounts;
  readonly #runtime: AppRuntime;
  readonly #addresses: AddressLookups;
  readonly #races: Races;
  readonly #rules: RaceRules;
  readonly #manner: LookupManner;
  readonly #lost: (errno: number, number: number) => void;
  readonly #client: number;
  readonly #rows = new RowPool({ strideWords: STRIDE, capacity: 16 });

  /** `races` open the connections; `lost` is told of one that has no address to go to. */
  constructor(
    options: {
      runtime: AppRuntime;
      addresses: AddressLookups;
      counts: TargetCounts;
      races: Races;
      rules: RaceRules;
      manner: LookupManner;
      lost: (errno: number, number: number) => void;
    },
  ) {
    this.#runtime = options.runtime;
    this.#addresses = options.addresses;
    this.counts = options.counts;
    this.#races = options.races;
    this.#rules = options.rules;
    this.#manner = options.manner;
    this.#lost = options.lost;
    this.#client = options.addresses.addClient(this);
  }

  /** Begins connection `number` of the application from a node to a name (its number). */
  open(node: number, number: number, name: number, port: number): void {
    const row = this.#rows.allocate();
    const words = this.#rows.words;
    const o = (row * STRIDE) & MASK;
    words[o + NODE] = node;
    words[o + NUMBER] = number;
    words[o + NAME] = name;
    words[o + PORT] = port;
    words[o + STARTED_US] = (this.#runtime.nowNs / 1000) | 0;
    this.#addresses.lookup(node, name, this.#client, row, this.#manner);
  }

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    this.#rows.visitState(v);
  }

  /** See {@linkcode AddressClient}. */
  onAddresses(row: number, errno: number, list: number, more: boolean): void {
    const words = this.#rows.words;
    const o = (row * STRIDE) & MASK;
    const [node, number, name, port] = [words[o + NODE], words[o + NUMBER], words[o + NAME], words[o + PORT]];
    const [startedUs, race] = [words[o + STARTED_US], words[o + RACE]];
    if (!more) this.#rows.release(row);
    const addresses = errno === 0 ? this.#addresses.lookups.answers.list(list) : [];
    // Addresses that are never tried count too, with 0.
    for (const address of addresses) this.counts.of(name, address, port);
    if (race !== 0) return this.#races.complete(race, addresses);
    if (errno !== 0) {
      this.#runtime.onExchange?.(node, errno);
      return this.#lost(errno, number);
    }
    const begun = this.#races.begin({ node, number, port, rules: this.#rules, startedUs }, addresses, more);
    if (more) this.#rows.words[o + RACE] = begun;
  }
}
