/**
 * Plays scripts given as strings.
 */
import { defaultSymbols, type IpVersion } from "../../src/packetdrill/config.ts";
import { parseScript } from "../../src/packetdrill/parser.ts";
import type { ScriptReport } from "../../src/packetdrill/report.ts";
import { runScript } from "../../src/packetdrill/runner.ts";

/** A listener on 3 and a connection on 4, without options but MSS 1,000. */
export const CONNECTED = `
   0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
  +0 bind(3, ..., ...) = 0
  +0 listen(3, 1) = 0
  +0 < S 0:0(0) win 32000 <mss 1000>
  +0 > S. 0:0(0) ack 1 <mss 1460>
+.02 < . 1:1(0) ack 1 win 32000
  +0 accept(3, ..., ...) = 4
`;

/** Line on which what follows `CONNECTED` begins. */
export const AFTER_CONNECTED = CONNECTED.split("\n").length;

/** Plays the script. */
export function play(
  text: string,
  options: { ipVersion?: IpVersion; given?: readonly (readonly [string, string])[]; trace?: boolean } = {},
): ScriptReport {
  const { ipVersion = "ipv4", given, trace } = options;
  const script = parseScript(text, { path: "test.pkt", symbols: defaultSymbols(ipVersion), ipVersion });
  return runScript(script, { ipVersion, given, trace });
}

/** What went wrong, `""` if nothing did. */
export function failureOf(text: string, options: Parameters<typeof play>[1] = {}): string {
  const { failure } = play(text, options);
  return failure === undefined ? "" : `${failure.line}: ${failure.message}`;
}
