/**
 * What a listening port does with its connections, from the declaration to the service.
 *
 * @module
 */
import type { ServicePlan } from "../app/service.ts";
import { NetworkError } from "./errors.ts";
import type { ListenOptions, ServiceOptions } from "./options.ts";

/** Numbers of a service, as in `SIZES`. */
const SERVICE_SIZES = [
  ["requestBytes", "service.request", 1, 2 ** 31 - 1],
  ["replyBytes", "service.reply", 0, 2 ** 31 - 1],
  ["bytes", "service.bytes", 0, 2 ** 53 - 1],
  ["answersBeforeClose", "service.answers", 1, 2 ** 27 - 1],
] as const;

/** Checks a declared service. Throws `NetworkError`. */
export function checkService(service: ServiceOptions, subject: string): void {
  for (const [key, name, least, most] of SERVICE_SIZES) {
    const value = service[key];
    if (value === undefined || (Number.isSafeInteger(value) && value >= least && value <= most)) continue;
    throw new NetworkError(subject, `A whole number from ${least} to ${most}, not ${value}: ${name}.`);
  }
  const { closeAfterNs = 0 } = service;
  if (!(closeAfterNs === Infinity || (Number.isSafeInteger(closeAfterNs) && closeAfterNs >= 0))) {
    throw new NetworkError(subject, `A time is whole nanoseconds from 0 on, not ${closeAfterNs}: service.closeAfter.`);
  }
}

/** A declared service, every number filled in. */
export function servicePlan(service: ServiceOptions, listen: ListenOptions): ServicePlan {
  return {
    // (Connections of schedules are handed over; any other finds a service that says nothing.)
    kind: service.kind === "schedule" ? "hold" : service.kind,
    requestBytes: service.requestBytes ?? 100,
    replyBytes: service.replyBytes ?? 1000,
    bytes: service.bytes ?? 0,
    answersBeforeClose: service.answersBeforeClose ?? 1,
    closeAfterNs: service.closeAfterNs ?? Infinity,
    acceptIntervalNs: listen.acceptIntervalNs ?? 0,
  };
}
