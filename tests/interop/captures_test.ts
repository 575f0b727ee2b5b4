import { assert, assertEquals } from "@std/assert";
import { interopTest, runOn } from "../wire/support/tools.ts";
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
