/**
 * Unsolicited SYNs (RFC 5382 REQ-4): a SYN from outside that nobody waits for is dropped, but the ICMP error that says
 * so is held back for six seconds. If a SYN from inside for the same connection goes out meanwhile (a simultaneous open),
 * the error is never sent.
 *
 * @module
 */
import { PACKET, PROTOCOL, TCP_FLAG } from "../wire/packet.ts";
import { findHeldSyn, outsideHash } from "./find.ts";
import { HELD_SYN, NAT_PROTOCOL } from "./layout.ts";
import { heldSynRef } from "./ref.ts";
import type { NatTables } from "./tables.ts";
import { NAT_VERDICT, type NatVerdict } from "./verdict.ts";

const { REALM, EXTERNAL, REMOTE, PORTS, DEADLINE, PACKET: ANSWER, SERIAL, STRIDE } = HELD_SYN;
const { SRC, DST, PORTS: PACKET_PORTS, CONTROL, STRIDE: PACKET_STRIDE } = PACKET;
const { SYN, ACK, RST } = TCP_FLAG;
const { DROP_FILTERED, DROP_NO_MAPPING } = NAT_VERDICT;

/** SYNs of one gateway held at most: a flood of them gets no answers. */
const MOST_HELD = 4096;

/** Whether a packet from outside, refused with `verdict`, is an unsolicited SYN that is to be answered later. */
export function holdsSyn(t: NatTables, gateway: number, packet: number, verdict: NatVerdict): boolean {
  if (verdict !== DROP_NO_MAPPING && verdict !== DROP_FILTERED) return false;
  const words = t.packets.rows.words;
  const at = packet * PACKET_STRIDE;
  const control = words[at + CONTROL];
  if (control >>> 24 !== PROTOCOL.TCP || (control & (SYN | ACK | RST)) !== SYN) return false;
  if (t.profileOf(gateway).unsolicitedSynMs === 0) return false;
  if ((t.extrasIfAny(gateway)?.heldSyns ?? 0) >= MOST_HELD) return false;
  const ports = words[at + PACKET_PORTS];
  const realm = (gateway << 2) | NAT_PROTOCOL.TCP;
  // One that is sent again is the same one.
  return findHeldSyn(t, realm, words[at + DST], words[at + SRC], (ports << 16) | (ports >>> 16)) === 0;
}

/** Holds the answer to a SYN that `holdsSyn` has spoken for. The answer is the NAT's from here on. */
export function holdSyn(t: NatTables, gateway: number, packet: number, answer: number): void {
  const packets = t.packets.rows.words;
  const at = packet * PACKET_STRIDE;
  const extras = t.extrasOf(gateway);
  const held = t.heldSyns.allocate();
  const words = t.heldSyns.words;
  const row = held * STRIDE;
  const wire = packets[at + PACKET_PORTS];
  const ports = (wire << 16) | (wire >>> 16);
  const remote = packets[at + SRC];
  const deadline = t.tickCeiling + t.profileOf(gateway).unsolicitedSynMs;
  words[row + REALM] = (gateway << 2) | NAT_PROTOCOL.TCP;
  words[row + EXTERNAL] = packets[at + DST];
  words[row + REMOTE] = remote;
  words[row + PORTS] = ports;
  words[row + DEADLINE] = deadline;
  words[row + ANSWER] = answer;
  words[row + SERIAL] = ++extras.heldSynsEver;
  extras.heldSyns++;
  t.heldSynIndex.insert(outsideHash(words[row + REALM], packets[at + DST], remote, ports), held);
  t.addresses.retain(remote);
  t.requestTimer(heldSynRef(held), deadline);
}

/** A SYN has gone out with these outer endpoints: one that came from there is not answered any more. */
export function cancelHeldSyn(t: NatTables, realm: number, external: number, remote: number, ports: number): void {
  const held = findHeldSyn(t, realm, external, remote, ports);
  if (held === 0) return;
  t.packets.release(t.heldSyns.words[held * STRIDE + ANSWER]);
  t.extrasOf(realm >>> 2).heldSynsCancelled++;
  forget(t, held);
}

/** Is a held SYN due? */
export function heldSynTimerActs(t: NatTables, held: number): boolean {
  const words = t.heldSyns.words;
  const row = held * STRIDE;
  return words[row + SERIAL] !== 0 && words[row + DEADLINE] === t.tick;
}

/** Hands a held SYN's answer to the driver. */
export function answerHeldSyn(t: NatTables, held: number): void {
  const row = held * STRIDE;
  const gateway = t.heldSyns.words[row + REALM] >>> 2;
  t.out.push(gateway, t.heldSyns.words[row + ANSWER]);
  t.extrasOf(gateway).heldSynsAnswered++;
  forget(t, held);
}

/** Forgets all held SYNs of a gateway. Cold: looks at every row. */
export function forgetHeldSyns(t: NatTables, gateway: number): void {
  for (let held = 1; held < t.heldSyns.end; held++) {
    const row = held * STRIDE;
    const words = t.heldSyns.words;
    if (words[row + SERIAL] === 0 || words[row + REALM] >>> 2 !== gateway) continue;
    t.packets.release(words[row + ANSWER]);
    forget(t, held);
  }
}

function forget(t: NatTables, held: number): void {
  const words = t.heldSyns.words;
  const row = held * STRIDE;
  const remote = words[row + REMOTE];
  t.heldSynIndex.remove(outsideHash(words[row + REALM], words[row + EXTERNAL], remote, words[row + PORTS]), held);
  t.extrasOf(words[row + REALM] >>> 2).heldSyns--;
  words[row + SERIAL] = 0;
  t.heldSyns.release(held);
  t.addresses.release(remote);
}
