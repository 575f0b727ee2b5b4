/**
 * Static port forwards (a DNAT rule, a "virtual server"): an external endpoint that always leads to an internal one.
 *
 * @module
 */
import { InputError } from "../base/errors.ts";
import { BEHAVIOUR } from "./behaviour.ts";
import { findMappingOutside, isExternalAddress, poolAddress } from "./find.ts";
import { GATEWAY, MAPPING_FLAG, NAT_PROTOCOL } from "./layout.ts";
import { addMapping } from "./mapping.ts";
import { reservePort } from "./port_space.ts";
import type { NatTables } from "./tables.ts";

/** A port forward. */
export interface NatForward {
  /** TCP or UDP. */
  protocol: "tcp" | "udp";
  /** External address id; default the pool's first. */
  externalAddress?: number;
  /** External port, 0 to 65,535; it may lie outside the pool's range. */
  externalPort: number;
  /** Internal address id. */
  internalAddress: number;
  /** Internal port. */
  internalPort: number;
}

/**
 * Adds a port forward to a gateway that has no sessions yet. Remote endpoints reach it whatever the filtering behaviour.
 * With endpoint-independent mapping the internal endpoint's own sessions also use the external one. Throws `InputError`
 * if the external endpoint is taken or not the gateway's, or sessions exist.
 */
export function addForward(t: NatTables, gateway: number, forward: NatForward): void {
  const words = t.gateways.words;
  const at = gateway * GATEWAY.STRIDE;
  const external = forward.externalAddress ?? poolAddress(t, gateway, 0);
  const protocol = forward.protocol === "tcp" ? NAT_PROTOCOL.TCP : NAT_PROTOCOL.UDP;
  const realm = (gateway << 2) | protocol;
  const { externalPort } = forward;
  const name = `${forward.protocol} ${t.addresses.toText(external)}:${externalPort}`;
  if (!isExternalAddress(t, gateway, external)) {
    throw new InputError(`The port forward of ${name} is not of an external address of its NAT.`, { path: "forwards" });
  }
  if (words[at + GATEWAY.SESSIONS] > 0) {
    throw new InputError(`The port forward of ${name} comes after the NAT's first session.`, { path: "forwards" });
  }
  if (findMappingOutside(t, realm, external, externalPort) !== 0) {
    throw new InputError(`There are two port forwards of ${name}.`, { path: "forwards" });
  }
  const profile = t.profileOf(gateway);
  const pooled = externalPort >= profile.portLow && externalPort < profile.portLow + profile.portCount;
  if (pooled) reservePort(t, profile, gateway, protocol, external, externalPort);
  const ports = (forward.internalPort << 16) | externalPort;
  const shared = profile.mapping === BEHAVIOUR.ENDPOINT_INDEPENDENT;
  addMapping(t, realm, forward.internalAddress, external, ports, 0, 0, 0, MAPPING_FLAG.STATIC, shared);
  t.extrasOf(gateway).forwards++;
}
