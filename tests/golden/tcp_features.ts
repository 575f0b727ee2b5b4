/** Small runs that each show a feature of TCP. */
import { Network } from "../../src/network/network.ts";
import type { HostOptions, LinkOptions, WorkloadOptions } from "../../src/network/options.ts";
import type { Simulation } from "../../src/network/simulation.ts";
import type { Profile } from "../../src/transport/profile.ts";
import { CONTENT } from "../../src/trace/content.ts";
import { TCP_FLAG } from "../../src/wire/packet.ts";
import type { Shown } from "./shown.ts";

/** A run worth freezing. */
export interface Feature {
  /** Makes it. */
  make: () => Network | Simulation;
  /** Does the trace show what it is named after? */
  shows: (trace: Shown) => boolean;
  /** How long it is run; default until rest. */
  untilNs?: number;
  pastQuiescence?: boolean;
}

/** client -- r1 -- server, one bulk upload unless said otherwise. */
function path(
  options: {
    profile?: Partial<Profile>;
    client?: Partial<HostOptions>;
    server?: Partial<HostOptions>;
    link?: LinkOptions;
    far?: LinkOptions;
    /** Between r1 and another router before the server; default there is none. */
    middle?: LinkOptions;
    workload?: Partial<WorkloadOptions> | "none";
  },
): Network {
  const { profile, client, server, link, far, middle, workload } = options;
  const network = new Network({ seed: 1 });
  network.host("client", { address: "198.51.100.1/24", profile, ...client });
  network.router("r1", { address6: "2001:db8:4::1" });
  network.host("server", { address: "192.0.2.1/24", profile, listen: [{ port: 80 }], ...server });
  network.link("client", "r1", { rateBps: 20e6, delayNs: 10e6, ...link });
  if (middle !== undefined) {
    network.router("r2", { address6: "2001:db8:3::1" });
    network.link("r1", "r2", { delayNs: 1e6, ...middle });
  }
  network.link(middle === undefined ? "r1" : "r2", "server", { rateBps: 1e9, delayNs: 1e6, ...far });
  if (workload === "none") return network;
  const bulk: WorkloadOptions = {
    name: "load",
    kind: "bulk",
    from: ["client"],
    to: ["server:80"],
    connections: 1,
    bytes: 150_000,
    close: "client",
  };
  network.workload({ ...bulk, ...workload });
  return network;
}

/** The same without a workload, and code that talks. */
function talk(options: Parameters<typeof path>[0], script: (simulation: Simulation) => void): () => Simulation {
  return () => {
    const simulation = path({ server: { listen: [] }, workload: "none", ...options }).build();
    script(simulation);
    return simulation;
  };
}

const { SYN, RST, ECE, FIN, PSH } = TCP_FLAG;
const SERVER = { address: "192.0.2.1", port: 80 };
/** A tenth of packets lost, or so. */
const lossy = (loss: number): LinkOptions => ({ loss });
const narrow: LinkOptions = { rateBps: 5e6, queuePackets: 12 };

const congestion = (congestionControl: string, more: Partial<Profile> = {}, link = narrow): Feature => ({
  make: () => path({ profile: { congestionControl, ...more }, link, workload: { bytes: 300_000 } }),
  shows: ({ sent }) => sent.length > 250,
});

/** TCP's features by name. */
export const TCP_FEATURES: Record<string, Feature> = {
  "recovery-rack": {
    make: () => path({ link: lossy(0.04) }),
    shows: (trace) => trace.sack && trace.mostSent > 1,
  },
  "recovery-duplicate-acks": {
    make: () => path({ profile: { rack: false, tailLossProbe: false }, link: lossy(0.04) }),
    shows: (trace) => trace.sack && trace.mostSent > 1,
  },
  "recovery-newreno": {
    make: () => path({ profile: { sack: false }, link: lossy(0.04) }),
    shows: (trace) => !trace.sack && trace.mostSent > 1,
  },
  "recovery-timeouts": {
    make: () => path({ link: lossy(0.35), workload: { bytes: 20_000 } }),
    shows: (trace) => trace.mostSent >= 3,
  },
  "recovery-tail-loss": {
    make: () => path({ link: lossy(0.1), workload: { kind: "request-response", requests: 5, connections: 5 } }),
    shows: (trace) => trace.mostSent > 1 && trace.fact("connections.repliesCompleted") === 25,
  },
  "recovery-spurious": {
    make: () => path({ link: { jitterNs: 400e6, rateBps: 1e9 }, workload: { bytes: 60_000 } }),
    shows: (trace) => trace.duplicateSack,
  },
  "reordering": {
    make: () => path({ link: { reorder: 0.05, reorderNs: 8e6 } }),
    shows: (trace) => trace.sack && trace.drops.length === 0,
  },
  "duplication": {
    make: () => path({ link: { duplicate: 0.1 } }),
    shows: (trace) => trace.duplicateSack,
  },
  "corruption": {
    make: () => path({ link: { corrupt: 0.05 } }),
    shows: (trace) => trace.drops.includes("checksum"),
  },
  "give-up": {
    make: () => path({ profile: { retries2: 3, synRetries: 2 }, link: { loss: 0.9 }, workload: { connections: 6 } }),
    shows: (trace) => trace.fact("connections.failed.ETIMEDOUT") > 0,
  },
  "congestion-reno": congestion("reno"),
  "congestion-cubic": congestion("cubic"),
  "congestion-bbr": congestion("bbr"),
  "congestion-vegas": congestion("vegas"),
  "congestion-dctcp": {
    ...congestion("dctcp", { ecn: "on" }, { ...narrow, ecnThresholdPackets: 4 }),
    shows: (trace) => trace.has(ECE) && trace.drops.length === 0,
  },
  "initial-window": {
    make: () => path({ profile: { initialWindowSegments: 2, pacing: true }, workload: { bytes: 60_000 } }),
    shows: (trace) => trace.sent.length > 70,
  },
  "ecn": {
    make: () => path({ profile: { ecn: "on" }, link: { ...narrow, ecnThresholdPackets: 6 } }),
    shows: (trace) => trace.has(ECE, (content) => (content[12] & SYN) === 0),
  },
  "fast-open": {
    // The first connection asks for a cookie, the second one sends with its SYN, the third more than a SYN holds.
    make: talk({ profile: { fastOpen: 0x403 } }, (simulation) => {
      simulation.host("server").listen({ port: 80 }, (socket) => socket.on("data", () => socket.write("answer")));
      const open = (fastOpen: string | number, next?: () => void) => {
        const socket = simulation.host("client").connect({ ...SERVER, fastOpen });
        socket.on("data", () => socket.end());
        socket.on("close", () => next?.());
      };
      open("first", () => open("second", () => open(2000)));
    }),
    shows: (trace) => trace.synData(6) && trace.synData(1000),
  },
  "fast-open-refused": {
    // The client sends without a cookie, which the server wants: what the SYN carried goes again.
    make: talk(
      { client: { profile: { fastOpen: 5 } }, server: { listen: [], profile: { fastOpen: 0x403 } } },
      (simulation) => {
        simulation.host("server").listen({ port: 80 }, (socket) => socket.on("data", () => socket.end("answer")));
        simulation.host("client").connect({ ...SERVER, fastOpen: "without a cookie" }).on("data", () => {});
      },
    ),
    shows: (trace) => trace.synData(16) && trace.has(PSH, (content) => content[CONTENT.LENGTH] === 16),
  },
  "syn-cookies": {
    make: () =>
      path({
        profile: { synCookies: 2 },
        workload: { kind: "request-response", connections: 8 },
      }),
    shows: (trace) => trace.fact("connections.repliesCompleted") === 8,
  },
  "accept-queue-overflow": {
    make: () =>
      path({
        profile: { synCookies: 0 },
        server: { listen: [{ port: 80, backlog: 2, acceptIntervalNs: 50e6 }] },
        workload: { kind: "request-response", connections: 12 },
      }),
    shows: (trace) => trace.mostSent > 1,
  },
  "time-wait-reuse": {
    make: () =>
      path({
        profile: { timeWaitReuse: true, ephemeralPortLow: 40000, ephemeralPortHigh: 40004 },
        workload: { kind: "request-response", connections: 20, arrivals: { kind: "rate", perSecond: 2 } },
      }),
    shows: (trace) => trace.mostOpened > 1 && trace.fact("connections.repliesCompleted") === 20,
  },
  "path-mtu": {
    make: () => path({ middle: { mtu: 700 }, workload: { bytes: 40_000 } }),
    shows: (trace) => trace.icmpError && trace.drops.includes("mtu"),
  },
  "path-mtu-ipv6": {
    make: () =>
      path({
        client: { address6: "2001:db8:1::1/64" },
        server: { address6: "2001:db8:2::1/64" },
        middle: { mtu: 1280 },
        workload: { family: "ipv6", bytes: 40_000 },
      }),
    shows: (trace) => trace.ipv6 && trace.icmpError,
  },
  "mtu-probing": {
    make: () => path({ profile: { mtuProbing: 2 }, workload: { bytes: 200_000 } }),
    shows: (trace) => trace.longest > 1024 && trace.sent.some(({ content }) => content[14] > 600 && content[14] < 1024),
  },
  "no-options": {
    make: () =>
      path({ profile: { timestamps: false, windowScaling: false, sack: false }, workload: { bytes: 50_000 } }),
    shows: (trace) => !trace.sack && trace.synOptions.every((word) => word >>> 16 === 0) && trace.longest === 1460,
  },
  "ipv6": {
    make: () =>
      path({
        client: { address6: "2001:db8:1::1/64" },
        server: { address6: "2001:db8:2::1/64" },
        workload: { family: "ipv6", bytes: 50_000 },
      }),
    shows: (trace) => trace.ipv6,
  },
  "keep-alive": {
    make: () =>
      path({
        profile: { keepAliveIdleMs: 10_000, keepAliveIntervalMs: 2000 },
        workload: { kind: "hold", connections: 2, close: "none", keepAliveNs: 10e9 },
      }),
    untilNs: 60e9,
    pastQuiescence: true,
    shows: (trace) => trace.lastNs > 45e9,
  },
  "refused": {
    make: () => path({ server: { listen: [{ port: 81 }] }, workload: { connections: 3 } }),
    shows: (trace) => trace.has(RST) && trace.fact("connections.failed.ECONNREFUSED") === 3,
  },
  "think-time": {
    make: () =>
      path({
        workload: { kind: "request-response", requests: 4, thinkNs: 2e9, replyBytes: 30_000, connections: 1 },
      }),
    shows: (trace) => trace.lastNs > 6e9,
  },
  "zero-window": {
    make: talk({ profile: { receiveBufferBytes: 20_000, moderateReceiveBuffer: false } }, (simulation) => {
      const server = simulation.host("server");
      server.listen({ port: 80 }, (socket) => {
        socket.pause();
        server.setTimeout(() => socket.resume(), 4e9);
        socket.on("data", () => {});
      });
      const socket = simulation.host("client").connect(SERVER, () => socket.end(60_000));
    }),
    shows: (trace) => trace.zeroWindow && trace.lastNs > 4e9,
  },
  "nagle-and-delayed-acks": {
    make: talk({}, (simulation) => {
      const client = simulation.host("client");
      simulation.host("server").listen({ port: 80 }, (socket) => socket.on("data", () => socket.write(10)));
      for (const noDelay of [false, true]) {
        const socket = client.connect(SERVER, () => {
          socket.setNoDelay(noDelay);
          for (let i = 0; i < 12; i++) client.setTimeout(() => i < 11 ? socket.write(20) : socket.end(20), 1 + i * 7e6);
        });
      }
    }),
    shows: (trace) => trace.has(0, (content) => content[14] === 20) && trace.has(0, (content) => content[14] > 20),
  },
  "real-bytes": {
    make: talk({ link: { loss: 0.05 } }, (simulation) => {
      simulation.host("server").listen({ port: 80 }, (socket) => {
        socket.on("data", (bytes) => socket.write(bytes));
        socket.on("end", () => socket.end());
      });
      const socket = simulation.host("client").connect(SERVER, () => {
        for (let i = 0; i < 20; i++) socket.write(`line ${i} of something that is said twice\n`.repeat(20));
        socket.end();
      });
    }),
    shows: (trace) => trace.has(0, (content) => content[33] !== 0),
  },
  "half-close": {
    make: talk({}, (simulation) => {
      const server = simulation.host("server");
      server.listen({ port: 80, allowHalfOpen: true }, (socket) => {
        socket.on("data", () => {});
        socket.on("end", () => server.setTimeout(() => socket.end(5000), 1e9));
      });
      const socket = simulation.host("client").connect({ ...SERVER, allowHalfOpen: true }, () => socket.end(3000));
    }),
    shows: (trace) => trace.has(FIN) && trace.lastNs > 1e9,
  },
  "reset": {
    make: talk({}, (simulation) => {
      const client = simulation.host("client");
      simulation.host("server").listen({ port: 80 }, (socket) => {
        socket.on("error", () => {});
        socket.write(100_000);
      });
      const socket = client.connect(SERVER, () => client.setTimeout(() => socket.resetAndDestroy(), 60e6));
    }),
    shows: (trace) => trace.has(RST),
  },
  "simultaneous-open": {
    make: talk({}, (simulation) => {
      for (const [name, address] of [["client", "192.0.2.1"], ["server", "198.51.100.1"]]) {
        const socket = simulation.host(name).connect({ address, port: 5000, localPort: 5000 }, () => socket.end(100));
      }
    }),
    shows: (trace) =>
      trace.sent.filter(({ content }) => (content[12] & 0x1ff) === SYN).length === 2 &&
      trace.has(SYN | TCP_FLAG.ACK),
  },
  "user-timeout": {
    make: talk({ far: { loss: 0.6 } }, (simulation) => {
      simulation.host("server").listen({ port: 80 }, (socket) => socket.on("error", () => {}));
      const socket = simulation.host("client").connect(SERVER, () => {
        socket.setUserTimeout(1500);
        socket.write(200_000);
      });
      socket.on("error", () => {});
    }),
    shows: (trace) => trace.mostSent > 2,
  },
};
