/**
 * From what a scenario says of a host's budgets to what the network takes.
 *
 * @module
 */
import type { CpuOptions } from "../network/options.ts";
import { withoutUndefined } from "./profiles.ts";
import type { ScenarioHost } from "./schema.ts";

/** The processors of a host. */
export function cpuOptions(cpu: NonNullable<ScenarioHost["cpu"]>): CpuOptions {
  return withoutUndefined<CpuOptions>({
    cores: cpu.cores,
    perPacketNs: cpu.perPacket,
    perByteNs: cpu.perByte,
    perAcceptNs: cpu.perAccept,
    perConnectNs: cpu.perConnect,
    perRequestNs: cpu.perRequest,
    queuePackets: cpu.queue,
  });
}
