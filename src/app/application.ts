/**
 * Applications that a snapshot can hold: a module registers what they do under a name, and what they know is plain data.
 *
 * @module
 */
import type { PlainValue } from "../base/plain.ts";
import type { EventMap } from "../socket/emitter.ts";
import type { UdpEvents, UdpSocket } from "../socket/datagram.ts";
import type { Listener, ListenerEvents } from "../socket/listener.ts";
import type { Socket, SocketEvents } from "../socket/socket.ts";
import type { Application } from "./application_host.ts";

/** Functions for the events of a class, each told which application and which socket it is about. */
export type ApplicationHandlers<App, Target, Events extends EventMap> = {
  readonly [Event in keyof Events]?: (app: App, target: Target, ...args: Events[Event]) => void;
};

/**
 * What an application does on every host that it is on. Its functions must know nothing but what they are given: what is
 * to be remembered goes into `app.state` and `socket.data`, as what JSON can say.
 */
export interface ApplicationDefinition<State extends PlainValue = PlainValue, Options extends PlainValue = PlainValue> {
  /** For `Network.application`. */
  readonly name: string;
  /** It begins: opens ports, connects, sets timers. */
  start(app: Application<State, Options>): void;
  /** A timer has gone off, with the value that it was set with. */
  timer?(app: Application<State, Options>, value: PlainValue): void;
  /** Events of its sockets. An `error` that has no function here is followed by `close` all the same. */
  readonly socket?: ApplicationHandlers<Application<State, Options>, Socket, SocketEvents>;
  /** Events of its listening ports. */
  readonly listener?: ApplicationHandlers<Application<State, Options>, Listener, ListenerEvents>;
  /** Events of its UDP sockets. */
  readonly udp?: ApplicationHandlers<Application<State, Options>, UdpSocket, UdpEvents>;
}

const definitions = new Map<string, ApplicationDefinition>();

/**
 * Makes an application known under its name, for every network built from now on. In a module that is imported with
 * `registerModule`, so that snapshots name the module.
 *
 * @throws {RangeError} if the name is taken, or empty.
 *
 * @example An echo server that counts
 * ```ts
 * import { Network, registerApplication } from "../../mod.ts";
 *
 * registerApplication<{ bytes: number }, { port: number }>({
 *   name: "counting-echo",
 *   start(app) {
 *     app.state = { bytes: 0 };
 *     app.listen({ port: app.options.port });
 *   },
 *   listener: { connection: () => {} },
 *   socket: {
 *     data(app, socket, bytes) {
 *       app.state.bytes += bytes.length;
 *       socket.write(bytes);
 *     },
 *   },
 * });
 * const network = new Network();
 * network.host("server", { address: "192.0.2.1/24" });
 * network.application({ name: "echo", application: "counting-echo", on: ["server"], options: { port: 7 } });
 * console.log(network.build().run().ended); // quiescence
 * ```
 */
export function registerApplication<State extends PlainValue = PlainValue, Options extends PlainValue = PlainValue>(
  definition: ApplicationDefinition<State, Options>,
): void {
  const { name } = definition;
  if (typeof name !== "string" || name === "") throw new RangeError("An application needs a name.");
  if (definitions.has(name)) throw new RangeError(`There is an application named ${JSON.stringify(name)} already.`);
  if (typeof definition.start !== "function") throw new RangeError(`The application ${name} needs a function "start".`);
  definitions.set(name, definition as unknown as ApplicationDefinition);
}

/** What was registered under a name. */
export function applicationNamed(name: string): ApplicationDefinition | undefined {
  return definitions.get(name);
}

/** Names of all that are registered. */
export function applicationNames(): string[] {
  return [...definitions.keys()];
}
