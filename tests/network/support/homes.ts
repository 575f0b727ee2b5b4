/** Inner hosts behind a gateway, and two servers outside. */
import type { NatOptions, WorkloadOptions } from "../../../src/network/options.ts";
import type { Step } from "./networks.ts";

/** lan[i] (10.0.0.2 …) -- home -- gw (203.0.113.1) -- isp -- web (192.0.2.1), alt (192.0.2.2), far (198.51.100.1). */
export function behindNat(nat: Partial<NatOptions> = {}, hosts = 3): Step[] {
  return [
    (n) => n.host("lan", { address: "10.0.0.2/24", count: hosts, listen: [{ port: 8080 }] }),
    (n) => n.router("home", { address: "10.0.0.254" }),
    (n) => n.nat("gw", { address: "203.0.113.1/24", insideAddress: "10.0.0.1", ...nat }),
    (n) => n.router("isp", { address: "198.18.0.1" }),
    (n) => n.host("web", { address: "192.0.2.1", listen: [{ port: 80 }] }),
    (n) => n.host("alt", { address: "192.0.2.2", listen: [{ port: 80 }] }),
    (n) => n.host("far", { address: "198.51.100.1", listen: [{ port: 80 }] }),
    (n) => n.link("lan", "home", { delayNs: 1e6 }),
    (n) => n.link("home", "gw", { delayNs: 1e6 }),
    (n) => n.link("gw", "isp", { delayNs: 1e6 }),
    (n) => n.link("isp", "web", { delayNs: 1e6 }),
    (n) => n.link("isp", "alt", { delayNs: 1e6 }),
    (n) => n.link("isp", "far", { delayNs: 1e6 }),
  ];
}

/** Adds a workload. */
export function workload(options: Partial<WorkloadOptions> & Pick<WorkloadOptions, "from" | "to">): Step {
  return (n) => n.workload({ name: "load", kind: "hold", connections: 1, ...options });
}
