/**
 * From the turns of a connection, as the capture point saw them, to what its ends did: exchanges with their pauses.
 *
 * @module
 */
import type { ExchangeOptions } from "../network/options.ts";
import { MOST_EXCHANGE_BYTES } from "../network/workloads_schedule.ts";
import type { ImportedConnection } from "./import_connection.ts";

/** What closes within this after the other end did so at once, ns. */
const SHORTEST_WAIT_NS = 1e6;
/** A connection without a program waits so long for the other's FIN (Linux's tcp_fin_timeout), ns. */
const LONGEST_ORPHAN_NS = 60e9;

/** Round trips from the capture point to each end and back, ns. */
export interface RoundTrips {
  clientNs: number;
  serverNs: number;
}

/** What a connection's ends do, in a schedule's words. */
export interface Play {
  /** When the client calls connect, ns since the first packet of the capture; may be below 0. */
  startNs: number;
  exchanges: Required<ExchangeOptions>[];
  close: "client" | "server" | "none";
  holdNs: number;
  reset: boolean;
  /** Did the end that closed first go on reading? */
  halfClose: boolean;
  /** How long the other end kept its direction open after that, ns; Infinity: for ever. */
  closeWaitNs: number;
  /** Was data on its way that nobody wanted, since its reader had closed for good? */
  cutShort: boolean;
}

/** The play that would look so at the capture point. Pauses are rounded to multiples of `roundNs`. */
export function playOf(connection: ImportedConnection, trips: RoundTrips, roundNs: number): Play {
  const { clientNs, serverNs } = trips;
  const rounded = (ns: number) => Math.max(0, Math.round(ns / roundNs) * roundNs);
  const begunNs = beginning(connection, trips);
  const exchanges: Required<ExchangeOptions>[] = [];
  // When the side that has the turn could have begun: its pause is counted from there.
  let fromClient: boolean | undefined;
  let endNs = begunNs;
  const since = (client: boolean) => {
    const tripNs = client ? clientNs : serverNs;
    if (fromClient === undefined) return endNs + (client ? 0 : tripNs);
    return endNs + (fromClient === client ? 0 : tripNs);
  };
  for (const turn of connection.turns) {
    const pauseNs = rounded(turn.beginNs - since(turn.fromClient));
    const last = exchanges.at(-1);
    for (let left = turn.bytes, first = true; left > 0; first = false) {
      const bytes = Math.min(left, MOST_EXCHANGE_BYTES);
      left -= bytes;
      const ns = first ? pauseNs : 0;
      if (turn.fromClient) exchanges.push({ requestBytes: bytes, replyBytes: 0, thinkNs: ns, workNs: 0 });
      else if (first && fromClient === true && last !== undefined) {
        last.replyBytes = bytes;
        last.workNs = ns;
      } else exchanges.push({ requestBytes: 0, replyBytes: bytes, thinkNs: 0, workNs: ns });
    }
    fromClient = turn.fromClient;
    endNs = turn.endNs;
  }
  return { startNs: startOf(connection, trips, begunNs), exchanges, ...endOf(connection, trips, since, rounded) };
}

/** How it ends; `since` says from when on an end's pause counts. */
function endOf(
  connection: ImportedConnection,
  trips: RoundTrips,
  since: (client: boolean) => number,
  rounded: (ns: number) => number,
): Omit<Play, "startNs" | "exchanges"> {
  const { close, turns, sides } = connection;
  if (close === undefined) {
    return { close: "none", holdNs: 0, reset: false, halfClose: false, closeWaitNs: 0, cutShort: false };
  }
  const { byClient, timeNs, reset } = close;
  const first = sides[byClient ? 0 : 1];
  const second = sides[byClient ? 1 : 0];
  const last = turns.at(-1);
  const isDataAfter = last !== undefined && second.packets > 0 && last.fromClient !== byClient && last.endNs > timeNs;
  const isRead = !reset && first.rstNs < 0;
  const arrivalNs = timeNs + (byClient ? trips.serverNs : trips.clientNs);
  const doneNs = isDataAfter ? Math.max(arrivalNs, last.endNs) : arrivalNs;
  let closeWaitNs = 0;
  if (isRead && second.fin >= 0) {
    closeWaitNs = second.finNs - doneNs < SHORTEST_WAIT_NS ? 0 : rounded(second.finNs - doneNs);
  } else if (isRead && first.finAcked && second.rstNs < 0) closeWaitNs = Infinity;
  // (A program that is gone waits no longer than this for the other's FIN.)
  const halfClose = isRead && (isDataAfter || closeWaitNs >= LONGEST_ORPHAN_NS);
  const ownLast = turns.findLast(({ fromClient }) => fromClient === byClient);
  const readyNs = ownLast?.endNs ?? beginning(connection, trips) + (byClient ? 0 : trips.serverNs);
  return {
    close: byClient ? "client" : "server",
    holdNs: rounded(timeNs - (halfClose ? readyNs : since(byClient))),
    reset,
    halfClose,
    closeWaitNs,
    cutShort: isDataAfter && !isRead,
  };
}

/** When the client's first acknowledgement went by, or would have, ns. */
function beginning(connection: ImportedConnection, { clientNs, serverNs }: RoundTrips): number {
  const { establishedNs, sides: [client, server], turns: [first] } = connection;
  if (establishedNs >= 0) return establishedNs;
  if (server.syns > 0) return server.lastSynNs + clientNs;
  if (client.syns > 0) return client.lastSynNs + serverNs + clientNs;
  // It began before the capture: as late as its first data allows.
  return first === undefined ? connection.firstNs : first.beginNs - (first.fromClient ? 0 : serverNs);
}

function startOf({ sides: [client, server] }: ImportedConnection, trips: RoundTrips, begunNs: number): number {
  const { clientNs, serverNs } = trips;
  if (client.syns > 0) return client.firstSynNs - clientNs / 2;
  if (server.syns > 0) return server.firstSynNs - serverNs - clientNs / 2;
  return begunNs - serverNs - clientNs - clientNs / 2;
}
