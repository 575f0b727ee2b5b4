import { assert, assertEquals } from "@std/assert";
import { interopTest, runOn, whyNotRun } from "../wire/support/tools.ts";
import { inDirectory, simulate } from "../cli/spawn.ts";

/** A host behind a NAT, a lossless path, ten requests. */
const SCENARIO = `name: captured
nodes:
  client: { kind: host, address: 10.0.0.2/24 }
  gateway: { kind: nat, address: 203.0.113.1/24 }
  server: { kind: host, address: 192.0.2.1/24, listen: [443] }
links:
  - { between: [client, gateway], rate: 100Mbit/s, delay: 1ms }
  - { between: [gateway, server], rate: 100Mbit/s, delay: 10ms }
workloads:
  - name: load
    kind: request-response
    from: client
    to: server:443
    connections: 10
    request: 3000
    reply: 20000
    arrivals: { kind: rate, rate: 10/s }
expect:
  - connections.repliesCompleted == 10
`;

const CHECKSUMS = ["ip", "tcp"].flatMap((name) => ["-o", `${name}.check_checksum:TRUE`]);
const FIELDS = [
  "tcp.stream",
  "ip.checksum.status",
  "tcp.checksum.status",
  "_ws.malformed",
  "tcp.completeness",
  "tcp.analysis.flags",
];

/** A line of fields for each packet of a capture file; two passes, which `tcp.completeness` needs. */
async function fieldsOf(path: string): Promise<string[][]> {
  const fields = FIELDS.flatMap((field) => ["-e", field]);
  const args = ["-n", "-2", "-r", path, ...CHECKSUMS, "-T", "fields", "-E", "separator=|", ...fields];
  const printed = await runOn("tshark", args, new Uint8Array());
  return printed.trimEnd().split("\n").map((line) => line.split("|"));
}

interopTest("tshark", "tshark finds nothing wrong in the captures of --pcap", () =>
  inDirectory(async (directory) => {
    Deno.writeTextFileSync(`${directory}/a.yaml`, SCENARIO);
    const { code, stderr } = await simulate(["a.yaml", "--quiet", "--pcap", "out"], directory);
    assertEquals([code, stderr], [0, ""]);
    for (const node of ["client", "server", "gateway"]) {
      const rows = await fieldsOf(`${directory}/out/${node}.pcapng`);
      for (const [, ip, tcp, malformed] of rows) {
        assertEquals([ip, tcp, malformed], ["1", "1", ""], `checksums and form at ${node}`);
      }
      if (node === "gateway") continue;
      const streams = new Set(rows.map(([stream]) => stream));
      assertEquals(streams.size, 10, `connections at ${node}`);
      // 31: SYN, SYN-ACK, ACK, data and FIN were all seen.
      assert(rows.every((row) => row[4] === "31"), `completeness at ${node}`);
      assert(rows.every((row) => row[5] === ""), `tshark's analysis at ${node}: ${rows.map((row) => row[5])}`);
    }
  }));

interopTest(
  "tcpdump",
  "tcpdump reads every capture, cut and in a ring too, as many packets as capinfos counts",
  () =>
    inDirectory(async (directory) => {
      Deno.writeTextFileSync(`${directory}/a.yaml`, SCENARIO);
      const args = ["--capture", "client:gateway", "--capture", "gateway", "--snaplen", "60", "--ring", "20kBx3"];
      const { code, stderr } = await simulate(["a.yaml", "--quiet", "--pcap", "out", ...args], directory);
      assertEquals([code, stderr], [0, ""]);
      const names = [...Deno.readDirSync(`${directory}/out`)].map((entry) => entry.name);
      assertEquals(names.filter((name) => name.startsWith("client.gateway_")).length, 3);
      assertEquals(names.length, 6);
      for (const name of names) {
        const path = `${directory}/out/${name}`;
        assert(Deno.statSync(path).size <= 20_000, name);
        const lines = await runOn("tcpdump", ["-Z", "root", "-n", "--nano", "-r", path], new Uint8Array());
        const count = lines.trimEnd().split("\n").length;
        const times = lines.trimEnd().split("\n").map((line) => line.split(" ")[0]);
        assertEquals(times, times.toSorted(), `times in ${name}`);
        if (whyNotRun("capinfos") !== undefined) continue;
        const facts = await runOn("capinfos", ["-M", path], new Uint8Array());
        assertEquals(/Number of packets: +(\d+)/.exec(facts)?.[1], String(count), name);
        assert(facts.includes("nanoseconds"), facts);
        assert(facts.includes("Capture comment:     scenario captured, seed 1, fourtuple "), facts);
      }
    }),
);

interopTest(
  "tshark",
  "tshark tells directions, interfaces, comments and the drops of an interface",
  () =>
    inDirectory(async (directory) => {
      const lossy = SCENARIO.replace("delay: 10ms", "delay: 10ms, loss: 5%").replace(/expect:[^]*/, "");
      Deno.writeTextFileSync(`${directory}/a.yaml`, lossy + "capture: [{ node: gateway, interface: server }]\n");
      const { code, stdout } = await simulate(["a.yaml", "--json", "--quiet", "--pcap", "out"], directory);
      assertEquals(code, 0);
      const path = `${directory}/out/gateway.server.pcapng`;
      const fields = ["frame.interface_name", "frame.packet_flags_direction", "frame.comment"];
      const printed = await runOn("tshark", [
        ...["-n", "-r", path, "-T", "fields", "-E", "separator=|"],
        ...fields.flatMap((field) => ["-e", field]),
      ], new Uint8Array());
      const rows = printed.trimEnd().split("\n").map((line) => line.split("|"));
      assert(rows.every(([name]) => name === "gateway:server"));
      assertEquals(new Set(rows.map((row) => Number(row[1]))), new Set([1, 2]));
      const lost = rows.filter((row) => row[2] === "dropped: loss");
      assert(lost.length > 0 && lost.every((row) => Number(row[1]) === 2));
      // The other losses were on the way back, at the server's end of the link.
      assert(lost.length < JSON.parse(stdout).packets.dropped.loss);
    }),
);
