import { assert, assertEquals } from "@std/assert";
import { embedIpv4, parseEmbeddingPrefix } from "../../src/base/ipv4_embedded.ts";
import { formatAddress, parseAddress } from "../../src/base/address.ts";
import { interopTest, runOn } from "../wire/support/tools.ts";
import { inDirectory, simulate } from "../cli/spawn.ts";

/** One of each length of RFC 6052 2.2. */
const PREFIXES = [
  "2001:db8::/32",
  "2001:db8:100::/40",
  "2001:db8:122::/48",
  "2001:db8:122:300::/56",
  "2001:db8:122:344::/64",
  "64:ff9b::/96",
];

/** `address` behind the NAT64 of number `i`. */
function behind(i: number, address: string): string {
  return formatAddress(embedIpv4(parseEmbeddingPrefix(PREFIXES[i]), parseAddress(address)));
}

/** For each prefix IPv6 hosts, a NAT64, and beyond a narrow link (1,400 bytes) a server; and what goes there. */
function scenario(): string {
  const nodes = ["  net: { kind: router, address: 198.51.100.1 }", "  edge: { kind: router, address: 198.51.100.2 }"];
  const links = ["  - { between: [net, edge], delay: 1ms, mtu: 1400 }", "  - { between: [edge, web], delay: 1ms }"];
  const workloads: string[] = [];
  const probes: string[] = [];
  const expect: string[] = [];
  for (const [i, prefix] of PREFIXES.entries()) {
    nodes.push(
      `  six${i}: { kind: host, count: 2, address: "3fff:${i}::1/64", profile: ecn }`,
      `  in${i}: { kind: router, address: "3fff:${i}:1::1" }`,
      `  gw${i}: { kind: nat, address: 203.0.113.${i + 1}, address6: "3fff:${i}:2::1", nat64: "${prefix}" }`,
    );
    links.push(`  - { between: [six${i}, in${i}] }`, `  - { between: [in${i}, gw${i}] }`);
    links.push(`  - { between: [gw${i}, net], delay: 1ms }`);
    const web = behind(i, "192.0.2.1");
    const to = (port: number) => `from: six${i}, to: "[${web}]:${port}", connections: 2`;
    workloads.push(
      `  - { name: tcp${i}, kind: request-response, ${to(80)}, request: 4000, reply: 9000 }`,
      `  - { name: refused${i}, kind: hold, ${to(81)} }`,
      `  - { name: udp${i}, kind: request-response, transport: udp, ${to(5000)}, request: 700, reply: 1350 }`,
      `  - { name: none${i}, kind: request-response, transport: udp, ${to(5001)} }`,
    );
    expect.push(
      `  - workloads[tcp${i}].failed == 0`,
      `  - workloads[udp${i}].failed == 0`,
      `  - workloads[refused${i}].failed.ECONNREFUSED == 2`,
      `  - workloads[none${i}].failed.ECONNREFUSED == 2`,
    );
    probes.push(
      `  - { name: ping${i}, kind: ping, from: "six${i}[0]", to: "${web}", count: 2, bytes: 1300 }`,
      `  - { name: large${i}, kind: ping, from: "six${i}[0]", to: "${web}", count: 1, bytes: 1400 }`,
      `  - { name: way${i}, kind: traceroute, from: "six${i}[1]", to: "${web}", count: 1 }`,
    );
  }
  nodes.push("  web: { kind: host, address: 192.0.2.1, listen: [80, 5000/udp], profile: ecn }");
  const sections = { nodes, links, workloads, probes, expect };
  const text = Object.entries(sections).map(([name, lines]) => `${name}:\n${lines.join("\n")}\n`);
  return `name: prefixes\nprofiles:\n  ecn: { ecn: on }\n${text.join("")}`;
}

/** What tshark is asked about each packet; of an ICMP error and what it quotes both. */
const FIELDS = [
  "frame.interface_name",
  "ip.src",
  "ip.dst",
  "ipv6.src",
  "ipv6.dst",
  "ip.len",
  "ipv6.plen",
  "ip.ttl",
  "ipv6.hlim",
  "ip.dsfield",
  "ipv6.tclass",
  "ip.proto",
  "ipv6.nxt",
  "ip.flags.df",
  "icmp.type",
  "icmp.code",
  "icmpv6.type",
  "icmpv6.code",
  "icmp.mtu",
  "icmpv6.mtu",
  "ip.checksum.status",
  "tcp.checksum.status",
  "udp.checksum.status",
  "icmp.checksum.status",
  "icmpv6.checksum.status",
  "_ws.malformed",
  "frame.comment",
] as const;

type Row = Record<(typeof FIELDS)[number], string[]>;

async function packets(path: string): Promise<Row[]> {
  const checked = ["ip", "tcp", "udp"].flatMap((name) => ["-o", `${name}.check_checksum:TRUE`]);
  const fields = FIELDS.flatMap((field) => ["-e", field]);
  const format = ["-T", "fields", "-E", "separator=|", "-E", "occurrence=a"];
  const printed = await runOn("tshark", ["-n", "-r", path, ...checked, ...format, ...fields], new Uint8Array());
  return printed.trimEnd().split("\n").map((line) => {
    const values = line.split("|").map((value) => value === "" ? [] : value.split(","));
    return Object.fromEntries(FIELDS.map((field, i) => [field, values[i]])) as Row;
  });
}

const numbers = (values: string[]) => values.map(Number);

/** ICMPv6 type.code of an ICMP one, as far as any occurs here (RFC 7915 4.2, 5.2). */
const ICMP_OF_V6: Record<string, string> = {
  "128.0": "8.0",
  "129.0": "0.0",
  "1.4": "3.3",
  "2.0": "3.4",
  "3.0": "11.0",
};

function kinds(types: string[], codes: string[]): string[] {
  return types.map((type, i) => `${type}.${codes[i]}`);
}

/** The IPv6 packet and the IPv4 packet that it became, or that it was made of: one of each for every packet that got across. */
function assertTranslated(six: Row, four: Row, i: number, outward: boolean): void {
  const external = `203.0.113.${i + 1}`;
  const inside = (address: string, host: string) => address === external ? host : behind(i, address);
  const [host] = outward ? six["ipv6.src"] : six["ipv6.dst"];
  const expected = (addresses: string[]) => addresses.map((address) => inside(address, host));
  assertEquals(six["ipv6.src"], expected(four["ip.src"]), "sources, quoted ones too");
  assertEquals(six["ipv6.dst"], expected(four["ip.dst"]), "destinations");
  const quotes = four["ip.src"].length === 2;
  // Headers differ by 20 bytes: in the length of a packet that quotes another twice, without the IPv6 header once.
  const longer = numbers(six["ipv6.plen"]).map((bytes, k) => bytes + 40 - Number(four["ip.len"][k]));
  assertEquals(longer, quotes ? [40, 20] : [20], "lengths");
  const [hops] = numbers(six["ipv6.hlim"]);
  assertEquals(Number(four["ip.ttl"][0]) - hops, outward ? -1 : 1, "the gateway is a hop");
  assertEquals(numbers(six["ipv6.tclass"]), numbers(four["ip.dsfield"]), "traffic class");
  const protocols = six["ipv6.nxt"].map((protocol) => protocol === "58" ? "1" : protocol);
  assertEquals(protocols, four["ip.proto"], "protocols");
  const types = kinds(six["icmpv6.type"], six["icmpv6.code"]).map((kind) => ICMP_OF_V6[kind]);
  assertEquals(types, kinds(four["icmp.type"], four["icmp.code"]), "ICMP types and codes");
  assertEquals(numbers(six["icmpv6.mtu"]), numbers(four["icmp.mtu"]).map((mtu) => mtu + 20), "the MTU told");
  // RFC 7915 5.1: what may have to be fragmented may be.
  if (outward) assertEquals(four["ip.flags.df"][0], Number(four["ip.len"][0]) <= 1260 ? "0" : "1", "DF");
}

interopTest(
  "tshark",
  "tshark sees what RFC 7915 says on both sides of a NAT64, by prefixes of every length",
  () =>
    inDirectory(async (directory) => {
      Deno.writeTextFileSync(`${directory}/a.yaml`, scenario());
      const points = PREFIXES.flatMap((_, i) => ["--capture", `gw${i}`]);
      const { code, stdout, stderr } = await simulate(["a.yaml", "--pcap", "out", ...points], directory);
      assertEquals([code, stderr], [0, ""]);
      // A path of 1,400 bytes is one of 1,420 to IPv6 hosts.
      assert(stdout.includes("Packet too big (mtu = 1420)"), stdout);
      const captured = await Promise.all(PREFIXES.map((_, i) => packets(`${directory}/out/gw${i}.pcapng`)));
      for (const [i, rows] of captured.entries()) {
        const seen = new Set<string>();
        const waiting: Record<"inside" | "outside", Row[]> = { inside: [], outside: [] };
        for (const row of rows) {
          const icmp = row["icmp.type"].length + row["icmpv6.type"].length > 0;
          for (const name of ["ip", "tcp", "udp", "icmp", "icmpv6"] as const) {
            // (What is quoted is there in part, and its checksum cannot be judged.)
            const status = row[`${name}.checksum.status`];
            assert(status.length === 0 || (icmp && name !== "icmp" && name !== "icmpv6") || status[0] === "1", name);
          }
          assertEquals(row["_ws.malformed"], []);
          const isInside = row["ipv6.src"].length > 0;
          for (const kind of kinds(row["icmpv6.type"], row["icmpv6.code"])) seen.add(kind);
          // The last hop ends here, and the answer is the gateway's own.
          if (isInside && (row["frame.comment"].length > 0 || row["ipv6.src"][0] === `3fff:${i}:2::1`)) continue;
          const [mine, others] = isInside
            ? [waiting.inside, waiting.outside] as const
            : [waiting.outside, waiting.inside] as const;
          const other = others.shift();
          if (other === undefined) mine.push(row);
          else assertTranslated(isInside ? row : other, isInside ? other : row, i, !isInside);
        }
        assertEquals([waiting.inside, waiting.outside], [[], []]);
        assertEquals([...seen].sort(), ["1.4", "128.0", "129.0", "2.0", "3.0"]);
      }
    }),
);
