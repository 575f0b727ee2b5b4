/**
 * What hosts' budgets are written as: processors.
 *
 * @module
 */
import * as f from "./fields.ts";

/** What a byte costs may be less than a nanosecond. */
const costOfByte = f.field(
  "a time such as 0.5ns",
  { anyOf: [{ type: "string", pattern: "^\\s*\\d[\\d_.]*\\s*(ns|us|µs|μs)\\s*$" }, { const: 0 }], examples: ["0.5ns"] },
  (value) => {
    if (value === 0) return 0;
    const match = typeof value === "string" ? /^\s*(\d[\d_]*(?:\.\d+)?)\s*(ns|us|µs|μs)\s*$/.exec(value) : null;
    if (match === null) throw new f.Expected("");
    return Number(match[1].replaceAll("_", "")) * (match[2] === "ns" ? 1 : 1000);
  },
);

/** `1000`, or `1000 packets`. */
const packets = f.field(
  "a number of packets such as 1000",
  {
    anyOf: [{ type: "integer", minimum: 0 }, {
      type: "string",
      pattern: "^\\s*\\d[\\d_]*(\\s*(packets?|pkts?|p))?\\s*$",
    }],
  },
  (value) => {
    const match = /^\s*(\d[\d_]*)\s*(packets?|pkts?|p)?\s*$/i.exec(`${value}`);
    const count = match === null ? NaN : Number(match[1].replaceAll("_", ""));
    if (!Number.isSafeInteger(count)) throw new f.Expected("");
    return count;
  },
);

/** `cpu` of a host. */
export const cpuSchema = f.fields({
  cores: f.whole(1, 1024).optional().describe("Cores, which serve one common queue. Default 1."),
  perPacket: f.duration.optional().describe("Of each packet, received or sent. Default 0, as of the others."),
  perByte: costOfByte.optional().describe("Of each byte of payload, received or sent: 0.5ns."),
  perAccept: f.duration.optional().describe("Of taking a connection from an accept queue."),
  perConnect: f.duration.optional().describe("Of opening a connection: each SYN sent costs so much more."),
  perRequest: f.duration.optional().describe("Of the application's work on a request, before it answers."),
  queue: packets.optional().describe("Packets that may wait for a core; more are dropped. Default 1000."),
}, "costs such as { cores: 4, perPacket: 2us, perRequest: 50us }");
