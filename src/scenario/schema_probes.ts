/**
 * What `probes` are written as: pings and traceroutes.
 *
 * @module
 */
import { z } from "zod";
import type { ProbeOptions } from "../network/probe_options.ts";
import * as f from "./fields.ts";
import { withoutUndefined } from "./profiles.ts";

const common = {
  name: f.text("a name").describe("Its name: probes[NAME] in expect."),
  at: f.duration.optional().describe("When it begins. Default 0."),
  from: f.text("a host such as clients[0]").describe("The host that asks."),
  to: f.text("a node such as server, or an address").describe("Whom: a node, or an address."),
  bytes: f.bytes(0, 65_507).optional().describe("Data in a request. Default 56, of a traceroute 32."),
  timeout: f.duration.optional().describe("How long an answer is waited for. Default 10s, of a traceroute 5s."),
  family: f.choice(["ipv4", "ipv6"]).optional().describe("Of a node with both. Default ipv6 if the host has it too."),
};

/** One of `probes`. */
export const probeSchema = z.discriminatedUnion("kind", [
  f.fields({
    kind: z.literal("ping").describe("ICMP echo requests."),
    ...common,
    count: f.whole(1, 10_000).optional().describe("Requests. Default 4; of a traceroute, for each hop, 3."),
    interval: f.duration.optional().describe("Time between two requests. Default 1s."),
    ttl: f.whole(1, 255).optional().describe("TTL or hop limit. Default the host's."),
  }, "a probe"),
  f.fields({
    kind: z.literal("traceroute").describe("The routers on the way, by echo requests of growing TTL."),
    ...common,
    count: f.whole(1, 10_000).optional().describe("Requests for each hop. Default 3."),
    mostHops: f.whole(1, 255).optional().describe("Hops at most. Default 30."),
  }, "a probe"),
], { error: "expected a probe such as { name: way, kind: ping, from: clients[0], to: server }" });

/** A probe as the network takes it. */
export function probeOptions(probe: z.output<typeof probeSchema>): ProbeOptions {
  const { at: atNs, timeout: timeoutNs, ...rest } = probe;
  const { interval: intervalNs, ...others } = "interval" in rest ? rest : { ...rest, interval: undefined };
  return withoutUndefined({ ...others, atNs, timeoutNs, intervalNs });
}
