/**
 * A network's declaration as plain data.
 *
 * @module
 */
import type { ApplicationOptions } from "./applications.ts";
import type { NetworkEvent } from "./event_options.ts";
import type { WorkloadOptions } from "./options.ts";
import type { Declaration, LinkDeclaration } from "./plan.ts";
import type { ProbeOptions } from "./probe_options.ts";

/** A network's declaration as plain data. */
export interface NetworkDocument {
  /** Its name. */
  name: string;
  /** Seed of its random draws. */
  seed: number;
  /** Hosts, routers, gateways and so on, in the order of declaration. */
  nodes: Declaration[];
  /** Links, in the order of declaration. */
  links: LinkDeclaration[];
  /** Workloads, in the order of declaration. */
  workloads: WorkloadOptions[];
  /** What happens when, in the order of declaration. */
  events: NetworkEvent[];
  /** `ping`s and `traceroute`s. */
  probes: ProbeOptions[];
  /** Applications of modules, in the order of declaration; absent if there are none. */
  applications?: ApplicationOptions[];
  /** Which nodes one thread runs, and which the next, where that was said. */
  partition?: string[][];
}
