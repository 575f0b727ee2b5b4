// The network of 7-ipv6.yaml in code: IPv6 removes the wall.
//
//   deno run examples/7-ipv6.ts
import { expectations, Network, summary } from "../mod.ts";

export const description = "The same homes with and without IPv6, and phones that meet the old wall at the NAT64.";

/** `ipv6Share`: of the homes of the second town. */
export function build(ipv6Share = 0.6): Network {
  const network = new Network({ name: "7-ipv6", seed: 1 });
  const ports = { portLow: 1024, portHigh: 3071 };
  const listen = [{ port: 443 }];
  network.host("old", { count: 1000, address: "100.64.0.1/10" });
  network.host("dual", { count: 1000, address: "100.64.0.1/10", address6: "2001:db8:1::1/64", ipv6Share });
  network.nat("oldCgn", { address: "203.0.113.1/24", ...ports, onRefusal: "icmp" });
  network.nat("dualCgn", { address: "203.0.113.2/24", address6: "2001:db8:2::1", ...ports, onRefusal: "icmp" });
  // IPv6 alone. What has only IPv4 is reached through a NAT64: with one port for each flow again.
  network.host("phones", { count: 1000, address: "2001:db8:6::1/64" });
  network.nat("nat64", {
    address: "203.0.113.64/24",
    address6: "2001:db8:7::1",
    nat64: "64:ff9b::/96",
    ...ports,
    onRefusal: "icmp",
  });
  network.router("net");
  network.host("site", { address: "192.0.2.1/24", address6: "2001:db8:4::1/64", listen });
  network.host("oldSite", { address: "192.0.2.2/24", listen });
  network.link("old", "oldCgn", { delayNs: 5e6 });
  network.link("dual", "dualCgn", { delayNs: 5e6 });
  network.link("phones", "nat64", { delayNs: 5e6 });
  for (const name of ["oldCgn", "dualCgn", "nat64"]) network.link(name, "net", { delayNs: 1e6 });
  for (const name of ["site", "oldSite"]) network.link("net", name, { delayNs: 4e6 });

  const load = (name: string, from: string, to: string) =>
    network.workload({
      name,
      kind: "hold",
      from: [from],
      to: [to],
      connections: 4000,
      arrivals: { kind: "rate", perSecond: 1000 },
    });
  load("old-town", "old", "site:443");
  load("dual-town", "dual", "site:443");
  load("phones-new", "phones", "site:443");
  load("phones-old", "phones", "[64:ff9b::c000:202]:443"); // 64:ff9b::192.0.2.2, as a DNS64 would make it up
  return network;
}

export const expected = [
  "workloads[old-town].failed.EHOSTUNREACH == 1952", // 4,000 - 2,048 ports
  "limits[nat-pool@oldCgn].firstHitSeconds ~= 2.05s ± 10ms", // 2,048 ports at 1,000 a second
  "workloads[dual-town].failed == 0", // 4 x 600 over IPv6 take no port,
  "limits[nat-pool@dualCgn].used == 1600", // 4 x 400 over IPv4 do
  "workloads[phones-new].failed == 0", // nothing but routers on the way
  "workloads[phones-old].failed.EACCES == 1952", // the wall is where IPv4 begins
  "limits[nat-pool@nat64].used == 2048",
];

if (import.meta.main) {
  const simulation = build().build();
  simulation.run();
  const report = simulation.report();
  console.log(summary({ ...report, expect: expectations(report, expected) }, { description }));
}
