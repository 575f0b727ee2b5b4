import { assertEquals } from "@std/assert";
import { balancerRows } from "../../src/report/summary_balancers.ts";
import type { BackendReport, BalancerReport, ProxyReport } from "../../src/report/document.ts";

const backend = (name: string, connections: number, state: BackendReport["state"] = "up"): BackendReport => ({
  ...{ name, connections, active: 0, peak: 0, broken: 0, state },
});
const balancer = (changes: Partial<BalancerReport>): BalancerReport => ({
  ...{ node: "lb", connections: 0, flows: 0, peakFlows: 0, broken: 0, refused: {}, backends: [] },
  ...changes,
});
const proxy = (changes: Partial<ProxyReport>): ProxyReport => ({
  ...{ node: "px", clients: 0, requests: 0, replies: 0, refused: 0, opened: 0, peakBackend: 0, reused: 0 },
  ...{ bytesForth: 0, bytesBack: 0 },
  ...changes,
});
const rows = (balancers: BalancerReport[], proxies: ProxyReport[] = []) =>
  balancerRows({ balancers, proxies }, (counts) => Object.keys(counts).map((name) => `; ${name}`).join(""));

Deno.test("the summary says how a balancer shared its flows out, what it refused, what broke and who is down", () => {
  const backends = [backend("web[0]:80", 1200), backend("web[1]:80", 300, "down"), backend("web[2]:80", 9, "draining")];
  assertEquals(rows([balancer({ connections: 1509, broken: 75, refused: { "no-port": 3 }, backends })]), [[
    "Balancers",
    "lb: 1,509 flows to 3 back ends, 9 to 1,200 each; no-port; 75 broke; at the end web[1]:80 is down, web[2]:80 is draining",
  ]]);
  assertEquals(rows([balancer({ connections: 1, backends: backends.slice(0, 1) })]), [
    ["Balancers", "lb: 1 flow to web[0]:80"],
  ]);
  assertEquals(rows([]), []);
});

Deno.test("the summary says what a proxy made of its requests", () => {
  assertEquals(
    rows([], [proxy({ requests: 600, replies: 400, refused: 200, opened: 5, peakBackend: 5, reused: 395 })]),
    [
      [
        "Proxies",
        "px: 600 requests, 400 answered, 200 refused, over 5 connections to back ends (at most 5 at once), 395 over one " +
        "that was there already",
      ],
    ],
  );
  assertEquals(
    rows([], [proxy({ clients: 3, opened: 3, peakBackend: 2 })])[0][1],
    "px: 3 connections passed on, over 3 " +
      "connections to back ends (at most 2 at once)",
  );
});

Deno.test("of many balancers the summary tells a few", () => {
  const many = Array.from({ length: 10 }, (_, i) => balancer({ node: `lb${i}`, backends: [backend("web:80", 0)] }));
  assertEquals(rows(many).length, 7);
  assertEquals(rows(many).at(-1), ["", "and 4 more: --json lists them"]);
});
