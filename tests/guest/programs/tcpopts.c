/* SPDX-License-Identifier: MIT */
/* tcpopts.c - options of TCP sockets: defaults, bounds and errnos of SOL_TCP and SOL_SOCKET,
 * TCP_INFO, what /proc/net/tcp and the counters tell. */
#include "tcpcheck.h"

#include <sys/stat.h>
#include <sys/time.h>

#define SO_COOKIE 57
#define SO_MEMINFO 55
#define SO_INCOMING_CPU 49
#define TCP_CC_INFO 26
#define TCP_FASTOPEN 23
#define TCP_FASTOPEN_CONNECT 30
#define TCP_ULP 31

static void defaults(void)
{
	int fd = tcp();

	check(get(fd, IPPROTO_TCP, TCP_NODELAY) == 0);
	check(get(fd, IPPROTO_TCP, TCP_MAXSEG) == 536);
	check(get(fd, IPPROTO_TCP, TCP_CORK) == 0);
	check(get(fd, IPPROTO_TCP, TCP_KEEPIDLE) == 7200);
	check(get(fd, IPPROTO_TCP, TCP_KEEPINTVL) == 75);
	check(get(fd, IPPROTO_TCP, TCP_KEEPCNT) == 9);
	check(get(fd, IPPROTO_TCP, TCP_SYNCNT) == 6);
	check(get(fd, IPPROTO_TCP, TCP_LINGER2) == 60);
	check(get(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT) == 0);
	check(get(fd, IPPROTO_TCP, TCP_WINDOW_CLAMP) == 0);
	check(get(fd, IPPROTO_TCP, TCP_QUICKACK) == 1);
	check(get(fd, IPPROTO_TCP, TCP_USER_TIMEOUT) == 0);
	check(get(fd, SOL_SOCKET, SO_SNDBUF) == 16384);
	check(get(fd, SOL_SOCKET, SO_RCVBUF) == 131072);
	check(get(fd, SOL_SOCKET, SO_KEEPALIVE) == 0);
	check(get(fd, SOL_SOCKET, SO_RCVLOWAT) == 1);
	check(get(fd, SOL_SOCKET, SO_ERROR) == 0);
	check(get(fd, SOL_SOCKET, SO_OOBINLINE) == 0);
	check(get(fd, IPPROTO_IP, IP_TOS) == 0 && get(fd, IPPROTO_IP, IP_TTL) == 64);
}

static const struct {
	int opt, low, high, factor; /* one less and one more are refused */
} bounds[] = {
	{ TCP_KEEPIDLE, 1, 32767, 1 }, { TCP_KEEPINTVL, 1, 32767, 1 }, { TCP_KEEPCNT, 1, 127, 1 },
	{ TCP_SYNCNT, 1, 127, 1 },     { TCP_MAXSEG, 88, 32767, 1 },
};

static void numbers(void)
{
	int fd = tcp();

	for (size_t i = 0; i < LENGTH(bounds); i++) {
		int opt = bounds[i].opt;

		check(set(fd, IPPROTO_TCP, opt, bounds[i].low) == 0);
		check(get(fd, IPPROTO_TCP, opt) == bounds[i].low);
		check(set(fd, IPPROTO_TCP, opt, bounds[i].high) == 0);
		check(get(fd, IPPROTO_TCP, opt) == bounds[i].high);
		fails(set(fd, IPPROTO_TCP, opt, bounds[i].low - 1), EINVAL);
		fails(set(fd, IPPROTO_TCP, opt, bounds[i].high + 1), EINVAL);
		check(get(fd, IPPROTO_TCP, opt) == bounds[i].high);
		fails(setsockopt(fd, IPPROTO_TCP, opt, &opt, 3), EINVAL);
		fails(setsockopt(fd, IPPROTO_TCP, opt, (void *)8, 4), EFAULT);
	}
	/* a stream has no groups */
	fails(set(fd, IPPROTO_IP, IP_MULTICAST_TTL, 2), EINVAL);
	fails(set(fd, IPPROTO_IP, IP_MULTICAST_IF, 0), EINVAL);
	check(get(fd, SOL_SOCKET, SO_MAX_PACING_RATE) == -1);
	check(set(fd, SOL_SOCKET, SO_MAX_PACING_RATE, 70000) == 0);
	check(get(fd, SOL_SOCKET, SO_MAX_PACING_RATE) == 70000);
	check(set(fd, SOL_SOCKET, SO_MAX_PACING_RATE, -1) == 0);
	check(set(fd, IPPROTO_TCP, TCP_NODELAY, 7) == 0 && get(fd, IPPROTO_TCP, TCP_NODELAY) == 1);
	check(set(fd, IPPROTO_TCP, TCP_CORK, 7) == 0 && get(fd, IPPROTO_TCP, TCP_CORK) == 1);
	check(set(fd, IPPROTO_TCP, TCP_LINGER2, -5) == 0);
	check(get(fd, IPPROTO_TCP, TCP_LINGER2) == -1);
	check(set(fd, IPPROTO_TCP, TCP_LINGER2, 10) == 0);
	check(get(fd, IPPROTO_TCP, TCP_LINGER2) == 10);
	check(set(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 5) == 0);
	check(get(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT) == 7);
	check(set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 1234) == 0);
	check(get(fd, IPPROTO_TCP, TCP_USER_TIMEOUT) == 1234);
	fails(set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, -1), EINVAL);
	check(set(fd, IPPROTO_TCP, TCP_QUICKACK, 0) == 0);
	check(get(fd, IPPROTO_TCP, TCP_QUICKACK) == 0);
	check(set(fd, IPPROTO_TCP, TCP_QUICKACK, 1) == 0);
	check(set(fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, 5000) == 0);
	check(get(fd, IPPROTO_TCP, TCP_WINDOW_CLAMP) == 5000);
	check(set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 4096) == 0);
	check(get(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT) == 4096);
	check(set(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1) == 0);
	fails(set(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 2), EINVAL);
	check(set(fd, IPPROTO_TCP, TCP_FASTOPEN, 5) == 0 &&
	      get(fd, IPPROTO_TCP, TCP_FASTOPEN) == 5);
	fails(set(fd, IPPROTO_TCP, TCP_FASTOPEN, -1), EINVAL);
}

static void unknown(void)
{
	char v[16];
	socklen_t len = sizeof(v);
	int fd = tcp();

	fails(set(fd, IPPROTO_TCP, 99, 1), ENOPROTOOPT);
	fails(getsockopt(fd, IPPROTO_TCP, 99, v, &len), ENOPROTOOPT);
	fails(set(fd, SOL_SOCKET, 9999, 1), ENOPROTOOPT);
	fails(getsockopt(fd, SOL_SOCKET, 9999, v, &len), ENOPROTOOPT);
	fails(set(fd, IPPROTO_IP, 9999, 1), ENOPROTOOPT);
	fails(set(fd, 250, 1, 1), ENOPROTOOPT);
	fails(set(fd, IPPROTO_UDP, 1, 1), ENOPROTOOPT);
	fails(getsockopt(fd, 250, 1, v, &len), EOPNOTSUPP);
	fails(set(fd, SOL_SOCKET, SO_TYPE, 1), ENOPROTOOPT);
	fails(set(fd, SOL_SOCKET, SO_ERROR, 1), ENOPROTOOPT);
	fails(set(fd, SOL_SOCKET, SO_ACCEPTCONN, 1), ENOPROTOOPT);
	len = -1;
	fails(getsockopt(fd, SOL_SOCKET, SO_TYPE, v, &len), EINVAL);
	fails(getsockopt(fd, SOL_SOCKET, SO_TYPE, v, (void *)8), EFAULT);
	fails(getsockopt(0, SOL_SOCKET, SO_TYPE, v, &len), ENOTSOCK);
	len = 2;
	check(getsockopt(fd, SOL_SOCKET, SO_TYPE, v, &len) == 0 && len == 2 && v[0] == 1);
	len = 1;
	check(getsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, v, &len) == 0 && len == 1 && v[0] == 9);
}

static void buffers(void)
{
	int fd = tcp();

	check(set(fd, SOL_SOCKET, SO_RCVBUF, 30000) == 0);
	check(get(fd, SOL_SOCKET, SO_RCVBUF) == 60000);
	check(set(fd, SOL_SOCKET, SO_SNDBUF, 30000) == 0);
	check(get(fd, SOL_SOCKET, SO_SNDBUF) == 60000);
	check(set(fd, SOL_SOCKET, SO_RCVBUF, 1) == 0);
	check(get(fd, SOL_SOCKET, SO_RCVBUF) == 2304);
	check(set(fd, SOL_SOCKET, SO_SNDBUF, 1) == 0);
	check(get(fd, SOL_SOCKET, SO_SNDBUF) == 4608);
	fails(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &fd, 2), EINVAL);
	/* both ends grow with the connection, unless they were set */
	pair();
	check(get(client, SOL_SOCKET, SO_SNDBUF) >= 16384);
	check(get(client, SOL_SOCKET, SO_RCVBUF) >= 131072);
}

static void times(void)
{
	struct timeval tv = { 1, 500000 }, back;
	struct linger l = { 1, 30 };
	socklen_t len = sizeof(back);
	int fd = tcp();

	check(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
	check(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &back, &len) == 0);
	check(back.tv_sec == 1 && back.tv_usec >= 500000 && back.tv_usec <= 504000);
	tv.tv_usec = 2000000;
	fails(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), EDOM);
	fails(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, 4), EINVAL);
	check(setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)) == 0);
	memset(&l, 0, sizeof(l));
	len = sizeof(l);
	check(getsockopt(fd, SOL_SOCKET, SO_LINGER, &l, &len) == 0);
	check(len == sizeof(l) && l.l_onoff == 1 && l.l_linger == 30);
	fails(setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, 4), EINVAL);
}

static void multicast(void)
{
	struct ip_mreq m = { { htonl(0xe0000105) }, { 0 } };

	fails(setsockopt(tcp(), IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)), EPROTO);
}

static void info(void)
{
	struct tcp_info i;
	socklen_t len = sizeof(i);
	char c;

	pair();
	check(send(client, "hello", 5, 0) == 5 && recv(server, &c, 1, 0) == 1);
	memset(&i, 0x55, sizeof(i));
	check(getsockopt(client, IPPROTO_TCP, TCP_INFO, &i, &len) == 0);
	check(len >= 192 && i.tcpi_state == TCP_ESTABLISHED && i.tcpi_ca_state == 0);
	check(i.tcpi_options & 1 && i.tcpi_options & 2 && i.tcpi_options & 4);
	check(i.tcpi_snd_mss > 500 && i.tcpi_snd_cwnd >= 10 && i.tcpi_pmtu >= 1500);
	check(i.tcpi_rtt > 0 && i.tcpi_rtt < 1000000 && i.tcpi_rto >= 200000);
	check(i.tcpi_total_retrans == 0 && i.tcpi_lost == 0 && i.tcpi_snd_ssthresh == 0x7fffffff);
	len = 10;
	memset(&i, 0x55, sizeof(i));
	check(getsockopt(client, IPPROTO_TCP, TCP_INFO, &i, &len) == 0 && len == 10);
	check(i.tcpi_state == TCP_ESTABLISHED && ((char *)&i)[10] == 0x55);
	len = sizeof(i);
	check(getsockopt(listener, IPPROTO_TCP, TCP_INFO, &i, &len) == 0);
	check(i.tcpi_state == TCP_LISTEN && i.tcpi_sacked == 8 && i.tcpi_unacked == 0);
	check(getsockopt(tcp(), IPPROTO_TCP, TCP_INFO, &i, &len) == 0 && i.tcpi_state == TCP_CLOSE);
}

static void congestion(void)
{
	char name[32] = "";
	socklen_t len = sizeof(name);
	int fd = tcp();

	check(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len) == 0 && len == 16);
	check(strlen(name) > 2);
	fails(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "nonesuch", 8), ENOENT);
	fails(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "", 0), EINVAL);
	check(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, strlen(name)) == 0);
	pair();
	check(setsockopt(client, IPPROTO_TCP, TCP_CONGESTION, "reno", 4) == 0);
	len = sizeof(name);
	check(getsockopt(client, IPPROTO_TCP, TCP_CONGESTION, name, &len) == 0);
	check(!strcmp(name, "reno"));
	check(send(client, "x", 1, 0) == 1 && recv(server, name, 1, 0) == 1);
	len = sizeof(name);
	check(getsockopt(client, IPPROTO_TCP, TCP_ULP, name, &len) == 0 && len == 0);
}

static void identity(void)
{
	unsigned long a = 0, b = 0;
	unsigned mem[9];
	socklen_t len = sizeof(a);
	int fd = tcp();

	check(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &a, &len) == 0 && len == 8 && a);
	check(getsockopt(tcp(), SOL_SOCKET, SO_COOKIE, &b, &len) == 0 && b != a);
	len = 4;
	fails(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &a, &len), EINVAL);
	len = sizeof(mem);
	check(getsockopt(fd, SOL_SOCKET, SO_MEMINFO, mem, &len) == 0 && len == sizeof(mem));
	check(mem[0] == 0 && mem[1] == 131072 && mem[3] == 16384);
	check(get(fd, SOL_SOCKET, SO_INCOMING_CPU) >= -1);
}

/* The line of /proc/net/tcp with that local port. */
static int find_line(int port, char *line, size_t n, int state)
{
	FILE *f = fopen("/proc/net/tcp", "r");
	unsigned p, st;

	check(f);
	check(fgets(line, n, f) &&
	      strstr(line, "local_address rem_address   st tx_queue rx_queue"));
	while (fgets(line, n, f)) {
		check(strlen(line) == 150);
		check(sscanf(line, "%*d: %*8x:%x %*8x:%*x %x", &p, &st) == 2);
		if (p == (unsigned)port && st == (unsigned)state) {
			fclose(f);
			return 1;
		}
	}
	fclose(f);
	return 0;
}

static void proc(void)
{
	char line[256];
	unsigned tx, rx, uid;
	unsigned long ino;
	struct stat st;
	int port;

	pair();
	port = port_of(client);
	check(send(client, "12345", 5, 0) == 5);
	arrived(server, 5);
	check(find_line(port_of(listener), line, sizeof(line), 10));
	check(find_line(port_of(listener), line, sizeof(line), 1));
	check(sscanf(line, "%*d: %*s %*s %*x %x:%x %*s %*s %u %*d %lu", &tx, &rx, &uid, &ino) == 4);
	check(tx == 0 && rx == 5 && uid == getuid());
	check(fstat(server, &st) == 0 && st.st_ino == ino);
	check(find_line(port, line, sizeof(line), 1));
	close(client);
	soon(find_line(port, line, sizeof(line), 5));		   /* FIN-WAIT-2 */
	soon(find_line(port_of(listener), line, sizeof(line), 8)); /* CLOSE-WAIT */
	while (recv(server, line, 5, 0) > 0)
		;
	close(server);
	soon(find_line(port, line, sizeof(line), 6)); /* TIME-WAIT */
	soon(!find_line(port_of(listener), line, sizeof(line), 8));
}

static long counter(const char *file, const char *group, const char *name)
{
	static char names[8192], values[8192];
	char *n, *v, *sn, *sv;
	FILE *f = fopen(file, "r");

	check(f);
	while (fgets(names, sizeof(names), f) && fgets(values, sizeof(values), f)) {
		if (strncmp(names, group, strlen(group)) || names[strlen(group)] != ':')
			continue;
		for (n = strtok_r(names, " \n", &sn), v = strtok_r(values, " \n", &sv); n && v;
		     n = strtok_r(NULL, " \n", &sn), v = strtok_r(NULL, " \n", &sv)) {
			if (!strcmp(n, name)) {
				fclose(f);
				return atol(v);
			}
		}
	}
	fclose(f);
	printf("%s has no %s %s\n", file, group, name);
	return -1;
}

static void counters(void)
{
	long active = counter("/proc/net/snmp", "Tcp", "ActiveOpens");
	long passive = counter("/proc/net/snmp", "Tcp", "PassiveOpens");
	long segs = counter("/proc/net/snmp", "Tcp", "OutSegs");
	long orig = counter("/proc/net/netstat", "TcpExt", "TCPOrigDataSent");

	check(counter("/proc/net/snmp", "Tcp", "RtoAlgorithm") == 1);
	check(counter("/proc/net/snmp", "Tcp", "RtoMin") == 200);
	check(counter("/proc/net/snmp", "Tcp", "MaxConn") == -1);
	pair();
	check(send(client, "x", 1, 0) == 1);
	arrived(server, 1);
	check(counter("/proc/net/snmp", "Tcp", "ActiveOpens") >= active + 1);
	check(counter("/proc/net/snmp", "Tcp", "PassiveOpens") >= passive + 1);
	check(counter("/proc/net/snmp", "Tcp", "OutSegs") >= segs + 3);
	check(counter("/proc/net/netstat", "TcpExt", "TCPOrigDataSent") >= orig + 1);
	check(counter("/proc/net/snmp", "Tcp", "CurrEstab") >= 2);
	check(counter("/proc/net/netstat", "TcpExt", "ListenOverflows") >= 0);
}

static const struct test tests[] = {
	TEST(defaults), TEST(numbers),	 TEST(unknown),	 TEST(buffers),
	TEST(times),	TEST(multicast), TEST(info),	 TEST(congestion),
	TEST(identity), TEST(proc),	 TEST(counters),
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests, LENGTH(tests), 20);
}
