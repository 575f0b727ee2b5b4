/**
 * The system calls by name.
 *
 * @module
 */
import { acceptCall, bindCall, closeCall, connectCall, listenCall, shutdownCall, socketCall } from "./connections.ts";
import { fcntlCall, ioctlCall, nameCall, openCall, pipeCall } from "./control.ts";
import { succeed, type SystemCall } from "./kernel.ts";
import { getsockoptCall, setsockoptCall } from "./options.ts";
import { epollControlCall, epollCreateCall, epollWaitCall, pollCall } from "./polling.ts";
import {
  readCall,
  readvCall,
  recvCall,
  recvmsgCall,
  sendCall,
  sendfileCall,
  sendmsgCall,
  sendtoCall,
  spliceCall,
  writeCall,
  writevCall,
} from "./transfer.ts";

/** Every call that scripts may make. */
export const SYSTEM_CALLS: ReadonlyMap<string, SystemCall> = new Map<string, SystemCall>([
  ["socket", socketCall],
  ["bind", bindCall],
  ["listen", listenCall],
  ["accept", acceptCall],
  ["accept4", acceptCall],
  ["connect", connectCall],
  ["shutdown", shutdownCall],
  ["close", closeCall],
  ["read", readCall],
  ["readv", readvCall],
  ["recv", recvCall],
  ["recvfrom", recvCall],
  ["recvmsg", recvmsgCall],
  ["write", writeCall],
  ["writev", writevCall],
  ["send", sendCall],
  ["sendto", sendtoCall],
  ["sendmsg", sendmsgCall],
  ["splice", spliceCall],
  ["fcntl", fcntlCall],
  ["ioctl", ioctlCall],
  ["pipe", pipeCall],
  ["open", openCall],
  ["sendfile", sendfileCall],
  ["getsockopt", getsockoptCall],
  ["setsockopt", setsockoptCall],
  ["getsockname", nameCall(false)],
  ["getpeername", nameCall(true)],
  ["poll", pollCall],
  ["epoll_create", epollCreateCall],
  ["epoll_create1", epollCreateCall],
  ["epoll_ctl", epollControlCall],
  ["epoll_wait", epollWaitCall],
  // Capabilities: the emulated process may do everything.
  ["cap_set", succeed],
]);
