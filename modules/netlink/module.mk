name := netlink
objs := main.o proto.o sock.o request.o message.o
deps := ip
