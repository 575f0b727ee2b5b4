/**
 * What probes found: as plain data, and as `ping` and `traceroute` print it.
 *
 * @module
 */
import type { HopReport, ProbeAnswer, ProbeReport } from "../base/probe_reports.ts";

/** In `ping`'s words, by ICMP type << 8 | code (RFC 792, RFC 1812). */
const WORDS_V4: Record<number, string> = {
  0x0300: "Destination Net Unreachable",
  0x0301: "Destination Host Unreachable",
  0x0302: "Destination Protocol Unreachable",
  0x0303: "Destination Port Unreachable",
  0x0304: "Frag needed and DF set",
  0x030d: "Packet filtered",
  0x0b00: "Time to live exceeded",
};

/** The same of ICMPv6 (RFC 4443). */
const WORDS_V6: Record<number, string> = {
  0x0100: "Destination unreachable: No route",
  0x0101: "Destination unreachable: Administratively prohibited",
  0x0103: "Destination unreachable: Address unreachable",
  0x0104: "Destination unreachable: Port unreachable",
  0x0200: "Packet too big",
  0x0300: "Time exceeded: Hop limit",
  0x0401: "Parameter problem: Unknown header",
};

/** `traceroute`'s marks. */
const MARKS: Record<string, string> = {
  "Destination Net Unreachable": "!N",
  "Destination unreachable: No route": "!N",
  "Destination Host Unreachable": "!H",
  "Destination unreachable: Address unreachable": "!H",
  "Destination Protocol Unreachable": "!P",
  "Frag needed and DF set": "!F",
  "Packet too big": "!F",
  "Packet filtered": "!X",
  "Destination unreachable: Administratively prohibited": "!X",
};

/** What an ICMP error says, in `ping`'s words. */
export function unanswered(ipv6: boolean, typeCode: number): string {
  const words = (ipv6 ? WORDS_V6 : WORDS_V4)[typeCode];
  return words ?? `ICMP type ${typeCode >> 8} code ${typeCode & 0xff}`;
}

/** What a probe found, as far as it has come. */
export interface ProbeFacts {
  name: string;
  kind: "ping" | "traceroute";
  from: string;
  to: string;
  address: string;
  startNs: number;
  endNs: number;
  sent: number;
  duplicates: number;
  count: number;
  bytes: number;
  mostHops: number;
  intervalNs: number;
  answers: readonly ProbeAnswer[];
}

/** The report of a probe. */
export function probeReport(facts: ProbeFacts): ProbeReport {
  const { name, kind, from, to, address, sent, duplicates } = facts;
  const replies = facts.answers.filter(({ error }) => error === "");
  const rtts = replies.map(({ rttNs }) => rttNs / 1e6);
  const sum = rtts.reduce((a, b) => a + b, 0);
  const avg = sum / rtts.length;
  const squares = rtts.reduce((a, b) => a + b * b, 0) / rtts.length;
  const none = rtts.length === 0;
  const report: ProbeReport = {
    name,
    kind,
    from,
    to,
    address,
    startSeconds: facts.startNs / 1e9,
    endSeconds: facts.endNs < 0 ? null : facts.endNs / 1e9,
    sent,
    received: replies.length,
    errors: facts.answers.length - replies.length,
    duplicates,
    lossPercent: sent === 0 ? 0 : 100 * (sent - replies.length) / sent,
    rttMs: {
      min: none ? null : Math.min(...rtts),
      avg: none ? null : avg,
      max: none ? null : Math.max(...rtts),
      mdev: none ? null : Math.sqrt(Math.max(0, squares - avg * avg)),
    },
    reached: replies.length > 0,
    hopCount: kind === "ping" ? 0 : Math.ceil(sent / facts.count),
    hops: kind === "ping" ? [] : hopsOf(facts),
    answers: kind === "ping" ? [...facts.answers] : [],
    text: "",
  };
  report.text = kind === "ping" ? pingText(report, facts) : tracerouteText(report, facts);
  return report;
}

function hopsOf({ sent, count, answers }: ProbeFacts): HopReport[] {
  return Array.from({ length: Math.ceil(sent / count) }, (_, i) => {
    const here = answers.filter(({ ttl }) => ttl === i + 1).toSorted((x, y) => x.sequence - y.sequence);
    const rttMs = Array.from({ length: count }, (_, k) => {
      const answer = here.find(({ sequence }) => sequence === i * count + k + 1);
      return answer === undefined ? null : answer.rttNs / 1e6;
    });
    const error = here.find(({ error }) => MARKS[error] !== undefined)?.error ?? "";
    return { ttl: i + 1, addresses: [...new Set(here.map(({ address }) => address))], rttMs, error };
  });
}

/** As `ping` writes a time: three significant digits, at most three decimals. */
function pingMs(ms: number): string {
  return ms >= 99.95 ? ms.toFixed(0) : ms >= 9.995 ? ms.toFixed(1) : ms >= 0.9995 ? ms.toFixed(2) : ms.toFixed(3);
}

/** From the first request to the last one, or the last answer, ns. */
function lastNs({ sent, answers }: ProbeReport, intervalNs: number): number {
  const answered = answers.map(({ sequence, rttNs }) => (sequence - 1) * intervalNs + rttNs);
  return Math.max(0, (sent - 1) * intervalNs, ...answered);
}

function pingText(report: ProbeReport, { bytes, intervalNs }: ProbeFacts): string {
  // (As iputils: of IPv6 it tells the data alone.)
  const size = report.address.includes(":") ? `${bytes} data bytes` : `${bytes}(${bytes + 28}) bytes of data.`;
  const lines = [`PING ${report.to} (${report.address}) ${size}`];
  for (const { address, sequence, answerTtl, rttNs, bytes, error, mtu } of report.answers) {
    const told = mtu === undefined ? error : `${error} (mtu = ${mtu})`;
    lines.push(
      error === ""
        ? `${bytes} bytes from ${address}: icmp_seq=${sequence} ttl=${answerTtl} time=${pingMs(rttNs / 1e6)} ms`
        : `From ${address} icmp_seq=${sequence} ${told}`,
    );
  }
  const { sent, received, errors, duplicates, lossPercent, rttMs } = report;
  const parts = [
    `${sent} packets transmitted`,
    `${received} received`,
    ...(duplicates > 0 ? [`+${duplicates} duplicates`] : []),
    ...(errors > 0 ? [`+${errors} errors`] : []),
    `${Number(lossPercent.toPrecision(6))}% packet loss`,
    `time ${Math.round(lastNs(report, intervalNs) / 1e6)}ms`,
  ];
  lines.push("", `--- ${report.to} ping statistics ---`, parts.join(", "));
  if (rttMs.min !== null) {
    const all = [rttMs.min, rttMs.avg, rttMs.max, rttMs.mdev].map((ms) => (ms ?? 0).toFixed(3)).join("/");
    lines.push(`rtt min/avg/max/mdev = ${all} ms`);
  }
  return lines.join("\n") + "\n";
}

function tracerouteText(report: ProbeReport, { bytes, mostHops, answers, count }: ProbeFacts): string {
  const headers = report.address.includes(":") ? 48 : 28;
  const lines = [
    `traceroute to ${report.to} (${report.address}), ${mostHops} hops max, ${bytes + headers} byte packets`,
  ];
  for (const hop of report.hops) {
    let line = `${hop.ttl}`.padStart(2);
    let shown = "";
    for (let k = 0; k < count; k++) {
      const answer = answers.find(({ sequence }) => sequence === (hop.ttl - 1) * count + k + 1);
      if (answer === undefined) {
        line += shown === "" && k === 0 ? "  *" : " *";
        continue;
      }
      if (answer.address !== shown) line += `  ${answer.address}`;
      shown = answer.address;
      line += `  ${(answer.rttNs / 1e6).toFixed(3)} ms`;
      const mark = MARKS[answer.error];
      if (mark !== undefined) line += ` ${mark}${answer.mtu === undefined ? "" : `-${answer.mtu}`}`;
    }
    lines.push(line);
  }
  return lines.join("\n") + "\n";
}
