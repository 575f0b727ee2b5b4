/**
 * A small typed event emitter, as Node's users know it.
 *
 * @module
 */

/** Events by name, each with the arguments of its listeners. */
export type EventMap = Record<string, unknown[]>;

type AnyListener = (...args: unknown[]) => void;

/** Listeners are called in the order in which they were added. */
export class Emitter<Events extends EventMap> {
  #listeners = new Map<keyof Events, AnyListener[]>();

  /** Calls `listener` whenever `event` happens. */
  on<K extends keyof Events>(event: K, listener: (...args: Events[K]) => void): this {
    const known = this.#listeners.get(event);
    if (known === undefined) this.#listeners.set(event, [listener as unknown as AnyListener]);
    else known.push(listener as unknown as AnyListener);
    this.listening(event);
    return this;
  }

  /** Calls `listener` the next time that `event` happens. */
  once<K extends keyof Events>(event: K, listener: (...args: Events[K]) => void): this {
    const wrapper = (...args: Events[K]) => {
      this.off(event, wrapper);
      listener(...args);
    };
    return this.on(event, wrapper);
  }

  /** Takes a listener off. */
  off<K extends keyof Events>(event: K, listener: (...args: Events[K]) => void): this {
    const known = this.#listeners.get(event);
    const at = known?.indexOf(listener as unknown as AnyListener) ?? -1;
    if (at >= 0) this.#listeners.set(event, known!.toSpliced(at, 1));
    return this;
  }

  /** Has `event` any listener? */
  hasListeners(event: keyof Events): boolean {
    return (this.#listeners.get(event)?.length ?? 0) > 0;
  }

  /** Calls the listeners of `event`; says whether there were any. */
  protected emit<K extends keyof Events>(event: K, ...args: Events[K]): boolean {
    const known = this.#listeners.get(event);
    if (known === undefined || known.length === 0) return false;
    for (const listener of known) listener(...args);
    return true;
  }

  /** For subclasses: a listener for `event` was added. */
  protected listening(_event: keyof Events): void {}
}
