/**
 * Links with a rate: what a connection sends over them.
 *
 * @module
 */
import { formatBytes, formatCount, formatRateBps } from "../base/units.ts";
import { DIRECTION, PACE } from "../link/links.ts";
import type { CapacityStream, OneWay } from "./capacity_streams.ts";
import { use, type Way, type Ways } from "./capacity_ways.ts";
import { many } from "./capacity_words.ts";

/** How much longer a header of IPv6 is. */
const IPV6_EXTRA_BYTES = 20;
/** Of a queue that is counted in packets. */
const FULL_PACKET_BYTES = 1500;

/** A way crosses a link by direction `d`, and comes back by the other. */
export function linkUses(ways: Ways, way: Way, d: number, ipv6: boolean): void {
  oneWay(ways, way, d, ipv6, "there");
  oneWay(ways, way, ways.partners[d], ipv6, "back");
}

function oneWay(ways: Ways, way: Way, d: number, ipv6: boolean, direction: "there" | "back"): void {
  const { links } = ways.s;
  const rateBps = links.pace[d * PACE.STRIDE + PACE.RATE_BPS];
  if (rateBps === Infinity) return;
  const from = links.words[d * DIRECTION.STRIDE + DIRECTION.FROM];
  const to = links.words[d * DIRECTION.STRIDE + DIRECTION.TO];
  const name = ways.populationOf(from).name;
  const target = ways.populationOf(to).name;
  const settings = links.words[d * DIRECTION.STRIDE + DIRECTION.SETTINGS];
  const gauge = ways.gauge("link", name, `${settings} ${target} ${direction} ${ipv6}`, () => {
    const { queueBytes, queuePackets } = links.settings[settings];
    const cost = (stream: CapacityStream) => {
      const flow: OneWay = stream[direction];
      return flow.bytes + (ipv6 ? flow.packets * IPV6_EXTRA_BYTES : 0);
    };
    return {
      capacity: Math.min(queueBytes, queuePackets * FULL_PACKET_BYTES) + FULL_PACKET_BYTES,
      drainPerNs: rateBps / 8e9,
      cost,
      burst: (stream) => stream.options.kind === "bulk" ? 0 : cost(stream),
      unit: "bytes",
      estimate: "bytes of a connection are counted as if nothing were lost or sent again",
      words: (gauge) => {
        const costs = [...gauge.streams].map((stream) => Math.round(cost(stream)));
        const each = Math.max(...costs);
        const { count } = gauge.places;
        const over = count === 1 ? "" : `, each of ${many(count, "link")}`;
        return `${formatRateBps(rateBps)} to ${target}${over} / ` +
          `(8 bits x ${formatCount(each)} B a connection${costs.length > 1 ? " of the largest kind" : ""})` +
          (queueBytes === Infinity && queuePackets === Infinity
            ? ""
            : `, queue ${queueBytes === Infinity ? many(queuePackets, "packet") : formatBytes(queueBytes)}`);
      },
    };
  });
  use(way, gauge, gauge.places.of(d), "none");
}
