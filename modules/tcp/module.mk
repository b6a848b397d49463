name := tcp
objs := main.o table.o ports.o segment.o input.o coalesce.o listen.o request.o child.o cookies.o fastopen.o fastclient.o timewait.o conn.o error.o isn.o respond.o \
	output.o pace.o emit.o txq.o records.o ack.o rtt.o ecn.o recovery.o rate.o mtuprobe.o timer.o cc.o \
	sock.o send.o recv.o recvopt.o stamp.o rxq.o rcvbuf.o urgent.o sockopt.o info.o sysctl.o proc.o diag.o
deps := ip
