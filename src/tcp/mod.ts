/**
 * The TCP core: re-exports for drivers (simulator, socket layer, packetdrill runner).
 *
 * @module
 */
import "./congestion/all.ts";

export { abort, closeConnection, disconnect, shutdownRead, shutdownWrite } from "./close.ts";
export { connect, type ConnectOptions } from "./connect.ts";
export {
  connectWithData,
  fastOpenAllowed,
  type FastOpenConnectOptions,
  holdHandshakeAck,
  synDataBytes,
  wouldSendSynData,
} from "./fast_open_client.ts";
export { fastOpenClientFail, synDataAcked } from "./fast_open_end.ts";
export { isFastOpenPending } from "./fast_open_queue.ts";
export {
  type CongestionAlgorithm,
  type CongestionEvent,
  type CongestionState,
  Flow,
  registerAlgorithm,
} from "./congestion/flow.ts";
export { congestionNames, congestionParameter, setCongestionParameter } from "./congestion/types.ts";
export { TcpCounters } from "./counters.ts";
export { hasError, ORIGIN, type PendingErrors, type QueuedError, takeError, takeQueuedError } from "./errors.ts";
export { quickAck, setQuickAck } from "./delayed_ack.ts";
export { releaseAfterEvent } from "./finish.ts";
export { isListening, listenersOf, resetHosts, resumeListener, suspendListener } from "./host_reset.ts";
export { icmpErrorIn } from "./icmp_in.ts";
export {
  type ConnectionInfo,
  connectionInfo,
  connectionState,
  type ListenerInfo,
  listenerInfo,
  liveTimersOf,
  stateCounts,
} from "./info.ts";
export { setTrafficClass, setTtl } from "./ip_fields.ts";
export { settleMemory } from "./memory.ts";
export { accept } from "./accept_queue.ts";
export { closeListener, listen, setBacklog, type TcpListenOptions } from "./listen.ts";
export {
  deferAcceptTimeouts,
  listenerSetting,
  setDeferAccept,
  setFastOpenKey,
  setListenerFastOpen,
  setListenerFlag,
  setListenerNoCookie,
  setListenerSetting,
} from "./listener_options.ts";
export { isLingering, linger2Seconds, lingerSeconds, setLinger, setLinger2 } from "./linger.ts";
export {
  setCongestion,
  setCork,
  setKeepAlive,
  setKeepCount,
  setKeepIdle,
  setKeepInterval,
  setMaxSegment,
  setNoDelay,
  setSynRetries,
  setUserTimeout,
  type TcpOptions,
  tcpOptions,
} from "./options.ts";
export {
  maxPacingRateOf,
  notSentLowOf,
  sendBufferFor,
  sendBufferOf,
  setMaxPacingRate,
  setNotSentLow,
  setSendBuffer,
} from "./options_buffer.ts";
export { PATH_MTU, pathMtuDiscoveryOf, setPathMtuDiscovery, setReceiveErrors } from "./options_ip.ts";
export { hasReadEnd, peekBytes, receive, receiveBytes } from "./read.ts";
export { bufferFor, clampFor, setReceiveBuffer, setReceiveLow, setWindowClamp } from "./receiver.ts";
export { setErrorReports, softError } from "./reports.ts";
export { segmentIn } from "./segment_in.ts";
export { TcpStack } from "./stack.ts";
export type { Stream, TcpStackOptions } from "./stack_options.ts";
export { REPORT, ROW_KIND, STATE, stateName, TCP_EVENT } from "./state/states.ts";
export { ACK_STATE, COLD, FLAG, LISTENER, SYN_ROW, TCB, TIME_WAIT_ROW, TIMER, WARM } from "./state/tcb.ts";
export { type TcpInfo, tcpInfo, tcpInfoOfListener } from "./tcp_info.ts";
export { timerActs, timerFired, timerHost, timerSerial } from "./timers.ts";
export { fineTimerFired } from "./pacing.ts";
export { SEND, send, sendBytes } from "./transfer.ts";
export { bytesInQueue, isAtMark, isUrgentInline, NOTHING, receiveUrgent, setUrgentInline } from "./urgent_in.ts";
export { receiveBuffer, unreadBytes } from "./window.ts";
export { isWritable, sendRoom, wantRoom } from "./writable.ts";
