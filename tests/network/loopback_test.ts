import { assertEquals } from "@std/assert";
import { built, star, type Step } from "./support/networks.ts";
import { assertConserved, assertEmpty, send, watch } from "./support/probe.ts";

const alone = (extra: string[] = []): Step[] => [
  (n) =>
    n.host("solo", { address: "10.0.0.1", extraAddresses: extra, listen: [{ port: 80, service: { kind: "echo" } }] }),
];

/** Connects from solo, sends 5,000 bytes and gets them back; the addresses of both ends. */
function talk(steps: Step[], address: string, numbering = {}): { ends: string[]; digest: string } {
  const simulation = built(steps, { numbering });
  const seen = watch(simulation);
  let got = 0;
  const socket = simulation.host("solo").connect({ address, port: 80 }, () => {
    socket.write(new Uint8Array(5000));
    socket.on("data", (data) => {
      got += data.length;
      if (got === 5000) socket.end();
    });
  });
  simulation.run();
  assertEquals(got, 5000);
  assertEquals(simulation.partition.hops, 0, "no link is crossed");
  assertEquals(seen.every(({ from, to }) => from === "solo" && to === "solo"), true);
  assertConserved(simulation);
  assertEmpty(simulation);
  return { ends: [seen[0].src, seen[0].dst], digest: simulation.digest };
}

Deno.test("a host talks to itself without a link, at one instant a round trip", () => {
  const simulation = built([
    ...alone(),
    (n) => n.workload({ name: "self", kind: "hold", from: ["solo"], to: ["solo:80"], connections: 7 }),
  ]);
  simulation.run();
  assertEquals(simulation.report().connections.established, 7);
  assertEquals(simulation.report().connections.connectMs.max, 0);
  assertConserved(simulation);
});

Deno.test("all of a host's addresses and the loopback addresses are its own, and it speaks from the one it speaks to", () => {
  assertEquals(talk(alone(), "10.0.0.1").ends, ["10.0.0.1", "10.0.0.1"]);
  assertEquals(talk(alone(["10.0.0.9"]), "10.0.0.9").ends, ["10.0.0.9", "10.0.0.9"]);
  assertEquals(talk(alone(), "127.0.0.1").ends, ["127.0.0.1", "127.0.0.1"]);
  assertEquals(talk(alone(), "::1").ends, ["::1", "::1"]);
});

Deno.test("loopback is in the digest, and numbering is not", () => {
  const { digest } = talk(alone(), "127.0.0.1");
  assertEquals(
    talk([(n) => n.router("unused"), ...alone()], "127.0.0.1", { skip: 9, reversed: true }).digest === digest,
    false,
  );
  assertEquals(talk(alone(), "127.0.0.1", { skip: 9, reversed: true }).digest, digest);
});

Deno.test("a closed port of one's own refuses at once", () => {
  const simulation = built(alone());
  let code = "";
  simulation.host("solo").connect({ address: "10.0.0.1", port: 81 }).on("error", (error) => code = error.code);
  simulation.run();
  assertEquals([code, simulation.nowNs], ["ECONNREFUSED", 0]);
});

Deno.test("a host pings itself", () => {
  const simulation = built(alone());
  const seen = watch(simulation);
  send(simulation, { from: "solo", dst: "127.0.0.1", src: "127.0.0.1" });
  simulation.run();
  assertEquals(seen.map(({ icmp }) => icmp), [0x0800, 0]);
  assertConserved(simulation);
});

Deno.test("loopback addresses from a link are for nobody", () => {
  const simulation = built(star());
  simulation.run();
  const before = simulation.partition.delivered;
  send(simulation, { from: "server", src: "127.0.0.1", dst: "10.0.0.1", type: 0 });
  simulation.run();
  assertEquals(simulation.partition.delivered, before + 1);
});
