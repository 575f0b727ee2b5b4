/**
 * What `events` are written as, and what the network takes for them.
 *
 * @module
 */
import { z } from "zod";
import type { NetworkEvent } from "../network/event_options.ts";
import * as f from "./fields.ts";
import { cpuOptions } from "./host_options.ts";
import type { Mistake } from "./issues.ts";
import { formatPath } from "./positions.ts";
import { profileOf, withoutUndefined } from "./profiles.ts";
import type { Scenario, ScenarioEvent, ScenarioProfile } from "./schema.ts";
import { portWithProtocol } from "./schema_dns.ts";
import { cpuCostsSchema } from "./schema_host.ts";
import { natTimeouts, timeoutsSchema } from "./schema_nat.ts";

const at = f.duration.describe("When it happens.");
const nodes = f.oneOrMore(f.text("a node such as server"), "a node such as server, or a list of them");

/** `events`. The settings of a link's direction and of a profile are the scenario's. */
export function eventsSchema<D extends z.ZodRawShape, P extends z.ZodType>(direction: D, profile: P) {
  const convergence = f.durationOr("never", Infinity).optional().describe(
    "Routers use other ways so long after it. Default 0: at once.",
  );
  return z.discriminatedUnion("kind", [
    f.fields({
      kind: z.literal("link").describe("A link goes down, comes back, or changes."),
      at,
      link: f.text("a link's name such as r1--r2").describe("Its name: r1--r2, clients--r1[3], clients--r1[0..9]."),
      direction: f.choice(["both", "forward", "reverse"]).optional().describe(
        "From its first end, or from its second. Default both.",
      ),
      state: f.choice(["up", "down"]).optional().describe("In service, or not: what is on its way then is lost."),
      ...direction,
      cost: f.whole(1, 65535).optional().describe("What it adds to the cost of a path from now on."),
      convergence,
    }, "an event"),
    f.fields({
      kind: z.literal("node").describe("A node, or members of a population, restart, go down, or come up."),
      at,
      node: nodes.describe("Which: server, clients[3], clients[0..9], or a list."),
      action: f.choice(["reboot", "down", "up"]).describe(
        "reboot: it forgets connections, queues, sessions and caches; down: so, and it is off; up: it is there again.",
      ),
      downFor: f.duration.optional().describe("It comes up after so long. Default: reboot 0, down never."),
      convergence,
    }, "an event"),
    f.fields({
      kind: z.literal("nat").describe("A NAT gateway restarts, or gets other timeouts."),
      at,
      node: nodes.describe("Which gateways."),
      restart: f.flag.optional().describe("It forgets all sessions. Default false."),
      timeouts: timeoutsSchema.optional().describe("Those that change."),
    }, "an event"),
    f.fields({
      kind: z.literal("route").describe("A router is given a route by hand, or loses one."),
      at,
      node: nodes.describe("Which routers, gateways, balancers, or hosts with several links."),
      to: f.addressInSubnet.describe("Destination: 198.51.100.0/24, or an address."),
      via: f.text("a neighbour such as r2, unreachable, or automatic").describe(
        "The neighbour that it leads to; unreachable; automatic: as it would be without it.",
      ),
    }, "an event"),
    f.fields({
      kind: z.literal("listener").describe(
        "A declared port stops listening, or listens again, or gets another backlog.",
      ),
      at,
      node: nodes.describe("Of which hosts."),
      port: portWithProtocol.describe("Which: 443, or 53/udp."),
      protocol: f.choice(["tcp", "udp"]).optional().describe("Default tcp."),
      action: f.choice(["open", "close"]).optional().describe("A port whose first event is open is closed until then."),
      backlog: f.whole(0, 2 ** 31 - 1).optional().describe("Length of the accept queue from now on."),
    }, "an event"),
    f.fields({
      kind: z.literal("backend").describe("A balancer is told of a back end."),
      at,
      balancer: f.text("a balancer's name").describe("Which balancer."),
      backend: f.text("a back end such as web[3]:80").describe("As declared, or a host, or a population."),
      state: f.choice(["up", "down", "drain"]).describe("drain: it takes no new flows."),
    }, "an event"),
    f.fields({
      kind: z.literal("workload").describe("A workload stops, or goes on."),
      at,
      workload: f.text("a workload's name").describe("Which."),
      action: f.choice(["start", "stop"]).describe(
        "stop: it opens nothing more; start: it goes on (as its first event: it begins then).",
      ),
      close: f.flag.optional().describe("stop: close the open connections too. Default false."),
    }, "an event"),
    f.fields({
      kind: z.literal("profile").describe("Settings of hosts change, as by sysctl."),
      at,
      node: nodes.optional().describe("Of which hosts."),
      profile: f.text("a profile's name").optional().describe("Instead: of all hosts with this profile."),
      set: profile.describe("Those that change."),
    }, "an event"),
    f.fields({
      kind: z.literal("host").describe("Budgets of hosts change."),
      at,
      node: nodes.describe("Of which hosts."),
      maxFiles: f.whole(0, 2 ** 31 - 1).optional().describe("Open sockets at most from now on."),
      memory: f.bytes().optional().describe("Memory for sockets and their buffers from now on."),
      cpu: cpuCostsSchema.optional().describe("What its work costs from now on, as far as it changes."),
    }, "an event"),
  ], { error: "expected an event such as { at: 10s, kind: link, link: r1--r2, state: down }" });
}

/** What a schema cannot see. Names of nodes and links the network knows. */
export function* checkEvents(scenario: Scenario): Generator<Mistake> {
  for (const [i, event] of (scenario.events ?? []).entries()) {
    if (event.kind === "listener" && typeof event.port !== "number" && event.protocol !== undefined) {
      if (event.port.protocol !== event.protocol) {
        const path = ["events", i, "protocol"];
        const said = `${event.port.port}/${event.port.protocol}`;
        const sentence = `${formatPath(path)} is ${event.protocol}, and the port is ${said}: say one.`;
        yield { path, atKey: false, sentence };
      }
    }
    if (event.kind !== "profile") continue;
    const path = ["events", i];
    if ((event.node === undefined) === (event.profile === undefined)) {
      const what = event.node === undefined ? "neither node nor profile" : "both node and profile";
      yield { path, atKey: false, sentence: `${formatPath(path)} has ${what}: expected one.` };
    } else if (event.profile !== undefined && hostsWith(scenario, event.profile).length === 0) {
      const names = Object.keys(scenario.profiles ?? {}).filter((name) => hostsWith(scenario, name).length > 0);
      const at = [...path, "profile"];
      const sentence = `${formatPath(at)}: no host has the profile ${JSON.stringify(event.profile)}: ${
        f.suggest(event.profile, names)
      }`;
      yield { path: at, atKey: false, sentence };
    }
  }
}

/** The hosts that have a profile, by its name. */
function hostsWith(scenario: Scenario, profile: string): string[] {
  return Object.entries(scenario.nodes).flatMap(([name, node]) =>
    node.kind === "host" && node.profile === profile ? [name] : []
  );
}

/** An event as the network takes it. `direction`: what the network calls the settings of a link. */
export function networkEvent(
  scenario: Scenario,
  event: ScenarioEvent,
  direction: (event: ScenarioEvent & { kind: "link" }) => object,
): NetworkEvent {
  const { at: atNs } = event;
  switch (event.kind) {
    case "link": {
      const { kind, link, direction: which, state, cost, convergence: convergenceNs } = event;
      return withoutUndefined({ kind, atNs, link, direction: which, state, cost, convergenceNs, ...direction(event) });
    }
    case "node": {
      const { kind, node, action, downFor: downForNs, convergence: convergenceNs } = event;
      return withoutUndefined({ kind, atNs, node, action, downForNs, convergenceNs });
    }
    case "nat": {
      const { kind, node, restart, timeouts } = event;
      return withoutUndefined({
        kind,
        atNs,
        node,
        restart,
        timeouts: timeouts && withoutUndefined(natTimeouts(timeouts)),
      });
    }
    case "listener": {
      const { kind, node, port, action, backlog } = event;
      const short = typeof port === "number" ? { port } : port;
      const protocol = event.protocol ?? ("protocol" in short ? short.protocol as "tcp" | "udp" : undefined);
      return withoutUndefined({ kind, atNs, node, port: short.port, protocol, action, backlog });
    }
    case "host": {
      const { kind, node, maxFiles, memory: memoryBytes, cpu } = event;
      return withoutUndefined({ kind, atNs, node, maxFiles, memoryBytes, cpu: cpu && cpuOptions(cpu) });
    }
    case "profile": {
      const { kind, node, profile, set } = event;
      const hosts = profile === undefined ? node! : hostsWith(scenario, profile);
      return { kind, atNs, node: hosts, set: profileOf(set as ScenarioProfile) };
    }
    default: {
      const { at: _, ...rest } = event;
      return withoutUndefined({ atNs, ...rest }) as NetworkEvent;
    }
  }
}
