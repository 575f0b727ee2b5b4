/**
 * Takes out what TCP, NAT and applications asked for: packets go onto links, timers into wheels, events to
 * applications, until nothing is left to do at this instant.
 *
 * @module
 */
import { GATEWAY } from "../nat/layout.ts";
import { NODE } from "../node/nodes.ts";
import { TCP_EVENT } from "../tcp/state/states.ts";
import { releaseAfterEvent } from "../tcp/mod.ts";
import { WARM } from "../tcp/state/tcb.ts";
import type { UdpSockets } from "../transport/udp.ts";
import { PACKET } from "../wire/packet.ts";
import { drainFineTimers } from "./fine_timers.ts";
import { APP_EVENT } from "./app_event.ts";
import { sendIcmpError, UNREACHABLE } from "./icmp.ts";
import { EVENT_KIND, isAt, owns } from "./part.ts";
import type { Partition } from "./partition.ts";

const { LINK, MASK, STRIDE } = PACKET;
const { ROUTES, MASK: NODE_MASK, STRIDE: NODE_STRIDE } = NODE;
const { APP, MASK: WARM_MASK, STRIDE: WARM_STRIDE } = WARM;
const {
  APP: EVENT_APP,
  CODE: EVENT_CODE,
  CONNECTION: EVENT_CONNECTION,
  GENERATION: EVENT_GENERATION,
  NODE: EVENT_NODE,
  ARGUMENT: EVENT_ARGUMENT,
  MASK: EVENT_MASK,
  STRIDE: EVENT_STRIDE,
} = APP_EVENT;
const { CLOSED, FAILED } = TCP_EVENT;

/**
 * Empties TCP's outboxes, which what applications do in answer fills again. Only the run loop calls it: an
 * application's calls leave their wishes there, and handlers never run within one another.
 */
export function drainTcp(s: Partition): void {
  const tcp = s.tcp;
  const sightings = s.part === undefined ? undefined : s.part.sightings;
  if (sightings !== undefined) sightings.nextStage();
  do {
    for (let i = 0; i < tcp.outCount; i++) {
      const p = tcp.out[i];
      if (sightings !== undefined) sightings.packet = p;
      const host = s.packets.rows.words[((p * STRIDE) & MASK) + LINK];
      s.path.emit(host, p, s.nodes.words[((host * NODE_STRIDE) & NODE_MASK) + ROUTES]);
    }
    tcp.outCount = 0;
    const requests = tcp.timerRequests;
    for (let i = 0; i < tcp.timerRequestCount; i++) s.tcpWheel.push(requests[2 * i + 1], requests[2 * i]);
    tcp.timerRequestCount = 0;
    if (tcp.fineTimerRequestCount > 0) drainFineTimers(s);
    for (let i = 0; i < tcp.eventCount; i++) {
      const events = tcp.events;
      const connection = events[3 * i];
      const kind = events[3 * i + 1];
      const app = s.apps[tcp.warm[((connection * WARM_STRIDE) & WARM_MASK) + APP]];
      if (app !== undefined) app.onTcp(kind, connection, events[3 * i + 2]);
      if (kind === CLOSED || kind === FAILED) releaseAfterEvent(tcp, connection);
    }
    tcp.eventCount = 0;
    if (sightings !== undefined) sightings.stepOn();
    if (s.udpSockets !== undefined) drainUdp(s, s.udpSockets);
    if (sightings !== undefined) sightings.stepOn();
  } while (tcp.outCount > 0 || tcp.timerRequestCount > 0 || tcp.fineTimerRequestCount > 0);
}

function drainUdp(s: Partition, udp: UdpSockets): void {
  const sightings = s.part === undefined ? undefined : s.part.sightings;
  for (let i = 0; i < udp.outCount; i++) {
    const p = udp.out[i];
    if (sightings !== undefined) sightings.packet = p;
    const host = s.packets.rows.words[p * STRIDE + LINK];
    s.path.emit(host, p, s.nodes.words[host * NODE_STRIDE + ROUTES]);
  }
  udp.outCount = 0;
}

/** Queues the timers that NAT asked for. */
export function drainNat(s: Partition): void {
  const nat = s.nat;
  const requests = nat.timerRequests;
  for (let i = 0; i < nat.timerRequestCount; i++) s.natWheel.push(requests[2 * i + 1], requests[2 * i]);
  nat.timerRequestCount = 0;
  if (nat.out.length > 0) sendOfNat(s);
}

/** RFC 5382 REQ-4: answers the unsolicited SYNs that gateways have held. */
function sendOfNat(s: Partition): void {
  const { out, gateways } = s.nat;
  for (let i = 0; i < out.length; i += 2) {
    const node = s.nodes.rowOfRank(gateways.words[out[i] * GATEWAY.STRIDE + GATEWAY.RANK]);
    if (s.part?.eventKind === EVENT_KIND.NAT_TIMER) isAt(s.part, EVENT_KIND.NAT_TIMER, s.nodes.rankOf(node));
    sendIcmpError(s, node, out[i + 1], UNREACHABLE.PORT, 0);
    for (const tap of s.endTaps) tap(out[i + 1]);
    s.packets.release(out[i + 1]);
  }
  out.length = 0;
}

/** An application event is due. */
export function fireAppEvent(s: Partition, row: number): void {
  const words = s.events.words;
  const o = (row * EVENT_STRIDE) & EVENT_MASK;
  const app = s.apps[words[o + EVENT_APP]];
  const code = words[o + EVENT_CODE];
  const connection = words[o + EVENT_CONNECTION];
  const generation = words[o + EVENT_GENERATION];
  const argument = words[o + EVENT_ARGUMENT];
  const node = words[o + EVENT_NODE];
  s.events.release(row);
  if (connection !== 0 && s.tcp.generation(connection) !== generation) return;
  if (s.part === undefined || owns(s, node)) s.acted++;
  else if (app!.everywhere !== true) return;
  s.tcp.syncNow();
  app!.onTimer(code, connection, argument);
  drainTcp(s);
}
