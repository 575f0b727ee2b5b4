/** Two hosts and a link between them, and what sockets say. */
import type { HostHandle } from "../../src/network/host_handle.ts";
import { Network } from "../../src/network/network.ts";
import type { HostOptions, LinkOptions } from "../../src/network/options.ts";
import type { Simulation } from "../../src/network/simulation.ts";
import type { Socket } from "../../src/socket/socket.ts";

export const CLIENT = "10.0.0.1";
export const SERVER = "10.0.0.2";

export interface Pair {
  simulation: Simulation;
  client: HostHandle;
  server: HostHandle;
}

/** client -- server, 1 ms each way. */
export function pair(
  options: { client?: Partial<HostOptions>; server?: Partial<HostOptions>; link?: LinkOptions; seed?: number } = {},
): Pair {
  const network = new Network({ seed: options.seed ?? 1 });
  network.host("client", { address: `${CLIENT}/24`, ...options.client });
  network.host("server", { address: `${SERVER}/24`, ...options.server });
  network.link("client", "server", { delayNs: 1e6, ...options.link });
  const simulation = network.build();
  return { simulation, client: simulation.host("client"), server: simulation.host("server") };
}

/** Writes down every event of a socket but `data`, and counts its bytes. */
export function watch(socket: Socket, log: string[] = [], name = ""): string[] {
  socket.on("connect", () => log.push(`${name}connect`));
  socket.on("end", () => log.push(`${name}end`));
  socket.on("drain", () => log.push(`${name}drain`));
  socket.on("error", (error) => log.push(`${name}${error.code}`));
  socket.on("close", (hadError) => log.push(`${name}close${hadError ? " after error" : ""}`));
  return log;
}

/** Collects what a socket receives. */
export function collect(socket: Socket): { bytes: () => Uint8Array; text: () => string } {
  const parts: Uint8Array[] = [];
  socket.on("data", (bytes) => parts.push(bytes));
  const bytes = () => {
    const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  };
  return { bytes, text: () => new TextDecoder().decode(bytes()) };
}

/** Bytes of which no two neighbourhoods are alike. */
export function noise(length: number, seed = 1): Uint8Array {
  let x = seed | 1;
  return new Uint8Array(length).map(() => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x;
  });
}

/** What a run leaves of connections: rows of TCP, open files of both hosts. */
export function left({ simulation }: Pair): { rows: number; timeWaits: number; packets: number } {
  const { tcp, packets } = simulation.partition;
  return { rows: tcp.tcbs.inUse, timeWaits: tcp.timeWaits.inUse, packets: packets.rows.inUse };
}
