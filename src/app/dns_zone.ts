/**
 * What a DNS server has authority over: zones, and the records of their names.
 *
 * @module
 */
import { parentName } from "../wire/dns_name.ts";
import type { DnsNames } from "./dns_names.ts";

/** In which order a server gives the addresses of a name: a step further with every answer, drawn anew, or as declared. */
export type DnsOrder = "rotate" | "random" | "fixed";

/** The records of one name. */
export interface DnsEntry {
  /** Number of the name. */
  name: number;
  /** Address ids, in the order declared. */
  ipv4: number[];
  /** The same of IPv6. */
  ipv6: number[];
  /** Number of the name that it is an alias of, 0 for none. */
  alias: number;
  /** Seconds. */
  ttl: number;
  /** In which order addresses are given. */
  order: DnsOrder;
}

/** What a zone has to say about a name. */
export interface ZoneAnswer {
  /** The zone's own name. */
  zone: string;
  /** The name's records; undefined where only names below it have some (RFC 8020), or none. */
  entry: DnsEntry | undefined;
  /** Is there such a name? */
  exists: boolean;
}

/** The zones of one server (or of a population of alike ones). */
export class DnsZones {
  /** Seconds that a negative answer may be remembered. */
  declare readonly negativeTtl: number;
  readonly #zones: Set<string>;
  readonly #entries = new Map<number, DnsEntry>();
  /** Names that have records, and those that they lie in. */
  readonly #existing = new Set<string>();

  /** `zones` in canonical form. */
  constructor(options: { zones: string[]; entries: DnsEntry[]; names: DnsNames; negativeTtl: number }) {
    this.#zones = new Set(options.zones);
    this.negativeTtl = options.negativeTtl;
    for (const zone of options.zones) this.#existing.add(zone);
    for (const entry of options.entries) {
      this.#entries.set(entry.name, entry);
      let name: string | undefined = options.names.textOf(entry.name);
      while (name !== undefined && !this.#existing.has(name)) {
        this.#existing.add(name);
        if (this.#zones.has(name)) break;
        name = parentName(name);
      }
    }
  }

  /** What is known of a name (number and canonical text); undefined if it lies in no zone of these. */
  find(name: number, text: string): ZoneAnswer | undefined {
    for (let zone: string | undefined = text; zone !== undefined; zone = parentName(zone)) {
      if (!this.#zones.has(zone)) continue;
      return { zone, entry: this.#entries.get(name), exists: this.#existing.has(text) };
    }
    return undefined;
  }
}
