/*
 * The work of examples/million.yaml on this machine's own kernel: connections opened over the loopback interface of a
 * network namespace of their own; each sends a request of 100 bytes, reads a reply of 1,000, and stays open.
 *
 *     gcc -O2 linux.c -o linux
 *     ./linux [CONNECTIONS]
 *
 * A process may have only so many files open, and a connection needs two here (both ends are on this machine). So there
 * are as many processes as it takes, each with an address of its own to listen on and another to connect from. One line
 * of JSON comes out. Memory is what the machine had less of while all connections were held: buffers and the kernel's
 * own records included, the programs' too.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { REQUEST = 100, REPLY = 1000, PORT = 443, IN_FLIGHT = 500, SPARE_FILES = 64 };

static void fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

/* Memory that the machine could still give away, bytes. */
static double available(void) {
  FILE *file = fopen("/proc/meminfo", "r");
  char line[256];
  double kilobytes = 0;
  if (file == NULL) fail("/proc/meminfo");
  while (fgets(line, sizeof line, file) != NULL) {
    if (sscanf(line, "MemAvailable: %lf kB", &kilobytes) == 1) break;
  }
  fclose(file);
  return kilobytes * 1024;
}

/* A network namespace with nothing in it but a loopback interface. */
static void ownNetwork(void) {
  if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) fail("a network namespace");
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct ifreq request = {0};
  strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) != 0) fail("the loopback interface");
  close(fd);
}

static struct sockaddr_in address(unsigned network, unsigned process, unsigned port) {
  struct sockaddr_in found = {.sin_family = AF_INET, .sin_port = htons(port)};
  found.sin_addr.s_addr = htonl(127u << 24 | network << 16 | (process + 1));
  return found;
}

/* What one process has to do, and what it did. */
struct work {
  unsigned process;
  unsigned connections;
  unsigned established;
  unsigned replies;
};

/* One more connection is asked for. */
static void openOne(int epoll, const struct work *work) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fd < 0) fail("socket");
  int one = 1;
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  struct sockaddr_in from = address(2, work->process, 0);
  struct sockaddr_in to = address(1, work->process, PORT);
  if (bind(fd, (struct sockaddr *)&from, sizeof from) != 0) fail("bind");
  if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS) fail("connect");
  struct epoll_event event = {.events = EPOLLOUT, .data.u64 = (uint64_t)fd << 1};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
}

/* Both ends of this process's connections, until all have had their reply. */
static void serve(struct work *work) {
  static char buffer[REPLY];
  int epoll = epoll_create1(0);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in own = address(1, work->process, PORT);
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)listener << 1 | 1};
  if (bind(listener, (struct sockaddr *)&own, sizeof own) != 0 || listen(listener, 4096) != 0) fail("listen");
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  unsigned opened = 0;
  while (work->replies < work->connections) {
    while (opened < work->connections && opened - work->replies < IN_FLIGHT) {
      openOne(epoll, work);
      opened++;
    }
    struct epoll_event events[256];
    int count = epoll_wait(epoll, events, 256, 10000);
    if (count == 0) exit(2);
    for (int i = 0; i < count; i++) {
      int fd = (int)(events[i].data.u64 >> 1);
      int isServer = events[i].data.u64 & 1;
      if (fd == listener) {
        int accepted;
        while ((accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
          event = (struct epoll_event){.events = EPOLLIN, .data.u64 = (uint64_t)accepted << 1 | 1};
          if (epoll_ctl(epoll, EPOLL_CTL_ADD, accepted, &event) != 0) fail("epoll_ctl");
        }
        if (errno != EAGAIN) fail("accept");
      } else if (isServer) {
        if (read(fd, buffer, sizeof buffer) == REQUEST && write(fd, buffer, REPLY) != REPLY) fail("write");
      } else if (events[i].events & EPOLLOUT) {
        if (write(fd, buffer, REQUEST) != REQUEST) fail("a connection");
        work->established++;
        event = (struct epoll_event){.events = EPOLLIN, .data.u64 = (uint64_t)fd << 1};
        epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
      } else if (read(fd, buffer, sizeof buffer) == REPLY) work->replies++;
    }
  }
}

int main(int argc, char **argv) {
  unsigned connections = argc > 1 ? (unsigned)atol(argv[1]) : 1000000;
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  unsigned each = (unsigned)((files.rlim_cur - SPARE_FILES) / 2);
  /* Linux's default range has 28,232 ephemeral ports, and each process connects from one address to one. */
  if (each > 28000) each = 28000;
  unsigned processes = (connections + each - 1) / each;
  ownNetwork();
  int results[2], release[2];
  if (pipe(results) != 0 || pipe(release) != 0) fail("pipe");
  double before = available(), start = now();
  for (unsigned process = 0; process < processes; process++) {
    pid_t child = fork();
    if (child < 0) fail("fork");
    if (child > 0) continue;
    struct work work = {.process = process, .connections = connections / processes + (process < connections % processes)};
    char byte;
    close(release[1]);
    serve(&work);
    if (write(results[1], &work, sizeof work) != sizeof work) fail("write");
    close(results[1]);
    /* Held until all have theirs. */
    while (read(release[0], &byte, 1) > 0) {
    }
    _exit(0);
  }
  close(results[1]);
  unsigned established = 0, replies = 0;
  for (unsigned process = 0; process < processes; process++) {
    struct work work;
    if (read(results[0], &work, sizeof work) != sizeof work) {
      fprintf(stderr, "process %u of %u did not end\n", process + 1, processes);
      return 1;
    }
    established += work.established;
    replies += work.replies;
  }
  double wall = now() - start, held = before - available();
  close(release[1]);
  while (wait(NULL) > 0) {
  }
  struct rusage usage;
  getrusage(RUSAGE_CHILDREN, &usage);
  double cpu = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  /* A handshake of three packets, a request and a reply with their acknowledgements; one link. */
  printf(
    "{\"wallSeconds\":%.3f,\"cpuSeconds\":%.3f,\"packetHops\":%.0f,\"peakRssBytes\":%.0f,\"established\":%u,\"replies\":%u}\n",
    wall, cpu, 7.0 * connections, held > 0 ? held : 0, established, replies);
  return 0;
}
