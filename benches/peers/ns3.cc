/*
 * The work of fourtuple's benches in ns-3, to measure fourtuple against.
 *
 *     g++ -O3 ns3.cc -o ns3 -lns3-internet -lns3-point-to-point -lns3-traffic-control -lns3-network -lns3-core
 *                                                                                              (Debian: libns3-dev)
 *     ./ns3 connections N [HOSTS]      HOSTS clients - r1 - r2 - r3 - r4 - server: N connections to one port, one every
 *                                      10 us; each sends 100 bytes, reads 1,000, and stays open. (ns-3 has no NAT: r2 is
 *                                      a router.)
 *     ./ns3 bulk SECONDS LOSS          sender - router - receiver: 1 Gbit/s, 10 ms there and back, one flow, CUBIC and
 *                                      SACK, segments of 1,448 bytes; LOSS is the share of data packets lost.
 *
 * What is slow in ns-3 and can be left out, is: no queue discipline before the devices' own queues; the application
 * writes segments (packets of 64 KiB are cut by copying); the queue is as short as keeps the link busy, since every
 * segment that is sent looks at all that are in flight (TcpTxBuffer::NextSeg).
 *
 * One line of JSON comes out. Setting up the network is not part of the time.
 */
#include <sys/resource.h>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include "ns3/core-module.h"
#include "ns3/internet-module.h"
#include "ns3/network-module.h"
#include "ns3/point-to-point-module.h"
#include "ns3/traffic-control-module.h"

using namespace ns3;

static uint64_t established = 0, packetHops = 0, segments = 0, received = 0;

static double cpuSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double peakBytes() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * 1024.0;
}

static void onHop(Ptr<const Packet>) { packetHops++; }

/* Addresses came with a queue discipline: packets go straight to the device. */
static void withoutDiscipline(NetDeviceContainer devices) {
  TrafficControlHelper helper;
  helper.Uninstall(devices);
}

/* One link; addresses of one /30 each. */
static Ipv4InterfaceContainer join(Ptr<Node> a, Ptr<Node> b, const char *rate, Time delay, Ipv4AddressHelper &addresses) {
  PointToPointHelper link;
  link.SetDeviceAttribute("DataRate", StringValue(rate));
  link.SetChannelAttribute("Delay", TimeValue(delay));
  link.SetQueue("ns3::DropTailQueue", "MaxSize", StringValue("100000p"));
  NetDeviceContainer devices = link.Install(a, b);
  for (uint32_t i = 0; i < 2; i++) devices.Get(i)->TraceConnectWithoutContext("MacRx", MakeCallback(&onHop));
  Ipv4InterfaceContainer interfaces = addresses.Assign(devices);
  withoutDiscipline(devices);
  addresses.NewNetwork();
  return interfaces;
}

static Ptr<Ipv4StaticRouting> routesOf(Ptr<Node> node) {
  Ipv4StaticRoutingHelper helper;
  return helper.GetStaticRouting(node->GetObject<Ipv4>());
}

/* ---- connections ---- */

static const uint32_t REQUEST = 100, REPLY = 1000;

static void onRequest(Ptr<Socket> socket) {
  while (Ptr<Packet> packet = socket->Recv()) {
    if (packet->GetSize() == 0) return;
    socket->Send(Create<Packet>(REPLY));
  }
}

static void onAccept(Ptr<Socket> socket, const Address &) { socket->SetRecvCallback(MakeCallback(&onRequest)); }

static void onReply(Ptr<Socket> socket) {
  while (Ptr<Packet> packet = socket->Recv()) {
    if (packet->GetSize() == 0) return;
    received += packet->GetSize();
  }
}

static void onConnected(Ptr<Socket> socket) {
  established++;
  socket->Send(Create<Packet>(REQUEST));
}

static void openOne(Ptr<Node> client, Address server) {
  Ptr<Socket> socket = Socket::CreateSocket(client, TcpSocketFactory::GetTypeId());
  socket->SetConnectCallback(MakeCallback(&onConnected), MakeNullCallback<void, Ptr<Socket>>());
  socket->SetRecvCallback(MakeCallback(&onReply));
  socket->Bind();
  socket->Connect(server);
}

static int connections(uint32_t count, uint32_t hosts) {
  Config::SetDefault("ns3::TcpSocket::SegmentSize", UintegerValue(1448));
  NodeContainer clients, routers, servers;
  clients.Create(hosts);
  routers.Create(4);
  servers.Create(1);
  InternetStackHelper stack;
  Ipv4StaticRoutingHelper routing;
  stack.SetRoutingHelper(routing);
  stack.Install(clients);
  stack.Install(routers);
  stack.Install(servers);
  Ipv4AddressHelper access("10.0.0.0", "255.255.255.252"), core("192.0.2.0", "255.255.255.252");
  for (uint32_t i = 0; i < hosts; i++) {
    Ipv4InterfaceContainer ends =
      join(clients.Get(i), routers.Get(0), "100Mbps", MicroSeconds(1000 + (i * 7919) % 4000), access);
    routesOf(clients.Get(i))->SetDefaultRoute(ends.GetAddress(1), 1);
  }
  Ipv4Address server;
  const int64_t delays[] = {50, 5000, 10000, 100};
  for (uint32_t i = 0; i < 4; i++) {
    Ptr<Node> right = i < 3 ? routers.Get(i + 1) : servers.Get(0);
    Ipv4InterfaceContainer ends = join(routers.Get(i), right, "10Gbps", MicroSeconds(delays[i]), core);
    routesOf(routers.Get(i))->SetDefaultRoute(ends.GetAddress(1), ends.Get(0).second);
    if (i < 3) routesOf(right)->AddNetworkRouteTo("10.0.0.0", "255.0.0.0", ends.GetAddress(0), ends.Get(1).second);
    else {
      routesOf(right)->SetDefaultRoute(ends.GetAddress(0), ends.Get(1).second);
      server = ends.GetAddress(1);
    }
  }
  Ptr<Socket> listener = Socket::CreateSocket(servers.Get(0), TcpSocketFactory::GetTypeId());
  listener->Bind(InetSocketAddress(Ipv4Address::GetAny(), 443));
  listener->Listen();
  listener->SetAcceptCallback(MakeNullCallback<bool, Ptr<Socket>, const Address &>(), MakeCallback(&onAccept));
  for (uint32_t i = 0; i < count; i++) {
    Simulator::Schedule(
      MicroSeconds(10 * (uint64_t)i), &openOne, clients.Get(i % hosts), Address(InetSocketAddress(server, 443)));
  }
  Simulator::Stop(MicroSeconds(10 * (uint64_t)count) + Seconds(1));
  auto start = std::chrono::steady_clock::now();
  double cpu = cpuSeconds();
  Simulator::Run();
  double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  printf(
    "{\"wallSeconds\":%.3f,\"cpuSeconds\":%.3f,\"packetHops\":%llu,\"peakRssBytes\":%.0f,\"established\":%llu,\"replies\":%llu}\n",
    wall, cpuSeconds() - cpu, (unsigned long long)packetHops, peakBytes(), (unsigned long long)established,
    (unsigned long long)(received / REPLY));
  return 0;
}

/* ---- bulk ---- */

static const uint32_t SEGMENT = 1448;

static void onData(Ptr<Socket> socket) {
  while (Ptr<Packet> packet = socket->Recv()) {
    if (packet->GetSize() == 0) return;
    received += packet->GetSize();
  }
}

static void onFlow(Ptr<Socket> socket, const Address &) { socket->SetRecvCallback(MakeCallback(&onData)); }

static void fill(Ptr<Socket> socket, uint32_t room) {
  /* Send() tells of room by calling this. */
  static bool filling = false;
  if (filling) return;
  filling = true;
  while (room >= SEGMENT && socket->Send(Create<Packet>(SEGMENT)) > 0) room = socket->GetTxAvailable();
  filling = false;
}

static void onOpen(Ptr<Socket> socket) { fill(socket, socket->GetTxAvailable()); }

static void onSegment(Ptr<const Packet> packet) {
  if (packet->GetSize() > 1000) segments++;
}

static int bulk(double seconds, double loss) {
  Config::SetDefault("ns3::TcpSocket::SegmentSize", UintegerValue(SEGMENT));
  Config::SetDefault("ns3::TcpSocket::SndBufSize", UintegerValue(16 << 20));
  Config::SetDefault("ns3::TcpSocket::RcvBufSize", UintegerValue(16 << 20));
  Config::SetDefault("ns3::TcpSocket::InitialCwnd", UintegerValue(10));
  Config::SetDefault("ns3::TcpL4Protocol::SocketType", TypeIdValue(TcpCubic::GetTypeId()));
  Config::SetDefault("ns3::TcpSocketBase::Sack", BooleanValue(true));
  NodeContainer nodes;
  nodes.Create(3);
  InternetStackHelper stack;
  Ipv4StaticRoutingHelper routing;
  stack.SetRoutingHelper(routing);
  stack.Install(nodes);
  PointToPointHelper link;
  link.SetDeviceAttribute("DataRate", StringValue("1Gbps"));
  link.SetChannelAttribute("Delay", TimeValue(MicroSeconds(2500)));
  link.SetQueue("ns3::DropTailQueue", "MaxSize", StringValue("400p"));
  NetDeviceContainer left = link.Install(nodes.Get(0), nodes.Get(1));
  NetDeviceContainer right = link.Install(nodes.Get(1), nodes.Get(2));
  Ipv4AddressHelper addresses("10.0.0.0", "255.255.255.0");
  Ipv4InterfaceContainer a = addresses.Assign(left);
  addresses.NewNetwork();
  Ipv4InterfaceContainer b = addresses.Assign(right);
  withoutDiscipline(left);
  withoutDiscipline(right);
  routesOf(nodes.Get(0))->SetDefaultRoute(a.GetAddress(1), 1);
  routesOf(nodes.Get(2))->SetDefaultRoute(b.GetAddress(0), 1);
  left.Get(0)->TraceConnectWithoutContext("MacTx", MakeCallback(&onSegment));
  if (loss > 0) {
    Ptr<RateErrorModel> model = CreateObject<RateErrorModel>();
    model->SetUnit(RateErrorModel::ERROR_UNIT_PACKET);
    model->SetRate(loss);
    right.Get(1)->SetAttribute("ReceiveErrorModel", PointerValue(model));
  }
  Ptr<Socket> listener = Socket::CreateSocket(nodes.Get(2), TcpSocketFactory::GetTypeId());
  listener->Bind(InetSocketAddress(Ipv4Address::GetAny(), 80));
  listener->Listen();
  listener->SetAcceptCallback(MakeNullCallback<bool, Ptr<Socket>, const Address &>(), MakeCallback(&onFlow));
  Ptr<Socket> socket = Socket::CreateSocket(nodes.Get(0), TcpSocketFactory::GetTypeId());
  socket->SetConnectCallback(MakeCallback(&onOpen), MakeNullCallback<void, Ptr<Socket>>());
  socket->SetSendCallback(MakeCallback(&fill));
  socket->Bind();
  Address receiver = InetSocketAddress(b.GetAddress(1), 80);
  Simulator::ScheduleNow([socket, receiver] { socket->Connect(receiver); });
  Simulator::Stop(Seconds(seconds));
  auto start = std::chrono::steady_clock::now();
  double cpu = cpuSeconds();
  Simulator::Run();
  double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  printf(
    "{\"wallSeconds\":%.3f,\"cpuSeconds\":%.3f,\"segments\":%llu,\"receivedBytes\":%llu,\"peakRssBytes\":%.0f}\n", wall,
    cpuSeconds() - cpu, (unsigned long long)segments, (unsigned long long)received, peakBytes());
  return 0;
}

int main(int argc, char **argv) {
  if (argc >= 3 && !strcmp(argv[1], "connections")) return connections(atoi(argv[2]), argc > 3 ? atoi(argv[3]) : 1000);
  if (argc >= 4 && !strcmp(argv[1], "bulk")) return bulk(atof(argv[2]), atof(argv[3]));
  fprintf(stderr, "ns3 connections N [HOSTS] | ns3 bulk SECONDS LOSS\n");
  return 2;
}
