/**
 * What a socket layer has open, for snapshots: an application's sockets, listeners and timers are data, those of code
 * are closures, which cannot be saved.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";
import { type PlainValue, type StateVisitor } from "../base/state.ts";
import type { UdpSocket } from "./datagram.ts";
import { endpointText } from "./endpoint.ts";
import type { Listener } from "./listener.ts";
import type { Socket } from "./socket.ts";

/** What can be put off until the end of an instant. */
export type Deferred = Socket | Listener | UdpSocket;

/** A call to come: a closure, something put off by what was opened, or a timer of an application. */
export type Call = { action: () => void } | { target: Deferred; code: number } | { node: number; data: PlainValue };

/** What a layer has open. Lists are by row. */
export interface Opened {
  sockets: (Socket | undefined)[];
  listeners: (Listener | undefined)[];
  datagrams: (UdpSocket | undefined)[];
  calls: Map<number, Call>;
  starved: Set<number>;
}

/** How a layer makes what is put back. */
export interface Makers {
  socket(options: Pick<Socket, "node" | "local" | "remote" | "allowHalfOpen"> & { openedAtNs?: number }): Socket;
  listener(options: Pick<Listener, "node" | "row" | "local" | "allowHalfOpen">): Listener;
  datagram(node: number, row: number): UdpSocket;
}

/**
 * Shows what is open. `who` is the application's name, and undefined for code. `nodeName` is for the sentence about what
 * cannot be saved.
 */
export function visitOpened(
  v: StateVisitor,
  opened: Opened,
  makers: Makers,
  who: string | undefined,
  nodeName: (node: number) => string,
): void {
  const { sockets, listeners, datagrams, calls, starved } = opened;
  if (!v.restoring) refuseClosures(opened, who, nodeName);
  const deferred = [...calls.values()].flatMap((call) => "target" in call ? [call.target] : []);
  const all: Deferred[] = [...new Set([...sockets, ...listeners, ...datagrams, ...deferred])].filter((one) =>
    one !== undefined
  );
  const places = new Map(all.map((one, i) => [one, i]));
  const things = v.plain(all.map(described) as PlainValue[]) as Thing[];
  if (v.restoring) {
    for (const list of [sockets, listeners, datagrams]) list.length = 0;
    for (const thing of things) all.push(remade(thing, makers));
  }
  for (const one of all) one.visitState(v);
  const plainCalls = v.plain([...calls].map(([id, call]) => [id, plainCall(call, places)] as [number, PlainCall]));
  const starving = v.plain([...starved]);
  if (!v.restoring) return;
  all.forEach((one, i) => {
    const thing = things[i];
    if (!thing.open) return;
    if (thing.kind === "socket") sockets[(one as Socket).connection] = one as Socket;
    else if (thing.kind === "listener") listeners[thing.row] = one as Listener;
    else datagrams[thing.row] = one as UdpSocket;
  });
  calls.clear();
  for (const [id, call] of plainCalls) {
    calls.set(id, "place" in call ? { target: all[call.place], code: call.code } : call);
  }
  starved.clear();
  for (const row of starving) starved.add(row);
}

/** Throws `InputError` while connections to names are being opened: lookups and races are not data. */
export function refuseUnopened(sockets: Set<Socket>, nodeName: (node: number) => string): void {
  for (const socket of sockets) {
    throw new InputError(
      `A snapshot cannot hold a connection to a name that is being opened, as ${nameOf(socket)} on ` +
        `${nodeName(socket.node)} is: take it when that is open, or has failed.`,
    );
  }
}

type PlainCall = { place: number; code: number } | { node: number; data: PlainValue };

/** What each was made with: a plain value. `ends`: addresses and ports. `openedAtNs`: -1 for accepted sockets. */
type Thing = {
  kind: "socket" | "listener" | "datagram";
  open: boolean;
  node: number;
  row: number;
  ends: (string | number)[];
  allowHalfOpen?: boolean;
  openedAtNs?: number;
};

/** What it is, as a snapshot says it. */
function described(one: Deferred): Thing {
  const { node } = one;
  if ("connection" in one) {
    const { connection, active, startedNs, local, remote, allowHalfOpen } = one;
    const ends = [local.address, local.port, remote.address, remote.port];
    return {
      kind: "socket",
      open: connection !== 0,
      node,
      row: 0,
      ends,
      allowHalfOpen,
      openedAtNs: active ? startedNs : -1,
    };
  }
  if ("allowHalfOpen" in one) {
    const { row, local, allowHalfOpen } = one;
    return { kind: "listener", open: !one.isClosed, node, row, ends: [local.address, local.port], allowHalfOpen };
  }
  return { kind: "datagram", open: one.row !== 0, node, row: one.row, ends: [] };
}

/** Makes it anew. */
function remade({ kind, node, row, ends, allowHalfOpen = false, openedAtNs = -1 }: Thing, makers: Makers): Deferred {
  const end = (at: number) => ({ address: String(ends[at]), port: Number(ends[at + 1]) });
  if (kind === "datagram") return makers.datagram(node, row);
  if (kind === "listener") return makers.listener({ node, row, local: end(0), allowHalfOpen });
  const opened = openedAtNs < 0 ? {} : { openedAtNs };
  return makers.socket({ node, local: end(0), remote: end(2), allowHalfOpen, ...opened });
}

function plainCall(call: Call, places: Map<Deferred, number>): PlainCall {
  if ("target" in call) return { place: places.get(call.target)!, code: call.code };
  return call as { node: number; data: PlainValue };
}

/** Throws `InputError`, which says what stands in the way, where, and what may be done. */
function refuseClosures(opened: Opened, who: string | undefined, nodeName: (node: number) => string): void {
  const found: string[] = [];
  const add = (node: number, what: string) => found.push(`${what} on ${nodeName(node)}`);
  for (const one of [...opened.listeners, ...opened.sockets, ...opened.datagrams]) {
    if (one === undefined || (who !== undefined && one.closures.length === 0)) continue;
    const events = who === undefined ? "" : ` (a function for "${one.closures[0]}" was added)`;
    add(one.node, `${nameOf(one)}${events}`);
  }
  for (const call of opened.calls.values()) {
    if ("action" in call) found.push("a timer or a call of `at`");
    else if (who === undefined && "target" in call) add(call.target.node, nameOf(call.target));
  }
  if (found.length === 0) return;
  const others = found.length > 1 ? ` (and ${found.length - 1} more)` : "";
  const why = "functions of this process cannot be saved";
  throw new InputError(
    who === undefined
      ? `A snapshot cannot hold what code has opened: ${found[0]}${others}, whose handlers are closures, and ${why}. ` +
        "Close it first, or make it an application of a module (registerApplication, Network.application)."
      : `A snapshot cannot hold the application ${who}: ${found[0]}${others}, and ${why}. ` +
        "Let the application's definition handle the event instead of on() or once().",
  );
}

function nameOf(one: Deferred): string {
  if ("connection" in one) {
    return `the socket to ${endpointText(one.remote.address, one.remote.port)}`;
  }
  return "allowHalfOpen" in one ? `the listener at port ${one.local.port}` : `the UDP socket at port ${one.local.port}`;
}
