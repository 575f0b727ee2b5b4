/**
 * What hosts' budgets are written as: memory and other limits of a profile, processors.
 *
 * @module
 */
import * as f from "./fields.ts";

/** How much more than itself a buffered byte takes. */
const factor = f.field(
  "a factor such as 1.6",
  { type: "number", minimum: 0, maximum: 1000 },
  (value) => {
    if (typeof value !== "number" || !(value >= 0 && value <= 1000)) throw new f.Expected("");
    return value;
  },
);

const most = f.whole(0, 2 ** 31 - 1);
/** What a row of the kernel's takes. */
const size = f.bytes(0, 2 ** 31 - 1);

/** Settings of a profile that are budgets. */
export const budgetSettings = {
  maxFiles: most.optional().describe("Open sockets at most; EMFILE beyond. Default unlimited."),
  memory: f.bytes().optional().describe("Memory for sockets and their buffers; ENOBUFS beyond. Default unlimited."),
  bytesPerSocket: size.optional().describe("Memory of one socket at rest, its file included. Default 4096."),
  bytesPerOrphan: size.optional().describe("Memory of a connection that its application has closed. Default 2368."),
  bytesPerRequest: size.optional().describe("Memory of a half-open connection. Default 320."),
  bytesPerTimeWait: size.optional().describe("Memory of a connection in TIME-WAIT. Default 256."),
  memoryPerSentByte: factor.optional().describe("Memory of a byte that is not acknowledged yet. Default 1.1."),
  memoryPerReceivedByte: factor.optional().describe("Memory of a byte that is not read yet. Default 1.6."),
  memoryPerEarlyByte: factor.optional().describe("Memory of a byte beyond a gap. Default 1.6."),
  maxOrphans: most.optional().describe(
    "Connections that their applications have closed and that go on, at most (tcp_max_orphans). Default unlimited.",
  ),
  maxTimeWaits: most.optional().describe(
    "Connections in TIME-WAIT at most; more are closed at once (tcp_max_tw_buckets). Default unlimited.",
  ),
};

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

/** What work costs, and how much of it may wait. */
const cpuCosts = {
  perPacket: f.duration.optional().describe("Of each packet, received or sent. Default 0, as of the others."),
  perByte: costOfByte.optional().describe("Of each byte of payload, received or sent: 0.5ns."),
  perAccept: f.duration.optional().describe("Of taking a connection from an accept queue."),
  perConnect: f.duration.optional().describe("Of opening a connection: each SYN sent costs so much more."),
  perRequest: f.duration.optional().describe("Of the application's work on a request, before it answers."),
  queue: packets.optional().describe("Packets that may wait for a core; more are dropped. Default 1000."),
};

/** `cpu` of a host. */
export const cpuSchema = f.fields({
  cores: f.whole(1, 1024).optional().describe("Cores, which serve one common queue. Default 1."),
  ...cpuCosts,
}, "costs such as { cores: 4, perPacket: 2us, perRequest: 50us }");

/** `cpu` of an event: the number of cores stays. */
export const cpuCostsSchema = f.fields(cpuCosts, "costs such as { perPacket: 2us, perRequest: 50us }");
