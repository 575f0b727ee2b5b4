/**
 * A small typed event emitter, as Node's users know it.
 *
 * @module
 */

/** Events by name, each with the arguments of its listeners. */
export type EventMap = Record<string, unknown[]>;

type AnyListener = (...args: unknown[]) => void;

interface Entry {
  /** What is called. */
  call: AnyListener;
  /** What `off` is told. */
  listener: AnyListener;
}

/** @internal Functions of an application for the events of what it opens: each is given what the event is of, first. */
// deno-lint-ignore no-explicit-any
export type EventHandlers = { [event: string]: ((target: any, ...args: any[]) => void) | undefined };

/** Listeners are called in the order in which they were added. */
export class Emitter<Events extends EventMap> {
  /** Never changed in place: who is called is settled when an event begins. */
  #entries = new Map<keyof Events, readonly Entry[]>();
  readonly #handlers: EventHandlers | undefined;

  /** @internal `handlers` are called before listeners. */
  constructor(handlers?: EventHandlers) {
    this.#handlers = handlers;
  }

  /** @internal Events that closures listen for. */
  get closures(): string[] {
    return [...this.#entries].filter(([_, entries]) => entries.length > 0).map(([event]) => String(event));
  }

  /** Calls `listener` whenever `event` happens. */
  on<K extends keyof Events>(event: K, listener: (...args: Events[K]) => void): this {
    const any = listener as unknown as AnyListener;
    return this.#add(event, { call: any, listener: any });
  }

  /** Calls `listener` the next time that `event` happens. */
  once<K extends keyof Events>(event: K, listener: (...args: Events[K]) => void): this {
    const any = listener as unknown as AnyListener;
    const entry: Entry = {
      call: (...args) => {
        this.#remove(event, entry);
        any(...args);
      },
      listener: any,
    };
    return this.#add(event, entry);
  }

  /** Takes off a listener that was added with `on` or `once`: the one added last, if it was added twice. */
  off<K extends keyof Events>(event: K, listener: (...args: Events[K]) => void): this {
    const any = listener as unknown as AnyListener;
    const entry = this.#entries.get(event)?.findLast((one) => one.listener === any);
    if (entry !== undefined) this.#remove(event, entry);
    return this;
  }

  /** Has `event` any listener? */
  hasListeners(event: keyof Events): boolean {
    return (this.#entries.get(event)?.length ?? 0) > 0 || this.#handlers?.[event as string] !== undefined;
  }

  /** Calls the listeners of `event`; says whether there were any. What one throws, the caller of `emit` gets. */
  protected emit<K extends keyof Events>(event: K, ...args: Events[K]): boolean {
    const entries = this.#entries.get(event);
    const handler = this.#handlers?.[event as string];
    handler?.(this, ...args);
    if (entries === undefined || entries.length === 0) return handler !== undefined;
    for (const entry of entries) entry.call(...args);
    return true;
  }

  /** For subclasses: a listener for `event` was added. */
  protected listening(_event: keyof Events): void {}

  #add(event: keyof Events, entry: Entry): this {
    this.#entries.set(event, [...this.#entries.get(event) ?? [], entry]);
    this.listening(event);
    return this;
  }

  #remove(event: keyof Events, entry: Entry): void {
    this.#entries.set(event, this.#entries.get(event)?.filter((one) => one !== entry) ?? []);
  }
}
