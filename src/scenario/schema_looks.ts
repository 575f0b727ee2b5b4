/**
 * What `dumps` and `series` are written as: looks inside.
 *
 * @module
 */
import { DUMP_KINDS } from "../network/dump.ts";
import * as f from "./fields.ts";

const nodes = f.oneOrMore(f.text("a node such as server"), "a node such as server, or a list of them");

/** One of `dumps`. */
export const dumpSchema = f.fields({
  at: f.duration.optional().describe("When. Default at the end of the run."),
  what: f.oneOrMore(f.choice(DUMP_KINDS), `${f.listOf(DUMP_KINDS, "or")}, or a list of them`).describe(
    "sockets (as ss -tan), sockets-summary (ss -s), nat (conntrack -L), routes (ip route) and so on.",
  ),
  node: nodes.optional().describe("Of which nodes. Default all."),
}, "a dump such as { at: 10s, what: sockets, node: server }");

/** `series`. */
export const seriesSchema = f.fields({
  interval: f.milliseconds.optional().describe("Time between two samples, in whole milliseconds. Default 1s."),
  nodes: nodes.optional().describe("A population together, clients; each of some members, clients[0..9]."),
}, "a map such as { interval: 100ms, nodes: [server, clients] }");
