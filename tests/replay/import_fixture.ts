import { Network } from "../../src/network/network.ts";
import type { Simulation } from "../../src/network/simulation.ts";
import { importCapture, type ImportedCapture, type ImportOptions } from "../../src/replay/import_capture.ts";
import { buildSimulation } from "../../src/scenario/build.ts";
import { loadScenario } from "../../src/scenario/load.ts";
import { pcapHeader, pcapRecord } from "../../src/wire/pcap.ts";
import { encodePacket } from "../../src/wire/row_codec.ts";

/** Bytes laid end to end. */
export function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** Gives `bytes` in pieces of `size`. */
export function pieces(bytes: Uint8Array, size = 65536): () => Uint8Array | null {
  let at = 0;
  return () => {
    if (at >= bytes.length) return null;
    at += size;
    return bytes.subarray(at - size, Math.min(at, bytes.length));
  };
}

/** Imports a file that is in memory. */
export function imported(bytes: Uint8Array, options?: ImportOptions): ImportedCapture {
  return importCapture(pieces(bytes), options);
}

/** Runs a simulation and captures at a node, as tcpdump would there. */
export function capture(simulation: Simulation, node: string, untilNs?: number): Uint8Array {
  const chunks = [pcapHeader()];
  const buffer = new Uint8Array(70_000);
  const write = (p: number, timeNs: number) => {
    const length = encodePacket(simulation.packets, simulation.addresses, p, buffer);
    chunks.push(pcapRecord(timeNs, buffer.subarray(0, length)));
  };
  simulation.onSend((p, timeNs, from) => {
    if (from === node) write(p, timeNs);
  });
  simulation.onDelivery((p, timeNs, _from, to) => {
    if (to === node) write(p, timeNs);
  });
  simulation.run({ untilNs });
  return concat(chunks);
}

/** The simulation of a scenario's text. */
export function simulationOf(text: string): Simulation {
  return buildSimulation(loadScenario("imported.yaml", text));
}

/** Two clients, a router, a server; 5 ms and 10 ms each way. */
export function smallNetwork(seed = 1, loss = 0): Network {
  const network = new Network({ seed });
  network.host("server", { address: "192.0.2.1/24", address6: "2001:db8::1/64", listen: [{ port: 80 }, { port: 25 }] });
  network.host("a", { address: "198.51.100.1/24", address6: "2001:db8:a::1/64" });
  network.host("b", { address: "203.0.113.1/24" });
  network.router("r");
  network.link("a", "r", { delayNs: 5e6 });
  network.link("b", "r", { delayNs: 10e6 });
  network.link("r", "server", { delayNs: 1e6, loss, rateBps: 50e6, queueBytes: 100_000 });
  return network;
}
