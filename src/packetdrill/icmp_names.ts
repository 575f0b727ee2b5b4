/**
 * Names of ICMP and ICMPv6 types and codes in packetdrill's notation.
 *
 * @module
 */

type Named = Readonly<Record<string, number>>;
type Version = "ipv4" | "ipv6";

const TYPES: Readonly<Record<Version, Named>> = {
  ipv4: {
    echo_reply: 0,
    unreachable: 3,
    source_quench: 4,
    redirect: 5,
    echo_request: 8,
    time_exceeded: 11,
    parameter_problem: 12,
    timestamp_request: 13,
    timestamp_reply: 14,
    information_request: 15,
    information_reply: 16,
    address_mask_request: 17,
    address_mask_reply: 18,
  },
  ipv6: {
    unreachable: 1,
    packet_too_big: 2,
    time_exceeded: 3,
    parameter_problem: 4,
    echo_request: 128,
    echo_reply: 129,
  },
};

/** Names of the codes in order, from 0; IPv6 by type. */
const CODES: Readonly<Record<Version, Readonly<Record<string, readonly string[]>>>> = {
  ipv4: {
    unreachable: [
      "net_unreachable",
      "host_unreachable",
      "protocol_unreachable",
      "port_unreachable",
      "frag_needed",
      "source_route_failed",
      "net_unknown",
      "host_unknown",
      "source_host_isolated",
      "net_prohibited",
      "host_prohibited",
      "net_unreachable_for_tos",
      "host_unreachable_for_tos",
      "packet_filtered",
      "precedence_violation",
      "precedence_cutoff",
    ],
  },
  ipv6: {
    unreachable: ["no_route", "admin_prohibited", "not_neighbour", "address_unreachable", "port_unreachable"],
    time_exceeded: ["exceeded_hop_limit", "exceeded_frag_time"],
    parameter_problem: ["header_field", "unknown_next_header", "unknown_option"],
  },
};

/** The number of a type (`unreachable`, `type_3`), or a sentence that says why there is none. */
export function icmpType(version: Version, name: string): number | string {
  const number = numbered(name, "type_");
  if (number !== null) return number <= 255 ? number : `${name} is not an ICMP type: those go from 0 to 255.`;
  const types = TYPES[version];
  if (Object.hasOwn(types, name)) return types[name];
  const protocol = version === "ipv4" ? "ICMP" : "ICMPv6";
  return `"${name}" is not a type of ${protocol}: expected ${Object.keys(types).join(", ")}, or type_N.`;
}

/** The number of a code (`frag_needed`, `code_4`) of a type, or a sentence that says why there is none. */
export function icmpCode(version: Version, type: string, name: string): number | string {
  const number = numbered(name, "code_");
  if (number !== null) return number <= 255 ? number : `${name} is not an ICMP code: those go from 0 to 255.`;
  const codes = CODES[version];
  const names = Object.hasOwn(codes, type) ? codes[type] : [];
  const code = names.indexOf(name);
  if (code >= 0) return code;
  // What packetdrill calls the first code of IPv4 it knows for IPv6, too.
  if (version === "ipv6" && type === "unreachable" && name === "net_unreachable") return 0;
  return `"${name}" is not a code of ICMP's "${type}": expected ${[...names, "code_N"].join(", ")}.`;
}

/** 3 of `type_3`; null if the name has another form. */
function numbered(name: string, prefix: string): number | null {
  return name.startsWith(prefix) && /^\d{1,9}$/.test(name.slice(prefix.length))
    ? Number(name.slice(prefix.length))
    : null;
}
