/**
 * Unsolicited SYNs (RFC 5382 REQ-4): a SYN from outside (or by hairpin, as if from there) that nobody waits for is
 * dropped, but the ICMP error that says so is held back for six seconds. If a SYN from inside for the same connection goes out meanwhile (a simultaneous open),
 * the error is never sent.
 *
 * @module
 */
import { hashTuple } from "../store/tuple_table.ts";
import { PACKET, PROTOCOL, TCP_FLAG } from "../wire/packet.ts";
import { findHeldSyn } from "./find.ts";
import { HELD_SYN, NAT_PROTOCOL } from "./layout.ts";
import { heldSynRef } from "./ref.ts";
import type { NatTables } from "./tables.ts";
import { NAT_VERDICT, type NatVerdict } from "./verdict.ts";

const { REALM, DEADLINE, SERIAL, LINK, PACKET: COPY, MASK, STRIDE } = HELD_SYN;
const { SRC, DST, PORTS, CONTROL, LINK: PACKET_LINK, MASK: PACKET_MASK, STRIDE: PACKET_STRIDE } = PACKET;
/** Words of a packet row that are copied. */
const COPIED = 8;
const { SYN, ACK, RST } = TCP_FLAG;
const { DROP_FILTERED, DROP_NO_MAPPING } = NAT_VERDICT;

/** SYNs of one gateway held at most: a flood of them gets no answers. */
const MOST_HELD = 4096;

/**
 * A packet was refused with `verdict`, and is as it would be outside: if it is an unsolicited SYN, it will be answered
 * later. The packet stays the driver's.
 */
export function holdSynIfUnsolicited(t: NatTables, gateway: number, packet: number, verdict: NatVerdict): void {
  if (isToBeHeld(t, gateway, packet, verdict)) holdSyn(t, gateway, packet);
}

function isToBeHeld(t: NatTables, gateway: number, packet: number, verdict: NatVerdict): boolean {
  if (verdict !== DROP_NO_MAPPING && verdict !== DROP_FILTERED) return false;
  const words = t.packets.rows.words;
  const at = (packet * PACKET_STRIDE) & PACKET_MASK;
  const control = words[at + CONTROL];
  if (control >>> 24 !== PROTOCOL.TCP || (control & (SYN | ACK | RST)) !== SYN) return false;
  if (t.profileOf(gateway).unsolicitedSynMs === 0) return false;
  if ((t.extrasIfAny(gateway)?.heldSyns ?? 0) >= MOST_HELD) return false;
  // One that is sent again is the same one.
  const realm = (gateway << 2) | NAT_PROTOCOL.TCP;
  return findHeldSyn(t, realm, words[at + DST], words[at + SRC], words[at + PORTS]) === 0;
}

function holdSyn(t: NatTables, gateway: number, packet: number): void {
  const packets = t.packets.rows.words;
  const at = (packet * PACKET_STRIDE) & PACKET_MASK;
  const extras = t.extrasOf(gateway);
  const held = t.heldSyns.allocate();
  const words = t.heldSyns.words;
  const row = (held * STRIDE) & MASK;
  const deadline = t.tickCeiling + t.profileOf(gateway).unsolicitedSynMs;
  words[row + REALM] = (gateway << 2) | NAT_PROTOCOL.TCP;
  words[row + DEADLINE] = deadline;
  words[row + SERIAL] = ++extras.heldSynsEver;
  words[row + LINK] = packets[at + PACKET_LINK];
  for (let i = 0; i < COPIED; i++) words[row + COPY + i] = packets[at + i];
  extras.heldSyns++;
  t.heldSynIndex.insert(hashOf(words, row), held);
  t.addresses.retain(packets[at + SRC]);
  t.addresses.retain(packets[at + DST]);
  t.requestTimer(heldSynRef(held), deadline);
}

function hashOf(words: Int32Array, row: number): number {
  const copy = row + COPY;
  return hashTuple(words[row + REALM], words[copy + DST], words[copy + SRC], words[copy + PORTS]);
}

/**
 * A SYN has gone out with these outer endpoints (`wire`: remote port << 16 | external port): one that came from there
 * is not answered any more.
 */
export function cancelHeldSyn(t: NatTables, realm: number, external: number, remote: number, wire: number): void {
  const held = findHeldSyn(t, realm, external, remote, wire);
  if (held === 0) return;
  t.extrasOf(realm >>> 2).heldSynsCancelled++;
  forget(t, held);
}

/** Is a held SYN due? */
export function heldSynTimerActs(t: NatTables, held: number): boolean {
  const words = t.heldSyns.words;
  const row = (held * STRIDE) & MASK;
  return words[row + SERIAL] !== 0 && words[row + DEADLINE] === t.tick;
}

/** Hands a held SYN to the driver, to be answered: as it came, in a packet row of its own. */
export function answerHeldSyn(t: NatTables, held: number): void {
  const row = (held * STRIDE) & MASK;
  const packet = t.packets.allocate();
  const packets = t.packets.rows.words;
  const words = t.heldSyns.words;
  for (let i = 0; i < COPIED; i++) packets[packet * PACKET_STRIDE + i] = words[row + COPY + i];
  packets[packet * PACKET_STRIDE + PACKET_LINK] = words[row + LINK];
  const gateway = words[row + REALM] >>> 2;
  t.out.push(gateway, packet);
  t.extrasOf(gateway).heldSynsAnswered++;
  forget(t, held);
}

/** Forgets all held SYNs of some gateways. Cold: looks at every row. */
export function forgetHeldSyns(t: NatTables, isOne: (gateway: number) => boolean): void {
  for (let held = 1; held < t.heldSyns.end; held++) {
    const row = (held * STRIDE) & MASK;
    const words = t.heldSyns.words;
    if (words[row + SERIAL] !== 0 && isOne(words[row + REALM] >>> 2)) forget(t, held);
  }
}

function forget(t: NatTables, held: number): void {
  const words = t.heldSyns.words;
  const row = (held * STRIDE) & MASK;
  const remote = words[row + COPY + SRC];
  const external = words[row + COPY + DST];
  t.heldSynIndex.remove(hashOf(words, row), held);
  t.extrasOf(words[row + REALM] >>> 2).heldSyns--;
  t.heldSyns.release(held);
  t.addresses.release(remote);
  t.addresses.release(external);
}
