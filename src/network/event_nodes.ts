/**
 * Nodes that restart, go down and come up, and hosts' ports and settings that change in mid-run.
 *
 * @module
 */
import { ERRNO } from "../base/errors.ts";
import { DIRECTION } from "../link/links.ts";
import { NODE, NODE_FLAG, NODE_KIND } from "../node/nodes.ts";
import { listenersOf, resetHosts, resumeListener, suspendListener } from "../tcp/mod.ts";
import { LISTENER } from "../tcp/state/tcb.ts";
import { makeProfile, type Profile } from "../transport/profile.ts";
import { UDP_SOCKET } from "../transport/udp.ts";
import { refreshDirection } from "./conditions.ts";
import { cpuReset } from "./cpu.ts";
import { drainTcp } from "./drain.ts";
import { cutDirection, purgeDirection } from "./link_queues.ts";
import { restartNats } from "./nat_events.ts";
import { type Partition, SOCKET_APP } from "./partition.ts";
import type { Members } from "./plan.ts";

const { FROM, TO, STRIDE } = DIRECTION;

/** Rows of some members: the first, and how many. */
function rowsOf({ population, first, count }: Members): { first: number; count: number } {
  return { first: population.firstRow + first, count };
}

/** Nodes forget all that they have learnt. Peers are told nothing: they find out. */
export function rebootNodes(s: Partition, members: Members): void {
  const { first, count } = rowsOf(members);
  switch (members.population.kind) {
    case NODE_KIND.HOST:
      for (let node = first; node < first + count; node++) cpuReset(s, node);
      resetHosts(s.tcp, first, count, ERRNO.ECONNABORTED);
      drainTcp(s);
      abortDatagrams(s, first, count);
      drainTcp(s);
      s.dns?.stubs.cache.forgetNodes(first, count);
      s.dns?.forwarders.cache.forgetNodes(first, count);
      break;
    case NODE_KIND.NAT:
      restartNats(s, first, count);
      break;
    case NODE_KIND.BALANCER:
      // (Health checks that are under way.)
      resetHosts(s.tcp, first, count, ERRNO.ECONNABORTED);
      for (let node = first; node < first + count; node++) {
        s.balancers?.forget(s.nodes.words[node * NODE.STRIDE + NODE.BALANCER]);
      }
      drainTcp(s);
  }
  for (const app of s.apps) app?.hostsRestarted?.(first, count);
  for (let d = 0; d < s.links.count; d++) {
    const from = s.links.words[d * STRIDE + FROM];
    if (from >= first && from < first + count) purgeDirection(s, d);
  }
}

/** UDP sockets of some hosts fail, but for those that declared services, or code, wait at: these are as listening ports. */
function abortDatagrams(s: Partition, first: number, count: number): void {
  const udp = s.udpSockets;
  if (udp === undefined) return;
  const word = (socket: number, field: number) => udp.rows.words[socket * UDP_SOCKET.STRIDE + field];
  const sockets = udp.socketsOf(first, count).map((socket) => ({
    socket,
    app: word(socket, UDP_SOCKET.APP),
    connected: word(socket, UDP_SOCKET.REMOTE) !== 0,
  }));
  for (const { socket, app, connected } of sockets) {
    if (s.apps[app]?.serves === true || (app === SOCKET_APP && !connected)) continue;
    // (An application may have closed it when another one failed.)
    if (word(socket, UDP_SOCKET.HOST) === 0) continue;
    udp.rows.words[socket * UDP_SOCKET.STRIDE + UDP_SOCKET.ERROR] = ERRNO.ECONNABORTED;
    s.apps[app]?.onDatagram?.(socket, 0);
  }
}

/** Switches nodes off or on: their links with them. What is on its way to one that goes down is lost. */
export function switchNodes(s: Partition, members: Members, down: boolean): void {
  const { first, count } = rowsOf(members);
  const isOne = (node: number) => node >= first && node < first + count;
  for (let node = first; node < first + count; node++) {
    if (down) s.nodes.words[node * NODE.STRIDE + NODE.FLAGS] |= NODE_FLAG.DOWN;
    else s.nodes.words[node * NODE.STRIDE + NODE.FLAGS] &= ~NODE_FLAG.DOWN;
  }
  const words = s.links.words;
  for (let d = 0; d < s.links.count; d++) {
    const to = isOne(words[d * STRIDE + TO]);
    if (!to && !isOne(words[d * STRIDE + FROM])) continue;
    if (to && down) cutDirection(s, d);
    refreshDirection(s, d);
  }
}

/** Is a node switched off? */
export function isOff(s: Partition, node: number): boolean {
  return (s.nodes.words[node * NODE.STRIDE + NODE.FLAGS] & NODE_FLAG.DOWN) !== 0;
}

/** Opens or closes a declared port on hosts. */
export function switchPort(
  s: Partition,
  members: Members,
  protocol: "tcp" | "udp",
  port: number,
  open: boolean,
): void {
  const { first, count } = rowsOf(members);
  if (protocol === "udp") return switchUdpPort(s, first, count, port, open);
  for (const listener of listenersOf(s.tcp, first, count)) {
    if (s.tcp.listeners.words[listener * LISTENER.STRIDE + LISTENER.PORT] !== port) continue;
    if (open) resumeListener(s.tcp, listener);
    else suspendListener(s.tcp, listener);
  }
}

/** What a UDP port's application sends while it is closed is not sent either. */
function switchUdpPort(s: Partition, first: number, count: number, port: number, open: boolean): void {
  const udp = s.udp;
  for (const socket of udp.socketsOf(first, count)) {
    const at = socket * UDP_SOCKET.STRIDE;
    if (udp.rows.words[at + UDP_SOCKET.PORTS] >>> 16 !== port) continue;
    if (s.apps[udp.rows.words[at + UDP_SOCKET.APP]]?.serves !== true) continue;
    if (open) udp.resume(socket);
    else udp.suspend(socket);
  }
}

/** Sees to it that the hosts share their profiles with no others, so that they can change alone. */
export function separateProfiles(s: Partition, members: Members): void {
  const { first, count } = rowsOf(members);
  const outside = new Set<number>([0]);
  for (const population of s.nodes.populations) {
    if (s.nodes.words[population.firstRow * NODE.STRIDE + NODE.KIND] !== NODE_KIND.HOST) continue;
    for (let host = population.firstRow; host < population.firstRow + population.count; host++) {
      if (host < first || host >= first + count) outside.add(s.hosts.profileOf(host));
    }
  }
  const own = new Map<number, number>();
  for (let host = first; host < first + count; host++) {
    const id = s.hosts.profileOf(host);
    if (!outside.has(id)) continue;
    let copy = own.get(id);
    if (copy === undefined) own.set(id, copy = s.profiles.add(Object.freeze({ ...s.profiles.get(id) })));
    s.hosts.setProfile(host, copy);
  }
}

/** Changes settings of hosts whose profiles are their own. Returns what those of the first were. */
export function changeProfiles(s: Partition, members: Members, changes: Partial<Profile>): Readonly<Profile> {
  const { first, count } = rowsOf(members);
  const before = s.profiles.get(s.hosts.profileOf(first));
  const ids = new Set<number>();
  for (let host = first; host < first + count; host++) ids.add(s.hosts.profileOf(host));
  for (const id of ids) s.profiles.replace(id, makeProfile({ ...s.profiles.get(id), ...changes }));
  return before;
}
