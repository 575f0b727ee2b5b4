/**
 * Domain names as numbers, so that caches are rows of words. Names that are equal (RFC 4343) have one number, which no
 * result depends on.
 *
 * @module
 */
import type { StateVisitor } from "../base/state.ts";
import { canonicalName } from "../wire/dns_name.ts";

/** The names that a partition has met. */
export class DnsNames {
  readonly #ids = new Map<string, number>();
  readonly #texts: string[] = [""];

  /** For snapshots. */
  visitState(v: StateVisitor): void {
    const texts = v.plain(this.#texts);
    if (!v.restoring) return;
    this.#ids.clear();
    this.#texts.splice(0, this.#texts.length, ...texts);
    for (let id = 1; id < texts.length; id++) this.#ids.set(texts[id], id);
  }

  /** The number of a name, at least 1. */
  idOf(name: string): number {
    const text = canonicalName(name);
    let id = this.#ids.get(text);
    if (id === undefined) {
      id = this.#texts.length;
      this.#ids.set(text, id);
      this.#texts.push(text);
    }
    return id;
  }

  /** The name behind a number, in lower case. */
  textOf(id: number): string {
    return this.#texts[id];
  }
}
