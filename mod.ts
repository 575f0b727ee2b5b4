/**
 * fourtuple: a packet-level TCP emulator. Declare a {@linkcode Network}, `build` it, `run` the
 * {@linkcode Simulation}, read its report; or open sockets on its hosts.
 *
 * @example A workload, and what became of it
 * ```ts
 * import { Network, summary } from "./mod.ts";
 *
 * const network = new Network({ seed: 1 });
 * network.host("server", { address: "192.0.2.1/24", listen: [{ port: 443 }] });
 * network.host("clients", { count: 4, address: "198.51.100.1/24" });
 * network.router("r1");
 * network.link("clients", "r1", { rateBps: 1e9, delayNs: 5e6 });
 * network.link("r1", "server", { rateBps: 10e9, delayNs: 100e3 });
 * network.workload({ name: "load", kind: "hold", from: ["clients"], to: ["server:443"], connections: 1000 });
 * const simulation = network.build();
 * simulation.run();
 * console.log(simulation.report().connections.established); // 1000
 * console.log(summary(simulation.report()));
 * ```
 *
 * @example Sockets, on simulated time
 * ```ts
 * import { Network } from "./mod.ts";
 *
 * const network = new Network();
 * network.host("alice", { address: "10.0.0.1/24" });
 * network.host("bob", { address: "10.0.0.2/24" });
 * network.link("alice", "bob", { rateBps: 1e9, delayNs: 5e6, loss: 0.01 });
 * const simulation = network.build();
 * simulation.host("bob").listen({ port: 7 }, (socket) => socket.on("data", (bytes) => socket.write(bytes)));
 * const socket = simulation.host("alice").connect({ address: "10.0.0.2", port: 7 }, () => socket.end("hello"));
 * socket.on("data", (bytes) => console.log(new TextDecoder().decode(bytes)));
 * socket.on("close", () => console.log("closed at", simulation.nowNs / 1e6, "ms"));
 * simulation.run();
 * ```
 *
 * Times are whole nanoseconds (`…Ns`), rates bits per second (`…Bps`), sizes bytes, shares 0 to 1, addresses text.
 *
 * @module
 */
export {
  Network,
  type NetworkDocument,
  NetworkError,
  type NetworkOptions,
  type NodeRef,
} from "./src/network/network.ts";
export type { ForkChange } from "./src/network/fork.ts";
export { registerModule } from "./src/network/modules.ts";
export { type ApplicationDefinition, type ApplicationHandlers, registerApplication } from "./src/app/application.ts";
export { Application } from "./src/app/application_host.ts";
export type { ApplicationOptions } from "./src/network/applications.ts";
export type { RunRecord, SimulationHeader } from "./src/network/restore.ts";
export { type MemoryEstimate } from "./src/network/estimate.ts";
export { type LinkGroup, type Mark, type PacketTap, Simulation, type TapOptions } from "./src/network/simulation.ts";
export { HostHandle, type Probe } from "./src/network/host_handle.ts";
export type { Capture, CaptureOptions, CaptureSink } from "./src/network/capture.ts";
export type { PacketFilter, SeenPacket } from "./src/network/packet_filter.ts";
export type { LookupDone } from "./src/network/code_lookups.ts";
export type { Declaration, LinkDeclaration, Numbering } from "./src/network/plan.ts";
export {
  type ArrivalOptions,
  type CpuOptions,
  type ExchangeOptions,
  type HostOptions,
  type LinkOptions,
  type ListenOptions,
  LONGEST_RUN_NS,
  type NatBehaviour,
  type NatOptions,
  type QueueDisciplineOptions,
  type RouterOptions,
  type RunOptions,
  type ServiceOptions,
  type WorkloadOptions,
} from "./src/network/options.ts";
export {
  type DeterministicPlan,
  type DeterministicRange,
  deterministicRange,
  deterministicSubscriber,
  type NatCarrierOptions,
  type NatLogEvents,
  type NatLogFormat,
  type NatTimeoutOptions,
  portsPerSubscriber,
  subscribersPerAddress,
} from "./src/nat/nat.ts";
export type {
  BackendEvent,
  Convergence,
  EventBase,
  HostEvent,
  LinkChange,
  LinkEvent,
  ListenerEvent,
  NatEvent,
  NetworkEvent,
  NodeEvent,
  ProfileEvent,
  RouteEvent,
  WorkloadEvent,
} from "./src/network/event_options.ts";
export type { ProbeOptions, ProbeSettings } from "./src/network/probe_options.ts";
export type { HopReport, ProbeAnswer, ProbeReport } from "./src/base/probe_reports.ts";
export type { NatRefusalReason, NatRefusals, NatSession, NatSubscriber, NatTuple } from "./src/nat/nat.ts";
export { DUMP_KINDS, type DumpKind, type Inspection } from "./src/network/dump.ts";
export type { NatSessionDump, NatSubscriberDump } from "./src/network/dump_nat.ts";
export type { LinkDump, NextHopDump, RouteDump } from "./src/network/dump_routes.ts";
export type { SocketDump } from "./src/network/dump_sockets.ts";
export type { Series, SeriesOptions, SeriesRow } from "./src/network/series.ts";
export type { SeriesGauges } from "./src/network/series_gauges.ts";
export type { DnsRecordOptions, DnsServerOptions, ResolverOptions } from "./src/network/options_dns.ts";
export type {
  BackendOptions,
  BalancerAlgorithm,
  BalancerMode,
  BalancerOptions,
  BalancerServiceOptions,
  HealthOptions,
} from "./src/network/balancer_options.ts";
export type { ProxyOptions } from "./src/network/proxy_options.ts";
export type { BackendChange } from "./src/network/balancer_build.ts";
export {
  type Endpoint,
  type ReadyState,
  Socket,
  type SocketEvents,
  type SoftErrorReason,
} from "./src/socket/socket.ts";
export type { ConnectOptions } from "./src/socket/connect_options.ts";
export { Listener, type ListenerEvents, type SocketListenOptions } from "./src/socket/listener.ts";
export { type UdpEvents, type UdpOptions, UdpSocket } from "./src/socket/datagram.ts";
export { Emitter, type EventMap } from "./src/socket/emitter.ts";
export { ERRNO, type ErrnoName, InputError, type InputPosition, SocketError } from "./src/base/errors.ts";
export {
  formatBytes,
  formatDurationNs,
  formatRateBps,
  parseBytes,
  parseDurationNs,
  parseFraction,
  parseRateBps,
} from "./src/base/units.ts";
export { AddressError, type AddressRange, AddressTable, type IpAddress, type IpPrefix } from "./src/base/address.ts";
export type { Column, PlainValue, Stateful, StateVisitor } from "./src/base/state.ts";
export { RowPool, type RowPoolOptions } from "./src/store/rows.ts";
export { CONTROL, EXTRA, PACKET, PacketPool, PayloadPool, PROTOCOL, TCP_FLAG } from "./src/wire/packet.ts";
export { decodePacket, type DecodePacketOptions, encodePacket } from "./src/wire/row_codec.ts";
export type { WireError, WireErrorCode, WireLayer } from "./src/wire/error.ts";
export { formatPacket, type FormatPacketOptions } from "./src/wire/tcpdump.ts";
export { pcapHeader, type PcapHeaderOptions, pcapRecord, type PcapRecordOptions } from "./src/wire/pcap.ts";
export {
  type CongestionAlgorithm,
  type CongestionEvent,
  congestionNames as congestionControls,
  type CongestionState,
  Flow,
  registerAlgorithm as registerCongestionControl,
} from "./src/tcp/mod.ts";
export type { HoldDistribution } from "./src/app/holding.ts";
export { DEFAULT_PROFILE, type PortAllocation, type Profile } from "./src/transport/profile.ts";
export {
  type BackendReport,
  type BalancerReport,
  type ExpectReport,
  LIMIT_NAMES,
  type LimitName,
  type LimitReport,
  type NatReport,
  type ProxyReport,
  type RunReport,
  type TargetReport,
  type WorkloadReport,
} from "./src/report/document.ts";
export { summary, type SummaryOptions } from "./src/report/summary.ts";
export { expectations } from "./src/scenario/expect.ts";
export type { CapacityLimit, CapacityOptions, CapacityReport } from "./src/network/capacity.ts";
export { capacityText, type CapacityTextOptions } from "./src/report/capacity_text.ts";
