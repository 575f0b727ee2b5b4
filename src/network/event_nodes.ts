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
import { cutDirection } from "./link_queues.ts";
import { restartNats } from "./nat_events.ts";
import type { Partition } from "./partition.ts";
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
      resetHosts(s.tcp, first, count, ERRNO.ECONNABORTED);
      abortDatagrams(s, first, count);
      s.dns?.addresses.lookups.cache.forgetNodes(first, count);
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
  }
}

/** Connected UDP sockets of some hosts fail, in an order that does not depend on rows. */
function abortDatagrams(s: Partition, first: number, count: number): void {
  const udp = s.udpSockets;
  if (udp === undefined) return;
  const found: number[] = [];
  for (let socket = 1; socket < udp.rows.end; socket++) {
    const at = socket * UDP_SOCKET.STRIDE;
    const host = udp.rows.words[at + UDP_SOCKET.HOST];
    if (host >= first && host < first + count && udp.rows.words[at + UDP_SOCKET.REMOTE] !== 0) found.push(socket);
  }
  const word = (socket: number, field: number) => udp.rows.words[socket * UDP_SOCKET.STRIDE + field];
  const remote = (socket: number) => s.addresses.word(word(socket, UDP_SOCKET.REMOTE)) >>> 0;
  found.sort((a, b) =>
    s.nodes.rankOf(word(a, UDP_SOCKET.HOST)) - s.nodes.rankOf(word(b, UDP_SOCKET.HOST)) ||
    (word(a, UDP_SOCKET.PORTS) >>> 0) - (word(b, UDP_SOCKET.PORTS) >>> 0) || remote(a) - remote(b)
  );
  for (const socket of found) {
    // (An application may have closed it when another one failed.)
    if (word(socket, UDP_SOCKET.REMOTE) === 0) continue;
    udp.rows.words[socket * UDP_SOCKET.STRIDE + UDP_SOCKET.ERROR] = ERRNO.ECONNABORTED;
    s.apps[word(socket, UDP_SOCKET.APP)]?.onDatagram?.(socket, 0);
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
export function switchPort(s: Partition, members: Members, port: number, open: boolean): void {
  const { first, count } = rowsOf(members);
  for (const listener of listenersOf(s.tcp, first, count)) {
    if (s.tcp.listeners.words[listener * LISTENER.STRIDE + LISTENER.PORT] !== port) continue;
    if (open) resumeListener(s.tcp, listener);
    else suspendListener(s.tcp, listener);
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

/** Changes settings of hosts whose profiles are their own. */
export function changeProfiles(s: Partition, members: Members, changes: Partial<Profile>): void {
  const { first, count } = rowsOf(members);
  const ids = new Set<number>();
  for (let host = first; host < first + count; host++) ids.add(s.hosts.profileOf(host));
  for (const id of ids) s.profiles.replace(id, makeProfile({ ...s.profiles.get(id), ...changes }));
}
