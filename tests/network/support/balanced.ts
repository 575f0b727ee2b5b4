/** Clients, a balancer and its back ends around one router, and what tests ask of them. */
import type { BalancerOptions, BalancerServiceOptions } from "../../../src/network/balancer_options.ts";
import type { HostOptions, WorkloadOptions } from "../../../src/network/options.ts";
import type { Simulation } from "../../../src/network/simulation.ts";
import type { Backend } from "../../../src/node/balancers.ts";
import { DIRECTION, DIRECTION_FLAG } from "../../../src/link/links.ts";
import type { Step } from "./networks.ts";

export const VIRTUAL = "203.0.113.80";

/** clients (10.0.0.1 …), web (192.0.2.1 …) and lb (203.0.113.1, service 203.0.113.80:80), each linked with r1. */
export function balanced(options: {
  service?: Partial<BalancerServiceOptions>;
  balancer?: Partial<BalancerOptions>;
  clients?: Partial<HostOptions>;
  backends?: number;
  web?: Partial<HostOptions>;
  workload?: Partial<WorkloadOptions>;
}): Step[] {
  const { service, balancer, clients, backends = 4, web, workload } = options;
  const own = service?.mode === "direct-return" ? { virtualAddresses: [VIRTUAL] } : {};
  return [
    (n) => n.host("clients", { count: 8, address: "10.0.0.1/16", ...clients }),
    (n) => n.host("web", { count: backends, address: "192.0.2.1/24", listen: [{ port: 80 }], ...own, ...web }),
    (n) => n.router("r1"),
    (n) =>
      n.balancer("lb", {
        address: "203.0.113.1/24",
        services: [{ address: VIRTUAL, port: 80, backends: ["web:80"], ...service }],
        ...balancer,
      }),
    (n) => n.link("clients", "r1", { delayNs: 1e6 }),
    (n) => n.link("r1", "web", { delayNs: 1e6 }),
    (n) => n.link("r1", "lb", { delayNs: 1e6 }),
    (n) =>
      n.workload({
        name: "load",
        kind: "request-response",
        from: ["clients"],
        to: [`${VIRTUAL}:80`],
        connections: 400,
        arrivals: { kind: "rate", perSecond: 2000 },
        ...workload,
      }),
  ];
}

/** The back ends of all balancers, in order. */
export function backendsOf(simulation: Simulation): Backend[] {
  return simulation.partition.balancers!.backends;
}

/** How many flows each back end got. */
export function shares(simulation: Simulation): number[] {
  return backendsOf(simulation).map(({ connections }) => connections);
}

/** All that a record of counts by reason holds. */
export function total(counts: Record<string, number>): number {
  return Object.values(counts).reduce((a, b) => a + b, 0);
}

/** Takes the links between two nodes down, both ways, or up. */
export function setLink(simulation: Simulation, from: string, to: string, down: boolean): void {
  const { links, nodes } = simulation.partition;
  for (let d = 0; d < links.words.length / DIRECTION.STRIDE; d++) {
    const at = d * DIRECTION.STRIDE;
    const ends = [links.words[at + DIRECTION.FROM], links.words[at + DIRECTION.TO]];
    if (ends[0] === 0 || ends[1] === 0) continue;
    const names = ends.map((node) => nodes.nameOf(node));
    if (!names.includes(from) || !names.includes(to)) continue;
    if (down) links.words[at + DIRECTION.FLAGS] |= DIRECTION_FLAG.DOWN;
    else links.words[at + DIRECTION.FLAGS] &= ~DIRECTION_FLAG.DOWN;
  }
}
