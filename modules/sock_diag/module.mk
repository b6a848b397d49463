name := sock_diag
objs := main.o inet.o message.o filter.o unix.o packet.o netlink.o
deps := ip netlink
