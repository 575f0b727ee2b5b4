/**
 * An application on a host: what its functions are given, and the app that calls them.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";
import { notPlain, type PlainValue } from "../base/plain.ts";
import { Substream } from "../base/rng.ts";
import type { StateVisitor } from "../base/state.ts";
import type { UdpOptions, UdpRuntime, UdpSocket } from "../socket/datagram.ts";
import type { EventHandlers } from "../socket/emitter.ts";
import type { ConnectOptions } from "../socket/connect_options.ts";
import { SocketLayer } from "../socket/layer.ts";
import type { Listener, SocketListenOptions } from "../socket/listener.ts";
import type { LayerUser } from "../socket/runtime.ts";
import type { Socket } from "../socket/socket.ts";
import type { ApplicationDefinition } from "./application.ts";

/** An application on one host: functions of {@linkcode ApplicationDefinition} are given one. */
export class Application<State extends PlainValue = PlainValue, Options extends PlainValue = PlainValue> {
  /** What it knows: plain data, which snapshots hold. */
  state: State = null as State;
  /** As `Network.application` was told. */
  declare readonly options: Options;
  /** The host's name: `clients[3]`. */
  declare readonly host: string;
  /** Its place among the hosts that the application is on, from 0. */
  declare readonly index: number;
  readonly #runtime: UdpRuntime;
  readonly #layer: SocketLayer;
  readonly #node: number;
  readonly #draws: Substream;
  readonly #sockets = new Map<number, Socket>();
  #opened = 0;

  /** @internal For `ApplicationApp`. */
  constructor(parts: {
    runtime: UdpRuntime;
    layer: SocketLayer;
    node: number;
    options: Options;
    index: number;
    draws: Substream;
  }) {
    this.#runtime = parts.runtime;
    this.#layer = parts.layer;
    this.#node = parts.node;
    this.#draws = parts.draws;
    this.options = parts.options;
    this.index = parts.index;
    this.host = parts.runtime.nodes.nameOf(parts.node);
  }

  /** Simulated time, ns. */
  get nowNs(): number {
    return this.#runtime.nowNs;
  }

  /** The host's first address. */
  get address(): string {
    return this.#runtime.addressText(this.#runtime.addressOf(this.#node));
  }

  /** Its sockets that are not over, in the order in which they began. */
  get sockets(): Socket[] {
    return [...this.#sockets.values()];
  }

  /** One of them by its `id`. */
  socket(id: number): Socket | undefined {
    return this.#sockets.get(id);
  }

  /** Listens on a port, as `HostHandle.listen`: connections come to `listener.connection`. */
  listen(options: SocketListenOptions): Listener {
    return this.#layer.listen(this.#node, options);
  }

  /** Connects, as `HostHandle.connect`. */
  connect(options: ConnectOptions): Socket {
    return this.#layer.connect(this.#node, options);
  }

  /** Opens a UDP socket, as `HostHandle.udp`. */
  udp(options: UdpOptions = {}): UdpSocket {
    return this.#layer.openDatagram(this.#node, options);
  }

  /** Calls `timer` of the definition with `value`, `delayNs` from now. Returns a number for `clearTimeout`. */
  setTimeout(delayNs: number, value: PlainValue = null): number {
    const wrong = notPlain(value);
    if (wrong !== undefined) throw new TypeError(`A timer's value is what JSON can say, and ${wrong}.`);
    return this.#layer.callUser(this.#node, this.nowNs + delayNs, [TIMER, value]);
  }

  /** Takes a timer back. (The run still waits for its time.) */
  clearTimeout(timer: number): void {
    this.#layer.cancel(timer);
  }

  /** A random number from 0 to below 1, which follows from the network's seed, the application and the host. */
  random(): number {
    return this.#draws.nextFraction();
  }

  /** @internal A socket begins, or is put back. */
  opened(socket: Socket): void {
    if (socket.id === 0) socket.id = ++this.#opened;
    this.#sockets.set(socket.id, socket);
  }

  /** @internal A socket is over. */
  over(socket: Socket): void {
    this.#sockets.delete(socket.id);
  }

  /** @internal For snapshots. */
  visitState(v: StateVisitor): void {
    if (!v.restoring) this.#checkPlain();
    this.#opened = v.number(this.#opened);
    this.#draws.counter = v.number(this.#draws.counter);
    this.state = v.plain(this.state);
    // In their order: it is seen by who asks for them.
    const order = v.plain([...this.#sockets.keys()]);
    if (!v.restoring) return;
    const found = new Map(this.#sockets);
    this.#sockets.clear();
    for (const id of order) this.#sockets.set(id, found.get(id)!);
  }

  #checkPlain(): void {
    const parts = [["state", this.state], ...this.sockets.map(({ data }) => ["data of a socket", data])] as const;
    for (const [what, value] of parts) {
      const wrong = notPlain(value);
      if (wrong === undefined) continue;
      throw new InputError(
        `A snapshot cannot hold the ${what} of an application on ${this.host}: ${wrong}, not plain data.`,
      );
    }
  }
}

/** What a timer is for. */
const START = 0;
const TIMER = 1;

/** Calls the functions of a definition on all hosts that an application is on. */
export class ApplicationApp extends SocketLayer {
  readonly #instances: Map<number, Application>;

  /** Begins on each node at `startNs`. `app` is its index among the applications, `name` its own in the network. */
  constructor(
    runtime: UdpRuntime,
    app: number,
    parts: {
      name: string;
      definition: ApplicationDefinition;
      nodes: readonly number[];
      options: PlainValue;
      startNs: number;
      seed: number;
    },
  ) {
    const { name, definition, nodes, options, startNs, seed } = parts;
    const instances = new Map<number, Application>();
    super(runtime, app, new User(name, definition, instances));
    this.#instances = instances;
    nodes.forEach((node, index) => {
      const draws = Substream.of(seed, "application", `${name} ${runtime.nodes.nameOf(node)}`);
      instances.set(node, new Application({ runtime, layer: this, node, options, index, draws }));
      this.callUser(node, startNs, [START, null]);
    });
  }

  /** See `App`. */
  override visitState(v: StateVisitor): void {
    super.visitState(v);
    for (const instance of this.#instances.values()) instance.visitState(v);
  }
}

/** Leads from a layer's events to the functions of the definition. */
class User implements LayerUser {
  declare readonly name: string;
  declare readonly handlers: LayerUser["handlers"];
  readonly #definition: ApplicationDefinition;
  readonly #instances: Map<number, Application>;

  constructor(name: string, definition: ApplicationDefinition, instances: Map<number, Application>) {
    this.name = name;
    this.#definition = definition;
    this.#instances = instances;
    const led = (functions: object = {}): EventHandlers => {
      const handlers: EventHandlers = {};
      for (const [event, call] of Object.entries(functions)) {
        if (typeof call !== "function") continue;
        handlers[event] = (target: { node: number }, ...args: unknown[]) =>
          call.call(functions, instances.get(target.node), target, ...args);
      }
      return handlers;
    };
    const { socket, listener, udp } = definition;
    this.handlers = { socket: { error: () => {}, ...led(socket) }, listener: led(listener), udp: led(udp) };
  }

  opened(socket: Socket): void {
    this.#instances.get(socket.node)!.opened(socket);
  }

  over(socket: Socket): void {
    this.#instances.get(socket.node)!.over(socket);
  }

  timer(node: number, data: PlainValue): void {
    const [kind, value] = data as [number, PlainValue];
    const instance = this.#instances.get(node)!;
    if (kind === START) this.#definition.start(instance);
    else this.#definition.timer?.(instance, value);
  }
}
