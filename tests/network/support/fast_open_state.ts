import { built } from "./networks.ts";

/** A client that remembers a server's cookie, and the server's keys. */
export function fastOpenState() {
  const simulation = built([
    (n) => n.host("client", { address: "10.0.0.1/24" }),
    (n) => n.host("server", { address: "10.0.0.2/24", listen: [{ port: 80 }] }),
    (n) => n.link("client", "server", { delayNs: 1e6 }),
    (n) => n.event({ kind: "node", atNs: 1e9, node: ["client", "server"], action: "reboot" }),
  ]);
  const s = simulation.partition;
  const row = (name: string) => s.nodes.population(name)!.firstRow;
  const [client, server] = [row("client"), row("server")];
  const [local, remote] = [s.addressOf(client), s.addressOf(server)];
  s.tcp.fastOpen.remember(s.tcp, client, local, remote).mss = 1460;
  return {
    remembered: () => s.tcp.fastOpen.find(client, local, remote) !== null,
    keys: () => s.tcp.fastOpen.keysOf(s.tcp, server, 0)[0],
    restart: () => simulation.run(),
  };
}
