/**
 * What a scenario says about DNS: servers, and hosts that ask them; and what workloads over UDP have beside the others.
 *
 * @module
 */
import { z } from "zod";
import type { HostOptions, WorkloadOptions } from "../network/options.ts";
import type { DnsRecordOptions, DnsServerOptions, ResolverOptions } from "../network/options_dns.ts";
import * as f from "./fields.ts";
import { withoutUndefined } from "./profiles.ts";

const ORDERS = ["rotate", "random", "fixed"] as const;

const target = f.text("an address or a host's name");
const targets = z.array(target, { error: "expected a list of addresses" });

const recordSchema = z.union([
  target,
  targets,
  f.fields({
    addresses: z.union([target, targets], { error: "expected an address, a host's name, or a list of them" }).optional()
      .describe("IPv4 and IPv6 addresses, or hosts by name: all their addresses."),
    alias: f.text("a domain name").optional().describe("Another name that this one is an alias of (CNAME)."),
    ttl: f.duration.optional().describe("How long answers may be remembered, whole seconds. Default the server's."),
    order: f.choice(ORDERS).optional().describe("In which order the addresses are given. Default the server's."),
  }, "addresses, or a record such as { addresses: web[0..9], ttl: 30s }"),
], { error: "expected addresses such as [192.0.2.1, 192.0.2.2], a host's name, or { alias: www.example.com }" });

/** `dns` of a host. */
export const dnsSchema = f.fields({
  records: z.record(z.string(), recordSchema, { error: "expected a map from domain names to addresses" }).optional()
    .describe("What it has to say, by name."),
  zones: z.array(f.text("a domain name"), { error: "expected a list of domain names" }).optional().describe(
    "The zones that it speaks for. Default: what the names lie in, example.com of www.example.com.",
  ),
  ttl: f.duration.optional().describe("How long answers may be remembered, whole seconds. Default 5min."),
  negativeTtl: f.duration.optional().describe(
    "How long it may be remembered that there is no such name or address. Default 60s.",
  ),
  order: f.choice(ORDERS).optional().describe(
    "rotate: each answer begins one address further (round robin); random: in an order drawn anew; fixed: as declared. Default rotate.",
  ),
  forward: f.text("an address or a host's name").optional().describe(
    "Other questions go to this server, and its answers are remembered for their TTL.",
  ),
  forwardOrder: f.choice(ORDERS).optional().describe(
    "In which order it gives addresses that it remembers from there. Default fixed: as it got them.",
  ),
  dns64: f.subnet.optional().describe(
    "Names without an IPv6 address get some of this prefix, such as 64:ff9b::/96 (DNS64, RFC 6147).",
  ),
  udpBytes: f.whole(512, 65_535).optional().describe("The longest answer; what does not fit is cut. Default 1232."),
}, "a server such as { records: { www.example.com: [192.0.2.1, 192.0.2.2] } }");

/** `resolver` of a host. */
export const resolverSchema = z.union([
  target,
  targets,
  f.fields({
    servers: z.union([target, targets], { error: "expected an address, a host's name, or a list of them" }).describe(
      "Whom it asks: each when those before it have not answered.",
    ),
    timeout: f.duration.optional().describe("How long it waits for an answer. Default 5s."),
    attempts: f.whole(1, 255).optional().describe("How often each server is asked at most. Default 2."),
    cache: f.flag.optional().describe("Are answers remembered for their TTL? Default true."),
  }, "a server's address, or { servers: [192.0.2.53], timeout: 5s, attempts: 2 }"),
], { error: "expected a server such as 192.0.2.53, or { servers: [192.0.2.53], timeout: 5s, attempts: 2 }" });

/** Fields of workloads that may go over UDP. */
export const datagramFields = {
  transport: f.choice(["tcp", "udp"]).optional().describe(
    "udp: each connection is an exchange of datagrams. Default tcp.",
  ),
  timeout: f.duration.optional().describe("udp: how long an answer is waited for. Default 5s."),
  retries: f.whole(0, 255).optional().describe("udp: how often a request without an answer is repeated. Default 0."),
};

/** A port with its protocol, and nothing else said about it. */
interface PortWithProtocol {
  port: number;
  protocol?: "tcp" | "udp";
  address?: undefined;
  ipv6Only?: undefined;
  backlog?: undefined;
  acceptEvery?: undefined;
  service?: undefined;
}

/** A port to listen on, `443`, `6881/udp`. */
export const portWithProtocol: z.ZodType<number | PortWithProtocol, unknown> = f.field<number | PortWithProtocol>(
  "a port such as 443 or 6881/udp",
  { anyOf: [{ type: "integer", minimum: 1, maximum: 65535 }, { type: "string", pattern: "^\\d{1,5}/(tcp|udp)$" }] },
  (value) => {
    if (f.isPort(value)) return value;
    const match = typeof value === "string" ? /^(\d{1,5})\/(tcp|udp)$/.exec(value.trim()) : null;
    if (match === null || !f.isPort(Number(match[1]))) throw new f.Expected("");
    return { port: Number(match[1]), protocol: match[2] as "tcp" | "udp" };
  },
);

function many(items: string | string[] | undefined): string[] | undefined {
  return typeof items === "string" ? [items] : items;
}

/** A host's server, as the network takes it. */
export function dnsOptions(dns: z.output<typeof dnsSchema>): DnsServerOptions {
  const { ttl, negativeTtl, records, ...rest } = dns;
  return withoutUndefined<DnsServerOptions>({
    ...rest,
    records: records && Object.fromEntries(
      Object.entries(records).map(([name, record]) => {
        if (typeof record === "string" || Array.isArray(record)) return [name, { addresses: many(record) }];
        const { addresses, alias, order } = record;
        const options: DnsRecordOptions = { addresses: many(addresses), alias, order, ttlNs: record.ttl };
        return [name, withoutUndefined(options)];
      }),
    ),
    ttlNs: ttl,
    negativeTtlNs: negativeTtl,
  });
}

/** A host's resolver, as the network takes it. */
export function resolverOptions(resolver: z.output<typeof resolverSchema>): HostOptions["resolver"] {
  if (typeof resolver === "string") return resolver;
  if (Array.isArray(resolver)) return { servers: resolver };
  const { servers, timeout, attempts, cache } = resolver;
  return withoutUndefined<ResolverOptions>({ servers: many(servers)!, timeoutNs: timeout, attempts, cache });
}

/** What a workload says about UDP, as the network takes it. */
export function datagramOptions(
  workload: { transport?: "tcp" | "udp"; timeout?: number; retries?: number },
): Pick<WorkloadOptions, "transport" | "timeoutNs" | "retries"> {
  const { transport, timeout, retries } = workload;
  return { transport, timeoutNs: timeout, retries };
}
